//! `host status`.

use std::path::Path;

use hostler_daemon::view::{HostView, ProviderView};

use super::observed::draw_observed;
use super::runs::draw_runs;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, row};
use crate::text::count;

/// What the running host does. `identity` is what trackers know it by, `grants` the file
/// of grants.
pub fn draw_status(
    page: &Page,
    host: &HostView,
    identity: &[(&str, Option<String>)],
    grants: &Path,
) -> String {
    let busy = host.slots.saturating_sub(host.free_slots);
    let mode = match host.mode.as_str() {
        "open" => "takes tasks",
        "draining" => "draining: takes no new tasks",
        other => other,
    };
    let tracker = match (&host.tracker_problem, host.tracker_heard) {
        (Some(problem), _) => Cell::new(format!("{}: {problem}", host.tracker)).tone(Tone::Warning),
        (None, Some(at)) => Cell::new(format!("{}, heard {}", host.tracker, page.ago(at))),
        (None, None) => Cell::new(format!("{}, not heard of yet", host.tracker)),
    };
    let mut rows = vec![
        row("host", Cell::new(format!("process {}, version {}, {mode}", host.pid, host.version))),
        row("since", Cell::new(format!("{} ({})", page.moment(host.started), page.ago(host.started)))),
        row("slots", Cell::new(format!("{busy} of {} taken", host.slots))),
        row("tracker", tracker),
    ];
    let known = identity.iter().filter_map(|(name, id)| Some(row(name, Cell::new(id.as_ref()?))));
    rows.extend(known);
    rows.extend(host.providers.iter().map(|provider| row("provider", provider_cell(provider))));
    rows.push(row("repositories", Cell::new(host.repositories.join(", "))));
    if host.undelivered_reports > 0 {
        let text = count(host.undelivered_reports.into(), "report");
        rows.push(row("outbox", Cell::new(format!("{text} not delivered yet")).tone(Tone::Warning)));
    }
    for (reason, times) in &host.denied {
        rows.push(row(
            "denied",
            Cell::new(format!("{}: {reason}", count(*times, "time"))).tone(Tone::Warning),
        ));
    }
    let observed = host.observed.as_ref().map_or_else(String::new, |rights| {
        format!("{}\n\n", draw_observed(page, &host.tracker, grants, rights))
    });
    format!("{}\n{observed}{}", draw(&rows, page.paint, None), draw_runs(page, &host.runs, true))
}

fn provider_cell(provider: &ProviderView) -> Cell {
    match &provider.problem {
        Some(problem) => Cell::new(format!("{}: {problem}", provider.name)).tone(Tone::Warning),
        None => Cell::new(format!("{} {}", provider.name, provider.version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::examples;

    #[test]
    fn a_host_tells_what_it_does_and_what_troubles_it() {
        let provider = |name: &str, problem: Option<&str>| ProviderView {
            name: name.to_owned(),
            version: "2.1.4".to_owned(),
            program: None,
            capabilities: Vec::new(),
            problem: problem.map(str::to_owned),
        };
        let host = HostView {
            pid: 4711,
            version: "0.1.0".to_owned(),
            started: 1_779_990_000_000,
            mode: "draining".to_owned(),
            slots: 2,
            free_slots: 1,
            tracker: "folder".to_owned(),
            tracker_heard: Some(1_779_999_996_000),
            tracker_problem: None,
            providers: vec![
                provider("claude-code", None),
                provider("codex", Some("did not tell its version")),
            ],
            repositories: vec!["app".to_owned()],
            undelivered_reports: 1,
            denied: [("no grant for https://evil.example".to_owned(), 3)].into(),
            observed: None,
            runs: vec![examples::running()],
        };
        insta::assert_snapshot!(draw_status(
            &page(),
            &host,
            &[("host id", Some("host_0f9a1c22".to_owned())), ("daemon-id", None)],
            Path::new("/conf/grants.toml")
        ));
    }
}
