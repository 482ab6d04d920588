//! `host config show`.

use serde::Serialize;

use crate::config::origin::Origin;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};

/// A setting as it is shown. Secrets are masked before they come here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// As in a file: `time-limit`, `tracker.folder.path`.
    pub name: String,
    /// `none` where there is no value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Every setting, its value and where it came from.
pub fn draw_settings(page: &Page, settings: &[Shown], files: &[(String, bool)]) -> String {
    let rows = settings.iter().map(|setting| {
        let chosen = setting.origin != Origin::Default;
        vec![
            Cell::new(&setting.name).tone(Tone::Strong),
            if chosen { Cell::new(&setting.value) } else { Cell::new(&setting.value).tone(Tone::Quiet) },
            Cell::new(setting.origin.to_string()).tone(Tone::Quiet),
        ]
    });
    let head = heading(&["SETTING", "VALUE", "FROM"]);
    let mut out = draw(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), page.paint, None);
    out.push('\n');
    for (file, there) in files {
        let note = if *there { "read" } else { "not there" };
        out += &page.tone(Tone::Quiet, &format!("{file} ({note})"));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;

    #[test]
    fn every_setting_says_where_it_came_from() {
        let shown = |name: &str, value: &str, origin| Shown {
            name: name.to_owned(),
            value: value.to_owned(),
            origin,
        };
        let file = Origin::File { path: "/home/ada/.config/hostler/config.toml".into(), line: 3 };
        let settings = [
            shown("slots", "4", Origin::Environment("HOSTLER_SLOTS".to_owned())),
            shown("time-limit", "60m 00s", Origin::Default),
            shown("tracker.trakkar.token", "••••••", file),
        ];
        let files = [
            ("/home/ada/.config/hostler/config.toml".to_owned(), true),
            ("/app/.hostler/config.toml".to_owned(), false),
        ];
        insta::assert_snapshot!(draw_settings(&page(), &settings, &files));
    }
}
