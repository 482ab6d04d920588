//! Talking to a remote with git, without believing the repository.
//!
//! The repository's configuration can be written by an agent, and many of its
//! settings start programs or change where credentials go. So commands that
//! use the network run in a git directory of the host's own; of the repository
//! they see the objects, and of its configuration one value, the address.
//! Credentials come from the operator's own configuration (global and system).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cancel::Cancel;
use crate::error::WorkspaceError;
use crate::files;
use crate::git::Link;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::private_gitdir::shallow_list;
use crate::process::{Broken, Call, Output};
use crate::remote_error::RemoteError;
use crate::remote_url::RemoteUrl;
use crate::repository::Repository;

/// What the remote is called in the host's git directory.
pub(crate) const REMOTE: &str = "hostler";

/// Lists of refs and results of pushes are short; more is not for us.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Looking up a setting takes milliseconds.
const SETTING_LIMIT: Duration = Duration::from_secs(10);

/// Settings that no configuration may overrule: no hooks, no helpers, no
/// submodules, no questions, nothing in the background.
const SETTINGS: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.askPass", ""),
    ("core.commitGraph", "false"),
    // The default runs git in the object store's own repository.
    ("core.alternateRefsCommand", "true"),
    ("credential.interactive", "false"),
    ("fetch.recurseSubmodules", "no"),
    ("fetch.prune", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("push.recurseSubmodules", "no"),
    ("push.gpgSign", "false"),
    ("push.followTags", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
];

/// The addresses of one remote, as noted before an agent was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remote {
    pub(crate) name: String,
    pub(crate) url: RemoteUrl,
    /// Where pushes go, if elsewhere.
    pub(crate) push_url: Option<RemoteUrl>,
}

impl Remote {
    pub(crate) fn for_push(&self) -> &RemoteUrl {
        self.push_url.as_ref().unwrap_or(&self.url)
    }
}

/// One conversation with a remote.
#[derive(Clone, Copy)]
pub(crate) struct Conversation<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) url: &'a RemoteUrl,
    pub(crate) action: &'static str,
    pub(crate) time_limit: Duration,
    pub(crate) cancel: &'a Cancel,
    /// Where objects are stored that arrive; the repository's store if `None`.
    pub(crate) store: Option<&'a Path>,
}

impl Conversation<'_> {
    /// Runs a command whose failure the caller reads.
    pub(crate) fn try_run(&self, arguments: &[&str]) -> Result<Output, RemoteError> {
        let mut link = self.repository.link(self.url)?;
        if let Some(store) = self.store {
            store.clone_into(&mut link.objects);
        }
        let call = Call {
            time_limit: self.time_limit,
            max_output: MAX_ANSWER_BYTES,
            cancel: Some(self.cancel),
            ..Call::default()
        };
        let url = || self.url.to_string();
        let mut output =
            self.repository.git.reach(&link, arguments, &call).map_err(|broken| match broken {
                Broken::TimedOut => RemoteError::TimedOut {
                    action: self.action,
                    url: url(),
                    seconds: self.time_limit.as_secs(),
                },
                Broken::Cancelled => RemoteError::Cancelled { action: self.action, url: url() },
                Broken::Start(source) | Broken::Wait(source) => {
                    RemoteError::Failed { action: self.action, url: url(), detail: source.to_string() }
                }
            })?;
        output.message = self.url.redact(&output.message);
        Ok(output)
    }

    /// Runs a command that must succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, RemoteError> {
        let output = self.try_run(arguments)?;
        if output.status.success() && !output.truncated {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.failure(&output))
    }

    /// Asks the remote where one of its branches is; `None` if it has no such branch.
    pub(crate) fn tip(&self, branch: &str) -> Result<Option<ObjectId>, RemoteError> {
        let name = format!("refs/heads/{branch}");
        let listing = self.run(&["ls-remote", REMOTE, &name])?;
        let found = listing.lines().filter_map(|line| line.split_once('\t')).find(|(_, it)| *it == name);
        Ok(found.and_then(|(id, _)| id.parse().ok()))
    }

    pub(crate) fn failure(&self, output: &Output) -> RemoteError {
        RemoteError::from_message(self.action, self.url.to_string(), &output.message)
    }
}

impl Repository {
    /// Whether the repository has this remote, with an address that can be used; the
    /// error says how to get there. Nobody is asked.
    pub fn check_remote(&self, name: &str) -> Result<(), RemoteError> {
        self.remote(name).map(|_| ())
    }

