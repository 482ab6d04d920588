//! A small machine to break out of: a workspace, and around it what is worth it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hostler_agents::{Agent, Agents, Containment, HomePath, Launch, Network, Sandbox, Walls};
use hostler_engine::sandbox::Tier;

use super::{Bench, FIXTURE, Heard, hear};

/// Who the agents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the tests.
    Me,
    /// `nobody`; the same as `Me` unless that is root.
    Ordinary,
}

impl User {
    /// Those that differ.
    pub fn all() -> &'static [Self] {
        if rustix::process::getuid().is_root() { &[Self::Me, Self::Ordinary] } else { &[Self::Me] }
    }
}

/// An ordinary user's number.
const NOBODY: &str = "65534";

/// Where a contained agent reaches the host.
pub const PORT: u16 = 3128;

/// What a hidden file says.
pub const SECRET: &str = "the-secret-of-the-host";

pub struct Machine {
    pub bench: Bench,
    pub root: PathBuf,
    pub user: User,
    /// Somebody else's process of the same user, with the secret in its environment.
    pub stranger: Child,
}

impl Machine {
    pub fn new(user: User) -> Self {
        let bench = Bench::at(tempfile::tempdir_in(elsewhere()).unwrap());
        let root = bench.home.path().to_owned();
        for folder in ["work", "outside", "secret", "home/.config", "private/tmp", "private/home", "attempt"]
        {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (file, text) in [("outside/file", "intact\n"), ("home/.config/app", "settings\n")] {
            fs::write(root.join(file), text).unwrap();
        }
        fs::write(root.join("secret/key"), format!("{SECRET}\n")).unwrap();
        fs::write(root.join("home/private-key"), format!("{SECRET}\n")).unwrap();
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
            let done = git.arg("-C").arg(root.join("work")).args(args).status();
            assert!(done.unwrap().success());
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        fs::create_dir_all(root.join("work/.git/hooks")).unwrap();
        let mut stranger = Command::new("setpriv");
        if user == User::Ordinary && rustix::process::getuid().is_root() {
            give_away(&root);
            stranger.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        }
        stranger.args(["sleep", "60"]).env("SECRET", SECRET).stdin(Stdio::null()).stdout(Stdio::null());
        let mut machine = Self { bench, root, user, stranger: stranger.spawn().unwrap() };
        if user == User::Ordinary && rustix::process::getuid().is_root() {
            let args = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", FIXTURE, "shim"];
            machine.bench.agents = Agents::new("/usr/bin/setpriv".into(), args.map(Into::into).into());
        }
        machine
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// What an agent may do here.
    pub fn walls(&self) -> Walls {
        Walls {
            writable: vec![self.path("work")],
            read_only: vec![self.path("work/.git/config"), self.path("work/.git/hooks")],
            readable: Vec::new(),
            hidden: vec![self.path("secret"), self.path("outside/hidden-file")],
            home: vec![HomePath { path: ".config".into(), access: hostler_agents::Access::Read }],
            private: self.path("private"),
            // It leaves an agent the most.
            nests: true,
        }
    }

    pub fn sandbox(&self, tier: Tier) -> Sandbox {
        match tier {
            Tier::None => Sandbox::None,
            Tier::Basic => Sandbox::Basic(self.walls()),
            Tier::Contained => Sandbox::Contained(self.walls(), Network::OnlyThrough { port: PORT }),
        }
    }

    pub fn launch(&self, sandbox: Sandbox, script: &str) -> Launch {
        let mut launch = self.bench.launch(script);
        launch.cwd = self.path("work");
        launch.env.push(("HOME".into(), self.path("home").into()));
        launch.env.push(("ROOT".into(), self.root.clone().into()));
        launch.env.push(("STRANGER".into(), self.stranger.id().to_string().into()));
        launch.sandbox = sandbox;
        // Else the control would be walled off from other processes as well.
        launch.containment = Containment::Sweep;
        launch
    }

    /// Runs a script to its end; `None`, said aloud, where no namespace can be made.
    pub async fn run(&self, tier: Tier, script: &str) -> Option<Heard> {
        if script.contains("./fixture") {
            self.bring_fixture();
        }
        let mut agent = self.start(self.launch(self.sandbox(tier), script)).await?;
        assert_eq!(agent.record.sandbox, tier);
        Some(hear(&mut agent).await)
    }

    /// Starts it; `None`, said aloud, where no namespace can be made.
    pub async fn start(&self, launch: Launch) -> Option<Agent> {
        match self.bench.agents.start(launch).await {
            Ok(agent) => Some(agent),
            Err(error) if error.to_string().contains("making namespaces") => {
                eprintln!("skipped for {:?}: {error}", self.user);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// What a host of its user says that it can build, with this supervisor: the
    /// strongest sandbox, and why there is no stronger one.
    pub fn probe(&self, shim: &str) -> Vec<String> {
        let mut host = Command::new("setpriv");
        if self.user == User::Ordinary {
            host.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        }
        let told = host.args([FIXTURE, "probe", shim]).arg(self.path("work")).output().unwrap();
        String::from_utf8(told.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Where the fixture lies, some agents cannot see it.
    pub fn bring_fixture(&self) {
        fs::copy(FIXTURE, self.path("work/fixture")).unwrap();
    }

    /// Makes room for another attempt in the same place.
    pub fn next_attempt(&self) {
        fs::remove_dir_all(self.bench.folder()).unwrap();
        fs::create_dir(self.bench.folder()).unwrap();
        self.belongs_to_its_user();
    }

    /// For what a test has added.
    pub fn belongs_to_its_user(&self) {
        if self.user == User::Ordinary {
            give_away(&self.root);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.stranger.kill();
        let _ = self.stranger.wait();
    }
}

/// Not in `/tmp`, which looks different in every sandbox.
fn elsewhere() -> PathBuf {
    let usual = std::env::temp_dir();
    if usual.starts_with("/tmp") { "/var/tmp".into() } else { usual }
}

/// All of it belongs to the ordinary user from now on, and nothing that a link leads to.
fn give_away(root: &Path) {
    let nobody = NOBODY.parse().ok();
    lchown(root, nobody, nobody).unwrap();
    if root.symlink_metadata().unwrap().is_dir() {
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(root).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}
