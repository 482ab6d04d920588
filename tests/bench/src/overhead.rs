//! From claim to the agent's first breath, against the least that any tool must
//! do: `git worktree add`, then fork and exec of the same agent.
//!
//! The host under measurement is the real one, in this process: tracker plugin,
//! journal on disk, workspace, provider plugin, supervisor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use hostler_daemon::engine::policy::Policy;
use hostler_daemon::engine::sandbox::{Tier, Wish};
use hostler_daemon::grants::Grants;
use hostler_daemon::history::History;
use hostler_daemon::home::Home;
use hostler_daemon::policy::Places;
use hostler_daemon::sandbox::SandboxSettings;
use hostler_daemon::vouching::SignatureRule;
use hostler_daemon::{
    Containment, Failure, Host, Isolation, NetworkSettings, PluginSettings, RepositorySettings, Settings,
    Stopper, Summary, plugins,
};
use hostler_tests::{PATIENCE, ScratchRepository};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::calls::bundled;
use crate::rounds::{Figure, median};

/// Runs on each side.
const RUNS: usize = 15;

/// Files in the repository: a small project.
const FILES: usize = 1000;

/// An agent that only says when it came to life, in nanoseconds.
/// It writes into the folder it is given, under the name of its workspace.
const AGENT: &str = "#!/bin/sh\ndate +%s%N > \"$1/${PWD##*/}\"\necho done\n";

/// Measures both sides in turn, on one repository, in neighbouring folders: what a
/// file system takes to make a thousand files differs from minute to minute.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let place = tempfile::tempdir()?;
    let repository = repository();
    let agent = agent(place.path())?;
    let (mut floors, mut throughs) = (Vec::new(), Vec::new());
    let host = UnderTest::start(&repository, &agent, place.path())?;
    for run in 0..RUNS {
        floors.push(floor(&repository, &agent, place.path(), run)?);
        throughs.push(host.one_task(run)?);
    }
    host.end()?;
    Ok(vec![Figure {
        name: "claim to agent's exec",
        measured: millis(median(throughs)),
        floor: millis(median(floors)),
        unit: "ms",
        aim: "<= 1.25",
        against: "git worktree add + exec",
    }])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn repository() -> ScratchRepository {
    let repository = ScratchRepository::new();
    for number in 0..FILES {
        repository
            .write(&format!("src/{}/file-{number}.txt", number % 40), &format!("line {number}\n").repeat(40));
    }
    repository.commit("A small project");
    repository
}

fn agent(place: &Path) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = place.join("agent.sh");
    std::fs::write(&path, AGENT)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// When an agent came to life, as it wrote it down.
fn born(file: &Path) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} is missing", file.display()))?;
    Ok(Duration::from_nanos(text.trim().parse()?))
}

fn floor(repository: &ScratchRepository, agent: &Path, place: &Path, run: usize) -> anyhow::Result<Duration> {
    let name = format!("floor-{run}");
    let worktree = repository.path().join(".hostler/worktrees").join(&name);
    let start = now();
    let added = Command::new("git")
        .current_dir(repository.path())
        .args(["worktree", "add", "--quiet", "--no-track", "-b", &name])
        .arg(&worktree)
        .arg("HEAD")
        .stdin(Stdio::null())
        .status()?;
    ensure!(added.success(), "git worktree add failed");
    let ran = Command::new(agent).arg(place).current_dir(&worktree).stdout(Stdio::null()).status()?;
    ensure!(ran.success(), "the agent failed");
    Ok(born(&place.join(name))?.saturating_sub(start))
}

/// A real host in this process, and the folder of its tasks.
struct UnderTest {
    runtime: Runtime,
    running: JoinHandle<Result<Summary, Failure>>,
    stopper: Stopper,
    home: Home,
    tasks: PathBuf,
    born: PathBuf,
}

impl UnderTest {
    fn start(repository: &ScratchRepository, agent: &Path, place: &Path) -> anyhow::Result<Self> {
        let folder = |name: &str| place.join(name);
        let home = Home {
            state: folder("state"),
            config: folder("config"),
            cache: folder("cache"),
            data: folder("data"),
        };
        let (tasks, born) = (folder("tasks"), folder("born"));
        std::fs::create_dir_all(&tasks)?;
        std::fs::create_dir_all(&born)?;
        allow(&home, &["folder", "command"])?;
        let command = format!("{} {}", agent.display(), born.display());
        let settings = settings(&home, repository, &tasks, &command);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (host, _) = runtime.block_on(Host::start(settings))?;
        let stopper = host.stopper();
        let running = runtime.spawn(host.finished());
        Ok(Self { runtime, running, stopper, home, tasks, born })
    }

    /// From the claim of one task to its agent's birth.
    fn one_task(&self, number: usize) -> anyhow::Result<Duration> {
        let key = format!("task-{number:02}");
        std::fs::write(self.tasks.join(format!("{key}.md")), format!("# Task {number}\n\nNothing.\n"))?;
        let run = hostler_tests::wait_until(PATIENCE, "the task to be done", || {
            let done = || History::open(&self.home).ok()??.run(&key).ok().filter(|run| run.closed);
            done().ok_or("it is not")
        });
        ensure!(run.result.as_deref() == Some("succeeded"), "{key} ended as {:?}: {}", run.result, run.why);
        let workspace = PathBuf::from(run.workspace.context("a run without workspace")?);
        let name = workspace.file_name().context("a workspace without name")?;
        let created = Duration::from_millis(u64::try_from(run.created)?);
        Ok(born(&self.born.join(name))?.saturating_sub(created))
    }

    fn end(self) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            self.stopper.drain().await;
            self.running.await
        })??;
        Ok(())
    }
}

fn allow(home: &Home, names: &[&str]) -> anyhow::Result<()> {
    let mut grants = Grants::default();
    for name in names {
        let inspection = plugins::inspect(&std::fs::read(bundled(name))?)?;
        let manifest = inspection.manifest.context("a plugin without manifest")?;
        grants.allow(&manifest, &inspection.digest);
    }
    Ok(grants.save(&home.grants())?)
}

fn settings(home: &Home, repository: &ScratchRepository, tasks: &Path, command: &str) -> Settings {
    let plugin = |name: &str, field: &str, value: String| PluginSettings {
        file: bundled(name),
        config: BTreeMap::from([(field.to_owned(), value)]),
        program: None,
    };
    Settings {
        home: home.clone(),
        shim: vec![std::env::current_exe().unwrap_or_default(), PathBuf::from("shim")],
        name: "bench".to_owned(),
        tracker: plugin("folder", "path", tasks.display().to_string()),
        providers: vec![plugin("command", "command", command.to_owned())],
        repositories: vec![RepositorySettings {
            key: "main".to_owned(),
            path: repository.path().to_owned(),
            in_place: false,
        }],
        policy: Policy { slots: 1, ..Policy::default() },
        signatures: SignatureRule::Off,
        once: false,
        environment: std::env::vars().collect(),
        containment: Containment::default(),
        sandbox: SandboxSettings { wish: Wish::Exactly(Tier::None), ..SandboxSettings::default() },
        isolation: Isolation::Worktree,
        network: NetworkSettings::default(),
        organisation: Places::with(None),
        test_clock: false,
        forges: Vec::new(),
        base: repository.path().to_owned(),
    }
}
