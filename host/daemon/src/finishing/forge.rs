//! Requests to the forges that the operator configured. They leave through the same gate
//! as a plugin's, under a right made for one repository's pull requests, and only there
//! does the token join them.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_broker::{Gate, Limits, Network, Secret, Secrets};
use hostler_engine::request::{HttpRequest, PluginEffect, PluginReply};
use hostler_engine::rights::{AddressBlock, HttpRight, Rights, SecretRight};
use hostler_workspaces::{ForgeAnswer, ForgeHosts, ForgeHttp, ForgeKind, ForgeRepository, ForgeRequest};
use tokio::runtime::Handle;

use super::answers::Answers;

/// All that opening a pull request needs.
const METHODS: [&str; 4] = ["GET", "POST", "PATCH", "PUT"];

/// Handle of the token, and the field it is in.
const TOKEN: &str = "token";

/// Names of this machine: only to them does a token travel unencrypted.
const THIS_MACHINE: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// One forge, as the operator described it.
#[derive(Clone, Debug)]
pub struct ForgeSettings {
    /// Name of the host, with its port if the addresses of remotes have one:
    /// `github.com`.
    pub host: String,
    /// How to talk to it.
    pub kind: ForgeKind,
    /// Opens pull requests there; without one, only `gh` may.
    pub token: Option<Secret>,
}

/// The forges of one host.
pub struct Forges {
    hosts: ForgeHosts,
    tokens: BTreeMap<String, Secret>,
    network: Network,
    runtime: Handle,
    /// What was asked for before.
    answers: Answers,
}

impl Forges {
    /// Sends nothing yet. `runtime` carries the requests out; they are made from threads
    /// that may block.
    pub fn new(settings: &[ForgeSettings], network: Network, runtime: Handle) -> Self {
        let hosts =
            settings.iter().fold(ForgeHosts::default(), |hosts, forge| hosts.with(&forge.host, forge.kind));
        let token = |forge: &ForgeSettings| Some((forge.host.to_ascii_lowercase(), forge.token.clone()?));
        let tokens = settings.iter().filter_map(token).collect();
        Self { hosts, tokens, network, runtime, answers: Answers::default() }
    }

    /// Which hosts are which forge, besides the well-known.
    pub const fn hosts(&self) -> &ForgeHosts {
        &self.hosts
    }

    /// The token for a repository, unless it would be seen on its way.
    fn token(&self, repository: &ForgeRepository) -> Option<&Secret> {
        let host = repository.authority.rsplit_once(':').map_or(&*repository.authority, |(host, _)| host);
        let unseen = repository.origin.starts_with("https://") || THIS_MACHINE.contains(&host);
        self.tokens.get(&repository.authority).or_else(|| self.tokens.get(host)).filter(|_| unseen)
    }

    fn gate(&self, repository: &ForgeRepository) -> Result<Gate, String> {
        let token = self.token(repository).ok_or("there is no token for it")?;
        let secrets = Secrets::from_iter([(TOKEN, token.clone())]);
        let nothing = BTreeMap::new();
        let (rights, base) = (rights(repository), Path::new("/"));
        Gate::through(&self.network, &rights, &nothing, &secrets, base, Limits::default())
            .map_err(|error| error.to_string())
    }
}

/// The pull requests of this repository, to read what is said about them, and nothing else
/// of the forge.
fn rights(repository: &ForgeRepository) -> Rights {
    let pull_requests = repository.pull_requests();
    let origin = Some(pull_requests.clone());
    let reading = repository.readable().into_iter().map(|address| right(&address, &["GET"]));
    let (header, form) = match repository.kind {
        ForgeKind::GitHub => ("authorization", "Bearer {}"),
        ForgeKind::GitLab => ("private-token", "{}"),
    };
    Rights {
        http: [right(&pull_requests, &METHODS)].into_iter().chain(reading).collect(),
        secret: vec![SecretRight {
            handle: TOKEN.to_owned(),
            from: TOKEN.to_owned(),
            header: header.to_owned(),
            form: form.to_owned(),
            origin,
            origin_from: None,
            reason: String::new(),
        }],
        ..Rights::default()
    }
}

fn right(address: &str, methods: &[&str]) -> HttpRight {
    let path = address.splitn(4, '/').nth(3).unwrap_or_default();
    HttpRight {
        origin: Some(address.to_owned()),
        origin_from: None,
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        path: format!("/{path}"),
        // The operator named this host and gave it a token: many stand in a network of
        // their own.
        addresses: AddressBlock::EVERYWHERE.to_vec(),
        reason: String::new(),
    }
}

impl ForgeHttp for Forges {
    fn serves(&self, repository: &ForgeRepository) -> bool {
        self.token(repository).is_some()
    }

