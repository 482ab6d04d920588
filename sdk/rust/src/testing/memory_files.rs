//! A granted directory in memory.

use std::collections::BTreeMap;

use crate::Problem;
use crate::files::{FileContent, FileEntry, FileReply, FileRequest, FileWrite};
use crate::tracker::{Effect, Reply};

/// Files by name, with the compare-and-swap that the contract promises.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryFiles {
    /// A directory with these files.
    pub fn new<const N: usize>(files: [(&str, &str); N]) -> Self {
        let mut memory = Self::default();
        for (name, text) in files {
            memory.set(name, text);
        }
        memory
    }

    /// Creates or replaces a file, as its owner would with an editor.
    pub fn set(&mut self, name: &str, text: &str) {
        self.files.insert(name.to_owned(), text.as_bytes().to_vec());
    }

    /// Deletes a file.
    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// The text of a file; empty if there is none.
    pub fn text(&self, name: &str) -> String {
        let bytes = self.files.get(name).cloned().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Carries out one effect; refuses all but those on files.
    pub fn answer(&mut self, effect: &Effect) -> Result<Reply, Problem> {
        let Effect::File(request) = effect else {
            return Err(Problem::new("denied", "This host only has files."));
        };
        match request {
            FileRequest::List(_) => Ok(self.list()),
            FileRequest::Read(at) => self.read(&at.path),
            FileRequest::Write(write) => self.write(write),
        }
        .map(Reply::File)
    }

    fn list(&self) -> FileReply {
        let entry = |(name, content): (&String, &Vec<u8>)| FileEntry {
            name: name.clone(),
            kind: "file".into(),
            size: u32::try_from(content.len()).unwrap_or(u32::MAX),
        };
        FileReply::Entries(self.files.iter().map(entry).collect())
    }

    fn read(&self, name: &str) -> Result<FileReply, Problem> {
        match self.files.get(name) {
            Some(content) => {
                Ok(FileReply::Content(FileContent { content: content.clone(), tag: tag(content) }))
            }
            None => Err(Problem::gone(format!("There is no file {name}."))),
        }
    }

    fn write(&mut self, write: &FileWrite) -> Result<FileReply, Problem> {
        let name = &write.at.path;
        let stands = self.files.get(name).map(|content| tag(content));
        if stands != write.expect {
            return Err(Problem::gone(format!("The file {name} was changed by somebody else.")));
        }
        self.files.insert(name.clone(), write.content.clone());
        Ok(FileReply::Written(tag(&write.content)))
    }
}

/// The content itself: nothing identifies it better, and tests are small.
fn tag(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}
