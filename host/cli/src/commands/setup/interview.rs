//! What is asked, what follows from the answers. Decides only: whoever asks and
//! whoever writes is elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_daemon::engine::plan::Permission;
use hostler_daemon::engine::policy::Policy;
use hostler_daemon::engine::rights::Origin;
use hostler_daemon::plugins::{ConfigField, FieldType};
use serde_json::Value;

use super::known::{Known, Place, Proposal, Source};
use crate::arguments::{SetupArgs, assignment};
use crate::config::edit::Change;
use crate::config::{Key, fields, tale_daemon};
use crate::exit::Exit;
use crate::failure::Failure;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it is about.
    pub what: String,
    /// One sentence more; may be empty.
    pub help: String,
    /// What an empty answer means; may be empty.
    pub proposal: String,
    /// Not to be shown while it is typed.
    pub secret: bool,
    /// How to answer on the command line.
    pub flag: String,
    /// Whether there has to be an answer or a proposal.
    pub needed: bool,
    /// What was wrong with the last answer.
    pub complaint: Option<String>,
}

/// Answers a question; an empty answer takes what is proposed.
type Answerer<'a> = dyn FnMut(&Question) -> Result<String, Failure> + 'a;

/// What is to be written.
#[derive(Debug, Default, PartialEq)]
pub struct Answers {
    /// Into `config.toml`.
    pub config: Vec<Change>,
    /// Into `secrets.toml`.
    pub secrets: Vec<Change>,
    /// What an earlier program knew and is taken over.
    pub taken: Vec<String>,
    /// What the person should know, a sentence each.
    pub notes: Vec<String>,
}

/// Asks everything that the command line leaves open.
pub fn interview<'a>(
    known: &'a Known<'_>,
    args: &SetupArgs,
    answerer: &'a mut Answerer<'a>,
) -> Result<Answers, Failure> {
    let mut given = BTreeMap::new();
    for text in &args.set {
        given.extend([assignment(text).map_err(|error| Failure::new(Exit::Usage, error))?]);
    }
    if let Some(url) = &args.url {
        given.insert(named(known, "--url", known.url_field())?, url.clone());
    }
    let key = args.key.as_ref().map(|key| Ok::<_, Failure>((named(known, "--key", known.key_field())?, key)));
    let key = key.transpose()?;
    let mut interview = Interview { known, answerer, answers: Answers::default() };
    interview.check_fields(&given)?;
    let config = &known.manifest.config;
    for (name, field) in config.iter().filter(|(_, field)| !field.secret) {
        interview.field(name, field, given.get(name).map(String::as_str))?;
    }
    for (name, field) in config.iter().filter(|(_, field)| field.secret) {
        let key = key.as_ref().filter(|(field, _)| field == name).map(|(_, key)| key.as_str());
        interview.secret(name, field, key)?;
    }
    interview.note_old_key_for_new_address();
    interview.name(args.name.as_deref())?;
    interview.repositories(args)?;
    interview.ceiling(args.ceiling)?;
    Ok(interview.answers)
}

/// The field that a flag means.
fn named(known: &Known<'_>, flag: &str, field: Option<&str>) -> Result<String, Failure> {
    field.map(str::to_owned).ok_or_else(|| {
        let plugin = known.id();
        let remedy = format!("leave it out; `host plugin inspect {plugin}` shows what there is");
        Failure::new(Exit::Usage, format!("{flag}: plugin `{plugin}` has no such field: {remedy}"))
    })
}

struct Interview<'a, 'k> {
    known: &'a Known<'k>,
    answerer: &'a mut Answerer<'a>,
    answers: Answers,
}

impl Interview<'_, '_> {
    /// `--set` may only name fields that are there and not secret.
    fn check_fields(&self, given: &BTreeMap<String, String>) -> Result<(), Failure> {
        let config = &self.known.manifest.config;
        let wrong = given.keys().find(|name| config.get(*name).is_none_or(|field| field.secret));
        let Some(name) = wrong else { return Ok(()) };
        let known: Vec<String> =
            config.iter().filter(|(_, field)| !field.secret).map(|(name, _)| format!("`{name}`")).collect();
        let what = format!("--set: plugin `{}` has no field `{name}` to be set so", self.known.id());
        Err(Failure::new(Exit::Usage, format!("{what}; there are {}", known.join(", "))))
    }

