#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::path::Path;

use clap::Parser;
use hostler_daemon::plugins::Manifest;

use super::interview::{Answers, Question, interview};
use super::known::{Known, Place};
use crate::arguments::{Cli, Command, SetupArgs};
use crate::config::edit::edited;
use crate::config::{ConfigFile, SecretsFile, Whose, tale_daemon};
use crate::failure::Failure;

const MANIFEST: &str = r#"
    [plugin]
    id = "tale"
    name = "Tale"
    version = "0.1.0"
    contract = "hostler:plugin@0.1.0"
    description = "Takes tasks from Tale."
    [config.url]
    type = "string"
    required = true
    help = "Address of the server"
    [config.api-key]
    type = "string"
    secret = true
    required = true
    env = "TALE_DAEMON_API_KEY"
    [config.daemon-id]
    type = "string"
    [config.organization]
    type = "string"
    [[http]]
    origin-from = "url"
    methods = ["POST"]
    path = "/api/v1"
    [[secret]]
    handle = "key"
    from = "api-key"
    header = "Authorization"
    form = "Bearer {}"
    origin-from = "url"
"#;

const EARLIER: &str = r#"{"baseUrl": "https://old.example", "apiKey": "old-key", "daemonId": "daemon_1",
    "name": "desk", "workspaces": {"api": "/srv/api", "notes": "/plain/notes"}, "defaultWorkspace": "notes",
    "permissionCeiling": "auto_edits"}"#;

/// A machine before the set-up.
#[derive(Default)]
struct Machine {
    config: &'static str,
    secrets: &'static str,
    earlier: Option<&'static str>,
    variable: Option<&'static str>,
    here: bool,
}

impl Machine {
    fn set_up(
        &self,
        words: &str,
        answerer: &mut dyn FnMut(&Question) -> Result<String, Failure>,
    ) -> Result<Answers, Failure> {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let variable = self.variable.map(|value| ("TALE_DAEMON_API_KEY".to_owned(), value.to_owned()));
        let environment: BTreeMap<_, _> =
            variable.into_iter().chain([("HOME".to_owned(), "/home/ada".to_owned())]).collect();
        let look = |path: &Path| match path {
            path if path.starts_with("/plain") => Place::Folder,
            path if path.starts_with("/gone") => Place::Nothing,
            _ => Place::Repository,
        };
        let known = Known {
            manifest: &manifest,
            config: Some(ConfigFile::parse(Path::new("/c.toml"), self.config, Whose::Operator).unwrap()),
            secrets: Some(SecretsFile::parse(Path::new("/s.toml"), self.secrets).unwrap()),
            earlier: self.earlier.map(|text| tale_daemon::parse(Path::new("/t.json"), text).unwrap()),
            environment: &environment,
            machine: "machine".to_owned(),
            folder: Path::new("/here"),
            here: self.here.then(|| "/here".into()),
            look: &look,
        };
        interview(&known, &arguments(words), answerer)
    }

    /// Presses Enter at every question, as `--yes` does.
    fn unattended(&self, words: &str) -> Result<Answers, Failure> {
        self.set_up(words, &mut |question| match &question.complaint {
            None => Ok(String::new()),
            Some(why) => Err(Failure::new(crate::exit::Exit::Usage, format!("{}: {why}", question.what))),
        })
    }

    /// The files as they are afterwards, and what was said.
    fn after(&self, answers: &Answers) -> String {
        let config = edited(Path::new("/c.toml"), self.config, &answers.config).unwrap();
        let secrets = edited(Path::new("/s.toml"), self.secrets, &answers.secrets).unwrap();
        let taken = answers.taken.join(", ");
        format!("{config}---- secrets\n{secrets}---- taken: {taken}\n{}", answers.notes.join("\n"))
    }
}

fn arguments(words: &str) -> SetupArgs {
    let words = ["host", "setup", "tale"].into_iter().chain(words.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Setup(args) => *args,
        _ => unreachable!("the words begin with setup"),
    }
}

#[test]
fn flags_alone_set_up_a_fresh_machine() {
    let machine = Machine::default();
    let answers = machine.unattended(
        "--yes --url https://tale.example/ --key k-1 --name desk --workspace ~/app --ceiling auto_edits",
    );
    insta::assert_snapshot!(machine.after(&answers.unwrap()));
}

#[test]
fn a_fresh_machine_gets_what_the_original_proposed_and_a_safe_ceiling() {
    let machine = Machine { here: true, ..Machine::default() };
    insta::assert_snapshot!(machine.after(&machine.unattended("--yes").unwrap()));
}

#[test]
fn everything_an_earlier_program_knew_is_taken_over_and_named() {
    let machine = Machine { earlier: Some(EARLIER), ..Machine::default() };
    insta::assert_snapshot!(machine.after(&machine.unattended("--yes").unwrap()));
}

#[test]
fn a_flag_beats_what_an_earlier_program_knew() {
    let machine = Machine { earlier: Some(EARLIER), ..Machine::default() };
    let answers = machine
        .unattended("--yes --url https://new.example --key new-key --workspace /srv/new --ceiling safe")
        .unwrap();
    let after = machine.after(&answers);
    assert!(after.contains("https://new.example") && !after.contains("https://old.example"), "{after}");
    assert!(after.contains("new-key") && !after.contains("old-key"), "{after}");
    assert!(after.contains("permission-ceiling = \"safe\""), "{after}");
    let order = ["new = ", "notes = ", "api = "].map(|key| after.find(key).unwrap());
    assert!(order.is_sorted(), "the default repository comes first: {after}");
    assert_eq!(answers.taken, ["daemon-id", "name", "repository notes", "repository api"]);
}

