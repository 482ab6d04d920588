//! One host, from start to end.

mod loading;
mod terms;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hostler_agents::Agents;
use hostler_broker::egress::{Egress, EgressLimits};
use hostler_broker::{Gate, Limits as GateLimits, Mode, Network, Traffic};
use hostler_components::operation::Operation;
use hostler_engine::Input;
use hostler_engine::policy::Policy;
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::sandbox::{Tier, Wish};
use hostler_engine::task::Runner;
use hostler_engine::time::Millis;
use hostler_journal::JournalError;
use hostler_journal::audit::Head;
use hostler_policy::Policies;
use hostler_workspaces::Cancel;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use self::loading::{conceal, detect, environments, load_providers, load_tracker, plain_environment};
use self::terms::{granted_policy, may_work_in, open_places, with_advice};
use crate::attempt::under_way::Attempts;
use crate::ceiling_notice::CeilingNotice;
use crate::clock::Clock;
use crate::conceal::Conceal;
use crate::control::{self, Desk};
use crate::core::{Core, Situation, Summary};
use crate::failure::Failure;
use crate::finishing::forge::Forges;
use crate::follow_up;
use crate::home::{Home, make_private};
use crate::lock::StateLock;
use crate::message::Message;
use crate::organisation::{self, Organisation};
use crate::place::Place;
use crate::plugins::builds::Builds;
use crate::plugins::permit::Withdrawn;
use crate::plugins::providers::Provider;
use crate::plugins::{Installed, runtime};
use crate::record::audit;
use crate::record::audited::{self, Audited};
use crate::record::copying::{copy, copy_now_and_then};
use crate::record::denied::{self, RefusedSoFar};
use crate::record::recovery;
use crate::remote_check;
use crate::revocation;
use crate::rooms::Rooms;
use crate::sandbox::Sandboxes;
use crate::settings::{NetworkSettings, RepositorySettings, Settings};
use crate::tracker::Tracker;
use crate::tracker::heartbeat::heartbeat;
use crate::tracker::lease_thread::LeaseThread;
use crate::tracker::poll::{Contact, poll};
use crate::tracker::progress::Couriers;
use crate::view::Notice;

/// Inputs that may wait for the engine.
const INBOX: usize = 1024;

/// Notices a slow screen may be behind.
const NOTICES: usize = 1024;

/// How long an ending host goes on answering those who have asked.
const LAST_ANSWERS: Millis = Millis::seconds(1);

/// A running host.
pub struct Host {
    rooms: Arc<Rooms>,
    core: JoinHandle<Result<Summary, JournalError>>,
    hands: JoinHandle<Result<(), JournalError>>,
    poll: JoinHandle<Result<(), Problem>>,
    heartbeat: JoinHandle<()>,
    control: JoinHandle<()>,
    copying: JoinHandle<()>,
    follow_up: JoinHandle<()>,
    revocation: JoinHandle<Result<(), Withdrawn>>,
    denied: JoinHandle<()>,
    /// What was told since the start, for the first who asks.
    unheard: Option<broadcast::Receiver<Notice>>,
    socket: PathBuf,
    _leases: LeaseThread,
    _lock: StateLock,
}

/// What a host looks like to somebody who starts it.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Name of the tracker.
    pub tracker: String,
    /// Coding CLIs.
    pub providers: Vec<crate::view::ProviderView>,
    /// Repositories: key, checkout, condition; plain folders have none.
    pub repositories: Vec<(String, PathBuf, Option<hostler_workspaces::Condition>)>,
    /// In force.
    pub policy: Policy,
    /// What should be known about the signatures of plugins, one sentence each.
    pub doubts: Vec<String>,
}

