//! One agent's connections: so many at once, each served until it ends or idles.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::activity::{Activity, Watched};
use super::asked::{self, Asked};
use super::body::{Answer, established, sentence};
use super::denial::Refusal;
use super::dial;
use super::limits::EgressLimits;
use super::model::Models;
use super::passage::{Notes, Underway, Way};
use super::plain;
use super::rules::{EgressRules, ModelRoute};
use super::tunnel::Tunnel;
use crate::denial::quoted;
use crate::network::Network;

/// Time before a connection is accepted again where the system had nothing left for one.
const SYSTEM_BUSY: Duration = Duration::from_millis(100);

/// All that the connections of one agent are served by.
pub(super) struct Door {
    pub(super) rules: Arc<EgressRules>,
    pub(super) network: Network,
    pub(super) models: Models,
    pub(super) notes: Notes,
    pub(super) limits: EgressLimits,
    /// Where the agent finds the listener.
    pub(super) port: u16,
}

/// The tunnel that a connection becomes when its answer is out.
type Next = Arc<Mutex<Option<Tunnel>>>;

/// Serves connections until it is dropped, and they end with it.
pub(super) async fn serve(listener: TcpListener, door: Arc<Door>) {
    let turns = Arc::new(Semaphore::new(door.limits.connections));
    let mut open = JoinSet::new();
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let door = Arc::clone(&door);
                open.spawn(async move {
                    door.converse(stream).await;
                    drop(turn);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of an agent could not be accepted");
                tokio::time::sleep(SYSTEM_BUSY).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
}

/// Reads what agents send.
pub(super) fn reader(limits: &EgressLimits) -> http1::Builder {
    let mut reader = http1::Builder::new();
    reader
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within.duration())
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.buffer())
        .max_headers(limits.headers);
    reader
}

impl Door {
    async fn converse(self: Arc<Self>, stream: TcpStream) {
        let activity = Activity::now();
        let stream = TokioIo::new(Watched { stream, activity: activity.clone() });
        let next = Next::default();
        let service = service_fn(|request| Arc::clone(&self).answer(request, Arc::clone(&next)));
        let conversation = async {
            let served = reader(&self.limits).serve_connection(stream, service).with_upgrades().await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection of an agent broke off");
            }
            let tunnel = next.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(tunnel) = tunnel {
                tunnel.carry().await;
            }
        };
        tokio::select! {
            () = conversation => {}
            () = activity.ceases(self.limits.idle.duration()) => {
                tracing::debug!("a connection of an agent idled too long");
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, next: Next) -> Result<Answer, Infallible> {
        let (parts, body) = request.into_parts();
        let asked = asked::read(&parts, self.port);
        let (way, to) = match &asked {
            Ok(Asked::Tunnel(to)) => (Way::Tunnel, Some(to.clone())),
            Ok(Asked::Plain(to)) => (Way::Plain, Some(to.clone())),
            Ok(Asked::Model { name, .. }) => {
                let route = self.rules.model(name).ok();
                (Way::Model(quoted(name)), route.and_then(ModelRoute::endpoint))
            }
            Err(_) => (Way::Unclear, None),
        };
        let passage = Underway::begin(&self.notes, way, to);
        let request = Request::from_parts(parts, body);
        let answer = match asked {
            Ok(asked) => self.carry_out(asked, request, &passage, &next).await,
            Err(denial) => Err(denial.into()),
        };
        Ok(answer.unwrap_or_else(|refusal| {
            let status = match &refusal {
                Refusal::Denied(denial) => denial.status(),
                Refusal::Failed(_) => StatusCode::BAD_GATEWAY,
            };
            sentence(status, &passage.refused(&refusal))
        }))
    }

    async fn carry_out(
        &self,
        asked: Asked,
        mut request: Request<Incoming>,
        passage: &Arc<Underway>,
        next: &Next,
    ) -> Result<Answer, Refusal> {
        match asked {
            Asked::Tunnel(to) => {
                let permit = self.rules.admit(&to)?;
                let server = dial::tunnel(&self.network, &permit).await?;
                passage.allowed(&permit.by);
                let agent = hyper::upgrade::on(&mut request);
                let tunnel = Tunnel { agent, server, passage: Arc::clone(passage) };
                *next.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
                Ok(established())
            }
            Asked::Plain(to) => {
                let permit = self.rules.admit(&to)?;
                plain::send(&self.network, &self.limits, &permit, request, passage).await
            }
            Asked::Model { name, path } => {
                let route = self.rules.model(&name)?;
                self.models.send(route, &path, request, passage).await
            }
        }
    }
}
