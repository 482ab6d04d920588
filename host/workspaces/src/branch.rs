//! Branch names: any wish becomes one that git accepts and nobody uses.

use std::collections::HashSet;

/// Longest branch name the host makes, in bytes; the name is also a file name
/// below `refs/heads`, and file systems stop at 255.
pub const MAX_BRANCH_BYTES: usize = 120;

/// The name when a wish has nothing usable in it.
const FALLBACK: &str = "task";

/// Room kept for a suffix that makes a name unique.
const SUFFIX_BYTES: usize = 12;

/// True if git would create a branch of this name and no command could take it
/// for an option or for `HEAD`.
pub(crate) fn is_valid(name: &str) -> bool {
    name.len() <= MAX_BRANCH_BYTES
        && name != "HEAD"
        && git2::Branch::name_is_valid(name).unwrap_or(false)
        && git2::Reference::is_valid_name(&format!("refs/heads/{name}"))
}

/// The valid name nearest to `wish`. Valid names with only letters, digits and
/// `-_./` stay as they are.
pub(crate) fn valid(wish: &str) -> String {
    let wish = wish.trim();
    let wish = wish.strip_prefix("refs/heads/").unwrap_or(wish);
    let mut name = String::new();
    for component in wish.split('/') {
        let component = valid_component(component);
        if component.is_empty() {
            continue;
        }
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(&component);
    }
    shorten(&mut name, MAX_BRANCH_BYTES - SUFFIX_BYTES);
    if is_valid(&name) { name } else { FALLBACK.to_owned() }
}

fn valid_component(text: &str) -> String {
    let mut component = String::new();
    for letter in text.chars() {
        let letter = if letter.is_alphanumeric() || matches!(letter, '_' | '.') { letter } else { '-' };
        let doubled = matches!(letter, '-' | '.') && component.ends_with(letter);
        if !doubled {
            component.push(letter);
        }
    }
    let mut component = component.trim_matches(['-', '.']).to_owned();
    // Git uses `<ref>.lock` files next to the refs.
    while let Some(rest) = component.strip_suffix(".lock") {
        component = rest.trim_end_matches(['-', '.']).to_owned();
    }
    component
}

fn shorten(name: &mut String, limit: usize) {
    let mut end = name.len().min(limit);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    if end == name.len() {
        return;
    }
    name.truncate(end);
    let kept = name.trim_end_matches(['-', '.', '/']).len();
    name.truncate(kept);
}

/// The branches that exist, for finding a free name.
///
/// Two names that differ only in case are one file on some file systems, and
/// `a` and `a/b` cannot both exist; both count as taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    names: HashSet<String>,
    folders: HashSet<String>,
}

impl Taken {
    pub(crate) fn insert(&mut self, name: &str) {
        let name = name.to_lowercase();
        for (end, _) in name.match_indices('/') {
            self.folders.insert(name[..end].to_owned());
        }
        self.names.insert(name);
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let inside_a_branch = name.match_indices('/').any(|(end, _)| self.names.contains(&name[..end]));
        inside_a_branch || self.names.contains(&name) || self.folders.contains(&name)
    }

    /// `name`, or `name-2`, `name-3`, … A branch in the way of the leading
    /// folder (`a` for `a/b`) is avoided by joining the two: `a-b`.
    pub(crate) fn free(&self, name: &str) -> String {
        let blocked =
            name.match_indices('/').any(|(end, _)| self.names.contains(&name[..end].to_lowercase()));
        let name = if blocked { name.replace('/', "-") } else { name.to_owned() };
        if !self.contains(&name) {
            return name;
        }
        let mut number = 2_u64;
        loop {
            let candidate = format!("{name}-{number}");
            if !self.contains(&candidate) {
                return candidate;
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_names_stay_as_they_are() {
        for name in ["main", "hostler/APP-12", "fix_login.2", "größe/änderung"] {
            assert_eq!(valid(name), name);
        }
    }

    #[test]
    fn bad_names_are_mended_readably() {
        let cases = [
            ("Fix the login!", "Fix-the-login"),
            ("--force", "force"),
            ("a..b", "a.b"),
            ("x.lock", "x"),
            ("a.lock/b.lock.lock", "a/b"),
            ("/lead//double/", "lead/double"),
            ("refs/heads/x", "x"),
            ("@{-1}", "1"),
            ("HEAD", "task"),
            ("@", "task"),
            ("", "task"),
            ("a\n\0b~^:?*[\\", "a-b"),
            (".hidden/.git", "hidden/git"),
        ];
        for (wish, name) in cases {
            assert_eq!(valid(wish), name, "{wish:?}");
        }
    }

    #[test]
    fn a_name_at_the_limit_is_valid_and_one_byte_more_is_not() {
        assert!(is_valid(&"x".repeat(MAX_BRANCH_BYTES)));
        assert!(!is_valid(&"x".repeat(MAX_BRANCH_BYTES + 1)));
    }

    #[test]
    fn folders_and_branches_do_not_collide() {
        let mut taken = Taken::default();
        taken.insert("a");
        taken.insert("Deep/er");
        assert_eq!(taken.free("a"), "a-2");
        assert_eq!(taken.free("A"), "A-2");
        assert_eq!(taken.free("a/b"), "a-b");
        assert_eq!(taken.free("deep"), "deep-2");
        assert_eq!(taken.free("deep/er/x"), "deep-er-x");
        assert_eq!(taken.free("other"), "other");
    }

    proptest! {
        #[test]
        fn every_wish_becomes_a_valid_name(wish in any::<String>()) {
            let name = valid(&wish);
            prop_assert!(is_valid(&name), "{wish:?} became {name:?}");
            prop_assert_eq!(valid(&name), name.clone());
        }

        #[test]
        fn a_free_name_is_valid_and_not_taken(
            wish in "[aAb.@/ -]{0,12}",
            existing in proptest::collection::vec("[aAb]{1,2}(/[aAb]{1,2})?", 0..12),
        ) {
            let mut taken = Taken::default();
            for name in &existing {
                taken.insert(name);
            }
            let name = taken.free(&valid(&wish));
            prop_assert!(is_valid(&name));
            prop_assert!(!taken.contains(&name));
        }

        #[test]
        fn long_wishes_leave_room_for_a_number(wish in "[a-zä/.-]{100,300}") {
            let mut taken = Taken::default();
            let name = valid(&wish);
            taken.insert(&name);
            let next = taken.free(&name);
            prop_assert!(is_valid(&next) && next.len() <= MAX_BRANCH_BYTES);
        }
    }
}
