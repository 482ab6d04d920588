//! `host plugin keys`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hostler_daemon::keys::KeyRing;
use hostler_daemon::plugins::{PublicKey, SigningKey};
use serde_json::json;

use crate::arguments::KeysCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::question::{can_ask, secret_answer};
use crate::screens::keys::draw_keys;

/// Longest public key file that is looked at, in bytes: it holds two lines.
const PUBLIC_KEY_FILE_BYTES: u64 = 4096;

/// Whose signatures count.
pub fn keys(command: KeysCommand, context: &Context) -> Result<(), Failure> {
    match command {
        KeysCommand::List { json } => list(json, context),
        KeysCommand::Add { name, key } => add(&name, &key, context),
        KeysCommand::Remove { name } => remove(&name, context),
        KeysCommand::Generate { file, no_password } => generate(&context.folder.join(file), no_password),
    }
}

fn list(as_json: bool, context: &Context) -> Result<(), Failure> {
    let ring = KeyRing::load(&context.home.keys())?;
    if as_json {
        let keys: Vec<_> = ring
            .all()
            .iter()
            .map(|one| json!({ "name": one.name, "id": one.key.id(), "key": one.key }))
            .collect();
        return output::json(&keys);
    }
    output::print(&draw_keys(&context.page(), ring.all()))
}

fn add(name: &str, key: &str, context: &Context) -> Result<(), Failure> {
    let key = public_key(key, context)?;
    let path = context.home.keys();
    let mut ring = KeyRing::load(&path)?;
    let id = key.id();
    ring.add(name, key)?;
    ring.save(&path)?;
    output::line(format!(
        "Signatures of {name} count from now on (key {id}); it stands in {}.",
        path.display()
    ))
}

/// The key itself, or a file that holds it.
fn public_key(text: &str, context: &Context) -> Result<PublicKey, Failure> {
    if let Ok(key) = PublicKey::parse(text) {
        return Ok(key);
    }
    let file = context.folder.join(text);
    let short = file.metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= PUBLIC_KEY_FILE_BYTES);
    let read = if short { std::fs::read_to_string(&file).unwrap_or_default() } else { String::new() };
    PublicKey::parse(&read).map_err(|error| Failure::new(Exit::Usage, format!("`{text}`: {error}")))
}

fn remove(name: &str, context: &Context) -> Result<(), Failure> {
    let path = context.home.keys();
    let mut ring = KeyRing::load(&path)?;
    ring.remove(name)?;
    ring.save(&path)?;
    output::line(format!("Signatures of {name} count no more."))
}

fn generate(file: &Path, no_password: bool) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error);
    let (key, text) = if no_password {
        let key = SigningKey::generate().map_err(|error| failed(&error))?;
        let text = key.to_text().map_err(|error| failed(&error))?;
        (key, text)
    } else {
        SigningKey::generate_locked(&new_password()?).map_err(|error| failed(&error))?
    };
    let public = key.public();
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    let public_file = PathBuf::from(name);
    write_new(file, &text, 0o600)?;
    let public_text = format!("untrusted comment: minisign public key {}\n{public}\n", public.id());
    write_new(&public_file, &public_text, 0o644)?;
    output::line(format!(
        "The secret key is in {}: keep it to yourself.\nThe public key is in {}; to let its signatures count:\n  host plugin keys add NAME {public}",
        file.display(),
        public_file.display()
    ))
}

fn new_password() -> Result<String, Failure> {
    if !can_ask() {
        let remedy =
            "run it at a terminal, or add `--no-password` for a key that whoever reads the file can use";
        return Err(Failure::new(
            Exit::Usage,
            format!("nobody is there to be asked for a password: {remedy}"),
        ));
    }
    let password = secret_answer("Password for the new key: ")?;
    if password.is_empty() {
        let remedy = "`--no-password` makes a key without one";
        return Err(Failure::new(Exit::Usage, format!("an empty password protects nothing: {remedy}")));
    }
    if secret_answer("The same again: ")? != password {
        return Err(Failure::new(Exit::Usage, "the two passwords differ; nothing has changed"));
    }
    Ok(password)
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let remedy = "take another name; no key is ever replaced";
        Failure::new(Exit::Failed, format!("{} cannot be written ({error}); {remedy}", path.display()))
    })
}
