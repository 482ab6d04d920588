//! `host secret`: keeps the keys of plugins where nobody else reads them.

use std::io::{IsTerminal, Read};

use hostler_daemon::plugins;

use super::setup::save;
use crate::arguments::SecretCommand;
use crate::config::edit::{Change, edited};
use crate::config::file::read_text;
use crate::config::secret_field::{ByHand, SecretField, kept_in_keyring};
use crate::config::{Layers, Origin, tale_daemon};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::keyring::{Bounded, KeyringError, SecretName};
use crate::output;
use crate::question::{can_ask, secret_answer};
use crate::screens::secrets::{SecretView, draw_secrets};
use crate::setup::{Chosen, choose};

/// Longest secret in bytes: any key or certificate is shorter.
const SECRET_BYTES: u64 = 64 * 1024;

/// What stands at the head of a new file of secrets.
const HEAD: &str = "# Keys for plugins, and which of them the keyring has. For your eyes only.\n\n";

/// Carries out one of its commands.
pub fn secret(command: SecretCommand, context: &Context) -> Result<(), Failure> {
    match command {
        SecretCommand::Set { name, file } => set(&name, file, context),
        SecretCommand::List { json } => list(json, context),
        SecretCommand::Remove { name } => remove(&name, context),
    }
}

/// The secret that is called this: a plugin that is here, and its field.
fn find(text: &str, context: &Context) -> Result<SecretField, Failure> {
    let wrong = |what: String| Failure::new(Exit::Usage, what);
    let (plugin, field) = text.rsplit_once('.').ok_or_else(|| {
        wrong(format!("`{text}` names no secret: write plugin and field, such as `tale.api-key`"))
    })?;
    let all = of(&choose(plugin, context)?);
    let known: Vec<String> = all.iter().map(|secret| format!("`{}`", secret.name.field)).collect();
    all.into_iter().find(|secret| secret.name.field == field).ok_or_else(|| {
        let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
        wrong(format!("plugin `{plugin}` has no secret `{field}`; it has {known}"))
    })
}

fn of(chosen: &Chosen) -> Vec<SecretField> {
    SecretField::all(chosen.role(), &chosen.manifest)
}

fn set(text: &str, into_file: bool, context: &Context) -> Result<(), Failure> {
    let secret = find(text, context)?;
    // Nothing may be added to a file that others could have read or written.
    let layers = context.layers_with_secrets()?;
    let keyring = if into_file { None } else { answering(&secret.name, context)? };
    if let (None, Some(ByHand::InKeyring(place))) = (&keyring, secret.by_hand(&layers)?) {
        let what =
            format!("{} is not kept: {}, then set it again", secret.name, in_keyring_by(&place, context));
        return Err(Failure::new(Exit::Configuration, what));
    }
    let value = typed(&secret.name)?;
    let kept = if let Some(keyring) = &keyring {
        keyring.write(&secret.name, &value).map_err(|error| not_kept(&secret.name, &error))?;
        write_down(&secret, &layers, Place::Keyring, context)?;
        format!("the keyring ({})", keyring.title())
    } else {
        write_down(&secret, &layers, Place::File(&value), context)?;
        format!("{}, which only you can read", context.secrets_file().display())
    };
    output::line(format!("{} is kept in {kept}.{}", secret.name, beside(&secret, context)))
}

/// The keyring, if one is here; one that is locked or hangs is told, not passed over.
fn answering(name: &SecretName, context: &Context) -> Result<Option<Bounded>, Failure> {
    let Some(keyring) = Bounded::system(&context.environment) else { return Ok(None) };
    match keyring.read(name) {
        Ok(_) => Ok(Some(keyring)),
        Err(KeyringError::Absent) => Ok(None),
        Err(error) => Err(not_kept(name, &error)),
    }
}

fn not_kept(name: &SecretName, error: &KeyringError) -> Failure {
    let remedy = format!("; `host secret set {name} --file` keeps it in a file instead");
    Failure::new(Exit::Configuration, format!("{name} is not kept: {error}{remedy}"))
}

/// Asks on a terminal, else reads what is there.
fn typed(name: &SecretName) -> Result<String, Failure> {
    let value = if can_ask() {
        secret_answer(&format!("{name} (nothing is shown): "))?
    } else if std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "nobody can be asked: give the secret on standard input"));
    } else {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(SECRET_BYTES + 1).read_to_string(&mut text);
        read.map_err(|error| {
            Failure::new(Exit::Usage, format!("standard input is no secret ({error}): give its text"))
        })?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    };
    check(value)
}

fn check(value: String) -> Result<String, Failure> {
    if value.is_empty() {
        return Err(Failure::new(Exit::Usage, "the secret is empty: type it, or give it on standard input"));
    }
    if value.len() as u64 > SECRET_BYTES {
        return Err(Failure::new(
            Exit::Usage,
            format!("the secret has more than {SECRET_BYTES} bytes: is it the right one?"),
        ));
    }
    Ok(value)
}

