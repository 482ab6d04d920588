//! Where everything lies on disk.

use std::io;
use std::path::{Path, PathBuf};

use hostler_engine::task::RunId;

/// The folders of one installation. Created with mode 0700.
#[derive(Clone, Debug)]
pub struct Home {
    /// `journal.db`, the socket, the folders of the runs.
    pub state: PathBuf,
    /// `config.toml`, `grants.toml`, `keys.toml`.
    pub config: PathBuf,
    /// Native code of plugins; can be deleted at any time.
    pub cache: PathBuf,
    /// Installed plugins.
    pub data: PathBuf,
}

impl Home {
    /// The folders by the XDG rules, from an environment given as a function.
    /// `None` if neither `HOME` nor all of the XDG names are set.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let home = get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let folder = |name: &str, below_home: &str| {
            let set = get(name).map(PathBuf::from).filter(|path| path.is_absolute());
            let base = set.or_else(|| Some(home.as_ref()?.join(below_home)))?;
            Some(base.join("hostler"))
        };
        Some(Self {
            state: folder("XDG_STATE_HOME", ".local/state")?,
            config: folder("XDG_CONFIG_HOME", ".config")?,
            cache: folder("XDG_CACHE_HOME", ".cache")?,
            data: folder("XDG_DATA_HOME", ".local/share")?,
        })
    }

    /// All of them in one folder.
    #[cfg(test)]
    pub(crate) fn below(place: &Path) -> Self {
        let folder = |name: &str| place.join(name);
        Self {
            state: folder("state"),
            config: folder("config"),
            cache: folder("cache"),
            data: folder("data"),
        }
    }

    /// The durable record.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal.db")
    }

    /// What was allowed, refused, started and let out.
    pub fn audit(&self) -> PathBuf {
        self.state.join("audit")
    }

    /// What this host is called towards trackers; made at its first start.
    pub fn host_id(&self) -> PathBuf {
        self.state.join("host-id")
    }

    /// Held while a host runs on this state.
    pub fn lock(&self) -> PathBuf {
        self.state.join("host.lock")
    }

    /// Where a running host listens.
    pub fn socket(&self) -> PathBuf {
        self.state.join("host.sock")
    }

    /// Everything about all runs.
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// Records of worktrees, and what git needs to look into them.
    pub fn workspaces(&self) -> PathBuf {
        self.state.join("workspaces")
    }

    /// Plugins kept by content for the runs that began with them.
    pub fn plugin_store(&self) -> PathBuf {
        self.state.join("plugins")
    }

    /// Native code of plugins.
    pub fn native_code(&self) -> PathBuf {
        self.cache.join("plugins")
    }

    /// Everything about one run.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.runs().join(&run.0)
    }

    /// Output and records of one attempt.
    pub fn attempt(&self, run: &RunId, attempt: u32) -> PathBuf {
        self.run(run).join(format!("attempt-{attempt}"))
    }

    /// What the agents of a run said, one JSON object a line.
    pub fn events(&self, run: &RunId) -> PathBuf {
        self.run(run).join("events.jsonl")
    }

    /// How far the tracker knows what the agents of a run said.
    pub fn progress(&self, run: &RunId) -> PathBuf {
        self.run(run).join("progress.json")
    }

    /// What a run changed, as a patch.
    pub fn patch(&self, run: &RunId) -> PathBuf {
        self.run(run).join("changes.patch")
    }

    /// What a tracker's plugin wants to know at the next start.
    pub fn memory_of(&self, tracker: &str) -> PathBuf {
        self.state.join("trackers").join(format!("{tracker}.saved"))
    }

    /// The operator's grants.
    pub fn grants(&self) -> PathBuf {
        self.config.join("grants.toml")
    }

    /// The keys whose signatures count.
    pub fn keys(&self) -> PathBuf {
        self.config.join("keys.toml")
    }

    /// Plugins found by name.
    pub fn plugins(&self) -> PathBuf {
        self.data.join("plugins")
    }
}

/// Makes a folder that only its owner can enter.
pub fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mode = std::fs::metadata(folder)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_follow_the_xdg_names_and_fall_back_to_the_home_folder() {
        let get = |name: &str| match name {
            "HOME" => Some("/home/ada".to_owned()),
            "XDG_STATE_HOME" => Some("/var/state".to_owned()),
            "XDG_CACHE_HOME" => Some("relative is ignored".to_owned()),
            _ => None,
        };
        let home = Home::from_environment(get).unwrap();
        assert_eq!(home.state, Path::new("/var/state/hostler"));
        assert_eq!(home.cache, Path::new("/home/ada/.cache/hostler"));
        assert!(Home::from_environment(|_| None).is_none());
    }

    #[test]
    fn a_private_folder_is_closed_to_others_even_if_it_was_open_before() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        make_private(&folder).unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
