//! `cargo xtask demo`: one task from its file to its branch, by the real program.
//!
//! Everything is real but the agent, which plays a recording of Claude Code and
//! does by hand what the recording tells of. The user's own settings, state and
//! grants are not touched.

mod account;
mod scene;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::built::{self, Built};
use crate::plugins;
use account::{Account, Findings};
use scene::{PLUGINS, Scene, TASK};

/// How to tell it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// Print one JSON object instead of the story
    #[arg(long)]
    pub json: bool,
    /// Leave the scene on disk, to look around and to repeat the commands
    #[arg(long)]
    pub keep: bool,
}

/// Builds what takes part and plays the demo.
pub fn demo(root: &Path, options: Options) -> anyhow::Result<()> {
    let programs = built::build(root)?;
    play(root, &programs, options)
}

/// Plays the demo with these programs. Fails with the reason if anything is not as
/// it should be, and then leaves the scene on disk.
pub fn play(root: &Path, programs: &Built, options: Options) -> anyhow::Result<()> {
    let components = plugins::build(root)?;
    let scene = Scene::set(root, programs, &components)?;
    let start = Instant::now();
    let played = walk(&scene, options);
    let seconds = start.elapsed().as_secs_f64();
    let folder = scene.folder().to_owned();
    if options.keep || played.is_err() {
        scene.keep();
    }
    let account =
        played.with_context(|| format!("the demo went wrong; its scene is left in {}", folder.display()))?;
    if options.json {
        println!("{}", account.json(seconds));
        return Ok(());
    }
    println!("\nThe task is done and reported, and the work waits on `{}` for your review.", account.branch);
    println!("It took {seconds:.1} s. The agent was a stand-in that plays a recording; no model was asked.");
    if options.keep {
        println!("To repeat or to go on: . {0}/environment && cd {0}/repository", folder.display());
    } else {
        println!("Its files are removed; `cargo xtask demo --keep` leaves them to look around.");
    }
    Ok(())
}

/// Runs the commands that a person would type, in order, and checks what came of them.
fn walk(scene: &Scene, options: Options) -> anyhow::Result<Account> {
    let tell = Teller { scene, silent: options.json };
    tell.say("The agent in this demo is a stand-in that plays a recording of Claude Code.");
    tell.say(&format!("Everything else is real, and lies in {}.", scene.folder().display()));
    tell.step("A task is a file:", &["cat", TASK])?;
    tell.step(
        "What does a plugin want? This is read from its file, without running it:",
        &["host", "plugin", "inspect", "folder"],
    )?;
    for plugin in PLUGINS {
        tell.step("It may do that:", &["host", "plugin", "allow", plugin, "--yes"])?;
    }
    let run = ["host", "run", "--plugin", "folder", "--provider", "claude-code", "--once"];
    tell.step("Work on everything there is to do, then stop:", &run)?;
    tell.step("One run in full:", &["host", "show", "hello"])?;
    let view: Value = parse(&scene.run(&["host", "show", "hello", "--json"])?)?;
    let branch = view["branch"].as_str().context("`host show` names no branch")?.to_owned();
    let range = format!("main...{branch}");
    tell.step("The work is on a branch of its own:", &["git", "diff", "--stat", &range])?;
    tell.step("Your checkout is as it was, with the report in the task file:", &["cat", TASK])?;
    Findings {
        view,
        inspections: inspections(scene)?,
        diff: scene.run(&["git", "diff", "--name-only", &range])?,
        status: scene.run(&["git", "status", "--porcelain"])?,
        head: scene.run(&["git", "log", "--format=%s", "main"])?,
        task: scene.run(&["cat", TASK])?,
    }
    .account()
}

fn inspections(scene: &Scene) -> anyhow::Result<Vec<(String, Value)>> {
    let inspect = |plugin: &str| {
        let text = scene.run(&["host", "plugin", "inspect", plugin, "--json"])?;
        Ok((plugin.to_owned(), parse(&text)?))
    };
    PLUGINS.into_iter().map(inspect).collect()
}

fn parse(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).with_context(|| format!("this is not JSON: {text}"))
}

/// Runs commands in the scene and shows them as a person would see them.
struct Teller<'a> {
    scene: &'a Scene,
    silent: bool,
}

impl Teller<'_> {
    fn say(&self, text: &str) {
        if !self.silent {
            println!("{text}");
        }
    }

    fn step(&self, why: &str, words: &[&str]) -> anyhow::Result<()> {
        self.say(&format!("\n# {why}\n$ {}", words.join(" ")));
        let output = self.scene.run(words)?;
        ensure!(!output.is_empty(), "`{}` printed nothing", words.join(" "));
        self.say(output.trim_end());
        Ok(())
    }
}
