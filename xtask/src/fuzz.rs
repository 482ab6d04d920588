//! `cargo xtask fuzz`: lets a fuzzer think up inputs for everything that reads text or
//! bytes from outside. What it finds is kept where `cargo test` looks.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;

use crate::cargo::{cargo, succeed};

/// The most memory a target may take, in MiB: far more than any input justifies.
const MEMORY_MIB: u32 = 2048;

/// The longest one input may take, in seconds, unoptimised and on a busy machine.
const PATIENCE_S: u32 = 20;

/// Longest input in bytes: a whole manifest or a few lines of a transcript. With four
/// times as much, transcripts are read eight times as slowly.
const INPUT_BYTES: u32 = 4 * 1024;

/// For how long, and what.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Seconds for each target
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only this target; all if not given
    #[arg(value_name = "TARGET")]
    target: Option<String>,
}

/// Fuzzes one target after the other. Fails if any input is wrong, after all had
/// their time.
pub fn fuzz(root: &Path, options: &Options) -> anyhow::Result<()> {
    let folder = root.join("tests/fuzz");
    let targets = chosen(targets(&folder)?, options.target.as_deref())?;
    let words = ["build", "--quiet", "--package", "hostler-fuzz", "--features", "libfuzzer", "--bins"];
    let mut build = cargo(root, &words);
    build.env("RUSTC_WORKSPACE_WRAPPER", folder.join("instrument"));
    // A fuzzer wants other code than the tests: each keeps what it built.
    build.env("CARGO_TARGET_DIR", root.join("target/fuzz"));
    // What is built once in a while is not worth gigabytes of what was built before.
    build.env("CARGO_INCREMENTAL", "0");
    succeed(&mut build)?;
    let failed: Vec<String> =
        targets.into_iter().filter(|target| run(root, &folder, target, options.seconds).is_err()).collect();
    ensure!(
        failed.is_empty(),
        "found something in {}: see what `cargo test -p hostler-fuzz` says about the new files below {}",
        failed.join(", "),
        folder.join("regressions").display()
    );
    Ok(())
}

/// The targets, by their source files.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(folder.join("fuzz_targets")).context("looking for targets")?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn chosen(targets: Vec<String>, only: Option<&str>) -> anyhow::Result<Vec<String>> {
    let Some(only) = only else { return Ok(targets) };
    ensure!(targets.iter().any(|name| name == only), "there is no target {only}: {}", targets.join(", "));
    Ok(vec![only.to_owned()])
}

/// One target for so many seconds. Inputs that go new ways are kept below `target` and
/// make the next run better.
fn run(root: &Path, folder: &Path, target: &str, seconds: u32) -> anyhow::Result<()> {
    println!("\n== {target}");
    let found = folder.join("regressions").join(target);
    let known = root.join("target/fuzz/corpus").join(target);
    for path in [&found, &known] {
        std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    }
    let mut command = Command::new(root.join("target/fuzz/debug").join(format!("fuzz-{target}")));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .arg(format!("-timeout={PATIENCE_S}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .args(dictionary(folder, target))
        .arg(known)
        .arg(folder.join("corpus").join(target))
        .arg(&found);
    let ended = succeed(&mut command);
    // A folder stays only if something was found.
    let _ = std::fs::remove_dir(&found);
    ended
}

/// Words of the target's language, if somebody wrote them down: it is read by libraries
/// whose ways the fuzzer does not see.
fn dictionary(folder: &Path, target: &str) -> Option<String> {
    let path = folder.join("dictionaries").join(target);
    path.exists().then(|| format!("-dict={}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_not_there_is_told_with_those_that_are() {
        let all = || vec!["grant".to_owned(), "policy".to_owned()];
        assert_eq!(chosen(all(), None).map_err(|error| error.to_string()), Ok(all()));
        let one = chosen(all(), Some("policy")).map_err(|error| error.to_string());
        assert_eq!(one, Ok(vec!["policy".to_owned()]));
        let told = chosen(all(), Some("polcy")).map_err(|error| error.to_string());
        assert_eq!(told, Err("there is no target polcy: grant, policy".to_owned()));
    }
}
