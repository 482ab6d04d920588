//! Sends an admitted request and gives its credential to it at the last moment.

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::HttpResponse;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, redirect};

use super::admit::Admitted;
use super::answer;
use super::failure;
use super::scrub::Scrubber;
use crate::grant::{Credential, GateError};
use crate::limits::{CONNECT_WITHIN, HEADERS, Limits};

/// How the host names itself where the plugin does not.
const USER_AGENT: &str = concat!("hostler/", env!("CARGO_PKG_VERSION"));

/// The one place HTTP leaves through. One per gate, so that two plugins never
/// share a connection.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
}

impl Sender {
    /// Everything that a client would do by itself is switched off by name: the
    /// defaults change with the features that other crates ask for.
    ///
    /// A rule on resolved addresses belongs here, as `dns_resolver`; addresses
    /// written as numbers never reach a resolver and belong to `admit`.
    pub(crate) fn new() -> Result<Self, GateError> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_WITHIN.duration())
            // Twice ours: a little too many is our sentence, not the parser's.
            .http1_max_headers(2 * HEADERS)
            .build()
            .map_err(|error| GateError::Client(failure::innermost(&error)))?;
        Ok(Self { client })
    }

    /// Sends it and reads the answer.
    pub(crate) async fn send(
        &self,
        admitted: Admitted<'_>,
        scrubber: &Scrubber,
        limits: &Limits,
    ) -> Result<HttpResponse, Problem> {
        let Admitted { method, url, origin, mut headers, body, credential, .. } = admitted;
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(credential) = credential {
            inject(credential, &mut headers)?;
        }
        let (path, sent) = (url.path().to_owned(), body.len());
        let mut request = self.client.request(method.clone(), url).headers(headers);
        if sent > 0 {
            request = request.body(body);
        }
        let response = request.send().await.map_err(|error| failure::problem(&error, &origin))?;
        let answer = answer::read(response, &origin, scrubber, limits).await?;
        let (status, received) = (answer.status, answer.body.len());
        tracing::debug!(%method, %origin, path, status, sent, received, "request sent");
        Ok(answer)
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
