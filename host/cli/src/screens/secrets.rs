//! `host secret list`.

use serde::Serialize;

use crate::config::Origin;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};

/// A secret that a plugin could use.
#[derive(Clone, Debug, Serialize)]
pub struct SecretView {
    /// Plugin and field.
    pub name: String,
    /// Where it comes from, if it has a value. The value itself is shown nowhere.
    pub from: Option<Origin>,
}

/// Every secret, and where it comes from.
pub fn draw_secrets(page: &Page, secrets: &[SecretView]) -> String {
    if secrets.is_empty() {
        return "No plugin here has a secret.\n".to_owned();
    }
    let rows = secrets.iter().map(|secret| {
        let from = secret.from.as_ref().map(ToString::to_string);
        let from = from.map_or_else(|| Cell::new("not set").tone(Tone::Quiet), Cell::new);
        vec![Cell::new(&secret.name).tone(Tone::Strong), from]
    });
    let head = heading(&["SECRET", "FROM"]);
    draw(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), page.paint, page.width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;

    #[test]
    fn secrets_are_a_calm_table_without_values() {
        let secret = |name: &str, from| SecretView { name: name.to_owned(), from };
        let secrets = [
            secret("tale.api-key", Some(Origin::Keyring("Secret Service"))),
            secret("trakkar.token", Some(Origin::Environment("TRAKKAR_TOKEN".to_owned()))),
            secret("telora.token", None),
        ];
        insta::assert_snapshot!(draw_secrets(&page(), &secrets));
        insta::assert_snapshot!(draw_secrets(&page(), &[]));
    }
}
