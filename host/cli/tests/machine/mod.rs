//! A machine for tests of the whole program.
#![allow(dead_code)] // each test program uses its part

use assert_cmd::Command;
use tempfile::TempDir;

/// The manifest of a provider.
pub const CODER: &str = r#"
[plugin]
id = "coder"
name = "Coder"
version = "0.1.0"
contract = "hostler:plugin@0.1.0"
description = "A coding CLI for tests."
[program]
name = "coder-for-tests"
version = ["--version"]
[program.commands.start]
args = ["{prompt}"]
"#;

/// A machine of its own: nothing of the real one is read or written.
pub struct Machine {
    place: TempDir,
    variables: Vec<(String, String)>,
}

impl Machine {
    /// With an empty folder to work in.
    pub fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(place.path().join("config/hostler")).unwrap();
        std::fs::create_dir_all(place.path().join("work")).unwrap();
        Self { place, variables: Vec::new() }
    }

    /// A path on this machine.
    pub fn path(&self, below: &str) -> std::path::PathBuf {
        self.place.path().join(below)
    }

    /// The program, ready to start.
    pub fn host(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("host").unwrap();
        command.env_clear().env("HOME", self.place.path()).env("PATH", "/usr/bin:/bin");
        for (name, folder) in [("CONFIG", "config"), ("STATE", "state"), ("DATA", "data"), ("CACHE", "cache")]
        {
            command.env(format!("XDG_{name}_HOME"), self.path(folder));
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command.current_dir(self.path("work")).args(args);
        command
    }

    /// Exit code, standard output, standard error with the machine's folder left out.
    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.host(args).output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&self.place.path().display().to_string(), "~")
        };
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Sets a variable for every later start.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.into()));
    }
}

/// One sentence on standard error, nothing on standard output, this exit code.
pub fn assert_fails(machine: &Machine, args: &[&str], code: i32, parts: &[&str]) {
    let (exit, out, err) = machine.run(args);
    assert_eq!((exit, out.as_str()), (code, ""), "{args:?}: {err}");
    assert!(err.starts_with("host: ") && err.trim_end().lines().count() == 1, "{args:?}: {err}");
    for part in parts {
        assert!(err.contains(part), "{args:?}: no `{part}` in {err}");
    }
}
