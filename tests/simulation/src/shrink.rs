//! Makes a scenario that fails as small as it gets while it still fails alike.

use crate::campaign::play;
use crate::history::Violation;
use crate::scenario::Scenario;
use crate::world::Ended;

/// Scenarios that are tried at most: each takes about a millisecond.
const TRIES: u32 = 600;

/// The smallest scenario found, with what happens in it, recorded.
pub struct Smallest {
    /// The scenario.
    pub scenario: Scenario,
    /// Its story.
    pub ended: Ended,
}

/// Leaves out faults, tasks and hosts as long as the same invariant fails.
pub fn shrink(scenario: Scenario, violation: &Violation) -> Smallest {
    let mut search = Search { invariant: violation.invariant, tries: 0 };
    let mut smallest = scenario;
    loop {
        let before = smallest.faults.len() + smallest.tasks.len() + smallest.hosts;
        smallest = search.without_faults(smallest);
        smallest = search.without_tasks(smallest);
        smallest = search.without_hosts(smallest);
        if smallest.faults.len() + smallest.tasks.len() + smallest.hosts == before {
            break;
        }
    }
    let ended = play(smallest.clone(), true);
    Smallest { scenario: smallest, ended }
}

struct Search {
    invariant: &'static str,
    tries: u32,
}

impl Search {
    fn fails(&mut self, scenario: &Scenario) -> bool {
        self.tries += 1;
        let ended = (self.tries <= TRIES).then(|| play(scenario.clone(), false));
        let violation = ended.and_then(|ended| ended.violation);
        violation.is_some_and(|violation| violation.invariant == self.invariant)
    }

    fn without_faults(&mut self, mut smallest: Scenario) -> Scenario {
        let mut chunk = smallest.faults.len();
        while chunk > 0 {
            let mut start = 0;
            while start < smallest.faults.len() {
                let mut smaller = smallest.clone();
                smaller.faults.drain(start..(start + chunk).min(smallest.faults.len()));
                if self.fails(&smaller) {
                    smallest = smaller;
                } else {
                    start += chunk;
                }
            }
            chunk /= 2;
        }
        smallest
    }

    /// Only from the end: faults name tasks by their place.
    fn without_tasks(&mut self, mut smallest: Scenario) -> Scenario {
        while smallest.tasks.len() > 1 {
            let mut smaller = smallest.clone();
            smaller.tasks.pop();
            if !self.fails(&smaller) {
                break;
            }
            smallest = smaller;
        }
        smallest
    }

    fn without_hosts(&mut self, mut smallest: Scenario) -> Scenario {
        while smallest.hosts > 1 {
            let last = smallest.hosts - 1;
            let mut smaller = smallest.clone();
            smaller.hosts = last;
            smaller.faults.retain(|fault| fault.host().is_none_or(|host| host < last));
            if !self.fails(&smaller) {
                break;
            }
            smallest = smaller;
        }
        smallest
    }
}