    /// Only what the plugin cannot do without is asked for.
    fn field(&mut self, name: &str, field: &ConfigField, flag: Option<&str>) -> Result<(), Failure> {
        let is_url = self.known.url_field() == Some(name);
        let question = Question {
            what: name.to_owned(),
            help: field.help.clone(),
            proposal: String::new(),
            secret: false,
            needed: true,
            flag: if is_url { "--url".to_owned() } else { format!("--set {name}=VALUE") },
            complaint: None,
        };
        let proposal = self.known.field(name, field);
        let read = |text: &str| read_field(field.kind, is_url, text);
        if flag.is_none() && !field.required {
            return match proposal.filter(|proposal| proposal.source == Source::Earlier) {
                Some(proposal) => self.take_field(name, &proposal),
                None => Ok(()),
            };
        }
        match self.ask(question, flag, proposal.as_ref(), read)? {
            Some(value) => self.answers.config.push(self.change(name, &value)),
            None => {
                if let Some(proposal) = proposal {
                    self.take_field(name, &proposal)?;
                }
            }
        }
        Ok(())
    }

    /// Writes a proposal down, unless it is in force anyway.
    fn take_field(&mut self, name: &str, proposal: &Proposal) -> Result<(), Failure> {
        if proposal.source == Source::InForce {
            return Ok(());
        }
        let is_url = self.known.url_field() == Some(name);
        let kind = self.known.manifest.config.get(name).map_or(FieldType::String, |field| field.kind);
        let value = read_field(kind, is_url, &proposal.value)
            .map_err(|why| Failure::new(Exit::Configuration, format!("{name}: {why}")))?;
        self.answers.config.push(self.change(name, &value));
        self.note_taken(name, proposal);
        Ok(())
    }

    fn change(&self, name: &str, value: &Value) -> Change {
        let keys = ["tracker", self.known.id(), name];
        match value {
            Value::String(text) => Change::text(&keys, text),
            other => Change::literal(&keys, other.to_string()),
        }
    }

    /// A secret is never missed here: it may come from the environment later.
    fn secret(&mut self, name: &str, field: &ConfigField, flag: Option<&str>) -> Result<(), Failure> {
        let keys = ["tracker", self.known.id(), name];
        let proposal = self.known.secret(name, field);
        if flag.is_some_and(|key| key.trim().is_empty()) {
            self.answers.secrets.push(Change::removed(&keys));
            return Ok(());
        }
        let proposed = proposal.as_ref().map_or_else(
            || field.env.as_ref().map(|name| format!("none, to use {name}")).unwrap_or_default(),
            |proposal| match proposal.source {
                Source::Earlier => "the one you had".to_owned(),
                Source::InForce | Source::Suggested => proposal.value.clone(),
            },
        );
        let question = Question {
            what: name.to_owned(),
            help: field.help.clone(),
            proposal: proposed,
            secret: true,
            needed: false,
            flag: "--key".to_owned(),
            complaint: None,
        };
        let typed = match flag {
            Some(key) => key.trim().to_owned(),
            None => (self.answerer)(&question)?,
        };
        if !typed.is_empty() {
            self.answers.secrets.push(Change::text(&keys, typed));
        } else if let Some(earlier) = proposal.filter(|proposal| proposal.source == Source::Earlier) {
            self.answers.secrets.push(Change::text(&keys, &earlier.value));
            self.note_taken(name, &earlier);
        }
        Ok(())
    }

