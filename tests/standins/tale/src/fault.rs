//! What goes wrong on purpose.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::Endpoint;
use crate::board::Random;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "harm", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Harm {
    /// It is answered with 401.
    Unauthorized,
    /// It is answered with 429.
    TooManyRequests {
        /// Whole seconds; without it the header is missing.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// It is answered with 500.
    ServerError,
    /// It is answered with 200 and a page of HTML.
    NotJson,
    /// It takes so many milliseconds of real time longer.
    Slow {
        /// Milliseconds.
        millis: u64,
    },
    /// Its connection is closed without an answer.
    Cut,
    /// It is carried out twice; the second answer is sent. The moment means nothing.
    Duplicate,
    /// The server goes down for so many milliseconds of real time: all connections
    /// are closed and new ones refused.
    GoDown {
        /// Milliseconds.
        millis: u64,
    },
}

/// Whether the board has changed when a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The request never got to the board.
    #[default]
    BeforeCommit,
    /// The board has changed, but the client does not hear of it.
    AfterCommit,
}

/// A harm, and which requests it strikes. Of several faults that fit, the one set
/// first strikes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub harm: Harm,
    /// When it happens.
    #[serde(default)]
    pub moment: Moment,
    /// Only at this endpoint.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Spares so many requests that fit.
    #[serde(default)]
    pub skip: u32,
    /// Strikes so often, then is gone; without it, for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// Between 0 and 1.
    #[serde(default = "always")]
    pub chance: f64,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A harm that strikes every request of a daemon, before it is carried out.
    pub fn new(harm: Harm) -> Self {
        Self { harm, moment: Moment::BeforeCommit, endpoint: None, skip: 0, times: None, chance: always() }
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(Harm::Unauthorized)
    }

    /// 429, with or without `Retry-After` in seconds.
    pub fn too_many_requests(retry_after: Option<u64>) -> Self {
        Self::new(Harm::TooManyRequests { retry_after })
    }

    /// 500.
    pub fn server_error() -> Self {
        Self::new(Harm::ServerError)
    }

    /// 200 with a page of HTML, as a proxy sends.
    pub fn not_json() -> Self {
        Self::new(Harm::NotJson)
    }

    /// So much real time longer.
    pub fn slow(by: Duration) -> Self {
        Self::new(Harm::Slow { millis: whole_millis(by) })
    }

    /// The connection is cut before the request is carried out.
    pub fn cut() -> Self {
        Self::new(Harm::Cut)
    }

    /// The request is carried out, then the connection is cut.
    pub fn lost_reply() -> Self {
        Self::new(Harm::Cut).after_commit()
    }

    /// The request is carried out twice.
    pub fn duplicate() -> Self {
        Self::new(Harm::Duplicate)
    }

    /// The server is gone for so much real time.
    pub fn go_down(during: Duration) -> Self {
        Self::new(Harm::GoDown { millis: whole_millis(during) })
    }

    /// Strikes after the board has changed.
    pub fn after_commit(mut self) -> Self {
        self.moment = Moment::AfterCommit;
        self
    }

    /// Strikes this endpoint only.
    pub fn on(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Strikes so often.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Strikes once.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Spares the first requests that fit.
    pub fn skipping(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes with this probability, between 0 and 1.
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The faults that are set, and the dice.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    set: Vec<Fault>,
    random: Random,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { set: Vec::new(), random: Random::new(seed) }
    }

    pub(crate) fn set(&mut self, fault: Fault) {
        self.set.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.set
    }

    /// The fault that strikes a request now, if one does.
    pub(crate) fn strike(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let mut struck = None;
        for fault in &mut self.set {
            if fault.endpoint.is_some_and(|only| only != endpoint) || fault.times == Some(0) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if self.random.happens(fault.chance) {
                fault.times = fault.times.map(|times| times - 1);
                struck = Some(*fault);
                break;
            }
        }
        self.set.retain(|fault| fault.times != Some(0));
        struck
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn strikes(faults: &mut Faults, endpoint: Endpoint, requests: usize) -> Vec<bool> {
        (0..requests).map(|_| faults.strike(endpoint).is_some()).collect()
    }

    #[test]
    fn a_fault_strikes_its_endpoint_as_often_as_it_says_after_sparing_some() {
        let mut faults = Faults::new(1);
        faults.set(Fault::cut().on(Endpoint::Claim).skipping(1).times(2));
        assert_eq!(strikes(&mut faults, Endpoint::Fail, 2), [false; 2]);
        assert_eq!(strikes(&mut faults, Endpoint::Claim, 4), [false, true, true, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn the_same_seed_throws_the_same_dice() {
        let mut one = Faults::new(9);
        one.set(Fault::server_error().chance(0.5));
        let mut two = one.clone();
        let first = strikes(&mut one, Endpoint::Claim, 200);
        assert_eq!(first, strikes(&mut two, Endpoint::Claim, 200));
        let hits = first.iter().filter(|hit| **hit).count();
        assert!((60..140).contains(&hits), "{hits}");
    }

    #[test]
    fn a_fault_is_read_from_as_little_as_its_harm() {
        let fault: Fault = serde_json::from_str(r#"{"harm":"too_many_requests"}"#).unwrap();
        assert_eq!(fault, Fault::too_many_requests(None));
        let fault: Fault =
            serde_json::from_str(r#"{"harm":"cut","moment":"after_commit","endpoint":"complete","times":1}"#)
                .unwrap();
        assert_eq!(fault, Fault::lost_reply().on(Endpoint::Complete).once());
    }
}
