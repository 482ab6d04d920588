//! `host config`.

use hostler_daemon::engine::landing::LandingKind;
use hostler_daemon::engine::policy::VerifyRule;
use hostler_daemon::engine::time::Millis;
use serde_json::json;

use crate::arguments::{ConfigCommand, SettingsArgs};
use crate::config::fields::Role;
use crate::config::forges::{NamedForge, kind_word};
use crate::config::{Configuration, Key, NetworkConfiguration, Origin, Setting, value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::screens::settings::{Shown, draw_settings};
use crate::setup::{Chosen, Setup, choose};

/// Shows every setting and where it came from.
pub fn config(command: ConfigCommand, context: &Context) -> Result<(), Failure> {
    let ConfigCommand::Show { settings, json } = command;
    show(&settings, json, context)
}

fn show(args: &SettingsArgs, as_json: bool, context: &Context) -> Result<(), Failure> {
    let setup = Setup::read(args, context)?;
    let mut shown = of_configuration(&setup.configuration);
    for repository in setup.keyed_repositories()? {
        shown.push(Shown {
            name: format!("repos.{}", repository.key),
            value: repository.path.display().to_string(),
            origin: setup.repositories.origin.clone(),
        });
    }
    shown.extend(of_network(&setup.network));
    shown.extend(setup.forges.iter().flat_map(of_forge));
    if let Some(name) = &setup.configuration.plugin.value {
        shown.extend(of_plugin(&setup, Role::Tracker, &choose(name, context)?, context)?);
    }
    for name in &setup.configuration.providers.value {
        shown.extend(of_plugin(&setup, Role::Provider, &choose(name, context)?, context)?);
    }
    let files: Vec<_> =
        setup.files.iter().map(|(path, there)| (path.display().to_string(), *there)).collect();
    if as_json {
        let files: Vec<_> =
            files.iter().map(|(path, there)| json!({ "path": path, "exists": there })).collect();
        return output::json(&json!({ "settings": shown, "files": files }));
    }
    output::print(&draw_settings(&context.page(), &shown, &files))
}

/// Every setting that does not belong to a plugin.
pub fn of_configuration(configuration: &Configuration) -> Vec<Shown> {
    let c = configuration;
    Key::ALL
        .into_iter()
        .map(|key| match key {
            Key::Plugin => shown(key, &c.plugin, |value| value.clone().unwrap_or_else(none)),
            Key::Provider => {
                shown(key, &c.providers, |names| if names.is_empty() { none() } else { names.join(", ") })
            }
            Key::Model => shown(key, &c.model, |value| value.clone().unwrap_or_else(none)),
            Key::Permission => shown(key, &c.permission, |value| value.name().to_owned()),
            Key::PermissionCeiling => shown(key, &c.permission_ceiling, |value| value.name().to_owned()),
            Key::Slots => shown(key, &c.slots, ToString::to_string),
            Key::Attempts => shown(key, &c.attempts, ToString::to_string),
            Key::TimeLimit => shown(key, &c.time_limit, |value| length(*value)),
            Key::StallLimit => shown(key, &c.stall_limit, |value| length(*value)),
            Key::TokenLimit => {
                shown(key, &c.token_limit, |value| value.map_or_else(none, |it| it.to_string()))
            }
            Key::CostLimit => {
                shown(key, &c.cost_limit, |value| value.map_or_else(none, |it| format!("${it:.2}")))
            }
            Key::MemoryLimit => shown(key, &c.memory_limit, |value| value.map_or_else(none, memory)),
            Key::CpuLimit => shown(key, &c.cpu_limit, |value| value.map_or_else(none, |it| it.to_string())),
            Key::Containment => {
                shown(key, &c.containment, |value| value::containment_word(*value).to_owned())
            }
            Key::Isolation => shown(key, &c.isolation, |value| value::isolation_word(*value).to_owned()),
            Key::Sandbox => shown(key, &c.sandbox, |value| value::sandbox_word(*value).to_owned()),
            Key::Landing => shown(key, &c.landings, |kinds| landing_word(kinds)),
            Key::Verify => shown(key, &c.verify, |rule| verify_word(*rule).to_owned()),
            Key::VerifyLimit => shown(key, &c.verify_limit, |value| length(*value)),
            Key::FollowUp => shown(key, &c.follow_up, |value| value.name().to_owned()),
            Key::InPlace => shown(key, &c.in_place, ToString::to_string),
            Key::Signatures => shown(key, &c.signatures, ToString::to_string),
            Key::Name => shown(key, &c.name, Clone::clone),
        })
        .collect()
}

fn shown<T>(key: Key, setting: &Setting<T>, text: impl Fn(&T) -> String) -> Shown {
    Shown { name: key.name().to_owned(), value: text(&setting.value), origin: setting.origin.clone() }
}

fn memory(bytes: u64) -> String {
    format!("{}M", bytes / (1024 * 1024))
}

fn landing_word(kinds: &[LandingKind]) -> String {
    if kinds == value::ALL_LANDINGS {
        return "granted".to_owned();
    }
    kinds.last().map_or(LandingKind::Leave, |kind| *kind).to_string()
}

const fn verify_word(rule: VerifyRule) -> &'static str {
    match rule {
        VerifyRule::Allow => "granted",
        VerifyRule::Refuse => "refuse",
        VerifyRule::Ignore => "ignore",
    }
}

fn none() -> String {
    "none".to_owned()
}

fn length(value: Option<Millis>) -> String {
    value.map_or_else(none, |length| length.to_string())
}

fn of_network(network: &NetworkConfiguration) -> [Shown; 3] {
    let named = |name: &str, value: Option<String>, origin: &Origin| Shown {
        name: format!("network.{name}"),
        value: value.unwrap_or_else(none),
        origin: origin.clone(),
    };
    let NetworkConfiguration { proxy, ca, observe } = network;
    [
        named("proxy", proxy.value.as_ref().map(ToString::to_string), &proxy.origin),
        named("ca", ca.value.as_ref().map(|path| path.display().to_string()), &ca.origin),
        named("observe", Some(observe.value.to_string()), &observe.origin),
    ]
}

fn of_forge(forge: &NamedForge) -> Vec<Shown> {
    let name = |field: &str| format!("forge.{}.{field}", forge.host);
    let kind = Shown {
        name: name("kind"),
        value: kind_word(forge.kind.value).to_owned(),
        origin: forge.kind.origin.clone(),
    };
    let token = forge.token_env.iter().map(|variable| Shown {
        name: name("token-env"),
        value: variable.value.clone(),
        origin: variable.origin.clone(),
    });
    std::iter::once(kind).chain(token).collect()
}

fn of_plugin(setup: &Setup, role: Role, chosen: &Chosen, context: &Context) -> Result<Vec<Shown>, Failure> {
    let name = |field: &str| format!("{}.{}.{field}", role.table(), chosen.manifest.plugin.id);
    let fields = setup.fields(role, chosen, context)?;
    let program = if role == Role::Provider { setup.program(chosen, context)? } else { None };
    let program = program.map(|setting| Shown {
        name: name("program"),
        value: setting.value.display().to_string(),
        origin: setting.origin,
    });
    let fields = fields.into_iter().map(|(field, setting)| Shown {
        name: name(&field),
        value: setting.value.to_string(),
        origin: setting.origin,
    });
    Ok(fields.chain(program).collect())
}
