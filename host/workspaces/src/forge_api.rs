//! Pull requests through the REST interfaces of GitHub and GitLab. The caller
//! carries the requests out: there is no network code here, and no token.

use serde_json::{Value, json};

use crate::forge::{Forge, ForgeError, OpenPullRequest, Proposal};
use crate::forge_repository::{ForgeKind, ForgeRepository, encoded};

/// A request to a forge, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeRequest {
    /// `GET`, `POST`, `PATCH` or `PUT`.
    pub method: &'static str,
    /// Absolute.
    pub url: String,
    /// JSON.
    pub body: Option<Value>,
}

/// What the forge answered, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// As received.
    pub body: Vec<u8>,
}

/// Carries requests out, with the operator's token for that forge.
pub trait ForgeHttp {
    /// Whether there is a token for this forge.
    fn serves(&self, repository: &ForgeRepository) -> bool;

    /// Sends one request about a repository. The error is one clear sentence why
    /// there is no answer.
    fn send(&self, repository: &ForgeRepository, request: &ForgeRequest) -> Result<ForgeAnswer, String>;
}

/// A repository's pull requests, through the forge's interface.
pub struct ForgeApi<'a> {
    repository: &'a ForgeRepository,
    http: &'a dyn ForgeHttp,
}

const TOKEN_REMEDY: &str = "grant the host a token that may write pull requests there";

/// Longest part of an answer that a message repeats, in characters.
const MAX_SAID: usize = 300;

impl<'a> ForgeApi<'a> {
    /// Sends nothing yet.
    pub fn new(repository: &'a ForgeRepository, http: &'a dyn ForgeHttp) -> Self {
        Self { repository, http }
    }

    fn forge(&self) -> String {
        self.repository.authority.clone()
    }

    fn call(&self, method: &'static str, url: String, body: Option<Value>) -> Result<Value, ForgeError> {
        let forge = self.forge();
        let answer = self
            .http
            .send(self.repository, &ForgeRequest { method, url, body })
            .map_err(|detail| ForgeError::Unreachable { forge: forge.clone(), detail })?;
        let said = said(&answer);
        match answer.status {
            200..=299 => serde_json::from_slice(&answer.body)
                .map_err(|error| ForgeError::Unreadable { forge, detail: error.to_string() }),
            // GitHub says 403 also when it is asked too often.
            403 if said.to_ascii_lowercase().contains("rate limit") => {
                Err(ForgeError::Unreachable { forge, detail: said })
            }
            401 | 403 | 404 => Err(ForgeError::Refused { forge, detail: said, remedy: TOKEN_REMEDY }),
            409 | 422 if said.contains("already exists") => Err(ForgeError::Exists),
            408 | 429 | 500..=599 => Err(ForgeError::Unreachable { forge, detail: said }),
            _ => Err(ForgeError::Declined { forge, detail: said }),
        }
    }

    fn read(&self, value: &Value) -> Result<OpenPullRequest, ForgeError> {
        let (number, url) = match self.repository.kind {
            ForgeKind::GitHub => ("number", "html_url"),
            ForgeKind::GitLab => ("iid", "web_url"),
        };
        let number = value[number].as_u64().and_then(|number| u32::try_from(number).ok());
        number
            .zip(value[url].as_str())
            .map(|(number, url)| OpenPullRequest { number, url: url.to_owned() })
            .ok_or_else(|| ForgeError::Unreadable {
                forge: self.forge(),
                detail: "a pull request without number or address".to_owned(),
            })
    }
}

impl Forge for ForgeApi<'_> {
    fn find_open(&self, branch: &str) -> Result<Option<OpenPullRequest>, ForgeError> {
        let query = match self.repository.kind {
            ForgeKind::GitHub => {
                let owner = self.repository.owner();
                format!("head={}&state=open", encoded(&format!("{owner}:{branch}")))
            }
            ForgeKind::GitLab => format!("source_branch={}&state=opened", encoded(branch)),
        };
        let found = self.call("GET", format!("{}?{query}", self.repository.pull_requests()), None)?;
        let list = found.as_array().ok_or_else(|| ForgeError::Unreadable {
            forge: self.forge(),
            detail: "no list of pull requests".to_owned(),
        })?;
        // GitHub ignores a `head` it does not understand and lists everything;
        // GitLab lists branches of that name in forks, too.
        let ours = |it: &&Value| match self.repository.kind {
            ForgeKind::GitHub => it["head"]["ref"] == branch,
            ForgeKind::GitLab => {
                it["source_branch"] == branch && it["source_project_id"] == it["target_project_id"]
            }
        };
        list.iter().find(ours).map(|it| self.read(it)).transpose()
    }

    fn create(&self, proposal: &Proposal) -> Result<OpenPullRequest, ForgeError> {
        let Proposal { head, base, title, body } = proposal;
        let content = match self.repository.kind {
            ForgeKind::GitHub => json!({"title": title, "head": head, "base": base, "body": body}),
            ForgeKind::GitLab => json!({
                "title": title, "source_branch": head, "target_branch": base, "description": body
            }),
        };
        self.read(&self.call("POST", self.repository.pull_requests(), Some(content))?)
    }

    fn update(&self, existing: &OpenPullRequest, proposal: &Proposal) -> Result<(), ForgeError> {
        let url = format!("{}/{}", self.repository.pull_requests(), existing.number);
        let Proposal { title, body, .. } = proposal;
        let (method, content) = match self.repository.kind {
            ForgeKind::GitHub => ("PATCH", json!({"title": title, "body": body})),
            ForgeKind::GitLab => ("PUT", json!({"title": title, "description": body})),
        };
        self.call(method, url, Some(content)).map(|_| ())
    }

    fn get(&self, resource: &str) -> Result<Value, ForgeError> {
        self.call("GET", self.repository.resource(resource), None)
    }
}

