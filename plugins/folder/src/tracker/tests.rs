#![allow(clippy::unwrap_used)]

use hostler_sdk::testing::{Done, FakeHost, MemoryFiles};
use hostler_sdk::tracker::{Base, Effect, FileChange, Operation, Reply};
use hostler_sdk::{Outcome, Reason, Usage};
use serde_json::json;

use super::*;

type Answer = Box<dyn FnMut(&Effect) -> Result<Reply, Problem>>;

/// A folder, and a person who may edit it between our steps.
struct Desk {
    files: std::rc::Rc<std::cell::RefCell<MemoryFiles>>,
    host: FakeHost<Folder, Answer>,
}

impl Desk {
    fn new<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self::with_person(files, |_, _| {})
    }

    /// `person` sees every effect before it is carried out.
    fn with_person<const N: usize>(
        files: [(&str, &str); N],
        mut person: impl FnMut(&mut MemoryFiles, &Effect) + 'static,
    ) -> Self {
        let files = std::rc::Rc::new(std::cell::RefCell::new(MemoryFiles::new(files)));
        let shared = files.clone();
        let answer: Answer = Box::new(move |effect| {
            let mut files = shared.borrow_mut();
            person(&mut files, effect);
            files.answer(effect)
        });
        let mut host = FakeHost::open(&json!({}), answer).unwrap();
        host.set_now(1_795_164_228_000.0);
        Self { files, host }
    }

    fn run(&mut self, operation: Operation) -> Done {
        self.host.run(operation)
    }

    fn text(&self, name: &str) -> String {
        self.files.borrow().text(name)
    }

    fn claim(&mut self, name: &str, run: &str) -> Done {
        self.run(Operation::Claim(run_ref(name, run)))
    }

    fn heartbeat(&mut self, name: &str, run: &str) -> Vec<(String, Control)> {
        let status = RunStatus {
            at: run_ref(name, run),
            state: "running".into(),
            attempt: 1,
            elapsed: 1000,
            usage: Usage::default(),
        };
        let done = self.run(Operation::Heartbeat(vec![status]));
        assert_eq!(done.result, Some(Ok(())));
        done.controls
    }

    fn report(&mut self, name: &str, run: &str, state: &str) -> Done {
        self.run(Operation::Report((run_ref(name, run), report(state))))
    }
}

fn run_ref(name: &str, run: &str) -> RunRef {
    RunRef { run: run.into(), task: TaskFile::parse(name, "").task(), fence: 0.0 }
}

pub(crate) fn report(state: &str) -> Report {
    Report {
        state: state.into(),
        reason: String::new(),
        retryable: false,
        message: String::new(),
        summary: "Fixed it.".into(),
        branch: Some("hostler/fix".into()),
        base: Some("a".repeat(40)),
        head: Some("b".repeat(40)),
        files: vec![FileChange {
            path: "src/login.rs".into(),
            kind: "modified".into(),
            added: 3,
            removed: 1,
        }],
        attempts: 1,
        usage: Usage { input_tokens: 4000, output_tokens: 80, cached_tokens: 1000, cost_usd: Some(0.01) },
        elapsed: 65_000,
        session: None,
        provider: "claude-code".into(),
        verified: None,
        landed: None,
    }
}

fn problem(done: &Done) -> &Problem {
    done.result.as_ref().unwrap().as_ref().unwrap_err()
}

#[test]
fn tasks_to_do_are_offered_by_priority_and_then_by_name() {
    let mut desk = Desk::new([
        ("README.md", "# About"),
        ("b.md", "# B"),
        ("a.md", "# A"),
        ("c.md", "---\npriority: 5\n---\n# C"),
        ("d.md", "---\nstatus: draft\n---\n"),
        ("e.md", "---\nstatus: done\n---\n"),
        ("notes.txt", ""),
    ]);
    let done = desk.run(Operation::Poll(10));
    let titles: Vec<&str> = done.offered.iter().map(|task| &*task.title).collect();
    assert_eq!(titles, ["C", "A", "B"]);
    assert_eq!(done.pace, Some(2000));
    assert_eq!(desk.run(Operation::Poll(1)).offered.len(), 1);
}

#[test]
fn a_task_of_one_mebibyte_is_offered_and_a_larger_one_is_not() {
    let full = "x".repeat(1 << 20);
    let mut desk = Desk::new([("a.md", &*full), ("b.md", &*format!("{full}y"))]);
    let done = desk.run(Operation::Poll(10));
    assert_eq!(done.offered.len(), 1);
    assert!(done.logs[0].message.contains("b.md"));
}

#[test]
fn a_claim_marks_the_file_and_changes_nothing_else() {
    let mut desk = Desk::new([("a.md", "---\nstatus: todo # mine\nextra: 1\n---\n# A\r\n")]);
    let done = desk.claim("a.md", "run_1");
    assert_eq!(done.result, Some(Ok(())));
    assert_eq!(done.claimed[0].task.title, "A");
    assert_eq!(
        desk.text("a.md"),
        "---\nstatus: doing # mine\nextra: 1\nrun: run_1\nstarted: 2026-11-20T08:43:48Z\n---\n# A\r\n"
    );
}

