//! Rate limits per client address.

use std::collections::HashMap;
use std::net::IpAddr;

use super::endpoint::{Endpoint, Route};
use crate::time::Time;

const MINUTE: u64 = 60_000;

/// Endpoints that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    Register,
    Claim,
    Heartbeat,
    Reports,
}

impl Group {
    /// The group a request is counted in; `None` for what no limit covers.
    pub(crate) fn of(route: &Route) -> Option<Self> {
        match route {
            Route::Plain(Endpoint::Register) => Some(Self::Register),
            Route::Plain(Endpoint::Heartbeat) => Some(Self::Heartbeat),
            Route::Plain(Endpoint::Claim) => Some(Self::Claim),
            Route::OfRun(..) | Route::UnknownOfRun => Some(Self::Reports),
            _ => None,
        }
    }

    fn rule(self) -> Rule {
        match self {
            Self::Register => Rule::Window { most: 5 },
            Self::Claim => Rule::Bucket { per_minute: 30, capacity: 40 },
            Self::Heartbeat => Rule::Bucket { per_minute: 10, capacity: 20 },
            Self::Reports => Rule::Bucket { per_minute: 60, capacity: 120 },
        }
    }
}

enum Rule {
    /// So many in a minute, which starts with the first one.
    Window { most: u64 },
    /// So many at once, then so many a minute.
    Bucket { per_minute: u64, capacity: u64 },
}

#[derive(Debug, Clone, Copy)]
struct Count {
    /// When the window began, or when the bucket was last looked at.
    at: Time,
    /// Requests in the window, or 60,000ths of requests missing in the bucket.
    used: u64,
}

/// How often who has asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct RateLimits(HashMap<(Group, IpAddr), Count>);

impl RateLimits {
    /// Counts a request, or says after how many whole seconds to ask again.
    pub(crate) fn take(&mut self, group: Group, address: IpAddr, now: Time) -> Result<(), u64> {
        let count = self.0.entry((group, address)).or_insert(Count { at: now, used: 0 });
        let passed = now.0.saturating_sub(count.at.0);
        match group.rule() {
            Rule::Window { most } => {
                if passed >= MINUTE {
                    *count = Count { at: now, used: 0 };
                } else if count.used >= most {
                    return Err((MINUTE - passed).div_ceil(1_000));
                }
                count.used += 1;
            }
            Rule::Bucket { per_minute, capacity } => {
                let used = count.used.saturating_sub(passed.saturating_mul(per_minute));
                *count = Count { at: now, used };
                let after = used + MINUTE;
                let missing = after.saturating_sub(capacity * MINUTE);
                if missing > 0 {
                    return Err(missing.div_ceil(per_minute).div_ceil(1_000));
                }
                count.used = after;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::time::Clock;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn taken(limits: &mut RateLimits, group: Group, now: Time) -> u64 {
        let taken = (0..1_000).take_while(|_| limits.take(group, HERE, now).is_ok());
        taken.count() as u64
    }

    #[test]
    fn registering_is_allowed_five_times_in_a_minute() {
        let (mut limits, now) = (RateLimits::default(), Clock::fake().now());
        assert_eq!(taken(&mut limits, Group::Register, now), 5);
        let almost = Time(now.0 + MINUTE - 1);
        assert_eq!(limits.take(Group::Register, HERE, almost), Err(1));
        assert_eq!(taken(&mut limits, Group::Register, Time(now.0 + MINUTE)), 5);
    }

    #[test]
    fn buckets_allow_a_burst_and_refill_by_the_minute() {
        let cases = [(Group::Claim, 40, 30), (Group::Heartbeat, 20, 10), (Group::Reports, 120, 60)];
        for (group, burst, per_minute) in cases {
            let (mut limits, now) = (RateLimits::default(), Clock::fake().now());
            assert_eq!(taken(&mut limits, group, now), burst, "{group:?}");
            assert_eq!(limits.take(group, HERE, now), Err(60 / per_minute), "{group:?}");
            assert_eq!(taken(&mut limits, group, Time(now.0 + MINUTE)), per_minute, "{group:?}");
            let much_later = Time(now.0 + 100 * MINUTE);
            assert_eq!(taken(&mut limits, group, much_later), burst, "{group:?}");
        }
    }

    #[test]
    fn waiting_as_long_as_told_is_long_enough() {
        let (mut limits, now) = (RateLimits::default(), Clock::fake().now());
        taken(&mut limits, Group::Claim, now);
        let wait = limits.take(Group::Claim, HERE, Time(now.0 + 700)).err().unwrap_or_default();
        assert_eq!(wait, 2);
        assert_eq!(limits.take(Group::Claim, HERE, Time(now.0 + 700 + wait * 1_000)), Ok(()));
    }

    #[test]
    fn addresses_are_counted_apart() {
        let (mut limits, now) = (RateLimits::default(), Clock::fake().now());
        taken(&mut limits, Group::Register, now);
        let there = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(limits.take(Group::Register, there, now), Ok(()));
    }
}
