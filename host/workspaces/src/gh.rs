//! Pull requests through the GitHub command line, with the sign-in the
//! operator has there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::cancel::Cancel;
use crate::forge::{Forge, ForgeError, OpenPullRequest, Proposal};
use crate::forge_repository::ForgeRepository;
use crate::operator::Operator;
use crate::process::{self, Broken, Call, Output};
use crate::remote_error::gist;

/// One command is one or two requests; more than this is a network that hangs.
pub(crate) const GH_LIMIT: Duration = Duration::from_mins(1);

/// One pull request is a line; a page of comments repeats the lines they are about.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

const SIGN_IN: &str = "sign in with `gh auth login` as the user the host runs as";

/// A repository's pull requests, through `gh`.
pub(crate) struct Gh<'a> {
    program: PathBuf,
    /// An empty folder in no repository: `gh` looks around where it stands.
    home: &'a Path,
    operator: &'a Operator,
    repository: &'a ForgeRepository,
    cancel: &'a Cancel,
}

impl<'a> Gh<'a> {
    /// Looks for `gh` in the operator's search path.
    pub(crate) fn find(
        operator: &'a Operator,
        home: &'a Path,
        repository: &'a ForgeRepository,
        cancel: &'a Cancel,
    ) -> Option<Self> {
        let program = std::env::split_paths(operator.get("PATH")?)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("gh"))
            .find(|candidate| candidate.is_file())?;
        Some(Self { program, home, operator, repository, cancel })
    }

    fn forge(&self) -> String {
        format!("{} (through `gh`)", self.repository.authority)
    }

    /// A command about pull requests of the repository.
    fn run(&self, arguments: &[&str], input: &str) -> Result<String, ForgeError> {
        let repository = format!("{}/{}", self.repository.authority, self.repository.path);
        self.start(&[arguments, &["--repo", &repository]].concat(), input)
    }

    fn start(&self, arguments: &[&str], input: &str) -> Result<String, ForgeError> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.home)
            .env_clear()
            .envs(self.operator.variables_for_gh())
            .env("LC_ALL", "C")
            .env("NO_COLOR", "1")
            .env("GH_PROMPT_DISABLED", "1")
            .env("GH_NO_UPDATE_NOTIFIER", "1")
            .env("GH_PAGER", "cat")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CEILING_DIRECTORIES", self.home);
        let call = Call {
            input: input.as_bytes(),
            time_limit: GH_LIMIT,
            max_output: MAX_ANSWER_BYTES,
            cancel: Some(self.cancel),
        };
        let forge = self.forge();
        let output = process::execute(command, &call).map_err(|broken| ForgeError::Unreachable {
            forge: forge.clone(),
            detail: match broken {
                Broken::TimedOut => format!("`gh` took more than {} s", GH_LIMIT.as_secs()),
                Broken::Cancelled => "it was called off".to_owned(),
                Broken::Start(error) | Broken::Wait(error) => error.to_string(),
            },
        })?;
        if output.status.success() && !output.truncated {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(failure(forge, &output))
    }

    fn unreadable(&self, detail: &str) -> ForgeError {
        ForgeError::Unreadable { forge: self.forge(), detail: detail.to_owned() }
    }
}

impl Forge for Gh<'_> {
    fn find_open(&self, branch: &str) -> Result<Option<OpenPullRequest>, ForgeError> {
        let fields = "number,url,isCrossRepository";
        let text = self.run(&["pr", "list", "--head", branch, "--state", "open", "--json", fields], "")?;
        let list: Vec<Value> =
            serde_json::from_str(&text).map_err(|error| self.unreadable(&error.to_string()))?;
        // A fork may have a branch of the same name.
        let Some(own) = list.iter().find(|it| it["isCrossRepository"] != true) else {
            return Ok(None);
        };
        let number = own["number"].as_u64().and_then(|number| u32::try_from(number).ok());
        match (number, own["url"].as_str()) {
            (Some(number), Some(url)) => Ok(Some(OpenPullRequest { number, url: url.to_owned() })),
            _ => Err(self.unreadable("a pull request without number or address")),
        }
    }

    fn create(&self, proposal: &Proposal) -> Result<OpenPullRequest, ForgeError> {
        let Proposal { head, base, title, body } = proposal;
        // `=` keeps a title that begins with a dash from being an option.
        let title = format!("--title={title}");
        let arguments = ["pr", "create", "--head", head, "--base", base, title.as_str(), "--body-file", "-"];
        let printed = self.run(&arguments, body)?;
        address(&printed).ok_or_else(|| self.unreadable("no address of the new pull request"))
    }

    fn update(&self, existing: &OpenPullRequest, proposal: &Proposal) -> Result<(), ForgeError> {
        let (number, title) = (existing.number.to_string(), format!("--title={}", proposal.title));
        self.run(&["pr", "edit", &number, &title, "--body-file", "-"], &proposal.body).map(|_| ())
    }

    fn get(&self, resource: &str) -> Result<Value, ForgeError> {
        let address = format!("{}/{resource}", self.repository.own());
        let text = self.start(&["api", "--hostname", &self.repository.authority, &address], "")?;
        serde_json::from_str(&text).map_err(|error| self.unreadable(&error.to_string()))
    }
}

/// `gh pr create` prints the address last.
fn address(printed: &str) -> Option<OpenPullRequest> {
    let url = printed.lines().map(str::trim).rfind(|line| line.starts_with("http"))?;
    let number = url.rsplit('/').next()?.parse().ok()?;
    Some(OpenPullRequest { number, url: url.to_owned() })
}

/// `gh` ends with 4 when nobody is signed in.
fn failure(forge: String, output: &Output) -> ForgeError {
    let said = &output.message;
    let has = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    let detail = gist(said);
    if has(&["already exists"]) {
        ForgeError::Exists
    } else if output.status.code() == Some(4) || has(&["HTTP 401", "HTTP 403", "gh auth login"]) {
        ForgeError::Refused { forge, detail, remedy: SIGN_IN }
    } else if has(&["HTTP 5", "HTTP 429", "connecting to", "timeout", "no such host", "connection refused"]) {
        ForgeError::Unreachable { forge, detail }
    } else {
        ForgeError::Declined { forge, detail }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_address_is_the_last_line_that_is_one() {
        let printed = "Warning: 1 uncommitted change\n\nhttps://github.com/acme/api/pull/12\n";
        assert_eq!(address(printed).unwrap().number, 12);
        assert_eq!(address("https://github.com/acme/api/pull/new/x"), None);
        assert_eq!(address(""), None);
    }
}
