//! The fields of a JSON body. A field of a wrong type is refused rather than ignored,
//! so that a client's mistake is seen; unknown fields are ignored.

use serde_json::{Map, Value};
use thiserror::Error;

/// A body or a path that the server cannot read: status 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum BadRequest {
    #[error("Invalid JSON body")]
    NotJson,
    #[error("{0} is required")]
    Missing(&'static str),
    #[error("{0} must be {1}")]
    WrongType(&'static str, &'static str),
    #[error("type must be started, progress or heartbeat, not '{0}'")]
    UnknownEvent(String),
    #[error("Invalid run id")]
    RunId,
}

/// A JSON object.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        serde_json::from_slice(body).map(Self).map_err(|_| BadRequest::NotJson)
    }

    fn present(&self, name: &'static str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text that must be there, and not blank.
    pub(crate) fn required(&self, name: &'static str) -> Result<String, BadRequest> {
        let text = self.text(name)?.filter(|text| !text.trim().is_empty());
        text.ok_or(BadRequest::Missing(name))
    }

    /// A text, if it is there.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, BadRequest> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.read(name, "a string", text)
    }

    /// Yes or no, if it is there.
    pub(crate) fn flag(&self, name: &'static str) -> Result<Option<bool>, BadRequest> {
        self.read(name, "a boolean", Value::as_bool)
    }

    /// A number that is not negative, rounded, if it is there.
    pub(crate) fn count(&self, name: &'static str) -> Result<Option<u64>, BadRequest> {
        self.read(name, "a number that is not negative", |value| {
            let number = value.as_f64().filter(|number| *number >= 0.0)?;
            // Saturates; nobody spends that many tokens.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Some(number.round() as u64)
        })
    }

    /// Texts, if they are there.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, BadRequest> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.read(name, "an array of strings", |value| value.as_array()?.iter().map(text).collect())
    }

    /// Objects, if they are there.
    pub(crate) fn objects(&self, name: &'static str) -> Result<Option<Vec<Fields>>, BadRequest> {
        let object = |value: &Value| value.as_object().cloned().map(Fields);
        self.read(name, "an array of objects", |value| value.as_array()?.iter().map(object).collect())
    }

    /// An object; an empty one if it is not there.
    pub(crate) fn object(&self, name: &'static str) -> Result<Fields, BadRequest> {
        let object = self.read(name, "an object", |value| value.as_object().cloned().map(Fields))?;
        Ok(object.unwrap_or(Self(Map::new())))
    }

    /// The names of the fields that are `true`; all must be booleans.
    pub(crate) fn set_flags(&self, what: &'static str) -> Result<Vec<String>, BadRequest> {
        let mut set = Vec::new();
        for (name, value) in &self.0 {
            match value {
                Value::Bool(true) => set.push(name.clone()),
                Value::Bool(false) | Value::Null => {}
                _ => return Err(BadRequest::WrongType(what, "an object of booleans")),
            }
        }
        Ok(set)
    }

    fn read<T>(
        &self,
        name: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, BadRequest> {
        match self.present(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(BadRequest::WrongType(name, wanted)),
        }
    }
}
