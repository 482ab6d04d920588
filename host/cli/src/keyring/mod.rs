//! The operating system's keyring: where secrets are kept best. It may be locked, hang,
//! or not be there at all, so every question to it is bounded in time.

#[cfg(target_os = "linux")]
mod bus_address;
#[cfg(target_os = "linux")]
mod dbus;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod system;

#[cfg(all(test, target_os = "linux"))]
#[path = "../../tests/machine/secret_service.rs"]
mod played;

#[cfg(all(test, target_os = "linux"))]
#[path = "../../tests/machine/gnome_keyring.rs"]
mod gnome;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// How long a keyring may take: long enough for one that has to be started first, short
/// enough that nobody takes a command for dead.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What all entries of ours are marked with.
const SERVICE: &str = "hostler";

/// Which secret: a field of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName {
    /// The plugin's id.
    pub plugin: String,
    /// Its field.
    pub field: String,
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.plugin, self.field)
    }
}

/// Why a keyring could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Nobody answers to its name.
    #[error(
        "no keyring runs here: log in to a desktop with one, or keep the secret in the environment or in secrets.toml"
    )]
    Absent,
    /// It wants a person first.
    #[error("the keyring is locked: unlock it, such as by logging in to the desktop, and try again")]
    Locked,
    /// It did not answer in time.
    #[error("the keyring did not answer within {} s: unlock or restart it and try again", PATIENCE.as_secs())]
    Silent,
    /// It, or the bus to it, is not there any more.
    #[error(
        "the keyring ended before it answered: start it again, such as by logging in to the desktop, and try again"
    )]
    Gone,
    /// It answered that it cannot.
    #[error("the keyring refuses ({0}): look at it with its own program")]
    Refused(String),
}

/// A keyring. The functions may wait as long as they like; [`Bounded`] does not.
pub trait Keyring: Send + Sync {
    /// What people call it.
    fn title(&self) -> &'static str;
    /// The value, if there is one.
    fn read(&self, name: &SecretName) -> Result<Option<String>, KeyringError>;
    /// Keeps a value, in place of an earlier one.
    fn write(&self, name: &SecretName, value: &str) -> Result<(), KeyringError>;
    /// Forgets it, if it is there.
    fn remove(&self, name: &SecretName) -> Result<(), KeyringError>;
}

/// A keyring that is waited for no longer than [`PATIENCE`].
#[derive(Clone)]
pub struct Bounded {
    keyring: Arc<dyn Keyring>,
    patience: Duration,
}

impl Bounded {
    /// This keyring, if the surroundings say that there is one. Nothing is asked yet.
    pub fn system(environment: &BTreeMap<String, String>) -> Option<Self> {
        Some(Self::new(Arc::new(system::System::in_environment(environment)?)))
    }

    /// Any keyring.
    pub fn new(keyring: Arc<dyn Keyring>) -> Self {
        Self { keyring, patience: PATIENCE }
    }

    /// What people call it.
    pub fn title(&self) -> &'static str {
        self.keyring.title()
    }

    /// The value, if there is one.
    pub fn read(&self, name: &SecretName) -> Result<Option<String>, KeyringError> {
        let name = name.clone();
        self.within(move |keyring| keyring.read(&name))
    }

    /// Keeps a value, in place of an earlier one, and looks whether it is there.
    pub fn write(&self, name: &SecretName, value: &str) -> Result<(), KeyringError> {
        let (name, value) = (name.clone(), value.to_owned());
        self.within(move |keyring| {
            keyring.write(&name, &value)?;
            match keyring.read(&name)? {
                Some(kept) if kept == value => Ok(()),
                _ => Err(KeyringError::Refused("it does not keep what it is given".to_owned())),
            }
        })
    }

    /// Forgets it, if it is there.
    pub fn remove(&self, name: &SecretName) -> Result<(), KeyringError> {
        let name = name.clone();
        self.within(move |keyring| keyring.remove(&name))
    }

    /// A thread that hangs is left behind: the command ends soon anyway.
    fn within<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Keyring) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let (done, result) = mpsc::channel();
        let keyring = Arc::clone(&self.keyring);
        std::thread::spawn(move || done.send(work(&*keyring)));
        result.recv_timeout(self.patience).unwrap_or(Err(KeyringError::Silent))
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use super::*;

    /// A keyring in memory, and what it does when it is asked.
    #[derive(Default)]
    pub struct Memory {
        kept: Mutex<BTreeMap<SecretName, String>>,
        mood: Option<KeyringError>,
    }

    impl Memory {
        /// One that answers nothing but this.
        pub fn that_says(error: KeyringError) -> Bounded {
            Bounded::new(Arc::new(Self { mood: Some(error), ..Self::default() }))
        }

        fn asked(&self) -> Result<(), KeyringError> {
            match &self.mood {
                // Longer than anybody waits.
                Some(KeyringError::Silent) => loop {
                    std::thread::park();
                },
                Some(error) => Err(error.clone()),
                None => Ok(()),
            }
        }
    }

    impl Keyring for Memory {
        fn title(&self) -> &'static str {
            "memory"
        }

        fn read(&self, name: &SecretName) -> Result<Option<String>, KeyringError> {
            self.asked()?;
            Ok(self.kept.lock().unwrap().get(name).cloned())
        }

        fn write(&self, name: &SecretName, value: &str) -> Result<(), KeyringError> {
            self.asked()?;
            self.kept.lock().unwrap().insert(name.clone(), value.to_owned());
            Ok(())
        }

        fn remove(&self, name: &SecretName) -> Result<(), KeyringError> {
            self.asked()?;
            self.kept.lock().unwrap().remove(name);
            Ok(())
        }
    }

    pub fn name(plugin: &str, field: &str) -> SecretName {
        SecretName { plugin: plugin.to_owned(), field: field.to_owned() }
    }

    #[test]
    fn what_is_kept_is_read_until_it_is_removed() {
        let keyring = Bounded::new(Arc::new(Memory::default()));
        let (one, other) = (name("tale", "api-key"), name("trakkar", "token"));
        keyring.write(&one, "first").unwrap();
        keyring.write(&one, "second").unwrap();
        assert_eq!(keyring.read(&one), Ok(Some("second".to_owned())));
        assert_eq!(keyring.read(&other), Ok(None));
        keyring.remove(&one).unwrap();
        assert_eq!(keyring.read(&one), Ok(None));
    }

    #[test]
    fn a_keyring_that_hangs_is_given_up() {
        let hanging = Memory::that_says(KeyringError::Silent);
        let hanging = Bounded { patience: Duration::from_millis(20), ..hanging };
        assert_eq!(hanging.read(&name("a", "b")), Err(KeyringError::Silent));
        assert!(KeyringError::Silent.to_string().contains("within 5 s"));
    }

    #[test]
    fn a_locked_keyring_says_so() {
        let locked = Memory::that_says(KeyringError::Locked);
        assert_eq!(locked.write(&name("a", "b"), "c"), Err(KeyringError::Locked));
        assert_eq!(locked.remove(&name("a", "b")), Err(KeyringError::Locked));
    }
}
