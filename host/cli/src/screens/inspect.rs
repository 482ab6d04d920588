//! `host plugin inspect`, `host plugin allow` and `host plugin list`.

use std::fmt::Write;

use hostler_daemon::install_state::InstallState;
use hostler_daemon::plugins::{ConfigField, Inspection, Kind};
use hostler_daemon::vouching::Vouched;
use serde::Serialize;

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading, row};
use crate::text::{one_line, short_digest};

/// How the operator's grants stand towards a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowed {
    /// It may run.
    Yes,
    /// This build has no grant.
    No,
    /// It asks for more than it was granted.
    TooLittle,
    /// It could not run anyway.
    Refused,
}

impl Allowed {
    const fn words(self) -> (&'static str, Tone) {
        match self {
            Self::Yes => ("allowed", Tone::Good),
            Self::No => ("not allowed yet", Tone::Warning),
            Self::TooLittle => ("asks for more than it was allowed", Tone::Warning),
            Self::Refused => ("cannot be used", Tone::Bad),
        }
    }
}

/// Where a plugin file comes from: who vouches for it, and whether it was installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileOrigin {
    /// What the signature beside it says.
    pub signature: Vouched,
    /// How it stands to what was installed.
    pub installed: InstallState,
}

fn signature(found: &Vouched) -> Cell {
    match found {
        Vouched::Good { signer, .. } => {
            Cell::new(format!("by {signer}, for exactly this file")).tone(Tone::Good)
        }
        Vouched::None => Cell::new("not signed"),
        Vouched::UnknownKey { key } => Cell::new(format!("by the key {key}, which you do not know")),
        Vouched::Wrong { signer } => Cell::new(format!("this is not what {signer} signed")).tone(Tone::Bad),
        Vouched::Unusable { problem } => Cell::new(problem).tone(Tone::Bad),
    }
}

fn installed(state: &InstallState) -> Cell {
    match state {
        InstallState::NotInstalled => Cell::new("no").tone(Tone::Quiet),
        InstallState::Current { waiting: None, .. } => Cell::new("yes").tone(Tone::Good),
        InstallState::Current { waiting: Some(version), .. } => {
            Cell::new(format!("yes, and {version} waits for your yes")).tone(Tone::Warning)
        }
        InstallState::Previous => Cell::new("the build before the current one"),
        InstallState::Pending => Cell::new("waits for your yes").tone(Tone::Warning),
        InstallState::Changed => Cell::new("changed since it was installed").tone(Tone::Bad),
    }
}

/// What a plugin file is, in full.
pub fn draw_inspection(
    page: &Page,
    file: &str,
    found: &Inspection,
    allowed: Allowed,
    origin: &FileOrigin,
) -> String {
    let mut out = title(page, found, file);
    let (word, tone) = allowed.words();
    let imports = if found.imports.is_empty() {
        Cell::new("none (it can call nothing and reach nothing by itself)").tone(Tone::Good)
    } else {
        Cell::new(found.imports.join(", ")).tone(Tone::Bad)
    };
    let mut rows = vec![
        row("file", Cell::new(file)),
        row("digest", Cell::new(found.digest.to_string())),
        row("size", Cell::new(format!("{} KiB", found.size.div_ceil(1024)))),
        row("kind", Cell::new(kinds(&found.kinds))),
        row("contract", Cell::new(found.contract.as_deref().unwrap_or("none"))),
        row("imports", imports),
        row("grant", Cell::new(word).tone(tone)),
        row("signature", signature(&origin.signature)),
        row("installed", installed(&origin.installed)),
    ];
    let problem = found.refusal.as_ref().or(found.manifest_error.as_ref());
    rows.extend(problem.map(|problem| row("problem", Cell::new(problem).tone(Tone::Bad))));
    out += &draw(&rows, page.paint, None);
    if let Some(manifest) = &found.manifest {
        out += &asks(page, found);
        out += &settings(page, manifest.config.iter());
    }
    out
}

/// What a plugin asks for, in plain words: the screen before the question.
pub fn draw_request(page: &Page, file: &str, found: &Inspection) -> String {
    let digest = found.digest.to_string();
    let digest = short_digest(&digest);
    let kind = kinds(&found.kinds);
    format!("{}{kind}, digest {digest}, {}\n{}", title(page, found, file), one_line(file), asks(page, found))
}

