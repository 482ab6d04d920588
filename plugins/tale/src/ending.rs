//! What the server is told at the end of a run.

use hostler_sdk::Usage;
use hostler_sdk::tracker::Report;
use serde::Serialize;

use crate::diff_stat;
use crate::text::{head, one_line, tail, without_paths};

/// The server stores so many characters of a summary.
const SUMMARY_CHARS: usize = 10_000;

/// So much of what a CLI said goes into an error; the server shows 300 and stores 500
/// characters of the whole.
const EXCERPT_CHARS: usize = 400;

/// The server refuses an empty summary.
const NO_SUMMARY: &str = "The agent finished without a closing word.";

/// What stands above the summary of a revision that could not go on in its session.
const WITHOUT_SESSION: &str =
    "(The earlier session could not be resumed, so the agent began without it.)\n\n";

/// Why a run ends that somebody cancelled in Tale. The server's own daemon says the same.
pub const CANCELLED: &str = "cancelled by server request";

/// How a run ends, in the server's words.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It went well.
    Complete(Completion),
    /// It did not.
    Fail(Failure),
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    /// Never empty.
    pub summary: String,
    /// What changed, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff_stat: Option<String>,
    /// The CLI's session, for a later revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_ref: Option<String>,
    /// What it used, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Used>,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u32>,
    /// Whole cents, rounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_cents: Option<u32>,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// One line; no path of this machine.
    pub error: String,
    /// Whether the server may try once more.
    pub retryable: bool,
}

impl Failure {
    /// A failure in one sentence.
    pub fn new(error: &str, retryable: bool) -> Self {
        Self { error: one_line(&without_paths(error)), retryable }
    }
}

impl Ending {
    /// The ending that a report stands for. `resumed` is the session in which the run
    /// was to go on, if it was.
    pub fn of(report: &Report, resumed: Option<&str>) -> Self {
        if report.state == "succeeded" {
            let note = if began_anew(report, resumed) { WITHOUT_SESSION } else { "" };
            return Self::Complete(Completion {
                summary: summary(note, &report.summary),
                diff_stat: diff_stat::of(report),
                session_ref: report.session.clone().filter(|session| !session.is_empty()),
                usage: used(&report.usage),
            });
        }
        Self::Fail(Failure::new(&error(report), is_retryable(report)))
    }

    /// Whether the server may hand the run out again after it has taken this.
    pub fn may_come_back(&self) -> bool {
        matches!(self, Self::Fail(Failure { retryable: true, .. }))
    }
}

fn summary(note: &str, text: &str) -> String {
    let text = match text.trim() {
        "" => NO_SUMMARY,
        text => text,
    };
    head(&format!("{note}{text}"), SUMMARY_CHARS)
}

/// Whether the session was refused: only then is there a second attempt, and one in
/// another session.
fn began_anew(report: &Report, resumed: Option<&str>) -> bool {
    resumed.is_some() && report.attempts > 1 && report.session.as_deref() != resumed
}

fn used(usage: &Usage) -> Option<Used> {
    // A CLI that does not count says nothing; zero would be a claim.
    let counted = usage.input_tokens > 0 || usage.output_tokens > 0;
    let used = Used {
        input_tokens: counted.then_some(usage.input_tokens),
        output_tokens: counted.then_some(usage.output_tokens),
        cost_cents: usage.cost_usd.and_then(cents),
    };
    (used != Used::default()).then_some(used)
}

fn cents(dollars: f64) -> Option<u32> {
    let cents = (dollars * 100.0).round();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and `as` saturates"
    )]
    let whole = cents as u32;
    (cents.is_finite() && cents >= 0.0).then_some(whole)
}

/// A run that reached its time would reach it again, and nobody wants one back that
/// was cancelled or that cannot start here.
fn is_retryable(report: &Report) -> bool {
    match report.reason.as_str() {
        "timed-out" | "cancelled" | "could-not-start" | "refused" | "budget" => false,
        "exit-code" | "interrupted" | "stopping" => true,
        _ => report.retryable && report.state != "cancelled",
    }
}

