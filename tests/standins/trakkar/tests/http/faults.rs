//! What goes wrong on purpose, as a client sees it and as the board sees it.

use std::time::{Duration, Instant};

use serde_json::Value;
use standin_trakkar::{Answered, Endpoint, Fault, Options, Standin};

use crate::client::{call, try_call};
use crate::{RUNNER, claim_body, delegated, finish_body, progress_body};

#[test]
fn refusals_come_with_their_status_and_leave_the_board_alone() {
    let (standin, task, _) = delegated();
    for (fault, status, header) in [
        (Fault::refuse(401, "invalid_token"), 401, None),
        (Fault::refuse(409, "not_claimable"), 409, None),
        (Fault::too_many_requests(Some(7)), 429, Some("retry-after: 7")),
        (Fault::too_many_requests(None), 429, None),
        (Fault::server_error(), 500, None),
    ] {
        standin.fault(fault.on(Endpoint::Claim).once());
        let answer = call(&standin, "POST tasks/claim", &claim_body(1));
        assert_eq!(answer.status, status);
        assert_eq!(answer.head.contains("retry-after"), header.is_some(), "{}", answer.head);
        assert!(header.is_none_or(|header| answer.head.contains(header)), "{}", answer.head);
        assert_eq!(standin.status(&task), "waiting");
    }
    assert_eq!(call(&standin, "POST tasks/claim", &claim_body(1)).status, 200);
    assert_eq!(standin.status(&task), "claimed");
}

#[test]
fn a_cut_request_changes_nothing_and_a_lost_reply_has_changed_everything() {
    let (standin, task, run) = delegated();
    standin.fault(Fault::cut().on(Endpoint::Claim).once());
    assert!(try_call(&standin, RUNNER, "POST tasks/claim", &claim_body(1)).is_none());
    assert_eq!(standin.status(&task), "waiting");
    call(&standin, "POST tasks/claim", &claim_body(1));
    let finish = format!("POST runs/{run}/finish");
    standin.fault(Fault::lost_reply().on(Endpoint::Finish).once());
    assert!(try_call(&standin, RUNNER, &finish, &finish_body("no_changes")).is_none());
    assert_eq!(standin.status(&task), "no_changes");
    assert_eq!(call(&standin, &finish, &finish_body("no_changes")).error(), (409, "already_finished".into()));
    let cut: Vec<bool> = standin.requests().iter().map(|request| request.answer == Answered::Cut).collect();
    assert_eq!(cut, [true, false, true, false]);
}

#[test]
fn a_duplicated_batch_is_taken_once() {
    let (standin, _, run) = delegated();
    call(&standin, "POST tasks/claim", &claim_body(1));
    standin.fault(Fault::duplicate().once());
    assert_eq!(call(&standin, &format!("POST runs/{run}/progress"), &progress_body(1)).status, 200);
    let run = standin.run(&run).unwrap();
    assert_eq!((run.seqs, run.repeated, run.events.len()), (vec![1], 1, 1));
}

#[test]
fn a_page_in_the_place_of_json_has_status_200() {
    let (standin, _, _) = delegated();
    standin.fault(Fault::not_json().once());
    let page = call(&standin, "GET me", &Value::Null);
    assert_eq!((page.status, page.json()), (200, Value::Null));
    assert!(page.text.contains("<title>"), "{}", page.text);
}

#[test]
fn a_slow_request_takes_so_much_longer() {
    let (standin, _, _) = delegated();
    let delay = Duration::from_millis(80);
    for fault in [Fault::slow(delay), Fault::slow(delay).after_commit()] {
        standin.fault(fault.once());
        let start = Instant::now();
        assert_eq!(call(&standin, "GET me", &Value::Null).status, 200);
        assert!(start.elapsed() >= delay);
    }
}

#[test]
fn a_server_that_is_down_cuts_every_request_and_forgets_nothing() {
    let (standin, task, _) = delegated();
    standin.go_down();
    for _ in 0..3 {
        assert!(try_call(&standin, RUNNER, "POST tasks/claim", &claim_body(1)).is_none());
    }
    standin.come_up();
    assert_eq!(standin.status(&task), "waiting");
    assert_eq!(call(&standin, "POST tasks/claim", &claim_body(1)).status, 200);
}

#[test]
fn a_stopped_server_frees_its_port_and_a_taken_port_is_named() {
    let (standin, _, _) = delegated();
    let port: u16 = standin.url().rsplit(':').next().unwrap().parse().unwrap();
    let options = || Options { port, ..Options::default() };
    let error = Standin::start(options()).unwrap_err().to_string();
    assert!(error.contains(&port.to_string()) && error.contains("choose another"), "{error}");
    drop(standin);
    assert!(Standin::start(options()).is_ok());
}
