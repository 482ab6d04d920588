//! The Secret Service on the session's bus: that of GNOME, of KDE, or of
//! a password manager.
//!
//! Values go over the bus as they are: it is a socket of this user, and whoever could
//! read along could ask for them as well.

mod prompt;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use super::dbus::{Bus, BusError, Message, Reader, Writer};
use super::{Keyring, KeyringError, PATIENCE, SERVICE, SecretName};

const BUS_NAME: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";

/// Where a path would stand and none does.
const NO_PATH: &str = "/";

/// The Secret Service of a session.
pub struct System {
    address: String,
}

/// One conversation with it.
struct Conversation {
    bus: RefCell<Bus>,
    session: String,
}

impl System {
    /// The session's bus, if there is one.
    pub fn in_environment(environment: &BTreeMap<String, String>) -> Option<Self> {
        let named = environment.get("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty());
        let usual = || {
            let socket = Path::new(environment.get("XDG_RUNTIME_DIR")?).join("bus");
            socket.exists().then(|| format!("unix:path={}", socket.display()))
        };
        Some(Self { address: named.cloned().or_else(usual)? })
    }

    fn open(&self) -> Result<Conversation, KeyringError> {
        // A bus that is named and does not answer is one of a session that is over.
        let bus = Bus::connect(&self.address, PATIENCE).map_err(|_| KeyringError::Absent)?;
        let mut conversation = Conversation { bus: RefCell::new(bus), session: String::new() };
        let mut plain = Writer::default();
        plain.text("plain");
        plain.variant("s", "");
        let answer = conversation.ask(SERVICE_PATH, SERVICE_INTERFACE, "OpenSession", "sv", plain)?;
        let mut reader = Reader::new(&answer);
        // What the two sides agreed on: nothing, for values that go as they are. By the
        // specification that is an empty text; KWallet says it in bytes.
        match reader.signature().map_err(failed)?.as_str() {
            "s" => drop(reader.text().map_err(failed)?),
            "ay" => drop(reader.bytes().map_err(failed)?),
            _ => return Err(KeyringError::Refused("it does not talk without encryption".to_owned())),
        }
        conversation.session = reader.text().map_err(failed)?;
        Ok(conversation)
    }
}

impl Conversation {
    fn ask(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        signature: &str,
        arguments: Writer,
    ) -> Result<Vec<u8>, KeyringError> {
        let call = Message::call(BUS_NAME, path, interface, member);
        let call = if signature.is_empty() { call } else { call.with(signature, arguments) };
        self.bus.borrow_mut().call(call).map_err(failed)
    }

