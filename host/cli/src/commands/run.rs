//! `host run`.

use std::process::ExitCode;

use hostler_daemon::history::History;
use hostler_daemon::view::Notice;
use hostler_daemon::{Host, Stopper, Summary};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::plugin::installed;
use crate::arguments::RunArgs;
use crate::config::fields::Role;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::grant;
use crate::log;
use crate::progress::{Progress, REFRESH};
use crate::screens::observed::{OBSERVING, draw_observed};
use crate::screens::ready::draw_ready;
use crate::screens::run_line::{STOPPING, draining_line, summary_line};
use crate::setup::{Chosen, Setup};

/// Open runs of an earlier start that are shown at once.
const MOST_SEEDED: u32 = 100;

/// Takes tasks from a tracker and works on them, until stopped.
pub async fn run(args: &RunArgs, context: &Context) -> Result<ExitCode, Failure> {
    let page = context.page();
    let mut progress = Progress::new(page.clone(), args.json);
    let log_paint = crate::paint::Paint::choose(stderr_is_terminal(), &context.environment);
    log::start(&progress.bars(), args.log_format, args.verbose, &context.environment, log_paint)?;
    let setup = Setup::read(&args.settings, context)?;
    let (tracker, providers) = (setup.tracker(context)?, setup.providers(context)?);
    let settings = setup.settings(&tracker, &providers, args.once, context)?;
    let instead = log_secrets(&setup, &tracker, &providers)?;
    let plugins: Vec<&Chosen> = std::iter::once(&tracker).chain(&providers).collect();
    grant::ensure(&plugins, context, &page)?;
    let waiting = installed::waiting(&plugins, context)?;
    // Only from here on is there something to drain: Ctrl-C at the question just ends.
    let mut signals = Signals::listen()?;
    let (mut host, ready) = Host::start(settings).await?;
    progress.head(&draw_ready(&page, &ready));
    let observing = setup.network.observe.value.then(|| OBSERVING.to_owned());
    let doubts = setup
        .configuration
        .signatures
        .value
        .doubt()
        .into_iter()
        .chain(instead)
        .chain(ready.doubts)
        .chain(waiting)
        .chain(observing);
    doubts.for_each(|message| progress.take(Notice::Host { message, warning: true }));
    let (mut notices, stopper, observed) = (host.notices(), host.stopper(), host.observer());
    if let Some(history) = History::open(&context.home)? {
        history.runs(true, MOST_SEEDED)?.into_iter().rev().for_each(|run| progress.seed(run));
    }
    let finished = host.finished();
    tokio::pin!(finished);
    let mut clock = tokio::time::interval(REFRESH);
    let ended = loop {
        tokio::select! {
            ended = &mut finished => break ended,
            notice = notices.recv() => match notice {
                Ok(notice) => progress.take(notice),
                // A slow screen has missed some; the next ones tell how things stand.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break finished.await,
            },
            heard = signals.next() => signals.answer(heard, &stopper, &progress).await,
            _ = clock.tick() => progress.refresh(),
        }
    };
    take_the_rest(&mut notices, &mut progress);
    progress.clear();
    if let Some(rights) = observed() {
        progress.say(&draw_observed(&page, &ready.tracker, &context.home.grants(), &rights));
    }
    let summary = ended?;
    progress.say(&summary_line(&summary));
    Ok(exit(&summary, args.once).into())
}

/// Logs where keys come from. Gives a sentence for each that is used instead of another:
/// a variable that somebody forgot is seen to win.
fn log_secrets(setup: &Setup, tracker: &Chosen, providers: &[Chosen]) -> Result<Vec<String>, Failure> {
    let mut told = Vec::new();
    let providers = providers.iter().map(|provider| (Role::Provider, provider));
    for (role, chosen) in std::iter::once((Role::Tracker, tracker)).chain(providers) {
        for (name, sources) in setup.secrets(role, chosen)? {
            let sentence = format!("{name} comes from {sources}");
            tracing::info!("{sentence}");
            if !sources.overridden.is_empty() {
                told.push(format!("{sentence}."));
            }
        }
    }
    Ok(told)
}

fn take_the_rest(notices: &mut Receiver<Notice>, progress: &mut Progress) {
    loop {
        match notices.try_recv() {
            Ok(notice) => progress.take(notice),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

/// A host that was told to do everything answers for the tasks.
fn exit(summary: &Summary, once: bool) -> Exit {
    let unfinished = summary.waiting + summary.parked + summary.working;
    let troubled = summary.failed + summary.cancelled + summary.lost + unfinished;
    if once && troubled > 0 { Exit::Task } else { Exit::Ok }
}

fn stderr_is_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal()
}

/// Ctrl-C and SIGTERM: the first drains, the second stops. A terminal that is closed
/// (SIGHUP) takes the host with it, but not the agents.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    heard: u32,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(Exit::Failed, format!("signals cannot be heard: {error}")))
        };
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            heard: 0,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.hangup.recv() => Heard::Hangup,
            _ = self.interrupt.recv() => Heard::Stop,
            _ = self.terminate.recv() => Heard::Stop,
        }
    }

    async fn answer(&mut self, heard: Heard, stopper: &Stopper, progress: &Progress) {
        if heard == Heard::Hangup {
            progress.look_away();
            return stopper.detach().await;
        }
        self.heard += 1;
        if self.heard == 1 {
            progress.say(&draining_line(&progress.open()));
            stopper.drain().await;
        } else {
            progress.say(STOPPING);
            stopper.stop_now().await;
        }
    }
}

/// What a signal wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// The host ends, the agents work on.
    Hangup,
    /// Drain, or stop if it is the second time.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_once_makes_the_host_answer_for_the_tasks() {
        let good = Summary { succeeded: 2, ..Summary::default() };
        let bad = Summary { succeeded: 1, failed: 1, ..Summary::default() };
        assert_eq!((exit(&good, true), exit(&bad, true)), (Exit::Ok, Exit::Task));
        assert_eq!(exit(&bad, false), Exit::Ok);
    }
}
