//! Changes single values in the text of a settings file. Comments, order and
//! everything else in it stay as they are.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::error::ConfigError;

/// One change: where, and what is to stand there; `None` removes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    keys: Vec<String>,
    value: Option<String>,
    literal: bool,
}

impl Change {
    /// Text at a place such as `["tracker", "tale", "url"]`.
    pub fn text(keys: &[&str], value: impl Into<String>) -> Self {
        Self { keys: owned(keys), value: Some(value.into()), literal: false }
    }

    /// A number, truth or list, as TOML writes it.
    pub fn literal(keys: &[&str], value: impl Into<String>) -> Self {
        Self { keys: owned(keys), value: Some(value.into()), literal: true }
    }

    /// Nothing at this place.
    pub fn removed(keys: &[&str]) -> Self {
        Self { keys: owned(keys), value: None, literal: false }
    }

    /// Whether it changes this place.
    pub fn is_at(&self, keys: &[&str]) -> bool {
        self.keys == keys
    }

    fn value(&self) -> Option<Value> {
        let text = self.value.as_ref()?;
        let literal = self.literal.then(|| text.parse().ok()).flatten();
        Some(literal.unwrap_or_else(|| Value::from(text.as_str())))
    }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

/// The text with these changes, in order. `path` is only named in errors.
pub fn edited(path: &Path, text: &str, changes: &[Change]) -> Result<String, ConfigError> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.as_bytes().get(..start).unwrap_or(text.as_bytes());
        ConfigError::Syntax {
            path: path.to_owned(),
            line: before.split(|byte| *byte == b'\n').count(),
            message: error.message().to_owned(),
        }
    })?;
    for change in changes {
        let Some((last, tables)) = change.keys.split_last() else { continue };
        let mut table: &mut dyn TableLike = document.as_table_mut();
        for (depth, name) in tables.iter().enumerate() {
            let item = table.entry(name).or_insert_with(|| new_table(depth + 1 < tables.len()));
            table = item.as_table_like_mut().ok_or_else(|| ConfigError::NoTable {
                path: path.to_owned(),
                key: change.keys[..=depth].join("."),
            })?;
        }
        match change.value() {
            Some(value) => set(table, last, value),
            None => drop(table.remove(last)),
        }
    }
    Ok(document.to_string())
}

/// A table that only holds tables needs no heading of its own.
fn new_table(implicit: bool) -> Item {
    let mut table = Table::new();
    table.set_implicit(implicit);
    Item::Table(table)
}

/// Keeps what surrounds the old value: blanks, and a comment behind it.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => drop(table.insert(key, Item::Value(value))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn edit(text: &str, changes: &[Change]) -> String {
        edited(Path::new("/c.toml"), text, changes).unwrap()
    }

    #[test]
    fn a_new_file_gets_what_was_asked_for_in_a_readable_form() {
        let changes = [
            Change::text(&["plugin"], "tale"),
            Change::literal(&["in-place"], "true"),
            Change::text(&["tracker", "tale", "url"], "https://tale.example"),
            Change::literal(&["tracker", "tale", "tags"], "[\"a\", \"b\"]"),
            Change::text(&["repos", "my app"], "/home/ada/a \"b\""),
        ];
        insta::assert_snapshot!(edit("", &changes));
    }

    #[test]
    fn comments_order_and_everything_else_stay() {
        let text = "# mine\nslots = 4 # enough\nplugin = \"folder\" # for now\n\n[providers.codex]\n\
                    program = \"/opt/codex\"\n\n# where I work\n[repos]\napp = '/srv/app' # the app\n\n\
                    [tracker.folder]\npath = \"tasks\"\n";
        let changes = [
            Change::text(&["plugin"], "tale"),
            Change::text(&["name"], "desk"),
            Change::text(&["repos", "app"], "/srv/new"),
            Change::text(&["repos", "api"], "/srv/api"),
            Change::text(&["tracker", "tale", "url"], "https://tale.example"),
        ];
        insta::assert_snapshot!(edit(text, &changes));
    }

    #[test]
    fn dotted_and_inline_tables_are_changed_where_they_stand() {
        let text = "tracker.tale.url = \"a\"\nrepos = { app = \"/a\" }\n";
        let changes = [
            Change::text(&["tracker", "tale", "url"], "b"),
            Change::text(&["repos", "api"], "/b"),
            Change::removed(&["repos", "app"]),
            Change::removed(&["tracker", "other", "url"]),
        ];
        let told = edit(text, &changes);
        assert!(told.starts_with("tracker.tale.url = \"b\"\n") && told.contains("api = \"/b\""), "{told}");
        assert!(!told.contains("app ="), "{told}");
    }

    #[test]
    fn the_same_values_again_change_nothing() {
        let text = "plugin = \"tale\"   # here\n[tracker.tale]\nurl = \"b\"\n";
        let changes = [Change::text(&["plugin"], "tale"), Change::text(&["tracker", "tale", "url"], "b")];
        assert_eq!(edit(text, &changes), text);
    }

    #[test]
    fn what_cannot_be_changed_is_told_and_no_value_with_it() {
        let told = |text| {
            edited(Path::new("/c.toml"), text, &[Change::text(&["repos", "a"], "/a")])
                .unwrap_err()
                .to_string()
        };
        assert!(told("repos = 3").starts_with("/c.toml: `repos` is no table"));
        assert!(told("\nkey = \"hunter2").starts_with("/c.toml line 2: "));
        assert!(!told("\nkey = \"hunter2").contains("hunter2"));
    }
}
