#![allow(clippy::unwrap_used)]
use std::path::Path;

use super::*;
use crate::EXAMPLE;

fn read(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(Path::new("/p.toml"), text)
}

fn problem(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_policy_that_says_nothing_restricts_nothing() {
    assert_eq!(read(""), Ok(Policy::default()));
    assert_eq!(read("[plugins]\n[agents]\n"), Ok(Policy::default()));
}

#[test]
fn the_example_speaks_of_everything_a_policy_can_say() {
    let policy = read(EXAMPLE).unwrap();
    assert!(policy.observe.is_some() && policy.origins.is_some() && policy.programs.is_some());
    assert!(policy.permission.is_some() && policy.sandbox.is_some() && policy.environment.is_some());
    assert!(policy.network.is_some() && policy.repositories.is_some() && policy.landings.is_some());
    let plugins = policy.plugins;
    assert!(plugins.publishers.is_some() && plugins.digests.is_some() && plugins.ids.is_some());
    assert!(plugins.unsigned.is_some() && plugins.inert_wasi.is_some() && plugins.signatures.is_some());
}

#[test]
fn every_rule_knows_its_line() {
    let policy =
        read("[http]\norigins = [\n  \"https://a.example\",\n  \"https://b.example\",\n]\n").unwrap();
    let list = policy.origins.unwrap();
    let lines: Vec<_> = list.entries.iter().map(|entry| entry.line.number).collect();
    assert_eq!((list.line.number, lines), (Some(2), vec![Some(3), Some(4)]));
    let policy = read("\n[agents]\npermission-ceiling = \"safe\"\n").unwrap();
    assert_eq!(policy.permission.unwrap().line.number, Some(3));
}

#[test]
fn an_unknown_word_is_told_with_its_line_and_the_words_there_are() {
    let told = problem("[agents]\npermission = \"safe\"\n");
    for part in ["line 2 of /p.toml", "`permission`", "permission-ceiling", "minimum-sandbox"] {
        assert!(told.contains(part), "{told}");
    }
    let told = problem("[plugin]\n");
    assert!(told.contains("line 1") && told.contains("plugins") && told.contains("landing"), "{told}");
    let told = problem("[landing]\nallow = [\n  \"push\",\n  \"deploy\",\n]\n");
    assert!(told.contains("line 4") && told.contains("pull-request"), "{told}");
}

#[test]
fn an_entry_that_means_nothing_is_told_with_its_line() {
    let told = problem("[http]\norigins = [\n  \"https://a.example\",\n  \"a.example\",\n]\n");
    assert!(told.contains("line 4 of /p.toml") && told.contains("`a.example`"), "{told}");
    let told = problem("[plugins]\npublishers = [\"E7620F1842B4E81F\"]\n");
    assert!(told.contains("line 2") && told.contains("not its id"), "{told}");
}

#[test]
fn a_table_without_its_list_is_an_error_and_no_licence() {
    for table in ["http", "programs", "repositories", "landing"] {
        let told = problem(&format!("[{table}]\n"));
        assert!(told.contains("missing field"), "{told}");
    }
}

#[test]
fn every_message_is_one_sentence_on_one_line() {
    for text in ["[", "a = ", "[http]\norigins = 3\n", "x = \"\n", "[agents]\nminimum-sandbox = \"jail\"\n"] {
        let told = problem(text);
        assert!(!told.contains('\n') && told.contains("/p.toml"), "{told}");
    }
}
