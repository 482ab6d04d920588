//! Where the demo plays: a repository with a task, an agent, and a home of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::built::Built;

/// The plugins that take part.
pub const PLUGINS: [&str; 2] = ["folder", "claude-code"];

/// The task file, below the repository.
pub const TASK: &str = "tasks/hello.md";

/// The file the agent writes, as the recording tells of it.
pub const WRITTEN: &str = "hello.txt";

const TASK_TEXT: &str = "# Say hello\n\nWrite a file `hello.txt` that greets whoever reads it.\n";

/// What a real Claude Code printed when it was given such a task.
const RECORDING: &str = "tests/fixtures/transcripts/claude-success.jsonl";

/// Who commits, in the repository and in the agent's worktree.
const GIT_CONFIG: &str =
    "[user]\n\tname = Ada\n\temail = ada@example.invalid\n[init]\n\tdefaultBranch = main\n";

/// The folders of the scene, by the variable that makes programs use them.
const FOLDERS: [(&str, &str); 6] = [
    ("HOME", "home"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_STATE_HOME", "state"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_RUNTIME_DIR", "run"),
];

/// The scene. It is removed from the disk when it is dropped.
pub struct Scene {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Scene {
    /// Sets it up in a temporary folder.
    pub fn set(root: &Path, programs: &Built, components: &[PathBuf]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("hostler-demo-")
            .tempdir()
            .context("making a temporary folder")?;
        for (_, name) in FOLDERS {
            fs::create_dir(folder.path().join(name))?;
        }
        let environment = environment(folder.path())?;
        let scene = Self { folder, environment };
        scene.install_host(programs, components).context("installing the host")?;
        scene.install_agent(root, programs).context("installing the stand-in for the agent")?;
        scene.write("home/.gitconfig", GIT_CONFIG)?;
        fs::create_dir(scene.folder().join("home/.claude"))?;
        scene.write("repository/README.md", "# A project\n")?;
        for words in [
            &["git", "init", "--quiet"][..],
            &["git", "add", "."],
            &["git", "commit", "--quiet", "-m", "Begin"],
        ] {
            scene.run(words)?;
        }
        scene.write(&format!("repository/{TASK}"), TASK_TEXT)?;
        scene.write("environment", &scene.exports())?;
        Ok(scene)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves it on the disk.
    pub fn keep(self) {
        let _ = self.folder.keep();
    }

    /// Runs a command in the repository and gives what it printed; an error if it failed.
    pub fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let shown = words.join(" ");
        let (program, arguments) = words.split_first().context("a command has a first word")?;
        let output = Command::new(self.find(program))
            .args(arguments)
            .current_dir(self.folder().join("repository"))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .with_context(|| format!("starting `{shown}`"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{shown}` failed ({}): {}", output.status, said.trim());
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{shown}` printed something that is no text"))
    }

    /// A program of the scene, or whatever has this name elsewhere.
    fn find(&self, program: &str) -> PathBuf {
        let own = self.folder().join("bin").join(program);
        if own.exists() { own } else { program.into() }
    }

    /// As `cargo xtask install` does it.
    fn install_host(&self, programs: &Built, components: &[PathBuf]) -> anyhow::Result<()> {
        let bin = self.folder().join("bin");
        fs::create_dir(&bin)?;
        std::os::unix::fs::symlink(&programs.host, bin.join("host"))?;
        let plugins = self.folder().join("data/hostler/plugins");
        fs::create_dir_all(&plugins)?;
        for component in components {
            fs::copy(component, plugins.join(component.file_name().context("a component is a file")?))?;
        }
        Ok(())
    }

    /// The stand-in under the name of the real CLI, with its script beside it.
    fn install_agent(&self, root: &Path, programs: &Built) -> anyhow::Result<()> {
        let bin = self.folder().join("bin");
        fs::copy(&programs.scripted_agent, bin.join("claude"))?;
        let recording = root.join(RECORDING);
        fs::copy(&recording, bin.join("recording.jsonl")).with_context(|| recording.display().to_string())?;
        self.write("bin/claude.script.toml", &script())
    }

    fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder().join(path);
        let folder = path.parent().context("a file stands in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// For a shell that wants to repeat the commands.
    fn exports(&self) -> String {
        let export =
            |(name, value): &(String, String)| format!("export {name}='{}'\n", value.replace('\'', "'\\''"));
        self.environment.iter().map(export).collect()
    }
}

/// Nothing of the environment of whoever runs the demo but the search path.
fn environment(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let text =
        |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text cannot be shown");
    let mut environment = Vec::new();
    for (variable, name) in FOLDERS {
        environment.push((variable.to_owned(), text(&folder.join(name))?));
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    let search = std::iter::once(folder.join("bin")).chain(std::env::split_paths(&search));
    let search = std::env::join_paths(search).context("putting the search path together")?;
    environment.push(("PATH".to_owned(), text(Path::new(&search))?));
    for (variable, value) in [("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1")] {
        environment.push((variable.to_owned(), value.to_owned()));
    }
    Ok(environment)
}

/// Reads the prompt, does what the recording tells of, and plays the recording with
/// its folder exchanged for the real one.
fn script() -> String {
    // The log stands where Claude Code itself writes: an agent in a sandbox reaches it.
    format!(
        r#"log = "../home/.claude/starts.jsonl"

[[attempt]]
steps = [
    {{ do = "read-stdin" }},
    {{ do = "write", path = "{WRITTEN}", text = "hello from the fake model\n" }},
    {{ do = "commit", message = "Say hello" }},
    {{ do = "transcript", file = "recording.jsonl", replace = [{{ from = "/home/dev/repo", to = "{{cwd}}" }}] }},
]
"#
    )
}
