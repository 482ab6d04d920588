//! The soak: one host works through hundreds of tasks of a Tale board, many at once,
//! while the server misbehaves. In the end every task has ended exactly once with the
//! right result, nothing is left behind, and the host has not grown.
//!
//! `cargo xtask soak` plays the full one, `tests/soak.rs` a short one.

mod account;
mod control;
mod drive;
mod faults;
mod findings;
mod growth;
mod history;
mod machine;
mod task_check;
mod vitals;
mod work;

use std::time::Duration;

pub use account::Account;
use drive::Dispatched;
pub use drive::DriveError;
use machine::Machine;

use crate::{PATIENCE, processes, wait_until};

/// How long a host without work may take to end.
const DRAINS_WITHIN: Duration = Duration::from_secs(30);

/// How much a soak is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// How many tasks.
    pub tasks: usize,
    /// How many at once.
    pub parallel: u32,
    /// How many percent of the requests go wrong.
    pub faults: f64,
    /// Decides what goes wrong and how long agents take. What meets what is decided by
    /// the machine.
    pub seed: u64,
}

/// Plays a soak.
///
/// # Panics
///
/// If something that takes part is not built, or the machine fails.
pub fn soak(plan: Plan) -> Result<Account, DriveError> {
    let machine = Machine::set_up(plan.seed);
    for fault in faults::faults(plan.faults) {
        machine.server.fault(fault);
    }
    let mut host = machine.start(plan.parallel);
    let driven = drive::drive(&machine, &mut host, &plan)?;
    let zombies = processes::zombies_of(host.pid());
    host.terminate();
    let code = host.wait(DRAINS_WITHIN).code();
    wait_until(PATIENCE, "nothing lives", || {
        let left = machine.sandbox.processes();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    let mut findings = findings::look(&machine, &driven, &history::read(&machine.sandbox));
    if code != Some(0) {
        findings.wrong.push(format!("the host ended with {code:?}: {}", host.stderr()));
    }
    if !zombies.is_empty() {
        findings.wrong.push(format!("the host did not reap {zombies:?}"));
    }
    Ok(Account::of(plan, &driven, findings))
}
