//! What a plugin says about itself and asks for, as TOML in a custom section of
//! the component. It is only ever shown and turned into a grant; no right is
//! checked against it.

use std::collections::{BTreeMap, BTreeSet};

use hostler_engine::command::ProgramRight;
use hostler_engine::rights::{AgentRight, FileRight, HttpRight, RepositoryRight, Rights, SecretRight};
use serde::{Deserialize, Serialize};

/// A manifest that was read and checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// Who it is.
    pub plugin: Identity,
    /// The fields an operator configures, by name.
    pub config: BTreeMap<String, ConfigField>,
    /// Everything it asks for.
    pub rights: Rights,
    /// Limits it would like to have raised; only the operator can.
    pub limits: WishedLimits,
}

/// The `[plugin]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Short and unique among plugins: lower-case letters, digits, dashes.
    pub id: String,
    /// For people.
    pub name: String,
    /// Of the plugin.
    pub version: String,
    /// Package and version of the contract it was built against.
    pub contract: String,
    /// One sentence for people.
    pub description: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// One `[config.NAME]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigField {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Used where the operator gives no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// Whether the plugin cannot work without it.
    #[serde(default)]
    pub required: bool,
    /// Never reaches the plugin.
    #[serde(default)]
    pub secret: bool,
    /// Environment variable that may hold the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// One sentence for people.
    #[serde(default)]
    pub help: String,
}

/// What a configuration field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of texts.
    List,
}

impl FieldType {
    /// Whether a value is of this type.
    pub fn admits(self, value: &serde_json::Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => {
                value.as_array().is_some_and(|items| items.iter().all(serde_json::Value::is_string))
            }
        }
    }

    /// As it stands in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "list",
        }
    }
}

/// The `[limits]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct WishedLimits {
    /// Memory per instance in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
}

/// Why a manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not UTF-8.
    #[error("the manifest is not UTF-8 text; save `plugin.toml` as UTF-8 and build again")]
    NotText,
    /// Not TOML, an unknown key, a missing key, a wrong type.
    #[error("the manifest cannot be read: {0}")]
    Syntax(String),
    /// It is TOML, but does not make sense.
    #[error("the manifest's `{place}` {problem}")]
    Rule {
        /// The key it is about.
        place: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    plugin: Identity,
    #[serde(default)]
    config: BTreeMap<String, ConfigField>,
    #[serde(default)]
    http: Vec<HttpRight>,
    #[serde(default)]
    files: Vec<FileRight>,
    #[serde(default)]
    secret: Vec<SecretRight>,
    agent: Option<AgentRight>,
    repository: Option<RepositoryRight>,
    program: Option<ProgramRight>,
    #[serde(default)]
    limits: WishedLimits,
}

impl Manifest {
    /// Reads and checks the text of a `plugin.toml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let document: Document =
            toml::from_str(text).map_err(|error| ManifestError::Syntax(on_one_line(&error)))?;
        let manifest = Self {
            plugin: document.plugin,
            config: document.config,
            rights: Rights {
                http: document.http,
                files: document.files,
                secret: document.secret,
                agent: document.agent,
                repository: document.repository,
                program: document.program,
            },
            limits: document.limits,
        };
        crate::manifest_rules::check(&manifest)?;
        Ok(manifest)
    }

    /// The fields on which a right depends: where requests and credentials go, which
    /// folder is written, which command is started.
    pub fn guarded_fields(&self) -> BTreeSet<&str> {
        let rights = &self.rights;
        let http = rights.http.iter().filter_map(|right| right.origin_from.as_deref());
        let secret =
            rights.secret.iter().flat_map(|right| [Some(right.from.as_str()), right.origin_from.as_deref()]);
        let files = rights.files.iter().map(|right| right.from.as_str());
        let program = rights.program.iter().filter_map(|right| right.command_from.as_deref());
        http.chain(secret.flatten()).chain(files).chain(program).collect()
    }
}

/// The place and the message, without the drawing of the source.
fn on_one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