impl Host {
    /// Sets everything up and starts. What an earlier host left undone is taken up
    /// again first.
    pub async fn start(settings: Settings) -> Result<(Self, Ready), Failure> {
        make_folders(&settings.home)?;
        let lock = StateLock::take(&settings.home)?;
        let home = settings.home.clone();
        let (organisation, policies) = organisation(&settings)?;
        let runtime = runtime(&home)?;
        let tracker = load_tracker(&runtime, &settings, &organisation).await?;
        let installed = load_providers(&runtime, &settings, &organisation).await?;
        let doubts = installed.iter().chain([&tracker]).filter_map(|one| one.doubt.clone()).collect();
        let admitted = audited::admitted(installed.iter().chain([&tracker]));
        let builds =
            Builds::keep(&home, runtime, Arc::clone(&organisation), installed.iter().chain([&tracker]))?;
        let providers = detect(installed, &settings, &organisation).await?;
        let conceal = conceal(&tracker, &providers, &settings)?;
        let places = open_places(&settings).await?;
        may_work_in(&places, &organisation, &home, &tracker)?;
        remote_check::every_place_has_one(&tracker, &places)?;
        let operators = granted_policy(&settings, &tracker, &providers, &places);
        let policy = organisation::cut(&operators, &policies);
        let mut ready = ready(doubts, &tracker, &providers, &settings, &places, &policy)?;
        let recovery::Found { journal, engine, last, audit } = open_journal(&home).await?;
        let clock = Clock::start(last);
        let (notices, unheard) = broadcast::channel(NOTICES);
        let audit = begin_audit(&home, &clock, &conceal, &notices, audit).await?;
        audit.host_started(&ready, settings.containment, audited::policies(&policies), admitted).await?;
        let network = network(&settings.network, &clock, &organisation);
        let agents = agents(&settings.shim);
        let sandboxes = sandboxes(&settings, &agents, &network).await?;
        let judge = Arc::clone(&tracker.plugin);
        let leases = lease_thread()?;
        let connection = connect(&tracker, &settings, &network, &clock, &leases).await?;
        let (listener, started) = (control::listen(&home)?, clock.now().0);
        let (inbox, messages) = mpsc::channel(INBOX);
        let (telling, situation) = watch::channel(Situation::default());
        let rooms = Arc::new(Rooms {
            clock,
            tracker: connection,
            judge,
            judge_config: tracker.config,
            builds: Arc::new(builds),
            providers: providers.into_iter().map(|one| (one.view.name.clone(), Arc::new(one))).collect(),
            places,
            forges: Forges::new(&settings.forges, network, Handle::current()),
            cancel: Cancel::new(),
            agents,
            containment: settings.containment,
            isolation: settings.isolation,
            sandboxes,
            plain_environment: plain_environment(&settings),
            notices,
            inbox,
            situation: situation.clone(),
            attempts: Attempts::default(),
            couriers: Couriers::default(),
            conceal,
            environments: environments(&tracker.rights),
            organisation,
            ceiling: CeilingNotice::new(policy.permission_ceiling),
            audit,
            refused_so_far: RefusedSoFar::default(),
            home: home.clone(),
        });
        let (mut core, hands) = Core::new(engine, journal, Arc::clone(&rooms), telling, settings.once);
        let hands = tokio::spawn(hands);
        core.apply(configured(&rooms, &policy)).await?;
        core.apply(Input::Restarted).await?;
        let advised = register(&rooms, &settings, &policy).await?;
        let operators = with_advice(operators, advised);
        let policy = organisation::cut(&operators, &policies);
        if policy != ready.policy {
            core.apply(configured(&rooms, &policy)).await?;
            ready.policy = policy.clone();
        }
        let (contact, watched) = watch::channel(Contact::default());
        let desk = Desk {
            rooms: Arc::clone(&rooms),
            situation: situation.clone(),
            contact: watched,
            started,
            slots: policy.slots,
            test_clock: settings.test_clock,
        };
        let host = Self {
            unheard: Some(unheard),
            core: tokio::spawn(core.work(messages)),
            hands,
            poll: tokio::spawn(poll(Arc::clone(&rooms), situation.clone(), contact, settings.once)),
            heartbeat: leases.handle().spawn(heartbeat(Arc::clone(&rooms), situation)),
            control: tokio::spawn(control::serve(listener, desk)),
            copying: tokio::spawn(copy_now_and_then(Arc::clone(&rooms))),
            follow_up: tokio::spawn(follow_up::watch(Arc::clone(&rooms), policy.follow_up)),
            revocation: tokio::spawn(revocation::watch(Arc::clone(&rooms), operators, policies)),
            denied: tokio::spawn(denied::note_now_and_then(Arc::clone(&rooms))),
            socket: home.socket(),
            rooms,
            _leases: leases,
            _lock: lock,
        };
        Ok((host, ready))
    }

    /// What happens, for a screen; the first who asks hears it from the start on. A
    /// reader that is too slow misses some.
    pub fn notices(&mut self) -> broadcast::Receiver<Notice> {
        self.unheard.take().unwrap_or_else(|| self.rooms.notices.subscribe())
    }

    /// What the tracker plugin was seen to need, also after the end; see
    /// [`HostView::observed`](crate::view::HostView::observed).
    pub fn observer(&self) -> impl Fn() -> Option<String> + use<> {
        let rooms = Arc::clone(&self.rooms);
        move || rooms.observed()
    }

    /// A way to stop this host from elsewhere.
    pub fn stopper(&self) -> Stopper {
        Stopper { inbox: self.rooms.inbox.clone() }
    }

