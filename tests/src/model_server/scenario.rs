//! What the model service does, written as a segment of the URL's path:
//! `429,times=2,id=7`.

use std::fmt::{self, Display, Write};
use std::str::FromStr;

/// What the service answers to the turns of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    name: String,
    /// The fault of that name; none for `success`, `text` and `bash`.
    fault: Option<Fault>,
    times: Option<u32>,
    after: Option<u32>,
    id: Option<String>,
    /// The text of the last turn.
    pub(super) text: Option<String>,
    /// A command to run with the CLI's shell tool, instead of writing a file.
    pub(super) cmd: Option<String>,
    /// Seconds after which the client may try again.
    pub(super) retry: u32,
    /// Seconds until the quota is back.
    pub(super) reset: u32,
    /// Where the file is written.
    pub(super) folder: Option<String>,
}

/// What goes wrong with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection closes in the middle of the answer.
    Cut,
    /// No answer comes.
    Hang,
    /// The service answers with an error of this HTTP status or kind.
    Refused(Refusal),
}

/// An error the service answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 401.
    Unauthorized,
    /// 429, too many requests.
    RateLimited,
    /// 429, the plan's limit is reached.
    Quota,
    /// 500.
    Internal,
    /// 529.
    Overloaded,
}

/// A scenario that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No scenario has this name.
    #[error(
        "no scenario is called `{0}`; there are success, text, bash, 401, 429, quota, 500, 529, hang and cut"
    )]
    Name(String),
    /// No scenario has this key.
    #[error(
        "`{0}` is no key of a scenario with a value that fits; keys are times, after, id, text, cmd, retry, reset and folder"
    )]
    Key(String),
}

impl Scenario {
    /// Writes `hello.txt` and ends well.
    pub fn success() -> Self {
        Self::without_fault("success")
    }

    /// Ends well with a text at once.
    pub fn text(text: &str) -> Self {
        let mut scenario = Self::without_fault("text");
        scenario.text = Some(text.to_owned());
        scenario
    }

    /// Runs a command with the shell tool and ends well.
    pub fn bash(command: &str) -> Self {
        let mut scenario = Self::without_fault("bash");
        scenario.cmd = Some(command.to_owned());
        scenario
    }

    /// A scenario by its name: those above, or a fault.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let fault = match name {
            "success" | "text" | "bash" => None,
            "401" => Some(Fault::Refused(Refusal::Unauthorized)),
            "429" => Some(Fault::Refused(Refusal::RateLimited)),
            "quota" => Some(Fault::Refused(Refusal::Quota)),
            "500" => Some(Fault::Refused(Refusal::Internal)),
            "529" => Some(Fault::Refused(Refusal::Overloaded)),
            "hang" => Some(Fault::Hang),
            "cut" => Some(Fault::Cut),
            other => return Err(ScenarioError::Name(other.to_owned())),
        };
        let mut scenario = Self::without_fault(name);
        scenario.fault = fault;
        Ok(scenario)
    }

    fn without_fault(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            fault: None,
            times: None,
            after: None,
            id: None,
            text: None,
            cmd: None,
            retry: 1,
            reset: 7200,
            folder: None,
        }
    }

    /// Only the first `turns` go wrong.
    pub fn times(mut self, turns: u32) -> Self {
        self.times = Some(turns);
        self
    }

    /// The first `turns` go well.
    pub fn after(mut self, turns: u32) -> Self {
        self.after = Some(turns);
        self
    }

    /// Counts turns apart from other uses of the same scenario.
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// Seconds after which the client may try again.
    pub fn retry(mut self, seconds: u32) -> Self {
        self.retry = seconds;
        self
    }

    /// Seconds until the quota is back.
    pub fn reset(mut self, seconds: u32) -> Self {
        self.reset = seconds;
        self
    }

    /// The folder `hello.txt` is written to.
    pub fn folder(mut self, folder: &str) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Whether it ends with its first turn.
    pub(super) fn is_only_text(&self) -> bool {
        self.name == "text"
    }

    /// What goes wrong with the turn of this number, counted from 0.
    pub(super) fn fault_at(&self, number: u32) -> Option<Fault> {
        let spared = self.after.is_some_and(|after| number < after);
        let over = self.times.is_some_and(|times| number >= times);
        self.fault.filter(|_| !spared && !over)
    }

    fn set(&mut self, pair: &str) -> Result<(), ScenarioError> {
        let wrong = || ScenarioError::Key(pair.to_owned());
        let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
        let value = decoded(value).ok_or_else(wrong)?;
        let number = || value.parse().map_err(|_| wrong());
        match key {
            "times" => self.times = Some(number()?),
            "after" => self.after = Some(number()?),
            "retry" => self.retry = number()?,
            "reset" => self.reset = number()?,
            "id" => self.id = Some(value),
            "text" => self.text = Some(value),
            "cmd" => self.cmd = Some(value),
            "folder" => self.folder = Some(value),
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        let mut parts = text.split(',');
        let mut scenario = Self::named(parts.next().unwrap_or_default())?;
        for pair in parts {
            scenario.set(pair)?;
        }
        Ok(scenario)
    }
}

impl Display for Scenario {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        let numbers = [
            ("times", self.times),
            ("after", self.after),
            ("retry", Some(self.retry).filter(|seconds| *seconds != 1)),
            ("reset", Some(self.reset).filter(|seconds| *seconds != 7200)),
        ];
        for (key, value) in numbers {
            if let Some(value) = value {
                write!(out, ",{key}={value}")?;
            }
        }
        let texts = [("id", &self.id), ("text", &self.text), ("cmd", &self.cmd), ("folder", &self.folder)];
        for (key, value) in texts {
            if let Some(value) = value {
                write!(out, ",{key}={}", encoded(value))?;
            }
        }
        Ok(())
    }
}

/// Splits `/s/SCENARIO/REST?QUERY` into `SCENARIO` and `/REST`; any other path plays `success`.
pub(super) fn split_path(target: &str) -> (&str, &str) {
    let path = target.split('?').next().unwrap_or_default();
    path.strip_prefix("/s/")
        .and_then(|rest| rest.find('/').map(|at| rest.split_at(at)))
        .unwrap_or(("success", path))
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (hex, tail) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_scenario_survives_its_way_through_a_url() {
        for scenario in [
            Scenario::success().folder("/tmp/a b,c/ü"),
            Scenario::text("done, 100%").id("x/y"),
            Scenario::bash("echo 'a=b' > c && ls"),
            Scenario::named("429").unwrap().times(2).after(1).retry(9),
            Scenario::named("quota").unwrap().reset(60),
        ] {
            let text = scenario.to_string();
            assert!(!text.contains(['/', ' ', '?']), "{text}");
            assert_eq!(text.parse::<Scenario>().unwrap(), scenario);
        }
    }

    #[test]
    fn a_name_or_key_that_does_not_exist_is_told() {
        assert_eq!("418".parse::<Scenario>(), Err(ScenarioError::Name("418".to_owned())));
        for pair in ["time=1", "times=x", "id=%2", "id"] {
            assert_eq!(format!("401,{pair}").parse::<Scenario>(), Err(ScenarioError::Key(pair.to_owned())));
        }
    }

    #[test]
    fn the_path_falls_into_scenario_and_route() {
        assert_eq!(split_path("/s/401,id=1/v1/messages?beta=true"), ("401,id=1", "/v1/messages"));
        assert_eq!(split_path("/v1/messages"), ("success", "/v1/messages"));
    }
}
