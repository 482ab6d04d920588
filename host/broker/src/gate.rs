//! The gate: effect in, reply or problem out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{FileReply, FileRequest, HttpRequest, HttpResponse, PluginEffect, PluginReply};
use hostler_engine::rights::Rights;
use tokio::sync::Semaphore;

use crate::denial::{Counter, Denial, Denials, Refusal, quoted};
use crate::files::Directories;
use crate::grant::{GateError, HttpGrant};
use crate::http::{Admitted, Scrubber, Sender, admit, too_slow};
use crate::limits::Limits;
use crate::secret::Secrets;

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
    denials: Counter,
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
        let grant = HttpGrant::resolve(rights, config, secrets)?;
        Ok(Self {
            directories: Directories::open(&rights.files, config, base)?,
            sender: Sender::new()?,
            scrubber: Scrubber::new(&grant),
            limits,
            turns: Arc::new(Semaphore::new(limits.at_once)),
            denials: Counter::default(),
            grant,
        })
    }

    /// Checks an effect against the grant and carries it out.
    ///
    /// Needs a tokio runtime with time and I/O. Dropping the future ends a
    /// request; work on files that has begun is finished all the same.
    pub async fn carry_out(&self, effect: PluginEffect) -> Result<PluginReply, Problem> {
        let carried_out = match effect {
            PluginEffect::Http(request) => self.http(request).await.map(PluginReply::Http),
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

    /// What was refused so far because no right covered it.
    pub fn denials(&self) -> Denials {
        self.denials.snapshot()
    }

    async fn http(&self, request: HttpRequest) -> Result<HttpResponse, Refusal> {
        let admitted = admit(request, &self.grant, &self.limits)?;
        let (origin, allowed) = (admitted.origin.clone(), admitted.timeout);
        match tokio::time::timeout(allowed.duration(), self.send(admitted)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(too_slow(&origin, allowed).into()),
        }
    }

    async fn send(&self, admitted: Admitted<'_>) -> Result<HttpResponse, Problem> {
        let _turn = self.turns.acquire().await.map_err(|_| closing())?;
        self.sender.send(admitted, &self.scrubber, &self.limits).await
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