/// Where a secret is kept.
#[derive(Clone, Copy, PartialEq)]
enum Place<'a> {
    Keyring,
    /// In the file itself, with its value.
    File(&'a str),
    Nowhere,
}

/// Writes down where a secret is kept from now on.
fn write_down(
    secret: &SecretField,
    layers: &Layers,
    place: Place<'_>,
    context: &Context,
) -> Result<(), Failure> {
    let (plugin, field) = (&secret.name.plugin, &secret.name.field);
    let mut names = kept_in_keyring(plugin, layers)?;
    names.retain(|name| name != field);
    names.extend((place == Place::Keyring).then(|| field.clone()));
    let mark = ["keyring", plugin.as_str()];
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let mut changes = Vec::new();
    if !names.is_empty() {
        changes.push(Change::literal(&mark, format!("[{}]", quoted.join(", "))));
    } else if !layers.in_keyring(plugin).is_empty() {
        changes.push(Change::removed(&mark));
    }
    changes.push(match place {
        Place::File(value) => Change::text(&secret.place(), value),
        Place::Keyring | Place::Nowhere => Change::removed(&secret.place()),
    });
    let path = context.secrets_file();
    let before = read_text(&path)?;
    let after = edited(&path, before.as_deref().unwrap_or_default(), &changes)?;
    save::make_folder(&context.home.config)?;
    let head = if before.is_none() { HEAD } else { "" };
    save::secrets(&path, &format!("{head}{after}"))
}

/// A variable that wins over what was just kept.
fn beside(secret: &SecretField, context: &Context) -> String {
    let set = secret.variable.as_ref().filter(|name| context.environment.contains_key(*name));
    set.map(|name| format!(" While {name} is set, that is used instead.")).unwrap_or_default()
}

/// With what the program left that Tale's users had before; one that cannot be read is
/// told where it is used.
fn all_layers(context: &Context) -> Result<Layers, Failure> {
    let earlier = tale_daemon::read(context.tale_daemon_file().as_deref()).ok().flatten();
    Ok(Layers { earlier, ..context.layers_with_secrets()? })
}

fn list(as_json: bool, context: &Context) -> Result<(), Failure> {
    let layers = all_layers(context)?;
    let mut views: Vec<SecretView> = Vec::new();
    for (name, _) in plugins::available(&context.plugin_folders())? {
        // A file that is no plugin has no secrets; `host plugin list` tells about it.
        let Ok(chosen) = choose(&name, context) else { continue };
        for secret in of(&chosen) {
            let view = SecretView { name: secret.name.to_string(), sources: secret.sources(&layers)? };
            if views.iter().all(|other| other.name != view.name) {
                views.push(view);
            }
        }
    }
    if as_json {
        return output::json(&views);
    }
    output::print(&draw_secrets(&context.page(), &views))
}

fn remove(text: &str, context: &Context) -> Result<(), Failure> {
    let secret = find(text, context)?;
    let layers = context.layers_with_secrets()?;
    let name = &secret.name;
    if let Some(by_hand) = secret.by_hand(&layers)? {
        let why = match by_hand {
            ByHand::Value(place) => {
                format!("its value stands in {place}, which is yours to edit: delete it there")
            }
            ByHand::InKeyring(place) => in_keyring_by(&place, context),
        };
        let what = format!("{name} is not removed: {why}, then run `host secret remove {name}` again");
        return Err(Failure::new(Exit::Configuration, what));
    }
    if secret.is_in_keyring(&layers)? {
        let keyring = Bounded::system(&context.environment).ok_or(KeyringError::Absent);
        let removed = keyring.and_then(|keyring| keyring.remove(name));
        removed
            .map_err(|error| Failure::new(Exit::Configuration, format!("{name} is not removed: {error}")))?;
    }
    write_down(&secret, &layers, Place::Nowhere, context)?;
    let left = match secret.sources(&all_layers(context)?)?.from {
        Some(Origin::Environment(_)) | None => beside(&secret, context),
        Some(other) => format!(" From now on it comes from {other}."),
    };
    output::line(format!("{name} is kept nowhere by Hostler any more.{left}"))
}

/// A word about the keyring in the file that no command changes, and what to do.
fn in_keyring_by(place: &Origin, context: &Context) -> String {
    let own = context.secrets_file();
    format!(
        "{place} says that the keyring has it, and is yours to edit: move that line to `[keyring]` in {}",
        own.display()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_has_something_in_it_and_not_more_than_64_kib() {
        let most = usize::try_from(SECRET_BYTES).unwrap();
        assert!(check(String::new()).is_err());
        assert!(check("x".repeat(most)).is_ok());
        assert!(check("x".repeat(most + 1)).is_err());
    }
}
