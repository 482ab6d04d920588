//! What a task's front matter wishes for its run.

use hostler_sdk::tracker::{Base, Landing, Limits, PullRequest, RunPlan, Verify};
use hostler_sdk::{Milliseconds, Problem};
use serde::{Deserialize, Serialize};

use crate::front_matter::FrontMatter;

/// Each is a whole turn of the agent: more than so many burn money.
const MAX_VERIFY_RETRIES: u32 = 10;

/// Set on a task that is taken up again because of what came back from its pull request:
/// the number of the word. Such a run goes on where the last one ended.
pub const FOLLOW_UP: &str = "follow-up";

/// The fields as they were written; checked when the run is planned, where a
/// mistake can be shown.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
struct Wishes {
    priority: Option<String>,
    branch: Option<String>,
    base: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    permission: Option<String>,
    repo: Option<String>,
    attempts: Option<String>,
    time_limit: Option<String>,
    verify: Option<String>,
    verify_retries: Option<String>,
    landing: Option<String>,
    follow_up: Option<String>,
}

/// The wishes, for `task.data`.
pub fn collect(content: &FrontMatter) -> String {
    let wishes = Wishes {
        priority: content.get("priority"),
        branch: content.get("branch"),
        base: content.get("base"),
        provider: content.get("provider"),
        model: content.get("model"),
        permission: content.get("permission"),
        repo: content.get("repo"),
        attempts: content.get("attempts"),
        time_limit: content.get("time-limit"),
        verify: content.get("verify"),
        verify_retries: content.get("verify-retries"),
        landing: content.get("landing"),
        follow_up: content.get(FOLLOW_UP),
    };
    serde_json::to_string(&wishes).unwrap_or_default()
}

/// The plan that a task's `data` wishes for. A mistake names its field.
pub fn plan(file: &str, data: &str) -> Result<RunPlan, Problem> {
    let wishes = parse(file, data)?;
    let mistake = |field: &str, value: &str, wanted: &str| {
        Problem::permanent(format!("`{field}: {value}` in {file} is not understood; write {wanted}."))
    };
    if let Some(priority) = &wishes.priority
        && priority.parse::<i32>().is_err()
    {
        return Err(mistake("priority", priority, "a whole number, higher comes first"));
    }
    let permission = match wishes.permission {
        Some(text) if matches!(&*text, "safe" | "auto-edits" | "full-auto") => Some(text),
        Some(text) => return Err(mistake("permission", &text, "`safe`, `auto-edits` or `full-auto`")),
        None => None,
    };
    let attempts = match wishes.attempts {
        Some(text) => match text.parse() {
            Ok(attempts) if attempts > 0 => Some(attempts),
            _ => return Err(mistake("attempts", &text, "a whole number from 1")),
        },
        None => None,
    };
    let time = match wishes.time_limit {
        Some(text) => Some(
            duration(&text)
                .ok_or_else(|| mistake("time-limit", &text, "a time such as `90s`, `30m` or `2h`"))?,
        ),
        None => None,
    };
    let feed_back = match wishes.verify_retries {
        Some(text) => match text.parse() {
            Ok(times) if times <= MAX_VERIFY_RETRIES => times,
            _ => return Err(mistake("verify-retries", &text, "a whole number from 0 to 10")),
        },
        None => 0,
    };
    let landing = match wishes.landing {
        Some(text) => landing(&text).ok_or_else(|| {
            mistake("landing", &text, "`leave`, `push`, `pull-request` or `merge:` with a branch")
        })?,
        None => Landing::Leave,
    };
    Ok(RunPlan {
        repository: wishes.repo,
        base: if wishes.follow_up.is_some() { Base::PreviousSession } else { base(wishes.base) },
        branch: wishes.branch,
        provider: wishes.provider,
        model: wishes.model,
        permission,
        limits: Limits { time, attempts, ..Limits::default() },
        verify: wishes.verify.map(|command| Verify { command, time: None, feed_back }),
        landing,
        ..RunPlan::default()
    })
}

/// How many attempts the task wishes for.
pub fn attempts(data: &str) -> Option<usize> {
    parse("", data).ok()?.attempts?.parse().ok()
}

