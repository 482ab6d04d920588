//! What is written down, and how it becomes a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hash::{HASH_DIGITS, Head, LineHash};

/// The most that one line may have, in bytes: room for every right that a manifest may
/// ask for, and little enough that the last line is found at once.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; the first is 1.
    pub n: u64,
    /// When, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// The version of Hostler that wrote it.
    pub host: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The hash of the entry before.
    pub prev: LineHash,
    /// Its own hash.
    pub hash: LineHash,
}

/// Who did something at the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Name and number of the user.
    pub user: String,
    /// The terminal at which it was confirmed, or `--yes`.
    pub how: String,
}

/// What happened. What cannot be undone is written down before it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// A host started.
    HostStarted {
        /// Its tracker plugin.
        tracker: String,
        /// Its provider plugins.
        providers: Vec<String>,
        /// The most that agents may do unasked.
        permission_ceiling: String,
        /// How an attempt's processes are held together.
        containment: String,
    },
    /// A host ended by itself; one that was killed leaves no such entry.
    HostStopped {
        /// `done`, or why it could not go on.
        why: String,
    },
    /// A plugin may be used by a host that starts.
    Admitted {
        /// The plugin's id.
        plugin: String,
        /// SHA-256 of its file.
        digest: String,
        /// The contract it was built for.
        contract: String,
        /// Who signed it, if anybody known did.
        signer: Option<String>,
    },
    /// A file with the organisation's policy is in force from here on.
    Policy {
        /// Where it is.
        path: String,
        /// SHA-256 of its content; none if it cannot be read, which stops new work.
        sha256: Option<String>,
    },
    /// A plugin is about to be allowed something.
    Grant {
        /// The plugin's id.
        plugin: String,
        /// SHA-256 of its file.
        digest: String,
        /// What it may do, one sentence each.
        rights: Vec<String>,
        /// Who allows it.
        by: By,
    },
    /// A grant is about to be taken back.
    Revoke {
        /// The plugin's id.
        plugin: String,
        /// SHA-256 of its file.
        digest: String,
        /// Who takes it back.
        by: By,
    },
    /// A running host noticed that a grant is gone, and stops using the plugin.
    Withdrawn {
        /// The plugin's id.
        plugin: String,
    },
    /// A plugin wanted something that its grant does not cover.
    Denied {
        /// The plugin's id.
        plugin: String,
        /// What kind of effect: `http`, `files`, `socket`, `wake`, `launch`, `landing`,
        /// `verify`, `environment`, `egress`; `start` where no host starts with it.
        effect: String,
        /// Why it was refused, in one word.
        reason: String,
        /// How often, since this host started: the first time is told, then 10, 100, …
        times: u64,
    },
    /// An agent is about to be started.
    Launch {
        /// The run.
        run: String,
        /// Which attempt.
        attempt: u32,
        /// The program.
        program: String,
        /// Name of the command of the grant.
        command: String,
        /// What its slots are filled with, by name: the SHA-256 of each value.
        slots: BTreeMap<String, String>,
        /// The provider's id.
        provider: String,
        /// SHA-256 of the provider's file.
        digest: String,
        /// What it may do unasked.
        permission: String,
        /// Whose word that is: `tracker` or `operator`.
        permission_by: String,
        /// The line of the organisation's policy that allows no more than that.
        capped_by: Option<String>,
        /// How its processes are held together.
        containment: String,
        /// What it can reach on this machine.
        sandbox: String,
    },
    /// A verify command is about to be started.
    Verify {
        /// The run.
        run: String,
        /// SHA-256 of the command.
        command: String,
    },
    /// A verify command has judged the work.
    Verified {
        /// The run.
        run: String,
        /// SHA-256 of the command.
        command: String,
        /// Whether it passed.
        passed: bool,
        /// Its exit code, if it has one.
        exit: Option<i32>,
    },
    /// Work is about to leave its worktree.
    Landing {
        /// The run.
        run: String,
        /// How: `leave`, `push`, `pull-request`, `merge`.
        landing: String,
        /// The repository, as trackers call it.
        repository: String,
        /// The branch with the work.
        branch: String,
        /// Where to: the remote's address without credentials, or the branch merged into.
        to: Option<String>,
    },
    /// Work has landed.
    Landed {
        /// The run.
        run: String,
        /// How: `branch`, `pushed`, `pull-request`, `merged`.
        landing: String,
        /// The commit.
        head: Option<String>,
        /// The pull request.
        url: Option<String>,
    },
    /// A tracker was told the end of a run.
    Reported {
        /// The run.
        run: String,
        /// How the run ended.
        state: String,
        /// Whether the tracker accepted it.
        accepted: bool,
    },
    /// Files of the log were removed because they were older than the operator wants.
    Collected {
        /// The last entry that was removed.
        through: Head,
    },
    /// A crash had left half a line at the end, which was cut off.
    Healed {
        /// How long it was.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
    },
    /// What this entry follows on is not what an earlier one left behind.
    Broken {
        /// What is wrong, in one sentence.
        problem: String,
    },
    /// Something that only a later version of Hostler writes.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// The name that stands in the log.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::HostStarted { .. } => "host-started",
            Self::HostStopped { .. } => "host-stopped",
            Self::Admitted { .. } => "admitted",
            Self::Policy { .. } => "policy",
            Self::Grant { .. } => "grant",
            Self::Revoke { .. } => "revoke",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Denied { .. } => "denied",
            Self::Launch { .. } => "launch",
            Self::Verify { .. } => "verify",
            Self::Verified { .. } => "verified",
            Self::Landing { .. } => "landing",
            Self::Landed { .. } => "landed",
            Self::Reported { .. } => "reported",
            Self::Collected { .. } => "collected",
            Self::Healed { .. } => "healed",
            Self::Broken { .. } => "broken",
            Self::Unknown => "unknown",
        }
    }

    /// The run it is about.
    pub fn run(&self) -> Option<&str> {
        match self {
            Self::Launch { run, .. }
            | Self::Verify { run, .. }
            | Self::Verified { run, .. }
            | Self::Landing { run, .. }
            | Self::Landed { run, .. }
            | Self::Reported { run, .. } => Some(run),
            _ => None,
        }
    }
}

