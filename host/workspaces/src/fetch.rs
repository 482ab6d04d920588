//! Bringing one branch up to date, once for all who ask at a time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::base::commit_of;
use crate::cancel::Cancel;
use crate::error::WorkspaceError;
use crate::files;
use crate::incoming::Incoming;
use crate::lock::Lock;
use crate::network::{Conversation, REMOTE, Remote};
use crate::object_id::ObjectId;
use crate::remote_error::RemoteError;
use crate::repository::Repository;

/// A first fetch after a long pause may bring a few hundred megabytes.
pub const FETCH_LIMIT: Duration = Duration::from_mins(10);

/// Tasks that arrive together share one fetch; a person who pushes and then
/// starts a task takes longer than this.
pub const FETCH_REUSE: Duration = Duration::from_secs(5);

/// Where a fetched commit is kept in the host's git directory.
const FETCHED_REF: &str = "refs/hostler/fetched";

/// More starting points make the question longer and the answer hardly shorter.
const MAX_HAVES: usize = 256;

/// What to fetch, and how patiently.
#[derive(Debug, Clone, Copy)]
pub struct Fetch<'a> {
    /// Name of the remote, `origin` as a rule.
    pub remote: &'a str,
    /// Short name of the branch; the default branch if `None`.
    pub branch: Option<&'a str>,
    /// Waiting for another fetch included. [`FETCH_LIMIT`] is a good value.
    pub time_limit: Duration,
    /// A fetch that began at most this long ago is as good as a new one.
    /// [`FETCH_REUSE`] is a good value.
    pub reuse: Duration,
    /// Ends it early.
    pub cancel: &'a Cancel,
}

/// A branch of a remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// Short name of the branch.
    pub branch: String,
    /// The commit it was on.
    pub commit: ObjectId,
}

/// What the host notes about its last fetch from a remote.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    began: SystemTime,
    url: String,
    /// The branch that was asked for; the default one if absent.
    #[serde(default)]
    asked: Option<String>,
    fetched: Fetched,
}

impl Repository {
    /// Brings `refs/remotes/<remote>/<branch>` up to date, and nothing
    /// else. The default branch is `<remote>/HEAD` as recorded here while it
    /// exists there, else what the remote says, else `main`, else `master`.
    ///
    /// At most one fetch per repository runs at a time, over all processes;
    /// those who waited take its result if it is fresh enough.
    pub fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, RemoteError> {
        let deadline = Instant::now() + fetch.time_limit;
        let remote = self.remote(fetch.remote)?;
        let desk = self.network_desk()?;
        let Some(_lock) = Lock::acquire_until(&desk.join("fetch.lock"), deadline, fetch.cancel)? else {
            return Err(gave_up(fetch, &remote));
        };
        let note = desk.join(format!("fetched-{}.json", file_name(fetch.remote)));
        let began = SystemTime::now();
        if let Some(known) = read_note(&note).filter(|note| is_fresh(note, &remote, began, fetch)) {
            return Ok(known.fetched);
        }
        let conversation = Conversation {
            repository: self,
            url: &remote.url,
            action: "fetching from",
            time_limit: deadline.saturating_duration_since(Instant::now()),
            cancel: fetch.cancel,
            store: None,
        };
        let fetched = self.fetch_branch(&conversation, &remote, fetch.branch)?;
        let asked = fetch.branch.map(ToOwned::to_owned);
        let text =
            serde_json::to_vec(&Note { began, url: remote.url.to_string(), asked, fetched: fetched.clone() });
        files::replace(
            &note,
            &text.map_err(|source| WorkspaceError::Receipt { path: note.clone(), source })?,
        )?;
        tracing::info!(branch = %fetched.branch, commit = %fetched.commit, "fetched");
        Ok(fetched)
    }

