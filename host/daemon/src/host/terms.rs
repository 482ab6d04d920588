//! The terms a host works on: what the operator allows as far as grants go, and where.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostler_engine::landing::LandingKind;
use hostler_engine::policy::{Policy, VerifyRule};
use hostler_workspaces::{Operator, Repository, WorkspaceError};

use super::loading::variables;
use crate::failure::Failure;
use crate::home::Home;
use crate::organisation::Organisation;
use crate::place::Place;
use crate::plugins::Installed;
use crate::plugins::providers::Provider;
use crate::record::audit;
use crate::settings::{RepositorySettings, Settings};

/// A tracker does not advise more runs at once than so many: each takes a good part of
/// a core, and whoever wants more says so here.
const MOST_ADVISED: u32 = 16;

/// What the operator allows, as far as the grant goes.
pub(super) fn granted_policy(
    settings: &Settings,
    tracker: &Installed,
    providers: &[Provider],
    places: &BTreeMap<String, Place>,
) -> Policy {
    Policy {
        repositories: settings.repositories.iter().map(|repository| repository.key.clone()).collect(),
        shared: shared(places),
        providers: providers.iter().map(|provider| provider.view.name.clone()).collect(),
        landings: granted_landings(&settings.policy, tracker),
        verify: granted_verify(&settings.policy, tracker),
        ..settings.policy.clone()
    }
}

/// A tracker may advise how many runs at once, where nobody said a number.
pub(super) fn with_advice(policy: Policy, advised: Option<u32>) -> Policy {
    match advised.filter(|_| policy.usual.slots) {
        Some(slots) => Policy { slots: slots.min(MOST_ADVISED), ..policy },
        None => policy,
    }
}

/// The landings that the operator allows and the grant covers.
fn granted_landings(policy: &Policy, tracker: &Installed) -> Vec<LandingKind> {
    let granted = tracker.rights.repository.as_ref().map(|right| right.landings.clone()).unwrap_or_default();
    policy.landings.iter().copied().filter(|kind| granted.contains(kind)).collect()
}

/// The same for commands that judge the work.
fn granted_verify(policy: &Policy, tracker: &Installed) -> VerifyRule {
    let granted = tracker.rights.repository.as_ref().is_some_and(|right| right.verify);
    if policy.verify == VerifyRule::Allow && !granted { VerifyRule::Refuse } else { policy.verify }
}

fn shared(places: &BTreeMap<String, Place>) -> Vec<String> {
    let plain = places.iter().filter(|(_, place)| matches!(place, Place::Folder(_)));
    plain.map(|(key, _)| key.clone()).collect()
}

/// The organisation lets a host work in all of them.
pub(super) fn may_work_in(
    places: &BTreeMap<String, Place>,
    organisation: &Organisation,
    home: &Home,
    tracker: &Installed,
) -> Result<(), Failure> {
    let allowed = organisation.check_places(places);
    allowed.inspect_err(|failure| audit::start_refused(home, &tracker.file, failure))
}

pub(super) async fn open_places(settings: &Settings) -> Result<BTreeMap<String, Place>, Failure> {
    let operator = Operator::new(variables(settings));
    let mut places = BTreeMap::new();
    for RepositorySettings { key, path, in_place } in settings.repositories.iter().cloned() {
        let (operator, state, folder) = (operator.clone(), settings.home.workspaces(), path.clone());
        let opened = crate::blocking::run(move || Repository::open_as(operator, &folder, &state)).await?;
        let place = match opened {
            Ok(repository) => Place::Git(Arc::new(repository)),
            Err(WorkspaceError::NotARepository { .. }) if in_place && path.is_dir() => {
                Place::Folder(std::path::absolute(&path).unwrap_or(path))
            }
            Err(error) => return Err(error.into()),
        };
        places.insert(key, place);
    }
    Ok(places)
}
