//! The granted directories: opened once, then only ever used through the open
//! handle, so that no path a plugin gives is resolved from anywhere else.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hostler_engine::request::{FileReply, FileRequest};
use hostler_engine::rights::{Access, FileRight};

use super::fault::Place;
use super::path::RelativePath;
use super::{read, write};
use crate::denial::{Denial, Refusal, listed, quoted};
use crate::grant::GateError;
use crate::limits::Limits;

/// All directories of one grant, by handle.
#[derive(Debug)]
pub(crate) struct Directories(BTreeMap<String, Arc<Directory>>);

/// One granted directory.
#[derive(Debug)]
pub(crate) struct Directory {
    access: Access,
    dir: Dir,
}

impl Directories {
    /// Opens what is granted; relative paths in `config` are below `base`.
    pub(crate) fn open(
        rights: &[FileRight],
        config: &BTreeMap<String, String>,
        base: &Path,
    ) -> Result<Self, GateError> {
        let mut opened = BTreeMap::new();
        for right in rights {
            let directory = Arc::new(Directory::open(right, config, base)?);
            if opened.insert(right.directory.clone(), directory).is_some() {
                return Err(GateError::DirectoryTwice { handle: right.directory.clone() });
            }
        }
        Ok(Self(opened))
    }

    /// The directory a request is about, if the grant covers this use of it.
    pub(crate) fn granted(&self, request: &FileRequest) -> Result<Arc<Directory>, Denial> {
        let handle = &request.at().directory;
        let Some(directory) = self.0.get(handle) else {
            return Err(Denial::Directory { handle: quoted(handle), granted: listed(self.0.keys()) });
        };
        let writes = matches!(request, FileRequest::Write { .. });
        if writes && directory.access < Access::ReadWrite {
            return Err(Denial::ReadOnly { handle: handle.clone() });
        }
        Ok(Arc::clone(directory))
    }
}

impl Directory {
    fn open(right: &FileRight, config: &BTreeMap<String, String>, base: &Path) -> Result<Self, GateError> {
        let configured = config.get(&right.from).filter(|path| !path.is_empty());
        let Some(configured) = configured else {
            return Err(GateError::DirectoryUnset {
                handle: right.directory.clone(),
                field: right.from.clone(),
            });
        };
        let path = base.join(configured);
        match Dir::open_ambient_dir(&path, ambient_authority()) {
            Ok(dir) => Ok(Self { access: right.access, dir }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(GateError::DirectoryMissing { field: right.from.clone(), path })
            }
            Err(source) => Err(GateError::DirectoryUnusable { field: right.from.clone(), path, source }),
        }
    }

    /// Does what [`Directories::granted`] allowed. Blocks.
    pub(crate) fn carry_out(&self, request: FileRequest, limits: &Limits) -> Result<FileReply, Refusal> {
        let at = request.at().clone();
        let path = RelativePath::parse(&at.path).map_err(|reason| Denial::FilePath {
            handle: at.directory.clone(),
            path: quoted(&at.path),
            reason,
        })?;
        let place = Place { handle: &at.directory, path: path.as_str() };
        let reply = match request {
            FileRequest::List(_) => read::list(&self.dir, &path, place, limits.entries),
            FileRequest::Read(_) => read::read(&self.dir, &path, place, limits.file),
            FileRequest::Write { content, expect, .. } => {
                write::write(&self.dir, &path, place, &content, expect.as_deref(), limits.file)
            }
        };
        tracing::debug!(
            folder = place.handle,
            path = place.path,
            carried_out = reply.is_ok(),
            "file request"
        );
        reply
    }
}