    /// A key that was meant for another server would be sent to the new one.
    fn note_old_key_for_new_address(&mut self) {
        let known = self.known;
        let (Some(url), Some(key)) = (known.url_field(), known.key_field()) else { return };
        let (url_keys, key_keys) = (["tracker", known.id(), url], ["tracker", known.id(), key]);
        let field = |name| known.manifest.config.get(name);
        let before = field(url).and_then(|field| known.field(url, field));
        let old_key = field(key).and_then(|field| known.secret(key, field));
        let moved = before.filter(|before| before.source != Source::Suggested).is_some_and(|before| {
            let same = Change::text(&url_keys, before.value.trim_end_matches('/'));
            self.answers.config.iter().any(|change| change.is_at(&url_keys) && *change != same)
        });
        let old_key = old_key.is_some_and(|old| match old.source {
            Source::Earlier => self.answers.secrets.contains(&Change::text(&key_keys, old.value)),
            Source::InForce | Source::Suggested => {
                !self.answers.secrets.iter().any(|one| one.is_at(&key_keys))
            }
        });
        if moved && old_key {
            let what = format!("{url} is new, but {key} is the one you had");
            self.answers
                .notes
                .push(format!("{what}: if it belongs to another server, set up again with --key"));
        }
    }

    fn name(&mut self, flag: Option<&str>) -> Result<(), Failure> {
        let question = Question {
            what: Key::Name.name().to_owned(),
            help: "What the tracker calls this host.".to_owned(),
            proposal: String::new(),
            secret: false,
            needed: true,
            flag: "--name".to_owned(),
            complaint: None,
        };
        let machine = Proposal { value: self.known.machine.clone(), source: Source::InForce };
        let proposal = self.known.key(Key::Name).unwrap_or(machine);
        let typed = self.ask(question, flag, Some(&proposal), crate::config::value::text)?;
        self.setting(Key::Name, typed, &proposal);
        Ok(())
    }

    fn ceiling(&mut self, flag: Option<Permission>) -> Result<(), Failure> {
        let question = Question {
            what: Key::PermissionCeiling.name().to_owned(),
            help: "The most a task may ask for: safe, auto-edits (edit files) or full-auto (run anything)."
                .to_owned(),
            proposal: String::new(),
            secret: false,
            needed: true,
            flag: "--ceiling".to_owned(),
            complaint: None,
        };
        let usual = if self.known.is_tale() {
            Proposal { value: Permission::Safe.name().to_owned(), source: Source::Suggested }
        } else {
            let value = Policy::default().permission_ceiling.name().to_owned();
            Proposal { value, source: Source::InForce }
        };
        let proposal = self.known.key(Key::PermissionCeiling).unwrap_or(usual);
        let read = |text: &str| {
            let level = tale_daemon::permission(text).map(|level| level.name().to_owned());
            level.ok_or_else(|| "choose safe, auto-edits or full-auto".to_owned())
        };
        let typed = self.ask(question, flag.map(Permission::name), Some(&proposal), read)?;
        self.setting(Key::PermissionCeiling, typed, &proposal);
        Ok(())
    }

    fn setting(&mut self, key: Key, typed: Option<String>, proposal: &Proposal) {
        let taken = (proposal.source != Source::InForce).then(|| proposal.value.clone());
        if typed.is_none() && taken.is_some() {
            self.note_taken(key.name(), proposal);
        }
        let value = typed.or(taken);
        self.answers.config.extend(value.map(|value| Change::text(&[key.name()], value)));
    }

    /// Repositories that are there stay; an earlier program's come only where there
    /// are none, so that one that was removed does not come back.
    fn repositories(&mut self, args: &SetupArgs) -> Result<(), Failure> {
        let kept = self.known.repositories(self.known.config.as_ref());
        let earlier = self.known.repositories(self.known.earlier.as_ref());
        let taken = if kept.is_empty() { earlier } else { Vec::new() };
        let there = !kept.is_empty() || !taken.is_empty();
        if args.workspace.is_none() && args.workspace_key.is_some() && there {
            let what = "--workspace-key names the repository of --workspace: give both";
            return Err(Failure::new(Exit::Usage, what));
        }
        // The first is the default, and what is asked for now is meant first.
        if args.workspace.is_some() || !there {
            self.workspace(args)?;
        }
        for (key, path) in taken {
            if self.answers.config.contains(&Change::text(&["repos", &key], shown(&path))) {
                continue;
            }
            self.answers.taken.push(format!("repository {key}"));
            self.add(&key, &path);
        }
        Ok(())
    }

