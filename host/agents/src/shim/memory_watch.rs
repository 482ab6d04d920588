//! Whether the tree keeps to its memory.

use std::time::{Duration, Instant};

/// How often the memory of all processes is added up: often enough that a leak
/// is met before it hurts the machine, seldom enough to cost nothing.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct MemoryWatch {
    limit: u64,
    next: Instant,
}

impl MemoryWatch {
    pub(super) fn new(limit: u64, now: Instant) -> Self {
        Self { limit, next: now + LOOK }
    }

    /// How much is used, if it is time to look and that is too much.
    pub(super) fn too_much(&mut self, now: Instant, used: impl FnOnce() -> u64) -> Option<u64> {
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        Some(used()).filter(|used| *used > self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_may_be_used_and_not_one_byte_more() {
        let start = Instant::now();
        let mut watch = MemoryWatch::new(100, start);
        assert_eq!(watch.too_much(start, || 101), None, "it is not time yet");
        assert_eq!(watch.too_much(start + LOOK, || 100), None);
        assert_eq!(watch.too_much(start + LOOK, || 101), None, "it was just looked at");
        assert_eq!(watch.too_much(start + 2 * LOOK, || 101), Some(101));
    }
}