    fn fetch_branch(
        &self,
        conversation: &Conversation<'_>,
        remote: &Remote,
        asked: Option<&str>,
    ) -> Result<Fetched, RemoteError> {
        let (branch, commit) = match asked {
            Some(branch) => (branch.to_owned(), tip_of(conversation, branch)?),
            None => default_branch(conversation, self.recorded_default(&remote.name)?.as_deref())?,
        };
        let tracking = format!("refs/remotes/{}/{branch}", remote.name);
        if commit_of(&self.refs()?, &tracking) == Some(commit) {
            return Ok(Fetched { branch, commit });
        }
        self.offer_haves(&tracking)?;
        let refspec = format!("+refs/heads/{branch}:{FETCHED_REF}");
        let incoming = Incoming::begin(&self.common_dir().join("objects"), "fetch")?;
        let receiving = Conversation { store: Some(incoming.path()), ..*conversation };
        receiving.run(&[
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-prune",
            REMOTE,
            &refspec,
        ])?;
        incoming.accept()?;
        let own = git2::Repository::open_bare(self.network_git_dir()?)
            .map_err(WorkspaceError::repository("open", self.common_dir()))?;
        // The branch may have moved since it was listed.
        let commit = commit_of_ref(&own).unwrap_or(commit);
        let _lock = Lock::acquire(&self.lock_path())?;
        self.refs()?
            .reference(&tracking, commit.oid(), true, "fetched by the host")
            .map_err(WorkspaceError::repository("move the remote-tracking branch", self.common_dir()))?;
        Ok(Fetched { branch, commit })
    }

    /// The branch that `refs/remotes/<remote>/HEAD` names.
    fn recorded_default(&self, remote: &str) -> Result<Option<String>, WorkspaceError> {
        let repository = self.refs()?;
        let head = repository.find_reference(&format!("refs/remotes/{remote}/HEAD")).ok();
        let target = head.as_ref().and_then(git2::Reference::symbolic_target_bytes);
        let name = target.and_then(|target| std::str::from_utf8(target).ok());
        let branch = name.and_then(|name| name.strip_prefix(&format!("refs/remotes/{remote}/")));
        Ok(branch.filter(|branch| crate::branch::is_valid(branch)).map(ToOwned::to_owned))
    }

    /// Tells the host's git directory what the repository has, so that only
    /// what is new travels.
    fn offer_haves(&self, tracking: &str) -> Result<(), WorkspaceError> {
        let repository = self.refs()?;
        let mut haves: Vec<ObjectId> = commit_of(&repository, tracking).into_iter().collect();
        for glob in ["refs/remotes/*", "refs/heads/*"] {
            let found = repository
                .references_glob(glob)
                .map_err(WorkspaceError::repository("list the branches", self.common_dir()))?;
            let commits = found.flatten().filter_map(|it| it.peel_to_commit().ok());
            haves.extend(commits.map(|it| ObjectId::from(it.id())));
        }
        haves.dedup();
        haves.truncate(MAX_HAVES);
        let lines = haves.iter().enumerate().map(|(number, have)| format!("{have} refs/have/{number:05}\n"));
        let packed = lines.collect::<Vec<_>>().concat();
        files::replace(&self.network_git_dir()?.join("packed-refs"), packed.as_bytes())
    }
}

/// Why waiting for the turn ended without one.
fn gave_up(fetch: &Fetch<'_>, remote: &Remote) -> RemoteError {
    let (action, url) = ("fetching from", remote.url.to_string());
    if fetch.cancel.is_cancelled() {
        RemoteError::Cancelled { action, url }
    } else {
        RemoteError::TimedOut { action, url, seconds: fetch.time_limit.as_secs() }
    }
}

fn commit_of_ref(own: &git2::Repository) -> Option<ObjectId> {
    // The objects are in the repository's store, which libgit2 does not see here.
    own.find_reference(FETCHED_REF).ok()?.target().map(ObjectId::from)
}

/// Asks the remote where one of its branches is.
fn tip_of(conversation: &Conversation<'_>, branch: &str) -> Result<ObjectId, RemoteError> {
    let missing = || RemoteError::NoBranch { url: conversation.url.to_string(), branch: branch.to_owned() };
    if !crate::branch::is_valid(branch) {
        return Err(missing());
    }
    conversation.tip(branch)?.ok_or_else(missing)
}

/// Asks the remote which of its branches is the default one, and where it is.
pub(crate) fn default_branch(
    conversation: &Conversation<'_>,
    recorded: Option<&str>,
) -> Result<(String, ObjectId), RemoteError> {
    let mut patterns = vec!["HEAD".to_owned(), "refs/heads/main".to_owned(), "refs/heads/master".to_owned()];
    patterns.extend(recorded.map(|branch| format!("refs/heads/{branch}")));
    let mut arguments = vec!["ls-remote", "--symref", REMOTE];
    arguments.extend(patterns.iter().map(String::as_str));
    let listing = conversation.run(&arguments)?;
    choose(&listing, recorded)
        .ok_or_else(|| RemoteError::NoDefaultBranch { url: conversation.url.to_string() })
}