fn parse(file: &str, data: &str) -> Result<Wishes, Problem> {
    serde_json::from_str(data).map_err(|error| {
        Problem::permanent(format!(
            "What was noted about {file} cannot be read any more ({error}); set its status to `todo` again."
        ))
    })
}

fn base(text: Option<String>) -> Base {
    match text {
        None => Base::Head,
        Some(text) if text.eq_ignore_ascii_case("head") => Base::Head,
        Some(text) if text == "default-branch" => Base::DefaultBranch,
        Some(text) if text == "remote" => Base::Remote(None),
        Some(text) if text.starts_with("remote:") => {
            Base::Remote(text.strip_prefix("remote:").map(|branch| branch.trim().to_owned()))
        }
        Some(revision) => Base::Revision(revision),
    }
}

fn landing(text: &str) -> Option<Landing> {
    let request = || PullRequest { title: None, preface: None, base: None };
    match text {
        "leave" => Some(Landing::Leave),
        "push" => Some(Landing::Push),
        "pull-request" => Some(Landing::PullRequest(request())),
        _ => {
            let branch = text.strip_prefix("merge:")?.trim();
            (!branch.is_empty()).then(|| Landing::Merge(branch.to_owned()))
        }
    }
}

/// `90s`, `30m`, `2h`; a bare number is minutes.
fn duration(text: &str) -> Option<Milliseconds> {
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "s" => 1000,
        "m" | "min" | "" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<Milliseconds>().ok()?.checked_mul(factor).filter(|time| *time > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn planned(fields: &str) -> Result<RunPlan, Problem> {
        let content = FrontMatter::parse(&format!("---\n{fields}\n---\n"));
        plan("a.md", &collect(&content))
    }

    #[test]
    fn without_wishes_the_operator_decides() {
        assert_eq!(planned("status: todo").unwrap(), RunPlan::default());
    }

    #[test]
    fn every_field_finds_its_place() {
        let plan = planned("branch: fix\nbase: v1.2\nprovider: codex\nmodel: m\npermission: full-auto\nrepo: api\nattempts: 3\ntime-limit: 30m").unwrap();
        assert_eq!(plan.branch.as_deref(), Some("fix"));
        assert_eq!(plan.base, Base::Revision("v1.2".into()));
        assert_eq!(plan.provider.as_deref(), Some("codex"));
        assert_eq!(plan.model.as_deref(), Some("m"));
        assert_eq!(plan.permission.as_deref(), Some("full-auto"));
        assert_eq!(plan.repository.as_deref(), Some("api"));
        assert_eq!((plan.limits.attempts, plan.limits.time), (Some(3), Some(1_800_000)));
    }

    #[test]
    fn work_may_be_judged_and_land_somewhere() {
        let plan = planned("verify: npm test\nverify-retries: 10\nlanding: pull-request").unwrap();
        let verify = plan.verify.unwrap();
        assert_eq!((verify.command.as_str(), verify.time, verify.feed_back), ("npm test", None, 10));
        assert!(matches!(plan.landing, Landing::PullRequest(_)));
        assert!(
            matches!(planned("landing: merge: next").unwrap().landing, Landing::Merge(branch) if branch == "next")
        );
        assert_eq!(planned("base: remote").unwrap().base, Base::Remote(None));
        assert_eq!(planned("base: remote:develop").unwrap().base, Base::Remote(Some("develop".into())));
    }

    #[test]
    fn a_mistake_names_the_field_the_file_and_the_remedy() {
        for field in [
            "permission: all",
            "attempts: 0",
            "time-limit: soon",
            "priority: high",
            "landing: merge:",
            "landing: merge",
            "verify-retries: 11",
        ] {
            let message = planned(field).unwrap_err().message;
            assert!(
                message.contains(field) && message.contains("a.md") && message.contains("write"),
                "{message}"
            );
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("90s"), Some(90_000));
        assert_eq!(duration("2h"), Some(7_200_000));
        assert_eq!(duration("5"), Some(300_000));
        assert_eq!(duration("5 min"), Some(300_000));
        assert_eq!(duration("0m"), None);
        assert_eq!(duration("1193h"), Some(4_294_800_000));
        assert_eq!(duration("1194h"), None);
        assert_eq!(duration("1d"), None);
    }
}
