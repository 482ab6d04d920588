//! `host doctor`.

use serde::Serialize;

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw};
use crate::text::count;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Fine.
    Ok,
    /// It works, but somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it came out.
    pub health: Health,
    /// What was found, and the remedy where there is one to be found.
    pub finding: String,
}

impl Check {
    /// A check that came out so.
    pub fn new(name: impl Into<String>, health: Health, finding: impl std::fmt::Display) -> Self {
        Self { name: name.into(), health, finding: finding.to_string() }
    }
}

/// Every check on a line, and how many need a hand.
pub fn draw_checks(page: &Page, checks: &[Check]) -> String {
    let row = |check: &Check| {
        let (word, tone) = match check.health {
            Health::Ok => ("ok", Tone::Good),
            Health::Warn => ("warn", Tone::Warning),
            Health::Fail => ("fail", Tone::Bad),
        };
        vec![Cell::new(word).tone(tone), Cell::new(&check.name).tone(Tone::Strong), Cell::new(&check.finding)]
    };
    let rows: Vec<Vec<Cell>> = checks.iter().map(row).collect();
    let number = |health| checks.iter().filter(|check| check.health == health).count() as u64;
    let ending = match (number(Health::Fail), number(Health::Warn)) {
        (0, 0) => "Everything is fine.".to_owned(),
        (0, warnings) => format!("It works, with {}.", count(warnings, "warning")),
        (failures, _) => format!("{} to mend before `host run` can work.", count(failures, "thing")),
    };
    format!("{}\n{ending}\n", draw(&rows, page.paint, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;

    #[test]
    fn a_check_up_ends_with_what_is_to_be_done() {
        let checks = [
            Check::new("repository", Health::Ok, "app (/home/ada/app) on main"),
            Check::new("plugin folder", Health::Warn, "not allowed yet: `host plugin allow folder`"),
            Check::new(
                "provider codex",
                Health::Fail,
                "`codex` is not on PATH: install it, or set `program`",
            ),
        ];
        insta::assert_snapshot!(
            [
                draw_checks(&page(), &checks),
                draw_checks(&page(), &checks[..2]),
                draw_checks(&page(), &checks[..1])
            ]
            .concat()
        );
    }
}
