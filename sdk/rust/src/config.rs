//! The operator's configuration, as a plugin sees it.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Problem;

/// The fields of the manifest's `config` table, without the secret ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    fields: Value,
}

impl Config {
    /// Reads the document the host sent; anything but an object is a problem.
    pub fn from_json(text: &str) -> Result<Self, Problem> {
        match serde_json::from_str(text) {
            Ok(fields @ Value::Object(_)) => Ok(Self { fields }),
            Ok(_) => Err(Problem::permanent(
                "The configuration is not a table of fields; check the plugin's section in the configuration file.",
            )),
            Err(error) => Err(Problem::permanent(format!(
                "The configuration could not be read ({error}); host and plugin may not fit together, update both."
            ))),
        }
    }

    /// The text of a field, if it is set and is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// The whole configuration as the plugin's own type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        T::deserialize(&self.fields).map_err(|error| {
            Problem::permanent(format!(
                "The configuration is not what this plugin expects: {error}; correct the field in the configuration file."
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_field_is_found_by_name() {
        let config = Config::from_json(r#"{"path":"tasks","depth":3}"#).unwrap();
        assert_eq!(config.text("path"), Some("tasks"));
        assert_eq!(config.text("depth"), None);
        assert_eq!(config.text("absent"), None);
    }

    #[test]
    fn a_wrong_type_is_a_problem_that_names_the_field() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its error is looked at")]
        struct Wanted {
            depth: u32,
        }
        let config = Config::from_json(r#"{"depth":"deep"}"#).unwrap();
        let problem = config.parse::<Wanted>().unwrap_err();
        assert_eq!(problem.kind, "permanent");
        assert!(problem.message.contains("deep"), "{}", problem.message);
    }

    #[test]
    fn a_list_is_no_configuration() {
        assert!(Config::from_json("[]").is_err());
        assert!(Config::from_json("{").is_err());
    }
}