/// The forge's own words: `message`, and what `errors` adds.
fn said(answer: &ForgeAnswer) -> String {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let mut words: Vec<String> = match &value["message"] {
        Value::Array(list) => list.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    };
    words.extend(value["error"].as_str().map(ToOwned::to_owned));
    for error in value["errors"].as_array().into_iter().flatten() {
        words.extend(text(&error["message"]).or_else(|| text(error)));
    }
    let said: String =
        words.join("; ").chars().filter(|letter| !letter.is_control()).take(MAX_SAID).collect();
    if said.is_empty() {
        format!("status {}", answer.status)
    } else {
        format!("status {}: {said}", answer.status)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;

    use super::*;

    struct Scripted {
        answers: RefCell<Vec<(u16, &'static str)>>,
        asked: RefCell<Vec<String>>,
    }

    impl ForgeHttp for Scripted {
        fn serves(&self, _: &ForgeRepository) -> bool {
            true
        }

        fn send(&self, _: &ForgeRepository, request: &ForgeRequest) -> Result<ForgeAnswer, String> {
            let body = request.body.as_ref().map(ToString::to_string).unwrap_or_default();
            self.asked
                .borrow_mut()
                .push(format!("{} {} {body}", request.method, request.url).trim().to_owned());
            let (status, body) = self.answers.borrow_mut().remove(0);
            Ok(ForgeAnswer { status, body: body.as_bytes().to_vec() })
        }
    }

    fn http(answers: &[(u16, &'static str)]) -> Scripted {
        Scripted { answers: RefCell::new(answers.to_vec()), asked: RefCell::default() }
    }

    fn repository(kind: ForgeKind) -> ForgeRepository {
        ForgeRepository {
            kind,
            origin: "https://forge.example".into(),
            authority: "forge.example".into(),
            path: "acme/api".into(),
        }
    }

    fn proposal() -> Proposal {
        Proposal { head: "run/1".into(), base: "main".into(), title: "T".into(), body: "B".into() }
    }

    #[test]
    fn github_is_asked_for_the_branch_of_this_owner_and_no_other_is_taken() {
        let http = http(&[(
            200,
            r#"[{"number":1,"html_url":"u","head":{"ref":"other"}},{"number":2,"html_url":"v","head":{"ref":"run/1"}}]"#,
        )]);
        let repository = repository(ForgeKind::GitHub);
        let found = ForgeApi::new(&repository, &http).find_open("run/1").unwrap().unwrap();
        assert_eq!(found.number, 2);
        assert_eq!(
            *http.asked.borrow(),
            ["GET https://forge.example/api/v3/repos/acme/api/pulls?head=acme%3Arun/1&state=open"]
        );
    }

    #[test]
    fn gitlab_gets_its_own_words_and_forks_are_passed_over() {
        let fork = r#"[{"iid":1,"web_url":"u","source_branch":"run/1","source_project_id":9,"target_project_id":1}]"#;
        let http = http(&[(200, fork), (201, r#"{"iid":4,"web_url":"w"}"#), (200, "{}")]);
        let repository = repository(ForgeKind::GitLab);
        let api = ForgeApi::new(&repository, &http);
        assert_eq!(api.find_open("run/1").unwrap(), None);
        let made = api.create(&proposal()).unwrap();
        api.update(&made, &proposal()).unwrap();
        let base = "https://forge.example/api/v4/projects/acme%2Fapi/merge_requests";
        assert_eq!(
            *http.asked.borrow(),
            [
                format!("GET {base}?source_branch=run/1&state=opened"),
                format!(
                    r#"POST {base} {{"description":"B","source_branch":"run/1","target_branch":"main","title":"T"}}"#
                ),
                format!(r#"PUT {base}/4 {{"description":"B","title":"T"}}"#),
            ]
        );
    }

    #[test]
    fn every_refusal_becomes_the_error_that_fits() {
        let of = |status, body| {
            let repository = repository(ForgeKind::GitHub);
            let http = http(&[(status, body)]);
            ForgeApi::new(&repository, &http).create(&proposal()).unwrap_err()
        };
        let exists = r#"{"message":"Validation Failed","errors":[{"message":"A pull request already exists for acme:run/1."}]}"#;
        assert!(matches!(of(422, exists), ForgeError::Exists));
        assert!(matches!(
            of(
                409,
                r#"{"message":["Another open merge request already exists for this source branch: !1"]}"#
            ),
            ForgeError::Exists
        ));
        assert!(matches!(
            of(422, r#"{"errors":[{"message":"No commits between main and run/1"}]}"#),
            ForgeError::Declined { .. }
        ));
        assert!(matches!(of(401, "{}"), ForgeError::Refused { .. }));
        assert!(of(403, r#"{"message":"API rate limit exceeded"}"#).is_temporary());
        assert!(of(502, "<html>").is_temporary());
        assert!(matches!(of(201, "<html>"), ForgeError::Unreadable { .. }));
        assert!(matches!(of(201, "{}"), ForgeError::Unreadable { .. }));
    }
}
