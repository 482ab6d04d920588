//! What `tale daemon setup` wrote, read as the weakest layer of settings, so that a
//! machine that worked with it goes on working.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_daemon::engine::plan::Permission;
use serde_json::{Map, Value};

use super::error::ConfigError;
use super::file::{ConfigFile, Given, Written, read_text};
use super::key::Key;
use super::origin::Origin;

/// The id of the plugin whose users have such a file.
pub const PLUGIN: &str = "tale";

/// What `tale daemon setup` proposed as the server's address.
pub const USUAL_URL: &str = "http://localhost:3000";

/// Names of the file's fields, and of the plugin's that hold the same.
const FIELDS: [(&str, &str); 3] = [("baseUrl", "url"), ("apiKey", "api-key"), ("daemonId", "daemon-id")];

/// Whether a plugin that was named like this, by name or file, is Tale's.
pub fn is_meant(plugin: &str) -> bool {
    Path::new(plugin).file_stem().is_some_and(|stem| stem == PLUGIN)
}

/// Where the file is: `$TALE_DAEMON_HOME` or `~/.tale-daemon`.
pub fn place(environment: &BTreeMap<String, String>, folder: &Path) -> Option<PathBuf> {
    let named = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let home = named("TALE_DAEMON_HOME").map(|home| folder.join(home));
    let home = home.or_else(|| Some(Path::new(named("HOME")?).join(".tale-daemon")))?;
    Some(home.join("config.json"))
}

/// Reads the file at `path`, if there is one.
pub fn read(path: Option<&Path>) -> Result<Option<ConfigFile>, ConfigError> {
    let Some(path) = path else { return Ok(None) };
    read_text(path)?.map(|text| parse(path, &text)).transpose()
}

/// What holds for Tale where nobody said anything: the server may ask for nothing
/// beyond `safe`.
pub fn defaults() -> ConfigFile {
    let mut file = ConfigFile::empty(Path::new(""));
    let given = Given { written: Written::Text(Permission::Safe.name().to_owned()), origin: Origin::Default };
    file.keys.insert(Key::PermissionCeiling, given);
    file
}

/// Reads the text of the file. Only its form can be wrong: a value that makes no sense
/// is as good as none, as it was for the program that wrote it.
pub fn parse(path: &Path, text: &str) -> Result<ConfigFile, ConfigError> {
    // The parser's own words may quote a value, which may be the key.
    let wrong = |line, message: &str| ConfigError::Syntax {
        path: path.to_owned(),
        line,
        message: message.to_owned(),
    };
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.line(), "this is not JSON"))?;
    let Value::Object(object) = value else { return Err(wrong(1, "this is no JSON object")) };
    let given =
        |text: String| Given { written: Written::Text(text), origin: Origin::Earlier(path.to_owned()) };
    let mut file = ConfigFile::empty(path);
    let ceiling = permission(text_of(&object, "permissionCeiling").unwrap_or_default());
    file.keys.insert(Key::PermissionCeiling, given(ceiling.unwrap_or_default().name().to_owned()));
    // It worked in the folder itself where there was no repository.
    file.keys.insert(Key::InPlace, given("true".to_owned()));
    file.keys.extend(text_of(&object, "name").map(|name| (Key::Name, given(name.to_owned()))));
    let fields = FIELDS
        .into_iter()
        .filter_map(|(theirs, ours)| Some((ours.to_owned(), given(text_of(&object, theirs)?.to_owned()))));
    file.tracker.insert(PLUGIN.to_owned(), fields.collect());
    file.repositories = workspaces(&object).into_iter().map(|(key, path)| (key, given(path))).collect();
    Ok(file)
}

