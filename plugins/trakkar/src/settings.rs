//! The operator's configuration.

use hostler_sdk::{Config, Milliseconds, Problem};
use serde::Deserialize;

/// Where the server is if nobody says otherwise.
const API_URL: &str = "https://api.trakkar.in";

/// Between two looks for tasks if nobody says otherwise.
const INTERVAL_SECONDS: u32 = 15;

/// For a verify command if nobody says otherwise.
const VERIFY_SECONDS: u32 = 1_800;

/// A day: longer intervals and limits are mistakes, and stay within [`Milliseconds`].
const LONGEST_SECONDS: u32 = 86_400;

/// Which CLI does the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worker {
    #[default]
    ClaudeCode,
    Cursor,
}

impl Worker {
    /// The server's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude_code",
            Self::Cursor => "cursor",
        }
    }

    /// The provider plugin.
    pub fn provider(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Cursor => "cursor",
        }
    }
}

/// What the operator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Scheme, host and port; no slash at the end.
    pub url: String,
    /// Between two looks for tasks.
    pub interval: Milliseconds,
    /// For this host; `None` leaves it to the agent's own setting.
    pub max_concurrency: Option<u32>,
    pub worker: Worker,
    /// Tasks are read and given back.
    pub dry_run: bool,
    /// For the verify command.
    pub verify_limit: Milliseconds,
    /// Claude Code may work on the API key of this machine instead of the login.
    pub use_api_key: bool,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Fields {
    api_url: String,
    interval: u32,
    max_concurrency: Option<u32>,
    provider: Worker,
    dry_run: bool,
    timeout: u32,
    use_api_key: bool,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            api_url: API_URL.to_owned(),
            interval: INTERVAL_SECONDS,
            max_concurrency: None,
            provider: Worker::default(),
            dry_run: false,
            timeout: VERIFY_SECONDS,
            use_api_key: false,
        }
    }
}

impl Settings {
    /// Reads and checks the configuration.
    pub fn read(config: &Config) -> Result<Self, Problem> {
        let fields: Fields = config.parse()?;
        if fields.max_concurrency == Some(0) {
            return Err(Problem::permanent(
                "`max-concurrency` is 0, which would never do a task; set it to 1 or more, or leave it out.",
            ));
        }
        Ok(Self {
            url: origin(fields.api_url.trim())?,
            interval: milliseconds("interval", fields.interval)?,
            max_concurrency: fields.max_concurrency,
            worker: fields.provider,
            dry_run: fields.dry_run,
            verify_limit: milliseconds("timeout", fields.timeout)?,
            use_api_key: fields.use_api_key,
        })
    }
}

fn milliseconds(field: &str, seconds: u32) -> Result<Milliseconds, Problem> {
    if (1..=LONGEST_SECONDS).contains(&seconds) {
        return Ok(seconds * 1_000);
    }
    Err(Problem::permanent(format!(
        "`{field}` is {seconds}; set it to a number of seconds between 1 and {LONGEST_SECONDS}."
    )))
}

/// The right to send requests covers paths below the origin, so an address with a
/// path of its own would be refused later and less clearly.
fn origin(url: &str) -> Result<String, Problem> {
    let trimmed = url.trim_end_matches('/');
    let host = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => Ok(trimmed.to_owned()),
        _ => Err(Problem::permanent(format!(
            "`api-url` is `{url}`, which is not the plain address of a server; write it as {API_URL}, without a path."
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(json: &str) -> Result<Settings, Problem> {
        Settings::read(&Config::from_json(json).unwrap())
    }

    fn refused(json: &str) -> String {
        let problem = read(json).unwrap_err();
        assert_eq!(problem.kind, "permanent");
        problem.message
    }

    #[test]
    fn without_a_word_it_is_claude_code_every_fifteen_seconds_at_the_public_address() {
        let expected = Settings {
            url: "https://api.trakkar.in".into(),
            interval: 15_000,
            max_concurrency: None,
            worker: Worker::ClaudeCode,
            dry_run: false,
            verify_limit: 1_800_000,
            use_api_key: false,
        };
        assert_eq!(read("{}").unwrap(), expected);
    }

    #[test]
    fn every_field_counts() {
        let settings = read(
            r#"{"api-url":"http://localhost:4020/","interval":5,"max-concurrency":2,"provider":"cursor","dry-run":true,"timeout":60,"use-api-key":true}"#,
        );
        let expected = Settings {
            url: "http://localhost:4020".into(),
            interval: 5_000,
            max_concurrency: Some(2),
            worker: Worker::Cursor,
            dry_run: true,
            verify_limit: 60_000,
            use_api_key: true,
        };
        assert_eq!(settings.unwrap(), expected);
    }

    #[test]
    fn less_than_one_task_at_once_is_refused() {
        assert_eq!(read(r#"{"max-concurrency":1}"#).unwrap().max_concurrency, Some(1));
        assert!(refused(r#"{"max-concurrency":0}"#).contains("set it to 1 or more"));
        assert!(refused(r#"{"max-concurrency":-1}"#).contains("-1"));
    }

    #[test]
    fn times_are_between_a_second_and_a_day() {
        for field in ["interval", "timeout"] {
            for (seconds, fits) in [(0, false), (1, true), (86_400, true), (86_401, false)] {
                let json = format!(r#"{{"{field}":{seconds}}}"#);
                assert_eq!(read(&json).is_ok(), fits, "{json}");
                assert!(fits || refused(&json).contains(field), "{json}");
            }
        }
    }

    #[test]
    fn an_address_that_cannot_work_and_an_unknown_cli_are_named() {
        for url in ["api.trakkar.in", "https://", "https://example.com/trakkar", "https://me:x@example.com"] {
            assert!(refused(&format!(r#"{{"api-url":"{url}"}}"#)).contains(url));
        }
        assert!(refused(r#"{"provider":"codex"}"#).contains("codex"));
    }

    #[test]
    fn each_cli_is_a_provider_here() {
        assert_eq!(
            (Worker::ClaudeCode.name(), Worker::ClaudeCode.provider()),
            ("claude_code", "claude-code")
        );
        assert_eq!((Worker::Cursor.name(), Worker::Cursor.provider()), ("cursor", "cursor"));
    }
}
