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
    let mut owned = Writer::default();
    owned.text(BUS_NAME);
    owned.number(0);
    let daemon = "org.freedesktop.DBus";
    let request = Message::call(daemon, "/org/freedesktop/DBus", daemon, "RequestName");
    bus.call(request.with("su", owned)).unwrap();
    bus
}

/// Plays one that ends as soon as it is asked something.
pub fn play_the_end(address: &str) -> std::thread::JoinHandle<()> {
    let mut bus = service(address);
    std::thread::spawn(move || while bus.receive().unwrap().kind != CALL {})
}

/// Plays a Secret Service, by its specification, until the bus is gone.
pub fn play(address: &str, is_locked: bool) -> std::thread::JoinHandle<()> {
    let mut bus = service(address);
    std::thread::spawn(move || {
        let mut entries: Vec<Entry> = Vec::new();
        let mut made = 0;
        while let Ok(message) = bus.receive() {
            if message.kind == CALL {
                let answer = serve(&message, &mut entries, &mut made, is_locked);
                bus.send(answer).unwrap();
            }
        }
    })
}

fn serve(message: &Message, entries: &mut Vec<Entry>, made: &mut u32, is_locked: bool) -> Message {
    let mut asked = Reader::new(&message.body);
    let mut out = Writer::default();
    let (path, member) = message.called();
    let signature = match member {
        "OpenSession" => {
            assert_eq!(asked.text().unwrap(), "plain");
            out.variant("s", "");
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
            out.text(if is_locked { "/org/freedesktop/secrets/prompt/1" } else { NO_PATH });
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
    assert!(reader.text().unwrap().starts_with("text/plain"));
    assert_eq!(reader.number().unwrap(), 1, "an earlier one is replaced");
    Entry { path: format!("/org/freedesktop/secrets/collection/login/{number}"), attributes, value }
}
