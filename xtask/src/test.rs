//! `cargo xtask test`: everything that CI runs, each step timed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::built::Built;
use crate::cargo::{cargo, succeed};
use crate::totals::Totals;
use crate::{demo, plugins};

/// Shows that the simulation finds bugs. Apart from the other tests, because it builds
/// the engine with deliberate faults, which must not get into what the others test.
const MUTATIONS: [&str; 8] =
    ["test", "--quiet", "--package", "hostler-simulation", "--features", "mutations", "--test", "mutations"];

/// What may be left out.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// Leave out the check of dependencies and the demo
    #[arg(long)]
    quick: bool,
}

/// How a step ended, unless it failed.
enum Done {
    /// As it should.
    Ok,
    /// Not at all, and why that is no failure.
    Skipped(&'static str),
}

/// One step that was made.
struct Made {
    name: &'static str,
    took: Duration,
    ended: anyhow::Result<Done>,
}

/// The steps, one after the other. A failed one does not keep the others from
/// saying what they have to say.
struct Steps(Vec<Made>);

impl Steps {
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<Done>) {
        println!("\n== {name}");
        let start = Instant::now();
        let ended = work();
        let made = Made { name, took: start.elapsed(), ended };
        println!("{}", line(&made));
        self.0.push(made);
    }
}

fn line(made: &Made) -> String {
    let seconds = made.took.as_secs_f64();
    match &made.ended {
        Ok(Done::Ok) => format!("== {:<13} ok in {seconds:.1} s", made.name),
        Ok(Done::Skipped(why)) => format!("== {:<13} skipped: {why}", made.name),
        Err(error) => format!("== {:<13} FAILED in {seconds:.1} s: {error:#}", made.name),
    }
}

/// Runs all steps. The last line says how many tests passed and failed.
pub fn test(root: &Path, options: Options) -> anyhow::Result<()> {
    let mut totals = Totals::default();
    let mut steps = Steps(Vec::new());
    steps.step("format", || succeed(&mut cargo(root, &["fmt", "--all", "--check"])).map(ok));
    steps.step("plugins", || plugins::build(root).and(plugins::build_guests(root)).map(ok));
    // Tests and programs in one go: apart, they would want other features of the
    // same crates, and compile them twice.
    steps
        .step("build", || succeed(&mut cargo(root, &["test", "--quiet", "--workspace", "--no-run"])).map(ok));
    steps.step("mutations", || succeed(&mut cargo(root, &MUTATIONS)).map(ok));
    steps.step("tests", || run_tests(root, &mut totals).map(ok));
    steps.step("lints", || {
        let lints = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        succeed(&mut cargo(root, &lints)).map(ok)
    });
    if !options.quick {
        steps.step("dependencies", || dependencies(root).map(ok));
        steps.step("advisories", || advisories(root));
        steps.step("demo", || {
            demo::play(root, &Built::places()?, demo::Options { json: true, keep: false }).map(ok)
        });
    }
    println!();
    steps.0.iter().for_each(|made| println!("{}", line(made)));
    println!("{totals}");
    let failed: Vec<&str> = steps.0.iter().filter(|made| made.ended.is_err()).map(|made| made.name).collect();
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn ok<T>(_: T) -> Done {
    Done::Ok
}

/// `cargo test`, with its output passed on and its results counted.
fn run_tests(root: &Path, totals: &mut Totals) -> anyhow::Result<()> {
    let mut command = cargo(root, &["test", "--workspace", "--no-fail-fast"]);
    command.env("HOSTLER_REQUIRE_PLUGINS", "1").env("HOSTLER_TEST_HOST", Built::places()?.host);
    command.stdout(Stdio::piped());
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        command.env("HOSTLER_REQUIRE_REAL_CLI", "1");
    } else {
        println!("Where the real Claude Code cannot be had, its tests are skipped; in CI they would fail.");
    }
    let mut child = command.spawn().context("starting cargo")?;
    let output = child.stdout.take().context("the output of cargo is piped")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("reading the output of cargo")?;
        totals.count(&line);
        println!("{line}");
    }
    let status = child.wait().context("waiting for cargo")?;
    ensure!(status.success(), "`cargo test --workspace` failed ({status}), see above");
    Ok(())
}

/// Licences, sources and versions of what comes in from outside.
fn dependencies(root: &Path) -> anyhow::Result<()> {
    let there = Command::new("cargo-deny").arg("--version").stdout(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        bail!("cargo-deny is not installed: run `cargo install cargo-deny --locked`, or test with --quick");
    }
    succeed(&mut deny(root, &["check", "licenses", "bans", "sources"]))
}

/// Known vulnerabilities, by a database that is fetched first.
fn advisories(root: &Path) -> anyhow::Result<Done> {
    let fetched = deny(root, &["fetch", "db"]).output();
    if !fetched.is_ok_and(|output| output.status.success()) {
        return Ok(Done::Skipped("the advisory database cannot be fetched from here"));
    }
    succeed(&mut deny(root, &["check", "--disable-fetch", "advisories"])).map(ok)
}

fn deny(root: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo(root, &["deny", "--locked", "--log-level", "error"]);
    command.args(arguments);
    command
}