fn title(page: &Page, found: &Inspection, file: &str) -> String {
    match &found.manifest {
        Some(manifest) => {
            let plugin = &manifest.plugin;
            let name = page.tone(Tone::Strong, &one_line(&plugin.name));
            format!("{name} {}\n{}\n\n", one_line(&plugin.version), one_line(&plugin.description))
        }
        None => format!("{}\n\n", page.tone(Tone::Strong, &one_line(file))),
    }
}

fn asks(page: &Page, found: &Inspection) -> String {
    let rights = found.manifest.as_ref().map(|manifest| manifest.rights.clone()).unwrap_or_default();
    let mut out = format!("\n{}\n", page.tone(Tone::Strong, "It asks to"));
    let lines = rights.lines();
    if lines.is_empty() {
        out += "  do nothing outside of itself\n";
    }
    for (right, reason) in lines {
        let _ = writeln!(out, "  • {}", one_line(&right));
        if !reason.is_empty() {
            let _ = writeln!(out, "    {}", page.tone(Tone::Quiet, &one_line(&reason)));
        }
    }
    if let Some(program) = &rights.program
        && !program.env.is_empty()
    {
        let names = one_line(&program.env.join(", "));
        let _ = writeln!(
            out,
            "    {}",
            page.tone(Tone::Quiet, &format!("which gets from your environment: {names}"))
        );
    }
    out
}

fn settings<'a>(page: &Page, fields: impl Iterator<Item = (&'a String, &'a ConfigField)>) -> String {
    let rows: Vec<Vec<Cell>> = fields.map(|(name, field)| setting(name, field)).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}\n{}", page.tone(Tone::Strong, "Settings"), draw(&rows, page.paint, None))
}

fn setting(name: &str, field: &ConfigField) -> Vec<Cell> {
    let default = field.default.as_ref().map(|default| format!("default {default}"));
    let required = field.required.then(|| "required".to_owned());
    let secret = field.secret.then(|| "secret".to_owned());
    let env = field.env.as_ref().map(|name| format!("or {name}"));
    let facts: Vec<String> = [required, secret, default, env].into_iter().flatten().collect();
    vec![
        Cell::new(""),
        Cell::new(name).tone(Tone::Strong),
        Cell::new(field.kind.name()).tone(Tone::Quiet),
        Cell::new(facts.join(", ")),
        Cell::new(&field.help),
    ]
}

