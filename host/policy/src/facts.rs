//! Who may write a policy: pure rules about owners and modes.

use std::path::Path;

use crate::error::PolicyError;

/// What nobody but the owner may do.
const OTHERS_MAY_WRITE: u32 = 0o022;

/// In such a folder only the owner of a file can replace it.
const STICKY: u32 = 0o1000;

/// What the system says about a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// User id of the owner.
    pub owner: u32,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: FileKind,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A plain file.
    Plain,
    /// A folder.
    Folder,
    /// A link, device, pipe or socket.
    Other,
}

/// Whose files are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only root's: users cannot change the policy they are under.
    Root,
    /// Also this user's: a policy that users put on themselves only tightens.
    RootOr(u32),
}

impl Trust {
    const fn covers(self, owner: u32) -> bool {
        match self {
            Self::Root => owner == 0,
            Self::RootOr(user) => owner == 0 || owner == user,
        }
    }

    fn named(self) -> String {
        match self {
            Self::Root => "root".to_owned(),
            Self::RootOr(user) => format!("root or user {user}"),
        }
    }
}

impl FileFacts {
    /// Whether the policy itself may be believed.
    pub fn check_file(self, path: &Path, trust: Trust) -> Result<(), PolicyError> {
        if self.kind != FileKind::Plain {
            return Err(PolicyError::NotAFile { path: path.to_owned() });
        }
        self.check_owner(path, trust)?;
        if self.mode & OTHERS_MAY_WRITE == 0 { Ok(()) } else { Err(writable(path)) }
    }

    /// Whether what lies in a folder stays what it is. A folder that everybody may
    /// write to, such as `/tmp`, is good enough if its sticky bit keeps others from
    /// replacing what is there.
    pub fn check_folder(self, path: &Path, trust: Trust) -> Result<(), PolicyError> {
        self.check_owner(path, trust)?;
        let open = self.mode & OTHERS_MAY_WRITE != 0 && self.mode & STICKY == 0;
        if open { Err(writable(path)) } else { Ok(()) }
    }

    fn check_owner(self, path: &Path, trust: Trust) -> Result<(), PolicyError> {
        if trust.covers(self.owner) {
            return Ok(());
        }
        Err(PolicyError::Owner { path: path.to_owned(), owner: self.owner, wanted: trust.named() })
    }
}

fn writable(path: &Path) -> PolicyError {
    PolicyError::Writable { path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ADA: u32 = 1000;

    fn file(owner: u32, mode: u32) -> FileFacts {
        FileFacts { owner, mode, kind: FileKind::Plain }
    }

    fn folder(owner: u32, mode: u32) -> FileFacts {
        FileFacts { owner, mode, kind: FileKind::Folder }
    }

    fn path() -> &'static Path {
        Path::new("/etc/hostler/policy.toml")
    }

    #[test]
    fn a_policy_of_the_machine_is_roots_alone() {
        assert_eq!(file(0, 0o644).check_file(path(), Trust::Root), Ok(()));
        let error = file(ADA, 0o644).check_file(path(), Trust::Root).unwrap_err().to_string();
        assert!(error.contains("user 1000") && error.contains("root"), "{error}");
        assert!(folder(ADA, 0o755).check_folder(path(), Trust::Root).is_err());
    }

    #[test]
    fn a_further_policy_may_be_the_users_own_and_nobody_elses() {
        let trust = Trust::RootOr(ADA);
        assert_eq!(file(ADA, 0o600).check_file(path(), trust), Ok(()));
        assert_eq!(file(0, 0o600).check_file(path(), trust), Ok(()));
        assert!(file(ADA + 1, 0o600).check_file(path(), trust).is_err());
    }

    #[test]
    fn what_a_group_or_others_may_write_is_not_believed() {
        for mode in [0o664, 0o646, 0o666, 0o1666] {
            let refused = file(0, mode).check_file(path(), Trust::Root);
            assert!(matches!(refused, Err(PolicyError::Writable { .. })), "{mode:o}");
        }
        for mode in [0o775, 0o757, 0o777] {
            assert!(folder(0, mode).check_folder(path(), Trust::Root).is_err(), "{mode:o}");
        }
        assert_eq!(folder(0, 0o1777).check_folder(path(), Trust::Root), Ok(()));
    }

    #[test]
    fn only_a_plain_file_is_a_policy() {
        for kind in [FileKind::Folder, FileKind::Other] {
            let refused = FileFacts { owner: 0, mode: 0o644, kind }.check_file(path(), Trust::Root);
            assert_eq!(refused, Err(PolicyError::NotAFile { path: path().to_owned() }));
        }
    }
}
