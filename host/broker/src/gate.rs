//! The gate: effect in, reply or problem out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{FileReply, FileRequest, HttpRequest, HttpResponse, PluginEffect, PluginReply};
use hostler_engine::rights::{Origin, Rights};
use tokio::sync::Semaphore;

use crate::denial::{Counter, Denial, Denials, Refusal, quoted};
use crate::files::Directories;
use crate::grant::{GateError, HttpGrant};
use crate::http::{Admitted, Bounds, Scrubber, Sender, admit, too_slow};
use crate::limits::{LEASES_AT_ONCE, Limits};
use crate::network::{Ceiling, Mode, Network};
use crate::observe::{self, Observed};
use crate::secret::Secrets;
use crate::traffic::Urgency;

/// Carries out the effects of one configured plugin, as far as its grant goes.
///
/// Make it anew when the grant, the configuration or a secret changes: what they
/// name is resolved once, and granted directories stay open.
#[derive(Debug)]
pub struct Gate {
    grant: HttpGrant,
    directories: Directories,
    sender: Sender,
    scrubber: Scrubber,
    limits: Limits,
    turns: Arc<Semaphore>,
    lease_turns: Semaphore,
    denials: Arc<Counter>,
    observed: Option<Arc<Observed>>,
    ceiling: Arc<dyn Ceiling>,
}

impl Gate {
    /// A gate for what `rights` (the operator's grant, never the manifest)
    /// allow. `config` holds the plugin's configuration without secrets;
    /// relative directories in it are below `base`. A secret without a value is
    /// a problem only when it is used.
    pub fn new(
        rights: &Rights,
        config: &BTreeMap<String, String>,
        secrets: &Secrets,
        base: &Path,
        limits: Limits,
    ) -> Result<Self, GateError> {
        Self::through(&Network::default(), rights, config, secrets, base, limits)
    }

    /// The same on a network with settings of its own, which all gates of a host share.
    pub fn through(
        network: &Network,
        rights: &Rights,
        config: &BTreeMap<String, String>,
        secrets: &Secrets,
        base: &Path,
        limits: Limits,
    ) -> Result<Self, GateError> {
        let grant = HttpGrant::resolve(rights, config, secrets)?;
        let denials = Arc::new(Counter::default());
        let observed = match network.mode {
            Mode::Enforce => None,
            Mode::Observe => Some(Arc::new(Observed::new(Arc::clone(&denials)))),
        };
        Ok(Self {
            directories: Directories::open(&rights.files, config, base)?,
            sender: Sender::new(&grant, network, observed.clone())?,
            scrubber: Scrubber::new(&grant),
            limits,
            turns: Arc::new(Semaphore::new(limits.at_once)),
            lease_turns: Semaphore::new(LEASES_AT_ONCE),
            denials,
            observed,
            ceiling: Arc::clone(&network.ceiling),
            grant,
        })
    }

    /// Checks an effect against the grant and carries it out.
    ///
    /// Needs a tokio runtime with time and I/O. Dropping the future ends a
    /// request; work on files that has begun is finished all the same.
    pub async fn carry_out(&self, effect: PluginEffect) -> Result<PluginReply, Problem> {
        self.carry_out_with(effect, Urgency::Ordinary).await
    }

    /// The same for an effect that matters more or less when an origin gets many.
    pub async fn carry_out_with(
        &self,
        effect: PluginEffect,
        urgency: Urgency,
    ) -> Result<PluginReply, Problem> {
        let carried_out = match effect {
            PluginEffect::Http(request) => self.http(request, urgency).await.map(PluginReply::Http),
            PluginEffect::File(request) => self.file(request).await.map(PluginReply::File),
            PluginEffect::Socket { .. } | PluginEffect::Send { .. } => Err(Denial::Socket.into()),
            PluginEffect::Wake(after) => {
                tokio::time::sleep(after.duration()).await;
                Ok(PluginReply::Done)
            }
            PluginEffect::Other { name, .. } => Err(unknown(&name).into()),
        };
        carried_out.map_err(|refusal| self.denials.note(refusal))
    }

