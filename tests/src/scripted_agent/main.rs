//! The program's way from its first instruction to its end.

use std::path::PathBuf;

use super::answers;
use super::children;
use super::ending::{self, Ending};
use super::locate::{self, Invocation};
use super::output;
use super::player::Player;
use super::script::{Script, ScriptError};
use super::starts::{self, Arrival, StartLog, StartsError};
use super::step::Stream;

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("no script: looked for {}", list(.0))]
    NoScript(Vec<PathBuf>),
    #[error("cannot tell the working folder: {0}")]
    NoFolder(std::io::Error),
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error(transparent)]
    Log(#[from] StartsError),
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
}

/// The scripted agent's `main`: plays the script of this start and never returns.
pub fn main() -> ! {
    let argv: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let [_, role, description] = argv.as_slice()
        && role == children::ROLE
    {
        match children::live(description) {
            Ok(()) => std::process::exit(0),
            Err(error) => ending::fail(None, &error),
        }
    }
    match start(argv) {
        Ok((ending, log)) => match log {
            Some(log) => ending.carry_out(&log),
            None => std::process::exit(match ending {
                Ending::Exit(code) => code.into(),
                Ending::Signal(_) => ending::BROKEN_SCRIPT.into(),
            }),
        },
        Err(error) => ending::fail(None, &error),
    }
}

fn start(command_line: Vec<String>) -> Result<(Ending, Option<StartLog>), StartError> {
    let started = invocation()?;
    let name = locate::called_name(&started);
    let args = command_line.get(1..).unwrap_or_default();
    let places = locate::candidates(&started);
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        // Asked for its version, a CLI answers wherever it lies.
        return match answers::answer(&Script::new(), &name, args) {
            Some(answer) => Ok((reply(&answer)?, None)),
            None => Err(StartError::NoScript(places)),
        };
    };
    let script = Script::load(path)?;
    let shared = path.parent().unwrap_or(&started.cwd).to_owned();
    let log = match &script.log {
        Some(log) => shared.join(log),
        None => locate::log_beside(path),
    };
    if let Some(answer) = answers::answer(&script, &name, args) {
        starts::record_question(&log, command_line)?;
        return Ok((reply(&answer)?, None));
    }
    let arrival = Arrival {
        env: std::env::vars_os()
            .map(|(name, value)| {
                let text = |os: &std::ffi::OsStr| os.to_string_lossy().into_owned();
                (text(&name), text(&value))
            })
            .collect(),
        cwd: started.cwd.clone(),
        argv: command_line.clone(),
    };
    let (log, attempt) = StartLog::arrive(&log, script.counting, &arrival)?;
    let folder = started.cwd.to_string_lossy().into_owned();
    let steps = match script.steps_for(attempt, &folder, args) {
        Ok(steps) => steps,
        Err(error) => ending::fail(Some(&log), &error),
    };
    let player = Player { shared, cwd: started.cwd, log: log.clone() };
    match player.play(steps) {
        Ok(ending) => Ok((ending.unwrap_or(Ending::Exit(0)), Some(log))),
        Err(error) => ending::fail(Some(&log), &error),
    }
}

fn invocation() -> Result<Invocation, StartError> {
    Ok(Invocation {
        named: std::env::var_os("SCRIPTED_AGENT"),
        program: std::env::args_os().next().map(PathBuf::from),
        search_path: std::env::var_os("PATH"),
        executable: std::env::current_exe().ok(),
        cwd: std::env::current_dir().map_err(StartError::NoFolder)?,
    })
}

fn reply(answer: &super::script::Answer) -> Result<Ending, StartError> {
    output::print(Stream::Stdout, answer.stdout.as_bytes())?;
    output::print(Stream::Stderr, answer.stderr.as_bytes())?;
    Ok(Ending::Exit(answer.exit))
}

fn list(places: &[PathBuf]) -> String {
    let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
    places.join(", ")
}
