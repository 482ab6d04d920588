//! Keeps a verified copy of the journal: for the day on which the journal is damaged,
//! and to notice that day early, because copying reads all of it.

use std::sync::Arc;

use hostler_engine::time::Millis;
use hostler_journal::{JournalError, make_copy};

use crate::home::Home;
use crate::rooms::Rooms;
use crate::view::Notice;

/// How often a running host copies: what is lost after damage is a few hours at most,
/// and a large journal is not read all day.
const COPY_EVERY: Millis = Millis::minutes(6 * 60);

/// Copies again and again, and says so if the journal turns out to be damaged.
pub async fn copy_now_and_then(rooms: Arc<Rooms>) {
    loop {
        rooms.clock.sleep_awake(COPY_EVERY).await;
        if let Some(message) = copy(&rooms.home).await {
            rooms.show(Notice::Host { message, warning: true });
        }
    }
}

/// Copies once; gives what a person should know. A host goes on without a copy.
pub async fn copy(home: &Home) -> Option<String> {
    let path = home.journal();
    let copied = crate::blocking::run(move || make_copy(&path)).await;
    match copied {
        Ok(Ok(copy)) => {
            tracing::debug!("the journal is copied to {}", copy.display());
            None
        }
        Ok(Err(damaged @ JournalError::Corrupt { .. })) => {
            tracing::error!("{damaged}");
            Some(damaged.to_string())
        }
        Ok(Err(error)) => {
            tracing::warn!("no copy of the journal was made: {error}");
            None
        }
        Err(error) => {
            tracing::warn!("no copy of the journal was made: {error}");
            None
        }
    }
}
