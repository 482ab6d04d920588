//! `host policy`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hostler_daemon::effective::{EffectiveRight, Request, Standing};
use hostler_daemon::engine::plan::Permission;
use hostler_daemon::engine::rights::{Origin, Rights};
use hostler_daemon::grants::Grants;
use hostler_daemon::organisation;
use hostler_daemon::policy::{Policies, Program, Verdict};
use hostler_daemon::{Repository, WorkspaceError, providers};

use crate::arguments::{CheckArgs, PolicyCommand, SettingsArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::grant;
use crate::output;
use crate::screens::policy::{Answer, Report, draw_report};
use crate::setup::{Chosen, Setup, choose};

/// Everything about policies.
pub fn policy(command: PolicyCommand, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        PolicyCommand::Check(args) => check(&args, context),
    }
}

fn check(args: &CheckArgs, context: &Context) -> Result<ExitCode, Failure> {
    let policies = context.policies.read();
    let mut answers = Vec::new();
    if let Some(name) = &args.plugin {
        answers.extend(plugin(name, &policies, context)?);
    }
    if let Some(address) = &args.origin {
        let origin = Origin::of(address).map_err(|error| Failure::new(Exit::Usage, error))?;
        answers.push(answer(format!("send requests to {origin}"), policies.origin(&origin)));
    }
    if let Some(name) = &args.program {
        answers.push(program(name, &policies, context));
    }
    if let Some(path) = &args.repository {
        answers.push(repository(&context.folder.join(path), &policies, context)?);
    }
    if let Some(level) = &args.permission {
        let verdict = policies.permits(Permission::from_name(level));
        answers.push(answer(format!("let agents work with `{level}`"), verdict));
    }
    let report = Report::of(&policies, &context.policies.system, answers);
    if args.json {
        output::json(&report)?;
    } else {
        output::print(&draw_report(&context.page(), &report))?;
    }
    Ok(report.exit().into())
}

fn answer(what: String, verdict: Verdict) -> Answer {
    Answer::of(what, Standing::of(verdict, true), None)
}

/// The plugin itself, and each right it asks for.
fn plugin(name: &str, policies: &Policies, context: &Context) -> Result<Vec<Answer>, Failure> {
    let chosen = choose(name, context)?;
    let (manifest, digest) = (&chosen.manifest, chosen.inspection.digest);
    let verdict = grant::candidate(&chosen, context).judge(policies);
    let grants = Grants::load(&context.home.grants())?;
    let granted = grants.find(&manifest.plugin.id, &digest).map(|grant| grant.rights.clone());
    let granted = granted.unwrap_or_default();
    let setup = Setup::read(&SettingsArgs::default(), context).ok();
    let fields = setup.as_ref().map(|setup| fields(setup, &chosen, context)).unwrap_or_default();
    let found = setup.as_ref().and_then(|setup| program_of(setup, &chosen, context));
    let real = found.as_deref().and_then(|path| path.canonicalize().ok());
    let program = found.as_deref().map(|path| Program { path, real: real.as_deref() });
    let rights = rights(&chosen, &granted, &fields, program, policies);
    let command = grant::command(&chosen.file);
    let itself = format!("use the plugin {} ({})", manifest.plugin.id, chosen.file.display());
    let rights = rights.into_iter().map(|right| Answer::of(right.what, right.standing, Some(&command)));
    Ok(std::iter::once(answer(itself, verdict)).chain(rights).collect())
}

fn rights(
    chosen: &Chosen,
    granted: &Rights,
    fields: &BTreeMap<String, String>,
    program: Option<Program<'_>>,
    policies: &Policies,
) -> Vec<EffectiveRight> {
    Request { asked: &chosen.manifest.rights, granted, fields, program }.judge(policies)
}

/// What is configured, without secrets; rights may be explained although not everything
/// is there that the plugin needs.
fn fields(setup: &Setup, chosen: &Chosen, context: &Context) -> BTreeMap<String, String> {
    let known = setup.fields(chosen.role(), chosen, context).unwrap_or_default();
    let is_open = |name: &String| chosen.manifest.config.get(name).is_some_and(|field| !field.secret);
    let open = known.into_iter().filter(|(name, _)| is_open(name));
    open.map(|(name, setting)| (name, setting.value.reveal().to_owned())).collect()
}

/// The program of a provider on this machine.
fn program_of(setup: &Setup, chosen: &Chosen, context: &Context) -> Option<PathBuf> {
    let instead = setup.program(chosen, context).ok()?.map(|setting| setting.value);
    providers::find(&chosen.manifest, instead.as_deref(), &search_path(context))
}

fn search_path(context: &Context) -> String {
    context.environment.get("PATH").cloned().unwrap_or_default()
}

/// A name is looked up as for an agent; one that is not here is judged as it is.
fn program(name: &str, policies: &Policies, context: &Context) -> Answer {
    let path = providers::locate(&OsString::from(name), &search_path(context));
    let path = path.unwrap_or_else(|| PathBuf::from(name));
    let real = path.canonicalize().ok();
    let verdict = policies.program(Program { path: &path, real: real.as_deref() });
    answer(format!("start the program {}", path.display()), verdict)
}

fn repository(path: &Path, policies: &Policies, context: &Context) -> Result<Answer, Failure> {
    let (verdict, shown) = match Repository::open(path, &context.home.workspaces()) {
        Ok(found) => (organisation::judge_repository(policies, &found), found.checkout().to_owned()),
        Err(WorkspaceError::NotARepository { .. }) => {
            (organisation::judge_folder(policies, path), path.to_owned())
        }
        Err(error) => return Err(error.into()),
    };
    Ok(answer(format!("work in {}", shown.display()), verdict))
}
