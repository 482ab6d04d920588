#![allow(clippy::unwrap_used)]

use super::super::{Check, Remark, RemarkKind};
use super::*;
use crate::task::{Fence, RunId, Task};

const START: Timestamp = Timestamp(1_000_000);

fn task() -> Task {
    Task {
        id: "t".to_owned(),
        key: "APP-1".to_owned(),
        title: "Do it".to_owned(),
        sections: Vec::new(),
        priority: 0,
        data: "{}".to_owned(),
    }
}

fn watched() -> Watched {
    let run = RunRef { run: RunId("r".to_owned()), task: task(), fence: Fence(0) };
    let heads = vec!["old".to_owned(), "head".to_owned()];
    Watched { heads, ..Watched::new("trakkar", run, 7, START) }
}

fn seen() -> Seen {
    Seen { standing: Standing::Open, head: "head".to_owned(), checks: Vec::new(), remarks: Vec::new() }
}

fn check(id: &str, state: CheckState) -> Check {
    let text = |text: &str| text.to_owned();
    Check {
        id: text(id),
        name: text(id),
        state,
        conclusion: text("failure"),
        summary: text(""),
        link: text(""),
    }
}

fn with_checks<const N: usize>(checks: [(&str, CheckState); N]) -> Seen {
    Seen { checks: checks.map(|(id, state)| check(id, state)).to_vec(), ..seen() }
}

fn said(id: &str, voice: Voice) -> Seen {
    let remark = Remark {
        id: id.to_owned(),
        kind: RemarkKind::LineComment,
        author: "mina".to_owned(),
        voice,
        place: String::new(),
        body: "Use a map.".to_owned(),
    };
    Seen { remarks: vec![remark], ..seen() }
}

/// One look, as the daemon and the engine make it.
fn look(watched: &mut Watched, seen: &Seen, now: Timestamp) -> Decided {
    match watched.news(seen, FollowUp::All, now) {
        None => Decided::Wait,
        Some(news) => match watched.take_in(&news, FollowUp::All, now) {
            Decided::Wait => watched.decide(FollowUp::All, now),
            decided => decided,
        },
    }
}

fn told(decided: Decided) -> Told {
    match decided {
        Decided::Tell(told) => told,
        other => panic!("nothing is told: {other:?}"),
    }
}

const FAILED: [(&str, CheckState); 2] = [("build", CheckState::Failed), ("lint", CheckState::Passed)];

#[test]
fn failed_checks_are_told_when_all_have_ended_and_it_was_quiet_for_a_minute() {
    let mut watched = watched();
    let running = with_checks([("build", CheckState::Failed), ("lint", CheckState::Pending)]);
    assert_eq!(look(&mut watched, &running, START), Decided::Wait);
    assert!(!watched.is_waiting(), "one has not ended");
    let now = START + Millis::minutes(5);
    assert_eq!(look(&mut watched, &with_checks(FAILED), now), Decided::Wait);
    let almost = now + Millis(QUIET.0 - 1);
    assert_eq!(look(&mut watched, &with_checks(FAILED), almost), Decided::Wait);
    let told = told(look(&mut watched, &with_checks(FAILED), now + QUIET));
    assert_eq!((told.number, told.message.as_str()), (1, "1 check failed on #7: build."));
}

#[test]
fn a_look_that_shows_nothing_new_is_not_even_written_down() {
    let mut watched = watched();
    look(&mut watched, &with_checks(FAILED), START);
    assert_eq!(watched.news(&with_checks(FAILED), FollowUp::All, START), None);
    assert_eq!(watched.news(&said("1", Voice::Bot), FollowUp::Checks, START), None);
}

#[test]
fn every_check_and_comment_counts_once_and_a_check_that_runs_again_counts_anew() {
    let mut watched = watched();
    look(&mut watched, &with_checks(FAILED), START);
    assert_eq!(watched.hand_over().checks.len(), 1);
    let later = START + Millis::minutes(60);
    assert_eq!(look(&mut watched, &with_checks(FAILED), later), Decided::Wait);
    assert!(!watched.is_waiting());
    look(&mut watched, &with_checks([("build-2", CheckState::Failed)]), later);
    assert!(watched.is_waiting());
    look(&mut watched, &said("1", Voice::Member), later);
    look(&mut watched, &said("1", Voice::Member), later);
    let brought = watched.hand_over();
    assert_eq!((brought.checks.len(), brought.remarks.len(), brought.number), (1, 1, 7));
}

#[test]
fn only_members_are_heard_and_only_what_the_operator_wants_counts() {
    for voice in [Voice::Stranger, Voice::Bot, Voice::Ourselves] {
        let mut watched = watched();
        look(&mut watched, &said("1", voice), START);
        assert!(!watched.is_waiting(), "{voice:?}");
    }
    let both = Seen { checks: with_checks(FAILED).checks, ..said("1", Voice::Member) };
    for (follow_up, checks, remarks) in
        [(FollowUp::Off, 0, 0), (FollowUp::Checks, 1, 0), (FollowUp::Reviews, 0, 1), (FollowUp::All, 1, 1)]
    {
        let mut watched = watched();
        watched.take_in(&both, follow_up, START);
        assert_eq!((watched.brought.checks.len(), watched.brought.remarks.len()), (checks, remarks));
    }
}

#[test]
fn comments_wait_for_the_checks_but_not_for_ever() {
    let mut watched = watched();
    let pending = Seen { checks: vec![check("slow", CheckState::Pending)], ..said("1", Voice::Member) };
    look(&mut watched, &pending, START);
    let last = START + GATHERED_AT_MOST;
    assert_eq!(look(&mut watched, &pending, Timestamp(last.0 - 1)), Decided::Wait);
    assert_eq!(told(look(&mut watched, &pending, last)).message, "1 review comment on #7 by mina.");
}

