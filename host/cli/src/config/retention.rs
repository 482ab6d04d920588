//! `[retention]`: how long the past is kept.

use std::collections::BTreeMap;

use hostler_daemon::collection::Retention;
use hostler_daemon::engine::time::Millis;

use super::error::ConfigError;
use super::file::{ConfigFile, Given};
use super::key::check_names;
use super::layers::read_one;
use super::value::{Read, sum_of_parts};

/// Longest time that can be asked for; beyond it `none` says what is meant.
const MAX_AGE: Millis = Millis::minutes(3650 * 24 * 60);

/// What can stand in the table.
const NAMES: [&str; 4] = ["audit", "journal", "logs", "worktrees"];

/// What the operator's file says, and the defaults for the rest.
pub fn retention(file: Option<&ConfigFile>) -> Result<Retention, ConfigError> {
    match file {
        Some(file) => read(&file.retention),
        None => Ok(Retention::default()),
    }
}

fn read(table: &BTreeMap<String, Given>) -> Result<Retention, ConfigError> {
    check_names(table, &NAMES)?;
    let one = |name: &str, default: Option<Millis>| match table.get(name) {
        Some(given) => read_one(&format!("retention.{name}"), given, age).map(|setting| setting.value),
        None => Ok(default),
    };
    let default = Retention::default();
    Ok(Retention {
        worktrees: one("worktrees", default.worktrees)?,
        logs: one("logs", default.logs)?,
        journal: one("journal", default.journal)?,
        audit: one("audit", default.audit)?,
    })
}

/// `14d`, `0s`, or `none` for ever.
fn age(text: &str) -> Read<Option<Millis>> {
    let text = text.trim();
    if text == "none" {
        return Ok(None);
    }
    let length = sum_of_parts(text).filter(|length| *length <= MAX_AGE && !text.is_empty());
    length.map(Some).ok_or_else(|| {
        "a length of time with its unit, such as 14d or 12h, of 3650d at most, or `none` for ever".to_owned()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::config::Whose;

    fn parsed(text: &str) -> Result<Retention, ConfigError> {
        let file = ConfigFile::parse(Path::new("/config.toml"), text, Whose::Operator)?;
        retention(Some(&file))
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        let days = |days: u64| Some(Millis::minutes(days * 24 * 60));
        assert_eq!(
            retention(None).unwrap(),
            Retention { worktrees: days(14), logs: days(30), journal: days(90), audit: None }
        );
        let said = parsed("[retention]\nworktrees = \"0s\"\njournal = \"none\"\naudit = \"365d\"\n").unwrap();
        assert_eq!(
            said,
            Retention { worktrees: Some(Millis(0)), logs: days(30), journal: None, audit: days(365) }
        );
    }

    #[test]
    fn an_age_may_reach_ten_years_and_not_pass_them() {
        assert_eq!(age("3650d"), Ok(Some(MAX_AGE)));
        for wrong in ["3650d1s", "", "14", "two weeks"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mistyped_name_is_an_error_that_names_its_line() {
        let error = parsed("[retention]\nworktree = \"1d\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`worktrees`"), "{error}");
    }

    #[test]
    fn a_repository_cannot_decide_what_is_deleted() {
        let text = "[retention]\nlogs = \"0s\"\n";
        let error = ConfigFile::parse(Path::new("/c.toml"), text, Whose::Repository).unwrap_err().to_string();
        assert!(error.contains("a repository may not set `retention`"), "{error}");
    }
}
