//! A machine whose tracker asks for whatever a test wants to see refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hostler_tests::scripted_agent::{Installed, Script};
use hostler_tests::{HostProcess, PATIENCE, built, wait_until};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::stage::{LONG, Stage};

/// An entry of the audit log about a refusal.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Told {
    plugin: String,
    effect: String,
    reason: String,
}

impl Told {
    pub fn of(plugin: &str, effect: &str, reason: &str) -> Self {
        let [plugin, effect, reason] = [plugin, effect, reason].map(str::to_owned);
        Self { plugin, effect, reason }
    }
}

/// A machine with the asking tracker; Claude Code plays a script.
pub struct Machine {
    pub stage: Stage,
    pub agent: Installed,
}

impl Machine {
    /// The tracker talks to the server at `url`, and asks for no right of the tables
    /// `without`.
    pub fn new(url: &str, without: &[&str], script: &Script) -> Self {
        let (stage, agent) = Stage::with_claude(script);
        let mut plugin = fs::read(built::guest("asker").unwrap_or_else(|error| panic!("{error}"))).unwrap();
        for table in without {
            blank(&mut plugin, &format!("[[{table}]]"));
        }
        fs::write(stage.sandbox.folder().join("data/hostler/plugins/asker.wasm"), plugin).unwrap();
        stage.allow("asker");
        for folder in ["tasks", "notes", "others"] {
            fs::create_dir_all(stage.repository.path().join(folder)).unwrap();
        }
        let machine = Self { stage: stage.under_policy(""), agent };
        machine.asks(url, &json!([]), &Value::Null);
        machine
    }

    /// What the tracker asks for, and the wishes of the task that it offers then.
    pub fn asks(&self, url: &str, asks: &Value, offers: &Value) {
        let (asks, offers) = (asks.to_string(), offers.to_string());
        self.stage.sandbox.configure(&format!(
            "[tracker.asker]\nurl = '{url}'\ntoken = 'walk-token-4711'\nasks = '{asks}'\noffers = '{offers}'\n"
        ));
    }

    /// The file of grants.
    pub fn grants(&self) -> PathBuf {
        self.stage.sandbox.folder().join("config/hostler/grants.toml")
    }

    pub fn start(&self) -> HostProcess {
        self.stage.start(&["--plugin", "asker"])
    }

    /// What the tracker was answered to each thing it asked for.
    pub fn answers(host: &HostProcess, count: usize) -> Vec<String> {
        let answer = |number: usize, said: &str| {
            let said = said.lines().find_map(|line| line.split_once(&format!("asked {number}: ")));
            said.map(|(_, answer)| answer.to_owned())
        };
        wait_until(PATIENCE, "everything is answered", || {
            let said = host.stdout();
            let answers = (0..count).map(|number| answer(number, &said)).collect::<Option<Vec<_>>>();
            answers.ok_or_else(|| format!("{said}\n{}", host.stderr()))
        })
    }

    /// How often something was refused, by reason, as the host counts it.
    pub fn counted(&self) -> BTreeMap<String, usize> {
        let status = self.stage.sandbox.host(&["status", "--json"]).stdout;
        let mut status: Value = serde_json::from_str(&status).unwrap_or_default();
        serde_json::from_value(status["denied"].take()).unwrap_or_default()
    }

    /// The refusals that the audit log tells of.
    pub fn told(&self) -> Vec<Told> {
        let listed = self.stage.sandbox.host(&["audit", "--kind", "denied", "--json"]).stdout;
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until a refusal is counted and told.
    pub fn wait_for(&self, plugin: &str, effect: &str, reason: &str, host: &HostProcess) {
        let wanted = Told::of(plugin, effect, reason);
        wait_until(PATIENCE, &format!("{reason} is counted and told"), || {
            if self.counted().contains_key(reason) && self.told().contains(&wanted) {
                return Ok(());
            }
            Err(format!("{} {}", host.stdout(), host.stderr()))
        });
    }

    /// Ends a host, and its log is whole.
    pub fn end(&self, mut host: HostProcess) {
        host.terminate();
        host.wait(LONG);
        let verified = self.stage.sandbox.host(&["audit", "verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
}

/// Overwrites every table of a manifest with this head by blanks, through its reason,
/// which comes last: no section of the component becomes longer or shorter.
fn blank(plugin: &mut [u8], head: &str) {
    while let Some(at) = find(plugin, head.as_bytes()) {
        let table = &mut plugin[at..];
        let reason = find(table, b"\nreason = ").unwrap();
        let line = find(&table[reason + 1..], b"\n").unwrap();
        table[..=reason + line].fill(b' ');
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
