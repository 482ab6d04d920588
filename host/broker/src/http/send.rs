//! Sends an admitted request and gives its credential to it at the last moment.

use std::sync::Arc;

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::HttpResponse;
use hostler_engine::rights::Origin;
use reqwest::Client;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

use super::admit::Admitted;
use super::answer;
use super::clients::Clients;
use super::failure;
use super::memory::{Asked, Memory};
use super::scrub::Scrubber;
use crate::denial::{Denial, Refusal};
use crate::grant::{Credential, GateError, HttpGrant};
use crate::limits::Limits;
use crate::network::Network;
use crate::observe::Observed;
use crate::traffic::{Traffic, Urgency};

/// The one place HTTP leaves through; one per gate.
#[derive(Debug)]
pub(crate) struct Sender {
    clients: Clients,
    traffic: Arc<Traffic>,
    memory: Memory,
}

/// Which limits hold for a request and what is removed from its answer.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'g> {
    pub(crate) grant: &'g HttpGrant,
    pub(crate) scrubber: &'g Scrubber,
    pub(crate) limits: &'g Limits,
    pub(crate) urgency: Urgency,
}

impl Sender {
    /// Sends by what `network` says; where it only observes, addresses that no grant
    /// covers are noted in `observed`.
    pub(crate) fn new(
        grant: &HttpGrant,
        network: &Network,
        observed: Option<Arc<Observed>>,
    ) -> Result<Self, GateError> {
        let clients = Clients::new(grant, network, observed)?;
        Ok(Self { clients, traffic: Arc::clone(&network.traffic), memory: Memory::default() })
    }

    /// Sends it when its turn has come, and reads the answer.
    pub(crate) async fn send(
        &self,
        mut admitted: Admitted<'_>,
        bounds: Bounds<'_>,
    ) -> Result<HttpResponse, Refusal> {
        let client =
            self.clients.towards(&admitted.origin, bounds.grant).map_err(|error| unusable(&error))?;
        let asked = Asked::of(&admitted);
        let known = asked.as_ref().and_then(|asked| self.memory.recall(asked));
        if let Some(known) = &known {
            known.ask_for_changes(&mut admitted.headers);
        }
        complete(&mut admitted)?;
        let turn = self.traffic.enter(&admitted.origin, bounds.urgency).await?;
        let answer = match exchange(&client, admitted, bounds).await {
            Err(Refusal::Problem(problem)) => {
                turn.end(Err(&problem));
                return Err(problem.into());
            }
            answer => answer?,
        };
        turn.end(Ok(&answer));
        match (known, asked) {
            (Some(known), _) if answer.status == 304 => Ok(known.unchanged(answer)),
            (_, Some(asked)) => {
                self.memory.learn(asked, &answer);
                Ok(answer)
            }
            (_, None) => Ok(answer),
        }
    }
}

/// One request on the wire.
async fn exchange(
    client: &Client,
    admitted: Admitted<'_>,
    bounds: Bounds<'_>,
) -> Result<HttpResponse, Refusal> {
    let Admitted { method, url, origin, headers, body, .. } = admitted;
    let (path, sent) = (url.path().to_owned(), body.len());
    let mut request = client.request(method.clone(), url).headers(headers);
    if sent > 0 {
        request = request.body(body);
    }
    let response = request.send().await.map_err(|error| refusal(&error, &origin))?;
    let answer = answer::read(response, &origin, bounds.scrubber, bounds.limits).await?;
    let (status, received) = (answer.status, answer.body.len());
    tracing::debug!(%method, %origin, path, status, sent, received, "request sent");
    Ok(answer)
}

/// A denial comes out of the client as the cause of a connection that was not made.
fn refusal(error: &reqwest::Error, origin: &Origin) -> Refusal {
    match failure::causes(error).find_map(|cause| cause.downcast_ref::<Denial>()) {
        Some(denial) => denial.clone().into(),
        None => failure::problem(error, origin).into(),
    }
}

/// The headers that only the host sets.
fn complete(admitted: &mut Admitted<'_>) -> Result<(), Problem> {
    admitted.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    match admitted.credential {
        Some(credential) => inject(credential, &mut admitted.headers),
        None => Ok(()),
    }
}

/// Sets the credential's header.
fn inject(credential: &Credential, headers: &mut HeaderMap) -> Result<(), Problem> {
    let Credential { handle, field, header, form, value, .. } = credential;
    let Some(value) = value else {
        let message =
            format!("the credential `{handle}` has no value: set `{field}` in the plugin's configuration");
        return Err(Problem::new(ProblemKind::Auth, message));
    };
    let filled = form.replace("{}", value.reveal());
    let mut filled = HeaderValue::try_from(filled).map_err(|_| {
        let message = format!(
            "the value of `{field}` cannot be sent in a header: remove the line break or control character in it"
        );
        Problem::new(ProblemKind::Auth, message)
    })?;
    filled.set_sensitive(true);
    headers.insert(header, filled);
    Ok(())
}

/// Only an origin that is observed gets its client this late.
fn unusable(error: &GateError) -> Refusal {
    Problem::permanent(error.to_string()).into()
}
