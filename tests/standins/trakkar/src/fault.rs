//! What goes wrong on purpose.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "harm", rename_all = "snake_case")]
pub enum Harm {
    /// It is answered with this status and error code, such as 409 `not_claimable`.
    Refuse {
        /// HTTP status.
        status: u16,
        /// Of the error.
        code: String,
    },
    /// It is answered with 429.
    TooManyRequests {
        /// Whole seconds; without it the header is missing.
        #[serde(default)]
        retry_after: Option<u64>,
    },
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Fault {
    /// A harm that strikes every request of a runner, before it is carried out.
    pub fn new(harm: Harm) -> Self {
        Self { harm, moment: Moment::BeforeCommit, endpoint: None, skip: 0, times: None }
    }

    /// This status, with this error code.
    pub fn refuse(status: u16, code: &str) -> Self {
        Self::new(Harm::Refuse { status, code: code.to_owned() })
    }

    /// 429, with or without `Retry-After` in seconds.
    pub fn too_many_requests(retry_after: Option<u64>) -> Self {
        Self::new(Harm::TooManyRequests { retry_after })
    }

    /// 500.
    pub fn server_error() -> Self {
        Self::refuse(500, "internal")
    }

    /// 200 with a page of HTML, as a proxy sends.
    pub fn not_json() -> Self {
        Self::new(Harm::NotJson)
    }

    /// So much real time longer.
    pub fn slow(by: Duration) -> Self {
        Self::new(Harm::Slow { millis: u64::try_from(by.as_millis()).unwrap_or(u64::MAX) })
    }

    /// The connection is cut before the request is carried out. Without an end to it,
    /// the server is as good as down.
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
}

/// The faults that are set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn set(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// The fault that strikes a request now, if one does.
    pub(crate) fn strike(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let mut struck = None;
        for fault in &mut self.0 {
            if fault.endpoint.is_some_and(|only| only != endpoint) || fault.times == Some(0) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            struck = Some(fault.clone());
            break;
        }
        self.0.retain(|fault| fault.times != Some(0));
        struck
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_fault_strikes_its_endpoint_as_often_as_it_says_after_sparing_some() {
        let mut faults = Faults::default();
        faults.set(Fault::cut().on(Endpoint::Claim).skipping(1).times(2));
        assert!(faults.strike(Endpoint::Finish).is_none());
        let struck: Vec<bool> = (0..4).map(|_| faults.strike(Endpoint::Claim).is_some()).collect();
        assert_eq!(struck, [false, true, true, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_is_read_from_as_little_as_its_harm() {
        let fault: Fault = serde_json::from_str(r#"{"harm":"too_many_requests"}"#).unwrap();
        assert_eq!(fault, Fault::too_many_requests(None));
        let text = r#"{"harm":"cut","moment":"after_commit","endpoint":"finish","times":1}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(fault, Fault::lost_reply().on(Endpoint::Finish).once());
    }
}