/// Chooses from the answer of `ls-remote --symref`.
fn choose(listing: &str, recorded: Option<&str>) -> Option<(String, ObjectId)> {
    let mut head = None;
    let mut branches = Vec::new();
    for line in listing.lines() {
        let Some((value, name)) = line.split_once('\t') else {
            continue;
        };
        if let (Some(target), "HEAD") = (value.strip_prefix("ref: refs/heads/"), name) {
            head = Some(target);
        } else if let (Some(branch), Ok(id)) = (name.strip_prefix("refs/heads/"), value.parse::<ObjectId>()) {
            branches.push((branch, id));
        } else if let (Some(branch), "HEAD", Ok(id)) = (head, name, value.parse::<ObjectId>()) {
            branches.push((branch, id));
        }
    }
    let wanted = [recorded, head, Some("main"), Some("master")];
    let found =
        wanted.into_iter().flatten().find_map(|name| branches.iter().find(|(branch, _)| *branch == name));
    found
        .filter(|(branch, _)| crate::branch::is_valid(branch))
        .map(|(branch, id)| ((*branch).to_owned(), *id))
}

/// A note that cannot be read only costs a fetch.
fn read_note(path: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A note from the future (the clock was set back) is not fresh.
fn is_fresh(note: &Note, remote: &Remote, now: SystemTime, fetch: &Fetch<'_>) -> bool {
    let age = now.duration_since(note.began);
    let same = note.url == remote.url.to_string() && note.asked.as_deref() == fetch.branch;
    same && age.is_ok_and(|age| age < fetch.reuse)
}

/// Names of remotes may hold `/`.
fn file_name(remote: &str) -> String {
    crate::forge_repository::encoded(remote).replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::remote_url::RemoteUrl;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn chosen(listing: &str, recorded: Option<&str>) -> Option<String> {
        choose(listing, recorded).map(|(branch, id)| format!("{branch} {}", &id.to_string()[..1]))
    }

    #[test]
    fn the_recorded_default_comes_first_while_it_exists() {
        let listing =
            format!("ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/heads/dev\n");
        assert_eq!(chosen(&listing, Some("dev")).as_deref(), Some("dev b"));
        assert_eq!(chosen(&listing, Some("gone")).as_deref(), Some("main a"));
        assert_eq!(chosen(&listing, None).as_deref(), Some("main a"));
    }

    #[test]
    fn what_the_remote_says_comes_before_the_common_names() {
        let listing = format!("ref: refs/heads/trunk\tHEAD\n{A}\tHEAD\n{B}\trefs/heads/main\n");
        assert_eq!(chosen(&listing, None).as_deref(), Some("trunk a"));
        let silent = format!("{A}\trefs/heads/master\n{B}\trefs/heads/main\n");
        assert_eq!(chosen(&silent, None).as_deref(), Some("main b"));
        assert_eq!(chosen("", None), None);
    }

    #[test]
    fn a_note_is_fresh_below_the_limit_only_and_never_for_another_address() {
        let remote = |text| Remote {
            name: "origin".to_owned(),
            url: RemoteUrl::new(text, Path::new("/")).unwrap(),
            push_url: None,
        };
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let fetched = Fetched { branch: "main".to_owned(), commit: A.parse().unwrap() };
        let note = Note { began, url: "https://h/a".to_owned(), asked: None, fetched };
        let cancel = Cancel::new();
        let fetch = Fetch {
            remote: "origin",
            branch: None,
            time_limit: FETCH_LIMIT,
            reuse: FETCH_REUSE,
            cancel: &cancel,
        };
        let fresh = |now, text| is_fresh(&note, &remote(text), now, &fetch);
        assert!(fresh(began + Duration::from_millis(4999), "https://h/a"));
        assert!(!fresh(began + Duration::from_secs(5), "https://h/a"));
        assert!(!fresh(began - Duration::from_secs(1), "https://h/a"));
        assert!(!fresh(began, "https://h/b"));
    }
}