    /// Waits until the host has nothing left to do, or cannot go on.
    pub async fn finished(mut self) -> Result<Summary, Failure> {
        let ended = self.wait().await;
        // Whatever still waits for a remote is asked for again at the next start.
        self.rooms.cancel.cancel();
        self.poll.abort();
        self.heartbeat.abort();
        self.copying.abort();
        self.follow_up.abort();
        self.revocation.abort();
        self.denied.abort();
        // Whoever asked for the end is told that it comes; who keeps a line open is not
        // waited for.
        let _ = tokio::time::timeout(LAST_ANSWERS.duration(), &mut self.control).await;
        // A socket that stays is replaced at the next start.
        let _ = std::fs::remove_file(&self.socket);
        denied::note(&self.rooms).await;
        self.rooms.audit.host_stopped(ended.as_ref().err()).await;
        if ended.is_ok() {
            copy(&self.rooms.home).await;
        }
        ended
    }

    async fn wait(&mut self) -> Result<Summary, Failure> {
        let (mut written, mut polled, mut watched, mut refused) = (false, false, false, None);
        let tracker = self.rooms.tracker.name().to_owned();
        let summary = loop {
            tokio::select! {
                summary = &mut self.core => break joined(summary)??,
                result = &mut self.hands, if !written => {
                    joined(result)??;
                    written = true;
                }
                result = &mut self.poll, if !polled => {
                    polled = true;
                    if let Err(problem) = joined(result)? {
                        refused = Some(Failure::Tracker { tracker: tracker.clone(), problem });
                        self.rooms.tell(Input::Drain).await;
                    }
                }
                result = &mut self.revocation, if !watched => {
                    watched = true;
                    if let Err(why) = joined(result)? {
                        refused = Some(Failure::Withdrawn(why));
                        self.rooms.tell(Input::StopNow).await;
                    }
                }
            }
        };
        if !written {
            // Nothing is over before it is written down.
            joined((&mut self.hands).await)??;
        }
        refused.map_or(Ok(summary), Err)
    }
}

/// Stops a host.
#[derive(Clone)]
pub struct Stopper {
    inbox: mpsc::Sender<Message>,
}

impl Stopper {
    /// Takes no new work; what runs may finish.
    pub async fn drain(&self) {
        // A host that has ended needs no stopping.
        let _ = self.inbox.send(Message::Input(Box::new(Input::Drain))).await;
    }

    /// Ends the host and leaves the agents at work: the next host takes them up again.
    pub async fn detach(&self) {
        // A host that has ended needs no stopping.
        let _ = self.inbox.send(Message::Detach(None)).await;
    }

    /// Ends what runs; it goes on at the next start.
    pub async fn stop_now(&self) {
        // A host that has ended needs no stopping.
        let _ = self.inbox.send(Message::Input(Box::new(Input::StopNow))).await;
    }
}

fn joined<T>(result: Result<T, JoinError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Internal(error.to_string()))
}

pub(crate) fn agents(shim: &[PathBuf]) -> Agents {
    let mut words = shim.iter().cloned();
    let program = words.next().unwrap_or_default();
    Agents::new(program, words.map(PathBuf::into_os_string).collect())
}

/// The network of all gates; pauses on it end by the host's clock, and the organisation
/// is asked about every request.
fn network(settings: &NetworkSettings, clock: &Clock, organisation: &Arc<Organisation>) -> Network {
    let (clock, organisation) = (clock.clone(), Arc::clone(organisation));
    let traffic = Arc::new(Traffic::new(move || clock.now()));
    Network { traffic, ceiling: organisation, ..settings.network() }
}

/// What this system can do to wall agents in, and what is open to them.
async fn sandboxes(settings: &Settings, agents: &Agents, network: &Network) -> Result<Sandboxes, Failure> {
    let possible = match settings.sandbox.wish {
        Wish::Exactly(Tier::None) => Tier::None,
        _ => agents.probe(&settings.home.state).await.possible,
    };
    let egress = Egress::new(network, EgressLimits::default());
    Ok(Sandboxes {
        settings: settings.sandbox.clone(),
        possible,
        home: settings.environment.get("HOME").map(PathBuf::from),
        egress: egress.map_err(|error| Failure::Setting(error.to_string()))?,
    })
}

