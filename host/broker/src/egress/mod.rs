//! The only way out of a contained agent: an HTTP proxy on a listener that stands in the
//! agent's own network, which has nothing else to connect to.
//!
//! It opens tunnels (`CONNECT`) and sends requests in the clear to what the rules name,
//! at addresses that were checked just before; and it passes requests to models on with
//! a key that the agent never has. What cannot be read in one way only is refused.

mod activity;
mod asked;
mod body;
mod connection;
mod denial;
mod dial;
mod headers;
mod limits;
mod model;
mod passage;
mod plain;
mod redacted;
mod rules;
mod tunnel;
mod understood;

use std::io;
use std::sync::Arc;

use reqwest::Certificate;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use limits::{
    AGENT_CONNECTIONS, AGENT_HEAD_BYTES, AGENT_HEAD_WITHIN, AGENT_HEADERS, AGENT_IDLE, EgressLimits,
};
pub use passage::{Passage, Passed, Way};
pub use rules::{Allowed, EgressRules, ModelRoute, ModelRouteError};
#[doc(hidden)]
pub use understood::{Understood, understood};

use crate::grant::GateError;
use crate::http::certificates;
use crate::network::Network;
use connection::Door;
use model::Models;

/// Why an agent's way out cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The network's settings cannot be used.
    #[error(transparent)]
    Network(#[from] GateError),
    /// A route to a model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelRouteError),
    /// The listener is none that can be served.
    #[error("the listener in the agent's network cannot be served: {0}")]
    Listener(#[from] io::Error),
}

/// Opens ways out, for one agent each.
#[derive(Clone, Debug)]
pub struct Egress {
    network: Network,
    certificates: Vec<Certificate>,
    limits: EgressLimits,
}

impl Egress {
    /// Ways out by the host's network settings.
    pub fn new(network: &Network, limits: EgressLimits) -> Result<Self, EgressError> {
        Ok(Self { network: network.clone(), certificates: certificates(network)?, limits })
    }

    /// Serves what connects to `listener` by `rules`, until the returned guard is
    /// dropped. Each thing that was asked for is told to `notes` once, when it is over.
    ///
    /// Needs a tokio runtime with time and I/O, which it is called in.
    pub fn serve(
        &self,
        listener: std::net::TcpListener,
        rules: Arc<EgressRules>,
        notes: impl Fn(Passage) + Send + Sync + 'static,
    ) -> Result<Open, EgressError> {
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let models = Models::new(&rules, &self.network, &self.certificates)?;
        let Self { network, limits, .. } = self.clone();
        let door = Door { rules, network, models, notes: Arc::new(notes), limits, port };
        let mut serving = JoinSet::new();
        serving.spawn(connection::serve(TcpListener::from_std(listener)?, Arc::new(door)));
        Ok(Open { _serving: serving })
    }
}

/// An open way out. When it is dropped, the listener is closed and every connection ends.
#[derive(Debug)]
#[must_use = "the way out closes when this is dropped"]
pub struct Open {
    _serving: JoinSet<()>,
}
