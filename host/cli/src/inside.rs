//! A tracker inside the person's own network: its name stands for addresses that a plugin
//! reaches only if they are allowed, so consent to the plugin is asked for with them.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_daemon::engine::rights::{AddressBlock, HttpRight, Origin, resolve_origin};
use hostler_daemon::{Inside, NetworkSettings};

use crate::config::fields::{Kept, Role, resolve_what_is_there};
use crate::config::{Layers, NetworkConfiguration};
use crate::context::Context;
use crate::failure::Failure;
use crate::setup::Chosen;

/// The fields of a plugin that have a value.
type Values = BTreeMap<String, String>;

/// What was found, by origin.
pub type Found = BTreeMap<Origin, Inside>;

/// The plugin as its settings make it, asking for the addresses that its tracker has in
/// the person's own network; and which these are.
pub async fn widened(chosen: Chosen, layers: &Layers, context: &Context) -> Result<(Chosen, Found), Failure> {
    if !chosen.manifest.rights.http.iter().any(|right| right.origin_from.is_some()) {
        return Ok((chosen, Found::new()));
    }
    let path = context.config_file().display().to_string();
    let (fields, _) =
        resolve_what_is_there(Role::Tracker, &chosen.manifest, layers, &Kept::default(), &path)?;
    let fields =
        fields.into_iter().map(|(name, setting)| (name, setting.value.reveal().to_owned())).collect();
    let home = context.environment.get("HOME").map(Path::new);
    let network = NetworkConfiguration::resolve(layers, home)?.settings();
    let found = look_up(&chosen, &fields, &network).await;
    Ok((asking_for(chosen, &fields, &found), found))
}

/// Looks up the names in the settings of a plugin that its rights depend on. What the
/// plugin itself names is its author's choice, and no reason to open one's network.
async fn look_up(chosen: &Chosen, fields: &Values, network: &NetworkSettings) -> Found {
    let mut found = Found::new();
    for right in &chosen.manifest.rights.http {
        if let Some(origin) = configured(right, fields)
            && !found.contains_key(&origin)
            && let Some(inside) = network.inside(&origin).await
        {
            found.insert(origin, inside);
        }
    }
    found
}

/// The plugin as if it asked for these addresses, too.
fn asking_for(mut chosen: Chosen, fields: &Values, found: &Found) -> Chosen {
    open(&mut chosen.manifest.rights.http, fields, found);
    chosen.inspection.manifest = Some(chosen.manifest.clone());
    chosen
}

fn open(rights: &mut [HttpRight], fields: &Values, found: &Found) {
    for right in rights {
        let Some(inside) = configured(right, fields).and_then(|origin| found.get(&origin)) else { continue };
        right.addresses.extend(inside.addresses.iter().copied().map(AddressBlock::only));
        right.addresses.sort_unstable();
        right.addresses.dedup();
    }
}

/// What that is about, a sentence for each origin.
pub fn sentences(found: &Found) -> Vec<String> {
    let sentence = |(origin, Inside { addresses, kind }): (&Origin, &Inside)| {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        format!(
            "{origin} is inside your own network: its name stands for {kind} ({}), which plugins reach only \
             where you allow it",
            addresses.join(", ")
        )
    };
    found.iter().map(sentence).collect()
}

/// The origin that the settings give to a right.
fn configured(right: &HttpRight, fields: &Values) -> Option<Origin> {
    let from = right.origin_from.as_ref()?;
    resolve_origin(None, Some(from), fields).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hostler_daemon::engine::rights::Rights;

    use super::*;

    fn right(text: &str) -> HttpRight {
        let text = format!("[[http]]\nmethods = [\"POST\"]\n{text}\n");
        toml::from_str::<Rights>(&text).unwrap().http.swap_remove(0)
    }

    fn fields(url: &str) -> Values {
        Values::from([("url".to_owned(), url.to_owned())])
    }

    #[test]
    fn only_what_the_settings_name_is_looked_up() {
        let fields = fields("https://tale.corp:8443/path");
        let origin = configured(&right("origin-from = \"url\""), &fields).unwrap();
        assert_eq!(origin.to_string(), "https://tale.corp:8443");
        assert_eq!(configured(&right("origin = \"https://tale.corp\""), &fields), None);
        assert_eq!(configured(&right("origin-from = \"other\""), &fields), None);
    }

    #[test]
    fn the_addresses_are_asked_for_where_the_tracker_is_and_nowhere_else() {
        let inside = Inside { addresses: vec!["10.0.0.5".parse().unwrap()], kind: "a private address" };
        let found = Found::from([(Origin::of("https://tale.corp").unwrap(), inside)]);
        let mut rights = [right("origin-from = \"url\""), right("origin = \"https://other.example\"")];
        open(&mut rights, &fields("https://tale.corp"), &found);
        open(&mut rights, &fields("https://tale.corp"), &found);
        assert_eq!(rights[0].addresses, ["10.0.0.5/32".parse().unwrap()]);
        assert_eq!(rights[1].addresses, []);
        assert_eq!(
            sentences(&found),
            [
                "https://tale.corp is inside your own network: its name stands for a private address (10.0.0.5), \
              which plugins reach only where you allow it"
            ]
        );
    }
}
