//! The host's clock: set once from the wall clock, then driven by one that never
//! jumps and goes on during sleep. All waiting for a point in time goes through it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hostler_engine::time::{Millis, Timestamp};
use tokio::sync::watch;

/// Timers stand still while the machine sleeps, and this clock does not: whoever
/// waits looks at least this often whether the time has come.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// A clock that never goes back while the host runs. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Milliseconds of a clock that only goes forward.
    steady: fn() -> i64,
    /// How long the machine had slept before the start.
    slept_before: i64,
    /// Wall clock minus steady clock, in milliseconds, at the start.
    offset: i64,
    /// How far the clock was moved forward by hand.
    ahead: watch::Sender<Millis>,
}

impl Clock {
    /// A clock set from the wall clock now, or from `floor` if that is later: a wall
    /// clock that was set back must not make the record go backwards.
    pub fn start(floor: Timestamp) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX);
        Self::driven_by(steady, Timestamp(wall).max(floor))
    }

    /// A clock that shows `now` and goes on as `steady` does.
    fn driven_by(steady: fn() -> i64, now: Timestamp) -> Self {
        Self {
            steady,
            slept_before: asleep(),
            offset: now.0.saturating_sub(steady()),
            ahead: watch::Sender::new(Millis(0)),
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        Timestamp((self.steady)().saturating_add(self.offset)) + *self.ahead.borrow()
    }

    /// How long the machine has slept since the start. Only grows.
    pub fn slept(&self) -> Millis {
        let really = u64::try_from(asleep().saturating_sub(self.slept_before)).unwrap_or_default();
        Millis(really.saturating_add(self.ahead.borrow().0))
    }

    /// How long until `at`; zero if it has passed.
    pub fn until(&self, at: Timestamp) -> Millis {
        at.since(self.now())
    }

    /// Waits for so long; time that the machine sleeps counts.
    pub async fn sleep(&self, length: Millis) {
        self.sleep_until(self.now() + length).await;
    }

    /// Waits until `at`; never shorter.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut ahead = self.ahead.subscribe();
        loop {
            let rest = self.until(at);
            if rest == Millis(0) {
                return;
            }
            tokio::select! {
                // This clock itself keeps the channel open.
                _ = ahead.changed() => {}
                () = tokio::time::sleep(nap(rest)) => {}
            }
        }
    }

    /// Waits for so long; time that the machine sleeps does not count. For limits on
    /// what cannot get on during sleep, such as a request under way.
    pub async fn sleep_awake(&self, length: Millis) {
        tokio::time::sleep(length.duration()).await;
    }

    /// Moves the clock forward, as if the machine had slept: everybody whose time has
    /// come wakes at once.
    pub(crate) fn advance(&self, by: Millis) {
        self.ahead.send_modify(|ahead| ahead.0 = ahead.0.saturating_add(by.0));
    }
}

fn nap(rest: Millis) -> Duration {
    rest.duration().min(LONGEST_NAP)
}

/// Milliseconds that the machine has slept since it was booted.
#[cfg(target_os = "linux")]
fn asleep() -> i64 {
    let awake = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let awake = awake.tv_sec.saturating_mul(1000).saturating_add(awake.tv_nsec / 1_000_000);
    steady().saturating_sub(awake)
}

/// Not known here: an agent may count as silent for the time that the machine slept.
#[cfg(not(target_os = "linux"))]
const fn asleep() -> i64 {
    0
}

/// Milliseconds of a clock that counts sleep: a lease runs out while a laptop's lid
/// is closed.
fn steady() -> i64 {
    let time = rustix::time::clock_gettime(steady_clock());
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(target_os = "linux")]
const fn steady_clock() -> rustix::time::ClockId {
    rustix::time::ClockId::Boottime
}

/// On macOS this clock counts sleep.
#[cfg(not(target_os = "linux"))]
const fn steady_clock() -> rustix::time::ClockId {
    rustix::time::ClockId::Monotonic
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = Millis::minutes(60);

    /// A clock that stands still unless it is advanced.
    fn still() -> Clock {
        Clock::driven_by(|| 0, Timestamp(1_000))
    }

    #[test]
    fn the_clock_agrees_with_the_wall_and_never_goes_back() {
        let clock = Clock::start(Timestamp(0));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let first = clock.now();
        assert!((i128::from(first.0) - i128::try_from(wall).unwrap_or(0)).abs() < 1000);
        assert!(clock.now() >= first);
    }

    #[test]
    fn a_wall_clock_that_was_set_back_does_not_turn_back_time() {
        let future = Timestamp(i64::MAX / 2);
        assert!(Clock::start(future).now() >= future);
    }

    #[test]
    fn a_clock_that_was_advanced_is_ahead_in_all_its_clones_and_never_overflows() {
        let clock = still();
        let other = clock.clone();
        clock.advance(HOUR);
        clock.advance(Millis(1));
        assert_eq!(other.now(), Timestamp(1_000) + HOUR + Millis(1));
        assert_eq!(other.until(Timestamp(1_000) + HOUR + Millis(3)), Millis(2));
        assert!(other.slept() >= HOUR, "a clock that was moved counts as sleep");
        clock.advance(Millis(u64::MAX));
        assert_eq!(other.now(), Timestamp(i64::MAX));
    }

    /// Whether a sleep ends as soon as everything that can happen has happened.
    async fn is_over(sleep: &tokio::task::JoinHandle<()>) -> bool {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        sleep.is_finished()
    }

    #[tokio::test]
    async fn a_jump_wakes_at_once_whose_time_has_come_and_nobody_else() {
        let clock = still();
        let [short, long] = [HOUR, Millis(HOUR.0 + 1)].map(|length| {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep(length).await })
        });
        assert!(!is_over(&short).await && !is_over(&long).await);
        clock.advance(Millis(HOUR.0 - 1));
        assert!(!is_over(&short).await, "a millisecond is missing");
        clock.advance(Millis(1));
        assert!(is_over(&short).await && !is_over(&long).await);
        clock.advance(Millis(1));
        assert!(is_over(&long).await);
    }

    #[tokio::test]
    async fn what_has_passed_is_not_waited_for() {
        let clock = still();
        let past = tokio::spawn(async move {
            clock.sleep_until(Timestamp(1_000)).await;
            clock.sleep(Millis(0)).await;
        });
        assert!(is_over(&past).await);
    }

    #[tokio::test]
    async fn a_clock_that_goes_on_by_itself_ends_a_sleep_and_not_too_soon() {
        let clock = Clock::start(Timestamp(0));
        let until = clock.now() + Millis(20);
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
    }

    #[test]
    fn however_long_the_wait_the_clock_is_looked_at_after_every_nap() {
        assert_eq!(nap(HOUR), LONGEST_NAP);
        assert_eq!(nap(Millis(5_001)), LONGEST_NAP);
        assert_eq!(nap(Millis(5_000)), LONGEST_NAP);
        assert_eq!(nap(Millis(4_999)), Duration::from_millis(4_999));
    }

    #[tokio::test]
    async fn a_limit_for_the_time_awake_is_not_reached_by_a_jump() {
        let clock = still();
        let limit = clock.clone();
        let limit = tokio::spawn(async move { limit.sleep_awake(HOUR).await });
        assert!(!is_over(&limit).await);
        clock.advance(HOUR);
        assert!(!is_over(&limit).await);
        clock.sleep_awake(Millis(1)).await;
    }
}
