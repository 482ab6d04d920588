//! The example is short, and works.
#![allow(clippy::unwrap_used)]

#[path = "../examples/hello/src/lib.rs"]
#[allow(missing_docs, reason = "an example of what authors write, not of what we publish")]
mod hello;

use hello::Hello;
use hostler_sdk::Problem;
use hostler_sdk::http::HttpResponse;
use hostler_sdk::testing::{Done, FakeHost};
use hostler_sdk::tracker::{Effect, Operation, Reply};

/// What an author has to write should fit on a screen.
const LINES: usize = 40;

fn poll(status: u16, body: &str, headers: &[(&str, &str)]) -> Done {
    let answer = |_: &Effect| {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(own).collect();
        Ok(Reply::Http(HttpResponse { status, headers, body: body.into() }))
    };
    let config = serde_json::json!({ "url": "https://tasks.example.com" });
    FakeHost::<Hello, _>::open(&config, answer).unwrap().run(Operation::Poll(3))
}

fn problem(done: Done) -> Problem {
    done.result.unwrap().unwrap_err()
}

#[test]
fn a_tracker_fits_on_a_screen() {
    let source = include_str!("../examples/hello/src/lib.rs");
    let lines = source.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines < LINES, "{lines} lines");
}

#[test]
fn tasks_of_the_server_are_offered() {
    let done = poll(200, r#"[{"id":"7","text":"Say hello"}]"#, &[]);
    assert_eq!(done.result, Some(Ok(())));
    assert_eq!((&*done.offered[0].key, &*done.offered[0].title), ("7", "Say hello"));
    let [Effect::Http(request)] = &done.effects[..] else { panic!("one request: {:?}", done.effects) };
    assert_eq!((&*request.method, &*request.url), ("GET", "https://tasks.example.com/tasks?limit=3"));
    assert_eq!(request.credential.as_deref(), Some("token"));
}

#[test]
fn a_status_becomes_the_problem_it_stands_for() {
    for (status, kind) in
        [(401, "auth"), (404, "gone"), (409, "permanent"), (429, "rate-limited"), (503, "transient")]
    {
        let problem = problem(poll(status, "no", &[]));
        assert_eq!(problem.kind, kind, "{status}");
        assert!(
            problem.message.contains("GET https://tasks.example.com/tasks?limit=3"),
            "{}",
            problem.message
        );
    }
}

#[test]
fn the_server_may_say_when_to_come_back() {
    assert_eq!(problem(poll(429, "", &[("retry-after", "30")])).retry_after, Some(30_000));
    assert_eq!(problem(poll(429, "", &[("retry-after", "tomorrow")])).retry_after, None);
}

#[test]
fn an_answer_that_is_no_json_is_a_problem_that_says_so() {
    assert_eq!(problem(poll(200, "<html>", &[])).kind, "permanent");
}
