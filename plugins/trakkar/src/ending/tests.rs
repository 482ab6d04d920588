#![allow(clippy::unwrap_used)]

use hostler_sdk::tracker::FileChange;

use super::*;

fn report(state: &str, reason: &str, message: &str) -> Report {
    Report {
        state: state.into(),
        reason: reason.into(),
        retryable: false,
        message: message.into(),
        summary: "Added the export.".into(),
        branch: Some("trakkar/t_88-add".into()),
        base: None,
        head: None,
        files: vec![FileChange { path: "a.ts".into(), kind: "added".into(), added: 1, removed: 0 }],
        attempts: 1,
        usage: Usage { input_tokens: 10, output_tokens: 2, cached_tokens: 1, cost_usd: Some(0.25) },
        elapsed: 1_000,
        session: Some("s1".into()),
        provider: "claude-code".into(),
        verified: None,
        landed: None,
    }
}

fn landed(kind: &str, url: Option<&str>, note: &str) -> Option<Landed> {
    Some(Landed { kind: kind.into(), url: url.map(str::to_owned), number: Some(7), note: note.into() })
}

fn opened() -> Report {
    let url = Some("https://github.com/acme/api/pull/7");
    Report { landed: landed("pull-request", url, ""), ..report("succeeded", "", "") }
}

fn finish(report: &Report) -> Finish {
    Ending::of(report, "Add", None).finish
}

#[test]
fn an_opened_pull_request_is_told_with_number_branch_and_title() {
    let ending = Ending::of(&opened(), "Add CSV export", None);
    let expected = PullRequest {
        url: "https://github.com/acme/api/pull/7".into(),
        number: 7,
        branch: "trakkar/t_88-add".into(),
        title: "Add CSV export".into(),
    };
    assert_eq!(ending.pull_request, Some(expected));
    let expected = Finish {
        outcome: "pr_opened",
        summary: "Added the export.\n\nBranch `trakkar/t_88-add`.".into(),
        session_ref: Some("s1".into()),
        workspace_kept: false,
        error: None,
        usage: Some(Used { input_tokens: 10, output_tokens: 2, cost_usd: Some(0.25) }),
    };
    assert_eq!(ending.finish, expected);
}

#[test]
fn a_further_attempt_and_a_new_conversation_are_shown_in_the_task() {
    let notes = |attempts, resumed| {
        let report = Report { attempts, ..opened() };
        Ending::of(&report, "", resumed).notes
    };
    assert_eq!(notes(1, None), [""; 0]);
    assert_eq!(notes(1, Some("s1")), [""; 0]);
    assert!(notes(2, Some("s1"))[0].starts_with("It took 2 attempts"));
    assert!(notes(1, Some("s0"))[0].contains("a new conversation"));
}

#[test]
fn a_run_without_a_workspace_keeps_none() {
    let report = Report { branch: None, files: Vec::new(), ..report("failed", "workspace", "no fetch") };
    assert!(!finish(&report).workspace_kept);
}

#[test]
fn the_number_of_a_pull_request_is_read_from_its_address_if_it_is_missing() {
    let mut report = opened();
    report.landed.as_mut().unwrap().number = None;
    assert_eq!(Ending::of(&report, "", None).pull_request.unwrap().number, 7);
}

#[test]
fn every_end_has_its_outcome_and_failures_keep_the_workspace() {
    let nothing = Report { files: Vec::new(), ..report("succeeded", "", "") };
    for (report, outcome, kept) in [
        (opened(), "pr_opened", false),
        (nothing, "no_changes", true),
        (report("succeeded", "", ""), "failed", true),
        (report("failed", "verify-failed", "npm test failed"), "verify_failed", true),
        (report("failed", "landing", "push refused"), "failed", true),
        (report("failed", "exit-code", "exit code 1"), "failed", true),
        (report("failed", "quota", "limit"), "failed", true),
        (report("cancelled", "cancelled", STOPPED), "stopped", true),
        (report("cancelled", "stopping", "The host is stopping."), "runner_closed", true),
    ] {
        let finish = finish(&report);
        assert_eq!((finish.outcome, finish.workspace_kept), (outcome, kept), "{report:?}");
    }
}

