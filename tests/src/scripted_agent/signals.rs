//! Reacting to signals while the script goes on.

use std::sync::mpsc;
use std::time::Duration;

use tokio::signal::unix::SignalKind;

use super::step::SignalName;

/// Installing a handler takes microseconds; a machine that needs this long is stuck.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Calls `react` each time the signal comes, from a thread of its own, and
/// returns once the signal's default effect is off.
pub(super) fn on_signal(name: SignalName, react: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let (ready, installed) = mpsc::channel();
    std::thread::spawn(move || {
        if let Err(error) = listen(name, &ready, react) {
            // Nobody is waiting any more if the handler was already in place.
            let _ = ready.send(Err(error));
        }
    });
    installed.recv_timeout(READY_WITHIN).map_err(std::io::Error::other)?
}

fn listen(
    name: SignalName,
    ready: &mpsc::Sender<std::io::Result<()>>,
    react: impl Fn(),
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let kind = SignalKind::from_raw(name.to_system().as_raw());
        let mut signals = tokio::signal::unix::signal(kind)?;
        let _ = ready.send(Ok(()));
        while signals.recv().await.is_some() {
            react();
        }
        Ok(())
    })
}
