//! Builds every plugin to a component.
//!
//! A plugin is a folder below `plugins/` with a `plugin.toml`; those that only tests use
//! lie below `tests/guests/`. All are built by
//! one cargo in a target directory of its own, so that their flags do not make
//! the host's build start over. `wasm-component-ld`, which every toolchain
//! brings, links and encodes the component in one step; no other tool is needed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

const TARGET: &str = "wasm32-unknown-unknown";

/// Where Linux distributions put a compiler of their own.
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";

/// What a component starts with, in contrast to a core module.
const COMPONENT_MAGIC: &[u8] = b"\0asm\x0d\0\x01\0";

/// What the compiler needs to be told to make a component.
struct Toolchain {
    /// The compiler, if it is not the one cargo would take.
    rustc: Option<PathBuf>,
    /// Where its standard library for [`TARGET`] is, if not in its own place.
    sysroot: Option<PathBuf>,
}

/// Where a family of plugins lies, and how its packages are called.
struct Family {
    folder: &'static str,
    prefix: &'static str,
    components: &'static str,
}

/// What users get.
const BUNDLED: Family = Family { folder: "plugins", prefix: "hostler-plugin-", components: "target/plugins" };

/// What only tests use.
const GUESTS: Family =
    Family { folder: "tests/guests", prefix: "hostler-guest-", components: "target/guests" };

/// Builds all plugins and gives the paths of their components, in
/// `target/plugins`. A component that did not change is not written again.
pub fn build(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    build_family(root, &BUNDLED)
}

/// The same for the plugins that only tests use, in `target/guests`.
pub fn build_guests(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    build_family(root, &GUESTS)
}

fn build_family(root: &Path, family: &Family) -> anyhow::Result<Vec<PathBuf>> {
    let names = names(root, family)?;
    let toolchain = find_toolchain(root)?;
    let target = root.join("target/plugins-build");
    let packages: Vec<String> = names.iter().map(|name| format!("{}{name}", family.prefix)).collect();
    compile(root, &target, &toolchain, &packages)?;
    let components = root.join(family.components);
    fs::create_dir_all(&components)?;
    let built = names.iter().zip(&packages);
    built.map(|(name, package)| install(&target, &components, name, package)).collect()
}

/// The folders of a family that hold a plugin, sorted.
fn names(root: &Path, family: &Family) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let folder = family.folder;
    for entry in fs::read_dir(root.join(folder)).with_context(|| format!("reading the folder {folder}"))? {
        let entry = entry?;
        if entry.path().join("plugin.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "no folder below {folder} has a plugin.toml");
    Ok(names)
}

fn compile(root: &Path, target: &Path, toolchain: &Toolchain, packages: &[String]) -> anyhow::Result<()> {
    let mut flags = OsString::from("-Ctarget-feature=+simd128");
    if let Some(sysroot) = &toolchain.sysroot {
        flags.push(" --sysroot=");
        flags.push(sysroot);
    }
    let mut cargo = clean_command("cargo");
    cargo
        .current_dir(root)
        .args(["build", "--quiet", "--lib", "--profile", "plugin", "--target", TARGET])
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-component-ld")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
    if let Some(rustc) = &toolchain.rustc {
        cargo.env("RUSTC", rustc);
    }
    for package in packages {
        cargo.args(["--package", package]);
    }
    let status = cargo.status().context("starting cargo")?;
    ensure!(status.success(), "building the plugins failed, see the messages above");
    Ok(())
}

/// A command without what an outer cargo or rustup put into the environment.
fn clean_command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}

/// Checks one built component and copies it if it changed.
fn install(target: &Path, components: &Path, name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let file = format!("{}.wasm", package.replace('-', "_"));
    let built = target.join(TARGET).join("plugin").join(file);
    let bytes = fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
    ensure!(
        bytes.starts_with(COMPONENT_MAGIC),
        "{} is not a component; the linker of this toolchain does not encode components, update the toolchain",
        built.display()
    );
    let component = components.join(format!("{name}.wasm"));
    if fs::read(&component).ok().as_deref() != Some(&bytes[..]) {
        fs::write(&component, &bytes).with_context(|| format!("writing {}", component.display()))?;
    }
    Ok(component)
}

