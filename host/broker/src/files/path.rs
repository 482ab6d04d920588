//! What a plugin may call a file. Decided on the text alone, before any file is
//! touched; what links do is the concern of the opened directory.

/// A relative path in normal form: `.`, or names joined by `/`, none of which
/// climbs, is empty or means something else to another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RelativePath(String);

/// The name under which a file is written before it takes its place.
pub(super) const UNFINISHED: &str = ".hostler-unfinished";

impl RelativePath {
    /// Reads a plugin's path; else says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains('\0') {
            return Err("contains a NUL character");
        }
        if text.contains('\\') {
            return Err("contains a backslash");
        }
        if text.starts_with('/') {
            return Err("is absolute");
        }
        if text == "." {
            return Ok(Self(text.to_owned()));
        }
        for segment in text.split('/') {
            match segment {
                "" => return Err("is empty or has an empty part"),
                "." | ".." => return Err("has a part `.` or `..`"),
                UNFINISHED => return Err("names a file that is still being written"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// As the plugin wrote it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory a file is in, and its name there. `None` for the granted
    /// directory itself.
    pub(super) fn split(&self) -> Option<(&str, &str)> {
        match self.0.rsplit_once('/') {
            Some(parts) => Some(parts),
            None if self.0 == "." => None,
            None => Some((".", &self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_paths_are_kept_as_they_are() {
        for path in [".", "a", "a/b.md", ".hidden", "a..b/...", "ü/日本", "-", "a b"] {
            assert_eq!(RelativePath::parse(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn paths_that_climb_or_mean_two_things_are_refused() {
        let wrong = ["", "/", "/etc/passwd", "..", "../a", "a/..", "a/../b", "./a", "a/.", "a//b", "a/"];
        let tricks = ["a\\..\\b", "..\\a", "C:\\a", "a\0b", ".hostler-unfinished", "a/.hostler-unfinished"];
        for path in wrong.iter().chain(&tricks) {
            assert!(RelativePath::parse(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_path_splits_into_directory_and_name() {
        let split = |path: &str| {
            RelativePath::parse(path).unwrap().split().map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        assert_eq!(split("."), None);
        assert_eq!(split("a"), Some((".".to_owned(), "a".to_owned())));
        assert_eq!(split("a/b/c"), Some(("a/b".to_owned(), "c".to_owned())));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_stays_below_where_it_starts(path in "[a./\\\\\0]{0,12}") {
            if let Ok(accepted) = RelativePath::parse(&path) {
                let climbs = std::path::Path::new(accepted.as_str()).components().any(|part| {
                    !matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)
                });
                prop_assert!(!climbs, "{path:?}");
            }
        }
    }
}
