//! `host disk`.

use hostler_daemon::collection::disk::{Disk, Use};

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};
use crate::text::count;

/// What takes how much space, in a table.
pub fn draw_disk(page: &Page, disk: &Disk) -> String {
    let mut rows = vec![heading(&["WHAT", "SIZE", "", "WHERE"])];
    for repository in &disk.repositories {
        // The shared git directory is of no interest where it is where one expects it.
        let checkout = repository.git_dir.parent().filter(|_| repository.git_dir.ends_with(".git"));
        let place = checkout.unwrap_or(&repository.git_dir).display().to_string();
        rows.push(row("worktrees", repository.bytes, count(repository.worktrees, "worktree"), place));
    }
    rows.push(of("logs", &disk.logs, "run"));
    rows.push(of("journal", &disk.journal, "file"));
    rows.push(of("audit log", &disk.audit, "file"));
    rows.push(of("git data", &disk.private_git, "folder"));
    rows.push(of("plugins", &disk.plugins, "file"));
    rows.push(of("native code", &disk.native_code, "file"));
    rows.push(vec![
        Cell::new("total").tone(Tone::Strong),
        Cell::new(bytes(disk.total)).tone(Tone::Strong).right(),
    ]);
    format!("{}\n`host gc` says what of it may go.\n", draw(&rows, page.paint, None))
}

fn of(what: &str, used: &Use, noun: &str) -> Vec<Cell> {
    row(what, used.bytes, count(used.count, noun), used.path.display().to_string())
}

fn row(what: &str, size: u64, number: String, place: String) -> Vec<Cell> {
    vec![
        Cell::new(what),
        Cell::new(bytes(size)).right(),
        Cell::new(number).tone(Tone::Quiet),
        Cell::new(place).tone(Tone::Quiet),
    ]
}

/// `812 B`, `12.3 KiB`, `4.0 GiB`: never more than there is.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let mut tenths = size.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::collection::disk::RepositoryUse;

    #[test]
    fn sizes_are_short_and_never_rounded_up() {
        let said = [0, 1023, 1024, 1536, 1024 * 1024 - 1, 5 << 30].map(bytes);
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1023.9 KiB", "5.0 GiB"]);
    }

    #[test]
    fn disk_is_a_calm_table() {
        let used = |name: &str, count, bytes| Use {
            path: format!("/home/ada/.local/state/hostler/{name}").into(),
            count,
            bytes,
        };
        let disk = Disk {
            repositories: vec![RepositoryUse {
                git_dir: "/home/ada/app/.git".into(),
                worktrees: 12,
                bytes: 3 << 30,
            }],
            logs: used("runs", 140, 81 << 20),
            journal: used("journal.db", 3, 9 << 20),
            audit: used("audit", 3, 120 << 10),
            private_git: used("workspaces", 2, 4 << 20),
            plugins: used("plugins", 1, 800 << 10),
            native_code: used("plugins", 4, 6 << 20),
            total: 3 << 30,
        };
        insta::assert_snapshot!(draw_disk(&page(), &disk));
    }
}
