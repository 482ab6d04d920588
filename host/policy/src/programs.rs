//! Which programs may be started as agents.

use std::path::{Component, Path, PathBuf};

/// A program as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Where it was found, such as `/usr/bin/claude`.
    pub path: &'a Path,
    /// The same with every link followed, if the file is there.
    pub real: Option<&'a Path>,
}

/// A program by its name, wherever it lies, or by its full path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProgramRule {
    Name(String),
    Path(PathBuf),
}

impl ProgramRule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no program: write a name like `claude`, or a full path");
        if !text.contains('/') {
            let is_name = !text.trim().is_empty() && text != "." && text != "..";
            return if is_name { Ok(Self::Name(text.to_owned())) } else { Err(wrong()) };
        }
        let path = PathBuf::from(text);
        if is_plain(&path) && path.file_name().is_some() { Ok(Self::Path(path)) } else { Err(wrong()) }
    }

    /// A path means the file that lies there, so a link to it elsewhere is it, too.
    pub(crate) fn covers(&self, program: Program<'_>) -> bool {
        match self {
            Self::Name(name) => program.path.file_name().is_some_and(|found| found == name.as_str()),
            Self::Path(path) => program.path == path || program.real == Some(path),
        }
    }
}

/// Whether a path is absolute and climbs nowhere.
pub(crate) fn is_plain(path: &Path) -> bool {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn covers(rule: &str, path: &str, real: &str) -> bool {
        let program = Program { path: Path::new(path), real: Some(Path::new(real)) };
        ProgramRule::parse(rule).unwrap().covers(program)
    }

    #[test]
    fn a_name_counts_wherever_the_program_lies_and_a_path_only_there() {
        assert!(covers("claude", "/home/ada/bin/claude", "/opt/cli.js"));
        assert!(!covers("claude", "/usr/bin/claude-2", "/usr/bin/claude"));
        assert!(covers("/usr/bin/claude", "/usr/bin/claude", "/opt/cli.js"));
        assert!(covers("/opt/cli.js", "/usr/bin/claude", "/opt/cli.js"));
        assert!(!covers("/usr/bin/claude", "/home/ada/bin/claude", "/home/ada/bin/claude"));
    }

    #[test]
    fn half_a_path_is_no_program() {
        for wrong in ["", " ", "bin/claude", "./claude", "/usr/../bin/claude", "/", ".."] {
            assert!(ProgramRule::parse(wrong).is_err(), "{wrong}");
        }
    }
}
