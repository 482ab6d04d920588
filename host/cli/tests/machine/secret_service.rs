//! A Secret Service for tests, by its specification, on a private bus of the reference
//! implementation.
#![allow(clippy::unwrap_used, dead_code)] // each test program uses its part

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::dbus::{Bus, CALL, Message, Reader, Writer};

const BUS_NAME: &str = "org.freedesktop.secrets";

/// Where a path would stand and none does.
const NO_PATH: &str = "/";

/// The question to a person.
const PROMPT: &str = "/org/freedesktop/secrets/prompt/1";

/// A bus of its own, by the reference implementation; it ends with the test.
pub struct PrivateBus {
    daemon: Child,
    /// Where it listens.
    pub address: String,
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// `None` where there is no `dbus-daemon`.
pub fn private_bus(folder: &Path) -> Option<PrivateBus> {
    let settings = folder.join("bus.conf");
    let text = format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow send_destination=\"*\"/><allow own=\"*\"/>\
         <allow receive_sender=\"*\"/></policy></busconfig>",
        folder.join("bus").display()
    );
    std::fs::write(&settings, text).unwrap();
    let mut daemon = Command::new("dbus-daemon")
        .arg(format!("--config-file={}", settings.display()))
        .args(["--nofork", "--print-address"])
        .stdout(Stdio::piped())
        .spawn()
        .inspect_err(|error| eprintln!("skipped: no dbus-daemon ({error})"))
        .ok()?;
    let mut address = String::new();
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
    Some(PrivateBus { daemon, address: address.trim().to_owned() })
}

/// One entry of the service that is played.
struct Entry {
    path: String,
    attributes: Vec<String>,
    value: Vec<u8>,
}

/// A connection that is asked what is asked of the Secret Service.
fn service(address: &str) -> Bus {
    let mut bus = Bus::connect(address, Duration::from_mins(1)).unwrap();
    own(&mut bus, BUS_NAME);
    bus
}

fn own(bus: &mut Bus, name: &str) {
    let mut owned = Writer::default();
    owned.text(name);
    owned.number(0);
    let daemon = "org.freedesktop.DBus";
    let request = Message::call(daemon, "/org/freedesktop/DBus", daemon, "RequestName");
    bus.call(request.with("su", owned)).unwrap();
}

/// Plays one that ends as soon as it is asked something.
pub fn play_the_end(address: &str) -> std::thread::JoinHandle<()> {
    let mut bus = service(address);
    std::thread::spawn(move || while bus.receive().unwrap().kind != CALL {})
}

/// What kind of a service is played.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Unlocked, as GNOME's after a login.
    Open,
    /// It wants a person first.
    Locked,
    /// KDE's after a login: it has everybody ask, and answers by itself.
    KWallet,
    /// KDE's, which waits for a person to answer.
    LockedKWallet,
}

impl Mood {
    fn is_kwallet(self) -> bool {
        matches!(self, Self::KWallet | Self::LockedKWallet)
    }
}

/// Plays a Secret Service, by its specification, until the bus is gone.
pub fn play(address: &str, mood: Mood) -> std::thread::JoinHandle<()> {
    let mut bus = service(address);
    if mood.is_kwallet() {
        own(&mut bus, "org.kde.kwalletd6");
    }
    std::thread::spawn(move || {
        let mut entries: Vec<Entry> = Vec::new();
        let mut made = 0;
        while let Ok(message) = bus.receive() {
            if message.kind == CALL {
                let answer = serve(&message, &mut entries, &mut made, mood);
                bus.send(answer).unwrap();
                if message.called().1 == "Prompt" && mood == Mood::KWallet {
                    let mut result = Writer::default();
                    result.number(0);
                    result.variant("s", "");
                    let prompt = "org.freedesktop.Secret.Prompt";
                    bus.send(Message::signal(PROMPT, prompt, "Completed").with("bv", result)).unwrap();
                }
            }
        }
    })
}

fn serve(message: &Message, entries: &mut Vec<Entry>, made: &mut u32, mood: Mood) -> Message {
    let is_locked = mood != Mood::Open;
    let mut asked = Reader::new(&message.body);
    let mut out = Writer::default();
    let (path, member) = message.called();
    let signature = match member {
        "OpenSession" => {
            assert_eq!(asked.text().unwrap(), "plain");
            if mood.is_kwallet() {
                out.signature("ay");
                out.bytes(&[]);
            } else {
                out.variant("s", "");
            }
            out.text("/org/freedesktop/secrets/session/1");
            "vo"
        }
        "ReadAlias" => {
            out.text("/org/freedesktop/secrets/collection/login");
            "o"
        }
        "SearchItems" => {
            let wanted = pairs(&mut asked);
            let found = entries.iter().filter(|entry| entry.attributes == wanted);
            let found: Vec<&str> = found.map(|entry| entry.path.as_str()).collect();
            let (unlocked, locked) = if is_locked { (vec![], found) } else { (found, vec![]) };
            for paths in [unlocked, locked] {
                out.array(4, |out| paths.iter().for_each(|path| out.text(path)));
            }
            "aoao"
        }
        "Unlock" => {
            let wanted = asked.texts().unwrap();
            out.array(4, |out| wanted.iter().filter(|_| !is_locked).for_each(|path| out.text(path)));
            out.text(if is_locked { PROMPT } else { NO_PATH });
            "aoo"
        }
        "CreateItem" => {
            *made += 1;
            let entry = created(&mut asked, *made);
            entries.retain(|one| one.attributes != entry.attributes);
            out.text(&entry.path);
            out.text(NO_PATH);
            entries.push(entry);
            "oo"
        }
        "GetSecret" => {
            out.align(8);
            out.text(&asked.text().unwrap());
            out.bytes(&[]);
            out.bytes(&entries.iter().find(|entry| entry.path == path).unwrap().value);
            out.text("text/plain");
            "(oayays)"
        }
        "Delete" => {
            entries.retain(|entry| entry.path != path);
            out.text(NO_PATH);
            "o"
        }
        "Prompt" | "Dismiss" if mood.is_kwallet() => return message.answer(),
        other => panic!("{other} was called"),
    };
    message.answer().with(signature, out)
}

/// An `a{ss}` of our three attributes: key, value, key, …
fn pairs(reader: &mut Reader<'_>) -> Vec<String> {
    reader.number().unwrap();
    (0..3)
        .flat_map(|_| {
            reader.align(8).unwrap();
            [reader.text().unwrap(), reader.text().unwrap()]
        })
        .collect()
}

fn created(reader: &mut Reader<'_>, number: u32) -> Entry {
    reader.number().unwrap();
    reader.align(8).unwrap();
    assert_eq!(reader.text().unwrap(), "org.freedesktop.Secret.Item.Label");
    assert_eq!(reader.signature().unwrap(), "s");
    assert!(reader.text().unwrap().starts_with("Hostler: "));
    reader.align(8).unwrap();
    assert_eq!(reader.text().unwrap(), "org.freedesktop.Secret.Item.Attributes");
    assert_eq!(reader.signature().unwrap(), "a{ss}");
    let attributes = pairs(reader);
    reader.align(8).unwrap();
    assert_eq!(reader.text().unwrap(), "/org/freedesktop/secrets/session/1");
    reader.bytes().unwrap();
    let value = reader.bytes().unwrap().to_vec();
    assert_eq!(reader.text().unwrap(), "text/plain");
    assert_eq!(reader.number().unwrap(), 1, "an earlier one is replaced");
    Entry { path: format!("/org/freedesktop/secrets/collection/login/{number}"), attributes, value }
}
