//! `host plugin install`.

use std::path::{Path, PathBuf};

use hostler_daemon::Candidate;
use hostler_daemon::engine::rights::Rights;
use hostler_daemon::grants::Grants;
use hostler_daemon::install_folder::{Change, InstallFolder, Step};
use hostler_daemon::installing::{Circumstances, Decision, Incoming, Standing};
use hostler_daemon::proving::Prover;
use hostler_daemon::vouching::SignatureRule;

use super::{in_runtime, with_settings};
use crate::arguments::InstallArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::grant;
use crate::inside;
use crate::output;
use crate::person::{carried_over, consent};
use crate::question::{can_ask, confirmed};
use crate::screens::inspect::draw_request;
use crate::screens::install::{Arrived, draw_growth, nobody_to_ask, outcome_line};
use crate::setup::Chosen;

/// The number of a step after which the process kills itself: for tests of crashes.
const TEST_KILL_AFTER: &str = "HOSTLER_TEST_KILL_AFTER";

/// Installs plugins, each whole or not at all, in the order of their names.
pub fn install(args: &InstallArgs, context: &Context) -> Result<(), Failure> {
    let sources = sources(&args.from, context)?;
    let desk =
        Desk { args, context, rule: grant::signatures(context)?.value.rule(), prover: context.prover() };
    let mut change = begin(context)?;
    let mut one_waits = false;
    for source in &sources {
        one_waits |= desk.install(&mut change, source)? == Decision::Keep;
    }
    if one_waits { Err(Failure::shown(Exit::Grows)) } else { Ok(()) }
}

/// Begins to change what is installed.
pub fn begin(context: &Context) -> Result<Change, Failure> {
    let fatal = context.environment.get(TEST_KILL_AFTER).and_then(|number| number.parse::<usize>().ok());
    let fatal = fatal.and_then(|number| Step::ALL.get(number).copied());
    let on_step = move |step| {
        if fatal == Some(step) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    };
    Ok(InstallFolder::of(&context.home).change(Box::new(on_step))?)
}

/// The files that are meant, those of folders by name.
fn sources(from: &[PathBuf], context: &Context) -> Result<Vec<PathBuf>, Failure> {
    let mut sources = Vec::new();
    for path in from {
        let path = context.folder.join(path);
        if !path.is_dir() {
            sources.push(path);
            continue;
        }
        let unreadable = |error: std::io::Error| {
            Failure::new(Exit::Plugin, format!("{} cannot be read ({error}); check the path", path.display()))
        };
        let entries = std::fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let files = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            files.filter(|file| file.extension().is_some_and(|end| end == "wasm")).collect();
        if files.is_empty() {
            let sentence = format!("{} holds no plugin; name a `.wasm` file or its folder", path.display());
            return Err(Failure::new(Exit::Plugin, sentence));
        }
        files.sort();
        sources.append(&mut files);
    }
    Ok(sources)
}

/// What every plugin of one command is installed with.
struct Desk<'a> {
    args: &'a InstallArgs,
    context: &'a Context,
    rule: SignatureRule,
    prover: Prover,
}

impl Desk<'_> {
    fn install(&self, change: &mut Change, source: &Path) -> Result<Decision, Failure> {
        let (home, grants) = (&self.context.home, self.context.home.grants());
        let mut incoming = Incoming::stage(change, source, self.rule, &home.keys())?;
        grant::warn(self.denied(&incoming).or_else(|| incoming.doubt.clone()))?;
        let standing = incoming.standing(change, &Grants::load(&grants)?);
        let decision = self.decide(&mut incoming, &standing)?;
        incoming.prove(change, &self.prover)?;
        let plugin = incoming.manifest.plugin.clone();
        let consent = match standing {
            Standing::CarriedOver { .. } => carried_over(self.context),
            _ => consent(self.args.yes, self.context),
        };
        let around = Circumstances { consent: &consent, now: now(), host: env!("CARGO_PKG_VERSION") };
        incoming.install(change, &decision, &around)?;
        let arrived = Arrived { id: &plugin.id, version: &plugin.version };
        output::line(outcome_line(arrived, &standing, &decision))?;
        Ok(decision)
    }

    /// That the organisation does not let it be used, whatever is installed.
    fn denied(&self, incoming: &Incoming) -> Option<String> {
        let candidate = Candidate {
            id: incoming.id().to_owned(),
            digest: incoming.digest(),
            file: incoming.staged().to_owned(),
            keys: self.context.home.keys(),
        };
        grant::denied(&candidate, &incoming.source, self.context)
    }

    /// Asks where something is to be agreed to and somebody is there. Growth is never
    /// agreed to by a script.
    fn decide(&self, incoming: &mut Incoming, standing: &Standing) -> Result<Decision, Failure> {
        let asks = can_ask() && !self.args.yes && !self.args.ask_later;
        match standing {
            Standing::Granted => Ok(Decision::Use { grant: None }),
            Standing::CarriedOver { rights, .. } => Ok(Decision::Use { grant: Some(rights.clone()) }),
            Standing::AsksForMore { than, more } => {
                self.show_growth(incoming, than, more)?;
                if !asks {
                    return Ok(Decision::Keep);
                }
                let rights = self.with_settings(incoming)?;
                let agreed = confirmed("\nAllow this build of the plugin to do so?");
                Ok(if agreed { Decision::Use { grant: Some(rights) } } else { Decision::Keep })
            }
            Standing::New if self.args.ask_later => Ok(Decision::Use { grant: None }),
            Standing::New => {
                let rights = self.with_settings(incoming)?;
                self.show_request(incoming)?;
                self.agreed_to(incoming, asks)?;
                Ok(Decision::Use { grant: Some(rights) })
            }
        }
    }

    /// What it is to be allowed: what it asks for, with the addresses of its tracker in
    /// the person's own network.
    fn with_settings(&self, incoming: &mut Incoming) -> Result<Box<Rights>, Failure> {
        let chosen = Chosen {
            file: incoming.source.clone(),
            inspection: incoming.inspection.clone(),
            manifest: incoming.manifest.clone(),
        };
        let (chosen, found) = in_runtime(with_settings(chosen, self.context))?;
        if self.args.yes || can_ask() {
            grant::note(&inside::sentences(&found))?;
        }
        incoming.inspection = chosen.inspection;
        Ok(Box::new(chosen.manifest.rights))
    }

    fn agreed_to(&self, incoming: &Incoming, asks: bool) -> Result<(), Failure> {
        let name = &incoming.manifest.plugin.name;
        if self.args.yes || (asks && confirmed("\nInstall this build of the plugin, and allow it to do so?"))
        {
            return Ok(());
        }
        let sentence = if asks {
            format!("{name} was not allowed; nothing has changed")
        } else {
            nobody_to_ask(incoming.id(), &incoming.source)
        };
        Err(Failure::new(Exit::Grant, sentence))
    }

    /// Beside the question: standard output may be read by a program.
    fn show_request(&self, incoming: &Incoming) -> Result<(), Failure> {
        if !self.args.yes && !can_ask() {
            return Ok(());
        }
        let source = incoming.source.display().to_string();
        output::write_error(draw_request(&self.context.page(), &source, &incoming.inspection).as_bytes())
    }

    fn show_growth(&self, incoming: &Incoming, than: &str, more: &[String]) -> Result<(), Failure> {
        let plugin = &incoming.manifest.plugin;
        let arrived = Arrived { id: &plugin.id, version: &plugin.version };
        output::write_error(draw_growth(&self.context.page(), arrived, than, more).as_bytes())
    }
}

/// By RFC 3339, to the second.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
