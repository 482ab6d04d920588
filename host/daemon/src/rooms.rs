//! Everything an effect may need, in one place: the rooms, set up and shared.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use hostler_agents::{Agents, Containment};
use hostler_components::Plugin;
use hostler_components::operation::AgentEnvironment;
use hostler_engine::Input;
use hostler_engine::run::Run;
use hostler_engine::task::RunId;
use hostler_workspaces::{Cancel, Isolation, Means, PUSH_LIMIT};
use tokio::sync::{broadcast, mpsc, watch};

use crate::attempt::environments::Environments;
use crate::attempt::under_way::Attempts;
use crate::ceiling_notice::CeilingNotice;
use crate::clock::Clock;
use crate::conceal::Conceal;
use crate::core::Situation;
use crate::finishing::forge::Forges;
use crate::home::Home;
use crate::message::Message;
use crate::organisation::Organisation;
use crate::place::Place;
use crate::plugins::builds::Builds;
use crate::plugins::providers::Provider;
use crate::record::audited::Audited;
use crate::record::denied::RefusedSoFar;
use crate::refusal::{Lack, Refusal};
use crate::sandbox::Sandboxes;
use crate::tracker::Tracker;
use crate::tracker::progress::Couriers;
use crate::view::Notice;

/// The rooms of one host.
pub struct Rooms {
    /// Where everything lies.
    pub home: Home,
    /// The host's clock.
    pub clock: Clock,
    /// The way to the tracker.
    pub tracker: Tracker,
    /// The tracker's judgement, for runs that begin now.
    pub judge: Arc<Plugin>,
    /// What earlier runs began with.
    pub builds: Arc<Builds>,
    /// The tracker's configuration, as JSON.
    pub judge_config: String,
    /// Coding CLIs by name.
    pub providers: BTreeMap<String, Arc<Provider>>,
    /// Where work is done, by key.
    pub places: BTreeMap<String, Place>,
    /// Where pull requests are opened.
    pub forges: Forges,
    /// Set once the host is told to stop: calls off what talks to a remote.
    pub cancel: Cancel,
    /// Starts and ends processes.
    pub agents: Agents,
    /// How an attempt's processes are held together.
    pub containment: Containment,
    /// What the git of agents works with in workspaces that are made from now on.
    pub isolation: Isolation,
    /// How far they are walled in.
    pub sandboxes: Sandboxes,
    /// What commands see of the environment that are nobody's agent: nothing secret.
    pub plain_environment: Vec<(OsString, OsString)>,
    /// For progress on screens.
    pub notices: broadcast::Sender<Notice>,
    /// To the engine.
    pub inbox: mpsc::Sender<Message>,
    /// What the engine is up to.
    pub situation: watch::Receiver<Situation>,
    /// Attempts under way.
    pub attempts: Attempts,
    /// Progress on its way to the tracker.
    pub couriers: Couriers,
    /// What must not be said, written down or reported.
    pub conceal: Conceal,
    /// What trackers gave for agents; `None` if no grant covers it.
    pub environments: Option<Environments>,
    /// What may be done here at most, whoever allows it.
    pub organisation: Arc<Organisation>,
    /// Says when tasks wish to allow their agents more than the host does.
    pub ceiling: CeilingNotice,
    /// What was allowed, refused, started and let out, for ever.
    pub audit: Audited,
    /// What it was told of refused effects.
    pub refused_so_far: RefusedSoFar,
}

impl Rooms {
    /// Tells the engine what happened. After the host has ended, nobody listens:
    /// what was under way is taken up again at the next start.
    pub async fn tell(&self, input: Input) {
        if self.inbox.send(Message::Input(Box::new(input))).await.is_err() {
            tracing::debug!("the host has ended; what came after it is taken up at the next start");
        }
    }

    /// Shows something on the screens that look.
    pub fn show(&self, notice: Notice) {
        // Nobody may be looking.
        let _ = self.notices.send(notice);
    }

    /// What plugins were refused, by reason.
    pub fn denied(&self) -> BTreeMap<String, u64> {
        self.refused_so_far.by_reason(self.tracker.name(), &self.tracker.denials())
    }

    /// Counts what the host itself refuses a plugin; the audit log is told soon.
    pub fn refused(&self, plugin: &str, refusal: Refusal) {
        self.refused_so_far.count(plugin, refusal);
    }

    /// The rights that would cover all that the tracker plugin sent, as they stand in its
    /// entry of the file of grants; `None` unless it is only observed.
    pub fn observed(&self) -> Option<String> {
        self.tracker.smallest_grant().map(|rights| rights.replace("[[http]]\n", "[[plugin.http]]\n"))
    }

    /// Keeps what came with a claim for the agents of its run, if that is granted.
    pub fn keep_environment(&self, run: &RunId, variables: AgentEnvironment) {
        match &self.environments {
            Some(environments) => environments.keep(run.clone(), variables),
            None if variables.reveal().is_empty() => {}
            None => {
                let tracker = self.tracker.name();
                self.refused(tracker, Refusal::Environment(Lack::Grant));
                let message = format!(
                    "{tracker} sent environment variables for agents, which its grant does not cover; they are left out."
                );
                self.show(Notice::Host { message, warning: true });
            }
        }
    }

    /// What must not be heard of a run: the operator's keys, and all that the tracker
    /// gave its agents, as far as this host still has it.
    pub fn secrets_of(&self, run: &RunId) -> Vec<OsString> {
        let given = self.environments.as_ref().and_then(|environments| environments.of(run));
        self.conceal.with(given.iter().flat_map(AgentEnvironment::reveal).map(|(_, value)| value.into()))
    }

    /// What it takes to speak to a remote and its forge.
    pub fn means(&self) -> Means<'_> {
        Means {
            http: Some(&self.forges),
            hosts: self.forges.hosts(),
            time_limit: PUSH_LIMIT,
            cancel: &self.cancel,
        }
    }

    /// The provider that a run's plan names.
    pub fn provider_of(&self, run: &Run) -> Option<Arc<Provider>> {
        self.providers.get(&run.plan.as_ref()?.provider).cloned()
    }

    /// Where a run's plan wants to work.
    pub fn place_of(&self, run: &Run) -> Option<Place> {
        self.places.get(&run.plan.as_ref()?.repository).cloned()
    }
}
