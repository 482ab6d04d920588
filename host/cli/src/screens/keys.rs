//! `host plugin keys list`.

use hostler_daemon::keys::TrustedKey;

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};

/// The keys whose signatures count.
pub fn draw_keys(page: &Page, keys: &[TrustedKey]) -> String {
    if keys.is_empty() {
        return "No keys: nobody's signature counts here. Add one with `host plugin keys add NAME PUBKEY`.\n"
            .to_owned();
    }
    let rows = keys.iter().map(|one| {
        vec![
            Cell::new(&one.name).tone(Tone::Strong),
            Cell::new(one.key.id().to_string()),
            Cell::new(one.key.to_string()).tone(Tone::Quiet),
        ]
    });
    let head = heading(&["NAME", "ID", "KEY"]);
    draw(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), page.paint, page.width)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::plugins::PublicKey;

    #[test]
    fn keys_are_a_calm_table() {
        let key = PublicKey::parse("RWTHNTpT1FDh/4B/371EisAbxaiNkdcwvLt3TYvLXFpeOLRovjDa8bEe").unwrap();
        insta::assert_snapshot!(draw_keys(&page(), &[TrustedKey { name: "ada".to_owned(), key }]));
        insta::assert_snapshot!(draw_keys(&page(), &[]));
    }
}
