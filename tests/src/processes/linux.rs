//! The process list of Linux.

use std::fs;
use std::path::Path;

use super::Process;

/// All processes this user can see.
pub(super) fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(read).collect()
}

/// `None` if the process ended while it was looked at.
fn read(pid: i32) -> Option<Process> {
    let folder = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let (state, parent) = state_and_parent(&stat)?;
    let link = |name: &str| fs::read_link(folder.join(name)).unwrap_or_default();
    Some(Process {
        pid,
        parent,
        zombie: matches!(state, 'Z' | 'X'),
        executable: link("exe"),
        cwd: link("cwd"),
        argv: words(&folder.join("cmdline")),
        env: words(&folder.join("environ")),
    })
}

/// The name in parentheses may itself hold spaces and parentheses.
fn state_and_parent(stat: &str) -> Option<(char, i32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

fn words(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_a_parenthesis_does_not_shift_the_fields() {
        assert_eq!(state_and_parent("42 (a) Z (b) S 7 42 42 0"), Some(('S', 7)));
    }
}
