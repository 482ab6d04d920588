//! The head of `host run`: what this host is about to do.

use hostler_daemon::engine::plan::Limits;
use hostler_daemon::engine::policy::Policy;
use hostler_daemon::view::ProviderView;
use hostler_daemon::{Condition, Ready};

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, row};

/// What this host is about to do, a line each.
pub fn draw_ready(page: &Page, ready: &Ready) -> String {
    let mut rows = vec![row("tracker", Cell::new(&ready.tracker))];
    for (key, path, condition) in &ready.repositories {
        rows.push(row("repo", repository(key, &path.display().to_string(), condition.as_ref())));
    }
    rows.extend(ready.providers.iter().map(|provider| row("provider", provider_cell(provider))));
    rows.push(row("slots", Cell::new(ready.policy.slots.to_string())));
    rows.push(row("permission", Cell::new(permission(&ready.policy))));
    rows.push(row("limits", Cell::new(limits(&ready.policy.limits))));
    format!(
        "{}{}\n",
        draw(&rows, page.paint, None),
        page.tone(Tone::Quiet, "Ctrl-C takes no new tasks and waits; twice stops.")
    )
}

fn repository(key: &str, path: &str, condition: Option<&Condition>) -> Cell {
    let Some(condition) = condition else {
        let note = "is in no git repository: agents work in the folder itself, one at a time";
        return Cell::new(format!("{key} ({path}) {note}")).tone(Tone::Warning);
    };
    let place = match (&condition.head_branch, condition.detached) {
        (Some(branch), false) => format!("on {branch}"),
        _ => "on no branch".to_owned(),
    };
    if condition.dirty {
        let note = "has uncommitted changes, which agents do not see";
        return Cell::new(format!("{key} ({path}) {place}; {note}")).tone(Tone::Warning);
    }
    Cell::new(format!("{key} ({path}) {place}"))
}

fn provider_cell(provider: &ProviderView) -> Cell {
    match &provider.problem {
        Some(problem) => Cell::new(format!("{}: {problem}", provider.name)).tone(Tone::Warning),
        None => Cell::new(format!("{} {}", provider.name, provider.version)),
    }
}

fn permission(policy: &Policy) -> String {
    let most = policy.most_permission();
    let (default, ceiling) = (policy.permission_default.min(most).name(), most.name());
    let whose = if most < policy.permission_ceiling { " (your organisation's policy)" } else { "" };
    if default == ceiling {
        format!("{default}, never more{whose}")
    } else {
        format!("{default}, a task may ask for up to {ceiling}{whose}")
    }
}

fn limits(limits: &Limits) -> String {
    let attempts = crate::text::count(limits.attempts.into(), "attempt");
    let time = limits.time.map(|time| format!("{time} each"));
    let tokens = limits.tokens.map(|tokens| format!("{} tokens", crate::text::short_number(tokens)));
    let cost = limits.cost_usd.map(|dollars| format!("${dollars:.2}"));
    std::iter::once(attempts).chain(time).chain(tokens).chain(cost).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::engine::plan::Permission;

    #[test]
    fn what_the_organisation_cuts_is_not_promised() {
        let operators = Policy { permission_ceiling: Permission::FullAuto, ..Policy::default() };
        let under = |organisation| permission(&Policy { organisation, ..operators.clone() });
        assert_eq!(under(None), "auto-edits, a task may ask for up to full-auto");
        assert_eq!(under(Some(Permission::FullAuto)), under(None));
        assert_eq!(under(Some(Permission::Safe)), "safe, never more (your organisation's policy)");
    }

    #[test]
    fn a_start_says_what_will_be_done_where_and_by_whom() {
        let condition = |dirty, branch: Option<&str>| {
            let head_branch = branch.map(str::to_owned);
            Some(Condition { dirty, detached: branch.is_none(), head_branch })
        };
        let ready = Ready {
            tracker: "folder".to_owned(),
            providers: vec![ProviderView {
                name: "claude-code".to_owned(),
                version: "2.1.4".to_owned(),
                program: None,
                capabilities: Vec::new(),
                problem: None,
            }],
            repositories: vec![
                ("app".to_owned(), "/home/ada/app".into(), condition(true, Some("main"))),
                ("api".to_owned(), "/home/ada/api".into(), condition(false, None)),
                ("notes".to_owned(), "/home/ada/notes".into(), None),
            ],
            doubts: Vec::new(),
            policy: Policy::default(),
        };
        insta::assert_snapshot!(draw_ready(&page(), &ready));
    }
}
