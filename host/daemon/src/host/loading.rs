//! The plugins of a host and the CLIs they start, and what is seen of its environment.

use std::ffi::OsString;
use std::sync::Arc;

use hostler_agents::agent_environment;
use hostler_components::{Kind, Runtime};
use hostler_engine::rights::Rights;

use crate::attempt::environments::Environments;
use crate::conceal::{self, Conceal};
use crate::failure::Failure;
use crate::organisation::Organisation;
use crate::plugins::providers::Provider;
use crate::plugins::{Installed, install};
use crate::record::audit;
use crate::settings::{PluginSettings, Settings};

pub(super) fn plain_environment(settings: &Settings) -> Vec<(OsString, OsString)> {
    agent_environment(&variables(settings), &[], &[])
}

pub(super) fn variables(settings: &Settings) -> Vec<(OsString, OsString)> {
    settings.environment.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

pub(super) async fn load_tracker(
    runtime: &Runtime,
    settings: &Settings,
    organisation: &Arc<Organisation>,
) -> Result<Installed, Failure> {
    load(runtime, settings, organisation, settings.tracker.clone(), Kind::Tracker).await
}

pub(super) async fn load_providers(
    runtime: &Runtime,
    settings: &Settings,
    organisation: &Arc<Organisation>,
) -> Result<Vec<Installed>, Failure> {
    if settings.providers.is_empty() {
        return Err(Failure::NoProvider);
    }
    let mut installed = Vec::new();
    for provider in settings.providers.clone() {
        installed.push(load(runtime, settings, organisation, provider, Kind::Provider).await?);
    }
    Ok(installed)
}

async fn load(
    runtime: &Runtime,
    settings: &Settings,
    organisation: &Arc<Organisation>,
    plugin: PluginSettings,
    wanted: Kind,
) -> Result<Installed, Failure> {
    let (runtime, home, signatures) = (runtime.clone(), settings.home.clone(), settings.signatures);
    let organisation = Arc::clone(organisation);
    let work = move || {
        let installed = install(&runtime, &home, signatures, &organisation, &plugin, wanted);
        installed.inspect_err(|failure| audit::start_refused(&home, &plugin.file, failure))
    };
    crate::blocking::run(work).await?
}

/// Finds the programs of the providers.
pub(super) async fn detect(
    installed: Vec<Installed>,
    settings: &Settings,
    organisation: &Organisation,
) -> Result<Vec<Provider>, Failure> {
    let environment = variables(settings);
    let mut providers = Vec::new();
    for one in installed {
        let file = one.file.clone();
        let detected = Provider::detect(one, &environment, organisation).await;
        providers.push(detected.inspect_err(|failure| audit::start_refused(&settings.home, &file, failure))?);
    }
    Ok(providers)
}

/// Every secret that the operator gave this host.
pub(super) fn conceal(
    tracker: &Installed,
    providers: &[Provider],
    settings: &Settings,
) -> Result<Conceal, Failure> {
    let mut secrets: Vec<OsString> =
        conceal::settings(tracker.plugin.manifest(), &settings.tracker.config).collect();
    secrets.extend(providers.iter().flat_map(Provider::secrets));
    for given in &settings.providers {
        let own = providers.iter().map(|provider| provider.plugin.manifest());
        secrets.extend(own.flat_map(|manifest| conceal::settings(manifest, &given.config)));
    }
    let forges = settings.forges.iter().filter_map(|forge| forge.token.as_ref());
    secrets.extend(forges.map(|token| OsString::from(token.to_conceal())));
    Conceal::new(secrets).map_err(|error| Failure::Setting(error.to_string()))
}

/// Room for what the tracker gives to agents, if its grant covers that.
pub(super) fn environments(rights: &Rights) -> Option<Environments> {
    let covered = rights.agent.as_ref().is_some_and(|agent| agent.environment);
    covered.then(Environments::default)
}
