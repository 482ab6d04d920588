//! The one gate for what plugins do to the world: HTTP requests and file work; and the
//! one way out of an agent that is contained ([`egress`]).
//!
//! A plugin describes an effect as data; [`Gate::carry_out`] checks it against
//! what the operator granted, at the moment of use, and only then acts. A
//! credential is added after the plugin has lost sight of the request, and only
//! towards the origin it is meant for.
//!
//! It never reads a manifest, never follows a redirect, never keeps a cookie,
//! never opens a path outside a granted directory, and never logs a body, a
//! header's value or a secret. What is refused is a value
//! ([`ProblemKind::Denied`](hostler_engine::problem::ProblemKind::Denied)) and
//! is counted in [`Denials`].
//!
//! Main types: [`Gate`] (one per configured plugin), [`Network`] (how the host
//! reaches the world, and what its gates know together), [`Secrets`] (the values
//! behind the granted handles), [`Limits`], [`Denials`].

mod denial;
pub mod egress;
mod files;
mod gate;
mod grant;
mod http;
mod limits;
mod network;
mod observe;
mod secret;
mod traffic;

pub use denial::{Denials, Refused};
pub use gate::Gate;
pub use grant::GateError;
pub use http::{REMEMBERED, REMEMBERED_BYTES};
pub use limits::{
    CONNECT_WITHIN, DEFAULT_TIMEOUT, EFFECTS_AT_ONCE, FILE_BYTES, HEADER_BYTES, HEADERS, LEASES_AT_ONCE,
    LIST_ENTRIES, LOCK_WITHIN, LONGEST_TIMEOUT, Limits, REQUEST_BODY_BYTES, RESPONSE_BODY_BYTES, URL_BYTES,
};
pub use network::{
    Ceiling, Inside, Mode, Network, NoCeiling, Proxy, ProxyError, Resolver, Resolving, SystemResolver,
};
pub use observe::OBSERVED_PATHS;
pub use secret::{Secret, Secrets};
pub use traffic::{
    BURST, FAILURES_IN_A_ROW, LEFT_ALONE, LONGEST_PAUSE, ORIGINS, REQUESTS_PER_SECOND, RESERVED, Traffic,
    Urgency, WAIT_FOR_TURN,
};
