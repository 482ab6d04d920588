//! Real coding CLIs, installed from their registry into the build folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use crate::built;

/// With this set to 1, a CLI that cannot be had is a failure of the test.
pub const REQUIRED: &str = "HOSTLER_REQUIRE_REAL_CLI";

/// Why the real CLI is not there.
#[derive(Debug, thiserror::Error)]
enum RealCliError {
    /// No package exists for this machine.
    #[error("the real CLIs have no package for {0}")]
    Platform(String),
    /// There is no npm.
    #[error("cannot run npm, which installs the real CLIs: {0}")]
    NoNpm(std::io::Error),
    /// npm failed, mostly because the registry cannot be reached.
    #[error("npm could not install {package}: {said}")]
    Npm {
        /// Name and version.
        package: String,
        /// What npm said was wrong.
        said: String,
    },
    /// A folder could not be made or moved.
    #[error("cannot keep a real CLI in {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Whether tests must fail where they would skip the real CLI.
fn is_required() -> bool {
    std::env::var_os(REQUIRED).is_some_and(|value| value == "1")
}

/// A CLI that a registry has as a program for this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RealCli {
    /// Anthropic's `claude`.
    ClaudeCode,
    /// `codex`.
    Codex,
    /// `opencode`.
    OpenCode,
}

/// What npm is asked for, and where the program then lies.
struct Package {
    /// Name and version for npm.
    wanted: String,
    /// Below `node_modules`.
    program: String,
}

impl RealCli {
    /// The version the tests and the recorded transcripts are about.
    pub const fn version(self) -> &'static str {
        match self {
            Self::ClaudeCode => "2.1.328",
            Self::Codex => "0.169.0",
            Self::OpenCode => "1.18.33",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::OpenCode => "opencode",
        }
    }

    /// Its program; installs it on first use. `None`, with the reason printed, where it
    /// cannot be had and need not be; where it must be, the test fails.
    pub fn program(self) -> Option<PathBuf> {
        match self.find() {
            Ok(program) => Some(program),
            Err(reason) if is_required() => panic!("{reason}"),
            Err(reason) => {
                eprintln!("skipped: {reason} (set {REQUIRED}=1 to fail instead)");
                None
            }
        }
    }

    fn find(self) -> Result<PathBuf, Arc<RealCliError>> {
        static FOUND: [OnceLock<Result<PathBuf, Arc<RealCliError>>>; 3] = [const { OnceLock::new() }; 3];
        FOUND[self as usize].get_or_init(|| self.find_or_install().map_err(Arc::new)).clone()
    }

    fn find_or_install(self) -> Result<PathBuf, RealCliError> {
        let package = self.package()?;
        let cache = built::target_folder().join("real-cli");
        let folder = cache.join(format!("{}-{}", self.name(), self.version()));
        let program = folder.join("node_modules").join(&package.program);
        if !program.is_file() {
            install(&cache, &folder, &package.wanted)?;
        }
        Ok(program)
    }

    /// The native program of the platform's package is taken directly: the wrapper
    /// packages want a newer Node.js than many machines have, and run install scripts.
    fn package(self) -> Result<Package, RealCliError> {
        let (platform, triple) = platform()?;
        let version = self.version();
        Ok(match self {
            Self::ClaudeCode => {
                let name = format!("@anthropic-ai/claude-code-{platform}");
                Package { wanted: format!("{name}@{version}"), program: format!("{name}/claude") }
            }
            Self::Codex => Package {
                wanted: format!("@openai/codex@{version}-{platform}"),
                program: format!("@openai/codex/vendor/{triple}/bin/codex"),
            },
            Self::OpenCode => {
                let name = format!("opencode-{platform}");
                Package { wanted: format!("{name}@{version}"), program: format!("{name}/bin/opencode") }
            }
        })
    }
}

/// This machine as npm's packages and as compilers name it.
fn platform() -> Result<(&'static str, &'static str), RealCliError> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok(("linux-x64", "x86_64-unknown-linux-musl")),
        ("linux", "aarch64") => Ok(("linux-arm64", "aarch64-unknown-linux-musl")),
        ("macos", "x86_64") => Ok(("darwin-x64", "x86_64-apple-darwin")),
        ("macos", "aarch64") => Ok(("darwin-arm64", "aarch64-apple-darwin")),
        (os, arch) => Err(RealCliError::Platform(format!("{os} on {arch}"))),
    }
}

/// Installs beside its final place and moves it there whole, so that a test that
/// runs at the same time finds either nothing or everything.
fn install(cache: &Path, folder: &Path, package: &str) -> Result<(), RealCliError> {
    let failed = |source| RealCliError::Io { folder: folder.to_owned(), source };
    std::fs::create_dir_all(cache).map_err(failed)?;
    let fresh = tempfile::tempdir_in(cache).map_err(failed)?;
    std::fs::write(fresh.path().join("package.json"), "{}").map_err(failed)?;
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"])
        .arg(package)
        .current_dir(fresh.path())
        .stdin(Stdio::null())
        .output()
        .map_err(RealCliError::NoNpm)?;
    if !output.status.success() {
        return Err(RealCliError::Npm { package: package.to_owned(), said: complaint(&output.stderr) });
    }
    match std::fs::rename(fresh.path(), folder) {
        Ok(()) => Ok(()),
        // Another test was faster, and what it installed is the same.
        Err(_) if folder.join("node_modules").is_dir() => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn complaint(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let errors = text.lines().filter(|line| line.starts_with("npm error"));
    errors.take(3).collect::<Vec<_>>().join("; ")
}
