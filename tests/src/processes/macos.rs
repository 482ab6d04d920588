//! The process list of macOS, from `ps`: it tells neither the working folder nor
//! where an argument ends, so only what the finders need is filled in.

use std::path::PathBuf;
use std::process::Command;

use super::Process;

/// All processes this user can see.
pub(super) fn all() -> Vec<Process> {
    let Ok(output) = Command::new("ps").args(["-axwwE", "-o", "pid=,ppid=,state=,command="]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout).lines().filter_map(read).collect()
}

fn read(line: &str) -> Option<Process> {
    let mut fields = line.split_whitespace();
    let pid = fields.next()?.parse().ok()?;
    let parent = fields.next()?.parse().ok()?;
    let zombie = fields.next()?.starts_with('Z');
    let words: Vec<String> = fields.map(str::to_owned).collect();
    Some(Process {
        pid,
        parent,
        zombie,
        executable: words.first().map(PathBuf::from).unwrap_or_default(),
        cwd: PathBuf::new(),
        env: words.iter().filter(|word| word.contains('=')).cloned().collect(),
        argv: words,
    })
}
