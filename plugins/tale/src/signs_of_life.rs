//! When the whole host may show that it is alive.
//!
//! The server renews the lease of every run it has given to this host with each such
//! sign, also of a run whose claim was answered but whose answer never arrived: a run
//! nobody here knows of. It would stay claimed until it times out. So after a claim
//! without an answer the host keeps silent for so long that the lease runs out and
//! the server notices. Runs that are known are renewed one by one meanwhile.

use hostler_sdk::{Instant, Milliseconds};

/// At most so often.
const EVERY: Milliseconds = 15_000;

/// A lease lasts a minute, but a server without other daemons looks for expired ones
/// only two minutes after the claim; a sign of life before would revive it. A little
/// more, because answers and timers are late.
pub const SILENCE: Milliseconds = 135_000;

/// When signs of life were and may be given.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignsOfLife {
    last: Option<Instant>,
    not_before: Instant,
    silent_until: Instant,
}

impl SignsOfLife {
    /// As an earlier connection left it.
    pub fn silent_until(silent_until: Instant) -> Self {
        Self { silent_until, ..Self::default() }
    }

    /// Until when nothing may be said, for the next connection.
    pub fn end_of_silence(&self) -> Instant {
        self.silent_until
    }

    /// Whether a sign may be given at all.
    pub fn is_silent(&self, now: Instant) -> bool {
        now < self.silent_until
    }

    /// Whether a sign is due.
    pub fn is_due(&self, now: Instant) -> bool {
        let rested = self.last.is_none_or(|last| now - last >= f64::from(EVERY));
        rested && now >= self.not_before && !self.is_silent(now)
    }

    /// A sign is being given.
    pub fn given(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// The server wants none for a while.
    pub fn pause(&mut self, now: Instant, pause: Milliseconds) {
        self.not_before = now + f64::from(pause);
    }

    /// A claim ended without an answer: it may have been granted.
    pub fn claim_lost(&mut self, now: Instant) {
        self.silent_until = self.silent_until.max(now + f64::from(SILENCE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_fifteen_seconds_apart() {
        let mut signs = SignsOfLife::default();
        assert!(signs.is_due(0.0));
        signs.given(0.0);
        assert!(!signs.is_due(14_999.0));
        assert!(signs.is_due(15_000.0));
    }

    #[test]
    fn after_a_lost_claim_there_is_silence_until_the_server_has_looked() {
        let mut signs = SignsOfLife::default();
        signs.claim_lost(1_000.0);
        assert!(!signs.is_due(1_000.0 + f64::from(SILENCE) - 1.0));
        assert!(signs.is_due(1_000.0 + f64::from(SILENCE)));
        assert!(SignsOfLife::silent_until(signs.end_of_silence()).is_silent(135_999.0));
    }

    #[test]
    fn the_server_may_ask_for_a_pause() {
        let mut signs = SignsOfLife::default();
        signs.pause(0.0, 30_000);
        assert!(!signs.is_due(29_999.0));
        assert!(signs.is_due(30_000.0));
    }
}
