//! What a provider plugin makes of recorded output: for plugin authors, and for
//! people who wonder why a run was read the way it was.

use std::path::Path;
use std::sync::Arc;

use hostler_components::job::{ExitStatus, Job, SessionOutput, StreamName};
use hostler_engine::event::Event;
use hostler_engine::outcome::Outcome;
use hostler_engine::plan::Permission;
use serde::Serialize;

use crate::attempt::reading::replay;
use crate::failure::Failure;
use crate::plugins::{Kind, Runtime};

/// Recorded output of a CLI.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Its exit code; 0 if nothing else is known.
    pub exit: i32,
}

/// What the plugin made of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// In order: standard error first, as a recording does not say when it came.
    pub events: Vec<Event>,
    /// How the attempt ended.
    pub outcome: Outcome,
}

/// Gives a recording to a provider plugin. No grant is needed: nothing is started.
pub async fn try_provider(runtime: &Runtime, file: &Path, recording: Recording) -> Result<Trial, Failure> {
    let (loader, path) = (runtime.clone(), file.to_owned());
    let plugin = crate::blocking::run(move || loader.load(&path)).await??;
    if !plugin.kinds().contains(&Kind::Provider) {
        let remedy = "name a provider, such as `claude-code`";
        return Err(Failure::WrongKind { file: file.to_owned(), wanted: Kind::Provider.name(), remedy });
    }
    let job = Job {
        prompt: String::new(),
        prompt_file: String::new(),
        cwd: String::new(),
        session: None,
        permission: Permission::Safe,
        model: None,
        attempt: 1,
        config: "{}".to_owned(),
    };
    let output = [(StreamName::Stderr, recording.stderr), (StreamName::Stdout, recording.stdout)];
    let exit = ExitStatus { code: Some(recording.exit), signal: None, ended_by_host: None };
    let (outputs, outcome) = replay(Arc::clone(&plugin), job, &output, exit).await?;
    let events = outputs.into_iter().filter_map(|output| match output {
        SessionOutput::Event(event) => Some(event),
        _ => None,
    });
    Ok(Trial { events: events.collect(), outcome })
}
