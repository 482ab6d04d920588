//! What came of the demo, and whether it is as it should be.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::scene::{TASK, WRITTEN};

/// What the program, git and the disk say after the run.
#[derive(Clone)]
pub struct Findings {
    /// `host show --json`.
    pub view: Value,
    /// `host plugin inspect --json`, by plugin.
    pub inspections: Vec<(String, Value)>,
    /// The paths that git says changed on the branch.
    pub diff: String,
    /// `git status` of the user's own checkout.
    pub status: String,
    /// Subjects of the commits on the user's own branch.
    pub head: String,
    /// The task file.
    pub task: String,
}

/// A run that went as it should.
#[derive(Debug, PartialEq)]
pub struct Account {
    state: String,
    /// With the work.
    pub branch: String,
    files_changed: Vec<String>,
    report: String,
    plugin_imports: BTreeMap<String, &'static str>,
}

impl Findings {
    /// Holds them against each other. The error says what is not as it should be.
    pub fn account(&self) -> anyhow::Result<Account> {
        let text = |field: &str| self.view[field].as_str().unwrap_or_default().to_owned();
        let (state, branch) = (text("result"), text("branch"));
        ensure!(state == "succeeded", "the run ended as `{state}`: {}", text("why"));
        ensure!(self.view["closed"] == true, "the run is not over: {}", text("why"));
        let files_changed: Vec<String> = self.diff.lines().map(str::to_owned).collect();
        ensure!(
            files_changed == [WRITTEN],
            "git says that {branch} changes {files_changed:?}, not {WRITTEN}"
        );
        ensure!(self.listed() == files_changed, "the host lists {:?}, git {files_changed:?}", self.listed());
        ensure!(self.head.trim() == "Begin", "the user's own branch moved: {}", self.head);
        let untouched = self.status.lines().all(|line| line == "?? tasks/");
        ensure!(untouched, "the user's own checkout changed: {}", self.status);
        Ok(Account {
            state,
            report: self.report(&branch)?,
            branch,
            files_changed,
            plugin_imports: self.imports()?,
        })
    }

    fn listed(&self) -> Vec<String> {
        let files = self.view["files"].as_array().map(Vec::as_slice).unwrap_or_default();
        files.iter().filter_map(|file| file["path"].as_str()).map(str::to_owned).collect()
    }

    /// The section that the tracker plugin appended.
    fn report(&self, branch: &str) -> anyhow::Result<String> {
        ensure!(self.task.contains("status: done"), "{TASK} does not say that it is done: {}", self.task);
        let (_, report) =
            self.task.split_once("## Report").with_context(|| format!("{TASK} has no report"))?;
        ensure!(report.contains(branch), "the report does not name the branch {branch}: {report}");
        Ok(format!("## Report{report}"))
    }

    fn imports(&self) -> anyhow::Result<BTreeMap<String, &'static str>> {
        let mut imports = BTreeMap::new();
        for (plugin, inspected) in &self.inspections {
            let found = &inspected["inspection"]["imports"];
            ensure!(*found == json!([]), "the plugin {plugin} imports {found}");
            imports.insert(plugin.clone(), "none");
        }
        Ok(imports)
    }
}

impl Account {
    /// For programs. `seconds` counts from the first command to the last check.
    pub fn json(&self, seconds: f64) -> Value {
        json!({
            "state": self.state,
            "branch": self.branch,
            "files_changed": self.files_changed,
            "report": self.report,
            "plugin_imports": self.plugin_imports,
            "agent": "a stand-in that plays a recording of Claude Code",
            "seconds": (seconds * 10.0).round() / 10.0,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn good() -> Findings {
        Findings {
            view: json!({
                "result": "succeeded", "closed": true, "why": "", "branch": "hostler/hello",
                "files": [{ "path": "hello.txt" }],
            }),
            inspections: vec![("folder".to_owned(), json!({ "inspection": { "imports": [] } }))],
            diff: "hello.txt\n".to_owned(),
            status: "?? tasks/\n".to_owned(),
            head: "Begin\n".to_owned(),
            task: "---\nstatus: done\n---\n# Say hello\n\n## Report\n\nBranch: `hostler/hello`\n".to_owned(),
        }
    }

    #[test]
    fn a_good_run_is_told_with_its_branch_files_and_report() {
        let told = good().account().unwrap().json(1.26);
        assert_eq!(told["state"], "succeeded");
        assert_eq!(told["files_changed"], json!(["hello.txt"]));
        assert_eq!(told["report"], "## Report\n\nBranch: `hostler/hello`\n");
        assert_eq!(told["plugin_imports"], json!({ "folder": "none" }));
        assert_eq!(told["seconds"], 1.3);
    }

    #[test]
    fn whatever_is_not_as_it_should_be_is_named() {
        type Spoil = fn(&mut Findings);
        let spoiled: [(Spoil, &str); 8] = [
            (|found| found.view["result"] = json!("failed"), "ended as `failed`"),
            (|found| found.view["closed"] = json!(false), "not over"),
            (|found| found.diff.clear(), "git says"),
            (|found| found.view["files"] = json!([]), "the host lists"),
            (|found| found.head.insert_str(0, "Say hello\n"), "branch moved"),
            (|found| found.status.push_str(" M README.md\n"), "checkout changed"),
            (|found| found.task = "---\nstatus: done\n---\n".to_owned(), "no report"),
            (|found| found.inspections[0].1["inspection"]["imports"] = json!(["wasi:io"]), "imports"),
        ];
        for (spoil, said) in spoiled {
            let mut findings = good();
            spoil(&mut findings);
            let error = findings.account().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
