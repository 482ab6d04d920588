//! What the person at the host is told when tasks wish to allow their agents more than
//! the host does: once per start, for a first run is where it matters.

use std::sync::atomic::{AtomicBool, Ordering};

use hostler_engine::plan::Permission;

/// Tells it once.
#[derive(Debug)]
pub struct CeilingNotice {
    ceiling: Permission,
    told: AtomicBool,
}

impl CeilingNotice {
    /// For a host that allows so much.
    pub const fn new(ceiling: Permission) -> Self {
        Self { ceiling, told: AtomicBool::new(false) }
    }

    /// The sentence, if a task wishes more than is allowed and nobody has been told.
    pub fn of(&self, tracker: &str, wished: Option<Permission>) -> Option<String> {
        let wished = wished.filter(|wished| *wished > self.ceiling)?;
        if self.told.swap(true, Ordering::Relaxed) {
            return None;
        }
        let (wished, ceiling) = (wished.name(), self.ceiling.name());
        Some(format!(
            "{tracker} wishes `{wished}` for its agents, and this host allows `{ceiling}` at most: if you trust \
             them that far in this repository, start it with `--permission {wished}`."
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wish_beyond_the_ceiling_is_told_once_with_the_flag_that_allows_it() {
        let notice = CeilingNotice::new(Permission::AutoEdits);
        for within in [None, Some(Permission::Safe), Some(Permission::AutoEdits)] {
            assert_eq!(notice.of("trakkar", within), None);
        }
        let told = notice.of("trakkar", Some(Permission::FullAuto)).unwrap();
        assert!(told.contains("trakkar") && told.contains("`--permission full-auto`"), "{told}");
        assert_eq!(notice.of("trakkar", Some(Permission::FullAuto)), None);
    }
}