    /// Where a remote fetches from and pushes to, without credentials; nothing if there
    /// is no such remote.
    pub fn remote_addresses(&self, name: &str) -> Result<Vec<String>, RemoteError> {
        match self.remote(name) {
            Ok(Remote { url, push_url, .. }) => {
                Ok(std::iter::once(url).chain(push_url).map(|url| url.to_string()).collect())
            }
            Err(RemoteError::NoRemote { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Reads a remote's addresses from the repository's configuration, as
    /// values.
    pub(crate) fn remote(&self, name: &str) -> Result<Remote, RemoteError> {
        let repository = self.refs()?;
        let local = repository
            .config()
            .and_then(|config| config.open_level(git2::ConfigLevel::Local))
            .map_err(WorkspaceError::repository("read the configuration", self.common_dir()))?;
        let value = |key: &str| local.get_string(&format!("remote.{name}.{key}")).ok();
        let Some(url) = value("url") else {
            return Err(RemoteError::NoRemote {
                remote: name.to_owned(),
                path: self.checkout().display().to_string(),
            });
        };
        let read = |text: &str| {
            RemoteUrl::new(text, self.checkout())
                .ok_or_else(|| RemoteError::UnusableUrl { remote: name.to_owned() })
        };
        let push_url = value("pushurl").map(|text| read(&text)).transpose()?;
        Ok(Remote { name: name.to_owned(), url: read(&url)?, push_url })
    }

    /// Where pushes from this workspace go, as it was when the workspace was made. Shown
    /// without credentials.
    pub fn lands_at(&self, workspace: &Workspace, remote: &str) -> Result<RemoteUrl, RemoteError> {
        Ok(self.noted_remote(&self.desk_of(workspace)?, remote)?.for_push().clone())
    }

    /// Notes the addresses of all usable remotes for a workspace that is being
    /// made, so that what an agent does to the configuration later sends
    /// nothing elsewhere.
    pub(crate) fn note_remotes(&self, desk: &Path) -> Result<(), WorkspaceError> {
        let repository = self.refs()?;
        let names = repository
            .remotes()
            .map_err(WorkspaceError::repository("list the remotes", self.common_dir()))?;
        let remotes: Vec<Remote> =
            names.iter().flatten().flatten().filter_map(|name| self.remote(name).ok()).collect();
        let path = desk.join(NOTED);
        let text = serde_json::to_vec(&remotes)
            .map_err(|source| WorkspaceError::Receipt { path: path.clone(), source })?;
        files::replace_private(&path, &text)
    }

    /// A remote as it was when the workspace of `desk` was made.
    pub(crate) fn noted_remote(&self, desk: &Path, name: &str) -> Result<Remote, RemoteError> {
        let path = desk.join(NOTED);
        let remotes: Vec<Remote> = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|source| WorkspaceError::Receipt { path: path.clone(), source })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(WorkspaceError::io("read", path)(error).into()),
        };
        remotes.into_iter().find(|remote| remote.name == name).ok_or_else(|| RemoteError::NoRemote {
            remote: name.to_owned(),
            path: self.checkout().display().to_string(),
        })
    }

    /// The host's git directory for network commands, made if it is missing.
    pub(crate) fn network_git_dir(&self) -> Result<PathBuf, WorkspaceError> {
        let path = self.network_desk()?.join("git");
        for folder in ["objects", "refs"] {
            let folder = path.join(folder);
            fs::create_dir_all(&folder).map_err(WorkspaceError::io("create the directory", folder))?;
        }
        if !path.join("HEAD").is_file() {
            files::replace(&path.join("config"), b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
            files::replace(&path.join("HEAD"), b"ref: refs/heads/none\n")?;
        }
        if let Some(list) = shallow_list(self.common_dir())? {
            files::replace(&path.join("shallow"), list.as_bytes())?;
        }
        Ok(path)
    }

    /// The host's directory for dealings of this repository with its remotes.
    pub(crate) fn network_desk(&self) -> Result<PathBuf, WorkspaceError> {
        let path = self.desk_root().join("network");
        fs::create_dir_all(&path).map_err(WorkspaceError::io("create the directory", &path))?;
        Ok(path)
    }

    fn link(&self, url: &RemoteUrl) -> Result<Link<'_>, RemoteError> {
        let mut link = self.link_to_nobody()?;
        link.settings.push((format!("remote.{REMOTE}.url"), url.secret().to_owned()));
        if url.server().is_some_and(|server| server.scheme.contains("ssh")) {
            link.ssh = Some(without_questions(&self.operators_ssh()));
        }
        Ok(link)
    }

    fn link_to_nobody(&self) -> Result<Link<'_>, WorkspaceError> {
        Ok(Link {
            git_dir: self.network_git_dir()?,
            objects: self.common_dir().join("objects"),
            operator: &self.operator,
            settings: SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ssh: None,
        })
    }

    /// The ssh the operator uses: environment before configuration, like git.
    fn operators_ssh(&self) -> String {
        let own = self.operator.get("GIT_SSH_COMMAND").map(|command| command.to_string_lossy().into_owned());
        own.or_else(|| self.operators_setting("core.sshCommand")).unwrap_or_else(|| "ssh".to_owned())
    }

    /// A setting of the operator's own (global or system) configuration.
    pub(crate) fn operators_setting(&self, key: &str) -> Option<String> {
        let link = self.link_to_nobody().ok()?;
        let call = Call { time_limit: SETTING_LIMIT, max_output: MAX_ANSWER_BYTES, ..Call::default() };
        let output = self.git.reach(&link, &["config", "--get", key], &call).ok()?;
        let value = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !value.is_empty()).then_some(value)
    }
}

/// Where a workspace's desk keeps the addresses.
const NOTED: &str = "remotes.json";

/// OpenSSH is told never to ask; other programs do not know the option.
fn without_questions(command: &str) -> String {
    let program = command.split_whitespace().next().unwrap_or_default();
    let name = program.trim_matches(['"', '\'']).rsplit('/').next().unwrap_or_default();
    if name == "ssh" { format!("{command} -o BatchMode=yes") } else { command.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssh_is_told_not_to_ask_and_other_programs_are_left_alone() {
        assert_eq!(without_questions("ssh"), "ssh -o BatchMode=yes");
        assert_eq!(without_questions("/usr/bin/ssh -i key"), "/usr/bin/ssh -i key -o BatchMode=yes");
        assert_eq!(without_questions("plink -batch"), "plink -batch");
    }
}
