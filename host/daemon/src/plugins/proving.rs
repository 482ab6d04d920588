//! Compiling a plugin that is about to be installed, and trying it out, in a process of
//! its own with limits on everything: what a stranger wrote must not take the machine.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hostler_components::{Digest, Kind, Manifest, Plugin};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;

use crate::home::Home;
use crate::plugins::{FieldType, runtime};

/// What a plugin may take while it is compiled and tried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofLimits {
    /// Bytes of memory.
    pub memory: u64,
    /// Processor time, of all threads together; whole seconds.
    pub processor: Duration,
    /// Time by the clock on the wall.
    pub wall: Duration,
}

/// Memory for compiling in bytes. Measured on two processors it is 45 MiB and 27 to 31
/// times the file: 57 to 72 MiB for the plugins of this repository, 524 MiB for one as
/// large as Python's guests (18 MiB), so the largest file that is read at all stays below.
pub const PROOF_MEMORY: u64 = 2 << 30;

/// Processor time for compiling: one second for a plugin of this repository, 34 seconds
/// for 18 MiB, both measured with a compiler that is not fully optimised.
pub const PROOF_PROCESSOR: Duration = Duration::from_mins(2);

/// Time for compiling by the clock on the wall: a busy machine gets as much again.
pub const PROOF_WALL: Duration = Duration::from_mins(4);

/// Most of what the process says that is read, in bytes: one sentence is far less.
const SAID_BYTES: u64 = 16 * 1024;

/// How often it is looked whether the process has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What the process says when all is well, before the digest.
const PROVEN: &str = "proven ";

/// What it says otherwise, before the reason.
const REFUSED: &str = "refused ";

impl ProofLimits {
    /// The limits here and now: never more than this process has itself.
    pub fn here() -> Self {
        let least = |resource, wanted: u64| {
            let own = getrlimit(resource);
            own.current.into_iter().chain(own.maximum).fold(wanted, u64::min)
        };
        Self {
            memory: least(Resource::Data, PROOF_MEMORY),
            processor: Duration::from_secs(least(Resource::Cpu, PROOF_PROCESSOR.as_secs())),
            wall: PROOF_WALL,
        }
    }

    /// Holds this process to them, for ever. Address space stays unlimited, for native
    /// code depends on how much of it there is; memory that is written to is counted.
    fn hold(self) -> io::Result<()> {
        let hold =
            |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
        hold(Resource::Core, 0)?;
        hold(Resource::Data, self.memory)?;
        hold(Resource::Cpu, self.processor.as_secs())?;
        Ok(())
    }
}

/// Why a plugin is not proven.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It cannot be used.
    #[error("the plugin {} cannot be used: {reason}", file.display())]
    Refused {
        /// The file it came from.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// It took too much.
    #[error("compiling {} needed more than {limit}; get a smaller build of it, without debug information", file.display())]
    TooMuch {
        /// The file it came from.
        file: PathBuf,
        /// Of what.
        limit: String,
    },
    /// The process ended in another way.
    #[error("compiling {} broke off ({how}); report this to the plugin's author", file.display())]
    BrokeOff {
        /// The file it came from.
        file: PathBuf,
        /// How it ended.
        how: String,
    },
    /// There is no process.
    #[error("no process could be started to compile {} in ({problem}); check the limits on processes and the folder of plugins", file.display())]
    NotStarted {
        /// The file it came from.
        file: PathBuf,
        /// Why.
        problem: io::Error,
    },
}

/// Starts the process that proves a plugin.
#[derive(Clone, Debug)]
pub struct Prover {
    /// Program and leading arguments; the plugin's file is added.
    pub command: Vec<PathBuf>,
    /// What it may take.
    pub limits: ProofLimits,
}

