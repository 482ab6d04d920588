//! Keys of models that stay with the host: the agent gets a stand-in and an address on
//! its own machine, where the host exchanges the one for the other.

use std::ffi::{OsStr, OsString};

use hostler_broker::Secret;
use hostler_broker::egress::ModelRoute;
use hostler_engine::rights::Origin;
use hostler_engine::sandbox::ModelKey;

type Environment = Vec<(OsString, OsString)>;

/// Why a key cannot be kept from an agent.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operator's address of the model is none.
    #[error("`{variable}` cannot be used as the address of a model: {problem}")]
    Address {
        /// The variable with the address.
        variable: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The header cannot be sent.
    #[error("the grant says to send the key `{key}` in the header `{header}`, which is not a header name")]
    Header {
        /// The variable with the key.
        key: String,
        /// As granted.
        header: String,
    },
}

/// Takes the keys out of an agent's environment, and says instead where they are
/// exchanged. `port` is the host's on the agent's loopback. `stand_in` may be guessed:
/// only who has that loopback can use it.
pub fn keep(
    environment: &mut Environment,
    keys: &[ModelKey],
    port: u16,
    stand_in: &str,
) -> Result<Vec<ModelRoute>, KeyError> {
    let mut routes = Vec::new();
    for model in keys {
        let Some(key) = value_of(environment, &model.key) else { continue };
        let address = value_of(environment, &model.address)
            .unwrap_or_else(|| format!("{}{}", model.origin.trim_end_matches('/'), model.path));
        let (upstream, path) = split(&address)
            .map_err(|problem| KeyError::Address { variable: model.address.clone(), problem })?;
        let header = model.header.parse();
        let route = ModelRoute {
            name: model.key.to_ascii_lowercase(),
            upstream,
            addresses: Vec::new(),
            header: header
                .map_err(|_| KeyError::Header { key: model.key.clone(), header: model.header.clone() })?,
            form: model.form.clone(),
            sentinel: Secret::new(stand_in),
            key: Secret::new(key),
        };
        set(environment, &model.key, stand_in);
        set(environment, &model.address, &format!("{}{path}", route.base_url(port)));
        routes.push(route);
    }
    Ok(routes)
}

/// Where a model is, and the path its addresses begin with.
fn split(address: &str) -> Result<(Origin, String), String> {
    let origin = Origin::of(address).map_err(|error| error.to_string())?;
    let (_, behind) = address.split_once("://").unwrap_or(("", address));
    let path = behind.find('/').map_or("", |slash| &behind[slash..]);
    Ok((origin, path.trim_end_matches('/').to_owned()))
}

fn value_of(environment: &Environment, name: &str) -> Option<String> {
    let found = environment.iter().find(|(own, _)| own == OsStr::new(name))?;
    found.1.to_str().filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Sets a variable, once.
pub fn set(environment: &mut Environment, name: &str, value: &str) {
    environment.retain(|(own, _)| own != OsStr::new(name));
    environment.push((name.into(), value.into()));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn anthropic() -> ModelKey {
        ModelKey {
            key: "ANTHROPIC_API_KEY".to_owned(),
            address: "ANTHROPIC_BASE_URL".to_owned(),
            origin: "https://api.anthropic.com".to_owned(),
            path: String::new(),
            header: "x-api-key".to_owned(),
            form: "{}".to_owned(),
        }
    }

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn an_agent_has_a_stand_in_and_the_route_has_the_key() {
        let mut seen = environment(&[("PATH", "/bin"), ("ANTHROPIC_API_KEY", "sk-real")]);
        let routes = keep(&mut seen, &[anthropic()], 3128, "stand-in").unwrap();
        assert_eq!(routes.len(), 1);
        assert_eq!(routes[0].upstream.to_string(), "https://api.anthropic.com");
        assert_eq!(value_of(&seen, "ANTHROPIC_API_KEY").unwrap(), "stand-in");
        assert_eq!(
            value_of(&seen, "ANTHROPIC_BASE_URL").unwrap(),
            "http://127.0.0.1:3128/hostler/model/anthropic_api_key"
        );
        assert!(!format!("{seen:?}").contains("sk-real"));
    }

    #[test]
    fn the_operators_own_address_of_the_model_counts_with_its_path() {
        let pairs =
            [("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/s/success,id=7/")];
        let mut seen = environment(&pairs);
        let routes = keep(&mut seen, &[anthropic()], 3128, "s").unwrap();
        assert_eq!(routes[0].upstream.to_string(), "http://127.0.0.1:9");
        assert!(value_of(&seen, "ANTHROPIC_BASE_URL").unwrap().ends_with("anthropic_api_key/s/success,id=7"));
    }

    #[test]
    fn without_a_key_nothing_changes_and_a_wrong_address_is_told() {
        let plain = environment(&[("PATH", "/bin"), ("ANTHROPIC_API_KEY", "")]);
        let mut seen = plain.clone();
        assert!(keep(&mut seen, &[anthropic()], 3128, "s").unwrap().is_empty());
        assert_eq!(seen, plain);
        let mut seen = environment(&[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "nowhere")]);
        let error = keep(&mut seen, &[anthropic()], 3128, "s").unwrap_err().to_string();
        assert!(error.contains("ANTHROPIC_BASE_URL"), "{error}");
    }
}
