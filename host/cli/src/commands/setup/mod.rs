//! `host setup`: asks what a tracker needs, takes over what an earlier program knew,
//! and saves it. Nothing is written before everything is answered and allowed.

mod interview;
mod known;
pub mod save;

use std::path::{Path, PathBuf};

use hostler_daemon::engine::rights::Rights;
use hostler_daemon::grants::Grants;
use hostler_daemon::plugins::{self, Kind};

use self::interview::{Answers, Question, interview};
use self::known::{Known, Place};
use super::standing::{self, Server};
use crate::arguments::{SettingsArgs, SetupArgs};
use crate::config::edit::{Change, edited};
use crate::config::fields::{Kept, Role, resolve_what_is_there};
use crate::config::file::read_text;
use crate::config::{ConfigFile, Configuration, Key, Layers, SecretsFile, Whose, tale_daemon};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::found;
use crate::grant;
use crate::inside;
use crate::output;
use crate::page::Page;
use crate::question::{answer, can_ask, secret_answer};
use crate::screens::inspect::Allowed;
use crate::screens::setup::{Saved, draw_question, draw_saved};
use crate::setup::{Chosen, choose, machine_name, top};

/// Sets up one tracker.
pub async fn setup(args: &SetupArgs, context: &Context) -> Result<(), Failure> {
    if !args.yes && !can_ask() {
        let what = "nobody is there to be asked: add --yes, and give what is missing by flags";
        return Err(Failure::new(Exit::Usage, what));
    }
    let page = context.page();
    let chosen = tracker(&args.plugin, context)?;
    let files = Files::read(context)?;
    let known = known(&chosen, &files, context)?;
    let mut answerer = |question: &Question| answered(question, args.yes, &page);
    let mut answers = interview(&known, args, &mut answerer)?;
    answers.config.insert(0, Change::text(&[Key::Plugin.name()], lasting_name(args, &chosen, context)));
    let written = files.with(&answers)?;
    check(&written, &chosen, &known, context)?;
    let notes = allow(&chosen, args, &written, context, &page).await?;
    answers.notes.extend(notes);
    written.save(context, files.secrets.as_deref())?;
    told(&chosen, answers, known.earlier.map(|file| file.path), context, &page).await
}

/// The texts of the settings files, as they are or as they will be.
struct Files {
    config_path: PathBuf,
    config: String,
    secrets_path: PathBuf,
    secrets: Option<String>,
}

impl Files {
    fn read(context: &Context) -> Result<Self, Failure> {
        let (config_path, secrets_path) = (context.config_file(), context.secrets_file());
        let config = read_text(&config_path)?.unwrap_or_default();
        let secrets = read_text(&secrets_path)?;
        Ok(Self { config_path, config, secrets_path, secrets })
    }

    fn with(&self, answers: &Answers) -> Result<Self, Failure> {
        let before = self.secrets.as_deref().unwrap_or_default();
        let after = edited(&self.secrets_path, before, &answers.secrets)?;
        let secrets = match &self.secrets {
            None if after.is_empty() => None,
            None => Some(format!("{SECRETS_HEAD}{after}")),
            Some(_) => Some(after),
        };
        Ok(Self {
            config_path: self.config_path.clone(),
            config: edited(&self.config_path, &self.config, &answers.config)?,
            secrets_path: self.secrets_path.clone(),
            secrets,
        })
    }

    /// What the texts say.
    fn layers(&self) -> Result<Layers, Failure> {
        let secrets = self.secrets.as_ref().map(|text| SecretsFile::parse(&self.secrets_path, text));
        Ok(Layers {
            user_file: Some(ConfigFile::parse(&self.config_path, &self.config, Whose::Operator)?),
            secrets: secrets.transpose()?,
            ..Layers::default()
        })
    }