    /// The entry of this name, unlocked.
    fn find(&self, name: &SecretName) -> Result<Option<String>, KeyringError> {
        let mut wanted = Writer::default();
        attributes(&mut wanted, name);
        let found = self.ask(SERVICE_PATH, SERVICE_INTERFACE, "SearchItems", "a{ss}", wanted)?;
        let mut reader = Reader::new(&found);
        let unlocked = reader.texts().map_err(failed)?.into_iter().next();
        let locked = reader.texts().map_err(failed)?.into_iter().next();
        match (unlocked, locked) {
            (Some(item), _) => Ok(Some(item)),
            (None, Some(item)) => self.unlock(item).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Unlocks what nobody has to be asked for.
    fn unlock(&self, path: String) -> Result<String, KeyringError> {
        let mut wanted = Writer::default();
        wanted.array(4, |out| out.text(&path));
        let answer = self.ask(SERVICE_PATH, SERVICE_INTERFACE, "Unlock", "ao", wanted)?;
        let mut reader = Reader::new(&answer);
        let unlocked = reader.texts().map_err(failed)?;
        let prompt = reader.text().map_err(failed)?;
        let is_open = unlocked.contains(&path)
            || prompt != NO_PATH && prompt::is_answered(&mut self.bus.borrow_mut(), &prompt)?;
        if is_open { Ok(path) } else { Err(KeyringError::Locked) }
    }

    /// Where new entries go.
    fn collection(&self) -> Result<String, KeyringError> {
        let mut alias = Writer::default();
        alias.text("default");
        let answer = self.ask(SERVICE_PATH, SERVICE_INTERFACE, "ReadAlias", "s", alias)?;
        let path = Reader::new(&answer).text().map_err(failed)?;
        if path == NO_PATH {
            return Err(KeyringError::Refused("it has no default collection".to_owned()));
        }
        self.unlock(path)
    }
}

impl Keyring for System {
    fn title(&self) -> &'static str {
        "Secret Service"
    }

    fn read(&self, name: &SecretName) -> Result<Option<String>, KeyringError> {
        let conversation = self.open()?;
        let Some(item) = conversation.find(name)? else { return Ok(None) };
        let mut session = Writer::default();
        session.text(&conversation.session);
        let answer = conversation.ask(&item, ITEM, "GetSecret", "o", session)?;
        let mut reader = Reader::new(&answer);
        let (_session, _parameters) = (reader.text().map_err(failed)?, reader.bytes().map_err(failed)?);
        let value = reader.bytes().map_err(failed)?.to_vec();
        let text = String::from_utf8(value).map(Some);
        text.map_err(|_| KeyringError::Refused("it holds no text".to_owned()))
    }

    fn write(&self, name: &SecretName, value: &str) -> Result<(), KeyringError> {
        let conversation = self.open()?;
        let collection = conversation.collection()?;
        let mut entry = Writer::default();
        entry.array(8, |out| {
            out.align(8);
            out.text("org.freedesktop.Secret.Item.Label");
            out.variant("s", &format!("Hostler: {name}"));
            out.align(8);
            out.text("org.freedesktop.Secret.Item.Attributes");
            out.signature("a{ss}");
            attributes(out, name);
        });
        entry.align(8);
        entry.text(&conversation.session);
        entry.bytes(&[]);
        entry.bytes(value.as_bytes());
        // Without the character set that the specification has in its example: to KWallet
        // it would be no text.
        entry.text("text/plain");
        // In place of an earlier one.
        entry.number(1);
        let answer = conversation.ask(&collection, COLLECTION, "CreateItem", "a{sv}(oayays)b", entry)?;
        let item = Reader::new(&answer).text().map_err(failed)?;
        if item == NO_PATH { Err(KeyringError::Locked) } else { Ok(()) }
    }

    fn remove(&self, name: &SecretName) -> Result<(), KeyringError> {
        let conversation = self.open()?;
        let Some(item) = conversation.find(name)? else { return Ok(()) };
        let answer = conversation.ask(&item, ITEM, "Delete", "", Writer::default())?;
        let prompt = Reader::new(&answer).text().map_err(failed)?;
        if prompt == NO_PATH { Ok(()) } else { Err(KeyringError::Locked) }
    }
}

/// What an entry of ours is found by: an `a{ss}`.
fn attributes(out: &mut Writer, name: &SecretName) {
    out.array(8, |out| {
        for (key, value) in [("service", SERVICE), ("plugin", &name.plugin), ("field", &name.field)] {
            out.align(8);
            out.text(key);
            out.text(value);
        }
    });
}

#[allow(clippy::needless_pass_by_value)] // is handed to `map_err`
fn failed(error: BusError) -> KeyringError {
    match error {
        BusError::Io(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            KeyringError::Silent
        }
        BusError::Io(cause) if is_end(cause.kind()) => KeyringError::Gone,
        BusError::Refused { name, message } => match name.rsplit('.').next().unwrap_or_default() {
            "ServiceUnknown" | "NameHasNoOwner" => KeyringError::Absent,
            // The bus says so when whoever was asked has left it.
            "NoReply" => KeyringError::Gone,
            "IsLocked" => KeyringError::Locked,
            _ => KeyringError::Refused(message),
        },
        other => KeyringError::Refused(other.to_string()),
    }
}

/// Whether nobody is at the other side any more.
const fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

#[cfg(test)]
#[path = "linux_tests.rs"]
mod tests;
