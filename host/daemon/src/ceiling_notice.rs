//! What the person at the host is told when tasks wish to allow their agents more than
//! the host does: once per start, for a first run is where it matters.

use std::sync::atomic::{AtomicBool, Ordering};

use hostler_engine::plan::Permission;
use hostler_policy::Bound;

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
    /// `organisation` is what may be allowed here at most.
    pub fn of(
        &self,
        tracker: &str,
        wished: Option<Permission>,
        organisation: &Bound<Permission>,
    ) -> Option<String> {
        let wished = wished.filter(|wished| *wished > self.ceiling.min(organisation.value))?;
        if self.told.swap(true, Ordering::Relaxed) {
            return None;
        }
        if let Some(line) = organisation.by.as_ref().filter(|_| wished > organisation.value) {
            let (wished, most) = (wished.name(), organisation.value.name());
            return Some(format!(
                "{tracker} wishes `{wished}` for its agents, and your organisation allows `{most}` at most ({line})."
            ));
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
    use hostler_policy::Line;
    use std::path::Path;

    #[test]
    fn a_wish_beyond_the_ceiling_is_told_once_with_the_flag_that_allows_it() {
        let notice = CeilingNotice::new(Permission::AutoEdits);
        let open = &Bound::open(Permission::FullAuto);
        for within in [None, Some(Permission::Safe), Some(Permission::AutoEdits)] {
            assert_eq!(notice.of("trakkar", within, open), None);
        }
        let told = notice.of("trakkar", Some(Permission::FullAuto), open).unwrap();
        assert!(told.contains("trakkar") && told.contains("`--permission full-auto`"), "{told}");
        assert_eq!(notice.of("trakkar", Some(Permission::FullAuto), open), None);
    }

    #[test]
    fn nobody_is_told_of_a_flag_that_the_organisation_does_not_let_count() {
        let notice = CeilingNotice::new(Permission::FullAuto);
        let by = Some(Line::whole(Path::new("/etc/policy.toml").into()));
        let organisation = Bound { value: Permission::Safe, by };
        assert_eq!(notice.of("trakkar", Some(Permission::Safe), &organisation), None);
        let told = notice.of("trakkar", Some(Permission::FullAuto), &organisation).unwrap();
        assert!(told.contains("/etc/policy.toml") && !told.contains("--permission"), "{told}");
    }
}
