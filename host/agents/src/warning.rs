//! What goes wrong beside a running agent.

use std::io;

use crate::control::Trouble;
use crate::shim::LOG_LIMIT;
use crate::stream::Stream;

/// Something that went wrong beside the agent.
#[derive(Debug, thiserror::Error)]
pub enum Warning {
    /// The log cannot be written. Nothing is lost: it is tried again, and the
    /// agent waits with what it has to say.
    #[error(
        "the log of the agent's {stream} cannot be written: {source}; see that its disk has room and can be written, until then the agent waits"
    )]
    LogFailed {
        /// Which log.
        stream: Stream,
        /// What the system said.
        source: io::Error,
    },
    /// The log has reached its limit. What the agent says from now on is lost.
    #[error(
        "the log of the agent's {stream} has reached its limit of {limit} bytes and ends here; the agent goes on"
    )]
    LogFull {
        /// Which log.
        stream: Stream,
        /// See [`LOG_LIMIT`].
        limit: u64,
    },
    /// The log cannot be read, so no more of this stream is told.
    #[error(
        "the log of the agent's {stream} cannot be read: {source}; nobody but the host may touch the attempt's folder"
    )]
    LogUnreadable {
        /// Which log.
        stream: Stream,
        /// What the system said.
        source: io::Error,
    },
}

impl Warning {
    pub(crate) fn new(stream: Stream, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failed { errno } => {
                Self::LogFailed { stream, source: io::Error::from_raw_os_error(errno) }
            }
            Trouble::Full => Self::LogFull { stream, limit: LOG_LIMIT },
        }
    }
}