impl Prover {
    /// Has a staged file compiled and tried out. `source` is what people call it, and
    /// beside the staged file is room for what the process says. Blocks.
    pub fn prove(&self, staged: &Path, source: &Path, digest: &Digest) -> Result<(), ProofError> {
        let not_started = |problem| ProofError::NotStarted { file: source.to_owned(), problem };
        let (out, err) = (staged.with_extension("out"), staged.with_extension("err"));
        let mut child = self.start(staged, &out, &err).map_err(not_started)?;
        let status = wait(&mut child, self.limits.wall).map_err(not_started)?;
        let answer = Answer { status, said: read(&out), complained: read(&err) };
        answer.judge(source, digest, self.limits)
    }

    fn start(&self, staged: &Path, out: &Path, err: &Path) -> io::Result<Child> {
        let mut words = self.command.iter();
        let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
        Command::new(program)
            .args(words)
            .arg(staged)
            .stdin(Stdio::null())
            .stdout(File::create(out)?)
            .stderr(File::create(err)?)
            .spawn()
    }
}

/// Waits for the end of a process, and makes one at its limit; `None` is the limit.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if since.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SAID_BYTES).read_to_end(&mut bytes));
    // Who said nothing that can be read has proven nothing.
    read.map(|_| String::from_utf8_lossy(&bytes).trim().to_owned()).unwrap_or_default()
}

/// How the process ended.
struct Answer {
    status: Option<ExitStatus>,
    said: String,
    complained: String,
}

impl Answer {
    fn judge(self, source: &Path, digest: &Digest, limits: ProofLimits) -> Result<(), ProofError> {
        let file = source.to_owned();
        let too_much = |limit: String| ProofError::TooMuch { file: file.clone(), limit };
        let Some(status) = self.status else {
            return Err(too_much(format!("{} seconds", limits.wall.as_secs())));
        };
        if self.said == format!("{PROVEN}{digest}") && status.success() {
            return Ok(());
        }
        if status.signal() == Some(Signal::XCPU.as_raw()) || status.signal() == Some(Signal::KILL.as_raw()) {
            let seconds = limits.processor.as_secs();
            return Err(too_much(format!("{seconds} seconds of processor time")));
        }
        let no_memory = ["memory allocation of", "Cannot allocate memory"];
        if no_memory.iter().any(|words| self.complained.contains(words) || self.said.contains(words)) {
            return Err(too_much(format!("{} MiB of memory", limits.memory >> 20)));
        }
        match self.said.strip_prefix(REFUSED) {
            Some(reason) => Err(ProofError::Refused { file, reason: reason.to_owned() }),
            None => Err(ProofError::BrokeOff { file, how: how(status, &self.complained) }),
        }
    }
}

fn how(status: ExitStatus, complained: &str) -> String {
    match complained.lines().next_back() {
        Some(line) => format!("{status}: {line}"),
        None => status.to_string(),
    }
}

/// What the process does: holds itself to the limits, compiles the file, makes an
/// instance and calls it once. Gives the line to print, and whether all is well.
pub fn prove_here(home: &Home, file: &Path) -> (String, bool) {
    let proven = ProofLimits::here()
        .hold()
        .map_err(|error| format!("the limits for compiling cannot be set ({error})"))
        .and_then(|()| runtime(home).map_err(|error| error.to_string()))
        .and_then(|runtime| runtime.load(file).map_err(|error| error.refusal.to_string()))
        .and_then(|plugin| try_out(&plugin).map(|()| plugin.digest()));
    match proven {
        Ok(digest) => (format!("{PROVEN}{digest}"), true),
        Err(reason) => (format!("{REFUSED}{reason}"), false),
    }
}

/// One call of each kind that says nothing to anybody: whatever it answers is fine, as
/// long as it answers.
fn try_out(plugin: &Plugin) -> Result<(), String> {
    for kind in plugin.kinds() {
        let failed = match kind {
            Kind::Provider => plugin.detect("").err(),
            Kind::Tracker => plugin.connect(&sample_config(plugin.manifest()), None).err(),
        };
        if let Some(error) = failed {
            return Err(format!("it fails at its first call: {error}"));
        }
    }
    Ok(())
}