#[test]
fn claiming_again_with_the_same_run_succeeds_and_with_another_does_not() {
    let mut desk = Desk::new([("a.md", "# A")]);
    desk.claim("a.md", "run_1");
    let text = desk.text("a.md");
    assert_eq!(desk.claim("a.md", "run_1").result, Some(Ok(())));
    let other = desk.claim("a.md", "run_2");
    assert_eq!(problem(&other).kind, "gone");
    assert_eq!(desk.text("a.md"), text);
}

#[test]
fn an_edit_between_reading_and_writing_is_kept() {
    let mut saved = false;
    let mut desk = Desk::with_person([("a.md", "# A\n")], move |files, effect| {
        if matches!(effect, Effect::File(hostler_sdk::files::FileRequest::Write(_))) && !saved {
            saved = true;
            files.set("a.md", "# A\nOne more thing.\n");
        }
    });
    let done = desk.claim("a.md", "run_1");
    assert_eq!(done.result, Some(Ok(())));
    assert!(desk.text("a.md").ends_with("---\n# A\nOne more thing.\n"));
    assert!(done.claimed[0].task.sections[0].body.contains("One more thing."));
}

#[test]
fn a_file_that_never_stands_still_is_a_problem_for_later() {
    let mut edits = 0;
    let mut desk = Desk::with_person([("a.md", "# A\n")], move |files, effect| {
        if matches!(effect, Effect::File(hostler_sdk::files::FileRequest::Write(_))) {
            edits += 1;
            files.set("a.md", &format!("# A {edits}\n"));
        }
    });
    let done = desk.claim("a.md", "run_1");
    assert_eq!(problem(&done).kind, "transient");
    assert_eq!(done.effects.len(), 2 * TRIES);
}

#[test]
fn a_report_ends_the_task_and_stands_in_the_file_once() {
    let mut desk = Desk::new([("a.md", "# A\n")]);
    desk.claim("a.md", "run_1");
    assert_eq!(desk.report("a.md", "run_1", "succeeded").result, Some(Ok(())));
    let text = desk.text("a.md");
    assert!(text.starts_with("---\nstatus: done\nrun: run_1\n"), "{text}");
    assert!(text.contains("\nbranch: hostler/fix\n"), "{text}");
    assert!(text.contains("# A\n\n## Report\n\n<!-- hostler run run_1 -->"), "{text}");
    assert_eq!(desk.report("a.md", "run_1", "succeeded").result, Some(Ok(())));
    assert_eq!(desk.text("a.md"), text);
    assert_eq!(desk.heartbeat("a.md", "run_1"), []);
}

#[test]
fn every_end_has_its_status() {
    for (state, status) in [("succeeded", "done"), ("failed", "failed"), ("cancelled", "cancelled")] {
        let mut desk = Desk::new([("a.md", "# A\n")]);
        desk.claim("a.md", "run_1");
        desk.report("a.md", "run_1", state);
        assert!(desk.text("a.md").contains(&format!("status: {status}\n")), "{state}");
    }
}

#[test]
fn a_second_round_sees_the_earlier_report_as_untrusted_text() {
    let mut desk = Desk::new([("a.md", "# A\n")]);
    desk.claim("a.md", "run_1");
    desk.report("a.md", "run_1", "failed");
    let again = desk.text("a.md").replace("status: failed", "status: todo");
    desk.files.borrow_mut().set("a.md", &again);
    let task = desk.run(Operation::Poll(1)).offered.remove(0);
    assert_eq!(task.sections.len(), 2);
    assert_eq!((&*task.sections[0].body, task.sections[0].trusted), ("# A", true));
    assert_eq!((&*task.sections[1].title, task.sections[1].trusted), ("Earlier reports", false));
    assert!(task.sections[1].body.contains("Fixed it."));
    assert_eq!(desk.claim("a.md", "run_2").result, Some(Ok(())));
}

#[test]
fn a_released_task_is_as_it_was() {
    let file = "---\nstatus: todo\n---\n# A\n";
    let mut desk = Desk::new([("a.md", file)]);
    desk.claim("a.md", "run_1");
    assert_eq!(desk.run(Operation::Release(run_ref("a.md", "run_1"))).result, Some(Ok(())));
    assert_eq!(desk.text("a.md"), file);
}

#[test]
fn releasing_what_is_not_ours_or_not_there_changes_nothing() {
    let mut desk = Desk::new([("a.md", "# A\n")]);
    desk.claim("a.md", "run_1");
    let text = desk.text("a.md");
    assert_eq!(desk.run(Operation::Release(run_ref("a.md", "run_2"))).result, Some(Ok(())));
    assert_eq!(desk.run(Operation::Release(run_ref("b.md", "run_2"))).result, Some(Ok(())));
    assert_eq!(desk.text("a.md"), text);
}

