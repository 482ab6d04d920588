//! The sandbox of each attempt: which tier it gets, where its walls stand, and its way
//! out to the network.

mod model_keys;
mod walls;
mod way_out;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use hostler_agents::Probed;
use hostler_agents::{Network, Sandbox, remove_tree};
use hostler_broker::egress::{Egress, EgressRules};
use hostler_engine::rights::AddressBlock;
use hostler_engine::run::Run;
use hostler_engine::sandbox::{Destination, HomePath, NoTier, SandboxNeeds, Tier, Wish, choose};

use self::model_keys::{KeyError, keep, set};
use self::walls::Ground;
pub use self::way_out::{NETWORK_FILE, let_out};
use crate::home::Home;

/// Folder of an attempt's folder: the agent's own `/tmp` and home.
const PRIVATE: &str = "private";

/// What the operator says about sandboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxSettings {
    /// Which tier.
    pub wish: Wish,
    /// What is open besides what providers need.
    pub outside: Outside,
}

/// What agents reach from inside, besides what their providers need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Read and written in the home folder.
    pub home: Vec<HomePath>,
    /// May be connected to.
    pub network: Vec<Destination>,
    /// May not, whatever else allows it.
    pub network_deny: Vec<Destination>,
    /// Private and other special addresses that names may stand for.
    pub addresses: Vec<AddressBlock>,
    /// Folders that may be written; absolute.
    pub write: Vec<PathBuf>,
}

/// How this host walls its agents in.
pub struct Sandboxes {
    /// What the operator says.
    pub settings: SandboxSettings,
    /// The highest tier that this system can do.
    pub possible: Tier,
    /// The operator's home folder.
    pub home: Option<PathBuf>,
    /// Opens ways out.
    pub egress: Egress,
}

/// Which sandboxes this machine can build, by building them in a new folder below
/// `within`. `shim` is the supervisor's command line.
pub async fn probe(shim: &[PathBuf], within: &Path) -> Probed {
    crate::host::agents(shim).probe(within).await
}

/// Who is walled in, and with what.
pub struct Occupant<'a> {
    /// The run.
    pub run: &'a Run,
    /// The attempt's folder.
    pub folder: &'a Path,
    /// Where it works.
    pub workspace: &'a Path,
    /// A file that it reads besides.
    pub prompt_file: Option<PathBuf>,
    /// What its provider was granted.
    pub needs: &'a SandboxNeeds,
    /// What it must be able to read: the repository, its program, the folders of `PATH`.
    pub readable: Vec<PathBuf>,
    /// What it gets to see of the environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// A sandbox that is ready to start an agent in.
pub struct Ready {
    /// For the start.
    pub sandbox: Sandbox,
    /// The environment that belongs to it.
    pub environment: Vec<(OsString, OsString)>,
    /// What the agent may reach; only where it has a network of its own.
    pub rules: Option<EgressRules>,
}

impl Sandboxes {
    /// The tier for agents of a provider, given the least that is allowed.
    pub fn tier(&self, needs: &SandboxNeeds, least: Tier) -> Result<Tier, NoTier> {
        choose(self.settings.wish, least, needs.tier, self.possible)
    }

    /// Puts the walls up around somebody. The same occupant gets the same.
    pub fn ready(&self, host: &Home, tier: Tier, occupant: Occupant<'_>) -> Result<Ready, KeyError> {
        let ground = Ground {
            workspace: occupant.workspace,
            prompt_file: occupant.prompt_file.as_deref(),
            private: occupant.folder.join(PRIVATE),
            home: self.home.as_deref(),
            readable: &occupant.readable,
            host,
            needs: occupant.needs,
            outside: &self.settings.outside,
        };
        let mut environment = occupant.environment;
        let (sandbox, rules) = match tier {
            Tier::None => (Sandbox::None, None),
            Tier::Basic => (Sandbox::Basic(walls::that_exist(ground.shared())), None),
            Tier::Contained => {
                let stand_in = format!("hostler-{}", occupant.run.id.0);
                let models = keep(&mut environment, &occupant.needs.model, way_out::PORT, &stand_in)?;
                way_out::variables().for_each(|(name, value)| set(&mut environment, name, &value));
                let network = Network::OnlyThrough { port: way_out::PORT };
                let walls = walls::that_exist(ground.own());
                let rules = way_out::rules(occupant.needs, &self.settings.outside, models);
                (Sandbox::Contained(walls, network), Some(rules))
            }
        };
        Ok(Ready { sandbox, environment, rules })
    }
}

/// Deletes what an occupant had for itself, once nothing of it lives: it may hold what
/// the agent wrote down of secrets.
pub async fn clear(folder: &Path) {
    let private = folder.join(PRIVATE);
    let shown = private.display().to_string();
    let cleared = crate::blocking::run(move || remove_tree(&private)).await;
    if let Err(error) =
        cleared.map_err(|error| error.to_string()).and_then(|it| it.map_err(|e| e.to_string()))
    {
        tracing::warn!("{shown} cannot be deleted: {error}");
    }
}