    fn send(&self, repository: &ForgeRepository, request: &ForgeRequest) -> Result<ForgeAnswer, String> {
        let gate = self.gate(repository)?;
        let json = "application/json".to_owned();
        let mut headers = vec![("accept".to_owned(), json.clone()), ("content-type".to_owned(), json)];
        let reads = request.method == "GET";
        if let Some(tag) = self.answers.tag(&request.url).filter(|_| reads) {
            headers.push(("if-none-match".to_owned(), tag));
        }
        let effect = PluginEffect::Http(HttpRequest {
            method: request.method.to_owned(),
            url: request.url.clone(),
            headers,
            body: request.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            credential: Some(TOKEN.to_owned()),
            timeout: None,
        });
        match self.runtime.block_on(gate.carry_out(effect)) {
            Ok(PluginReply::Http(answer)) if reads => Ok(self.answers.settle(&request.url, answer)),
            Ok(PluginReply::Http(answer)) => Ok(ForgeAnswer { status: answer.status, body: answer.body }),
            Ok(_) => Err("the answer is none of HTTP".to_owned()),
            Err(problem) => Err(problem.message),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn repository(kind: ForgeKind, origin: &str) -> ForgeRepository {
        ForgeRepository {
            kind,
            origin: origin.to_owned(),
            authority: origin.split("//").nth(1).unwrap().to_owned(),
            path: "acme/api".to_owned(),
        }
    }

    fn forges(host: &str, kind: ForgeKind, runtime: &Handle) -> Forges {
        let token = Some(Secret::new("t0p-secret"));
        let settings = ForgeSettings { host: host.to_owned(), kind, token };
        Forges::new(&[settings], Network::default(), runtime.clone())
    }

    const FRESH: &str = "200 OK\r\netag: \"a\"\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";

    const UNCHANGED: &str = "304 Not Modified\r\nconnection: close\r\n\r\n";

    /// The head of a request.
    fn head(line: &mut impl Read) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let mut byte = [0];
            line.read_exact(&mut byte).unwrap();
            head.push(char::from(byte[0]));
        }
        head
    }

    /// A server that answers once, with what it was asked.
    fn echo() -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut line, _) = listener.accept().unwrap();
            let asked = head(&mut line);
            let body = asked.clone();
            write!(line, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            asked
        });
        (origin, thread)
    }

    #[test]
    fn the_token_goes_into_the_header_of_its_forge_and_does_not_come_back() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for (kind, wanted) in [
            (ForgeKind::GitHub, "authorization: Bearer t0p-secret"),
            (ForgeKind::GitLab, "private-token: t0p-secret"),
        ] {
            let (origin, server) = echo();
            let repository = repository(kind, &origin);
            let forges = forges(&repository.authority, kind, runtime.handle());
            let request = ForgeRequest { method: "GET", url: repository.pull_requests(), body: None };
            let answer = forges.send(&repository, &request).unwrap();
            let asked = server.join().unwrap();
            assert!(asked.contains(wanted), "{asked}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("t0p-secret"));
        }
    }

    /// A server that answers twice: with a tag, and that nothing has changed since.
    fn tags() -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut asked = String::new();
            for answer in [FRESH, UNCHANGED] {
                let (mut line, _) = listener.accept().unwrap();
                asked = head(&mut line);
                write!(line, "HTTP/1.1 {answer}").unwrap();
            }
            asked
        });
        (origin, thread)
    }

    #[test]
    fn what_has_not_changed_is_asked_for_by_its_tag_and_read_as_before() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (origin, server) = tags();
        let repository = repository(ForgeKind::GitHub, &origin);
        let forges = forges(&repository.authority, ForgeKind::GitHub, runtime.handle());
        let request = ForgeRequest { method: "GET", url: repository.pull_requests(), body: None };
        let first = forges.send(&repository, &request).unwrap();
        let second = forges.send(&repository, &request).unwrap();
        assert_eq!((second.status, &second.body), (200, &first.body));
        let asked = server.join().unwrap();
        assert!(asked.contains("if-none-match: \"a\""), "{asked}");
    }

    #[test]
    fn nothing_but_the_pull_requests_of_the_repository_is_asked() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for kind in [ForgeKind::GitHub, ForgeKind::GitLab] {
            let repository = repository(kind, "http://127.0.0.1:9");
            let forges = forges("127.0.0.1:9", kind, runtime.handle());
            let pulls = repository.pull_requests();
            let elsewhere =
                [pulls.replace("acme", "other"), format!("{pulls}/../keys"), "http://127.0.0.1:9/".into()];
            for url in elsewhere {
                let error = forges.send(&repository, &ForgeRequest { method: "GET", url, body: None });
                assert!(error.unwrap_err().contains("grant"), "only pull requests");
            }
            let delete = ForgeRequest { method: "DELETE", url: format!("{pulls}/1"), body: None };
            assert!(forges.send(&repository, &delete).unwrap_err().contains("grant"));
        }
    }

    #[test]
    fn a_token_serves_its_own_host_and_travels_unencrypted_on_this_machine_only() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let serves = |host: &str, origin: &str| {
            forges(host, ForgeKind::GitHub, runtime.handle()).serves(&repository(ForgeKind::GitHub, origin))
        };
        assert!(serves("GitHub.com", "https://github.com"));
        assert!(serves("git.acme.example", "https://git.acme.example:8443"));
        assert!(!serves("github.com", "http://github.com"));
        assert!(!serves("github.com", "https://git.acme.example"));
        assert!(serves("127.0.0.1:4020", "http://127.0.0.1:4020"));
    }
}
