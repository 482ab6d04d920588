//! A checkout whose `origin` is on the stand-in forge.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use hostler_workspaces::{
    Cancel, Fetch, ForgeAnswer, ForgeHosts, ForgeHttp, ForgeKind, ForgeRepository, ForgeRequest, Landed,
    Landing, LandingError, Means, Operator, Push, Repository, Workspace,
};
use standin_forge::Forge;

use crate::scene::{self, Scene, git, write};

pub const REPOSITORY: &str = "acme/api";

/// Far longer than anything here takes, and far shorter than forever.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Stage {
    pub scene: Scene,
    pub forge: Forge,
    pub bare: PathBuf,
    pub cancel: Cancel,
    pub hosts: ForgeHosts,
}

impl Stage {
    /// One commit on `main`, here and at the forge.
    pub fn new() -> Self {
        let scene = Scene::new();
        let root = scene.path("forge");
        fs::create_dir_all(&root).unwrap();
        let forge = Forge::start(&root, 0).unwrap();
        let bare = forge.create_repository(REPOSITORY).unwrap();
        write(&scene.path("home/.gitconfig"), "[user]\n\tname = Ann Operator\n\temail = ann@example.org\n");
        fs::create_dir_all(scene.path("bin")).unwrap();
        scene.git(&["remote", "add", "origin", &forge.url(REPOSITORY)]);
        scene.git(&["push", "-q", "origin", "main"]);
        let hosts = ForgeHosts::default().with(&forge.authority(), ForgeKind::GitHub);
        Self { scene, forge, bare, cancel: Cancel::new(), hosts }
    }

    /// Somebody who has git, a name, and what is in `bin`; no `gh` of this machine.
    pub fn operator(&self) -> Operator {
        let git = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .find(|folder| folder.join("git").is_file())
            .unwrap();
        let tools = self.scene.path("tools");
        if !tools.exists() {
            fs::create_dir_all(&tools).unwrap();
            std::os::unix::fs::symlink(git.join("git"), tools.join("git")).unwrap();
            for name in ["bash", "cat", "sh", "env", "ssh"] {
                let found = ["/bin", "/usr/bin"].iter().map(|it| PathBuf::from(it).join(name));
                if let Some(found) = found.into_iter().find(|it| it.is_file()) {
                    std::os::unix::fs::symlink(found, tools.join(name)).unwrap();
                }
            }
        }
        let path = std::env::join_paths([self.scene.path("bin"), tools]).unwrap();
        let pairs: [(&str, OsString); 3] =
            [("PATH", path), ("HOME", self.scene.path("home").into()), ("GIT_CONFIG_NOSYSTEM", "1".into())];
        Operator::new(pairs.map(|(name, value)| (name.into(), value)))
    }

    pub fn open(&self) -> Repository {
        Repository::open_as(self.operator(), &self.scene.checkout, &self.scene.state()).unwrap()
    }

    /// A workspace with one commit of the agent's.
    pub fn worked(&self, folder: &str) -> (Repository, Workspace) {
        let repository = self.open();
        let workspace = scene::workspace(&repository, folder);
        write(&workspace.path.join("done.txt"), "done\n");
        git(&workspace.path, &["add", "done.txt"]);
        git(&workspace.path, &["commit", "-q", "-m", "work"]);
        (repository, workspace)
    }

    pub fn fetch(&self) -> Fetch<'_> {
        let reuse = Duration::ZERO;
        Fetch { remote: "origin", branch: None, time_limit: PATIENCE, reuse, cancel: &self.cancel }
    }

    pub fn push(&self) -> Push<'_> {
        Push { remote: "origin", time_limit: PATIENCE, cancel: &self.cancel }
    }

    pub fn means<'a>(&'a self, http: Option<&'a dyn ForgeHttp>) -> Means<'a> {
        Means { http, hosts: &self.hosts, time_limit: PATIENCE, cancel: &self.cancel }
    }

    /// Lands in a pull request through the REST interface.
    pub fn propose(
        &self,
        repository: &Repository,
        workspace: &Workspace,
        title: &str,
    ) -> Result<Landed, LandingError> {
        repository.land(workspace, &pull_request("A body."), title, &self.means(Some(&Client)))
    }

    /// What a ref at the forge is on.
    pub fn at_forge(&self, reference: &str) -> String {
        git(&self.bare, &["for-each-ref", "--format=%(objectname)", reference])
    }

    /// Somebody else moves a branch at the forge.
    pub fn commit_at_forge(&self, branch: &str, path: &str, text: &str) {
        let clone = self.scene.path("colleague");
        if !clone.exists() {
            let (bare, target) = (self.bare.to_str().unwrap(), clone.to_str().unwrap());
            git(&self.scene.checkout, &["clone", "-q", bare, target]);
        }
        git(&clone, &["fetch", "-q", "origin"]);
        git(&clone, &["checkout", "-q", "-B", branch, &format!("origin/{branch}")]);
        write(&clone.join(path), text);
        git(&clone, &["add", "-A"]);
        git(&clone, &["commit", "-q", "-m", "by a colleague"]);
        git(&clone, &["push", "-q", "origin", branch]);
    }
}

pub fn pull_request(body: &str) -> Landing {
    Landing::PullRequest { remote: "origin".to_owned(), base: None, body: body.to_owned() }
}

/// As much of an HTTP client as the forge needs.
pub struct Client;

impl ForgeHttp for Client {
    fn serves(&self, _: &ForgeRepository) -> bool {
        true
    }

    fn send(&self, _: &ForgeRepository, request: &ForgeRequest) -> Result<ForgeAnswer, String> {
        let rest = request.url.strip_prefix("http://").ok_or("no http address")?;
        let (place, path) = rest.split_once('/').ok_or("no path")?;
        let body = request.body.as_ref().map(ToString::to_string).unwrap_or_default();
        let ask = || -> std::io::Result<Vec<u8>> {
            let mut line = TcpStream::connect(place)?;
            let (method, length) = (request.method, body.len());
            write!(line, "{method} /{path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}")?;
            let mut answer = Vec::new();
            line.read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().map_err(|error| error.to_string())?;
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").ok_or("the line was cut")?;
        let status = String::from_utf8_lossy(&answer[..end]).split_whitespace().nth(1).map(str::parse);
        Ok(ForgeAnswer { status: status.unwrap().unwrap(), body: answer[end + 4..].to_vec() })
    }
}