/// The first compiler that has, can get, or can be given a standard library for
/// [`TARGET`].
fn find_toolchain(root: &Path) -> anyhow::Result<Toolchain> {
    let own = Toolchain { rustc: None, sysroot: None };
    if has_core("rustc") {
        return Ok(own);
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) && has_core("rustc") {
        return Ok(own);
    }
    let distribution = Path::new(DISTRIBUTION_RUSTC);
    if has_core(DISTRIBUTION_RUSTC) {
        return Ok(Toolchain { rustc: Some(distribution.into()), sysroot: None });
    }
    if let Some(sysroot) = build_sysroot(root, DISTRIBUTION_RUSTC)? {
        return Ok(Toolchain { rustc: Some(distribution.into()), sysroot: Some(sysroot) });
    }
    bail!(
        "no Rust compiler here can build for {TARGET}; run `rustup target add {TARGET}`, \
         or on Debian `apt-get install rustc-web rust-web-src`"
    )
}

/// Whether the compiler's own place has the target's library. The place is named
/// even where it does not exist, so look for a file.
fn has_core(rustc: &str) -> bool {
    let Some(folder) = print(rustc, &["--print", "target-libdir", "--target", TARGET]) else {
        return false;
    };
    let Ok(mut files) = fs::read_dir(folder) else {
        return false;
    };
    files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
}

/// Builds the target's library from the compiler's own source, once per
/// compiler. Gives `None` if there is no such compiler or no source.
fn build_sysroot(root: &Path, rustc: &str) -> anyhow::Result<Option<PathBuf>> {
    let (Some(own), Some(version)) = (print(rustc, &["--print", "sysroot"]), print(rustc, &["-vV"])) else {
        return Ok(None);
    };
    let own = PathBuf::from(own);
    if !own.join("lib/rustlib/src/rust/library").is_dir() {
        return Ok(None);
    }
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let host = field("host:").context("`rustc -vV` names no host")?;
    let release = field("release:").context("`rustc -vV` names no release")?;
    let sysroot = root.join("target").join(format!("plugins-sysroot-{release}"));
    if sysroot.is_dir() {
        return Ok(Some(sysroot));
    }
    // Made aside and renamed, so that an interrupted build leaves nothing that
    // looks finished.
    let work = root.join("target/plugins-sysroot-work");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let libraries = compile_std(&work, rustc)?;
    let made = work.join("sysroot");
    let rustlib = made.join("lib/rustlib");
    let folder = rustlib.join(TARGET).join("lib");
    fs::create_dir_all(&folder)?;
    for library in libraries {
        let name = library.file_name().context("a library has a name")?;
        fs::copy(&library, folder.join(name))?;
    }
    std::os::unix::fs::symlink(own.join("lib/rustlib").join(host), rustlib.join(host))?;
    fs::rename(&made, &sysroot)?;
    fs::remove_dir_all(&work)?;
    Ok(Some(sysroot))
}

/// Compiles the standard library in a crate that is nothing else, and gives the
/// libraries.
fn compile_std(work: &Path, rustc: &str) -> anyhow::Result<Vec<PathBuf>> {
    let source = work.join("src");
    fs::create_dir_all(&source)?;
    fs::write(work.join("Cargo.toml"), "[package]\nname = \"std-only\"\nedition = \"2024\"\n[workspace]\n")?;
    fs::write(source.join("lib.rs"), "")?;
    let status = clean_command("cargo")
        .current_dir(work)
        .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
        .env("RUSTC", rustc)
        // The compiler's own source is made for exactly this compiler, which
        // must be allowed the features that source uses.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        // Without bitcode the plugins' whole-program optimisation has nothing to
        // read.
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Cembed-bitcode=yes")
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "building the standard library for {TARGET} failed, see the messages above");
    let folder = work.join("target").join(TARGET).join("release/deps");
    let mut libraries = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let own = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libstd_only"));
        if path.extension().is_some_and(|extension| extension == "rlib") && !own {
            libraries.push(path);
        }
    }
    Ok(libraries)
}

/// What a compiler prints, trimmed; nothing if it is not there or fails.
fn print(rustc: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(rustc).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
