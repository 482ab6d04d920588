//! The operator's configuration.

use hostler_sdk::{Config, Problem};

/// What the operator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Scheme, host and port; no slash at the end.
    pub url: String,
    /// For users who belong to several.
    pub organization: Option<String>,
    /// Of the daemon whose place is taken.
    pub daemon_id: Option<String>,
}

impl Settings {
    /// Reads and checks the configuration.
    pub fn read(config: &Config) -> Result<Self, Problem> {
        let filled = |field| config.text(field).map(str::trim).filter(|text| !text.is_empty());
        let url = filled("url").ok_or_else(|| {
            Problem::permanent(
                "The address of the Tale server is missing; set `url`, such as https://tale.example.com.",
            )
        })?;
        Ok(Self {
            url: origin(url)?,
            organization: filled("organization").map(str::to_owned),
            daemon_id: filled("daemon-id").map(str::to_owned),
        })
    }
}

/// The right to send requests covers the paths below the origin, so an address with
/// a path of its own would be refused later and less clearly.
fn origin(url: &str) -> Result<String, Problem> {
    let trimmed = url.trim_end_matches('/');
    let host = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => Ok(trimmed.to_owned()),
        _ => Err(Problem::permanent(format!(
            "`url` is `{url}`, which is not the plain address of a server; write it as https://tale.example.com, without a path."
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

    #[test]
    fn a_slash_at_the_end_of_the_address_and_empty_fields_do_not_count() {
        let settings =
            read(r#"{"url":" http://localhost:3000/ ","organization":"","daemon-id":" "}"#).unwrap();
        let expected = Settings { url: "http://localhost:3000".into(), organization: None, daemon_id: None };
        assert_eq!(settings, expected);
    }

    #[test]
    fn an_address_that_cannot_work_is_named_with_the_remedy() {
        for url in
            ["tale.example.com", "https://", "https://example.com/tale", "https://me:secret@example.com"]
        {
            let problem = read(&format!(r#"{{"url":"{url}"}}"#)).unwrap_err();
            assert!(
                problem.message.contains(url) && problem.message.contains("write it as"),
                "{}",
                problem.message
            );
        }
        assert!(read("{}").unwrap_err().message.contains("set `url`"));
    }
}
