//! What one gate learns of an origin holds for all gates of the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::http::Response;
use hostler_broker::{BURST, FAILURES_IN_A_ROW, LEFT_ALONE, Network, Traffic, Urgency};
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{HttpRequest, PluginEffect};
use hostler_engine::time::{Millis, Timestamp};
use tokio::net::TcpListener;

use crate::granted::{gate_on, get, http, send};
use crate::server::{Server, nobody, silent};

#[tokio::test]
async fn a_server_that_asks_for_a_pause_is_left_alone_by_every_gate() {
    for status in [429, 503] {
        let server = Server::start(move |_| {
            Response::builder().status(status).header("Retry-After", "60").body("".into()).unwrap()
        })
        .await;
        let network = Network::default();
        let gates = [1, 2].map(|_| gate_on(&network, vec![http(&server.origin)], vec![]));
        assert_eq!(send(&gates[0], get(server.url(""))).await.unwrap().status, status);
        for gate in &gates {
            let problem = send(gate, get(server.url(""))).await.unwrap_err();
            assert_eq!(problem.kind, ProblemKind::RateLimited, "{problem}");
            let after = problem.retry_after.unwrap();
            assert!(after > Millis::seconds(50) && after <= Millis::seconds(60), "{problem:?}");
            assert_eq!(gate.denials().total(), 0);
        }
        assert_eq!(server.seen().len(), 1);
        let elsewhere = gate_on(&Network::default(), vec![http(&server.origin)], vec![]);
        assert_eq!(send(&elsewhere, get(server.url(""))).await.unwrap().status, status, "another host");
    }
}

#[tokio::test]
async fn a_pause_ends_by_the_clock_of_the_host() {
    let server = Server::start(|_| {
        Response::builder().status(429).header("Retry-After", "60").body("".into()).unwrap()
    })
    .await;
    let passed = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&passed);
    let traffic = Arc::new(Traffic::new(move || Timestamp(clock.load(Ordering::SeqCst))));
    let network = Network { traffic, ..Network::default() };
    let gate = gate_on(&network, vec![http(&server.origin)], vec![]);
    for (passes, milliseconds) in [(true, 0), (false, 54_999), (true, 60_000)] {
        passed.store(milliseconds, Ordering::SeqCst);
        assert_eq!(send(&gate, get(server.url(""))).await.is_ok(), passes, "{milliseconds}");
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_short_pause_is_waited_for() {
    let asked = Arc::new(AtomicI64::new(0));
    let server = Server::start(move |_| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        let answer = Response::builder().status(if first { 429 } else { 200 });
        answer.header("Retry-After", "1").body("".into()).unwrap()
    })
    .await;
    let gate = gate_on(&Network::default(), vec![http(&server.origin)], vec![]);
    assert_eq!(send(&gate, get(server.url(""))).await.unwrap().status, 429);
    let begun = Instant::now();
    assert_eq!(send(&gate, get(server.url(""))).await.unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn without_a_time_a_busy_server_is_asked_as_before() {
    let server = Server::start(|_| Response::builder().status(503).body("".into()).unwrap()).await;
    let gate = gate_on(&Network::default(), vec![http(&server.origin)], vec![]);
    for _ in 0..2 {
        assert_eq!(send(&gate, get(server.url(""))).await.unwrap().status, 503);
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_origin_that_is_down_is_left_alone_and_found_again_when_it_is_back() {
    let origin = nobody().await;
    let network = Network::default();
    let gates = [1, 2].map(|_| gate_on(&network, vec![http(&origin)], vec![]));
    let problem_of = async |gate| -> Problem { send(gate, get(format!("{origin}/api/"))).await.unwrap_err() };
    for _ in 0..FAILURES_IN_A_ROW {
        let problem = problem_of(&gates[0]).await;
        assert!(problem.message.contains("could not connect"), "{problem}");
    }
    let problem = problem_of(&gates[1]).await;
    assert_eq!(problem.kind, ProblemKind::Transient);
    assert!(problem.message.contains("left alone"), "{problem}");
    assert!(problem.retry_after.is_some_and(|after| after <= LEFT_ALONE));

    let address = origin.trim_start_matches("http://");
    let listener = TcpListener::bind(address).await.unwrap();
    let app = axum::Router::new().fallback(async || "back");
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let deadline = Instant::now() + LEFT_ALONE.duration() + Duration::from_secs(5);
    let answer = loop {
        match send(&gates[1], get(format!("{origin}/api/"))).await {
            Ok(answer) => break answer,
            Err(problem) => {
                assert!(Instant::now() < deadline, "{problem}");
                tokio::time::sleep(problem.retry_after.unwrap_or_default().duration()).await;
            }
        }
    };
    assert_eq!(answer.body, b"back");
}

#[tokio::test]
async fn a_request_that_keeps_a_lease_passes_one_that_was_there_before() {
    let server = Server::ok().await;
    let gate = Arc::new(gate_on(&Network::default(), vec![http(&server.origin)], vec![]));
    let lease = async |path: &str| {
        let request = PluginEffect::Http(get(server.url(path)));
        gate.carry_out_with(request, Urgency::Lease).await.unwrap();
    };
    for _ in 0..BURST {
        lease("").await;
    }
    let (crowd, ordinary) = (Arc::clone(&gate), get(server.url("ordinary")));
    let waiting = tokio::spawn(async move { send(&crowd, ordinary).await });
    tokio::task::yield_now().await;
    for _ in 0..5 {
        lease("heartbeat").await;
    }
    waiting.await.unwrap().unwrap();
    let seen = server.seen();
    let last: Vec<&str> = seen[seen.len() - 6..].iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(last[..5], ["/api/heartbeat"; 5]);
    assert_eq!(last[5], "/api/ordinary");
}

#[tokio::test]
async fn a_request_that_keeps_a_lease_does_not_stand_behind_requests_that_hang() {
    let (hanging, mut arrivals) = silent().await;
    let server = Server::ok().await;
    let rights = vec![http(&hanging), http(&server.origin)];
    let gate = Arc::new(gate_on(&Network::default(), rights, vec![]));
    let mut under_way = tokio::task::JoinSet::new();
    let mut open = Vec::new();
    for _ in 0..hostler_broker::EFFECTS_AT_ONCE {
        let (gate, request) = (Arc::clone(&gate), get(format!("{hanging}/api/")));
        under_way.spawn(async move { send(&gate, request).await });
        open.push(arrivals.recv().await.unwrap());
    }
    let heartbeat =
        PluginEffect::Http(HttpRequest { timeout: Some(Millis::seconds(5)), ..get(server.url("")) });
    gate.carry_out_with(heartbeat, Urgency::Lease).await.unwrap();
    assert_eq!(server.seen().len(), 1);
    under_way.shutdown().await;
}
