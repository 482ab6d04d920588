//! Notices while a host runs that the operator took a grant back, or that a policy of the
//! organisation changed, and ends what may not be used any more. Nothing is sent or started meanwhile: each effect asks its [`Permit`] itself.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use hostler_engine::Input;
use hostler_engine::policy::Policy;
use hostler_engine::time::Millis;
use hostler_journal::audit::Event;
use hostler_policy::Policies;

use crate::organisation;
use crate::plugins::permit::{Permit, Withdrawn};
use crate::record::audited;
use crate::rooms::Rooms;
use crate::view::Notice;

/// How often the file of grants is looked at: agents that lost their leave work on for
/// no longer.
const LOOK_EVERY: Millis = Millis(500);

/// Watches the grants until the host ends. Returns early, with the reason, when the
/// host cannot go on: its tracker or its last provider may not be used any more.
/// `operators` is what is allowed but for the organisation's `policies`, which are as the
/// host began with them.
pub async fn watch(
    rooms: Arc<Rooms>,
    mut operators: Policy,
    mut policies: Arc<Policies>,
) -> Result<(), Withdrawn> {
    let (path, mut seen) = (rooms.home.grants(), None);
    loop {
        let (now, policies_now) = (Stamp::of(&path), rooms.organisation.now());
        let changed = !Arc::ptr_eq(&policies, &policies_now);
        if changed {
            policies = policies_now;
            follow(&rooms, &operators, &policies).await;
        }
        if changed || seen != Some(now) {
            seen = Some(now);
            if let Some(why) = taken_back(rooms.tracker.permit()) {
                noted(&rooms, rooms.tracker.name()).await;
                return Err(host_ends(&rooms, why));
            }
            for why in withdraw_providers(&rooms, &mut operators, &policies).await {
                if operators.providers.is_empty() {
                    return Err(host_ends(&rooms, why));
                }
            }
        }
        rooms.clock.sleep_awake(LOOK_EVERY).await;
    }
}

/// A policy that changed counts for what is decided from now on; what cannot be used
/// stops new work and is told.
async fn follow(rooms: &Rooms, operators: &Policy, policies: &Policies) {
    let what_holds = match policies.soundness() {
        Ok(()) => "Your organisation's policy has changed; it holds for all that begins now.".to_owned(),
        Err(error) => format!("No work is begun: {error}."),
    };
    rooms.show(Notice::Host { message: what_holds, warning: policies.soundness().is_err() });
    for policy in audited::policies(policies) {
        rooms.audit.note(policy).await;
    }
    configure(rooms, operators, policies).await;
}

async fn configure(rooms: &Rooms, operators: &Policy, policies: &Policies) {
    let trackers = vec![rooms.tracker.name().to_owned()];
    rooms.tell(Input::Configured { policy: organisation::cut(operators, policies), trackers }).await;
}

/// Tells a file from the one that stood there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(Option<(u64, u64, i64, i64)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let facts = std::fs::metadata(path).ok();
        Self(facts.map(|facts| (facts.ino(), facts.size(), facts.ctime(), facts.ctime_nsec())))
    }
}

/// Only a positive answer counts: a file that cannot be read ends nobody's work.
fn taken_back(permit: &Permit) -> Option<Withdrawn> {
    permit.check().err().filter(|why| !matches!(why, Withdrawn::Unknown { .. }))
}

async fn noted(rooms: &Rooms, plugin: &str) {
    rooms.audit.note(Event::Withdrawn { plugin: plugin.to_owned() }).await;
}

fn host_ends(rooms: &Rooms, why: Withdrawn) -> Withdrawn {
    let message = format!("{why}. The host stops its agents and ends; their work goes on at the next start.");
    rooms.show(Notice::Host { message, warning: true });
    why
}

/// Takes providers without a grant out of what tasks may choose, and ends their runs.
async fn withdraw_providers(rooms: &Rooms, operators: &mut Policy, policies: &Policies) -> Vec<Withdrawn> {
    let lost = |name: &String| taken_back(rooms.providers.get(name)?.permit());
    let gone: Vec<(String, Withdrawn)> =
        operators.providers.iter().filter_map(|name| Some((name.clone(), lost(name)?))).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    for (name, _) in &gone {
        noted(rooms, name).await;
    }
    operators.providers.retain(|name| !gone.iter().any(|(lost, _)| lost == name));
    if !operators.providers.is_empty() {
        configure(rooms, operators, policies).await;
        for (name, why) in &gone {
            rooms.show(Notice::Host { message: format!("{why}. Its runs are stopped."), warning: true });
            end_runs_of(rooms, name).await;
        }
    }
    gone.into_iter().map(|(_, why)| why).collect()
}

async fn end_runs_of(rooms: &Rooms, provider: &str) {
    let held = rooms.situation.borrow().held.clone();
    let uses = |plan: &hostler_engine::plan::Plan| plan.provider == provider;
    for run in held.into_iter().filter(|run| run.plan.as_ref().is_some_and(uses)) {
        rooms.tell(Input::StopAsked { run: run.id }).await;
    }
}
