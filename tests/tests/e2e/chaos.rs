//! Hosts killed again and again while a dozen tasks are worked on: each task ends exactly
//! once, with all its agent did, and nothing is left over.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hostler_tests::scripted_agent::{Installed, Script, Step, transcript};

use crate::stage::Stage;

/// How many hosts are killed.
const KILLS: u64 = 100;

/// How many tasks there are; a new one comes every few kills, so that hosts die in every
/// stage of a run.
const TASKS: u64 = 12;

/// How long a host lives, at least and at most, in milliseconds: some die while they
/// start, most have seen a few stages of a run.
const LIFE_MS: (u64, u64) = (200, 1000);

/// How often an agent commits.
const COMMITS: usize = 4;

/// To have the same moments again: the number that a failed test told.
const SEED: &str = "HOSTLER_CHAOS_SEED";

/// A row of times that looks random and is the same for the same seed.
pub struct Moments {
    state: u64,
    /// At least and at most, in milliseconds.
    within: (u64, u64),
}

impl Moments {
    /// Begins with the seed of the environment, or with one that it tells.
    pub fn from_environment(within: (u64, u64)) -> Self {
        let told = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let seed = told.unwrap_or_else(now);
        eprintln!("{SEED}={seed}");
        Self { state: seed, within }
    }

    /// The next one.
    pub fn next(&mut self) -> Duration {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let (least, most) = self.within;
        Duration::from_millis(least + (mixed ^ (mixed >> 31)) % (most - least))
    }
}

/// Commits a few times, notes each commit for the test, and finishes.
fn works(stage: &Stage) -> Script {
    let script = format!(
        "echo line >> work.txt && git add work.txt \
         && git -c user.name=A -c user.email=a@example.invalid commit --quiet -m Work \
         && echo $(git rev-parse HEAD) $(pwd) >> '{}'",
        stage.sandbox.bin_folder().join("commits").display()
    );
    let commit = Step::Run { argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script] };
    let mut steps = vec![Step::read_stdin(), Step::first_lines(3, transcript("claude-success"))];
    for _ in 0..COMMITS {
        steps.extend([commit.clone(), Step::Pause { ms: 500 }]);
    }
    steps.push(Step::transcript(transcript("claude-success")));
    Script::always(steps)
}

/// A task that is there whole or not at all: hosts look while it is written.
fn add_task(stage: &Stage, key: &str) {
    let folder = stage.repository.path().join("tasks");
    let staged = stage.sandbox.folder().join(key);
    std::fs::write(&staged, "Write work.txt\n").unwrap();
    std::fs::rename(staged, folder.join(format!("{key}.md"))).unwrap();
}

/// Takes about a minute and a half: a hundred hosts have to live for a moment each.
#[test]
fn a_hundred_hosts_killed_at_random_moments_end_every_task_exactly_once() {
    let mut moments = Moments::from_environment(LIFE_MS);
    let (stage, _) = Stage::with_claude(&Script::new());
    let agent = stage.sandbox.install_agent("claude", &works(&stage));
    let keys: Vec<String> = (0..TASKS).map(|number| format!("task-{number:02}")).collect();
    for kill in 0..KILLS {
        if kill % (KILLS / TASKS) == 0
            && let Some(key) = keys.get(usize::try_from(kill / (KILLS / TASKS)).unwrap())
        {
            add_task(&stage, key);
        }
        let mut host = stage.start(&["--slots", "3"]);
        // The moment is the subject here: nothing is waited for.
        std::thread::sleep(moments.next());
        assert!(host.is_running(), "a host gave up by itself: {}", host.stderr());
        host.kill_9();
    }
    let output = stage.run_once(&["--slots", "3"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.wait_until_nothing_lives();
    for key in &keys {
        assert_ended_once(&stage, key);
    }
    assert_each_agent_was_started_once(&agent);
    assert_each_run_is_decided_the_same_way_again(&stage);
    assert_no_commit_is_lost(&stage, &agent, &keys);
    assert_no_worktree_is_left_over(&stage, &keys);
}

fn assert_ended_once(stage: &Stage, key: &str) {
    let file = stage.task_file(key);
    assert_eq!((file.status().as_deref(), file.reports()), (Some("done"), 1), "{key}: {}", file.text);
    let run = stage.run(key);
    let (last, earlier) = run["attempts"].as_array().unwrap().split_last().unwrap();
    assert_eq!(last["state"], "succeeded", "{run}");
    // Of these, no agent was ever there.
    assert!(earlier.iter().all(|attempt| attempt["reason"] == "interrupted"), "{run}");
}

fn assert_each_agent_was_started_once(agent: &Installed) {
    let starts = agent.starts().unwrap();
    let places: BTreeSet<_> = starts.iter().map(|start| start.cwd.clone()).collect();
    assert_eq!((starts.len(), places.len() as u64), (places.len(), TASKS), "{starts:?}");
}

fn assert_each_run_is_decided_the_same_way_again(stage: &Stage) {
    let listed = stage.sandbox.host(&["runs", "--all", "--json"]);
    let runs: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert!(runs.len() as u64 >= TASKS, "{runs:?}");
    for run in runs {
        let output = stage.sandbox.host(&["replay", run["id"].as_str().unwrap()]);
        assert_eq!(output.code, Some(0), "{output:?}");
    }
}

fn assert_no_commit_is_lost(stage: &Stage, agent: &Installed, keys: &[String]) {
    let noted = std::fs::read_to_string(agent.shared("commits")).unwrap();
    assert_eq!(noted.lines().count(), keys.len() * COMMITS, "{noted}");
    for key in keys {
        let run = stage.run(key);
        let (place, branch) = (run["workspace"].as_str().unwrap(), run["branch"].as_str().unwrap());
        let mine = noted.lines().filter_map(|line| line.split_once(' ')).filter(|(_, cwd)| *cwd == place);
        let commits: Vec<&str> = mine.map(|(commit, _)| commit).collect();
        assert_eq!(commits.len(), COMMITS, "{key}: {noted}");
        for commit in commits {
            // Fails where the branch has lost it.
            stage.repository.git(&["merge-base", "--is-ancestor", commit, branch]);
        }
    }
}

/// Work is kept where it was done, until it is collected; there is nothing else.
fn assert_no_worktree_is_left_over(stage: &Stage, keys: &[String]) {
    let kept: BTreeSet<PathBuf> =
        keys.iter().map(|key| PathBuf::from(stage.run(key)["workspace"].as_str().unwrap())).collect();
    let folder = kept.first().and_then(|place| place.parent()).unwrap();
    let there = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeSet<PathBuf> = there.filter(|path| path.is_dir()).collect();
    assert_eq!(there, kept);
}