    fn workspace(&mut self, args: &SetupArgs) -> Result<(), Failure> {
        let question = Question {
            what: "workspace".to_owned(),
            help: "The repository to work on.".to_owned(),
            proposal: String::new(),
            secret: false,
            needed: false,
            flag: "--workspace".to_owned(),
            complaint: None,
        };
        let here = self.known.here.as_ref();
        let proposal = here.map(|path| Proposal { value: shown(path), source: Source::Suggested });
        let flag = args.workspace.as_ref().map(|path| shown(path));
        let (known, look) = (self.known, self.known.look);
        let read = |text: &str| match known.absolute(text.trim()) {
            path if look(&path) == Place::Nothing => Err(format!("{} is no folder", path.display())),
            path => Ok(path),
        };
        let typed = self.ask(question, flag.as_deref(), proposal.as_ref(), read)?;
        let Some(path) = typed.or_else(|| here.cloned()) else { return Ok(()) };
        let key = self.workspace_key(args.workspace_key.as_deref(), &path)?;
        let kept = known.repositories(known.config.as_ref());
        if let Some((_, other)) = kept.iter().find(|(other, place)| *other == key && *place != path)
            && args.workspace_key.is_none()
        {
            let what = format!("--workspace: `{key}` is the key of {} already", other.display());
            return Err(Failure::new(Exit::Usage, format!("{what}; give another one with --workspace-key")));
        }
        self.add(&key, &path);
        Ok(())
    }

    fn workspace_key(&mut self, flag: Option<&str>, path: &Path) -> Result<String, Failure> {
        let question = Question {
            what: "workspace-key".to_owned(),
            help: "What the tracker calls it; the path stays on this machine.".to_owned(),
            proposal: String::new(),
            secret: false,
            needed: true,
            flag: "--workspace-key".to_owned(),
            complaint: None,
        };
        let folder = path.file_name().map_or("repository".into(), |name| name.to_string_lossy());
        let proposal = Proposal { value: folder.into_owned(), source: Source::Suggested };
        let typed = self.ask(question, flag, Some(&proposal), crate::config::value::text)?;
        Ok(typed.unwrap_or(proposal.value))
    }

    fn add(&mut self, key: &str, path: &Path) {
        self.answers.config.push(Change::text(&["repos", key], shown(path)));
        match (self.known.look)(path) {
            Place::Repository => {}
            Place::Folder => {
                self.answers.config.push(Change::literal(&[Key::InPlace.name()], "true"));
                let what = "is in no git repository: agents work in the folder itself, one at a time";
                self.answers.notes.push(format!("{key} ({}) {what}", path.display()));
            }
            Place::Nothing => self.answers.notes.push(format!("{key} ({}) is not there", path.display())),
        }
    }

    /// The answer by flag or by the person; `None` takes what is proposed.
    fn ask<T>(
        &mut self,
        mut question: Question,
        flag: Option<&str>,
        proposal: Option<&Proposal>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        if let Some(text) = flag {
            let wrong = |why| Failure::new(Exit::Usage, format!("{}: {why}", question.flag));
            return read(text).map(Some).map_err(wrong);
        }
        question.proposal = proposal.map(|proposal| proposal.value.clone()).unwrap_or_default();
        loop {
            let typed = (self.answerer)(&question)?;
            match (typed.trim(), proposal) {
                ("", Some(_)) => return Ok(None),
                ("", None) if !question.needed => return Ok(None),
                ("", None) => question.complaint = Some("it is needed".to_owned()),
                (text, _) => match read(text) {
                    Ok(value) => return Ok(Some(value)),
                    Err(why) => question.complaint = Some(why),
                },
            }
        }
    }

    fn note_taken(&mut self, name: &str, proposal: &Proposal) {
        if proposal.source == Source::Earlier {
            self.answers.taken.push(name.to_owned());
        }
    }
}

/// A field's value of its type; an address without a `/` at its end.
fn read_field(kind: FieldType, is_url: bool, text: &str) -> Result<Value, String> {
    if is_url {
        let address = text.trim().trim_end_matches('/');
        return match Origin::of(address) {
            Ok(_) => Ok(address.into()),
            Err(error) => Err(error.to_string()),
        };
    }
    fields::from_text(kind, text)
        .filter(|value| kind.admits(value))
        .ok_or_else(|| format!("`{text}` must be {}", fields::expected(kind)))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
