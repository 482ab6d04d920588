//! What a plugin can ask the host to do, and what comes back: effects as data.
//!
//! These values cross from the components room (which gets them from a plugin)
//! to the broker (which carries them out); they live here because neither room
//! knows the other.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// An HTTP request that a plugin would like to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// In capitals.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
    /// Handle of a secret that the host injects.
    pub credential: Option<String>,
    /// At most this long.
    pub timeout: Option<Millis>,
}

/// The answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// As the server sent it.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Capped.
    pub body: Vec<u8>,
}

/// A file below a granted directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePath {
    /// Handle of the directory.
    pub directory: String,
    /// Relative, with `/`.
    pub path: String,
}

/// Work on files below a granted directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileRequest {
    /// Entries of a directory.
    List(FilePath),
    /// The whole of a file.
    Read(FilePath),
    /// Replace or create a file.
    Write {
        /// Which file.
        at: FilePath,
        /// Its new content.
        content: Vec<u8>,
        /// The tag it must have now; `None` if it must not exist.
        expect: Option<String>,
    },
}

impl FileRequest {
    /// The file or directory it is about.
    pub const fn at(&self) -> &FilePath {
        match self {
            Self::List(at) | Self::Read(at) | Self::Write { at, .. } => at,
        }
    }
}

/// What came of a file request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileReply {
    /// Sorted by name.
    Entries(Vec<FileEntry>),
    /// A file as it was read.
    Content {
        /// All of it.
        content: Vec<u8>,
        /// Identifies exactly this content.
        tag: String,
    },
    /// Written; the new tag.
    Written(String),
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Without the directory.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// In bytes; 0 for anything but a file.
    pub size: u64,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A plain file.
    File,
    /// A directory.
    Directory,
    /// A link, a pipe, a device.
    Other,
}

/// Something a plugin asks the host to carry out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginEffect {
    /// Make a request.
    Http(HttpRequest),
    /// Work on files.
    File(FileRequest),
    /// Open a WebSocket. No grant can cover it yet: it is refused.
    Socket {
        /// The plugin's name for it.
        socket: String,
        /// Where to.
        url: String,
    },
    /// Send a frame on a socket.
    Send {
        /// The plugin's name for it.
        socket: String,
    },
    /// Answer after so much time.
    Wake(Millis),
    /// Something this host does not know.
    Other {
        /// What it is.
        name: String,
        /// JSON.
        details: String,
    },
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginReply {
    /// The answer to a request.
    Http(HttpResponse),
    /// The answer to work on files.
    File(FileReply),
    /// The time has passed.
    Done,
}
