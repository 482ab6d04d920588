//! What happens to finished work, written once for all trackers.

use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::commit::subject;
use crate::fetch::default_branch;
use crate::forge::{Forge, ForgeError, Proposal, propose};
use crate::forge_api::{ForgeApi, ForgeHttp};
use crate::forge_repository::{ForgeHosts, ForgeKind, ForgeRepository};
use crate::gh::Gh;
use crate::landing_error::LandingError;
use crate::network::Conversation;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::prepare::branch_target;
use crate::push::{Push, Pushed};
use crate::remote_error::RemoteError;
use crate::repository::Repository;

/// Where finished work goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// It stays as it is; nothing is committed.
    Leave,
    /// The branch is pushed.
    Push {
        /// Name of the remote.
        remote: String,
    },
    /// The branch is pushed and a pull request is opened or updated. It is
    /// never merged.
    PullRequest {
        /// Name of the remote.
        remote: String,
        /// The branch it is for; the remote's default branch if `None`.
        base: Option<String>,
        /// Markdown.
        body: String,
    },
    /// Merged into a local branch, on this machine.
    Merge {
        /// Short name of the branch.
        into: String,
    },
}

/// With what, and how patiently, work is landed.
pub struct Means<'a> {
    /// Sends requests to the forge with a granted token; `None` without one.
    pub http: Option<&'a dyn ForgeHttp>,
    /// Which hosts are which forge, besides the well-known.
    pub hosts: &'a ForgeHosts,
    /// For all that git does at the remote.
    pub time_limit: Duration,
    /// Ends it early.
    pub cancel: &'a Cancel,
}

/// How far the work got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LandedKind {
    /// On its branch, here.
    Left,
    /// On its branch, at the remote.
    Pushed,
    /// In a pull request.
    PullRequest,
    /// In another branch, here.
    Merged,
}

/// Where the work is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// How far it got; less than was asked for if `note` says so.
    pub kind: LandedKind,
    /// The run's branch, or the one merged into.
    pub branch: String,
    /// The commit that branch is on; `None` if it is gone (`Leave` only).
    pub head: Option<ObjectId>,
    /// Of the pull request; with `Pushed`, a page for opening one.
    pub url: Option<String>,
    /// Of the pull request.
    pub number: Option<u32>,
    /// What a person should know, in sentences; empty if all went as wished.
    pub note: String,
}

impl Means<'_> {
    fn push<'b>(&'b self, remote: &'b str) -> Push<'b> {
        Push { remote, time_limit: self.time_limit, cancel: self.cancel }
    }
}

impl Landed {
    fn at(kind: LandedKind, branch: String, head: Option<ObjectId>) -> Self {
        Self { kind, branch, head, url: None, number: None, note: String::new() }
    }

    fn add_note(&mut self, sentence: &str) {
        if !self.note.is_empty() && !sentence.is_empty() {
            self.note.push(' ');
        }
        self.note.push_str(sentence);
    }
}

impl From<Pushed> for Landed {
    fn from(pushed: Pushed) -> Self {
        Self { url: pushed.link, ..Self::at(LandedKind::Pushed, pushed.branch, Some(pushed.head)) }
    }
}

impl Repository {
    /// Lands the work of a workspace. `title` says in one line what it is.
    ///
    /// Safe to call again with the same values after a crash at any point: what
    /// is committed, pushed, open or merged already is found and kept. The
    /// caller knows that no agent process works in the workspace any more.
    pub fn land(
        &self,
        workspace: &Workspace,
        landing: &Landing,
        title: &str,
        means: &Means<'_>,
    ) -> Result<Landed, LandingError> {
        if *landing == Landing::Leave {
            let branch = workspace.order.branch.clone();
            let head = branch_target(&self.refs()?, &branch)?;
            return Ok(Landed::at(LandedKind::Left, branch, head));
        }
        let committed = self.commit_remaining(workspace, title)?;
        if committed.head == workspace.order.start {
            return Err(LandingError::NothingToLand { branch: workspace.order.branch.clone() });
        }
        let mut landed = match landing {
            Landing::Leave => {
                Landed::at(LandedKind::Left, workspace.order.branch.clone(), Some(committed.head))
            }
            Landing::Push { remote } => self.push(workspace, &means.push(remote))?.into(),
            Landing::PullRequest { remote, base, body } => {
                self.land_in_pull_request(workspace, remote, base.as_deref(), title, body, means)?
            }
            Landing::Merge { into } => {
                let merged = self.merge(workspace, into, title)?;
                Landed::at(LandedKind::Merged, into.clone(), Some(merged.head))
            }
        };
        if let Some(first) = committed.omitted.first() {
            let (path, count) = (first.path.display(), committed.omitted.len());
            landed.add_note(&format!("{count} path(s) could not be committed, among them `{path}`."));
        }
        Ok(landed)
    }

