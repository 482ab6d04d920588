//! `host secret list`.

use serde::Serialize;

use crate::config::secret_field::Sources;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};

/// A secret that a plugin could use.
#[derive(Clone, Debug, Serialize)]
pub struct SecretView {
    /// Plugin and field.
    pub name: String,
    /// Where it comes from. The value itself is shown nowhere.
    #[serde(flatten)]
    pub sources: Sources,
}

/// Every secret, and where it comes from.
pub fn draw_secrets(page: &Page, secrets: &[SecretView]) -> String {
    if secrets.is_empty() {
        return "No plugin here has a secret.\n".to_owned();
    }
    let rows = secrets.iter().map(|secret| {
        let from = Cell::new(secret.sources.to_string());
        let from = if secret.sources.from.is_none() { from.tone(Tone::Quiet) } else { from };
        vec![Cell::new(&secret.name).tone(Tone::Strong), from]
    });
    let head = heading(&["SECRET", "FROM"]);
    draw(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), page.paint, page.width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;
    use crate::page::tests::page;

    #[test]
    fn secrets_are_a_calm_table_without_values() {
        let keyring = || Origin::Keyring("Secret Service");
        let secret = |name: &str, from, overridden: &[Origin]| SecretView {
            name: name.to_owned(),
            sources: Sources { from, overridden: overridden.to_vec() },
        };
        let secrets = [
            secret("tale.api-key", Some(keyring()), &[]),
            secret("trakkar.token", Some(Origin::Environment("TRAKKAR_TOKEN".to_owned())), &[keyring()]),
            secret("telora.token", None, &[]),
        ];
        insta::assert_snapshot!(draw_secrets(&page(), &secrets));
        insta::assert_snapshot!(draw_secrets(&page(), &[]));
    }
}