/// A configuration of the right types: defaults, and something empty for what has none.
fn sample_config(manifest: &Manifest) -> String {
    let empty = |kind| match kind {
        FieldType::String => Value::from(""),
        FieldType::Integer | FieldType::Number => Value::from(0),
        FieldType::Boolean => Value::from(false),
        FieldType::List => Value::Array(Vec::new()),
    };
    let shown = manifest.config.iter().filter(|(_, field)| !field.secret);
    let fields = shown.filter_map(|(name, field)| {
        let needed = field.required.then(|| empty(field.kind));
        Some((name.clone(), field.default.clone().or(needed)?))
    });
    Value::Object(fields.collect()).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIMITS: ProofLimits =
        ProofLimits { memory: PROOF_MEMORY, processor: PROOF_PROCESSOR, wall: Duration::from_mins(1) };

    /// What comes of it when the process does what a shell script says; `$1` is the file.
    fn proves(script: &str, limits: ProofLimits) -> Result<(), ProofError> {
        let place = tempfile::tempdir().unwrap();
        let staged = place.path().join("staged.wasm");
        std::fs::write(&staged, "x").unwrap();
        let command = ["/bin/sh", "-c", script, "sh"].map(PathBuf::from).to_vec();
        Prover { command, limits }.prove(&staged, Path::new("/their/demo.wasm"), &Digest::of(b"demo"))
    }

    #[test]
    fn only_the_right_digest_and_a_good_end_prove_a_plugin() {
        let digest = Digest::of(b"demo");
        proves(&format!("test -f \"$1\" && echo proven {digest}"), LIMITS).unwrap();
        for script in [
            format!("echo proven {digest}; exit 1"),
            format!("echo proven {}", Digest::of(b"other")),
            "true".to_owned(),
        ] {
            let error = proves(&script, LIMITS).unwrap_err();
            assert!(matches!(error, ProofError::BrokeOff { .. }), "{script}: {error}");
        }
    }

    #[test]
    fn what_went_wrong_is_told_by_its_true_name() {
        let error = |script: &str| proves(script, LIMITS).unwrap_err().to_string();
        let refused = error("echo refused it has no head; exit 1");
        assert_eq!(refused, "the plugin /their/demo.wasm cannot be used: it has no head");
        let memory = error("echo memory allocation of 12 bytes failed >&2; kill -ABRT $$");
        assert!(
            memory.contains("compiling /their/demo.wasm needed more than 2048 MiB of memory"),
            "{memory}"
        );
        let processor = error("kill -XCPU $$");
        assert!(processor.contains("more than 120 seconds of processor time"), "{processor}");
        let other = error("echo whoops >&2; kill -SEGV $$");
        assert!(other.contains("broke off") && other.contains("whoops"), "{other}");
    }

    #[test]
    fn a_process_that_does_not_end_is_ended_at_its_limit() {
        let place = tempfile::tempdir().unwrap();
        let note = place.path().join("pid");
        let script = format!("echo $$ > '{}'; exec sleep 300", note.display());
        let error = proves(&script, ProofLimits { wall: Duration::from_secs(1), ..LIMITS }).unwrap_err();
        assert!(error.to_string().contains("more than 1 seconds;"), "{error}");
        let pid: i32 = std::fs::read_to_string(note).unwrap().trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        assert_eq!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH));
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let place = tempfile::tempdir().unwrap();
        let prover = Prover { command: vec![place.path().join("nothing")], limits: LIMITS };
        let error = prover.prove(&place.path().join("a.wasm"), Path::new("a.wasm"), &Digest::of(b""));
        assert!(matches!(error, Err(ProofError::NotStarted { .. })));
    }

    #[test]
    fn a_sample_configuration_has_what_is_required_and_no_secret() {
        let manifest = Manifest::parse(
            "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"1.0.0\"\n\
             contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n\
             [config.path]\ntype = \"string\"\ndefault = \"tasks\"\n\
             [config.token]\ntype = \"string\"\nsecret = true\nrequired = true\n\
             [config.depth]\ntype = \"integer\"\nrequired = true\n[config.tags]\ntype = \"list\"\n",
        );
        assert_eq!(sample_config(&manifest.unwrap()), r#"{"depth":0,"path":"tasks"}"#);
    }
}