#[test]
fn a_foreign_commit_stops_it_and_one_the_forge_has_not_noticed_yet_does_not() {
    let mut watched = watched();
    let old = Seen { head: "old".to_owned(), ..with_checks(FAILED) };
    assert_eq!(look(&mut watched, &old, START), Decided::Wait);
    assert!(!watched.is_waiting(), "checks of what was there before");
    let foreign = Seen { head: "foreign".to_owned(), ..with_checks(FAILED) };
    let Decided::Say(why) = look(&mut watched, &foreign, START) else { panic!("nothing is said") };
    assert!(why.contains("Somebody else pushed to pull request #7"), "{why}");
    assert!(!watched.is_watched());
}

#[test]
fn a_merged_or_closed_pull_request_is_forgotten() {
    for standing in [Standing::Merged, Standing::Closed] {
        let seen = Seen { standing, ..with_checks(FAILED) };
        assert_eq!(look(&mut watched(), &seen, START), Decided::Forget);
    }
}

#[test]
fn what_was_not_taken_is_told_again_under_its_number_and_taken_once() {
    let mut watched = watched();
    look(&mut watched, &with_checks(FAILED), START);
    let now = START + QUIET;
    let first = told(look(&mut watched, &with_checks(FAILED), now));
    assert_eq!(look(&mut watched, &with_checks(FAILED), now + QUIET), Decided::Wait, "under way");
    assert_eq!(watched.answered(1, Err(Problem::transient("busy")), now), Decided::Wait);
    let again = told(look(&mut watched, &with_checks(FAILED), now + QUIET));
    assert_eq!(again, first);
    assert_eq!(watched.answered(1, Ok(()), now), Decided::Wait);
    assert_eq!(watched.answered(1, Ok(()), now), Decided::Wait);
    assert_eq!(watched.continuations, 1);
}

#[test]
fn what_comes_after_the_word_waits_for_the_run_and_is_told_only_if_none_comes() {
    let mut watched = watched();
    look(&mut watched, &with_checks(FAILED), START);
    let now = START + QUIET;
    told(look(&mut watched, &with_checks(FAILED), now));
    watched.answered(1, Ok(()), now);
    let more = Seen { checks: with_checks(FAILED).checks, ..said("1", Voice::Member) };
    assert_eq!(look(&mut watched, &more, now + QUIET), Decided::Wait);
    assert_eq!(look(&mut watched, &more, Timestamp(now.0 - 1) + TELL_AGAIN), Decided::Wait);
    let again = told(look(&mut watched, &more, now + TELL_AGAIN));
    assert_eq!(again.number, 2);
    assert_eq!(again.message, "1 check failed on #7: build. 1 review comment by mina.");
}

#[test]
fn a_tracker_that_cannot_take_tasks_up_leaves_it_to_the_person() {
    let mut watched = watched();
    look(&mut watched, &with_checks(FAILED), START);
    told(look(&mut watched, &with_checks(FAILED), START + QUIET));
    let unsupported = Problem::new(ProblemKind::Unsupported, "no");
    let said = watched.answered(1, Err(unsupported), START + QUIET);
    let wanted =
        "trakkar cannot take APP-1 up by itself: reply in the task to go on. 1 check failed on #7: build.";
    assert_eq!(said, Decided::Say(wanted.to_owned()));
    assert!(watched.is_waiting(), "a reply gets it");
    assert_eq!(watched.continuations, 0);
}

#[test]
fn after_five_continuations_only_a_person_has_the_task_go_on() {
    let mut watched = watched();
    let mut now = START;
    for round in 1..=MAX_CONTINUATIONS {
        let id = format!("build-{round}");
        look(&mut watched, &with_checks([(&id, CheckState::Failed)]), now);
        now = now + QUIET;
        told(look(&mut watched, &with_checks([(&id, CheckState::Failed)]), now));
        watched.answered(round, Ok(()), now);
        watched.hand_over();
        watched.stage = Stage::Watching;
    }
    look(&mut watched, &with_checks([("last", CheckState::Failed)]), now);
    let Decided::Say(why) = look(&mut watched, &with_checks([("last", CheckState::Failed)]), now + QUIET)
    else {
        panic!("one more than {MAX_CONTINUATIONS}")
    };
    assert!(why.contains("was taken up 5 times"), "{why}");
    assert!(watched.is_waiting() && !watched.is_watched());
}

#[test]
fn a_conversation_at_the_limit_is_followed_and_a_longer_one_is_not() {
    for (count, goes_on) in [(MAX_COUNTED - 1, true), (MAX_COUNTED, false)] {
        let mut watched = watched();
        watched.counted = (0..count).map(|id| id.to_string()).collect();
        look(&mut watched, &said("new", Voice::Member), START);
        assert_eq!(watched.is_watched(), goes_on, "{count}");
    }
}

#[test]
fn at_most_a_hundred_findings_wait_for_an_agent() {
    let mut watched = watched();
    let many = |from: usize| Seen {
        checks: (from..from + MAX_FINDINGS).map(|id| check(&id.to_string(), CheckState::Failed)).collect(),
        ..seen()
    };
    look(&mut watched, &many(0), START);
    look(&mut watched, &many(MAX_FINDINGS), START);
    assert_eq!(watched.brought.checks.len(), MAX_FINDINGS);
}
