//! Faults that strike at a time.

use hostler_engine::Input;
use hostler_engine::run::Run;
use hostler_engine::task::Fence;
use hostler_engine::time::Millis;

use crate::fault::{Fault, StaleWord};
use crate::world::World;

/// How long a stale renewal would last.
const STALE_TTL: Millis = Millis::minutes(10);

impl World {
    /// A fault strikes.
    pub(crate) fn strike(&mut self, fault: usize) {
        let fault = self.scenario.faults[fault];
        self.history.note(self.now, || format!("FAULT {fault:?}"));
        match fault {
            Fault::Partition { host, lasts, .. } => {
                let until = self.now + lasts;
                let cut_off = &mut self.hosts[host].cut_off_until;
                *cut_off = until.max(*cut_off);
            }
            Fault::Sleep { host, lasts, .. } => {
                let until = self.now + lasts;
                let asleep = &mut self.hosts[host].asleep_until;
                *asleep = until.max(*asleep);
            }
            Fault::Theft { task, .. } => self.tracker.steal(task, self.now),
            Fault::Cancel { task, .. } => self.tracker.cancel(task),
            Fault::Stop { host, .. } => {
                if let Some(run) = self.first_open(host, |_| true) {
                    self.arrive(host, Input::StopAsked { run: run.id });
                }
            }
            Fault::Shutdown { host, at_once, down, .. } => {
                self.hosts[host].down = down;
                self.apply(host, if at_once { Input::StopNow } else { Input::Drain });
            }
            Fault::Stale { host, word, .. } => self.stale_word(host, word),
            Fault::Crash { .. }
            | Fault::DiskFull { .. }
            | Fault::Message { .. }
            | Fault::Trap { .. }
            | Fault::Git { .. }
            | Fault::Interject { .. }
            | Fault::Echo { .. } => {}
        }
    }

    pub(crate) fn first_open(&self, host: usize, fits: impl Fn(&Run) -> bool) -> Option<Run> {
        let process = self.hosts[host].process.as_ref()?;
        process.engine.runs().find(|run| !run.is_closed() && fits(run)).cloned()
    }

    /// A word under the fence of an earlier holder.
    fn stale_word(&mut self, host: usize, word: StaleWord) {
        let Some(run) = self.first_open(host, |run| run.fence > Fence(0)) else { return };
        let (fence, reason) = (Fence(run.fence.0 - 1), "word of an earlier claim".to_owned());
        let (sent, run) = (self.hosts[host].clock(self.now), run.id);
        self.arrive(
            host,
            match word {
                StaleWord::Renewed => Input::Renewed { run, fence, sent, ttl: STALE_TTL },
                StaleWord::Cancel => Input::CancelAsked { run, fence, reason },
                StaleWord::LeaseLost => Input::LeaseLost { run, fence, reason },
            },
        );
    }
}
