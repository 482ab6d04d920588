//! What the process was started with, read once.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use hostler_daemon::engine::time::Timestamp;
use hostler_daemon::home::Home;
use hostler_daemon::policy::Places;
use hostler_daemon::proving::{ProofLimits, Prover};
use jiff::tz::TimeZone;

use crate::config::{ConfigError, ConfigFile, Layers, SecretsFile, Whose, tale_daemon};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::page::Page;
use crate::paint::Paint;

/// The one word after which this program is an agent's supervisor.
pub const SHIM: &str = "shim";

/// Names a policy besides the organisation's own; it can only tighten.
const FURTHER_POLICY: &str = "HOSTLER_POLICY";

/// The word after which it tries out a plugin that is about to be installed.
pub const PROVE: &str = "prove-plugin";

/// What the process was started with.
pub struct Context {
    /// Where everything lies.
    pub home: Home,
    /// All of it that is UTF-8.
    pub environment: BTreeMap<String, String>,
    /// Where it was started.
    pub folder: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// Where policies stand.
    pub policies: Places,
}

impl Context {
    /// Reads the environment.
    pub fn from_process() -> Result<Self, Failure> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment: BTreeMap<String, String> = std::env::vars_os().filter_map(text).collect();
        let home = Home::from_environment(|name| environment.get(name).cloned()).ok_or_else(|| {
            Failure::new(
                Exit::Configuration,
                "HOME is not set, so there is no place for settings and records: set it",
            )
        })?;
        let folder = std::env::current_dir().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("the current folder cannot be used ({error}); change to another one"),
            )
        })?;
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("this program's own path cannot be told ({error}); start it by its full path"),
            )
        })?;
        // A name that is no text would be lost among the others, and with it a ceiling.
        let further = std::env::var_os(FURTHER_POLICY).filter(|path| !path.is_empty());
        let policies = Places::with(further.map(|path| folder.join(path)));
        Ok(Self { home, environment, folder, program, policies })
    }

    /// The command line of an agent's supervisor.
    pub fn shim(&self) -> Vec<PathBuf> {
        vec![self.program.clone(), SHIM.into()]
    }

    /// What tries out a plugin that is about to be installed.
    pub fn prover(&self) -> Prover {
        Prover { command: vec![self.program.clone(), PROVE.into()], limits: ProofLimits::here() }
    }

    /// The operator's settings.
    pub fn config_file(&self) -> PathBuf {
        self.home.config.join("config.toml")
    }

    /// The operator's secrets.
    pub fn secrets_file(&self) -> PathBuf {
        self.home.config.join("secrets.toml")
    }

    /// What the operator's own file and environment say, without flags and repository.
    pub fn operator_layers(&self) -> Result<Layers, ConfigError> {
        let user_file = ConfigFile::read(&self.config_file(), Whose::Operator)?;
        Ok(Layers { environment: self.environment.clone(), user_file, ..Layers::default() })
    }

    /// The same with the operator's secrets, in a file that nobody else can read.
    pub fn layers_with_secrets(&self) -> Result<Layers, ConfigError> {
        let secrets = SecretsFile::read(&self.secrets_file())?;
        Ok(Layers { secrets, ..self.operator_layers()? })
    }

    /// What `tale daemon` may have left.
    pub fn tale_daemon_file(&self) -> Option<PathBuf> {
        tale_daemon::place(&self.environment, &self.folder)
    }

    /// Where plugins are looked for by name, in order.
    pub fn plugin_folders(&self) -> Vec<PathBuf> {
        let beside = self.program.parent();
        let above = beside.and_then(std::path::Path::parent);
        let near = [beside, above].into_iter().flatten().map(|folder| folder.join("plugins"));
        std::iter::once(self.home.plugins()).chain(near).collect()
    }

    /// What screens are drawn for, now.
    pub fn page(&self) -> Page {
        let terminal = std::io::stdout().is_terminal();
        Page {
            paint: Paint::choose(terminal, &self.environment),
            width: terminal.then(terminal_width).flatten(),
            now: now(),
            zone: TimeZone::system(),
        }
    }
}

/// By the wall clock.
pub fn now() -> Timestamp {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
