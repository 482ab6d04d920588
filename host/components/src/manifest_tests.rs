#![allow(clippy::unwrap_used)]

use super::*;
use hostler_engine::rights::Access;

const FOLDER: &str = r#"
[plugin]
id = "folder"
name = "Folder of Markdown tasks"
version = "0.1.0"
contract = "hostler:plugin@0.1.0"
description = "Takes tasks from a folder."

[config.path]
type = "string"
default = "tasks"
env = "HOSTLER_TASKS"
help = "Folder with the task files"

[config.url]
type = "string"
required = true

[config.labels]
type = "list"
default = ["a", "b"]

[config.token]
type = "string"
secret = true

[[http]]
origin-from = "url"
methods = ["GET", "POST"]
path = "/api/v1/"
reason = "to fetch tasks"

[[files]]
directory = "tasks"
from = "path"
access = "read-write"
reason = "to read tasks"

[[secret]]
handle = "token"
from = "token"
header = "authorization"
form = "Bearer {}"
origin = "https://api.example.com"
reason = "to log in"

[program]
name = "claude"
version = ["--version"]
reason = "to run it"
env = ["ANTHROPIC_API_KEY"]
[program.set-env]
DISABLE_AUTOUPDATER = "1"
[program.commands.start]
args = ["-p", "--model={model}"]
[program.slots.model]
max-length = 100

[limits]
memory-mib = 128
"#;

/// The error for the folder's manifest with one piece of it replaced.
fn error_with(from: &str, to: &str) -> String {
    assert_eq!(FOLDER.matches(from).count(), 1, "{from}");
    Manifest::parse(&FOLDER.replace(from, to)).unwrap_err().to_string()
}

#[test]
fn every_part_of_the_format_is_read() {
    let manifest = Manifest::parse(FOLDER).unwrap();
    assert_eq!(manifest.plugin.id, "folder");
    assert_eq!(manifest.config["path"].default, Some("tasks".into()));
    assert_eq!(manifest.config["labels"].default, Some(serde_json::json!(["a", "b"])));
    assert!(manifest.config["token"].secret && manifest.config["url"].required);
    assert_eq!(manifest.rights.http[0].origin_from.as_deref(), Some("url"));
    assert_eq!(manifest.rights.files[0].access, Access::ReadWrite);
    assert_eq!(manifest.rights.secret[0].form, "Bearer {}");
    let program = manifest.rights.program.unwrap();
    assert_eq!(program.set_env["DISABLE_AUTOUPDATER"], "1");
    assert_eq!(program.slots["model"].max_length, Some(100));
    assert_eq!(manifest.limits.memory_mib, Some(128));
}

#[test]
fn unknown_keys_are_errors_that_name_the_key() {
    for (table, key) in [("[limits]", "[limits]\nfuel = 1"), ("[[http]]", "[[http]]\nheaders = []")] {
        let error = error_with(table, key);
        assert!(error.contains("unknown field"), "{error}");
    }
    assert!(error_with("[limits]", "[rights]\n[limits]").contains("`rights`"));
}

#[test]
fn each_rule_says_what_is_wrong() {
    let cases = [
        ("id = \"folder\"", "id = \"Folder\"", "`plugin.id` is `Folder`"),
        ("@0.1.0", "@0.2.0", "rebuild the plugin with hostler-sdk 0.1"),
        ("Takes tasks from a folder.", "  ", "`plugin.description` is empty"),
        ("Takes tasks from a folder.", "a\\u001b[31m", "control characters"),
        ("default = \"tasks\"", "default = 7", "has the default 7, which is no string"),
        ("[\"a\", \"b\"]", "[1]", "which is no list"),
        ("secret = true", "secret = true\ndefault = \"x\"", "is secret and has a default"),
        ("HOSTLER_TASKS", "1X", "no name of an environment variable"),
        ("origin-from = \"url\"", "origin-from = \"token\"", "no field of `config` with type `string`"),
        ("origin-from = \"url\"", "", "exactly one of `origin` and `origin-from`"),
        ("https://api.example.com", "ftp://x", "neither http nor https"),
        ("[\"GET\", \"POST\"]", "[]", "at least one method"),
        ("[\"GET\", \"POST\"]", "[\"get\"]", "in capitals"),
        ("\"/api/v1/\"", "\"api\"", "must begin with `/`"),
        ("from = \"path\"", "from = \"labels\"", "`files.from` is `labels`"),
        ("\nfrom = \"token\"", "\nfrom = \"path\"", "with `secret = true`"),
        ("Bearer {}", "Bearer", "must contain `{}` exactly once"),
        ("header = \"authorization\"", "header = \"a b\"", "no name of a header"),
        ("name = \"claude\"", "name = \"../claude\"", "plain name"),
        ("name = \"claude\"", "", "exactly one of `name` and `command-from`"),
        ("[\"ANTHROPIC_API_KEY\"]", "[\"A=B\"]", "no name of an environment variable"),
        ("--model={model}", "--model={model}\\u0000", "NUL"),
    ];
    for (from, to, expected) in cases {
        let error = error_with(from, to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn handles_are_unique() {
    let twice = format!("{FOLDER}\n[[files]]\ndirectory = \"tasks\"\nfrom = \"path\"\naccess = \"read\"\n");
    let error = Manifest::parse(&twice).unwrap_err().to_string();
    assert!(error.contains("names `tasks` twice"), "{error}");
}

#[test]
fn an_id_may_have_64_characters_and_not_one_more() {
    let with_id = |length: usize| {
        let id = format!("id = \"{}\"", "a".repeat(length));
        Manifest::parse(&FOLDER.replace("id = \"folder\"", &id))
    };
    assert!(with_id(64).is_ok());
    assert!(with_id(65).is_err());
    assert!(with_id(0).is_err());
}

#[test]
fn a_slot_may_be_as_long_as_the_system_takes_and_not_longer() {
    let longest = |length: usize| {
        Manifest::parse(&FOLDER.replace("max-length = 100", &format!("max-length = {length}")))
    };
    assert!(longest(131_072).is_ok());
    assert!(longest(131_073).is_err());
}

#[test]
fn a_short_text_may_have_a_kibibyte_and_not_one_byte_more() {
    let with_reason = |length: usize| Manifest::parse(&FOLDER.replace("to fetch tasks", &"a".repeat(length)));
    assert!(with_reason(1_024).is_ok());
    assert!(with_reason(1_025).is_err());
}
