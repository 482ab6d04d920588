//! What a host would work with: shown by `host setup` and by `host status` where none
//! runs.

use hostler_daemon::view::ProviderView;
use serde::Serialize;

use super::settings::Shown;
use crate::config::origin::Origin;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, row};

/// What a host would work with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Standing {
    /// What trackers know this host by; made at its first start.
    pub host_id: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// The settings files that were read.
    pub files: Vec<String>,
    /// The tracker, if one is chosen.
    pub tracker: Option<TrackerStanding>,
    /// Key and path of what is worked on; the first is the default.
    pub repositories: Vec<(String, String)>,
    /// The most a task may ask for.
    pub permission_ceiling: Option<String>,
    /// The coding CLIs.
    pub providers: Vec<ProviderView>,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
}

/// One tracker.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrackerStanding {
    /// The plugin's name.
    pub name: String,
    /// Of the plugin.
    pub version: String,
    /// Its fields, secrets masked.
    pub fields: Vec<Shown>,
    /// Secret fields without a value, with what to do.
    pub missing: Vec<String>,
    /// Its server, if somebody looked.
    pub server: Option<ServerStanding>,
}

/// Whether a server can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerStanding {
    /// Where it is.
    pub address: String,
    /// Whether a connection could be opened.
    pub reachable: bool,
    /// Why not.
    pub problem: Option<String>,
}

/// A line for everything.
pub fn draw_standing(page: &Page, standing: &Standing) -> String {
    draw(&rows(standing), page.paint, None)
}

/// The lines, for screens that put others above them.
pub fn rows(standing: &Standing) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    rows.extend(standing.tracker.iter().flat_map(tracker_rows));
    let identity = standing.host_id.as_deref().unwrap_or("made at the first start");
    rows.push(row("host id", Cell::new(identity)));
    rows.extend(standing.name.as_ref().map(|name| row("name", Cell::new(name))));
    for (place, (key, path)) in standing.repositories.iter().enumerate() {
        let note = if place == 0 && standing.repositories.len() > 1 { ", the default" } else { "" };
        rows.push(row("repo", Cell::new(format!("{key} ({path}){note}"))));
    }
    let ceiling = standing.permission_ceiling.as_ref();
    rows.extend(ceiling.map(|level| row("permission", Cell::new(format!("{level} at most")))));
    rows.extend(standing.providers.iter().map(provider));
    if standing.providers.is_empty() && standing.problems.is_empty() {
        let note = "no coding CLI was found: install one, such as Claude Code, Codex or OpenCode";
        rows.push(row("provider", Cell::new(note).tone(Tone::Warning)));
    }
    let problem = |text: &String| row("problem", Cell::new(text).tone(Tone::Warning));
    rows.extend(standing.problems.iter().map(problem));
    rows
}

fn tracker_rows(tracker: &TrackerStanding) -> Vec<Vec<Cell>> {
    let mut rows = vec![row("tracker", Cell::new(format!("{} {}", tracker.name, tracker.version)))];
    for field in &tracker.fields {
        let text = match &field.origin {
            Origin::Default => field.value.clone(),
            origin => format!("{} ({origin})", field.value),
        };
        rows.push(row(&field.name, Cell::new(text)));
    }
    let missing = |text: &String| row("missing", Cell::new(text).tone(Tone::Warning));
    rows.extend(tracker.missing.iter().map(missing));
    rows.extend(tracker.server.iter().map(server));
    rows
}

fn server(server: &ServerStanding) -> Vec<Cell> {
    let cell = match &server.problem {
        None => Cell::new(format!("{} can be reached", server.address)).tone(Tone::Good),
        Some(why) => Cell::new(format!("{} cannot be reached: {why}", server.address)).tone(Tone::Warning),
    };
    row("server", cell)
}

fn provider(provider: &ProviderView) -> Vec<Cell> {
    let cell = match &provider.problem {
        Some(problem) => Cell::new(format!("{}: {problem}", provider.name)).tone(Tone::Warning),
        None => Cell::new(format!("{} {}", provider.name, provider.version)),
    };
    row("provider", cell)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::page::tests::page;

    /// A machine that was set up for Tale.
    pub fn tale() -> Standing {
        let file = Origin::File { path: "/home/ada/.config/hostler/config.toml".into(), line: 4 };
        let shown = |name: &str, value: &str, origin| Shown {
            name: name.to_owned(),
            value: value.to_owned(),
            origin,
        };
        let provider = |name: &str, version: &str, problem: Option<&str>| ProviderView {
            name: name.to_owned(),
            version: version.to_owned(),
            program: None,
            capabilities: Vec::new(),
            problem: problem.map(str::to_owned),
        };
        Standing {
            host_id: Some("host_0f9a1c22".to_owned()),
            name: Some("desk".to_owned()),
            files: vec!["/home/ada/.config/hostler/config.toml".to_owned()],
            tracker: Some(TrackerStanding {
                name: "Tale".to_owned(),
                version: "0.1.0".to_owned(),
                fields: vec![
                    shown("api-key", "••••••", Origin::Environment("TALE_DAEMON_API_KEY".to_owned())),
                    shown("url", "https://tale.example", file),
                ],
                missing: Vec::new(),
                server: None,
            }),
            repositories: vec![
                ("api".to_owned(), "/home/ada/api".to_owned()),
                ("web".to_owned(), "/home/ada/web".to_owned()),
            ],
            permission_ceiling: Some("safe".to_owned()),
            providers: vec![
                provider("claude-code", "2.1.4", None),
                provider("codex", "", Some("did not tell its version")),
            ],
            problems: Vec::new(),
        }
    }

    #[test]
    fn what_a_host_would_work_with_is_a_line_each() {
        let mut standing = tale();
        let server = |problem: Option<&str>| ServerStanding {
            address: "https://tale.example".to_owned(),
            reachable: problem.is_none(),
            problem: problem.map(str::to_owned),
        };
        if let Some(tracker) = &mut standing.tracker {
            tracker.server = Some(server(None));
        }
        let tracker = TrackerStanding {
            name: "Tale".to_owned(),
            version: "0.1.0".to_owned(),
            missing: vec!["plugin `tale` needs `api-key`".to_owned()],
            server: Some(server(Some("connection refused"))),
            ..TrackerStanding::default()
        };
        let bare = Standing { tracker: Some(tracker), ..Standing::default() };
        insta::assert_snapshot!(
            [draw_standing(&page(), &standing), draw_standing(&page(), &bare)].join("\n")
        );
    }
}
