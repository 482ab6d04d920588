//! What a host is started with. Everything is resolved: where a value came from is
//! the command line's business.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hostler_agents::Containment;
use hostler_broker::{GateError, Inside, Network, Proxy};
use hostler_engine::policy::Policy;
use hostler_engine::rights::Origin;
use hostler_policy::Places;
use hostler_workspaces::Isolation;

use crate::finishing::forge::ForgeSettings;
use crate::home::Home;
use crate::plugins::vouching::SignatureRule;
use crate::sandbox::SandboxSettings;

/// What a host is started with.
pub struct Settings {
    /// Where everything lies.
    pub home: Home,
    /// How to start the supervisor of an agent: program and leading arguments.
    pub shim: Vec<PathBuf>,
    /// How an attempt's processes are held together.
    pub containment: Containment,
    /// What the git of agents works with.
    pub isolation: Isolation,
    /// How far agents are walled in.
    pub sandbox: SandboxSettings,
    /// For people, and for trackers.
    pub name: String,
    /// Where tasks come from.
    pub tracker: PluginSettings,
    /// Who works; the first is the default.
    pub providers: Vec<PluginSettings>,
    /// What is worked on; the first is the default.
    pub repositories: Vec<RepositorySettings>,
    /// Where pull requests are opened, besides what `gh` is signed in to.
    pub forges: Vec<ForgeSettings>,
    /// How plugins and forges are reached.
    pub network: NetworkSettings,
    /// What the operator allows. Its `repositories` and `providers` are filled in by
    /// the host.
    pub policy: Policy,
    /// Where the organisation's policies stand, which cut that down.
    pub organisation: Places,
    /// How much the signatures of plugins matter.
    pub signatures: SignatureRule,
    /// Stop when there is nothing left to do.
    pub once: bool,
    /// The environment from which agents get the granted part.
    pub environment: BTreeMap<String, String>,
    /// Whether the control socket offers to move the host's clock forward.
    pub test_clock: bool,
    /// Where relative paths of the configuration start.
    pub base: PathBuf,
}

/// One plugin and what the operator set for it.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// The `.wasm` file.
    pub file: PathBuf,
    /// Fields of the manifest's `config` table by name, secret ones included; the
    /// daemon keeps those from the plugin. Values as text: numbers and booleans as
    /// written, lists as JSON.
    pub config: BTreeMap<String, String>,
    /// For a provider: the program to start instead of the one on `PATH`.
    pub program: Option<PathBuf>,
}

/// One repository.
#[derive(Clone, Debug)]
pub struct RepositorySettings {
    /// What trackers call it.
    pub key: String,
    /// A folder inside it.
    pub path: PathBuf,
    /// Work in the folder itself if it is in no git repository: one run at a time,
    /// without a branch, and without a list of what changed.
    pub in_place: bool,
}

/// How a host reaches the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// The proxy, if requests go through one.
    pub proxy: Option<Proxy>,
    /// A PEM file with certificates to trust besides the system's.
    pub extra_ca: Option<PathBuf>,
    /// Whether requests of the tracker plugin beyond its grant are let through and noted,
    /// to find out what it needs.
    pub observe: bool,
}

impl NetworkSettings {
    /// The same for the gates of the host.
    pub(crate) fn network(&self) -> Network {
        Network { proxy: self.proxy.clone(), extra_ca: self.extra_ca.clone(), ..Network::default() }
    }

    /// The addresses in the operator's own network that an origin's name stands for, if a
    /// grant has to list them before it is reached.
    pub async fn inside(&self, origin: &Origin) -> Option<Inside> {
        self.network().inside(origin).await
    }

    /// How many certificates are trusted besides the system's; an error if their file
    /// cannot be used.
    pub fn extra_certificates(&self) -> Result<usize, GateError> {
        self.network().extra_certificates()
    }
}
