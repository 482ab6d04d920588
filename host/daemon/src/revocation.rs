//! Notices while a host runs that the operator took a grant back, and ends what uses
//! it. Nothing is sent or started meanwhile: each effect asks its [`Permit`] itself.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use hostler_engine::Input;
use hostler_engine::policy::Policy;
use hostler_engine::time::Millis;

use crate::plugins::permit::{Permit, Withdrawn};
use crate::rooms::Rooms;
use crate::view::Notice;

/// How often the file of grants is looked at: agents that lost their leave work on for
/// no longer.
const LOOK_EVERY: Millis = Millis(500);

/// Watches the grants until the host ends. Returns early, with the reason, when the
/// host cannot go on: its tracker or its last provider may not be used any more.
pub async fn watch(rooms: Arc<Rooms>, mut policy: Policy) -> Result<(), Withdrawn> {
    let (path, mut seen) = (rooms.home.grants(), None);
    loop {
        let now = Stamp::of(&path);
        if seen != Some(now) {
            seen = Some(now);
            if let Some(why) = taken_back(rooms.tracker.permit()) {
                return Err(host_ends(&rooms, why));
            }
            for why in withdraw_providers(&rooms, &mut policy).await {
                if policy.providers.is_empty() {
                    return Err(host_ends(&rooms, why));
                }
            }
        }
        rooms.clock.sleep_awake(LOOK_EVERY).await;
    }
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
    permit.check().err().filter(|why| matches!(why, Withdrawn::TakenBack(_)))
}

fn host_ends(rooms: &Rooms, why: Withdrawn) -> Withdrawn {
    let message = format!("{why}. The host stops its agents and ends; their work goes on at the next start.");
    rooms.show(Notice::Host { message, warning: true });
    why
}

/// Takes providers without a grant out of what tasks may choose, and ends their runs.
async fn withdraw_providers(rooms: &Rooms, policy: &mut Policy) -> Vec<Withdrawn> {
    let lost = |name: &String| taken_back(rooms.providers.get(name)?.permit());
    let gone: Vec<(String, Withdrawn)> =
        policy.providers.iter().filter_map(|name| Some((name.clone(), lost(name)?))).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    policy.providers.retain(|name| !gone.iter().any(|(lost, _)| lost == name));
    if !policy.providers.is_empty() {
        let trackers = vec![rooms.tracker.name().to_owned()];
        rooms.tell(Input::Configured { policy: policy.clone(), trackers }).await;
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
