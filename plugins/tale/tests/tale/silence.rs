//! A claim whose answer was lost may have been granted. Whatever else happens, no
//! sign of life of the whole host must keep that run from being handed out again.

use hostler_sdk::tracker::{Claim, Effect, Operation};
use proptest::prelude::*;
use serde_json::json;

use crate::fake_tale::{Answer, handed_out, run};
use crate::stage::{START, Stage};

/// The server's sweep, two minutes after a claim, and a reserve.
const SILENCE: f64 = 135_000.0;

const LOST: [Answer; 5] = [
    Answer::Cut,
    Answer::Text(502, "<html>"),
    Answer::Text(200, "<html>"),
    Answer::Text(200, "{}"),
    Answer::Text(200, r#"{"run":{"taskId":"t"},"retryAfterMs":3000}"#),
];

#[test]
fn after_every_kind_of_lost_claim_the_host_is_silent_and_then_is_not() {
    for lost in LOST {
        let mut stage = Stage::new();
        stage.at_second(20.0);
        stage.next("claim", lost.clone());
        stage.poll(1);
        stage.at_second(154.999);
        stage.heartbeat(&[]);
        assert!(stage.bodies("runtimes/heartbeat").is_empty(), "{lost:?}");
        stage.at_second(155.0);
        stage.heartbeat(&[]);
        assert_eq!(stage.bodies("runtimes/heartbeat").len(), 1, "{lost:?}");
    }
}

#[test]
fn a_claim_that_was_answered_costs_no_sign_of_life() {
    for answer in [
        Answer::Limited(None),
        Answer::error(401, "no"),
        Answer::error(400, "no"),
        Answer::Denied,
        handed_out("one"),
        Answer::ok(json!({ "run": null })),
    ] {
        let mut stage = Stage::new();
        stage.next("claim", answer.clone());
        stage.poll(1);
        stage.at_second(15.0);
        stage.heartbeat(&[]);
        assert_eq!(stage.bodies("runtimes/heartbeat").len(), 1, "{answer:?}");
    }
}

#[test]
fn known_runs_keep_their_leases_and_hear_of_cancellation_during_the_silence() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("claim", Answer::Cut);
    stage.poll(1);
    for second in 1..13 {
        stage.at_second(f64::from(second) * 10.0);
        assert_eq!(stage.word_on(&claim).len(), 1);
    }
    stage.at_second(130.0);
    stage.next("/events", Answer::ok(json!({ "ok": true, "cancelRequested": true })));
    assert_eq!(stage.word_on(&claim).len(), 2);
    assert!(stage.bodies("runtimes/heartbeat").is_empty());
}

/// A server's view of one run: leases last a minute and are renewed by every sign of
/// life; expired ones are noticed two minutes after the claim and not before.
#[derive(Default)]
struct Lease {
    claimed_at: Option<f64>,
    until: f64,
}

impl Lease {
    fn sign_of_life(&mut self, now: f64) {
        if self.claimed_at.is_some() {
            self.until = now + 60_000.0;
        }
    }

    fn sweep(&mut self, now: f64) {
        if self.claimed_at.is_some_and(|at| at + 120_000.0 <= now) && self.until <= now {
            self.claimed_at = None;
        }
    }
}

#[test]
fn a_run_whose_claim_was_lost_comes_back() {
    let mut stage = Stage::new();
    let mut lease = Lease::default();
    let mut seen = stage.tale.borrow().seen.len();
    for second in (0..300).step_by(5) {
        let now = START + f64::from(second) * 1e3;
        stage.set_now(now);
        lease.sweep(now);
        if second % 15 == 0 {
            if lease.claimed_at.is_none() {
                let first = second == 0;
                stage.next("claim", if first { Answer::Cut } else { handed_out("one") });
                lease = Lease { claimed_at: Some(now), until: now + 60_000.0 };
            }
            if !stage.poll(1).claimed.is_empty() {
                assert!((120..=135).contains(&second), "{second}");
                return;
            }
        }
        stage.heartbeat(&[]);
        let tale = stage.tale.borrow();
        if tale.seen[seen..].iter().any(|seen| seen.path.starts_with("runtimes/")) {
            lease.sign_of_life(now);
        }
        seen = tale.seen.len();
    }
    panic!("the run never came back");
}

