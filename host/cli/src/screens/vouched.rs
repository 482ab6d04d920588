//! `host plugin verify`.

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, row};
use crate::text::one_line;

/// A plugin that somebody vouches for.
pub fn draw_good(page: &Page, file: &str, digest: &str, signer: &str, comment: &str) -> String {
    let rows = [
        row("file", Cell::new(file)),
        row("digest", Cell::new(digest)),
        row("signed by", Cell::new(signer).tone(Tone::Good)),
        row("who says", Cell::new(one_line(comment))),
    ];
    draw(&rows, page.paint, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;

    #[test]
    fn a_good_signature_names_its_owner_and_what_is_said() {
        let comment = "hostler plugin=demo version=1.0.0 \u{1b}[31m";
        insta::assert_snapshot!(draw_good(&page(), "/p/demo.wasm", &"a".repeat(64), "ada", comment));
    }
}
