//! One attempt: started, listened to, taken up again after a restart, proven over.
//!
//! `starting` brings an agent to life and `adopting` finds one that outlived its host;
//! both end in `listening`, the one loop beside an agent, which gives what it hears to
//! a `listener`. `feed` and `records` are what a later host needs to go on, `keep` is
//! how long the agent may go on without one, `ending` is how it all came out. `sandboxed`
//! puts walls around agents and around what judges their work.

mod accounted;
mod adopting;
mod ending;
pub mod environments;
mod feed;
mod keep;
mod listener;
mod listening;
pub mod reading;
mod records;
mod rereading;
pub mod sandboxed;
mod starting;
pub mod supervision;
pub mod under_way;
pub mod word;

use std::sync::Arc;

use hostler_engine::Input;
use hostler_engine::outcome::Outcome;
use hostler_engine::run::Run;
use hostler_engine::step::Step;

pub use self::ending::tell_exchanged;
pub use self::rereading::read_again;
use self::starting::Starting;
pub use self::starting::limits;
use crate::plugins::providers::Provider;
use crate::plugins::store::Build;
use crate::rooms::Rooms;

/// Carries an attempt through and tells the engine. Never fails: what goes wrong
/// is an outcome.
pub async fn carry_through(rooms: Arc<Rooms>, run: Run, at: Step, attempt: u32, session: Option<String>) {
    let outcome = match Starting::prepare(&rooms, &run, attempt, session).await {
        Ok(starting) => Box::pin(starting.go(at)).await,
        Err(outcome) => outcome,
    };
    tell_end(&rooms, run, attempt, outcome).await;
}

/// Takes an attempt up again after a restart, and tells the engine.
pub async fn adopt(rooms: Arc<Rooms>, run: Run, at: Step, attempt: u32) {
    let outcome = Box::pin(adopting::adopt(&rooms, &run, at, attempt)).await;
    tell_end(&rooms, run, attempt, outcome).await;
}

/// After a restart: ends what lives of an attempt that was being ended, and tells the
/// engine.
pub async fn reap(rooms: Arc<Rooms>, run: Run, attempt: u32) {
    let outcome = adopting::reap(&rooms, &run, attempt).await;
    tell_end(&rooms, run, attempt, outcome).await;
}

async fn tell_end(rooms: &Rooms, run: Run, attempt: u32, outcome: Outcome) {
    crate::sandbox::clear(&rooms.home.attempt(&run.id, attempt)).await;
    rooms.attempts.remove(&run.id, attempt);
    rooms.tell(Input::AttemptEnded { run: run.id, attempt, outcome }).await;
}

/// The provider whose plugin reads an attempt's output in the build it began with.
async fn provider_for(rooms: &Rooms, run: &Run, build: &Build) -> Result<Arc<Provider>, String> {
    let provider = rooms.provider_of(run).ok_or("its provider is not configured any more")?;
    if provider.plugin.digest().to_string() == build.digest {
        return Ok(provider);
    }
    let (builds, build) = (Arc::clone(&rooms.builds), build.clone());
    let loaded = crate::blocking::run(move || builds.get(&build)).await.map_err(|error| error.to_string())?;
    let plugin = loaded.map_err(|error| error.to_string())?;
    Ok(Arc::new(provider.read_by(plugin)))
}
