//! Grants and configurations a gate cannot be made from.

use std::collections::BTreeMap;

use hostler_broker::{Gate, GateError, Limits, Secrets};
use hostler_engine::rights::{Access, FileRight, Rights};

use crate::granted::{get, http, send, token};
use crate::server::Server;

fn gate(rights: &Rights, config: &[(&str, &str)], base: &std::path::Path) -> Result<Gate, GateError> {
    let config: BTreeMap<String, String> =
        config.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
    Gate::new(rights, &config, &Secrets::default(), base, Limits::default())
}

fn folder_right() -> FileRight {
    FileRight {
        directory: "tasks".to_owned(),
        from: "folder".to_owned(),
        access: Access::Read,
        reason: String::new(),
    }
}

#[tokio::test]
async fn an_origin_comes_from_the_configuration() {
    let server = Server::ok().await;
    let mut right = http("unused");
    (right.origin, right.origin_from) = (None, Some("api-url".to_owned()));
    let rights = Rights { http: vec![right], ..Rights::default() };
    let base = std::path::Path::new("/");
    let gate = gate(&rights, &[("api-url", &server.url("base"))], base).unwrap();
    assert_eq!(send(&gate, get(server.url("tasks"))).await.unwrap().status, 200);
    let error = self::gate(&rights, &[], base).unwrap_err();
    assert!(error.to_string().contains("`api-url` has no value"), "{error}");
}

#[test]
fn a_secret_needs_a_header_and_a_place_in_it() {
    let mut wrong_header = token("https://a.example");
    wrong_header.header = "not a header".to_owned();
    let mut no_place = token("https://a.example");
    no_place.form = "Bearer".to_owned();
    let make = |secret| {
        let rights = Rights { secret: vec![secret], ..Rights::default() };
        gate(&rights, &[], std::path::Path::new("/")).unwrap_err()
    };
    assert!(matches!(make(wrong_header), GateError::SecretHeader { .. }));
    assert!(matches!(make(no_place), GateError::SecretForm { .. }));
}

#[test]
fn a_folder_that_is_missing_is_named_with_its_configuration_field() {
    let base = tempfile::tempdir().unwrap();
    let rights = Rights { files: vec![folder_right()], ..Rights::default() };
    let missing = gate(&rights, &[("folder", "tasks")], base.path()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "the folder {} does not exist: create it, or change the configuration field `folder`",
            base.path().join("tasks").display()
        )
    );
    assert!(!base.path().join("tasks").exists());
    let unset = gate(&rights, &[], base.path()).unwrap_err();
    assert!(matches!(unset, GateError::DirectoryUnset { .. }));
    std::fs::write(base.path().join("tasks"), "a file").unwrap();
    let file = gate(&rights, &[("folder", "tasks")], base.path()).unwrap_err();
    assert!(matches!(file, GateError::DirectoryUnusable { .. }));
}

#[test]
fn a_folder_granted_twice_is_ambiguous() {
    let base = tempfile::tempdir().unwrap();
    let rights = Rights { files: vec![folder_right(), folder_right()], ..Rights::default() };
    let twice = gate(&rights, &[("folder", ".")], base.path()).unwrap_err();
    assert!(matches!(twice, GateError::DirectoryTwice { .. }));
}
