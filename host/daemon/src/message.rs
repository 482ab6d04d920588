//! What the loop around the engine is sent.

use hostler_engine::Input;
use hostler_engine::follow_up::Watched;
use tokio::sync::oneshot;

use crate::view::RunView;

/// What the core is sent.
#[derive(Debug)]
pub enum Message {
    /// Something happened.
    Input(Box<Input>),
    /// A poll is over: tasks it brought, and whether it worked.
    Polled {
        /// What it brought, as inputs.
        inputs: Vec<Input>,
        /// Whether the tracker answered.
        worked: bool,
        /// Told once the engine has taken it in: only then is known how many slots are
        /// left to poll for.
        taken: oneshot::Sender<()>,
    },
    /// The host is to end and leave the agents at work. Whoever asks hears how many.
    Detach(Option<oneshot::Sender<u32>>),
    /// Somebody wants to look at pull requests.
    PullRequests(oneshot::Sender<Vec<Watched>>),
    /// Somebody wants to see all runs.
    Runs(oneshot::Sender<Vec<RunView>>),
}
