//! What the servers of trackers answer.

use hostler_plugin_tale::Tale;
use hostler_plugin_trakkar::Trakkar;
use hostler_sdk::http::HttpResponse;
use hostler_sdk::testing::{Done, FakeHost};
use hostler_sdk::tracker::{
    Claim, Effect, Operation, Progress, ProviderInfo, Reply, Report, RunRef, RunStatus, Runner,
};
use hostler_sdk::{Problem, Tracker, Usage};
use serde_json::json;

/// Between two answers of a server.
const BETWEEN: &str = "\n---\n";

/// More effects of one operation than any server's answers justify.
const EFFECTS: usize = 500;

/// The pieces are the answers of a server, each a status and a body (`200 {…}`), given
/// one after the other and then again. Every operation comes to its end, with few
/// requests, and nothing is taken in that could not be told apart.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let answers: Vec<&str> = text.split(BETWEEN).collect();
    converse::<Tale>(&json!({ "url": "https://tale.example.com" }), &answers);
    converse::<Trakkar>(&json!({}), &answers);
}

fn converse<T: Tracker>(config: &serde_json::Value, answers: &[&str]) {
    let mut next = answers.iter().cycle();
    let serve = move |effect: &Effect| match effect {
        Effect::Http(_) => answer(next.next().copied().unwrap_or_default()),
        Effect::Wake(_) => Ok(Reply::Done),
        _ => Err(Problem::permanent("not here")),
    };
    let Ok(mut host) = FakeHost::<T, _>::open(config, serve) else { return };
    let mut run = |operation| {
        let name = format!("{operation:?}").split('(').next().unwrap_or_default().to_owned();
        let done = host.run(operation);
        assert!(done.result.is_some(), "{name} does not end");
        assert!(done.effects.len() < EFFECTS, "{name} asks for {} effects", done.effects.len());
        done
    };
    run(Operation::Register(runner()));
    let mut claims: Vec<Claim> = Vec::new();
    for _ in 0..2 {
        let polled: Done = run(Operation::Poll(2));
        claims.extend(polled.claimed);
    }
    let held: Vec<RunRef> = claims.iter().map(at).collect();
    run(Operation::Heartbeat(held.iter().map(status).collect()));
    for at in held {
        run(Operation::Progress((at.clone(), Vec::<Progress>::new())));
        run(Operation::Report((at.clone(), report())));
        run(Operation::Release(at));
    }
}

/// A status and a body; what has no status does not arrive.
fn answer(text: &str) -> Result<Reply, Problem> {
    let (status, body) = text.split_once(' ').unwrap_or((text, ""));
    let status = status.parse().map_err(|_| Problem::transient("no answer"))?;
    Ok(Reply::Http(HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }))
}

fn at(claim: &Claim) -> RunRef {
    let fence = claim.lease.map_or(0.0, |lease| lease.fence);
    RunRef { run: format!("run-{}", claim.task.id), task: claim.task.clone(), fence }
}

fn status(at: &RunRef) -> RunStatus {
    RunStatus { at: at.clone(), state: "running".into(), attempt: 1, elapsed: 1_000, usage: Usage::default() }
}

fn runner() -> Runner {
    Runner {
        id: "host_4b1e0000-0000-4000-8000-000000000000".into(),
        name: "ada's machine".into(),
        version: "0.1.0".into(),
        providers: vec![ProviderInfo {
            name: "claude-code".into(),
            version: "2.1.0".into(),
            capabilities: Vec::new(),
        }],
        repositories: vec!["app".into()],
        slots: 2,
    }
}

fn report() -> Report {
    Report {
        state: "succeeded".into(),
        reason: String::new(),
        retryable: false,
        message: String::new(),
        summary: "Fixed it.".into(),
        branch: None,
        base: None,
        head: None,
        files: Vec::new(),
        attempts: 1,
        usage: Usage::default(),
        elapsed: 1_000,
        session: None,
        provider: "claude-code".into(),
        verified: None,
        landed: None,
    }
}
