//! `[network]`: the way to trackers and forges. What it does not say, the variables say
//! that all programs go by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_daemon::{NetworkSettings, Proxy};

use super::configuration::absolute;
use super::error::ConfigError;
use super::file::Given;
use super::key::check_names;
use super::layers::{Layers, read_one};
use super::origin::{Origin, Setting};
use super::value;

/// What can stand in the table.
const NAMES: [&str; 4] = ["ca", "no-proxy", "observe", "proxy"];

/// The setting, as an error names it.
const PROXY: &str = "network.proxy";

/// The flag of `observe`.
pub const OBSERVE: &str = "--observe";

/// Variables that name a proxy, the weightiest first.
const PROXY_VARIABLES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];

/// The way to trackers and forges.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfiguration {
    /// The proxy, if there is one.
    pub proxy: Setting<Option<Proxy>>,
    /// A file with certificates to trust besides the system's.
    pub ca: Setting<Option<PathBuf>>,
    /// Whether requests beyond a grant are let through and noted.
    pub observe: Setting<bool>,
}

impl NetworkConfiguration {
    /// Decides every setting. `home` is for paths that begin with `~/`.
    pub fn resolve(layers: &Layers, home: Option<&Path>) -> Result<Self, ConfigError> {
        let none = BTreeMap::new();
        let table = layers.user_file.as_ref().map_or(&none, |file| &file.network);
        check_names(table, &NAMES)?;
        Ok(Self {
            proxy: proxy(table, &layers.environment)?,
            ca: match (table.get("ca"), &layers.user_file) {
                (Some(given), Some(file)) => {
                    let written = read_one("network.ca", given, value::text)?;
                    let folder = file.path.parent().unwrap_or(Path::new("/"));
                    Setting { value: Some(absolute(&written.value, folder, home)), origin: written.origin }
                }
                _ => Setting::default(None),
            },
            observe: match (layers.flags.observe, table.get("observe")) {
                (true, _) => Setting { value: true, origin: Origin::Flag(OBSERVE.to_owned()) },
                (false, Some(given)) => read_one("network.observe", given, value::truth)?,
                (false, None) => Setting::default(false),
            },
        })
    }

    /// What a host is started with.
    pub fn settings(&self) -> NetworkSettings {
        let (proxy, extra_ca) = (self.proxy.value.clone(), self.ca.value.clone());
        NetworkSettings { proxy, extra_ca, observe: self.observe.value }
    }
}

/// The file's proxy, else that of the environment.
fn proxy(
    table: &BTreeMap<String, Given>,
    environment: &BTreeMap<String, String>,
) -> Result<Setting<Option<Proxy>>, ConfigError> {
    let variable = |name: &str| environment.get(name).cloned();
    let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
    let direct = table.get("no-proxy").map(names).transpose()?;
    if let Some(given) = table.get("proxy") {
        let unreadable = |problem| ConfigError::Proxy { place: given.origin.clone(), problem };
        // A parser that takes anything: an error must not repeat a password.
        let written = read_one(PROXY, given, |text| Ok(text.trim().to_owned()))?;
        if written.value == "none" {
            return Ok(Setting { value: None, origin: written.origin });
        }
        let direct = direct.or_else(|| either("NO_PROXY")).unwrap_or_default();
        let proxy = Proxy::named(PROXY, &written.value, &direct).map_err(unreadable)?;
        return Ok(Setting { value: Some(proxy), origin: written.origin });
    }
    let told = |name: &str| match (name, &direct) {
        ("NO_PROXY", Some(direct)) => Some(direct.clone()),
        _ => variable(name),
    };
    let names = PROXY_VARIABLES.map(|name| [name.to_owned(), name.to_ascii_lowercase()]);
    let set = |name: &&String| environment.get(*name).is_some_and(|value| !value.trim().is_empty());
    let origin =
        names.iter().flatten().find(set).map_or(Origin::Default, |name| Origin::Environment(name.clone()));
    let unreadable = |problem| ConfigError::Proxy { place: origin.clone(), problem };
    let value = Proxy::from_environment(told).map_err(unreadable)?;
    Ok(Setting { value, origin })
}

/// A list, or a text like that of `NO_PROXY`.
fn names(given: &Given) -> Result<String, ConfigError> {
    if let Some(names) = given.texts() {
        return Ok(names.join(","));
    }
    read_one("network.no-proxy", given, |text| Ok(text.to_owned())).map(|setting| setting.value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::layers::Flags;
    use crate::config::{ConfigFile, Whose};

    fn resolved(text: &str, environment: &[(&str, &str)]) -> Result<NetworkConfiguration, ConfigError> {
        let file = ConfigFile::parse(Path::new("/conf/config.toml"), text, Whose::Operator)?;
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let layers = Layers { user_file: Some(file), environment, ..Layers::default() };
        NetworkConfiguration::resolve(&layers, Some(Path::new("/home/me")))
    }

    fn refused(text: &str) -> String {
        resolved(text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn what_the_file_does_not_say_the_usual_variables_say() {
        let usual = [("https_proxy", "http://env.example:1"), ("NO_PROXY", "a.example")];
        let from_environment = resolved("", &usual).unwrap();
        assert_eq!(from_environment.proxy.origin, Origin::Environment("https_proxy".to_owned()));
        let shown = from_environment.proxy.value.unwrap().to_string();
        assert_eq!(shown, "http://env.example:1 for https");
        let text =
            "[network]\nproxy = \"http://own.example:3128\"\nno-proxy = [\"b.example\", \".c.example\"]\n";
        let own = resolved(text, &usual).unwrap();
        let expected = Proxy::named("x", "http://own.example:3128", "b.example .c.example").unwrap();
        assert_eq!(own.proxy.value, Some(expected));
        assert!(own.proxy.origin.to_string().ends_with("config.toml line 2"));
        let off = resolved("[network]\nproxy = \"none\"\n", &usual).unwrap();
        assert_eq!((off.proxy.value, off.observe.value, off.ca.value), (None, false, None));
    }

    #[test]
    fn a_file_of_certificates_is_looked_for_beside_the_settings_or_at_home() {
        let ca =
            |path: &str| resolved(&format!("[network]\nca = \"{path}\"\n"), &[]).unwrap().ca.value.unwrap();
        assert_eq!(ca("~/company.pem"), Path::new("/home/me/company.pem"));
        assert_eq!(ca("company.pem"), Path::new("/conf/company.pem"));
        assert_eq!(ca("/etc/company.pem"), Path::new("/etc/company.pem"));
    }

    #[test]
    fn observing_is_switched_on_by_flag_or_file() {
        assert!(resolved("[network]\nobserve = true\n", &[]).unwrap().observe.value);
        let flags = Flags { observe: true, ..Flags::default() };
        let layers = Layers { flags, ..Layers::default() };
        let observe = NetworkConfiguration::resolve(&layers, None).unwrap().observe;
        assert_eq!((observe.value, observe.origin.to_string().as_str()), (true, OBSERVE));
    }

    #[test]
    fn what_makes_no_sense_is_an_error_that_repeats_no_password() {
        let told = refused("[network]\nproxy = \"socks5://me:hunter2@p.example\"\n");
        assert!(told.contains("line 2") && told.contains("`network.proxy`"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(refused("[network]\nprox = \"x\"\n").contains("`proxy`"));
        assert!(refused("[network]\nobserve = \"maybe\"\n").contains("true or false"));
        let error = ConfigFile::parse(Path::new("/c.toml"), "[network]\nca = \"x\"\n", Whose::Repository);
        assert!(error.unwrap_err().to_string().contains("a repository may not set `network`"));
    }
}
