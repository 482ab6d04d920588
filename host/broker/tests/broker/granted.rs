//! Grants and gates as the tests need them.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_broker::{Gate, Limits, Network, Secret, Secrets};
use hostler_engine::problem::Problem;
use hostler_engine::request::{
    FilePath, FileReply, FileRequest, HttpRequest, HttpResponse, PluginEffect, PluginReply,
};
use hostler_engine::rights::{Access, FileRight, HttpRight, Rights, SecretRight};

/// The value of every test's secret.
pub const SECRET: &str = "s3cret/value+1";

/// GET and POST below `/api/` of an origin.
pub fn http(origin: &str) -> HttpRight {
    HttpRight {
        origin: Some(origin.to_owned()),
        origin_from: None,
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        path: "/api/".to_owned(),
        addresses: Vec::new(),
        reason: String::new(),
    }
}

/// The secret `token`, sent as a bearer to one origin.
pub fn token(origin: &str) -> SecretRight {
    SecretRight {
        handle: "token".to_owned(),
        from: "token-field".to_owned(),
        header: "Authorization".to_owned(),
        form: "Bearer {}".to_owned(),
        origin: Some(origin.to_owned()),
        origin_from: None,
        reason: String::new(),
    }
}

/// A gate for HTTP and secrets.
pub fn http_gate(http: Vec<HttpRight>, secret: Vec<SecretRight>) -> Gate {
    let rights = Rights { http, secret, ..Rights::default() };
    let secrets = Secrets::from_iter([("token-field", Secret::new(SECRET))]);
    Gate::new(&rights, &BTreeMap::new(), &secrets, Path::new("/"), Limits::default()).unwrap()
}

/// The same on a network with settings of its own.
pub fn gate_on(network: &Network, http: Vec<HttpRight>, secret: Vec<SecretRight>) -> Gate {
    let rights = Rights { http, secret, ..Rights::default() };
    let secrets = Secrets::from_iter([("token-field", Secret::new(SECRET))]);
    Gate::through(network, &rights, &BTreeMap::new(), &secrets, Path::new("/"), Limits::default()).unwrap()
}

/// A gate for the directory `tasks`.
pub fn file_gate(folder: &Path, access: Access) -> Gate {
    file_gate_within(folder, access, Limits::default())
}

/// The same with other limits.
pub fn file_gate_within(folder: &Path, access: Access, limits: Limits) -> Gate {
    let right =
        FileRight { directory: "tasks".to_owned(), from: "folder".to_owned(), access, reason: String::new() };
    let rights = Rights { files: vec![right], ..Rights::default() };
    let config = BTreeMap::from([("folder".to_owned(), folder.to_str().unwrap().to_owned())]);
    Gate::new(&rights, &config, &Secrets::default(), Path::new("/"), limits).unwrap()
}

/// A GET without anything else.
pub fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
        timeout: None,
    }
}

/// Sends a request through a gate.
pub async fn send(gate: &Gate, request: HttpRequest) -> Result<HttpResponse, Problem> {
    match gate.carry_out(PluginEffect::Http(request)).await? {
        PluginReply::Http(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

/// Does file work through a gate.
pub async fn file(gate: &Gate, request: FileRequest) -> Result<FileReply, Problem> {
    match gate.carry_out(PluginEffect::File(request)).await? {
        PluginReply::File(reply) => Ok(reply),
        other => panic!("{other:?}"),
    }
}

/// A path below `tasks`.
pub fn at(path: &str) -> FilePath {
    FilePath { directory: "tasks".to_owned(), path: path.to_owned() }
}

/// Writes below `tasks`.
pub fn write(path: &str, content: impl Into<Vec<u8>>, expect: Option<&str>) -> FileRequest {
    FileRequest::Write { at: at(path), content: content.into(), expect: expect.map(str::to_owned) }
}

/// The tag of a file as the gate reads it.
pub async fn tag_of(gate: &Gate, path: &str) -> String {
    match file(gate, FileRequest::Read(at(path))).await.unwrap() {
        FileReply::Content { tag, .. } => tag,
        other => panic!("{other:?}"),
    }
}
