//! The log on standard error, which never tears the progress bars apart.

use std::collections::BTreeMap;
use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::arguments::LogFormat;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::paint::Paint;

/// Environment variable with a filter, such as `hostler_daemon=debug`.
const VARIABLE: &str = "HOSTLER_LOG";

/// Starts the log. Lines are written while `bars` stand aside.
pub fn start(
    bars: &MultiProgress,
    form: LogFormat,
    verbosity: u8,
    environment: &BTreeMap<String, String>,
    paint: Paint,
) -> Result<(), Failure> {
    let writer = BesideBars { bars: bars.clone() };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(verbosity, environment)?)
        .with_writer(writer)
        .with_ansi(paint == Paint::Colour);
    let started = match form {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| Failure::new(Exit::Failed, format!("the log cannot be started: {error}")))
}

/// The variable if it is set, else what the flags say: details of our own crates, which
/// are `host` and `hostler_…`, only warnings of others.
fn filter(verbosity: u8, environment: &BTreeMap<String, String>) -> Result<EnvFilter, Failure> {
    if let Some(text) = environment.get(VARIABLE).filter(|text| !text.is_empty()) {
        return EnvFilter::try_new(text).map_err(|error| {
            let example = "write it like `info` or `hostler_daemon=debug`";
            Failure::new(
                Exit::Configuration,
                format!("{VARIABLE} is `{text}`, which is no filter ({error}); {example}"),
            )
        });
    }
    Ok(EnvFilter::new(match verbosity {
        0 => "warn",
        1 => "warn,host=info",
        _ => "info,host=debug",
    }))
}

/// Writes to standard error while the bars are hidden.
#[derive(Clone)]
struct BesideBars {
    bars: MultiProgress,
}

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

impl<'a> MakeWriter<'a> for BesideBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_variable_beats_the_flags_and_must_make_sense() {
        let with = |text: &str| BTreeMap::from([(VARIABLE.to_owned(), text.to_owned())]);
        assert_eq!(filter(2, &with("error")).unwrap().to_string(), "error");
        assert_eq!(filter(0, &with("")).unwrap().to_string(), "warn");
        let refused = filter(0, &with("hostler=loud")).unwrap_err();
        assert_eq!(refused.exit, Exit::Configuration);
        assert!(refused.to_string().starts_with("HOSTLER_LOG is `hostler=loud`"), "{refused}");
    }
}
