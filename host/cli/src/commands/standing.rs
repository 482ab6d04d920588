//! Gathers what a host would work with, without starting one.

use std::ffi::OsString;
use std::sync::Arc;

use hostler_daemon::engine::rights::{Rights, resolve_origin};
use hostler_daemon::grants::Grants;
use hostler_daemon::organisation::Organisation;
use hostler_daemon::plugins::{self, Kind};
use hostler_daemon::providers::Provider;
use hostler_daemon::view::ProviderView;

use crate::arguments::SettingsArgs;
use crate::config::fields;
use crate::config::fields::Role;
use crate::context::Context;
use crate::failure::Failure;
use crate::reach::{CONNECT_LIMIT, reach};
use crate::screens::settings::Shown;
use crate::screens::standing::{ServerStanding, Standing, TrackerStanding};
use crate::setup::{Chosen, Setup, choose};

/// Whether to look at the tracker's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// No connection is opened.
    LeftAlone,
    /// A connection is opened and closed again.
    Tried,
}

/// What trackers know this host by, if it was ever started.
pub fn host_id(context: &Context) -> Option<String> {
    let id = std::fs::read_to_string(context.home.host_id()).ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The id that the operator wants the host of this tracker to be known by, where the
/// plugin has such a field.
pub fn daemon_id(args: &SettingsArgs, context: &Context, tracker: &str) -> Option<String> {
    let setup = Setup::read(args, context).ok()?;
    let chosen = setup.tracker(context).ok().filter(|chosen| chosen.manifest.plugin.id == tracker)?;
    let path = context.config_file().display().to_string();
    let found = fields::resolve_what_is_there(
        Role::Tracker,
        &chosen.manifest,
        &setup.layers,
        &fields::Kept::default(),
        &path,
    );
    Some(found.ok()?.0.get("daemon-id")?.value.to_string())
}

/// Gathers everything; what is wrong is part of it.
pub async fn gather(args: &SettingsArgs, context: &Context, server: Server) -> Standing {
    let mut standing = Standing { host_id: host_id(context), ..Standing::default() };
    let setup = match Setup::read(args, context) {
        Ok(setup) => setup,
        Err(failure) => {
            standing.problems.push(failure.to_string());
            return standing;
        }
    };
    standing.name = Some(setup.configuration.name.value.clone());
    standing.permission_ceiling = Some(setup.configuration.permission_ceiling.value.name().to_owned());
    let there = setup.files.iter().filter(|(_, there)| *there);
    standing.files = there.map(|(path, _)| path.display().to_string()).collect();
    match setup.keyed_repositories() {
        Ok(all) => {
            let shown = all.into_iter().map(|one| (one.key, one.path.display().to_string()));
            standing.repositories = shown.collect();
        }
        Err(failure) => standing.problems.push(failure.to_string()),
    }
    if setup.configuration.plugin.value.is_some() {
        match tracker(&setup, context, server).await {
            Ok(tracker) => standing.tracker = Some(tracker),
            Err(failure) => standing.problems.push(failure.to_string()),
        }
    }
    for name in &setup.configuration.providers.value {
        standing.providers.push(provider(&setup, name, context).await);
    }
    standing
}

async fn tracker(setup: &Setup, context: &Context, server: Server) -> Result<TrackerStanding, Failure> {
    let chosen = setup.tracker(context)?;
    let mut standing = TrackerStanding {
        name: chosen.manifest.plugin.name.clone(),
        version: chosen.manifest.plugin.version.clone(),
        ..TrackerStanding::default()
    };
    let path = context.config_file().display().to_string();
    let kept = setup.kept(&chosen, context)?;
    let (fields, missing) =
        fields::resolve_what_is_there(Role::Tracker, &chosen.manifest, &setup.layers, &kept, &path)?;
    standing.missing = missing.into_iter().map(|(_, error)| error.to_string()).collect();
    let shown = |(name, setting): (&String, &crate::config::Setting<fields::FieldValue>)| Shown {
        name: name.clone(),
        value: setting.value.to_string(),
        origin: setting.origin.clone(),
    };
    standing.fields = fields.iter().map(shown).collect();
    if server == Server::Tried {
        let values = fields.into_iter().map(|(name, setting)| (name, setting.value.reveal().to_owned()));
        standing.server = look_at_server(&chosen, &values.collect(), context).await?;
    }
    Ok(standing)
}

/// Only where a grant lets the plugin go: the manifest alone opens no connection.
async fn look_at_server(
    chosen: &Chosen,
    values: &std::collections::BTreeMap<String, String>,
    context: &Context,
) -> Result<Option<ServerStanding>, Failure> {
    let grants = Grants::load(&context.home.grants())?;
    let granted = grants.check(&chosen.manifest, &chosen.inspection.digest, &chosen.file);
    let rights: Rights = granted.cloned().unwrap_or_default();
    let Some(right) = rights.http.first() else { return Ok(None) };
    Ok(Some(match resolve_origin(right.origin.as_ref(), right.origin_from.as_ref(), values) {
        Ok(origin) => {
            let problem = reach(&origin, CONNECT_LIMIT).await.err();
            ServerStanding { address: origin.to_string(), reachable: problem.is_none(), problem }
        }
        Err(error) => {
            let address = right.origin_from.clone().unwrap_or_default();
            ServerStanding { address, reachable: false, problem: Some(error.to_string()) }
        }
    }))
}

async fn provider(setup: &Setup, name: &str, context: &Context) -> ProviderView {
    let absent = |failure: Failure| ProviderView {
        name: name.to_owned(),
        version: String::new(),
        program: None,
        capabilities: Vec::new(),
        problem: Some(failure.to_string()),
    };
    match choose(name, context) {
        Ok(chosen) => detect(setup, &chosen, context).await.map_or_else(absent, |provider| provider.view),
        Err(failure) => absent(failure),
    }
}

/// The CLI of a provider that is allowed: starts it once, to ask for its version.
pub async fn detect(setup: &Setup, chosen: &Chosen, context: &Context) -> Result<Provider, Failure> {
    let settings = setup.plugin_settings(Role::Provider, chosen, context)?;
    let runtime = plugins::runtime(&context.home)?;
    let signatures = setup.configuration.signatures.value.rule();
    let organisation = Arc::new(Organisation::new(context.policies.clone()));
    let installed =
        plugins::install(&runtime, &context.home, signatures, &organisation, &settings, Kind::Provider)?;
    let pair = |(name, value): (&String, &String)| (OsString::from(name), OsString::from(value));
    let environment: Vec<_> = context.environment.iter().map(pair).collect();
    Ok(Provider::detect(installed, &environment, &organisation).await?)
}