    fn land_in_pull_request(
        &self,
        workspace: &Workspace,
        remote: &str,
        base: Option<&str>,
        title: &str,
        body: &str,
        means: &Means<'_>,
    ) -> Result<Landed, LandingError> {
        let deadline = Instant::now() + means.time_limit;
        let pushed = self.push(workspace, &means.push(remote))?;
        let base = match base {
            Some(base) => base.to_owned(),
            None => self.default_of(workspace, remote, deadline, means)?,
        };
        let head = pushed.branch.clone();
        let proposal = Proposal { head, base, title: subject(title), body: body.to_owned() };
        let noted = self.noted_remote(&self.desk_of(workspace)?, remote)?;
        let mut landed = Landed::from(pushed);
        let Some(forge) = ForgeRepository::of(noted.for_push(), means.hosts) else {
            let url = noted.for_push();
            landed.add_note(&format!(
                "No pull request was opened: {url} is no GitHub or GitLab known to this host."
            ));
            return Ok(landed);
        };
        landed.url = Some(forge.compare_url(&proposal.base, &proposal.head));
        match self.by_any_means(&forge, means, |forge| propose(forge, &proposal)) {
            Ok(Some(proposed)) => {
                landed.kind = LandedKind::PullRequest;
                landed.number = Some(proposed.pull_request.number);
                landed.url = Some(proposed.pull_request.url);
                landed.add_note(&proposed.note);
            }
            Ok(None) => landed.add_note(&without_means(&forge)),
            Err(error @ ForgeError::Refused { .. }) => {
                landed.add_note(&format!("The pull request was not opened: {error}."));
            }
            Err(source) => return Err(LandingError::Forge { branch: proposal.head, source }),
        }
        Ok(landed)
    }

    /// The remote's default branch, from the remote itself.
    fn default_of(
        &self,
        workspace: &Workspace,
        remote: &str,
        deadline: Instant,
        means: &Means<'_>,
    ) -> Result<String, RemoteError> {
        let remote = self.noted_remote(&self.desk_of(workspace)?, remote)?;
        let conversation = Conversation {
            repository: self,
            url: &remote.url,
            action: "fetching from",
            time_limit: deadline.saturating_duration_since(Instant::now()),
            cancel: means.cancel,
            store: None,
        };
        default_branch(&conversation, None).map(|(branch, _)| branch)
    }

    /// By `gh` if it is there and signed in, else with a granted token; `None`
    /// if there is neither.
    pub(crate) fn by_any_means<T>(
        &self,
        forge: &ForgeRepository,
        means: &Means<'_>,
        work: impl Fn(&dyn Forge) -> Result<T, ForgeError>,
    ) -> Result<Option<T>, ForgeError> {
        let http = means.http.filter(|http| http.serves(forge));
        let api = http.map(|http| ForgeApi::new(forge, http));
        let api = || api.as_ref().map(|api| work(api)).transpose();
        let gh = (forge.kind == ForgeKind::GitHub)
            .then(|| Gh::find(&self.operator, self.git.home(), forge, means.cancel))
            .flatten();
        match gh.map(|gh| work(&gh)) {
            None => api(),
            Some(Err(refused @ ForgeError::Refused { .. })) => match api()? {
                Some(done) => Ok(Some(done)),
                None => Err(refused),
            },
            Some(result) => result.map(Some),
        }
    }
}

fn without_means(forge: &ForgeRepository) -> String {
    let remedy = match forge.kind {
        ForgeKind::GitHub => "install `gh` and sign in with `gh auth login`, or grant the host a token",
        ForgeKind::GitLab => "grant the host a token",
    };
    format!(
        "The pull request was not opened because nothing may do it on {}: {remedy}, or follow the link.",
        forge.authority
    )
}
