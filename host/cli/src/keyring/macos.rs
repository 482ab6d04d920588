//! The login keychain.

use std::collections::BTreeMap;

use security_framework::passwords;

use super::{Keyring, KeyringError, SERVICE, SecretName};

/// `errSecItemNotFound`: nothing is kept under this name.
const NOT_FOUND: i32 = -25300;

/// `errSecInteractionNotAllowed`: it would have to ask somebody.
const LOCKED: i32 = -25308;

/// The login keychain.
pub struct System;

impl System {
    /// There is always one.
    pub fn in_environment(_environment: &BTreeMap<String, String>) -> Option<Self> {
        Some(Self)
    }
}

impl Keyring for System {
    fn title(&self) -> &'static str {
        "Keychain"
    }

    fn read(&self, name: &SecretName) -> Result<Option<String>, KeyringError> {
        match passwords::get_generic_password(SERVICE, &name.to_string()) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| refused("it holds no text")),
            Err(error) if error.code() == NOT_FOUND => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn write(&self, name: &SecretName, value: &str) -> Result<(), KeyringError> {
        passwords::set_generic_password(SERVICE, &name.to_string(), value.as_bytes()).map_err(failed)
    }

    fn remove(&self, name: &SecretName) -> Result<(), KeyringError> {
        match passwords::delete_generic_password(SERVICE, &name.to_string()) {
            Err(error) if error.code() != NOT_FOUND => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

fn failed(error: security_framework::base::Error) -> KeyringError {
    if error.code() == LOCKED { KeyringError::Locked } else { refused(&error.to_string()) }
}

fn refused(why: &str) -> KeyringError {
    KeyringError::Refused(why.to_owned())
}
