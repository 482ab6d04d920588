//! Files below the granted directories.

pub use crate::bindings::tracker::hostler::plugin::effects::{
    FileContent, FileEntry, FilePath, FileReply, FileRequest, FileWrite,
};

use crate::Problem;
use crate::bindings::tracker::exports::hostler::plugin::tracker::{Effect, Reply};
use crate::context::{Context, wrong_reply};

/// One granted directory.
pub struct Directory {
    context: Context,
    handle: String,
}

impl Directory {
    pub(crate) fn new(context: Context, handle: &str) -> Self {
        Self { context, handle: handle.to_owned() }
    }

    /// The entries of a directory, sorted by name; `.` is the granted one.
    pub async fn list(&self, path: &str) -> Result<Vec<FileEntry>, Problem> {
        match self.ask(FileRequest::List(self.at(path))).await? {
            FileReply::Entries(entries) => Ok(entries),
            _ => Err(wrong_reply(&format!("the listing of {path}"))),
        }
    }

    /// The whole of one file, with the tag that identifies its content.
    pub async fn read(&self, path: &str) -> Result<FileContent, Problem> {
        match self.ask(FileRequest::Read(self.at(path))).await? {
            FileReply::Content(content) => Ok(content),
            _ => Err(wrong_reply(&format!("the reading of {path}"))),
        }
    }

    /// Writes one file and gives its new tag. `expect` is the tag it had when it
    /// was read, or `None` if it must not exist; if it is not so any more, the
    /// problem is of kind `gone` and nothing is written.
    pub async fn write(&self, path: &str, content: Vec<u8>, expect: Option<&str>) -> Result<String, Problem> {
        let write = FileWrite { at: self.at(path), content, expect: expect.map(str::to_owned) };
        match self.ask(FileRequest::Write(write)).await? {
            FileReply::Written(tag) => Ok(tag),
            _ => Err(wrong_reply(&format!("the writing of {path}"))),
        }
    }

    fn at(&self, path: &str) -> FilePath {
        FilePath { directory: self.handle.clone(), path: path.to_owned() }
    }

    async fn ask(&self, request: FileRequest) -> Result<FileReply, Problem> {
        match self.context.effect(Effect::File(request)).await? {
            Reply::File(reply) => Ok(reply),
            _ => Err(wrong_reply("a file request")),
        }
    }
}
