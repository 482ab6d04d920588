//! The operator's consent: shown, asked for, and written down.

use std::path::Path;

use hostler_daemon::grants::{GrantError, Grants};
use hostler_daemon::install_folder::InstallFolder;
use hostler_daemon::{Candidate, audit};

use crate::config::{Setting, Signatures};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::page::Page;
use crate::person::consent;
use crate::question::{can_ask, confirmed};
use crate::screens::inspect::{Allowed, draw_request};
use crate::screens::run_words::quoted;
use crate::setup::Chosen;
use crate::text::one_line;

/// How the grants stand towards a plugin.
pub fn standing(grants: &Grants, chosen: &Chosen) -> Allowed {
    match grants.check(&chosen.manifest, &chosen.inspection.digest, &chosen.file) {
        Ok(_) => Allowed::Yes,
        Err(GrantError::TooLittle { .. }) => Allowed::TooLittle,
        Err(_) => Allowed::No,
    }
}

/// Refuses a plugin without a good signature where one is required; gives what should
/// be told elsewhere, and first of all that a grant would not help.
pub fn vouched(chosen: &Chosen, context: &Context) -> Result<Option<String>, Failure> {
    Ok(looked_at(chosen, &signatures(context)?, context)?)
}

fn looked_at(
    chosen: &Chosen,
    rule: &Setting<Signatures>,
    context: &Context,
) -> Result<Option<String>, hostler_daemon::Failure> {
    if let Some(denied) = denied(&candidate(chosen, context), &chosen.file, context) {
        return Ok(Some(denied));
    }
    let doubt = rule.value.rule().check(&chosen.file, &chosen.inspection.digest, &context.home.keys())?;
    Ok(rule.value.doubt().or(doubt))
}

/// That a policy denies a plugin, which people know as `file`.
pub fn denied(candidate: &Candidate, file: &Path, context: &Context) -> Option<String> {
    let verdict = candidate.judge(&context.policies.read());
    let by = verdict.denied_by()?;
    Some(format!("your organisation's policy denies {}, whatever you allow ({by})", file.display()))
}

/// The plugin as policies look at it.
pub fn candidate(chosen: &Chosen, context: &Context) -> Candidate {
    let (id, keys) = (chosen.manifest.plugin.id.clone(), context.home.keys());
    Candidate { id, digest: chosen.inspection.digest, file: chosen.file.clone(), keys }
}

/// The operator's word on signatures: a repository has none.
pub fn signatures(context: &Context) -> Result<Setting<Signatures>, Failure> {
    Ok(Signatures::of(&context.operator_layers()?)?)
}

/// Tells what is doubtful about a signature, beside a question.
pub fn warn(doubt: Option<String>) -> Result<(), Failure> {
    let Some(doubt) = doubt else { return Ok(()) };
    output::write_error(format!("warning: {}\n", one_line(&doubt)).as_bytes())
}

/// Tells what should be known before a question is answered.
pub fn note(sentences: &[String]) -> Result<(), Failure> {
    let note = |sentence: &String| format!("note: {}\n\n", one_line(sentence));
    sentences.iter().try_for_each(|sentence| output::write_error(note(sentence).as_bytes()))
}