#[test]
fn a_running_task_that_its_owner_withdraws_is_cancelled() {
    type Edit = fn(&mut MemoryFiles);
    let edits: [(&str, Edit); 4] = [
        ("deleted or renamed", |files| files.remove("a.md")),
        ("set to cancelled", |files| files.set("a.md", "---\nstatus: cancelled\nrun: run_1\n---\n")),
        ("run line was removed", |files| files.set("a.md", "---\nstatus: doing\n---\n")),
        ("set to nothing", |files| files.set("a.md", "# A\n")),
    ];
    for (reason, edit) in edits {
        let mut desk = Desk::new([("a.md", "# A\n")]);
        desk.claim("a.md", "run_1");
        assert_eq!(desk.heartbeat("a.md", "run_1"), []);
        edit(&mut desk.files.borrow_mut());
        let words = desk.heartbeat("a.md", "run_1");
        assert!(
            matches!(&words[..], [(run, Control::Cancel(why))] if run == "run_1" && why.contains(reason)),
            "{words:?}"
        );
    }
}

#[test]
fn a_task_given_to_another_run_is_lost() {
    let mut desk = Desk::new([("a.md", "---\nstatus: doing\nrun: run_2\n---\n")]);
    let words = desk.heartbeat("a.md", "run_1");
    assert!(matches!(&words[..], [(_, Control::LeaseLost(why))] if why.contains("run_2")));
}

#[test]
fn the_owners_status_stands_when_the_report_comes() {
    let mut desk = Desk::new([("a.md", "---\nstatus: todo\n---\n# A\n")]);
    desk.claim("a.md", "run_1");
    desk.files.borrow_mut().set("a.md", "---\nstatus: draft\n---\n# A\n");
    desk.report("a.md", "run_1", "cancelled");
    assert!(desk.text("a.md").starts_with("---\nstatus: draft\n---\n# A\n\n## Report"));
}

#[test]
fn a_report_for_a_deleted_file_is_refused_for_good() {
    let mut desk = Desk::new([]);
    assert_eq!(problem(&desk.report("a.md", "run_1", "succeeded")).kind, "gone");
}

#[test]
fn a_transient_failure_is_tried_once_more_unless_the_task_says_otherwise() {
    let config = Config::from_json("{}").unwrap();
    let attempt =
        |number| Attempt { number, outcome: Outcome::failed(Reason::Server, "500"), verified: None };
    let task = |text: &str| TaskFile::parse("a.md", text).task();
    let verdict = |text: &str, attempts| {
        let history: Vec<Attempt> = (1..=attempts).map(attempt).collect();
        Folder::retry(&config, &task(text), &history)
    };
    assert!(matches!(verdict("# A", 1), Verdict::Retry(next) if !next.fresh));
    assert_eq!(verdict("# A", 2), Verdict::Finish);
    assert_eq!(verdict("---\nattempts: 1\n---\n", 1), Verdict::Finish);
    assert!(matches!(verdict("---\nattempts: 3\n---\n", 2), Verdict::Retry(_)));
}

#[test]
fn a_task_whose_pull_request_was_reviewed_is_to_do_again_and_goes_on_where_it_ended() {
    let mut desk = Desk::new([("a.md", "---\nlanding: pull-request\n---\n# A\n")]);
    desk.claim("a.md", "run_1");
    desk.report("a.md", "run_1", "succeeded");
    for _ in 0..2 {
        let word = FollowUp { number: 1, message: "1 check failed on #7: build.".into() };
        let told = desk.run(Operation::FollowUp((run_ref("a.md", "run_1"), word)));
        assert_eq!(told.result, Some(Ok(())));
    }
    let text = desk.text("a.md");
    assert_eq!(text.matches("Taken up again: 1 check failed on #7: build.\n").count(), 1, "{text}");
    let offered = desk.run(Operation::Poll(5)).offered;
    let plan = Folder::plan(&Config::from_json("{}").unwrap(), &offered[0]).unwrap();
    assert!(matches!(plan.base, Base::PreviousSession));
    assert!(offered[0].sections.iter().all(|section| !section.trusted || section.body == "# A"));
    assert_eq!(desk.claim("a.md", "run_2").result, Some(Ok(())));
    assert!(
        !desk.text("a.md").contains("follow-up"),
        "the next time its owner decides: {}",
        desk.text("a.md")
    );
}

#[test]
fn a_task_that_its_owner_gave_up_is_not_taken_up_again() {
    let mut desk = Desk::new([("a.md", "---\nstatus: draft\n---\n# A\n")]);
    let word = FollowUp { number: 1, message: "1 check failed on #7: build.".into() };
    let told = desk.run(Operation::FollowUp((run_ref("a.md", "run_1"), word)));
    assert_eq!(told.result.unwrap().unwrap_err().kind, "gone");
    assert!(desk.text("a.md").starts_with("---\nstatus: draft\n---\n"));
}
