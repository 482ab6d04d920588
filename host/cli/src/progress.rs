//! What happens while a host runs, on one of three kinds of screen.

use std::io::IsTerminal;
use std::time::Duration;

use hostler_daemon::engine::outcome::Usage;
use hostler_daemon::view::{Notice, RunView};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::context::now;
use crate::output;
use crate::page::Page;
use crate::paint::Tone;
use crate::screens::run_line::{closed_line, open_line, stamped, tells_more};
use crate::text::one_line;

/// How often the times on a terminal are brought up to date.
pub const REFRESH: Duration = Duration::from_millis(200);

/// Where notices go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Medium {
    /// A line that moves for each open run.
    Bars,
    /// Lines that stay.
    Lines,
    /// One JSON object per line.
    Json,
}

/// An open run on the screen.
struct Shown {
    run: RunView,
    last_event: Option<String>,
    bar: Option<ProgressBar>,
}

/// The screen of `host run`.
pub struct Progress {
    page: Page,
    medium: Medium,
    bars: MultiProgress,
    open: Vec<Shown>,
}

impl Progress {
    /// A screen fit for where standard output goes.
    pub fn new(page: Page, json: bool) -> Self {
        let medium = match (json, std::io::stdout().is_terminal()) {
            (true, _) => Medium::Json,
            (false, true) => Medium::Bars,
            (false, false) => Medium::Lines,
        };
        let target =
            if medium == Medium::Bars { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        Self { page, medium, bars: MultiProgress::with_draw_target(target), open: Vec::new() }
    }

    /// For the log, which has to write beside the bars.
    pub fn bars(&self) -> MultiProgress {
        self.bars.clone()
    }

    /// The runs that are not over.
    pub fn open(&self) -> Vec<&RunView> {
        self.open.iter().map(|shown| &shown.run).collect()
    }

    /// The head of the screen; not a part of the JSON.
    pub fn head(&self, text: &str) {
        if self.medium != Medium::Json {
            self.keep(text.trim_end_matches('\n'));
        }
    }

    /// One sentence of the host itself.
    pub fn say(&self, sentence: &str) {
        match self.medium {
            Medium::Bars => self.keep(sentence),
            Medium::Lines => self.keep(&stamped(&self.page, sentence)),
            Medium::Json => write_json(&Notice::Host { message: sentence.to_owned(), warning: false }),
        }
    }

    /// Shows a run that was there before this host.
    pub fn seed(&mut self, run: RunView) {
        if self.medium != Medium::Json {
            self.update(run);
        }
    }

    /// Takes in what has happened.
    pub fn take(&mut self, notice: Notice) {
        self.page.now = now();
        if self.medium == Medium::Json {
            write_json(&notice);
        }
        match notice {
            Notice::Run { run } => self.update(*run),
            Notice::Event { run, line, usage, .. } => self.event(&run, line, usage),
            Notice::Host { message, warning } if self.medium != Medium::Json => {
                let message = one_line(&message);
                self.say(&if warning { self.page.tone(Tone::Warning, &message) } else { message });
            }
            Notice::Host { .. } => {}
        }
    }

    /// Brings times up to date.
    pub fn refresh(&mut self) {
        self.page.now = now();
        for shown in &self.open {
            if let Some(bar) = &shown.bar {
                bar.set_message(open_line(&self.page, &shown.run, shown.last_event.as_deref()));
                bar.tick();
            }
        }
    }

    /// Takes everything that moves off the screen.
    pub fn clear(&mut self) {
        for shown in self.open.drain(..) {
            shown.bar.inspect(ProgressBar::finish_and_clear);
        }
    }

    fn update(&mut self, run: RunView) {
        let place = self.open.iter().position(|shown| shown.run.id == run.id);
        let before = place.map(|place| &self.open[place].run);
        if self.medium == Medium::Lines && !run.closed && tells_more(before, &run) {
            self.keep(&stamped(&self.page, &format!("  {}", open_line(&self.page, &run, None))));
        }
        if run.closed {
            if let Some(place) = place {
                self.open.remove(place).bar.inspect(ProgressBar::finish_and_clear);
            }
            let line = closed_line(&self.page, &run);
            match self.medium {
                Medium::Bars => self.keep(&line),
                Medium::Lines => self.keep(&stamped(&self.page, &line)),
                Medium::Json => {}
            }
            return;
        }
        if let Some(place) = place {
            self.open[place].run = run;
        } else {
            let bar = (self.medium == Medium::Bars).then(|| self.bars.add(spinner()));
            self.open.push(Shown { run, last_event: None, bar });
        }
        self.refresh();
    }

    fn event(&mut self, id: &str, line: String, usage: Usage) {
        if let Some(shown) = self.open.iter_mut().find(|shown| shown.run.id == id) {
            shown.last_event = Some(line);
            let earlier =
                shown.run.attempts.iter().fold(Usage::default(), |sum, attempt| sum.plus(attempt.usage));
            shown.run.usage = shown.run.usage.at_least(earlier.plus(usage));
        }
    }

    /// A line that stays.
    /// Draws no more: on a terminal that was closed, trying would end the host.
    pub fn look_away(&self) {
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn keep(&self, line: &str) {
        if self.medium == Medium::Bars && !std::io::stdout().is_terminal() {
            self.look_away();
        }
        // The host goes on working when nobody looks any more.
        let _ = self.bars.suspend(|| output::line(line));
    }
}

fn write_json(notice: &Notice) {
    // The host goes on working when nobody reads any more.
    let _ = output::json_line(notice);
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {wide_msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner()
        .with_style(style.tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", "✓"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::examples;
    use hostler_daemon::engine::time::Timestamp;

    fn lines() -> Progress {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Progress { page: page(), medium: Medium::Json, bars, open: Vec::new() }
    }

    #[test]
    fn events_add_to_what_earlier_attempts_used_and_never_take_away() {
        let mut progress = lines();
        let run = examples::waiting();
        let earlier = run.attempts[0].usage.tokens();
        let event = |tokens| Usage { input_tokens: tokens, ..Usage::default() };
        progress.update(run.clone());
        progress.event(&run.id, "Bash ls".to_owned(), event(100));
        assert_eq!(progress.open()[0].usage.tokens(), earlier + 100);
        progress.event(&run.id, "Bash ls".to_owned(), event(40));
        assert_eq!(progress.open()[0].usage.tokens(), earlier + 100);
        assert_eq!(progress.open[0].last_event.as_deref(), Some("Bash ls"));
    }

    #[test]
    fn a_run_that_is_over_leaves_the_screen() {
        let mut progress = lines();
        progress.update(examples::running());
        progress.update(RunView { closed: true, since: Timestamp(0).0, ..examples::running() });
        assert!(progress.open().is_empty());
    }
}
