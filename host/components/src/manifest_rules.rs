//! What a manifest must obey beyond being readable.

use hostler_engine::command::{MAX_SLOT_BYTES, ProgramRight};
use hostler_engine::rights::{HttpRight, Origin, SecretRight};
use hostler_engine::sandbox::ModelKey;

use crate::contract::CONTRACT;
use crate::manifest::{ConfigField, FieldType, Identity, Manifest, ManifestError};

/// Longest id: it becomes part of file names.
const ID_BYTES: usize = 64;

/// Longest of the short texts (name, version, one sentence): they are shown on a
/// line each.
const TEXT_BYTES: usize = 1024;

type Checked = Result<(), ManifestError>;

/// Checks everything, and reports the first thing that is wrong.
pub(crate) fn check(manifest: &Manifest) -> Checked {
    check_identity(&manifest.plugin)?;
    for (name, field) in &manifest.config {
        check_field(&format!("config.{name}"), name, field)?;
    }
    for right in &manifest.rights.http {
        check_http(manifest, right)?;
    }
    check_files(manifest)?;
    check_secrets(manifest)?;
    if let Some(program) = &manifest.rights.program {
        check_program(manifest, program)?;
    }
    Ok(())
}

fn check_identity(plugin: &Identity) -> Checked {
    rule(is_handle(&plugin.id, ID_BYTES), "plugin.id", || {
        format!(
            "is `{}`, but must be 1 to {ID_BYTES} lower-case letters, digits and dashes, beginning with a letter or digit",
            shown(&plugin.id)
        )
    })?;
    rule(plugin.contract == CONTRACT, "plugin.contract", || {
        format!(
            "is `{}`, but this host has `{CONTRACT}`; rebuild the plugin with hostler-sdk 0.1",
            shown(&plugin.contract)
        )
    })?;
    let texts = [
        ("plugin.name", &plugin.name),
        ("plugin.version", &plugin.version),
        ("plugin.description", &plugin.description),
    ];
    for (place, text) in texts {
        check_text(place, text)?;
        rule(!text.trim().is_empty(), place, || "is empty; write something".to_owned())?;
    }
    for (place, text) in [("plugin.homepage", &plugin.homepage), ("plugin.license", &plugin.license)] {
        check_text(place, text.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

fn check_field(place: &str, name: &str, field: &ConfigField) -> Checked {
    rule(is_handle(name, ID_BYTES), place, || {
        "must be named with lower-case letters, digits and dashes".to_owned()
    })?;
    check_text(place, &field.help)?;
    if let Some(default) = &field.default {
        rule(field.kind.admits(default), place, || {
            format!("has the default {default}, which is no {}", field.kind.name())
        })?;
        rule(!field.secret, place, || {
            "is secret and has a default; leave the default out, everybody can read it".to_owned()
        })?;
    }
    rule(!field.secret || field.kind == FieldType::String, place, || {
        "is secret, so its type must be `string`".to_owned()
    })?;
    rule(field.env.as_deref().is_none_or(is_env_name), place, || {
        "has an `env` that is no name of an environment variable".to_owned()
    })
}

fn check_http(manifest: &Manifest, right: &HttpRight) -> Checked {
    check_text("http", &right.reason)?;
    check_origin(manifest, "http", right.origin.as_deref(), right.origin_from.as_deref())?;
    let capitals =
        |method: &String| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    rule(!right.methods.is_empty() && right.methods.iter().all(capitals), "http.methods", || {
        "must list at least one method, in capitals, such as `[\"GET\"]`".to_owned()
    })?;
    rule(right.path.starts_with('/'), "http.path", || {
        format!("is `{}`, but must begin with `/`", shown(&right.path))
    })
}

fn check_files(manifest: &Manifest) -> Checked {
    let rights = &manifest.rights.files;
    for (index, right) in rights.iter().enumerate() {
        check_text("files", &right.reason)?;
        check_handle("files.directory", &right.directory)?;
        let again = rights[..index].iter().any(|other| other.directory == right.directory);
        rule(!again, "files.directory", || {
            format!("names `{}` twice; give each directory its own handle", right.directory)
        })?;
        check_plain_field(manifest, "files.from", &right.from)?;
    }
    Ok(())
}

fn check_secrets(manifest: &Manifest) -> Checked {
    let rights = &manifest.rights.secret;
    for (index, right) in rights.iter().enumerate() {
        check_text("secret", &right.reason)?;
        check_handle("secret.handle", &right.handle)?;
        let again = rights[..index].iter().any(|other| other.handle == right.handle);
        rule(!again, "secret.handle", || {
            format!("names `{}` twice; give each secret its own handle", right.handle)
        })?;
        check_secret(manifest, right)?;
    }
    Ok(())
}

fn check_secret(manifest: &Manifest, right: &SecretRight) -> Checked {
    let secret = manifest.config.get(&right.from).is_some_and(|field| field.secret);
    rule(secret, "secret.from", || {
        format!("is `{}`, which is no field of `config` with `secret = true`", shown(&right.from))
    })?;
    check_header("secret", &right.header, &right.form)?;
    check_origin(manifest, "secret", right.origin.as_deref(), right.origin_from.as_deref())
}

/// A secret's place in a request: which header, and what stands around it.
fn check_header(table: &str, header: &str, form: &str) -> Checked {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    rule(!header.is_empty() && header.bytes().all(token), &format!("{table}.header"), || {
        format!("is `{}`, which is no name of a header", shown(header))
    })?;
    let place = format!("{table}.form");
    rule(form.matches("{}").count() == 1, &place, || {
        "must contain `{}` exactly once, such as `Bearer {}`".to_owned()
    })?;
    check_text(&place, form)
}

fn check_program(manifest: &Manifest, program: &ProgramRight) -> Checked {
    check_text("program", &program.reason)?;
    match (&program.name, &program.command_from) {
        (Some(name), None) => {
            let plain =
                !name.is_empty() && !name.starts_with(['-', '.']) && !name.contains(['/', '\\', '\0']);
            rule(plain, "program.name", || {
                format!("is `{}`, but must be a plain name that is looked up on PATH", shown(name))
            })?;
            rule(!program.commands.is_empty(), "program.commands", || {
                "is missing; give at least `[program.commands.start]`".to_owned()
            })?;
        }
        (None, Some(field)) => check_plain_field(manifest, "program.command-from", field)?,
        _ => return fail("program", "needs exactly one of `name` and `command-from`".to_owned()),
    }
    let set = program.set_env.keys();
    for name in program.env.iter().chain(set) {
        rule(is_env_name(name), "program.env", || {
            format!("names `{}`, which is no name of an environment variable", shown(name))
        })?;
    }
    let words = program.commands.values().flat_map(|line| &line.args);
    let values = program.set_env.values();
    rule(!words.chain(values).chain(&program.version).any(|word| word.contains('\0')), "program", || {
        "has a word with a NUL character".to_owned()
    })?;
    for (slot, rule_of_slot) in &program.slots {
        let fits = rule_of_slot.max_length.is_none_or(|length| length <= MAX_SLOT_BYTES);
        rule(fits, "program.slots", || {
            format!("gives `{}` a `max-length` above {MAX_SLOT_BYTES}, which no system takes", shown(slot))
        })?;
    }
    program.sandbox.model.iter().try_for_each(check_model)
}

fn check_model(model: &ModelKey) -> Checked {
    for name in [&model.key, &model.address] {
        rule(is_env_name(name), "program.sandbox.model", || {
            format!("names `{}`, which is no name of an environment variable", shown(name))
        })?;
    }
    if let Err(error) = Origin::of(&model.origin) {
        return fail("program.sandbox.model", format!("has an `origin` that cannot be used: {error}"));
    }
    rule(model.path.is_empty() || model.path.starts_with('/'), "program.sandbox.model", || {
        format!("has the `path` `{}`, which must begin with `/`", shown(&model.path))
    })?;
    check_header("program.sandbox.model", &model.header, &model.form)
}

fn check_origin(manifest: &Manifest, table: &str, fixed: Option<&str>, from: Option<&str>) -> Checked {
    match (fixed, from) {
        (Some(address), None) => match Origin::of(address) {
            Ok(_) => Ok(()),
            Err(error) => fail(&format!("{table}.origin"), format!("cannot be used: {error}")),
        },
        (None, Some(field)) => check_plain_field(manifest, &format!("{table}.origin-from"), field),
        _ => fail(table, "needs exactly one of `origin` and `origin-from`".to_owned()),
    }
}

/// A field that a right takes its address or path from: text, and not secret.
fn check_plain_field(manifest: &Manifest, place: &str, name: &str) -> Checked {
    let fits =
        manifest.config.get(name).is_some_and(|field| field.kind == FieldType::String && !field.secret);
    rule(fits, place, || format!("is `{}`, which is no field of `config` with type `string`", shown(name)))
}

fn check_handle(place: &str, handle: &str) -> Checked {
    rule(is_handle(handle, ID_BYTES), place, || {
        format!("is `{}`, but must be 1 to {ID_BYTES} lower-case letters, digits and dashes", shown(handle))
    })
}

/// Text is shown to people who decide about rights: it must not be able to draw
/// anything but itself.
fn check_text(place: &str, text: &str) -> Checked {
    rule(text.len() <= TEXT_BYTES, place, || format!("has a text of more than {TEXT_BYTES} bytes"))?;
    rule(!text.chars().any(crate::guest_text::is_unsafe), place, || {
        "has a text with control characters or a line break; write it on one line".to_owned()
    })
}

fn is_handle(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-')
}

fn is_env_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(allowed) && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// The manifest's own words in an error: cut and freed of control characters.
fn shown(text: &str) -> String {
    crate::guest_text::clean(text, ID_BYTES)
}

fn rule(holds: bool, place: &str, problem: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { fail(place, problem()) }
}

fn fail(place: &str, problem: String) -> Checked {
    Err(ManifestError::Rule { place: place.to_owned(), problem })
}
