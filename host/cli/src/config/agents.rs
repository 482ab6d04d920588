//! `[agents]`: what agents may reach from inside a sandbox, besides what their providers
//! ask for.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_daemon::engine::sandbox::HomePath;
use hostler_daemon::sandbox::Outside;

use super::configuration::absolute;
use super::error::ConfigError;
use super::file::{ConfigFile, Given};
use super::key::check_names;
use super::layers::shown;

/// What can stand in the table.
const NAMES: [&str; 5] = ["addresses", "home", "network", "network-deny", "write"];

/// What the operator's file says.
pub fn outside(file: Option<&ConfigFile>, home: Option<&Path>) -> Result<Outside, ConfigError> {
    let Some(file) = file else { return Ok(Outside::default()) };
    let table = &file.agents;
    check_names(table, &NAMES)?;
    let base = file.path.parent().unwrap_or(Path::new("/"));
    let destination = |text: &str| text.parse().ok();
    let block = |text: &str| text.parse().ok();
    let below_home = |text: &str| HomePath::try_from(text.to_owned()).ok();
    let destinations = "a list of destinations, such as `registry.npmjs.org:443` or `*.example.com:443`";
    Ok(Outside {
        home: list(table, "home", "a list of paths below the home folder, such as `.npmrc`", below_home)?,
        network: list(table, "network", destinations, destination)?,
        network_deny: list(table, "network-deny", destinations, destination)?,
        addresses: list(table, "addresses", "a list of blocks of addresses, such as `10.0.0.0/8`", block)?,
        write: list(table, "write", "a list of folders", |text| Some(absolute(text, base, home)))?,
    })
}

/// A list of texts, each read.
fn list<T>(
    table: &BTreeMap<String, Given>,
    name: &str,
    expected: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ConfigError> {
    let Some(given) = table.get(name) else { return Ok(Vec::new()) };
    let all = given.texts().and_then(|texts| texts.into_iter().map(read).collect());
    all.ok_or_else(|| ConfigError::Value {
        place: given.origin.clone(),
        key: format!("agents.{name}"),
        value: shown(&given.written),
        expected: expected.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Whose;

    fn parsed(text: &str) -> Result<Outside, ConfigError> {
        let file = ConfigFile::parse(Path::new("/etc/me/config.toml"), text, Whose::Operator)?;
        outside(Some(&file), Some(Path::new("/home/me")))
    }

    #[test]
    fn paths_start_at_home_or_at_the_file() {
        let read = parsed(
            "[agents]\nhome = [\".npmrc\"]\nnetwork = [\"registry.npmjs.org:443\"]\nwrite = [\"~/.cache/npm\", \"here\"]\n",
        )
        .unwrap();
        assert_eq!(read.network, ["registry.npmjs.org:443".parse().unwrap()]);
        assert_eq!(read.home[0].as_str(), ".npmrc");
        assert_eq!(read.write, [Path::new("/home/me/.cache/npm"), Path::new("/etc/me/here")]);
        assert_eq!(outside(None, None).unwrap(), Outside::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, expected) in [
            ("[agents]\nnetwork = [\"example.com\"]", "registry.npmjs.org:443"),
            ("[agents]\nnetwork = \"example.com:443\"", "a list of destinations"),
            ("[agents]\nhome = [\"../x\"]", "below the home folder"),
            ("[agents]\nwrites = []", "`write`"),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("config.toml line 2"), "{error}");
        }
    }

    #[test]
    fn a_repository_does_not_say_what_agents_reach() {
        let file = ConfigFile::parse(Path::new("/r/config.toml"), "[agents]\nhome = []", Whose::Repository);
        assert!(file.unwrap_err().to_string().contains("what agents reach"));
    }
}