/// The connection to the tracker, on the leases' thread.
async fn connect(
    tracker: &Installed,
    settings: &Settings,
    network: &Network,
    clock: &Clock,
    leases: &LeaseThread,
) -> Result<Tracker, Failure> {
    let Installed { rights, fields, secrets, .. } = tracker;
    let mode = if settings.network.observe { Mode::Observe } else { Mode::Enforce };
    let network = Network { mode, ..network.clone() };
    let gate = Gate::through(&network, rights, fields, secrets, &settings.base, GateLimits::default())?;
    let (plugin, permit) = (Arc::clone(&tracker.plugin), tracker.permit.clone());
    let memory = settings.home.memory_of(plugin.id());
    Tracker::open(plugin, tracker.config.clone(), gate, permit, clock.clone(), memory, leases.handle()).await
}

fn configured(rooms: &Rooms, policy: &Policy) -> Input {
    Input::Configured { policy: policy.clone(), trackers: vec![rooms.tracker.name().to_owned()] }
}

async fn open_journal(home: &Home) -> Result<recovery::Found, Failure> {
    let path = home.journal();
    crate::blocking::run(move || recovery::open(&path)).await?
}

fn lease_thread() -> Result<LeaseThread, Failure> {
    LeaseThread::start().map_err(|error| Failure::Internal(format!("no thread for the leases: {error}")))
}

fn make_folders(home: &Home) -> Result<(), Failure> {
    let folders = [&home.state, &home.config];
    folders.into_iter().try_for_each(|folder| make_private(folder).map_err(Failure::folder(folder)))
}

/// The organisation's policies, if they let a host start as it is set up.
fn organisation(settings: &Settings) -> Result<(Arc<Organisation>, Arc<Policies>), Failure> {
    let (organisation, policies) = Organisation::in_force(settings.organisation.clone())?;
    if settings.network.observe {
        let what = || "requests beyond a plugin's grant, merely observed".to_owned();
        organisation::allowed(&policies.observing(), what)?;
    }
    Ok((organisation, policies))
}

/// The audit log of this host; `known` is what the journal knows of it.
async fn begin_audit(
    home: &Home,
    clock: &Clock,
    conceal: &Conceal,
    notices: &broadcast::Sender<Notice>,
    known: Option<Head>,
) -> Result<Audited, Failure> {
    let (log, clock) = (audit::log(home), clock.clone());
    let (redaction, notices) = (conceal.redaction(), notices.clone());
    crate::blocking::run(move || Audited::begin(log, clock, redaction, notices, known)).await?
}

fn ready(
    doubts: Vec<String>,
    tracker: &Installed,
    providers: &[Provider],
    settings: &Settings,
    places: &BTreeMap<String, Place>,
    policy: &Policy,
) -> Result<Ready, Failure> {
    let mut repositories = Vec::new();
    for RepositorySettings { key, .. } in &settings.repositories {
        match places.get(key) {
            Some(Place::Git(repository)) => {
                let condition = Some(repository.condition()?);
                repositories.push((key.clone(), repository.checkout().to_owned(), condition));
            }
            Some(Place::Folder(path)) => repositories.push((key.clone(), path.clone(), None)),
            None => {}
        }
    }
    Ok(Ready {
        tracker: tracker.plugin.id().to_owned(),
        providers: providers.iter().map(|provider| provider.view.clone()).collect(),
        repositories,
        policy: policy.clone(),
        doubts: doubts.into_iter().chain(providers.iter().filter_map(Provider::withheld)).collect(),
    })
}

/// Tells the tracker who we are. Only a refused credential keeps a host from
/// starting; anything else may pass. Gives how many runs at once the tracker advises.
async fn register(rooms: &Rooms, settings: &Settings, policy: &Policy) -> Result<Option<u32>, Failure> {
    let runner = Runner {
        id: host_id(&rooms.home)?,
        name: settings.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        providers: rooms.providers.values().map(|provider| provider.info()).collect(),
        repositories: policy.repositories.clone(),
        slots: policy.slots,
    };
    let answered = rooms.tracker.operate(Operation::Register(runner)).await;
    match answered.result {
        Err(problem) if matches!(problem.kind, ProblemKind::Auth | ProblemKind::Permanent) => {
            Err(Failure::Tracker { tracker: rooms.tracker.name().to_owned(), problem })
        }
        Err(problem) => {
            tracing::warn!(tracker = rooms.tracker.name(), "register: {problem}");
            Ok(None)
        }
        Ok(()) => Ok(answered.slots),
    }
}

/// The same for ever on one state folder.
fn host_id(home: &Home) -> Result<String, Failure> {
    let path = home.host_id();
    match std::fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
        _ => {
            let id = format!("host_{}", uuid::Uuid::new_v4());
            crate::files::replace(&path, id.as_bytes()).map_err(Failure::folder(&path))?;
            Ok(id)
        }
    }
}
