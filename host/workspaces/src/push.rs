//! Bringing a run's branch, and nothing else, to a remote.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cancel::Cancel;
use crate::error::WorkspaceError;
use crate::files;
use crate::landing_error::LandingError;
use crate::lock::Lock;
use crate::network::{Conversation, REMOTE};
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::prepare::branch_target;
use crate::process::Output;
use crate::remote_error::{RemoteError, gist};
use crate::repository::Repository;

/// Much work over a slow line; the rest of the history is there already.
pub const PUSH_LIMIT: Duration = Duration::from_mins(10);

/// Where to push, and how patiently.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    /// Name of the remote, `origin` as a rule.
    pub remote: &'a str,
    /// For all of it. [`PUSH_LIMIT`] is a good value.
    pub time_limit: Duration,
    /// Ends it early.
    pub cancel: &'a Cancel,
}

/// A branch that is at the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The remote's address, without credentials.
    pub url: String,
    /// The run's branch.
    pub branch: String,
    /// The commit it is on, here and there.
    pub head: ObjectId,
    /// There was nothing to do.
    pub already_up_to_date: bool,
    /// A link for opening a pull request, if the remote printed one.
    pub link: Option<String>,
}

/// Commits this run tried to put on its branch at the remote. Only a branch
/// that is on one of them may be replaced.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Tips(Vec<ObjectId>);

/// What became of the one ref that was pushed.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    UpToDate,
    /// The remote has something else there.
    NotForward,
    /// A hook or rule of the remote says no.
    Declined(String),
    /// The line broke before there was an answer.
    None,
}

impl Repository {
    /// Pushes `refs/heads/<branch>` of the workspace to the same name at the
    /// remote, as its address was when the workspace was made.
    ///
    /// A branch there is moved forward only, or replaced if it is exactly where
    /// this run itself has put it before. Doing it again is fine.
    pub fn push(&self, workspace: &Workspace, push: &Push<'_>) -> Result<Pushed, LandingError> {
        let desk = self.desk_of(workspace)?;
        let remote = self.noted_remote(&desk, push.remote)?;
        let branch = &workspace.order.branch;
        let head = branch_target(&self.refs()?, branch)?
            .ok_or_else(|| LandingError::BranchGone { branch: branch.clone() })?;
        let deadline = Instant::now() + push.time_limit;
        let conversation = || Conversation {
            repository: self,
            url: remote.for_push(),
            action: "pushing to",
            time_limit: deadline.saturating_duration_since(Instant::now()),
            cancel: push.cancel,
            store: None,
        };
        let earlier = Tips::note(&desk.join("pushed.json"), head)?;
        let mut output = send(&conversation(), branch, head, None)?;
        let mut verdict = judge(&output, branch);
        if verdict == Verdict::NotForward {
            let there = conversation().tip(branch)?;
            let Some(old) = there.filter(|tip| earlier.0.contains(tip)) else {
                let url = remote.for_push().to_string();
                return Err(RemoteError::Diverged { url, branch: branch.clone() }.into());
            };
            output = send(&conversation(), branch, head, Some(old))?;
            verdict = judge(&output, branch);
        }
        let url = remote.for_push().to_string();
        let already_up_to_date = match verdict {
            Verdict::Accepted => false,
            Verdict::UpToDate => true,
            Verdict::NotForward => return Err(RemoteError::Diverged { url, branch: branch.clone() }.into()),
            Verdict::Declined(detail) => {
                return Err(RemoteError::Declined { url, branch: branch.clone(), detail }.into());
            }
            Verdict::None => return Err(conversation().failure(&output).into()),
        };
        self.track(&remote.name, branch, head)?;
        let host = remote.for_push().server().map(|server| server.host.to_owned());
        let link = host.and_then(|host| printed_link(&output.message, &host));
        Ok(Pushed { url, branch: branch.clone(), head, already_up_to_date, link })
    }

    /// Records where the branch is at the remote, as git itself does.
    fn track(&self, remote: &str, branch: &str, head: ObjectId) -> Result<(), WorkspaceError> {
        let _lock = Lock::acquire(&self.lock_path())?;
        let name = format!("refs/remotes/{remote}/{branch}");
        self.refs()?
            .reference(&name, head.oid(), true, "update by push of the host")
            .map(|_| ())
            .map_err(WorkspaceError::repository("move the remote-tracking branch", self.common_dir()))
    }
}

