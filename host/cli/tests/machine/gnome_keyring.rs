//! The real keyring of GNOME on a private bus, where it is installed.
#![allow(clippy::unwrap_used, dead_code)] // each test program uses its part

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::dbus::{Bus, Message, Reader, Writer};

/// How long it may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running keyring; it ends with the test.
pub struct GnomeKeyring(Child);

impl Drop for GnomeKeyring {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl GnomeKeyring {
    /// As after a login, with its files in this folder. `None`, said aloud, where it is
    /// not installed.
    pub fn unlocked(address: &str, folder: &Path) -> Option<Self> {
        let mut started = Self::start(address, folder, &["--unlock"])?;
        started.0.stdin.take().unwrap().write_all(b"password of the login").unwrap();
        wait_until("it has a collection", || default_collection(address));
        Some(started)
    }

    /// As where nobody gave it a password.
    pub fn locked(address: &str, folder: &Path) -> Option<Self> {
        let started = Self::start(address, folder, &[])?;
        wait_until("it has a collection", || default_collection(address));
        Some(started)
    }

    fn start(address: &str, folder: &Path, how: &[&str]) -> Option<Self> {
        let daemon = Command::new("gnome-keyring-daemon")
            .args(how)
            .args(["--components=secrets", "--foreground"])
            .env("DBUS_SESSION_BUS_ADDRESS", address)
            .envs(["HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"].map(|name| (name, folder)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        daemon.inspect_err(|error| eprintln!("skipped: no gnome-keyring-daemon ({error})")).ok().map(Self)
    }

    /// It answers nobody from here on.
    pub fn hang(&self) {
        let stopped = Command::new("kill").args(["-STOP", &self.0.id().to_string()]).status();
        assert!(stopped.unwrap().success());
    }
}

/// Whether it answers, and has somewhere to keep things.
fn default_collection(address: &str) -> bool {
    let Ok(mut bus) = Bus::connect(address, PATIENCE) else { return false };
    let mut alias = Writer::default();
    alias.text("default");
    let service = "org.freedesktop.secrets";
    let ask =
        Message::call(service, "/org/freedesktop/secrets", "org.freedesktop.Secret.Service", "ReadAlias");
    let answer = bus.call(ask.with("s", alias));
    answer.is_ok_and(|answer| Reader::new(&answer).text().is_ok_and(|path| path != "/"))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "the keyring of GNOME: {what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
