//! The audit log, as somebody wrote it who can write files and count hashes.

use hostler_journal::audit::{Head, walk};
use sha2::{Digest, Sha256};

/// What stands for the hash of the line before.
const BEFORE: &str = "@";

/// The pieces are the lines of a log, without the hash that each ends with, which is
/// added here; `@` stands for the one before. A log is taken for whole only if its
/// numbers count up and each line names the one before; without any of its lines, or
/// with one repeated, it is not, for whoever knows the head.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines: Vec<String> = Vec::new();
    let mut hash = "0".repeat(64);
    for body in text.lines() {
        let body = body.replace(BEFORE, &hash);
        hash = hex(&body);
        lines.push(format!("{},\"hash\":\"{hash}\"}}\n", body.strip_suffix('}').unwrap_or(&body)));
    }
    let Ok(whole) = walk(lines.concat().as_bytes(), &[]) else { return };
    let Some(head) = whole.head else {
        assert!(lines.is_empty(), "no head of {} lines", lines.len());
        return;
    };
    let mut before: Option<(u64, String)> = None;
    for line in &lines {
        let (n, prev, hash) = seen(line);
        if let Some((number, name)) = before {
            assert_eq!((n, prev), (number + 1, name), "{line}");
        }
        before = Some((n, hash));
    }
    assert_eq!(before.map(|(n, hash)| format!("{n}:{hash}")), Some(head.to_string()));
    check_changed(&lines, head);
}

fn check_changed(lines: &[String], head: Head) {
    let known = [head];
    let is_whole = |lines: &[String]| walk(lines.concat().as_bytes(), &known).is_ok();
    assert!(is_whole(lines), "its own head is strange to it");
    let collects = lines.iter().any(|line| line.contains("\"collected\""));
    for at in 0..lines.len() {
        let mut fewer = lines.to_vec();
        let line = fewer.remove(at);
        // Its beginning may be gone if the log says so.
        assert!((at == 0 && collects) || !is_whole(&fewer), "nobody misses line {at}");
        fewer.splice(at..at, [line.clone(), line]);
        assert!(!is_whole(&fewer), "nobody sees line {at} twice");
    }
}

/// The number of a line, and the hashes in it: of the line before, and its own.
fn seen(line: &str) -> (u64, String, String) {
    let value: serde_json::Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    (value["n"].as_u64().unwrap_or_default(), text("prev"), text("hash"))
}

fn hex(text: &str) -> String {
    let text = format!("{}}}", text.strip_suffix('}').unwrap_or(text));
    let digits = |byte: &u8| {
        [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default())
    };
    Sha256::digest(text).iter().flat_map(digits).collect()
}
