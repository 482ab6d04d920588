//! What a connection knows of the runs it works on: which leases are to be renewed,
//! which reports may have arrived, and which runs the server counts as ours although
//! nobody works on them any more.

use std::collections::BTreeMap;

use hostler_sdk::tracker::{RunRef, RunStatus};
use hostler_sdk::{Instant, Milliseconds};

use crate::assignment::Assignment;

/// The server takes 60 events and reports a minute from one address. With this pause
/// between two renewals for each run that is held, renewals take 40 of them.
const RENEWAL_SHARE: Milliseconds = 1_500;

/// With this pause, progress takes 15 of them; five are left, and a reserve of 120.
const PROGRESS_SHARE: Milliseconds = 4_000;

/// A line of progress for each run at most so often.
const PROGRESS_EVERY: Milliseconds = 15_000;

/// So many claims are remembered to tell the newest of a run from earlier ones.
const REMEMBERED_CLAIMS: usize = 256;

/// A run as the server knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// The server's id.
    pub external_run_id: String,
    /// Who claimed it.
    pub daemon_id: String,
    /// Grows with each claim of the same run.
    pub fence: f64,
}

impl Hold {
    /// The hold that a run's reference stands for; none if its notes are unreadable.
    pub fn of(at: &RunRef) -> Option<Self> {
        let Assignment { external_run_id, daemon_id, .. } = Assignment::of(&at.task).ok()?;
        Some(Self { external_run_id, daemon_id, fence: at.fence })
    }
}

/// How far a run is, towards the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    /// It is worked on.
    #[default]
    Nothing,
    /// A report is on its way.
    Report {
        /// An earlier try had no answer: the server may have it.
        perhaps_taken: bool,
    },
    /// The server knows that it is over here, or took it away.
    Over,
}

#[derive(Clone, Debug)]
struct Known {
    hold: Hold,
    told: Told,
    /// The host named it in a heartbeat: from then on its absence means something.
    held: bool,
    started: bool,
    renewed: Option<Instant>,
    progressed: Option<Instant>,
}

/// A claim on this connection.
#[derive(Clone, Debug)]
struct Claimed {
    external_run_id: String,
    fence: f64,
    /// The server knows that nothing more comes of it.
    over: bool,
}

impl Claimed {
    fn is_of(&self, hold: &Hold) -> bool {
        self.external_run_id == hold.external_run_id && self.fence.total_cmp(&hold.fence).is_eq()
    }
}

/// The runs, by the host's id.
#[derive(Debug, Default)]
pub struct Runs {
    known: BTreeMap<String, Known>,
    /// Claimed and neither worked on nor reported; to be given back.
    leftovers: Vec<Hold>,
    /// The newest claim of each run, oldest first.
    claims: Vec<Claimed>,
    /// Reports of an earlier connection that may have arrived.
    perhaps_taken: Vec<String>,
    /// Events are not wanted before.
    paused_until: Instant,
}

impl Runs {
    /// As an earlier connection left it.
    pub fn with_reports_perhaps_taken(runs: Vec<String>) -> Self {
        Self { perhaps_taken: runs, ..Self::default() }
    }

    /// For the next connection.
    pub fn reports_perhaps_taken(&self) -> Vec<String> {
        let mut runs = self.perhaps_taken.clone();
        let perhaps = Told::Report { perhaps_taken: true };
        runs.extend(self.known.iter().filter(|(_, known)| known.told == perhaps).map(|(run, _)| run.clone()));
        runs
    }

    // ── claims ──────────────────────────────────────────────────────────────

    /// A run was given to us. Returns its fence, greater than that of any claim before.
    pub fn claimed(&mut self, external_run_id: &str, now: Instant) -> f64 {
        let newest = self.claims.last().map_or(0.0, |claim| claim.fence);
        let fence = now.floor().max(newest + 1.0);
        self.claims.retain(|claim| claim.external_run_id != external_run_id);
        self.claims.push(Claimed { external_run_id: external_run_id.to_owned(), fence, over: false });
        if self.claims.len() > REMEMBERED_CLAIMS {
            self.claims.remove(0);
        }
        fence
    }

    /// Whether the server has given the same run to us again since.
    pub fn is_stale(&self, hold: &Hold) -> bool {
        let newer =
            |claim: &Claimed| claim.external_run_id == hold.external_run_id && claim.fence > hold.fence;
        self.claims.iter().any(newer)
    }

    // ── what the host holds ─────────────────────────────────────────────────

    /// Compares with what the host holds now. A run that it held and dropped without
    /// a report that arrived is left over.
    pub fn compare(&mut self, held: &[RunStatus]) {
        for status in held {
            if let Some(known) = self.entry(&status.at) {
                known.held = true;
            }
        }
        let is_held = |run: &String| held.iter().any(|status| status.at.run == *run);
        let gone = self.known.extract_if(.., |run, known| known.held && !is_held(run));
        let dropped = gone.filter(|(_, known)| known.told != Told::Over).map(|(_, known)| known.hold);
        self.leftovers.extend(dropped);
        self.known.retain(|_, known| known.held || known.told != Told::Over);
    }