fn error(report: &Report) -> String {
    let message = report.message.trim();
    let said = head(message, EXCERPT_CHARS);
    match report.reason.as_str() {
        "cancelled" if message == CANCELLED => CANCELLED.to_owned(),
        "cancelled" => format!("cancelled on the daemon's machine: {said}"),
        "stopping" | "interrupted" => format!("CLI run was interrupted: {said}"),
        "timed-out" => "CLI run timed out locally".to_owned(),
        "stalled" => "CLI said nothing for too long and was ended".to_owned(),
        "could-not-start" => {
            let why = message.strip_prefix("The agent could not be started: ").unwrap_or(message);
            format!("CLI could not be started: {}", head(why, EXCERPT_CHARS))
        }
        "exit-code" => exit(message, &report.summary),
        "auth" => format!("CLI is not logged in on the daemon's machine: {said}"),
        "quota" => format!("CLI has used up its account's allowance: {said}"),
        "budget" => format!("run used up its budget: {said}"),
        "refused" if message.is_empty() => "the daemon cannot do this run".to_owned(),
        "refused" | "workspace" | "plugin" | "lost" => said,
        "" => format!("run failed: {said}"),
        reason => format!("CLI failed ({reason}): {said}"),
    }
}

/// The code from the message of a provider plugin, such as `Codex ended with exit
/// code 3: no space left`, and what it said besides.
fn exit(message: &str, summary: &str) -> String {
    let Some((_, after)) = message.split_once("exit code ") else {
        return format!("CLI failed: {}", head(message, EXCERPT_CHARS));
    };
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (code, rest) = after.split_at(digits);
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "):.,".contains(c)).trim();
    let excerpt = match (rest, summary.trim()) {
        ("", "") => "it said nothing".to_owned(),
        ("", summary) => tail(summary, EXCERPT_CHARS),
        (rest, _) => head(rest, EXCERPT_CHARS),
    };
    format!("CLI exited with code {code}: {excerpt}")
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::text::units;

    pub(crate) fn report(state: &str, reason: &str) -> Report {
        Report {
            state: state.into(),
            reason: reason.into(),
            retryable: false,
            message: String::new(),
            summary: "Fixed it.".into(),
            branch: Some("tale/run-1w6y3z5a7b".into()),
            base: Some("a".repeat(40)),
            head: Some("b".repeat(40)),
            files: Vec::new(),
            attempts: 1,
            usage: Usage { input_tokens: 4_000, output_tokens: 80, cached_tokens: 0, cost_usd: Some(0.125) },
            elapsed: 65_000,
            session: Some("s1".into()),
            provider: "claude-code".into(),
            verified: None,
            landed: None,
        }
    }

    fn failure(reason: &str, message: &str) -> Failure {
        let mut report = report("failed", reason);
        report.message = message.into();
        let Ending::Fail(failure) = Ending::of(&report, None) else { panic!("{reason} is no failure") };
        failure
    }

    fn completion(report: &Report) -> Completion {
        let Ending::Complete(completion) = Ending::of(report, None) else { panic!("no completion") };
        completion
    }

    #[test]
    fn a_success_carries_summary_session_tokens_and_cost_in_rounded_cents() {
        let json = serde_json::to_value(completion(&report("succeeded", ""))).unwrap();
        let expected = serde_json::json!({
            "summary": "Fixed it.", "sessionRef": "s1",
            "usage": {"inputTokens": 4000, "outputTokens": 80, "costCents": 13}
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn what_a_cli_does_not_count_is_left_out() {
        let mut tokens_only = report("succeeded", "");
        tokens_only.usage.cost_usd = None;
        let json = serde_json::to_value(completion(&tokens_only)).unwrap();
        assert_eq!(json["usage"], serde_json::json!({"inputTokens": 4000, "outputTokens": 80}));
        let mut nothing = report("succeeded", "");
        nothing.usage = Usage::default();
        assert_eq!(completion(&nothing).usage, None);
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(cents(odd), None);
        }
    }

    #[test]
    fn a_summary_is_never_empty_and_at_most_ten_thousand_characters() {
        assert_eq!(summary("", " \n"), NO_SUMMARY);
        assert_eq!(summary("", &"s".repeat(SUMMARY_CHARS)), "s".repeat(SUMMARY_CHARS));
        for note in ["", WITHOUT_SESSION] {
            assert_eq!(units(&summary(note, &"s".repeat(SUMMARY_CHARS + 1))), SUMMARY_CHARS);
        }
    }

    #[test]
    fn a_revision_whose_session_was_refused_says_so() {
        let told = |attempts, session: &str, resumed| {
            let mut report = report("succeeded", "");
            (report.attempts, report.session) = (attempts, Some(session.into()));
            let Ending::Complete(completion) = Ending::of(&report, resumed) else { panic!("no completion") };
            completion.summary
        };
        assert_eq!(told(2, "s2", Some("s1")), format!("{WITHOUT_SESSION}Fixed it."));
        assert_eq!(told(1, "s1", Some("s1")), "Fixed it.");
        assert_eq!(told(2, "s1", Some("s1")), "Fixed it.", "interrupted, and gone on with");
        assert_eq!(told(2, "s2", None), "Fixed it.", "there was none to resume");
    }

    #[test]
    fn reasons_are_told_apart_in_the_error() {
        for (reason, message, error, retryable) in [
            ("timed-out", "The attempt reached its time limit.", "CLI run timed out locally", false),
            (
                "could-not-start",
                "The agent could not be started: claude is missing.",
                "CLI could not be started: claude is missing.",
                false,
            ),
            (
                "exit-code",
                "The command ended with exit code 3: no space",
                "CLI exited with code 3: no space",
                true,
            ),
            (
                "exit-code",
                "Codex said it was finished, but ended with exit code 1.",
                "CLI exited with code 1: Fixed it.",
                true,
            ),
            ("exit-code", "Something else.", "CLI failed: Something else.", true),
            ("interrupted", "The host was stopped.", "CLI run was interrupted: The host was stopped.", true),
            ("server", "The model failed.", "CLI failed (server): The model failed.", false),
            (
                "refused",
                "Not done here: the task asks for repository `x`.",
                "Not done here: the task asks for repository `x`.",
                false,
            ),
        ] {
            let expected = Failure { error: error.into(), retryable };
            assert_eq!(failure(reason, message), expected);
        }
    }

    #[test]
    fn a_failure_that_is_not_in_the_table_is_retryable_where_the_host_says_so() {
        let mut report = report("failed", "network");
        assert!(!is_retryable(&report));
        report.retryable = true;
        assert!(is_retryable(&report));
        report.reason = "timed-out".into();
        assert!(!is_retryable(&report));
    }

    #[test]
    fn a_cancelled_run_says_who_cancelled_it_and_does_not_come_back() {
        let mut report = report("cancelled", "cancelled");
        report.retryable = true;
        for (message, error) in [
            (CANCELLED, "cancelled by server request"),
            ("Stopped by the operator.", "cancelled on the daemon's machine: Stopped by the operator."),
        ] {
            report.message = message.into();
            let ending = Ending::of(&report, None);
            assert_eq!(ending, Ending::Fail(Failure { error: error.into(), retryable: false }));
            assert!(!ending.may_come_back());
        }
    }

    #[test]
    fn no_path_of_this_machine_is_in_an_error() {
        let told = failure("workspace", "The workspace could not be used: /home/ada/app is locked.");
        assert_eq!(told.error, "The workspace could not be used: <path> is locked.");
    }

    #[test]
    fn an_excerpt_at_the_limit_is_whole_and_a_longer_one_is_cut() {
        let told =
            |length: usize| failure("exit-code", &format!("exit code 1: {}", "e".repeat(length))).error;
        let before = "CLI exited with code 1: ";
        assert_eq!(told(EXCERPT_CHARS), format!("{before}{}", "e".repeat(EXCERPT_CHARS)));
        assert_eq!(units(&told(EXCERPT_CHARS + 1)), before.len() + EXCERPT_CHARS);
    }
}
