//! The words of a policy file, each with its place.

use hostler_engine::landing::LandingKind;
use hostler_engine::plan::Permission;
use hostler_engine::sandbox::{Destination, DestinationError, Tier};
use serde::Deserialize;
use toml::Spanned;

use crate::error::PolicyError;
use crate::line::Text;
use crate::origins::OriginRule;
use crate::plugins::{BuildDigest, PluginId, PluginRules, PublisherKey, Signatures};
use crate::policy::Policy;
use crate::programs::ProgramRule;
use crate::repositories::RepositoryRule;
use crate::verdict::{List, Setting};

type Words<T = String> = Spanned<Vec<Spanned<T>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    observe: Option<Spanned<bool>>,
    plugins: Option<PluginTable>,
    http: Option<HttpTable>,
    programs: Option<AllowTable>,
    #[serde(default)]
    agents: AgentTable,
    repositories: Option<AllowTable>,
    landing: Option<LandingTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PluginTable {
    publishers: Option<Words>,
    digests: Option<Words>,
    ids: Option<Words>,
    unsigned: Option<Spanned<bool>>,
    inert_wasi: Option<Spanned<bool>>,
    signatures: Option<Spanned<Signatures>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTable {
    origins: Words,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    allow: Words,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AgentTable {
    permission_ceiling: Option<Spanned<Permission>>,
    minimum_sandbox: Option<Spanned<Tier>>,
    environment: Option<Words>,
    network: Option<Words>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LandingTable {
    allow: Words<LandingKind>,
}

/// Reads a policy.
pub(crate) fn parse(text: &Text<'_>) -> Result<Policy, PolicyError> {
    let document: Document = toml::from_str(text.text).map_err(|error| PolicyError::Syntax {
        at: text.line(error.span().map_or(0, |span| span.start)),
        problem: error.message().trim().replace('\n', "; "),
    })?;
    let Document { observe, plugins, http, programs, agents, repositories, landing } = document;
    Ok(Policy {
        observe: observe.map(|word| setting(text, &word)),
        plugins: plugins.map(|table| plugin_rules(text, table)).transpose()?.unwrap_or_default(),
        origins: list(text, http.map(|table| table.origins), OriginRule::parse)?,
        programs: list(text, programs.map(|table| table.allow), ProgramRule::parse)?,
        permission: agents.permission_ceiling.map(|word| setting(text, &word)),
        sandbox: agents.minimum_sandbox.map(|word| setting(text, &word)),
        environment: list(text, agents.environment, variable)?,
        network: list(text, agents.network, destination)?,
        repositories: list(text, repositories.map(|table| table.allow), RepositoryRule::parse)?,
        landings: landing.map(|table| settings(text, &table.allow)),
    })
}

fn plugin_rules(text: &Text<'_>, table: PluginTable) -> Result<PluginRules, PolicyError> {
    Ok(PluginRules {
        publishers: list(text, table.publishers, PublisherKey::parse)?,
        digests: list(text, table.digests, BuildDigest::parse)?,
        ids: list(text, table.ids, PluginId::parse)?,
        unsigned: table.unsigned.map(|word| setting(text, &word)),
        inert_wasi: table.inert_wasi.map(|word| setting(text, &word)),
        signatures: table.signatures.map(|word| setting(text, &word)),
    })
}

fn destination(text: &str) -> Result<Destination, String> {
    text.parse().map_err(|error: DestinationError| error.to_string())
}

fn variable(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no name of an environment variable"))
}

fn setting<T: Copy>(text: &Text<'_>, word: &Spanned<T>) -> Setting<T> {
    Setting { value: *word.get_ref(), line: text.line(word.span().start) }
}

fn settings<T: Copy>(text: &Text<'_>, words: &Words<T>) -> List<T> {
    let entries = words.get_ref().iter().map(|word| setting(text, word)).collect();
    List { line: text.line(words.span().start), entries }
}

fn list<T>(
    text: &Text<'_>,
    words: Option<Words>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<List<T>>, PolicyError> {
    let Some(words) = words else { return Ok(None) };
    let line = text.line(words.span().start);
    let entry = |word: &Spanned<String>| {
        let line = text.line(word.span().start);
        let value =
            read(word.get_ref()).map_err(|problem| PolicyError::Syntax { at: line.clone(), problem })?;
        Ok(Setting { value, line })
    };
    let entries = words.get_ref().iter().map(entry).collect::<Result<_, _>>()?;
    Ok(Some(List { line, entries }))
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
