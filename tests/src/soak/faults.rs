//! What the server does wrong during a soak, and how often.

use std::time::Duration;

use standin_tale::{Endpoint, Fault, Harm, Moment};

/// How long a slow answer takes: long for a server, short of every limit of the plugin.
const SLOW: Duration = Duration::from_secs(2);

/// What a server that refuses asks for, in seconds.
const RETRY_AFTER: u64 = 1;

/// The endpoints where a request may arrive twice: all but the claim. A claim that
/// arrives twice hands out two runs with one answer, and the protocol has no way to
/// tell anybody of the first before it times out.
const REPEATABLE: [Endpoint; 5] =
    [Endpoint::Register, Endpoint::Heartbeat, Endpoint::Events, Endpoint::Complete, Endpoint::Fail];

/// All faults of a soak: together they strike so many percent of the requests, each
/// kind as often as the others.
pub fn faults(percent: f64) -> Vec<Fault> {
    let everywhere = [
        Fault::server_error(),
        Fault::cut(),
        Fault::lost_reply(),
        Fault::slow(SLOW),
        Fault::too_many_requests(Some(RETRY_AFTER)),
    ];
    let kinds = everywhere.len() + 1;
    #[allow(clippy::cast_precision_loss, reason = "these are single digits")]
    let (share, kinds) = (percent / 100.0 / kinds as f64, kinds - 1);
    // A fault throws its dice only where the ones before it have not struck.
    #[allow(clippy::cast_precision_loss, reason = "these are single digits")]
    let chance = |earlier: usize| (share / (1.0 - share * earlier as f64)).min(1.0);
    let mut faults: Vec<Fault> =
        everywhere.into_iter().enumerate().map(|(earlier, fault)| fault.chance(chance(earlier))).collect();
    faults.extend(REPEATABLE.map(|endpoint| Fault::duplicate().on(endpoint).chance(chance(kinds))));
    faults
}

/// The name of a fault in the table.
pub fn name(fault: &Fault) -> &'static str {
    match (fault.harm, fault.moment) {
        (Harm::ServerError, _) => "500",
        (Harm::Cut, Moment::BeforeCommit) => "cut before commit",
        (Harm::Cut, Moment::AfterCommit) => "cut after commit",
        (Harm::Slow { .. }, _) => "slow",
        (Harm::TooManyRequests { .. }, _) => "429",
        (Harm::Duplicate, _) => "twice",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability that a request to an endpoint is struck at all.
    fn struck(percent: f64, endpoint: Endpoint) -> f64 {
        let fits = |fault: &Fault| fault.endpoint.is_none_or(|only| only == endpoint);
        let spared: f64 =
            faults(percent).iter().filter(|fault| fits(fault)).map(|f| 1.0 - f.chance).product();
        1.0 - spared
    }

    #[test]
    fn all_faults_together_strike_as_often_as_asked() {
        assert!((struck(5.0, Endpoint::Complete) - 0.05).abs() < 1e-9);
        assert!((struck(0.0, Endpoint::Complete)).abs() < 1e-9);
        assert!((struck(100.0, Endpoint::Complete) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_claim_never_arrives_twice() {
        assert!((struck(6.0, Endpoint::Claim) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn every_fault_of_a_soak_has_a_name() {
        assert!(faults(5.0).iter().all(|fault| name(fault) != "other"));
    }
}
