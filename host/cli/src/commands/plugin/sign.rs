//! `host plugin sign` and `host plugin verify`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hostler_daemon::keys::KeyRing;
use hostler_daemon::plugins::{SigningKey, SigningKeyError};
use hostler_daemon::vouching::{self, NotVouched, Vouched};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::question::{can_ask, secret_answer};
use crate::screens::run_words::quoted;
use crate::screens::vouched::draw_good;
use crate::setup::{choose, inspect};

/// What others may do with a secret key: nothing.
const CLOSED: u32 = 0o077;

/// Signs a plugin that could run.
pub fn sign(name: &str, key_file: &Path, context: &Context) -> Result<(), Failure> {
    let chosen = choose(name, context)?;
    let key = read_key(&context.folder.join(key_file))?;
    let about = &chosen.manifest.plugin;
    let digest = &chosen.inspection.digest;
    let comment = format!("hostler plugin={} version={} sha256={digest}", about.id, about.version);
    let signature = vouching::sign(&chosen.file, digest, &key, &comment)?;
    output::line(format!(
        "{} {} is signed with the key {}: {}\nWhoever knows the key as theirs can check it: `host plugin keys add NAME {}`",
        about.name,
        about.version,
        key.public().id(),
        signature.display(),
        key.public()
    ))
}

/// Shows who signed a plugin.
pub fn verify(name: &str, as_json: bool, context: &Context) -> Result<(), Failure> {
    let (file, inspection) = inspect(name, context)?;
    let ring = KeyRing::load(&context.home.keys())?;
    let found = vouching::look(&file, &inspection.digest, &ring)?;
    if as_json {
        output::json(&json!({ "file": file, "digest": inspection.digest, "found": found }))?;
    }
    match found {
        Vouched::Good { signer, comment } if !as_json => {
            let digest = inspection.digest.to_string();
            output::print(&draw_good(
                &context.page(),
                &file.display().to_string(),
                &digest,
                &signer,
                &comment,
            ))
        }
        Vouched::Good { .. } => Ok(()),
        _ if as_json => Err(Failure::shown(Exit::Plugin)),
        found => Err(Failure::new(Exit::Plugin, NotVouched { file, found })),
    }
}

/// Reads a secret key, and asks for its password if it has one.
fn read_key(path: &Path) -> Result<SigningKey, Failure> {
    let shown = path.display();
    let failed = |why: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("the key {shown}: {why}"));
    let mut file = File::open(path).map_err(|error| failed(&format!("it cannot be read ({error})")))?;
    let facts = file.metadata().map_err(|error| failed(&error))?;
    if facts.mode() & CLOSED != 0 {
        let command = format!("chmod 600 {}", quoted(&shown.to_string()));
        return Err(failed(&format!("others can read it and sign in your name: close it with `{command}`")));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|_| failed(&SigningKeyError::Malformed))?;
    if !SigningKey::is_locked(&text).map_err(|error| failed(&error))? {
        return SigningKey::read(&text, None).map_err(|error| failed(&error));
    }
    if !can_ask() {
        return Err(failed(
            &"it has a password, and nobody is there to be asked: sign at a terminal, or use a key without one",
        ));
    }
    let password = secret_answer("Password of the key: ")?;
    SigningKey::read(&text, Some(&password)).map_err(|error| failed(&error))
}