/// A permission in either spelling: `auto_edits` or `auto-edits`.
pub fn permission(text: &str) -> Option<Permission> {
    super::value::permission(&text.replace('_', "-")).ok()
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// Key and path, the default one first; it may be a path of its own.
fn workspaces(object: &Map<String, Value>) -> Vec<(String, String)> {
    let map = object.get("workspaces").and_then(Value::as_object);
    let mut all: Vec<(String, String)> = map
        .into_iter()
        .flatten()
        .filter_map(|(key, path)| Some((key.clone(), path.as_str()?.trim().to_owned())))
        .filter(|(key, path)| !key.is_empty() && !path.is_empty())
        .collect();
    let Some(default) = text_of(object, "defaultWorkspace") else { return all };
    if let Some(place) = all.iter().position(|(key, path)| key == default || path == default) {
        all[..=place].rotate_right(1);
        return all;
    }
    let key = Path::new(default).file_name().map_or("default".into(), |name| name.to_string_lossy());
    if Path::new(default).is_absolute() && !all.iter().any(|(other, _)| *other == key) {
        all.insert(0, (key.into_owned(), default.to_owned()));
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FILE: &str = "/home/ada/.tale-daemon/config.json";

    fn told(text: &str) -> String {
        let file = parse(Path::new(FILE), text).unwrap();
        let text = |given: &Given| match &given.written {
            Written::Text(text) => text.clone(),
            Written::Value(value) => value.to_string(),
        };
        let keys = file.keys.iter().map(|(key, given)| format!("{} = {}\n", key.name(), text(given)));
        let fields = file.tracker[PLUGIN].iter().map(|(name, given)| format!("{name} = {}\n", text(given)));
        let repositories =
            file.repositories.iter().map(|(key, given)| format!("repo {key} = {}\n", text(given)));
        keys.chain(fields).chain(repositories).collect()
    }

    #[test]
    fn everything_it_knew_is_taken_with_the_default_workspace_first() {
        let text = r#"{"baseUrl": "https://tale.example", "apiKey": "k-1", "daemonId": "daemon_1",
            "name": "desk", "workspaces": {"api": "/srv/api", "web": "/srv/web"},
            "defaultWorkspace": "web", "permissionCeiling": "auto_edits", "later": [1]}"#;
        insta::assert_snapshot!(told(text));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_none_and_a_ceiling_is_safe() {
        let text =
            r#"{"baseUrl": 5, "name": " ", "workspaces": {"a": 1, "": "/x"}, "permissionCeiling": "root"}"#;
        assert_eq!(told(text), "permission-ceiling = safe\nin-place = true\n");
        assert_eq!(told("{}"), "permission-ceiling = safe\nin-place = true\n");
    }

    #[test]
    fn a_default_workspace_may_be_a_path_of_its_own() {
        let repos = |default: &str| {
            let text = format!(r#"{{"workspaces": {{"api": "/srv/api"}}, "defaultWorkspace": "{default}"}}"#);
            told(&text).lines().filter(|line| line.starts_with("repo")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(repos("/srv/web"), "repo web = /srv/web, repo api = /srv/api");
        assert_eq!(repos("gone"), "repo api = /srv/api");
        assert_eq!(repos("/srv/api"), "repo api = /srv/api");
    }

    #[test]
    fn a_broken_file_is_told_with_its_line_and_without_the_key() {
        for text in ["{\n\"apiKey\": \"hunter2\",,", "\"hunter2\"", "{\"apiKey\": hunter2}"] {
            let told = parse(Path::new(FILE), text).unwrap_err().to_string();
            assert!(told.starts_with(FILE) && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn the_file_is_where_the_environment_says_or_in_the_home_folder() {
        let environment = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let place = |pairs| place(&environment(pairs), Path::new("/here"));
        assert_eq!(place(&[("HOME", "/home/ada"), ("TALE_DAEMON_HOME", "")]), Some(FILE.into()));
        let named = place(&[("HOME", "/home/ada"), ("TALE_DAEMON_HOME", "/t")]);
        assert_eq!(named, Some("/t/config.json".into()));
        assert_eq!(place(&[("TALE_DAEMON_HOME", "t")]), Some("/here/t/config.json".into()));
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn the_plugin_is_known_by_name_and_by_file() {
        assert!(is_meant("tale") && is_meant("./build/tale.wasm") && is_meant("tale.wasm"));
        assert!(!is_meant("folder") && !is_meant("tale-like.wasm"));
    }
}