    fn save(&self, context: &Context, secrets_before: Option<&str>) -> Result<(), Failure> {
        save::make_folder(&context.home.config)?;
        if let Some(secrets) = self.secrets.as_deref().filter(|secrets| Some(*secrets) != secrets_before) {
            save::secrets(&self.secrets_path, secrets)?;
        }
        save::settings(&self.config_path, &self.config)
    }
}

/// What stands at the head of a new file of secrets.
const SECRETS_HEAD: &str = "# Keys for trackers. Written by `host setup`; for your eyes only.\n\n";

/// The tracker that was named.
fn tracker(name: &str, context: &Context) -> Result<Chosen, Failure> {
    let chosen = choose(name, context)?;
    if chosen.inspection.kinds.contains(&Kind::Tracker) {
        return Ok(chosen);
    }
    let id = &chosen.manifest.plugin.id;
    let remedy = format!("a coding CLI needs no set-up, only your consent: `host plugin allow {id}`");
    Err(Failure::new(Exit::Plugin, format!("plugin {} is no tracker: {remedy}", chosen.file.display())))
}

fn known<'a>(chosen: &'a Chosen, files: &Files, context: &'a Context) -> Result<Known<'a>, Failure> {
    let layers = files.layers()?;
    // Nothing may be added to a file that others could have read or written.
    SecretsFile::read(&files.secrets_path)?;
    let is_tale = chosen.manifest.plugin.id == tale_daemon::PLUGIN;
    let left = if is_tale { tale_daemon::read(context.tale_daemon_file().as_deref())? } else { None };
    Ok(Known {
        manifest: &chosen.manifest,
        config: layers.user_file,
        secrets: layers.secrets,
        earlier: left,
        environment: &context.environment,
        machine: machine_name(&context.environment),
        folder: &context.folder,
        here: top(&context.folder),
        look: &look,
    })
}

fn look(path: &Path) -> Place {
    match (path.is_dir(), top(path)) {
        (true, Some(_)) => Place::Repository,
        (true, None) => Place::Folder,
        (false, _) => Place::Nothing,
    }
}

/// Asks the person; where nobody is asked, everything that is proposed is taken.
fn answered(question: &Question, yes: bool, page: &Page) -> Result<String, Failure> {
    if !yes {
        let text = draw_question(page, question_view(question));
        return if question.secret { secret_answer(&text) } else { answer(&text) };
    }
    match &question.complaint {
        None => Ok(String::new()),
        Some(complaint) => Err(Failure::new(
            Exit::Usage,
            format!("{}: {complaint}; give it with `{}`", question.what, question.flag),
        )),
    }
}

fn question_view(question: &Question) -> crate::screens::setup::QuestionView<'_> {
    crate::screens::setup::QuestionView {
        what: &question.what,
        help: &question.help,
        proposal: &question.proposal,
        complaint: question.complaint.as_deref(),
    }
}

/// How the plugin is named in settings: by name where that finds the same file from
/// anywhere, else by its full path.
fn lasting_name(args: &SetupArgs, chosen: &Chosen, context: &Context) -> String {
    let available = plugins::available(&context.plugin_folders()).unwrap_or_default();
    let same = |path: &Path| path.canonicalize().ok() == chosen.file.canonicalize().ok();
    let installed = available.into_iter().find(|(_, path)| same(path)).map(|(name, _)| name);
    installed.unwrap_or_else(|| match chosen.file.canonicalize() {
        Ok(path) => path.display().to_string(),
        Err(_) => args.plugin.clone(),
    })
}

/// The settings must make sense as a whole before they are written.
fn check(written: &Files, chosen: &Chosen, known: &Known<'_>, context: &Context) -> Result<(), Failure> {
    let mut layers = written.layers()?;
    layers.environment = context.environment.clone();
    if known.is_tale() {
        layers.earlier = Some(tale_daemon::defaults());
    }
    Configuration::resolve(&layers, &known.machine)?;
    let path = written.config_path.display().to_string();
    let (_, missing) =
        resolve_what_is_there(Role::Tracker, &chosen.manifest, &layers, &Kept::default(), &path)?;
    // A key may come later from the environment.
    let is_secret = |name: &String| chosen.manifest.config.get(name).is_some_and(|field| field.secret);
    missing.into_iter().find(|(name, _)| !is_secret(name)).map_or(Ok(()), |(_, error)| Err(error.into()))
}