/// All of a line but its hash.
#[derive(Serialize)]
struct Body<'a> {
    n: u64,
    at: i64,
    host: &'a str,
    #[serde(flatten)]
    event: &'a Event,
    prev: LineHash,
}

/// What stands between the body of a line and its hash.
pub(crate) const BEFORE_HASH: &[u8] = b",\"hash\":\"";

/// What a line ends with.
pub(crate) const AFTER_HASH: &[u8] = b"\"}";

/// Bytes of a line from the end of its body on.
pub(crate) const SEAL_BYTES: usize = BEFORE_HASH.len() + HASH_DIGITS + AFTER_HASH.len();

/// The line of an event that follows on `after`, without its line feed, and the head
/// that it makes. Fails only for what is no JSON, which no event is.
pub(crate) fn seal(
    after: Option<Head>,
    at: i64,
    host: &str,
    event: &Event,
) -> serde_json::Result<(String, Head)> {
    let n = after.map_or(0, |head| head.n) + 1;
    let prev = after.map_or(LineHash::NOTHING, |head| head.hash);
    let mut line = serde_json::to_string(&Body { n, at, host, event, prev })?;
    let hash = LineHash::of(&[line.as_bytes()]);
    line.pop();
    line.push_str(",\"hash\":\"");
    line.push_str(&hash.to_string());
    line.push_str("\"}");
    Ok((line, Head { n, hash }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_names_what_happened_first_and_what_it_follows_on_last() {
        let event = Event::Withdrawn { plugin: "folder".to_owned() };
        let (line, head) = seal(None, 7, "0.1.0", &event).unwrap();
        let zeros = "0".repeat(64);
        let body = format!(
            r#"{{"n":1,"at":7,"host":"0.1.0","kind":"withdrawn","plugin":"folder","prev":"{zeros}"}}"#
        );
        assert_eq!(head, Head { n: 1, hash: LineHash::of(&[body.as_bytes()]) });
        assert_eq!(line, format!("{},\"hash\":\"{}\"}}", body.trim_end_matches('}'), head.hash));
    }

    #[test]
    fn a_line_is_read_back_as_it_was_meant_also_with_fields_of_its_own() {
        let by = By { user: "ada (uid 1000)".to_owned(), how: "/dev/pts/3".to_owned() };
        let rights = vec!["send GET requests to https://a.example/".to_owned()];
        let event = Event::Grant { plugin: "tale".to_owned(), digest: "d".repeat(64), rights, by };
        let before = Head { n: 41, hash: LineHash::of(&[b"x"]) };
        let (line, head) = seal(Some(before), 7, "0.1.0", &event).unwrap();
        let entry: Entry = serde_json::from_str(&line).unwrap();
        let host = "0.1.0".to_owned();
        assert_eq!(entry, Entry { n: 42, at: 7, host, event, prev: before.hash, hash: head.hash });
    }

    #[test]
    fn a_kind_of_a_later_version_is_read_as_unknown() {
        let event = Event::Withdrawn { plugin: "folder".to_owned() };
        let (line, _) = seal(None, 7, "9.0.0", &event).unwrap();
        let entry: Entry = serde_json::from_str(&line.replace("\"withdrawn\"", "\"teleported\"")).unwrap();
        assert_eq!(entry.event, Event::Unknown);
    }

    #[test]
    fn a_kind_is_called_the_same_in_the_log_and_in_the_program() {
        let events = [
            Event::HostStopped { why: "done".to_owned() },
            Event::Healed { bytes: 1, sha256: String::new() },
            Event::Collected { through: Head { n: 1, hash: LineHash::NOTHING } },
            Event::Broken { problem: String::new() },
        ];
        for event in events {
            let value = serde_json::to_value(&event).unwrap();
            assert_eq!(value["kind"], event.kind());
        }
    }
}