#[test]
fn setting_up_again_keeps_identity_and_settings() {
    let machine = Machine {
        config: "plugin = \"tale\"\nname = \"mine\" # me\npermission-ceiling = \"full-auto\"\n\
                 [tracker.tale]\nurl = \"https://tale.example\"\ndaemon-id = \"daemon_9\"\n\
                 [repos]\napp = \"/srv/app\"\n",
        secrets: "[tracker.tale]\napi-key = \"saved\"\n",
        earlier: Some(EARLIER),
        ..Machine::default()
    };
    assert_eq!(machine.unattended("--yes").unwrap(), Answers::default());
    let answers = machine.unattended("--yes --workspace /srv/api --workspace-key back").unwrap();
    let after = machine.after(&answers);
    assert!(after.contains("app = \"/srv/app\"\nback = \"/srv/api\"\n"), "{after}");
    assert!(after.contains("daemon_9") && after.contains("# me"), "{after}");
}

#[test]
fn an_empty_key_forgets_the_saved_one_for_that_of_the_environment() {
    let machine = Machine {
        secrets: "[tracker.tale]\napi-key = \"saved\"\n",
        variable: Some("from-environment"),
        ..Machine::default()
    };
    let kept = machine.unattended("--yes").unwrap();
    assert!(machine.after(&kept).contains("saved") && !machine.after(&kept).contains("from-environment"));
    let mut args = arguments("--yes");
    args.key = Some(String::new());
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let environment = BTreeMap::new();
    let known = Known {
        manifest: &manifest,
        config: None,
        secrets: None,
        earlier: None,
        environment: &environment,
        machine: "machine".to_owned(),
        folder: Path::new("/here"),
        here: None,
        look: &|_| Place::Repository,
    };
    let answers = interview(&known, &args, &mut |_| Ok(String::new())).unwrap();
    assert!(!machine.after(&answers).contains("saved"));
}

#[test]
fn a_person_is_asked_once_more_after_a_wrong_answer_and_never_about_flags() {
    let machine = Machine { here: true, ..Machine::default() };
    let mut asked = Vec::new();
    let answers = machine.set_up("--name desk", &mut |question| {
        let complaint = question.complaint.as_deref().unwrap_or_default();
        asked.push(format!("{} [{}] {complaint}", question.what, question.proposal));
        let answer = match (question.what.as_str(), complaint.is_empty()) {
            ("url", true) => "tale.example",
            ("url", false) => "https://tale.example",
            ("api-key", _) => "k-1",
            ("workspace", true) => "/gone/app",
            ("workspace", false) => "/srv/app",
            ("permission-ceiling", true) => "root",
            ("permission-ceiling", false) => "full-auto",
            _ => "",
        };
        Ok(answer.to_owned())
    });
    insta::assert_snapshot!(format!("{}\n\n{}", asked.join("\n"), machine.after(&answers.unwrap())));
}

#[test]
fn what_is_wrong_on_the_command_line_is_told_with_its_flag() {
    let machine = Machine::default();
    let wrong = [
        "--yes --url tale",
        "--yes --workspace /gone",
        "--yes --set api-key=k",
        "--yes --set nothing=1",
        "--yes --set organization",
    ];
    let told = wrong.map(|words| machine.unattended(words).unwrap_err());
    assert!(told.iter().all(|failure| failure.exit == crate::exit::Exit::Usage));
    insta::assert_snapshot!(told.map(|failure| failure.to_string()).join("\n"));
    let there = Machine { config: "[repos]\napp = \"/srv/app\"", ..Machine::default() };
    let told = there.unattended("--yes --workspace-key x").unwrap_err().to_string();
    assert!(told.contains("give both"), "{told}");
}

#[test]
fn a_key_that_stays_while_the_address_changes_is_pointed_out() {
    let machine = Machine { earlier: Some(EARLIER), ..Machine::default() };
    let noted = |words: &str| {
        let notes = machine.unattended(words).unwrap().notes;
        notes.iter().any(|note| note.starts_with("url is new, but api-key is the one you had"))
    };
    assert!(noted("--yes --url https://new.example"));
    assert!(!noted("--yes --url https://old.example/"));
    assert!(!noted("--yes --url https://new.example --key new"));
    assert!(!noted("--yes"));
}

#[test]
fn a_repository_never_takes_the_place_of_another_one_unnoticed() {
    let machine = Machine { config: "[repos]\napp = \"/srv/app\"", ..Machine::default() };
    let told = machine.unattended("--yes --workspace /other/app").unwrap_err().to_string();
    assert!(told.contains("`app` is the key of /srv/app already"), "{told}");
    let moved = machine.unattended("--yes --workspace /other/x/../app/. --workspace-key app").unwrap();
    assert!(machine.after(&moved).contains("app = \"/other/app\""));
    assert!(machine.unattended("--yes --workspace /srv/app").is_ok());
}
