//! Waiting for something to become true, with a deadline and a last word.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How often is looked: often enough to be quick, seldom enough to leave the machine to the test.
const INTERVAL: Duration = Duration::from_millis(5);

/// A deadline for things that take milliseconds when they work, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until `probe` gives a value, and returns it. `probe` says in its error
/// what it sees instead.
///
/// # Panics
///
/// After `within`, with `what` was awaited and what was seen last.
pub fn wait_until<T, Seen: Display>(
    within: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, Seen>,
) -> T {
    let since = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(seen) if since.elapsed() >= within => {
                panic!("waited {within:?} until {what}; last seen: {seen}")
            }
            Err(_) => std::thread::sleep(INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_value_comes_back_as_soon_as_it_is_there() {
        let mut looks = 0;
        let value = wait_until(PATIENCE, "three looks", || {
            looks += 1;
            if looks == 3 { Ok("there") } else { Err(looks) }
        });
        assert_eq!(value, "there");
    }

    #[test]
    fn after_the_deadline_the_last_observation_is_told() {
        let told = std::panic::catch_unwind(|| {
            wait_until(Duration::ZERO, "pigs fly", || Err::<(), _>("one pig on the ground"));
        })
        .unwrap_err();
        let told = told.downcast_ref::<String>().unwrap();
        assert!(told.contains("pigs fly") && told.contains("one pig on the ground"), "{told}");
    }
}
