//! The real Claude Code CLI, installed from its registry into the build folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use crate::built;

/// The version the tests and the recorded transcripts are about.
pub const CLAUDE_VERSION: &str = "2.1.328";

/// With this set to 1, a CLI that cannot be had is a failure of the test.
pub const REQUIRED: &str = "HOSTLER_REQUIRE_REAL_CLI";

/// Why the real CLI is not there.
#[derive(Debug, thiserror::Error)]
pub enum RealCliError {
    /// No package exists for this machine.
    #[error("Claude Code has no package for {0}")]
    Platform(String),
    /// There is no npm.
    #[error("cannot run npm, which installs Claude Code: {0}")]
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
    #[error("cannot keep Claude Code in {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Whether tests must fail where they would skip the real CLI.
pub fn is_required() -> bool {
    std::env::var_os(REQUIRED).is_some_and(|value| value == "1")
}

/// The path of the real `claude`; installs it on first use.
///
/// The native program of the platform's package is taken directly: the wrapper
/// package wants a newer Node.js than many machines have, and runs install scripts.
pub fn claude() -> Result<PathBuf, Arc<RealCliError>> {
    static CLAUDE: OnceLock<Result<PathBuf, Arc<RealCliError>>> = OnceLock::new();
    CLAUDE.get_or_init(|| find_or_install().map_err(Arc::new)).clone()
}

fn find_or_install() -> Result<PathBuf, RealCliError> {
    let platform = platform()?;
    let package = format!("@anthropic-ai/claude-code-{platform}");
    let cache = built::target_folder().join("real-cli");
    let folder = cache.join(format!("claude-code-{CLAUDE_VERSION}"));
    let program = folder.join("node_modules").join(&package).join("claude");
    if !program.is_file() {
        install(&cache, &folder, &format!("{package}@{CLAUDE_VERSION}"))?;
    }
    Ok(program)
}

fn platform() -> Result<&'static str, RealCliError> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-x64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "x86_64") => Ok("darwin-x64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
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