fn kinds(kinds: &[Kind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    if names.is_empty() { "no plugin".to_owned() } else { names.join(" and ") }
}

/// A plugin in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// What it can be called on the command line.
    pub name: String,
    /// `tracker`, `provider`.
    pub kinds: Vec<&'static str>,
    /// As its manifest says; empty if that cannot be read.
    pub version: String,
    /// How the grants stand.
    pub allowed: Allowed,
    /// How its file stands to what was installed.
    pub installed: InstallState,
    /// Its file.
    pub file: String,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// `host plugin list`.
pub fn draw_list(page: &Page, plugins: &[Listed], folders: &[String]) -> String {
    if plugins.is_empty() {
        return format!(
            "No plugins. Install some with `host plugin install FILE`, or put `.wasm` files into {}.\n",
            folders.first().map_or("", String::as_str)
        );
    }
    let rows = plugins.iter().map(|plugin| {
        let (word, tone) = plugin.allowed.words();
        vec![
            Cell::new(&plugin.name).tone(Tone::Strong),
            Cell::new(plugin.kinds.join(" and ")),
            Cell::new(&plugin.version),
            Cell::new(word).tone(tone),
            installed(&plugin.installed),
            Cell::new(plugin.problem.as_ref().unwrap_or(&plugin.file)),
        ]
    });
    let head = heading(&["PLUGIN", "KIND", "VERSION", "GRANT", "INSTALLED", "FILE"]);
    draw(&std::iter::once(head).chain(rows).collect::<Vec<_>>(), page.paint, page.width)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::plugins::{Digest, Manifest};

    const MANIFEST: &str = r#"
        [plugin]
        id = "trakkar"
        name = "Trakkar"
        version = "1.2.0"
        contract = "hostler:plugin@0.1.0"
        description = "Takes tasks from a Trakkar server."
        [config.api-url]
        type = "string"
        required = true
        help = "Address of the server"
        [config.token]
        type = "string"
        secret = true
        env = "TRAKKAR_TOKEN"
        help = "API token"
        [[http]]
        origin-from = "api-url"
        methods = ["GET", "POST"]
        path = "/v1/"
        reason = "to take tasks and to report"
        [[secret]]
        handle = "token"
        from = "token"
        header = "Authorization"
        form = "Bearer {}"
        origin-from = "api-url"
        reason = "to be known to the server"
    "#;

    fn inspection() -> Inspection {
        Inspection {
            digest: Digest::of(b"plugin"),
            size: 81_000,
            exports: vec!["hostler:plugin/tracker@0.1.0".to_owned()],
            imports: Vec::new(),
            contract: Some("hostler:plugin@0.1.0".to_owned()),
            kinds: vec![Kind::Tracker],
            manifest: Some(Manifest::parse(MANIFEST).unwrap()),
            manifest_error: None,
            refusal: None,
        }
    }

    fn origin() -> FileOrigin {
        FileOrigin { signature: Vouched::None, installed: InstallState::NotInstalled }
    }

    #[test]
    fn who_vouches_for_a_file_and_whether_it_was_installed_is_told_in_words() {
        let signatures = [
            Vouched::Good { signer: "ada".to_owned(), comment: String::new() },
            Vouched::None,
            Vouched::UnknownKey { key: "0123456789ABCDEF".to_owned() },
            Vouched::Wrong { signer: "ada".to_owned() },
            Vouched::Unusable { problem: "it is no minisign signature".to_owned() },
        ];
        let current = |waiting| InstallState::Current { at: "2026-11-20T15:08:43Z".to_owned(), waiting };
        let states = [
            InstallState::NotInstalled,
            current(None),
            current(Some("0.2.0".to_owned())),
            InstallState::Previous,
            InstallState::Pending,
            InstallState::Changed,
        ];
        let rows = signatures.iter().map(signature).chain(states.iter().map(installed));
        let rows: Vec<Vec<Cell>> = rows.map(|cell| vec![cell]).collect();
        insta::assert_snapshot!(draw(&rows, page().paint, None));
    }

    #[test]
    fn an_inspection_shows_what_the_binary_proves_and_what_the_manifest_asks() {
        insta::assert_snapshot!(draw_inspection(
            &page(),
            "/p/trakkar.wasm",
            &inspection(),
            Allowed::No,
            &origin()
        ));
    }

    #[test]
    fn a_refused_file_is_shown_all_the_same() {
        let found = Inspection {
            imports: vec!["wasi:cli/run@0.2.0".to_owned()],
            kinds: Vec::new(),
            contract: None,
            manifest: None,
            manifest_error: Some("the component has no manifest".to_owned()),
            refusal: Some("the component imports `wasi:cli/run@0.2.0`".to_owned()),
            ..inspection()
        };
        insta::assert_snapshot!(draw_inspection(
            &page(),
            "/p/evil.wasm",
            &found,
            Allowed::Refused,
            &origin()
        ));
    }

    #[test]
    fn a_request_is_told_in_plain_words() {
        insta::assert_snapshot!(draw_request(&page(), "/p/trakkar.wasm", &inspection()));
    }

    #[test]
    fn a_list_shows_what_may_run() {
        let listed = |name: &str, allowed, problem: Option<&str>| Listed {
            name: name.to_owned(),
            kinds: vec!["tracker"],
            version: "1.2.0".to_owned(),
            allowed,
            installed: InstallState::NotInstalled,
            file: format!("/p/{name}.wasm"),
            problem: problem.map(str::to_owned),
        };
        let plugins = [
            listed("folder", Allowed::Yes, None),
            listed("trakkar", Allowed::No, None),
            listed("evil", Allowed::Refused, Some("the file is not WebAssembly")),
        ];
        insta::assert_snapshot!(draw_list(&page(), &plugins, &[]));
        insta::assert_snapshot!(draw_list(
            &page(),
            &[],
            &["/home/ada/.local/share/hostler/plugins".to_owned()]
        ));
    }
}
