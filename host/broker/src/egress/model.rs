//! Requests to models: the agent's stand-in for the key is exchanged for the key on the
//! way out, so the key is nowhere the agent could look.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostler_engine::redaction::Redaction;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, COOKIE, HeaderName, HeaderValue, SET_COOKIE,
};
use hyper::{HeaderMap, Request};
use reqwest::{Certificate, Client};
use url::Url;

use super::EgressError;
use super::body::{Answer, Counted, Direction};
use super::denial::{EgressDenial, Refusal};
use super::headers;
use super::passage::Underway;
use super::redacted::Redacted;
use super::rules::{EgressRules, Keyed, ModelRoute};
use crate::denial::Denial;
use crate::http::{causes, client, problem};
use crate::network::{Network, Reach};
use crate::secret::REMOVED;

/// What stands in place of a header that repeats the key.
const REPEATED: HeaderValue = HeaderValue::from_static(REMOVED);

/// Headers by which model APIs know their customers. Whatever an agent puts there stays
/// here: with a key of somebody else's it could carry its work off to his account.
const CREDENTIALS: [HeaderName; 5] = [
    AUTHORIZATION,
    COOKIE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// What the routes to models need besides their rules.
pub(super) struct Models(BTreeMap<String, Model>);

struct Model {
    client: Client,
    credential: HeaderValue,
    redaction: Redaction,
}

impl Models {
    /// A client for each route, so that no two share a connection.
    pub(super) fn new(
        rules: &EgressRules,
        network: &Network,
        certificates: &[Certificate],
    ) -> Result<Self, EgressError> {
        let model = |(route, Keyed { credential, redaction }): (&ModelRoute, Keyed)| {
            let reach = Reach::new(route.upstream.clone(), route.addresses.clone());
            let client = client(network, certificates, reach, None)?;
            Ok((route.name.clone(), Model { client, credential, redaction }))
        };
        rules.keyed_models()?.into_iter().map(model).collect::<Result<_, EgressError>>().map(Self)
    }

    /// Sends a request to the route's upstream and gives the answer as it begins.
    /// Redirects are the agent's to follow, by its rules.
    pub(super) async fn send(
        &self,
        route: &ModelRoute,
        path: &str,
        request: Request<Incoming>,
        passage: &Arc<Underway>,
    ) -> Result<Answer, Refusal> {
        let no_model = || EgressDenial::NoModel(route.name.clone());
        let model = self.0.get(&route.name).ok_or_else(no_model)?;
        if !route.carries_sentinel(request.headers().get_all(&route.header).iter()) {
            return Err(EgressDenial::Sentinel(route.name.clone()).into());
        }
        passage.allowed(&format!("the route to the model `{}`", route.name));
        let (mut parts, body) = request.into_parts();
        let url = url(route, path, parts.uri.query())?;
        headers::of_request(&mut parts.headers);
        for header in CREDENTIALS {
            parts.headers.remove(header);
        }
        parts.headers.insert(&route.header, model.credential.clone());
        // What is compressed could not be looked through.
        parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut onward = model.client.request(parts.method, url).headers(parts.headers);
        if !body.is_end_stream() {
            let body = Counted::new(body, Direction::Up, Arc::clone(passage));
            onward = onward.body(reqwest::Body::wrap(body));
        }
        let answer = onward.send().await.map_err(|error| refusal(&error, route))?;
        if is_compressed(answer.headers()) {
            let told =
                format!("the model `{}` sent a compressed answer, which cannot be passed on", route.name);
            return Err(Refusal::Failed(told));
        }
        Ok(model.answer(answer.into(), passage))
    }
}

impl Model {
    fn answer(&self, answer: hyper::Response<reqwest::Body>, passage: &Arc<Underway>) -> Answer {
        let (mut parts, body) = answer.into_parts();
        headers::of_answer(&mut parts.headers);
        parts.headers.remove(SET_COOKIE);
        for value in parts.headers.values_mut() {
            if self.redaction.finds(value.as_bytes()) {
                *value = REPEATED;
            }
        }
        let body = Counted::new(body, Direction::Down, Arc::clone(passage));
        let body = Redacted::new(body, &self.redaction);
        Answer::from_parts(parts, body.map_err(Into::into).boxed_unsync())
    }
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity")
}

/// The path below the route's upstream. Nothing in a path or query leads to another host.
fn url(route: &ModelRoute, path: &str, query: Option<&str>) -> Result<Url, Refusal> {
    let mut url = Url::parse(&route.upstream.to_string())
        .map_err(|_| Refusal::Failed(format!("the address of the model `{}` cannot be used", route.name)))?;
    url.set_path(path);
    url.set_query(query);
    Ok(url)
}

/// A denied address comes out of the client as the cause of a connection not made.
fn refusal(error: &reqwest::Error, route: &ModelRoute) -> Refusal {
    match causes(error).find_map(|cause| cause.downcast_ref::<Denial>()) {
        Some(Denial::Address { addresses, kind, .. }) => {
            EgressDenial::ModelAddress { model: route.name.clone(), addresses: addresses.clone(), kind }
                .into()
        }
        _ => Refusal::Failed(problem(error, &route.upstream).message),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hostler_engine::rights::Origin;

    use super::*;
    use crate::secret::Secret;

    #[test]
    fn no_path_leads_away_from_the_upstream() {
        let upstream = Origin::of("https://api.example:8443").unwrap();
        let route = ModelRoute {
            name: "a".to_owned(),
            upstream: upstream.clone(),
            addresses: Vec::new(),
            header: AUTHORIZATION,
            form: "{}".to_owned(),
            sentinel: Secret::new("s"),
            key: Secret::new("k"),
        };
        for path in
            ["", "/", "/v1/x", "//evil.example/x", "/../../x", "/\\evil.example", "@evil.example", ":1/x"]
        {
            let url = url(&route, path, Some("a=b#c")).unwrap();
            assert_eq!(Origin::of_url(&url).unwrap(), upstream, "{path}: {url}");
        }
        assert_eq!(url(&route, "/v1/x", Some("a=b")).unwrap().as_str(), "https://api.example:8443/v1/x?a=b");
    }
}
