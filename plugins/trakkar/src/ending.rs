//! What the server is told at the end of a run.

use hostler_sdk::Usage;
use hostler_sdk::tracker::{Landed, Report, Verification};
use serde::Serialize;

use crate::redact::speakable;
use crate::text::{head, one_line, tail};

/// The server takes so many characters of a summary.
const SUMMARY_CHARS: usize = 4_000;

/// So much of what a CLI or git said goes into an error.
const ERROR_CHARS: usize = 500;

/// So much of the end of a verify command's output is shown.
const VERIFY_CHARS: usize = 2_000;

/// The user pressed Stop.
pub const STOPPED: &str = "stopped in Trakkar";

/// A reply was to go on in the session of the run before.
const NEW_SESSION: &str =
    "The agent worked in a new conversation: the earlier one could not be gone on with.";

/// Where an agent said nothing at its end.
const NO_SUMMARY: &str = "The agent finished without a closing word.";

/// How a run ends, in the server's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// To be told before the end.
    pub pull_request: Option<PullRequest>,
    /// What the verify command found, for the task.
    pub verification: Option<String>,
    /// Anything else for the task, a line each.
    pub notes: Vec<String>,
    /// The end itself.
    pub finish: Finish,
}

/// An opened pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PullRequest {
    /// At the forge.
    pub url: String,
    /// At the forge.
    pub number: u32,
    /// Whose work it is.
    pub branch: String,
    /// One line.
    pub title: String,
}

/// The body of `finish`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finish {
    /// `pr_opened`, `no_changes`, `verify_failed`, `failed`, `stopped` or `runner_closed`.
    pub outcome: &'static str,
    /// The agent's words, the branch and the verification.
    pub summary: String,
    /// The CLI's session, for a reply.
    pub session_ref: Option<String>,
    /// Whether a reply can go on in the same folder.
    pub workspace_kept: bool,
    /// What went wrong, beginning with a word for programs.
    pub error: Option<String>,
    /// As far as the CLI counts.
    pub usage: Option<Used>,
}

/// What a run used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Used {
    /// Cached ones included.
    pub input_tokens: u32,
    /// Reasoning included.
    pub output_tokens: u32,
    /// US dollars, where the CLI says so.
    pub cost_usd: Option<f64>,
}

impl Ending {
    /// The ending that a report stands for; `resumed` is the session that the run was to
    /// go on with.
    pub fn of(report: &Report, title: &str, resumed: Option<&str>) -> Self {
        let pull_request = pull_request(report, title);
        let (outcome, error) = outcome(report, pull_request.is_some());
        let finish = Finish {
            outcome,
            summary: summary(report),
            session_ref: report.session.clone().filter(|session| !session.is_empty()),
            // It goes once its work is in a pull request; without a branch there never was one.
            workspace_kept: outcome != "pr_opened" && branch(report).is_some(),
            error: error.map(|error| head(&one_line(&speakable(&error)), ERROR_CHARS)),
            usage: used(&report.usage),
        };
        Self {
            pull_request,
            verification: report.verified.as_ref().map(verification),
            notes: [
                again(report),
                new_session(report, resumed),
                report.landed.as_ref().and_then(compare_link),
            ]
            .into_iter()
            .flatten()
            .collect(),
            finish,
        }
    }
}

fn again(report: &Report) -> Option<String> {
    let attempts = report.attempts;
    (attempts > 1)
        .then(|| format!("It took {attempts} attempts; those before the last ended without a result."))
}

fn new_session(report: &Report, resumed: Option<&str>) -> Option<String> {
    let session = report.session.as_deref()?;
    resumed.filter(|resumed| *resumed != session).map(|_| NEW_SESSION.to_owned())
}

fn branch(report: &Report) -> Option<&str> {
    report.branch.as_deref().filter(|branch| !branch.is_empty())
}