/// One thing that happens to the host.
#[derive(Clone, Debug)]
enum Happening {
    Poll(Option<usize>),
    Given,
    Heartbeat,
    Register,
    Report { lost: bool },
    Release { lost: bool },
    Forgotten,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => prop::option::of(0..LOST.len()).prop_map(Happening::Poll),
        2 => Just(Happening::Given),
        8 => Just(Happening::Heartbeat),
        1 => Just(Happening::Register),
        1 => any::<bool>().prop_map(|lost| Happening::Report { lost }),
        1 => any::<bool>().prop_map(|lost| Happening::Release { lost }),
        1 => Just(Happening::Forgotten),
    ]
}

/// Lets it happen; says whether a claim was lost.
fn happen(stage: &mut Stage, held: &mut Vec<Claim>, number: usize, happening: &Happening) -> bool {
    match happening {
        Happening::Poll(Some(lost)) => {
            stage.next("claim", LOST[*lost].clone());
            // The poll may hold back; then the answer must not lie in wait.
            let sent = stage.poll(1).effects.iter().any(is_claim);
            assert!(sent, "nothing was under way that a poll waits for");
            return true;
        }
        Happening::Poll(None) => drop(stage.poll(2)),
        Happening::Given => {
            let mut run = run(&format!("run{number}"));
            run["taskId"] = json!(number.to_string());
            stage.next("claim", Answer::ok(json!({ "run": run })));
            held.extend(stage.poll(1).claimed);
        }
        Happening::Heartbeat => {
            let held: Vec<(&Claim, &str)> = held.iter().map(|claim| (claim, "running")).collect();
            stage.heartbeat(&held);
        }
        Happening::Register => drop(stage.register()),
        Happening::Report { lost } => {
            if let Some(claim) = held.pop() {
                if *lost {
                    stage.next("/fail", Answer::Cut);
                }
                stage.fail(&claim);
            }
        }
        Happening::Release { lost } => {
            if let Some(claim) = held.pop() {
                if *lost {
                    stage.next("/fail", Answer::Cut);
                }
                stage.release(&claim);
            }
        }
        Happening::Forgotten => {
            stage.next("runtimes/heartbeat", Answer::ok(json!({ "known": false, "cancel": [] })));
        }
    }
    false
}

fn is_claim(effect: &Effect) -> bool {
    matches!(effect, Effect::Http(request) if request.url.ends_with("/claim"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_lost_answers_leads_to_a_sign_of_life_before_the_server_has_looked(
        happenings in prop::collection::vec((happening(), 1_u32..40_000), 1..80)
    ) {
        let mut stage = Stage::new();
        let mut held = Vec::new();
        let (mut now, mut lost_at) = (START, None);
        for (number, (happening, pause)) in happenings.iter().enumerate() {
            now += f64::from(*pause);
            stage.set_now(now);
            let before = stage.tale.borrow().seen.len();
            let lost = happen(&mut stage, &mut held, number, happening);
            let shown = stage.tale.borrow().seen[before..].iter().any(|seen| seen.path.starts_with("runtimes/"));
            if shown {
                prop_assert!(lost_at.is_none_or(|at| now - at >= SILENCE), "{happening:?} {number}");
            }
            if lost {
                lost_at = Some(now);
            }
        }
    }

    #[test]
    fn a_host_that_lost_a_claim_shows_that_it_is_alive_again_when_the_silence_is_over(
        pauses in prop::collection::vec(1_u32..20_000, 1..10)
    ) {
        let mut stage = Stage::new();
        let mut now = START;
        for pause in pauses {
            now += f64::from(pause);
            stage.set_now(now);
            stage.next("claim", Answer::Cut);
            stage.host.run(Operation::Poll(1));
        }
        stage.set_now(now + SILENCE);
        stage.heartbeat(&[]);
        prop_assert_eq!(stage.bodies("runtimes/heartbeat").len(), 1);
    }
}
