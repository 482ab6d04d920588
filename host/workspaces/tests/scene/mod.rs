//! A real repository in a temporary directory, and a state directory beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostler_workspaces::{Base, Isolation, Order, Place, Repository, Workspace};
use tempfile::TempDir;

pub struct Scene {
    root: TempDir,
    pub checkout: PathBuf,
}

impl Scene {
    /// A repository with one commit of a few files.
    pub fn new() -> Self {
        Self::named("project")
    }

    pub fn named(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let checkout = root.path().canonicalize().unwrap().join(name);
        fs::create_dir_all(&checkout).unwrap();
        let scene = Self { root, checkout };
        scene.git(&["init", "-q", "-b", "main"]);
        scene.write("README.md", "one\ntwo\nthree\n");
        scene.write("src/main.txt", "a\nb\nc\nd\ne\nf\ng\nh\n");
        scene.write("src/gone.txt", "to be deleted\n");
        scene.write(".gitignore", "*.log\n");
        fs::write(scene.checkout.join("data.bin"), [0_u8, 1, 2, 0, 255]).unwrap();
        scene.commit_all("start");
        scene
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(relative)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub fn open(&self) -> Repository {
        Repository::open(&self.checkout, &self.state()).unwrap()
    }

    pub fn write(&self, path: &str, text: &str) {
        write(&self.checkout.join(path), text);
    }

    pub fn commit_all(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.checkout, arguments)
    }

    /// Does something with 32 names at once, in a repository in which that takes a while.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn at_once(&self, work: impl Fn(&Repository, &str) -> Result<(), String> + Sync) {
        for number in 0..150 {
            self.write(&format!("many/{number}.txt"), "text\n");
        }
        self.commit_all("many");
        let repository = self.open();
        let failures: Vec<String> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..32)
                .map(|number| {
                    scope.spawn({
                        let (repository, work) = (&repository, &work);
                        move || work(repository, &format!("w{number}"))
                    })
                })
                .collect();
            workers.into_iter().filter_map(|worker| worker.join().unwrap().err()).collect()
        });
        assert!(failures.is_empty(), "{failures:?}");
    }
}

/// An order that starts from the head of the checkout.
pub fn order(repository: &Repository, folder: &str) -> Order {
    Order {
        run: format!("run-{folder}"),
        attempt: 1,
        folder: folder.to_owned(),
        place: Place::default(),
        branch: format!("hostler/{folder}"),
        start: repository.resolve(&Base::Head).unwrap(),
        isolation: Isolation::Worktree,
    }
}

pub fn workspace(repository: &Repository, folder: &str) -> Workspace {
    repository.prepare(&order(repository, folder)).unwrap()
}

pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Git as a user or an agent runs it: with whatever configuration is there.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?} in {}: {}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Agent")
        .env("GIT_AUTHOR_EMAIL", "agent@localhost")
        .env("GIT_COMMITTER_NAME", "Agent")
        .env("GIT_COMMITTER_EMAIL", "agent@localhost");
    command
}