fn pull_request(report: &Report, title: &str) -> Option<PullRequest> {
    let landed = report.landed.as_ref().filter(|landed| landed.kind == "pull-request")?;
    let url = landed.url.clone()?;
    let number = landed.number.or_else(|| url.rsplit('/').next()?.parse().ok()).unwrap_or_default();
    Some(PullRequest {
        url,
        number,
        branch: report.branch.clone().unwrap_or_default(),
        title: title.to_owned(),
    })
}

/// The server's name of the outcome, and what went wrong.
fn outcome(report: &Report, has_pull_request: bool) -> (&'static str, Option<String>) {
    let said = report.message.trim();
    match (report.state.as_str(), report.reason.as_str()) {
        ("succeeded", _) if has_pull_request => ("pr_opened", None),
        ("succeeded", _) if report.files.is_empty() => ("no_changes", None),
        ("succeeded", _) => ("failed", Some(not_opened(report))),
        (_, "stopping") => ("runner_closed", Some(format!("the runner was closed: {said}"))),
        ("cancelled", _) if said == STOPPED => ("stopped", None),
        ("cancelled", _) => ("stopped", Some(format!("stopped on the runner's machine: {said}"))),
        (_, "verify-failed") => ("verify_failed", Some(said.to_owned())),
        (_, "landing") => ("failed", Some(format!("pr_not_opened: {said}"))),
        (_, "quota") => (
            "failed",
            Some(format!(
                "quota_exhausted: the credit for the agent is used up ({said}); once it is renewed, a reply goes on where this ended"
            )),
        ),
        (_, "auth") => {
            ("failed", Some(format!("auth: the CLI is not logged in on the runner's machine: {said}")))
        }
        (_, reason) => ("failed", Some(format!("{reason}: {said}"))),
    }
}

/// The work is there, but nobody opened a pull request.
fn not_opened(report: &Report) -> String {
    match &report.landed {
        Some(landed) if !landed.note.is_empty() => format!("pr_not_opened: {}", landed.note),
        Some(Landed { kind, .. }) if kind == "pushed" => {
            "pr_not_opened: the branch is pushed; open the pull request by the link in the task".to_owned()
        }
        _ => "pr_not_opened: the work stays on its branch on the runner's machine, whose operator allows no pull request"
            .to_owned(),
    }
}

/// The link that opens a pull request by hand.
fn compare_link(landed: &Landed) -> Option<String> {
    let url = landed.url.as_ref().filter(|_| landed.kind == "pushed")?;
    Some(format!("The branch is pushed, but no pull request was opened. Open it here: {url}"))
}

fn verification(found: &Verification) -> String {
    let line = one_line(&speakable(&found.summary));
    if found.passed {
        return line;
    }
    // Cut after the redaction, so that no half of a secret is left.
    let output = speakable(&found.tail);
    match output.trim() {
        "" => line,
        output => format!("{line}\n{}", tail(output, VERIFY_CHARS)),
    }
}

/// The agent's words, then the branch and the verification: always whole.
fn summary(report: &Report) -> String {
    let spoken = speakable(report.summary.trim());
    let spoken = match spoken.trim() {
        "" if report.state == "succeeded" => NO_SUMMARY,
        spoken => spoken,
    };
    // Of a branch without work on it there is nothing to say.
    let branch = branch(report).filter(|_| !report.files.is_empty());
    let verified = report.verified.as_ref().map(|found| one_line(&speakable(&found.summary)));
    let facts: Vec<String> =
        branch.map(|branch| format!("Branch `{branch}`.")).into_iter().chain(verified).collect();
    let facts = head(&facts.join(" "), ERROR_CHARS);
    if facts.is_empty() || spoken.is_empty() {
        return head(&format!("{spoken}{facts}"), SUMMARY_CHARS);
    }
    let room = SUMMARY_CHARS - facts.chars().count() - 2;
    format!("{}\n\n{facts}", head(spoken, room))
}

fn used(usage: &Usage) -> Option<Used> {
    // A CLI that does not count says nothing; zero would be a claim.
    let counted = usage.input_tokens > 0 || usage.output_tokens > 0 || usage.cost_usd.is_some();
    counted.then_some(Used {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cost_usd: usage.cost_usd,
    })
}

#[cfg(test)]
mod tests;
