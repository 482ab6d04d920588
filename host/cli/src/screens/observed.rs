//! What a tracker plugin was seen to need while requests beyond its grant were let through.

use std::path::Path;

use crate::page::Page;
use crate::paint::Tone;

/// Said at the start.
pub const OBSERVING: &str = "requests of the tracker plugin beyond its grant are let through and noted, \
    so it reaches whatever this machine reaches: observe only plugins you trust, and not for longer than needed";

/// The rights that would have done, to be pasted. `rights` is their TOML.
pub fn draw_observed(page: &Page, tracker: &str, grants: &Path, rights: &str) -> String {
    if rights.is_empty() {
        return format!("Observed: {tracker} sent no request.");
    }
    let place = grants.display();
    let head = format!(
        "Observed: these rights cover all that {tracker} sent, and little else. To grant them, put them below \
         the entry of `{tracker}` in {place}, in the place of its [[plugin.http]]:"
    );
    format!("{}\n\n{rights}", page.tone(Tone::Strong, &head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;

    #[test]
    fn what_was_observed_is_ready_to_paste() {
        let drawn = |rights: &str| draw_observed(&page(), "tale", Path::new("/home/me/grants.toml"), rights);
        let rights = "[[plugin.http]]\norigin = \"https://a.example\"\nmethods = [\"GET\"]\npath = \"/x\"";
        insta::assert_snapshot!(format!("{}\n---\n{}", drawn(rights), drawn("")));
    }
}
