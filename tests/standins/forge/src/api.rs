//! The REST interface, as GitHub Enterprise has it below `/api/v3`.

use std::path::Path;

use serde_json::{Value, json};

use crate::git_backend;
use crate::http::{Answer, Request};
use crate::pulls::{OPENED_BY, PullRequest, Pulls, Refusal};

/// Answers one request. `origin` is where the server is, `root` where the repositories are.
pub(crate) fn answer(pulls: &mut Pulls, origin: &str, root: &Path, request: &Request) -> Answer {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let ["api", "v3", "repos", owner, name, rest @ ..] = parts.as_slice() else {
        return not_found();
    };
    let repository = format!("{owner}/{name}");
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let page = Page { origin, root, repository: &repository, owner };
    match (request.method.as_str(), rest) {
        ("GET", ["pulls"]) => Answer::json(200, &list(pulls, &page, request)),
        ("POST", ["pulls"]) => create(pulls, &page, &body),
        ("PATCH", ["pulls", number]) => update(pulls, &page, number, &body),
        ("GET", ["pulls", number]) => match found(pulls, &repository, number) {
            Some(pull) => Answer::json(200, &page.show(pull)),
            None => not_found(),
        },
        ("GET", ["pulls", number, what]) => said(pulls, &repository, number, what),
        ("GET", ["issues", number, "comments"]) => said(pulls, &repository, number, "conversation"),
        ("GET", ["commits", sha, "check-runs"]) => {
            let runs = pulls.check_runs(sha);
            Answer::json(200, &json!({"total_count": runs.len(), "check_runs": runs}))
        }
        ("GET", ["commits", _, "status"]) => Answer::json(200, &json!({"state": "success", "statuses": []})),
        _ => not_found(),
    }
}

/// What a pull request's description needs besides itself.
struct Page<'a> {
    origin: &'a str,
    root: &'a Path,
    repository: &'a str,
    owner: &'a str,
}

impl Page<'_> {
    fn show(&self, pull: &PullRequest) -> Value {
        let Self { origin, root, repository, owner } = self;
        let sha = git_backend::tip(root, repository, &pull.head);
        json!({
            "number": pull.number,
            "html_url": format!("{origin}/{repository}/pull/{}", pull.number),
            "state": if pull.open { "open" } else { "closed" },
            "title": pull.title,
            "body": pull.body,
            "merged": pull.merged,
            "user": {"login": OPENED_BY, "type": "User"},
            "head": {"ref": pull.head, "label": format!("{owner}:{}", pull.head), "sha": sha},
            "base": {"ref": pull.base, "label": format!("{owner}:{}", pull.base)},
        })
    }
}

fn list(pulls: &Pulls, page: &Page<'_>, request: &Request) -> Value {
    let state = request.query("state").unwrap_or_else(|| "open".to_owned());
    let head = request.query("head");
    let wanted = |pull: &&PullRequest| {
        let in_state = state == "all" || (state == "open") == pull.open;
        // Like GitHub, a head without an owner is no filter at all.
        let owned = head.as_deref().filter(|head| head.contains(':'));
        in_state && owned.is_none_or(|head| head == format!("{}:{}", page.owner, pull.head))
    };
    pulls.of(page.repository).iter().filter(wanted).map(|pull| page.show(pull)).collect()
}

fn create(pulls: &mut Pulls, page: &Page<'_>, body: &Value) -> Answer {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let wish = PullRequest {
        number: 0,
        head: text("head"),
        base: text("base"),
        title: text("title"),
        body: text("body"),
        open: true,
        merged: false,
    };
    let failed = |message: String| {
        let error = json!({"resource": "PullRequest", "code": "custom", "message": message});
        Answer::json(422, &json!({"message": "Validation Failed", "errors": [error]}))
    };
    match pulls.create(page.repository, &wish) {
        Ok(made) => Answer::json(201, &page.show(&made)),
        Err(Refusal::Exists) => {
            failed(format!("A pull request already exists for {}:{}.", page.owner, wish.head))
        }
        Err(Refusal::Empty) => failed(format!("No commits between {} and {}", wish.base, wish.head)),
    }
}

fn update(pulls: &mut Pulls, page: &Page<'_>, number: &str, body: &Value) -> Answer {
    let found = number.parse().ok().and_then(|number| pulls.get_mut(page.repository, number));
    let Some(pull) = found else {
        return not_found();
    };
    if let Some(title) = body["title"].as_str() {
        title.clone_into(&mut pull.title);
    }
    if let Some(text) = body["body"].as_str() {
        text.clone_into(&mut pull.body);
    }
    if let Some(state) = body["state"].as_str() {
        pull.open = state == "open";
    }
    Answer::json(200, &page.show(pull))
}

fn found<'a>(pulls: &'a Pulls, repository: &str, number: &str) -> Option<&'a PullRequest> {
    let number = number.parse::<u32>().ok()?;
    pulls.of(repository).iter().find(|pull| pull.number == number)
}

fn said(pulls: &Pulls, repository: &str, number: &str, what: &str) -> Answer {
    let Ok(number) = number.parse() else {
        return not_found();
    };
    match what {
        "comments" => Answer::json(200, &pulls.comments(repository, number).into()),
        "conversation" => Answer::json(200, &pulls.conversation(repository, number).into()),
        "reviews" => Answer::json(200, &pulls.reviews(repository, number).into()),
        _ => not_found(),
    }
}

fn not_found() -> Answer {
    Answer::json(404, &json!({"message": "Not Found"}))
}
