//! Finds, and where needed builds, the programs under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Why a program is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BuildError {
    /// It stands in no folder of this build.
    #[error("the program {} is not built: run the tests with cargo", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A component stands nowhere.
    #[error("the plugin {} is not built: run `cargo xtask plugins` first", path.display())]
    NoPlugin {
        /// Where it should be.
        path: PathBuf,
    },
    /// Cargo could not build it.
    #[error("cannot build `{name}`: {why}")]
    Failed {
        /// The program.
        name: String,
        /// What cargo said.
        why: String,
    },
}

/// A program of this package, which cargo builds together with its tests.
pub fn program(name: &str) -> Result<PathBuf, BuildError> {
    let path = profile_folder().join(name);
    if path.is_file() { Ok(path) } else { Err(BuildError::Missing { path }) }
}

/// A bundled plugin, which `cargo xtask plugins` builds.
pub fn plugin(name: &str) -> Result<PathBuf, BuildError> {
    let path = target_folder().join("plugins").join(format!("{name}.wasm"));
    if path.is_file() { Ok(path) } else { Err(BuildError::NoPlugin { path }) }
}

/// A plugin that only tests use, which `cargo xtask plugins` builds, too.
pub fn guest(name: &str) -> Result<PathBuf, BuildError> {
    let path = target_folder().join("guests").join(format!("{name}.wasm"));
    if path.is_file() { Ok(path) } else { Err(BuildError::NoPlugin { path }) }
}

/// The `host` program, brought up to date once per test process: cargo does not
/// build the programs of other packages for a test. `HOSTLER_TEST_HOST` names
/// one to use as it is.
pub fn host() -> Result<PathBuf, BuildError> {
    static HOST: OnceLock<Result<PathBuf, BuildError>> = OnceLock::new();
    HOST.get_or_init(build_host).clone()
}

/// The folder cargo builds into.
pub fn target_folder() -> PathBuf {
    profile_folder().parent().unwrap_or(Path::new("target")).to_owned()
}

fn build_host() -> Result<PathBuf, BuildError> {
    if let Some(path) = std::env::var_os("HOSTLER_TEST_HOST") {
        return Ok(path.into());
    }
    let failed = |why| BuildError::Failed { name: "host".to_owned(), why };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "hostler", "--bin", "host"])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .arg("--target-dir")
        .arg(target_folder())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let path = target_folder().join("debug/host");
    if path.is_file() { Ok(path) } else { Err(BuildError::Missing { path }) }
}

/// `target/debug` for a test in `target/debug/deps`, and for a program in it.
fn profile_folder() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_default();
    let folder = executable.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") { folder.parent().unwrap_or(folder).to_owned() } else { folder.to_owned() }
}
