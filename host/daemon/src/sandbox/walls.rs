//! What an agent can still reach from inside its sandbox, as a list of paths.

use std::path::{Path, PathBuf};

use hostler_agents::{Access, HomePath as InHome, Walls};
use hostler_engine::sandbox::{HomePath, SandboxNeeds};

use super::Outside;
use crate::home::Home;

/// Below a home folder: where programs keep what opens doors elsewhere. An agent sees
/// none of it that was not granted by name.
const CREDENTIALS: [&str; 29] = [
    ".ssh",
    ".gnupg",
    ".password-store",
    ".local/share/keyrings",
    ".netrc",
    ".git-credentials",
    ".config/git/credentials",
    ".config/gh",
    ".config/glab-cli",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".config/doctl",
    ".oci",
    ".kube",
    ".docker",
    ".vault-token",
    ".terraform.d",
    ".config/op",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".m2/settings.xml",
    ".claude/.credentials.json",
    ".codex/auth.json",
    ".local/share/opencode/auth.json",
    ".tale-daemon",
    ".mozilla",
];

/// Below a home folder: where programs and their settings are kept. An agent with a home
/// of its own reads them.
const TOOLS: [&str; 24] = [
    ".gitconfig",
    ".config/git",
    ".local/bin",
    ".local/lib",
    ".local/share/claude",
    ".local/share/mise",
    ".local/share/pnpm",
    ".local/share/uv",
    ".asdf",
    ".bun",
    ".cargo",
    ".deno",
    ".dotnet",
    ".gradle",
    ".m2",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    ".opencode",
    "bin",
    "go",
];

/// Sockets of services that start programs, or open doors, for whoever may talk to them.
const SERVICES: [&str; 6] = [
    "/run/docker.sock",
    "/run/podman",
    "/run/containerd",
    "/run/libvirt",
    "/run/dbus",
    // Of each user: the session bus, the agents of ssh and gpg.
    "/run/user",
];

/// Inside a workspace that is a repository of its own: what would make a person's git
/// run something there.
const STARTS_PROGRAMS: [&str; 2] = [".git/config", ".git/hooks"];

/// All that decides what is open.
pub struct Ground<'a> {
    /// Where the agent works.
    pub workspace: &'a Path,
    /// A file that it reads besides: it lies in the host's own folder.
    pub prompt_file: Option<&'a Path>,
    /// A folder of this attempt.
    pub private: PathBuf,
    /// The operator's home folder.
    pub home: Option<&'a Path>,
    /// What it must be able to read, wherever that is: the repository, its program, the
    /// folders of `PATH`. Absolute.
    pub readable: &'a [PathBuf],
    /// The host's own folders.
    pub host: &'a Home,
    /// What the provider was granted.
    pub needs: &'a SandboxNeeds,
    /// What the operator adds.
    pub outside: &'a Outside,
}

impl Ground<'_> {
    /// The walls around an agent that shares the operator's home folder: what it was
    /// granted there, it writes there.
    pub fn shared(&self) -> Walls {
        let granted =
            self.home.into_iter().flat_map(|home| self.in_home().map(|path| home.join(path.as_str())));
        let writable = self.writable().chain(granted).collect();
        Walls { writable, home: Vec::new(), ..self.own() }
    }

    /// The walls around an agent that gets a home folder of its own, in which what it
    /// was granted appears.
    pub fn own(&self) -> Walls {
        let home = |access| move |path: &str| InHome { path: PathBuf::from(path), access };
        let granted = self.in_home().map(HomePath::as_str).map(home(Access::ReadWrite));
        let tools = TOOLS.into_iter().map(home(Access::Read));
        Walls {
            writable: self.writable().collect(),
            read_only: STARTS_PROGRAMS.iter().map(|name| self.workspace.join(name)).collect(),
            hidden: self.hidden(),
            readable: self.readable.to_vec(),
            home: tools.chain(granted).collect(),
            private: self.private.clone(),
            nests: self.needs.nests,
        }
    }

    fn in_home(&self) -> impl Iterator<Item = &HomePath> {
        self.needs.home.iter().chain(&self.outside.home)
    }

    fn writable(&self) -> impl Iterator<Item = PathBuf> {
        let own = [Some(self.workspace), self.prompt_file].into_iter().flatten();
        own.map(Path::to_owned).chain(self.outside.write.iter().cloned())
    }

    /// The host's records and settings, and credentials that nobody granted.
    fn hidden(&self) -> Vec<PathBuf> {
        let credentials = CREDENTIALS.iter().filter(|place| !self.is_granted(place));
        let in_home =
            self.home.into_iter().flat_map(|home| credentials.clone().map(|place| home.join(place)));
        let own = [&self.host.state, &self.host.config].into_iter().cloned();
        own.chain(SERVICES.map(PathBuf::from)).chain(in_home).collect()
    }

    /// Whether it is, or lies in, something granted. What lies above something granted
    /// is not.
    fn is_granted(&self, place: &str) -> bool {
        self.in_home().any(|granted| Path::new(place).starts_with(granted.as_str()))
    }
}

