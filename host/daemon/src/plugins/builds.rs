//! Builds of plugins that runs began with, loaded when they are needed, under the
//! grant they have now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hostler_components::{Plugin, Runtime};

use crate::failure::Failure;
use crate::home::Home;
use crate::organisation::Organisation;
use crate::plugins::Installed;
use crate::plugins::admission::Candidate;
use crate::plugins::grants::{GrantError, Grants};
use crate::plugins::store::{Build, Store};

/// The builds of one host.
pub struct Builds {
    runtime: Runtime,
    store: Store,
    grants: PathBuf,
    keys: PathBuf,
    organisation: Arc<Organisation>,
    loaded: Mutex<BTreeMap<String, Arc<Plugin>>>,
}

/// Why a run cannot go on with the build it began with.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its grant is gone.
    #[error(
        "the build {} of the plugin `{id}` that this run began with may not run any more ({why}); end the run with `host stop`, and it can begin again with the build that is set up now",
        short(digest)
    )]
    Revoked {
        /// The plugin.
        id: String,
        /// SHA-256 of the build.
        digest: String,
        /// What the grants say.
        why: String,
    },
    /// It was not kept, or somebody deleted it.
    #[error(
        "the build {} of the plugin `{id}` that this run began with is not kept on this machine; end the run with `host stop`, and it can begin again with the build that is set up now",
        short(digest)
    )]
    NotKept {
        /// The plugin.
        id: String,
        /// SHA-256 of the build.
        digest: String,
    },
    /// It is kept, but does not load.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Digits of a digest that name it well enough for people.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

impl Builds {
    /// Keeps what the host is set up with, so that runs can go on with it when the
    /// files are replaced.
    pub fn keep<'a>(
        home: &Home,
        runtime: Runtime,
        organisation: Arc<Organisation>,
        set_up: impl IntoIterator<Item = &'a Installed>,
    ) -> Result<Self, Failure> {
        let store = Store::of(home);
        let (mut loaded, mut builds) = (BTreeMap::new(), Vec::new());
        for installed in set_up {
            let build = store.keep(&installed.plugin, &installed.file)?;
            loaded.insert(build.digest.clone(), Arc::clone(&installed.plugin));
            builds.push(build);
        }
        store.use_now(&builds)?;
        let (grants, keys, loaded) = (home.grants(), home.keys(), Mutex::new(loaded));
        Ok(Self { runtime, store, grants, keys, organisation, loaded })
    }

    /// The plugin in exactly this build. The grant is looked up at each call: one that
    /// was taken back is gone from then on. Blocks while it is loaded.
    pub fn get(&self, build: &Build) -> Result<Arc<Plugin>, BuildError> {
        let Build { id, digest } = build.clone();
        let known = self.lock().get(&digest).cloned();
        let file = self.store.find(&digest);
        let plugin = match (known, &file) {
            (Some(plugin), _) => plugin,
            (None, Some(file)) => self.runtime.load(file).map_err(Failure::from)?,
            (None, None) => return Err(BuildError::NotKept { id, digest }),
        };
        if plugin.digest().to_string() != digest {
            return Err(BuildError::NotKept { id, digest });
        }
        let file = file.unwrap_or_default();
        self.admit(&plugin, &file)?;
        let grants = Grants::load(&self.grants).map_err(Failure::from)?;
        let checked = grants.check(plugin.manifest(), &plugin.digest(), &file);
        match checked {
            Ok(_) => {}
            Err(GrantError::Missing { .. }) => {
                return Err(BuildError::Revoked { id, digest, why: "its grant is gone".to_owned() });
            }
            Err(other) => return Err(BuildError::Revoked { id, digest, why: other.to_string() }),
        }
        self.lock().insert(digest, Arc::clone(&plugin));
        Ok(plugin)
    }

    fn admit(&self, plugin: &Plugin, file: &Path) -> Result<(), BuildError> {
        let Build { id, digest } = Build::of(plugin);
        let keys = self.keys.clone();
        let candidate = Candidate { id: id.clone(), digest: plugin.digest(), file: file.to_owned(), keys };
        match candidate.judge(&self.organisation.now()).denied_by() {
            None => Ok(()),
            Some(by) => {
                let why = format!("your organisation's policy does not allow it: {by}");
                Err(BuildError::Revoked { id, digest, why })
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Plugin>>> {
        // The map is whole after every single operation.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
