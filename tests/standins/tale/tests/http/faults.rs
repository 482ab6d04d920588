//! What goes wrong on purpose, as a client sees it and as the board sees it.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;
use standin_tale::{Answered, Endpoint, Fault};

use crate::client::{call, connect, try_call};
use crate::{DAEMON, claim_body, complete_body, dispatched, status};

#[test]
fn refusals_come_with_their_status_and_leave_the_board_alone() {
    let (standin, _, run) = dispatched();
    let cases = [
        (Fault::unauthorized(), 401, None),
        (Fault::too_many_requests(Some(7)), 429, Some("retry-after: 7")),
        (Fault::too_many_requests(None), 429, None),
        (Fault::server_error(), 500, None),
    ];
    for (fault, code, header) in cases {
        standin.fault(fault.on(Endpoint::Claim).once());
        let answer = call(&standin, "runs/claim", &claim_body());
        assert_eq!(answer.status, code);
        assert!(!answer.error().is_empty());
        match header {
            Some(header) => assert!(answer.head.contains(header), "{}", answer.head),
            None => assert!(!answer.head.contains("retry-after"), "{}", answer.head),
        }
        assert_eq!(status(&standin, &run), "queued");
    }
    assert!(!call(&standin, "runs/claim", &claim_body()).json()["run"].is_null());
}

#[test]
fn an_error_after_the_commit_hides_that_the_run_was_handed_out() {
    let (standin, _, run) = dispatched();
    standin.fault(Fault::server_error().after_commit().once());
    assert_eq!(call(&standin, "runs/claim", &claim_body()).status, 500);
    assert_eq!(status(&standin, &run), "claimed");
}

#[test]
fn a_page_in_the_place_of_json_has_status_200() {
    let (standin, _, _) = dispatched();
    standin.fault(Fault::not_json().once());
    let page = call(&standin, "runs/claim", &claim_body());
    assert_eq!((page.status, page.json().is_null()), (200, true));
    assert!(page.text.contains("<title>"), "{}", page.text);
}

#[test]
fn a_cut_request_changes_nothing_and_a_lost_reply_has_changed_everything() {
    let (standin, _, run) = dispatched();
    standin.fault(Fault::cut().on(Endpoint::Claim).once());
    assert!(try_call(&standin, "runs/claim", &claim_body()).is_none());
    assert_eq!(status(&standin, &run), "queued");
    call(&standin, "runs/claim", &claim_body());
    let complete = format!("runs/{run}/complete");
    standin.fault(Fault::lost_reply().on(Endpoint::Complete).once());
    assert!(try_call(&standin, &complete, &complete_body()).is_none());
    assert_eq!(status(&standin, &run), "completed");
    let again = call(&standin, &complete, &complete_body());
    assert_eq!(again.error(), "RUN_NOT_LIVE");
    standin.assert_every_task_ended_exactly_once();
    let cut: Vec<bool> = standin.requests().iter().map(|request| request.answer == Answered::Cut).collect();
    assert_eq!(cut, [true, false, true, false]);
}

#[test]
fn a_duplicated_request_is_carried_out_twice_and_answered_once() {
    let (standin, _, run) = dispatched();
    call(&standin, "runs/claim", &claim_body());
    standin.fault(Fault::duplicate().once());
    let answer = call(&standin, &format!("runs/{run}/complete"), &complete_body());
    assert_eq!((answer.status, answer.error().as_str()), (409, "RUN_NOT_LIVE"));
    assert_eq!(standin.requests().len(), 2);
    standin.assert_every_task_ended_exactly_once();
}

#[test]
fn a_slow_request_takes_so_much_longer() {
    let (standin, _, _) = dispatched();
    let delay = Duration::from_millis(80);
    for fault in [Fault::slow(delay), Fault::slow(delay).after_commit()] {
        standin.fault(fault.once());
        let start = Instant::now();
        assert_eq!(call(&standin, "runtimes/heartbeat", &json!({ "daemonId": DAEMON })).status, 200);
        assert!(start.elapsed() >= delay);
    }
}

#[test]
fn a_server_that_is_down_refuses_connections_and_has_cut_the_open_ones() {
    let (standin, _, run) = dispatched();
    let mut idle = connect(&standin).unwrap();
    write!(idle, "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 16]).unwrap() > 0, "the connection is inside");
    standin.go_down();
    assert_eq!(connect(&standin).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let mut rest = Vec::new();
    let end = idle.read_to_end(&mut rest);
    assert!(end.is_ok() || end.unwrap_err().kind() == ErrorKind::ConnectionReset);
    standin.forget_runtimes();
    standin.come_up();
    let beat = call(&standin, "runtimes/heartbeat", &json!({ "daemonId": DAEMON }));
    assert_eq!(beat.json()["known"], false);
    assert_eq!(status(&standin, &run), "queued", "the board survived");
}

#[test]
fn a_request_can_take_the_server_down_which_comes_back_by_itself() {
    let (standin, _, run) = dispatched();
    standin.fault(Fault::go_down(Duration::from_millis(150)).after_commit().once());
    assert!(try_call(&standin, "runs/claim", &claim_body()).is_none());
    assert_eq!(connect(&standin).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(status(&standin, &run), "claimed");
    let start = Instant::now();
    while connect(&standin).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "it stays down");
        std::thread::yield_now();
    }
    assert_eq!(call(&standin, "runs/claim", &claim_body()).status, 200);
}

#[test]
fn going_down_and_coming_up_again_and_again_never_hangs() {
    let (standin, _, _) = dispatched();
    for _ in 0..50 {
        standin.go_down();
        standin.go_down();
        assert!(connect(&standin).is_err());
        standin.come_up();
        assert!(connect(&standin).is_ok());
    }
}

#[test]
fn a_stopped_server_frees_its_port_and_a_taken_port_is_named() {
    let (standin, _, _) = dispatched();
    let port: u16 = standin.url().rsplit(':').next().unwrap().parse().unwrap();
    let options = || standin_tale::Options { port, ..Default::default() };
    let error = standin_tale::Standin::start(options()).unwrap_err().to_string();
    assert!(error.contains(&port.to_string()) && error.contains("choose another"), "{error}");
    drop(standin);
    assert!(standin_tale::Standin::start(options()).is_ok());
}