/// Without what is not there: it can be neither opened nor closed. What is hidden may be
/// missing.
pub fn that_exist(mut walls: Walls) -> Walls {
    walls.writable.retain(|path| path.exists());
    walls.read_only.retain(|path| path.exists());
    walls
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ground<'a>(host: &'a Home, needs: &'a SandboxNeeds, outside: &'a Outside) -> Ground<'a> {
        Ground {
            workspace: Path::new("/state/workspaces/w"),
            prompt_file: None,
            private: PathBuf::from("/state/runs/r/attempt-1/private"),
            home: Some(Path::new("/home/me")),
            readable: &[],
            host,
            needs,
            outside,
        }
    }

    fn host() -> Home {
        Home::below(Path::new("/"))
    }

    fn home_path(path: &str) -> HomePath {
        HomePath::try_from(path.to_owned()).unwrap()
    }

    #[test]
    fn an_agent_writes_in_its_workspace_and_sees_neither_the_host_nor_credentials() {
        let (host, needs, outside) = (host(), SandboxNeeds::default(), Outside::default());
        let walls = ground(&host, &needs, &outside).own();
        assert_eq!(walls.writable, [Path::new("/state/workspaces/w")]);
        for hidden in ["/state", "/config", "/home/me/.ssh", "/home/me/.claude/.credentials.json"] {
            assert!(walls.hidden.iter().any(|path| path == Path::new(hidden)), "{hidden}");
        }
    }

    #[test]
    fn what_was_granted_is_open_and_its_neighbours_are_not() {
        let needs = SandboxNeeds { home: vec![home_path(".claude")], ..SandboxNeeds::default() };
        let outside = Outside {
            home: vec![home_path(".config/gh/hosts.yml")],
            write: vec![PathBuf::from("/cache/npm")],
            ..Outside::default()
        };
        let host = host();
        let ground = ground(&host, &needs, &outside);
        let walls = ground.own();
        let hides = |path: &str| walls.hidden.iter().any(|hidden| hidden == Path::new(path));
        assert!(!hides("/home/me/.claude/.credentials.json"), "its own login");
        assert!(hides("/home/me/.codex/auth.json"), "another agent's login");
        assert!(hides("/home/me/.config/gh"), "the rest of the folder");
        let written = walls.home.iter().filter(|place| place.access == Access::ReadWrite);
        assert_eq!(written.count(), 2);
        assert!(walls.writable.contains(&PathBuf::from("/cache/npm")));
        let shared = ground.shared();
        assert!(shared.writable.contains(&PathBuf::from("/home/me/.claude")) && shared.home.is_empty());
    }

    #[test]
    fn an_agent_with_a_home_of_its_own_finds_its_tools_and_its_repository() {
        let (host, needs, outside) = (host(), SandboxNeeds::default(), Outside::default());
        let readable = ["/home/me/code/app", "/usr/bin"].map(PathBuf::from);
        let walls = Ground { readable: &readable, ..ground(&host, &needs, &outside) }.own();
        assert!(walls.home.contains(&InHome { path: ".cargo".into(), access: Access::Read }));
        assert_eq!(walls.readable, readable);
    }
}