    /// Refuses and counts an effect whatever its right, because the leave to use the plugin
    /// itself is gone: `why`, in a sentence.
    pub fn refuse(&self, effect: &PluginEffect, why: &impl ToString) -> Problem {
        let effect = match effect {
            PluginEffect::Http(_) => "http-withdrawn",
            PluginEffect::File(_) => "file-withdrawn",
            PluginEffect::Socket { .. } | PluginEffect::Send { .. } => "socket-withdrawn",
            PluginEffect::Wake(_) => "wake-withdrawn",
            PluginEffect::Other { .. } => "other-withdrawn",
        };
        self.denials.note(Denial::Withdrawn { effect, why: why.to_string() }.into())
    }

    /// The address to which a request would be sent now, in the form in which it was
    /// matched. Sends nothing and counts nothing.
    pub fn destination(&self, request: HttpRequest) -> Result<String, Problem> {
        match admit(request, &self.grant, &self.limits, Mode::Enforce) {
            Ok(admitted) => Ok(admitted.url.into()),
            Err(Refusal::Problem(problem)) => Err(problem),
            Err(Refusal::Denied(denial)) => Err(Problem::new(ProblemKind::Denied, denial.to_string())),
        }
    }

    /// What was refused so far because no right covered it.
    pub fn denials(&self) -> Denials {
        self.denials.snapshot()
    }

    /// The `[[http]]` part of the smallest grant that would have sufficed for all that
    /// was sent so far, as TOML; `None` unless this gate observes.
    pub fn smallest_grant(&self) -> Option<String> {
        self.observed.as_ref().map(|observed| observe::toml(&observed.smallest_grant()))
    }

    async fn http(&self, request: HttpRequest, urgency: Urgency) -> Result<HttpResponse, Refusal> {
        let mode = if self.observed.is_some() { Mode::Observe } else { Mode::Enforce };
        let admitted = admit(request, &self.grant, &self.limits, mode)?;
        self.check_ceiling(&admitted.origin)?;
        self.observe(&admitted)?;
        let (origin, allowed) = (admitted.origin.clone(), admitted.timeout);
        match tokio::time::timeout(allowed.duration(), self.send(admitted, urgency)).await {
            Ok(answer) => answer,
            Err(_) => Err(too_slow(&origin, allowed).into()),
        }
    }

    /// Observing forgives nothing here: a grant could not help, either.
    fn check_ceiling(&self, origin: &Origin) -> Result<(), Denial> {
        let denied = |by| Denial::Ceiling { origin: origin.to_string(), by };
        self.ceiling.admits(origin).map_err(denied)
    }

    /// Remembers what is about to be sent, if this gate observes.
    fn observe(&self, admitted: &Admitted<'_>) -> Result<(), Denial> {
        let Some(observed) = &self.observed else { return Ok(()) };
        let Admitted { origin, url, method, missing, .. } = admitted;
        let room = observed.request(origin, url.path(), method.as_str());
        match missing {
            Some(denial) if !room => return Err(denial.clone()),
            Some(denial) => observed.let_pass(denial),
            None => {}
        }
        Ok(())
    }

    async fn send(&self, admitted: Admitted<'_>, urgency: Urgency) -> Result<HttpResponse, Refusal> {
        let turns = match urgency {
            Urgency::Ordinary => &*self.turns,
            Urgency::Lease => &self.lease_turns,
        };
        let _turn = turns.acquire().await.map_err(|_| closing())?;
        let Self { grant, scrubber, limits, .. } = self;
        self.sender.send(admitted, Bounds { grant, scrubber, limits, urgency }).await
    }

    async fn file(&self, request: FileRequest) -> Result<FileReply, Refusal> {
        let directory = self.directories.granted(&request)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| closing())?;
        let limits = self.limits;
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            directory.carry_out(request, &limits)
        });
        work.await.map_err(|_| closing())?
    }
}

fn unknown(name: &str) -> Problem {
    let message =
        format!("this version of Hostler does not know the effect `{}`: update Hostler", quoted(name));
    Problem::new(ProblemKind::Unsupported, message)
}

fn closing() -> Problem {
    Problem::transient("the host is stopping: try again when it is back")
}
