//! What a run changed, as a few lines for a comment.

use std::fmt::Write;

use hostler_sdk::tracker::{FileChange, Report};

use crate::text::{head, units};

/// The server stores 2,000 characters; a little less, as its own daemon sends.
const LIMIT: usize = 1_800;

/// Longest path that is shown; longer ones lose their end.
const PATH_CHARS: usize = 200;

/// Longest name of a branch that is shown.
const BRANCH_CHARS: usize = 250;

/// Files, totals, branch; `None` where nothing was changed.
pub fn of(report: &Report) -> Option<String> {
    let files: Vec<&FileChange> = report.files.iter().filter(|file| is_inside(&file.path)).collect();
    if files.is_empty() {
        return None;
    }
    let mut end = totals(&files);
    if let Some(branch) = &report.branch {
        let _ = write!(end, "\nbranch: {}", head(branch, BRANCH_CHARS));
    }
    Some(listed(&files, LIMIT - units(&end)) + &end)
}

/// The host names files relative to the repository; anything else is no business of
/// the server's.
fn is_inside(path: &str) -> bool {
    let absolute = path.starts_with(['/', '\\', '~']) || path.as_bytes().get(1) == Some(&b':');
    !path.is_empty() && !absolute && !path.split(['/', '\\']).any(|part| part == "..")
}

/// As many files as there is room for, and how many more there are.
fn listed(files: &[&FileChange], room: usize) -> String {
    let lines: Vec<String> = files.iter().map(|file| line(file)).collect();
    let all: usize = lines.iter().map(|line| units(line)).sum();
    if all <= room {
        return lines.concat();
    }
    let mut text = String::new();
    for (shown, line) in lines.iter().enumerate() {
        let more = format!(" … and {} more\n", lines.len() - shown);
        if units(&text) + units(line) + units(&more) > room {
            return text + &more;
        }
        text.push_str(line);
    }
    text
}

fn line(file: &FileChange) -> String {
    let kind = match file.kind.as_str() {
        kind @ ("added" | "deleted" | "renamed") => format!(" ({kind})"),
        _ => String::new(),
    };
    let path = head(&file.path.replace(char::is_control, " "), PATH_CHARS);
    format!(" {path}{kind} | +{} -{}\n", file.added, file.removed)
}

fn totals(files: &[&FileChange]) -> String {
    let sum = |count: fn(&FileChange) -> u32| files.iter().map(|file| u64::from(count(file))).sum::<u64>();
    let (added, removed) = (sum(|file| file.added), sum(|file| file.removed));
    let counted = |number: u64, one: &str, many: &str| {
        if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
    };
    format!(
        " {} changed, {}, {}",
        counted(files.len() as u64, "file", "files"),
        counted(added, "insertion(+)", "insertions(+)"),
        counted(removed, "deletion(-)", "deletions(-)"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ending::tests::report;

    fn file(path: &str, kind: &str, added: u32, removed: u32) -> FileChange {
        FileChange { path: path.into(), kind: kind.into(), added, removed }
    }

    fn stat(files: Vec<FileChange>) -> Option<String> {
        let mut report = report("succeeded", "");
        report.files = files;
        of(&report)
    }

    #[test]
    fn files_totals_and_the_branch_are_listed() {
        let files = vec![file("src/a.rs", "modified", 3, 1), file("new.md", "added", 1, 0)];
        let expected = " src/a.rs | +3 -1\n new.md (added) | +1 -0\n 2 files changed, 4 insertions(+), 1 deletion(-)\nbranch: tale/run-1w6y3z5a7b";
        assert_eq!(stat(files).unwrap(), expected);
    }

    #[test]
    fn a_run_that_changed_nothing_has_no_diff_stat() {
        assert_eq!(stat(Vec::new()), None);
    }

    #[test]
    fn paths_outside_of_the_repository_are_never_sent() {
        let outside = ["/etc/passwd", "../up.rs", "a/../../b", "~/x", "C:\\x", "\\\\server\\x", ""];
        let mut files: Vec<_> = outside.iter().map(|path| file(path, "modified", 1, 1)).collect();
        assert_eq!(stat(files.clone()), None);
        files.push(file("in/side..rs", "modified", 1, 1));
        let stat = stat(files).unwrap();
        assert!(stat.starts_with(" in/side..rs | +1 -1\n 1 file changed"), "{stat}");
    }

    #[test]
    fn a_stat_at_the_limit_is_whole_and_with_one_character_more_files_are_counted() {
        let end = units(&stat(vec![file("a", "modified", 0, 0)]).unwrap()) - units(" a | +0 -0\n") + 2;
        let room = LIMIT - end;
        let line = |length: usize| file(&"p".repeat(length), "modified", 0, 0);
        let fixed = units(" | +0 -0\n") + 1;
        let mut files: Vec<_> = (0..10).map(|_| line(150)).collect();
        files.push(line(room - 10 * (150 + fixed) - fixed));
        assert_eq!(units(&stat(files.clone()).unwrap()), LIMIT);
        files.pop();
        files.push(line(room - 10 * (150 + fixed) - fixed + 1));
        let cut = stat(files).unwrap();
        assert!(cut.contains("… and 1 more\n 11 files changed") && cut.contains("\nbranch: "), "{cut}");
        assert!(units(&cut) <= LIMIT);
    }

    #[test]
    fn thousands_of_files_with_long_names_fit() {
        let files =
            (0..5_000).map(|number| file(&format!("{number}{}", "ü".repeat(300)), "added", 1, 0)).collect();
        assert!(units(&stat(files).unwrap()) <= LIMIT);
    }
}
