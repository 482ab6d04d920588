//! KDE's wallet has everybody ask before they see what it has, also while it is open and
//! nobody has to answer. Other services are not asked: theirs is a question to a person,
//! who may not be there.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::super::KeyringError;
use super::super::dbus::{Bus, BusError, Message, Reader, Writer};
use super::{BUS_NAME, failed};

/// How long a wallet may take that asks a person after all: less than anybody waits for a
/// keyring, so that it is told as locked.
const PROMPT_PATIENCE: Duration = Duration::from_secs(3);

const PROMPT: &str = "org.freedesktop.Secret.Prompt";

/// The bus as a service, and its interface.
const BUS_ITSELF: &str = "org.freedesktop.DBus";

/// Under which of these names the service is KDE's wallet, by its version.
const OF_KWALLET: [&str; 3] = ["org.kde.kwalletd5", "org.kde.kwalletd6", "org.kde.ksecretd"];

/// Whether the prompt at this path was answered, so that what it was about is unlocked.
pub(super) fn is_answered(bus: &mut Bus, prompt: &str) -> Result<bool, KeyringError> {
    let service = owner(bus, BUS_NAME)?;
    if service.is_none() || OF_KWALLET.iter().all(|name| owner(bus, name).ok().flatten() != service) {
        return Ok(false);
    }
    let mut rule = Writer::default();
    rule.text(&format!("type='signal',interface='{PROMPT}',member='Completed',path='{prompt}'"));
    bus.call(to_bus("AddMatch").with("s", rule)).map_err(failed)?;
    bus.set_patience(PROMPT_PATIENCE).map_err(|error| failed(error.into()))?;
    let mut window = Writer::default();
    window.text("");
    bus.send(Message::call(BUS_NAME, prompt, PROMPT, "Prompt").with("s", window)).map_err(failed)?;
    match completed(bus, prompt) {
        Err(BusError::Io(cause)) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            bus.send(Message::call(BUS_NAME, prompt, PROMPT, "Dismiss")).map_err(failed)?;
            Ok(false)
        }
        other => other.map_err(failed),
    }
}

/// Waits for the end of a prompt; says whether it was answered.
fn completed(bus: &mut Bus, prompt: &str) -> Result<bool, BusError> {
    let begun = Instant::now();
    while begun.elapsed() < PROMPT_PATIENCE {
        let message = bus.receive()?;
        if message.called() == (prompt, "Completed") {
            return Ok(Reader::new(&message.body).number()? == 0);
        }
    }
    Err(BusError::Io(ErrorKind::TimedOut.into()))
}

/// Whose connection a name stands for; `None` if nobody's.
fn owner(bus: &mut Bus, name: &str) -> Result<Option<String>, KeyringError> {
    let mut asked = Writer::default();
    asked.text(name);
    match bus.call(to_bus("GetNameOwner").with("s", asked)) {
        Ok(answer) => Reader::new(&answer).text().map(Some).map_err(failed),
        Err(BusError::Refused { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn to_bus(member: &str) -> Message {
    Message::call(BUS_ITSELF, "/org/freedesktop/DBus", BUS_ITSELF, member)
}