impl Tips {
    /// Adds `head` before it is pushed, so that a crash right after the push
    /// forgets nothing; gives back those before it.
    fn note(path: &Path, head: ObjectId) -> Result<Self, WorkspaceError> {
        let read = |source| WorkspaceError::Receipt { path: path.to_owned(), source };
        let earlier: Self = match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map_err(read)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(WorkspaceError::io("read", path)(error)),
        };
        if !earlier.0.contains(&head) {
            let mut all = earlier.0.clone();
            all.push(head);
            files::replace(path, &serde_json::to_vec(&Self(all)).map_err(read)?)?;
        }
        Ok(earlier)
    }
}

fn send(
    conversation: &Conversation<'_>,
    branch: &str,
    head: ObjectId,
    replaces: Option<ObjectId>,
) -> Result<Output, RemoteError> {
    let refspec = format!("{head}:refs/heads/{branch}");
    let lease = replaces.map(|old| format!("--force-with-lease=refs/heads/{branch}:{old}"));
    let mut arguments = vec![
        "push",
        "--porcelain",
        "--no-verify",
        "--no-follow-tags",
        "--no-signed",
        "--recurse-submodules=no",
    ];
    arguments.extend(lease.as_deref());
    arguments.extend([REMOTE, refspec.as_str()]);
    conversation.try_run(&arguments)
}

/// Reads `git push --porcelain`: `flag TAB from:to TAB summary`.
fn judge(output: &Output, branch: &str) -> Verdict {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let target = format!(":refs/heads/{branch}");
    let line = stdout.lines().find_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
        refs.ends_with(&target).then_some((flag, summary))
    });
    match line {
        Some(("=", _)) => Verdict::UpToDate,
        Some(("!", summary)) if summary.starts_with("[rejected]") => Verdict::NotForward,
        Some(("!", summary)) if summary.starts_with("[remote rejected]") => {
            Verdict::Declined(format!("{}; {}", summary, gist(&remote_words(&output.message))))
        }
        Some((" " | "+" | "*", _)) if output.status.success() => Verdict::Accepted,
        _ => Verdict::None,
    }
}

/// What the remote's hooks printed.
fn remote_words(message: &str) -> String {
    let words = message.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
    words.collect::<Vec<_>>().join("\n")
}

/// Forges print where to open a pull request. Only a link to the remote's own
/// host is believed.
fn printed_link(message: &str, host: &str) -> Option<String> {
    let words = remote_words(message);
    words
        .split_whitespace()
        .filter(|word| {
            let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
            let place = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
            !place.contains('@')
                && place.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case(host))
        })
        .map(ToOwned::to_owned)
        .next()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn output(stdout: &str, code: i32, message: &str) -> Output {
        Output {
            stdout: stdout.as_bytes().to_vec(),
            truncated: false,
            status: ExitStatus::from_raw(code << 8),
            message: message.to_owned(),
        }
    }

    #[test]
    fn every_flag_of_a_push_is_understood() {
        let read = |flag: &str, summary: &str, code| {
            judge(&output(&format!("To h\n{flag}\tabc:refs/heads/a/b\t{summary}\nDone\n"), code, ""), "a/b")
        };
        assert_eq!(read("*", "[new branch]", 0), Verdict::Accepted);
        assert_eq!(read(" ", "a..b", 0), Verdict::Accepted);
        assert_eq!(read("=", "[up to date]", 0), Verdict::UpToDate);
        assert_eq!(read("!", "[rejected] (fetch first)", 1), Verdict::NotForward);
        assert!(matches!(read("!", "[remote rejected] (hook declined)", 1), Verdict::Declined(_)));
        assert_eq!(read("*", "[new branch]", 1), Verdict::None);
        assert_eq!(judge(&output("", 128, ""), "a/b"), Verdict::None);
    }

    #[test]
    fn a_printed_link_counts_only_if_it_leads_to_the_remotes_host() {
        let said =
            "remote: Create a pull request by visiting:\nremote:   https://git.example/a/b/compare/x\n";
        assert_eq!(printed_link(said, "git.example").as_deref(), Some("https://git.example/a/b/compare/x"));
        assert_eq!(printed_link(said, "example"), None);
        assert_eq!(printed_link("remote: https://git.example@evil/x", "git.example"), None);
        assert_eq!(printed_link("https://git.example/x", "git.example"), None);
    }
}