#[test]
fn an_error_names_the_reason_and_a_stop_has_none() {
    let error = |report: &Report| finish(report).error.unwrap_or_default();
    assert_eq!(error(&report("failed", "exit-code", "Claude ended.")), "exit-code: Claude ended.");
    assert_eq!(error(&report("failed", "landing", "push refused")), "pr_not_opened: push refused");
    assert_eq!(error(&report("cancelled", "cancelled", STOPPED)), "");
    assert!(error(&report("cancelled", "cancelled", "by ada")).contains("on the runner's machine: by ada"));
    assert!(
        error(&report("failed", "auth", "Not logged in")).contains("not logged in on the runner's machine")
    );
}

#[test]
fn used_up_credit_is_told_clearly_and_how_it_goes_on() {
    let error = finish(&report("failed", "quota", "You've hit your monthly limit")).error.unwrap();
    assert!(error.starts_with("quota_exhausted: "), "{error}");
    assert!(error.contains("monthly limit") && error.contains("a reply goes on"), "{error}");
}

#[test]
fn a_branch_that_is_only_pushed_fails_with_a_link_that_opens_the_pull_request() {
    let link = Some("https://github.com/acme/api/compare/x");
    let pushed = Report { landed: landed("pushed", link, "gh is missing"), ..report("succeeded", "", "") };
    let ending = Ending::of(&pushed, "", None);
    assert_eq!(ending.finish.error.as_deref(), Some("pr_not_opened: gh is missing"));
    assert!(ending.notes[0].ends_with("https://github.com/acme/api/compare/x"));
    assert_eq!(ending.pull_request, None);
    let silent = Report { landed: landed("pushed", link, ""), ..report("succeeded", "", "") };
    assert!(finish(&silent).error.unwrap().contains("by the link in the task"));
    assert!(finish(&report("succeeded", "", "")).error.unwrap().contains("allows no pull request"));
}

#[test]
fn the_end_of_a_failed_verification_is_shown_and_a_passed_one_is_one_line() {
    let found = |passed, tail: &str| {
        let verified =
            Verification { passed, summary: "`npm test` failed with code 1.".into(), tail: tail.into() };
        let report = Report { verified: Some(verified), ..report("failed", "verify-failed", "") };
        Ending::of(&report, "", None).verification.unwrap()
    };
    assert_eq!(found(true, "lots of output"), "`npm test` failed with code 1.");
    assert_eq!(found(false, "in /home/ada/x\n"), "`npm test` failed with code 1.\nin <path>");
    let output = |length| found(false, &"x".repeat(length)).lines().nth(1).unwrap().to_owned();
    assert_eq!(output(VERIFY_CHARS), "x".repeat(VERIFY_CHARS));
    assert_eq!(output(VERIFY_CHARS + 1), format!("…{}", "x".repeat(VERIFY_CHARS - 1)));
}

#[test]
fn neither_code_nor_paths_nor_secrets_are_in_summary_and_error() {
    let mut report = report("failed", "exit-code", "broken in /home/ada/api with sk-0123456789");
    report.summary = "Wrote:\n```\nconst secret = 1;\n```\nin /home/ada/api/x.ts".into();
    let finish = finish(&report);
    let told = format!("{} {}", finish.summary, finish.error.unwrap());
    for hidden in ["const", "/home", "sk-0123"] {
        assert!(!told.contains(hidden), "{told}");
    }
}

#[test]
fn a_summary_is_at_most_four_thousand_characters_and_still_names_the_branch() {
    let facts = "\n\nBranch `trakkar/t_88-add`.";
    let told = |length: usize| {
        finish(&Report { summary: "ä".repeat(length), ..report("succeeded", "", "") }).summary
    };
    let room = SUMMARY_CHARS - facts.chars().count();
    assert_eq!(told(room), format!("{}{facts}", "ä".repeat(room)));
    assert_eq!(told(room + 1), format!("{}…{facts}", "ä".repeat(room - 1)));
    assert_eq!(told(room + 1).chars().count(), SUMMARY_CHARS);
}

#[test]
fn a_success_without_a_word_says_so_and_a_failure_names_its_branch_only() {
    let silent = |state| finish(&Report { summary: " ".into(), ..report(state, "", "") }).summary;
    assert!(silent("succeeded").starts_with(NO_SUMMARY));
    assert_eq!(silent("failed"), "Branch `trakkar/t_88-add`.");
}

#[test]
fn a_branch_without_work_is_not_named() {
    let nothing = Report { files: Vec::new(), ..report("succeeded", "", "") };
    assert_eq!(finish(&nothing).summary, "Added the export.");
}

#[test]
fn what_a_cli_does_not_count_is_left_out() {
    let uncounted = Report { usage: Usage::default(), ..report("succeeded", "", "") };
    assert_eq!(finish(&uncounted).usage, None);
}