/// Consent to the tracker, and to the coding CLIs that will work for it; gives what is
/// left to be done.
async fn allow(
    chosen: &Chosen,
    args: &SetupArgs,
    written: &Files,
    context: &Context,
    page: &Page,
) -> Result<Vec<String>, Failure> {
    let yes = args.yes;
    let notes = allow_tracker(chosen, args, written, context, page).await?;
    let layers = written.layers()?;
    let named = layers.names(Key::Provider)?.value;
    let named = named.iter().map(|name| choose(name, context)).collect::<Result<Vec<_>, _>>()?;
    if !named.is_empty() {
        named.iter().try_for_each(|provider| grant::obtain(provider, yes, context, page))?;
        return Ok(notes);
    }
    for (_, provider) in found::providers(&layers, context)? {
        match grant::obtain(&provider, yes, context, page) {
            // One CLI fewer; the others can still work.
            Err(failure) if failure.exit == Exit::Grant => {}
            other => other?,
        }
    }
    Ok(notes)
}

/// Consent to the tracker, with the addresses it has in the person's own network. Where
/// nobody is asked, these count only if the person wrote down the tracker's address just
/// now: one that was left by somebody else opens nothing.
async fn allow_tracker(
    chosen: &Chosen,
    args: &SetupArgs,
    written: &Files,
    context: &Context,
    page: &Page,
) -> Result<Vec<String>, Failure> {
    let mut layers = written.layers()?;
    layers.environment.clone_from(&context.environment);
    let (widened, found) = inside::widened(chosen.clone(), &layers, context).await?;
    if args.yes && !found.is_empty() && !is_typed(&chosen.manifest.rights, args) {
        grant::obtain(chosen, args.yes, context, page)?;
        let remedy = format!("run `host plugin allow {}` if that is right", chosen.manifest.plugin.id);
        return Ok(inside::sentences(&found).iter().map(|told| format!("{told}; {remedy}")).collect());
    }
    if grant::standing(&Grants::load(&context.home.grants())?, &widened) != Allowed::Yes {
        grant::note(&inside::sentences(&found))?;
    }
    grant::obtain(&widened, args.yes, context, page)?;
    Ok(Vec::new())
}

/// Whether the person gave every address on the command line that a right depends on.
fn is_typed(rights: &Rights, args: &SetupArgs) -> bool {
    let fields: Vec<&str> = rights.http.iter().filter_map(|right| right.origin_from.as_deref()).collect();
    let url = fields.first().filter(|_| args.url.is_some());
    let set: Vec<&str> = args.set.iter().filter_map(|text| Some(text.split_once('=')?.0.trim())).collect();
    fields.iter().all(|field| url == Some(field) || set.contains(field))
}

/// Says what was saved, as it is now in force.
async fn told(
    chosen: &Chosen,
    answers: Answers,
    earlier: Option<PathBuf>,
    context: &Context,
    page: &Page,
) -> Result<(), Failure> {
    let standing = standing::gather(&SettingsArgs::default(), context, Server::LeftAlone).await;
    let earlier = earlier.filter(|_| !answers.taken.is_empty());
    let saved = Saved {
        tracker: &chosen.manifest.plugin.name,
        config: context.config_file().display().to_string(),
        secrets: context.secrets_file().exists().then(|| context.secrets_file().display().to_string()),
        taken: earlier.map(|path| (path.display().to_string(), answers.taken)),
        notes: answers.notes,
    };
    output::print(&draw_saved(page, &saved, &standing))
}

#[cfg(test)]
mod tests;