    fn entry(&mut self, at: &RunRef) -> Option<&mut Known> {
        if !self.known.contains_key(&at.run) {
            let perhaps_taken = self.perhaps_taken.iter().position(|run| *run == at.run);
            let told = match perhaps_taken {
                Some(index) => {
                    self.perhaps_taken.swap_remove(index);
                    Told::Report { perhaps_taken: true }
                }
                None => Told::Nothing,
            };
            let known = Known {
                hold: Hold::of(at)?,
                told,
                held: false,
                started: false,
                renewed: None,
                progressed: None,
            };
            self.known.insert(at.run.clone(), known);
        }
        self.known.get_mut(&at.run)
    }

    /// Something that the server counts as ours and nobody works on.
    pub fn leave_over(&mut self, hold: Hold) {
        if !self.leftovers.contains(&hold) {
            self.leftovers.push(hold);
        }
    }

    /// Takes what is to be given back; what the server has given out again is not.
    pub fn take_leftovers(&mut self) -> Vec<Hold> {
        let leftovers = std::mem::take(&mut self.leftovers);
        leftovers.into_iter().filter(|hold| !self.is_stale(hold)).collect()
    }

    /// Whether something is still to be given back.
    pub fn has_leftovers(&self) -> bool {
        !self.leftovers.is_empty()
    }

    /// Whether the run was claimed on this connection.
    pub fn was_claimed(&self, external_run_id: &str) -> bool {
        self.claims.iter().any(|claim| claim.external_run_id == external_run_id)
    }

    // ── events ──────────────────────────────────────────────────────────────

    /// The server wants no events for a while.
    pub fn pause(&mut self, now: Instant, pause: Milliseconds) {
        self.paused_until = now + f64::from(pause);
    }

    /// Whether the run's lease should be renewed now.
    pub fn is_renewal_due(&self, run: &str, now: Instant) -> bool {
        let last = self.known.get(run).and_then(|known| known.renewed);
        now >= self.paused_until && self.is_rested(last, now, 0, RENEWAL_SHARE)
    }

    /// When the run's lease was last renewed.
    pub fn renewed_at(&self, run: &str) -> Instant {
        self.known.get(run).and_then(|known| known.renewed).unwrap_or(0.0)
    }

    /// A renewal is being sent.
    pub fn renewing(&mut self, run: &str, now: Instant) {
        if let Some(known) = self.known.get_mut(run) {
            known.renewed = Some(now);
        }
    }

    /// Whether a line of progress may be sent now; it then counts as sent. A late line
    /// of a run that is over does not bring it back.
    pub fn may_progress(&mut self, at: &RunRef, hold: &Hold, now: Instant) -> bool {
        if !self.known.contains_key(&at.run)
            && !self.claims.iter().any(|claim| claim.is_of(hold) && !claim.over)
        {
            return false;
        }
        let last = self.known.get(&at.run).and_then(|known| known.progressed);
        let may = now >= self.paused_until && self.is_rested(last, now, PROGRESS_EVERY, PROGRESS_SHARE);
        match self.entry(at) {
            Some(known) if may && known.told == Told::Nothing => {
                known.progressed = Some(now);
                true
            }
            _ => false,
        }
    }

    fn is_rested(
        &self,
        last: Option<Instant>,
        now: Instant,
        shortest: Milliseconds,
        share: Milliseconds,
    ) -> bool {
        let runs = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let pause = share.saturating_mul(runs).max(shortest);
        last.is_none_or(|last| now - last >= f64::from(pause))
    }

    /// Whether the server is still to hear that the run's agent works; it then
    /// counts as told.
    pub fn must_tell_start(&mut self, run: &str) -> bool {
        self.known.get_mut(run).is_some_and(|known| !std::mem::replace(&mut known.started, true))
    }

    /// The server did not hear it after all.
    pub fn start_untold(&mut self, run: &str) {
        if let Some(known) = self.known.get_mut(run) {
            known.started = false;
        }
    }

    // ── reports ─────────────────────────────────────────────────────────────

    /// A report is about to be sent. Returns whether an earlier try may have arrived.
    pub fn reporting(&mut self, at: &RunRef) -> bool {
        let Some(known) = self.entry(at) else { return false };
        if let Told::Report { perhaps_taken } = known.told {
            return perhaps_taken;
        }
        known.told = Told::Report { perhaps_taken: false };
        false
    }

    /// Whether an earlier try of the report may have arrived.
    pub fn is_perhaps_taken(&mut self, at: &RunRef) -> bool {
        self.entry(at).is_some_and(|known| known.told == Told::Report { perhaps_taken: true })
    }

    /// The report had no answer.
    pub fn report_unanswered(&mut self, run: &str) {
        if let Some(known) = self.known.get_mut(run) {
            known.told = Told::Report { perhaps_taken: true };
        }
    }

    /// Whether a report was sent, or is being sent: then the server's word that the
    /// run is not live is no surprise.
    pub fn is_reported(&self, run: &str) -> bool {
        self.known.get(run).is_some_and(|known| known.told != Told::Nothing)
    }

    /// The server knows that nothing more comes of the run.
    pub fn over(&mut self, at: &RunRef) {
        let Some(known) = self.entry(at) else { return };
        known.told = Told::Over;
        let hold = known.hold.clone();
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.is_of(&hold)) {
            claim.over = true;
        }
    }
}

#[cfg(test)]
mod tests;
