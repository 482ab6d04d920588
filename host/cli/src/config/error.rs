//! Everything that can be wrong with settings, one sentence each.

use std::path::PathBuf;

use hostler_daemon::ProxyError;

use super::file::FILE_BYTES;
use super::origin::Origin;

/// A setting cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It exists, but cannot be read.
    #[error("{path} cannot be read ({error}); check its permissions", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Far more than settings need.
    #[error("{} has more than {FILE_BYTES} bytes, too many for settings; is it the right file?", .0.display())]
    TooLarge(PathBuf),
    /// Others could read or replace the secrets in it.
    #[error("{} is open to others (mode {mode:04o}), but holds secrets: run `chmod {wanted} {}`", path.display(), path.display())]
    OpenToOthers {
        /// The file, or its folder.
        path: PathBuf,
        /// What it has.
        mode: u32,
        /// What it should have.
        wanted: &'static str,
    },
    /// Something else in the file for secrets.
    #[error(
        "{place}: `{key}` does not belong here: this file is for secret fields of plugins, below `[tracker.NAME]` or `[providers.NAME]`"
    )]
    NoSecret {
        /// File and line.
        place: Origin,
        /// As it was written.
        key: String,
    },
    /// A variable that is there but says nothing.
    #[error(
        "{variable} is set but empty, so plugin `{plugin}` has no `{field}`: give it a value, or unset it to use the one that is saved"
    )]
    EmptySecret {
        /// The environment variable.
        variable: String,
        /// The plugin's id.
        plugin: String,
        /// Which field.
        field: String,
    },
    /// Something stands where a table is needed.
    #[error("{}: `{key}` is no table, so nothing can be written into it; remove or rename it", path.display())]
    NoTable {
        /// Which file.
        path: PathBuf,
        /// Where, with dots.
        key: String,
    },
    /// No proxy that can be used. Its address is not repeated: it may hold a password.
    #[error("{place}: {problem}")]
    Proxy {
        /// Where it was named.
        place: Origin,
        /// What is wrong.
        problem: ProxyError,
    },
    /// Not TOML.
    #[error("{} line {line}: {message}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// No such setting.
    #[error("{place}: there is no setting `{key}`{}", meant(nearest))]
    UnknownKey {
        /// File and line.
        place: Origin,
        /// As it was written.
        key: String,
        /// What was perhaps meant.
        nearest: Vec<String>,
    },
    /// The value makes no sense.
    #[error("{place}: `{key}` is {value}, but must be {expected}")]
    Value {
        /// Where it stands.
        place: Origin,
        /// Which setting.
        key: String,
        /// As it was written, quoted if it is text.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A repository tried to set something that is the operator's.
    #[error("{place}: a repository may not set `{key}` ({why}); set it in your own config.toml instead")]
    NotForRepositories {
        /// File and line.
        place: Origin,
        /// Which setting.
        key: String,
        /// What could go wrong.
        why: &'static str,
    },
    /// `permission` above `permission-ceiling`.
    #[error(
        "permission `{permission}` ({permission_origin}) is above permission-ceiling `{ceiling}` ({ceiling_origin}): lower one or raise the other"
    )]
    AboveCeiling {
        /// Wanted.
        permission: &'static str,
        /// Where that stands.
        permission_origin: Origin,
        /// Allowed.
        ceiling: &'static str,
        /// Where that stands.
        ceiling_origin: Origin,
    },
    /// The plugin has no such field.
    #[error("{place}: plugin `{plugin}` has no field `{field}`{}", fields(known))]
    UnknownField {
        /// Where it stands.
        place: Origin,
        /// The plugin's id.
        plugin: String,
        /// As it was written.
        field: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The plugin cannot work without it.
    #[error("plugin `{plugin}` needs `{field}`{help}: {remedy}")]
    MissingField {
        /// The plugin's id.
        plugin: String,
        /// Which field.
        field: String,
        /// What it is for, in brackets with a leading blank; or empty.
        help: String,
        /// How to set it.
        remedy: String,
    },
    /// Everybody can see command lines.
    #[error(
        "--set: `{field}` is secret and would be seen in the process list and the shell's history; {remedy}"
    )]
    SecretOnCommandLine {
        /// Which field.
        field: String,
        /// How to set it instead.
        remedy: String,
    },
    /// `--set` without `=`.
    #[error("--set {0}: write it as FIELD=VALUE, such as `--set path=tasks`")]
    NotAnAssignment(String),
    /// Not a provider that can take it.
    #[error("--command: none of the chosen providers starts a command of yours; add `--provider command`")]
    NobodyTakesCommand,
    /// Nothing chosen.
    #[error("no {what} is chosen: {remedy}")]
    NothingChosen {
        /// `tracker plugin` or `provider`.
        what: &'static str,
        /// How to choose one.
        remedy: String,
    },
    /// A forge whose name does not say what it is.
    #[error("`[forge.\"{0}\"]` does not say what kind of site it is: set `kind` to `github` or `gitlab`")]
    ForgeKind(String),
    /// A forge that is no host.
    #[error(
        "`[forge.\"{0}\"]` names no host: write it like `github.com`, with a port if your remotes have one"
    )]
    ForgeHost(String),
    /// Two repositories with one key.
    #[error("two repositories have the key `{0}`: give one another with `--repo KEY=PATH`")]
    SameKey(String),
}

fn meant(nearest: &[String]) -> String {
    match nearest {
        [] => "; `host config show` lists all of them".to_owned(),
        names => format!("; did you mean {}?", quoted(names, " or ")),
    }
}

fn fields(known: &[String]) -> String {
    match known {
        [] => "; it has none at all".to_owned(),
        names => format!("; it has {}", quoted(names, ", ")),
    }
}

fn quoted(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}