/// Makes sure that every one of these plugins is allowed: asks on a terminal, else
/// tells the commands.
pub fn ensure(chosen: &[&Chosen], context: &Context, page: &Page) -> Result<(), Failure> {
    let (rule, mut grants) = (signatures(context)?, Grants::load(&context.home.grants())?);
    let mut missing = Vec::new();
    for chosen in chosen {
        let refused = |why: &_| audit::start_refused(&context.home, &chosen.file, why);
        let doubt = looked_at(chosen, &rule, context).inspect_err(refused)?;
        let allowed = grants.check(&chosen.manifest, &chosen.inspection.digest, &chosen.file);
        if let Err(why) = allowed {
            missing.push((*chosen, doubt, hostler_daemon::Failure::from(why)));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !can_ask() {
        let refused = |(chosen, _, why): &(&Chosen, _, _)| {
            audit::start_refused(&context.home, &chosen.file, why);
        };
        missing.iter().for_each(refused);
        let files: Vec<&Path> = missing.iter().map(|(chosen, ..)| chosen.file.as_path()).collect();
        return Err(Failure::new(Exit::Grant, missing_grants(&files)));
    }
    for (chosen, doubt, _) in missing {
        ask(chosen, doubt, page)?;
        write_down(chosen, false, &mut grants, context)?;
    }
    Ok(())
}

/// Allows a plugin what it asks for, if it is not allowed already: shown, and asked for
/// unless the person said yes beforehand.
pub fn obtain(chosen: &Chosen, yes: bool, context: &Context, page: &Page) -> Result<(), Failure> {
    let path = context.home.grants();
    let mut grants = Grants::load(&path)?;
    if standing(&grants, chosen) == Allowed::Yes {
        return Ok(());
    }
    let doubt = vouched(chosen, context)?;
    output::write_error(b"\n")?;
    if yes {
        warn(doubt)?;
        let file = chosen.file.display().to_string();
        output::write_error(format!("{}\n", draw_request(page, &file, &chosen.inspection)).as_bytes())?;
    } else {
        ask(chosen, doubt, page)?;
    }
    write_down(chosen, yes, &mut grants, context)
}

/// Gives the grant, in the audit log first; `yes` if it was said beforehand.
pub fn write_down(chosen: &Chosen, yes: bool, grants: &mut Grants, context: &Context) -> Result<(), Failure> {
    Ok(consent(yes, context).allow(grants, &chosen.manifest, &chosen.inspection.digest)?)
}

/// Tells what is doubtful about its signature, shows what a plugin asks for and waits
/// for a yes.
pub fn ask(chosen: &Chosen, doubt: Option<String>, page: &Page) -> Result<(), Failure> {
    warn(doubt)?;
    let file = chosen.file.display().to_string();
    // Beside the question: standard output may be read by a program.
    output::write_error(draw_request(page, &file, &chosen.inspection).as_bytes())?;
    if confirmed("\nAllow this build of the plugin to do so?") {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Grant,
        format!("{} was not allowed; nothing has changed", chosen.manifest.plugin.name),
    ))
}

/// Has a person agree to what a plugin asks for, with `notes` beside it: asked on a
/// terminal; shown by `show` where the `yes` was said beforehand, as by `command`.
pub fn agree(
    chosen: &Chosen,
    notes: &[String],
    yes: bool,
    command: &str,
    show: impl FnOnce(&str) -> Result<(), Failure>,
    context: &Context,
) -> Result<(), Failure> {
    let page = context.page();
    let doubt = vouched(chosen, context)?;
    note(notes)?;
    if yes {
        warn(doubt)?;
        return show(&draw_request(&page, &chosen.file.display().to_string(), &chosen.inspection));
    }
    if can_ask() {
        return ask(chosen, doubt, &page);
    }
    let title = &chosen.manifest.plugin.name;
    let remedy = format!("to allow {title} without a question, run `{command}`");
    Err(Failure::new(Exit::Grant, format!("nobody is there to be asked: {remedy}")))
}

/// What to type where nobody can be asked.
pub fn missing_grants(files: &[&Path]) -> String {
    let commands: Vec<String> = files.iter().map(|file| format!("`{}`", command(file))).collect();
    let subject = match files.len() {
        1 => "a plugin has no grant for what it asks for: look at it",
        _ => "some plugins have no grant for what they ask for: look at them",
    };
    format!("{subject} with `host plugin inspect`, then run {}", commands.join(" and "))
}

/// The command that allows one plugin without a question.
pub fn command(file: &Path) -> String {
    let path = file.display().to_string();
    format!("host plugin allow {} --yes", quoted(InstallFolder::name_of(file).unwrap_or(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_the_exact_commands_are_told() {
        let (one, two) = (Path::new("/p/folder.wasm"), Path::new("/my plugins/x.wasm"));
        let installed = Path::new("/p/installed/folder@0123456789abcdef.wasm");
        let all = [missing_grants(&[one]), missing_grants(&[one, two]), missing_grants(&[installed])];
        insta::assert_snapshot!(all.join("\n"));
    }
}
