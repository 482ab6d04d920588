//! What stands where in the agent's view of the disk, decided from the places
//! alone and carried out by the agent's supervisor.

use std::path::{Path, PathBuf};

use hostler_engine::sandbox::Tier;
use serde::{Deserialize, Serialize};

use super::{Access, Places};
use crate::byte_text::Word;

/// How to wall an agent in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub tier: Tier,
    /// In the order in which they are to be put up; what nothing is said about is
    /// as it is outside, but read-only.
    pub views: Vec<View>,
    /// Real places that must be the same ones afterwards: what may not be changed inside
    /// of what may.
    pub kept: Vec<Word>,
    /// The port of the only way out to the network; `None` is every way.
    pub port: Option<u16>,
    /// Whether the agent may wall in what it runs, also where it is root. A host of before
    /// says nothing of it, and may start a shim of now while it is replaced.
    #[serde(default)]
    pub nests: bool,
}

/// What the agent sees at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct View {
    pub at: Word,
    pub shows: Shows,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shows {
    /// A real file or folder with all below it.
    Place { source: Word, access: Access },
    /// An empty folder that is the agent's own, in memory.
    Scratch,
    /// An empty folder, or a file that nobody can open.
    Nothing,
}

/// Who wins at one and the same place: the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Private,
    Shown,
    Writable,
    ReadOnly,
    Hidden,
}

/// A real place, and where the agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    at: PathBuf,
    source: PathBuf,
}

impl Plan {
    /// A deeper place counts more than one above it, a stricter rule more than a
    /// loose one; only what the agent may change of its home counts more than what
    /// it may read there.
    pub(crate) fn of(places: &Places) -> Self {
        let mut views: Vec<(Rank, PathBuf, Shows)> = Vec::new();
        let (temporary, ours) = &places.temporary;
        views.push((Rank::Private, temporary.clone(), place(ours, Access::ReadWrite)));
        // The list of mounts tells where `/tmp` really lies, and a CLI that closes
        // something in there to what it runs closes it at that place too (Codex). What it
        // does not find there, it cannot close, and then it runs nothing.
        views.push((Rank::Writable, ours.clone(), place(ours, Access::ReadWrite)));
        if let Some(contained) = &places.contained {
            views.extend(contained.run.iter().map(|run| (Rank::Private, run.clone(), Shows::Scratch)));
            let (home, ours) = &contained.home;
            views.push((Rank::Private, home.clone(), place(ours, Access::ReadWrite)));
            let resolver = contained.resolver.iter();
            views.extend(resolver.map(|path| (Rank::Shown, path.clone(), place(path, Access::Read))));
        }
        let closed = closed(places);
        let kept = places.read_only.iter().cloned().map(Word::from).collect();
        let is = |rank, access| move |spot: Spot| (rank, spot.at, place(&spot.source, access));
        views.extend(shown(places, Access::Read).map(is(Rank::Shown, Access::Read)));
        let open = pinned(places, &closed).into_iter().chain(roots(places));
        views.extend(open.map(is(Rank::Writable, Access::ReadWrite)));
        views.extend(closed.into_iter().map(is(Rank::ReadOnly, Access::Read)));
        let hidden = places.hidden.iter().flat_map(|path| seen_at(places, path).chain([path.clone()]));
        views.extend(hidden.map(|path| (Rank::Hidden, path, Shows::Nothing)));
        views.sort_by_key(|(rank, at, _)| (at.components().count(), *rank));
        views.dedup();
        let views = views.into_iter().map(|(_, at, shows)| View { at: at.into(), shows }).collect();
        let port = places.contained.as_ref().and_then(|contained| contained.port);
        Self { tier: places.tier, views, kept, port, nests: places.nests }
    }
}

fn place(source: &Path, access: Access) -> Shows {
    Shows::Place { source: source.to_owned().into(), access }
}

/// What of the home appears for this.
fn shown(places: &Places, access: Access) -> impl Iterator<Item = Spot> {
    let shown = places.shown.iter().filter(move |shown| shown.access == access);
    shown.map(|shown| Spot { at: shown.at.clone(), source: shown.source.clone() })
}

/// Everything that may be changed with all below it.
fn roots(places: &Places) -> impl Iterator<Item = Spot> {
    let writable = places.writable.iter();
    let writable = writable.map(|path| Spot { at: path.clone(), source: path.clone() });
    writable.chain(shown(places, Access::ReadWrite))
}

/// Where else a real place is seen: a link of the home may lead to it.
fn seen_at(places: &Places, path: &Path) -> impl Iterator<Item = PathBuf> {
    places.shown.iter().filter_map(move |shown| {
        let below = path.strip_prefix(&shown.source).ok()?;
        // Joining nothing would add a slash.
        Some(if below.as_os_str().is_empty() { shown.at.clone() } else { shown.at.join(below) })
    })
}

/// What stays as it is inside of what may be changed, wherever it is seen.
fn closed(places: &Places) -> Vec<Spot> {
    let mut closed = Vec::new();
    for path in &places.read_only {
        let as_it_is = places.writable.iter().any(|root| path.starts_with(root)).then(|| path.clone());
        let seen = as_it_is.into_iter().chain(seen_at(places, path));
        closed.extend(seen.map(|at| Spot { at, source: path.clone() }));
    }
    closed
}

/// The folders between a writable place and a read-only one inside of it. A folder
/// above a mount can be renamed, and another put in its place; a mount cannot, so
/// they are made mounts. None of them is opened below another read-only place.
fn pinned(places: &Places, closed: &[Spot]) -> Vec<Spot> {
    let roots: Vec<PathBuf> = roots(places).map(|root| root.at).collect();
    let readable: Vec<Spot> = shown(places, Access::Read).collect();
    let is_inside = |above: &Path| {
        roots.iter().any(|root| above.starts_with(root)) && !roots.iter().any(|root| above == root)
    };
    let all = || closed.iter().chain(&readable);
    let is_closed = |above: &Path| all().any(|closed| above.starts_with(&closed.at));
    let mut pinned = Vec::new();
    for spot in all() {
        let between = spot.at.ancestors().zip(spot.source.ancestors()).skip(1);
        let between = between.filter(|(at, _)| is_inside(at) && !is_closed(at));
        pinned.extend(between.map(|(at, source)| Spot { at: at.to_owned(), source: source.to_owned() }));
    }
    pinned.sort();
    pinned.dedup();
    pinned
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::sandbox::places::{Contained, Shown};

    fn places() -> Places {
        Places {
            tier: Tier::Basic,
            writable: vec!["/srv/a".into()],
            read_only: Vec::new(),
            hidden: Vec::new(),
            temporary: ("/tmp".into(), "/runs/1/tmp".into()),
            shown: Vec::new(),
            contained: None,
            nests: false,
        }
    }

    /// Where temporary files really lie is open in every plan.
    const REALLY: &str = "/runs/1/tmp=/runs/1/tmp:rw";

    /// What is told, but for that.
    fn told(places: &Places) -> Vec<String> {
        let (really, told): (Vec<_>, Vec<_>) =
            told_with_all(places).into_iter().partition(|view| view == REALLY);
        assert_eq!(really.len(), 1);
        told
    }

    /// `path=source:rw` for each view, in order.
    fn told_with_all(places: &Places) -> Vec<String> {
        let views = Plan::of(places).views;
        let text = |word: &Word| word.as_ref().to_string_lossy().into_owned();
        let tell = |view: &View| match &view.shows {
            Shows::Place { source, access: Access::Read } => format!("{}={}:r", text(&view.at), text(source)),
            Shows::Place { source, access: Access::ReadWrite } => {
                format!("{}={}:rw", text(&view.at), text(source))
            }
            Shows::Scratch => format!("{}=scratch", text(&view.at)),
            Shows::Nothing => format!("{}=nothing", text(&view.at)),
        };
        views.iter().map(tell).collect()
    }

    #[test]
    fn a_basic_agent_has_its_own_folder_for_temporary_files_and_writes_where_it_may() {
        assert_eq!(told(&places()), ["/tmp=/runs/1/tmp:rw", "/srv/a=/srv/a:rw"]);
    }

    #[test]
    fn temporary_files_are_also_seen_where_they_really_lie_in_the_middle_of_what_is_hidden() {
        let mut places = places();
        places.hidden = vec!["/runs".into()];
        assert_eq!(
            told_with_all(&places),
            ["/tmp=/runs/1/tmp:rw", "/runs=nothing", "/srv/a=/srv/a:rw", REALLY]
        );
    }

    #[test]
    fn the_plan_of_a_host_that_knows_nothing_of_nesting_is_understood() {
        let mut told = serde_json::to_value(Plan::of(&places())).unwrap();
        told.as_object_mut().unwrap().remove("nests");
        assert_eq!(serde_json::from_value::<Plan>(told).unwrap(), Plan::of(&places()));
    }

    #[test]
    fn what_is_inside_of_something_hidden_is_shown_after_it_was_hidden() {
        let mut places = places();
        places.hidden = vec!["/srv".into(), "/srv/a/secret".into()];
        assert_eq!(
            told(&places),
            ["/tmp=/runs/1/tmp:rw", "/srv=nothing", "/srv/a=/srv/a:rw", "/srv/a/secret=nothing"]
        );
    }

    #[test]
    fn the_stricter_rule_counts_where_two_are_about_the_same_place() {
        let mut places = places();
        places.read_only = vec!["/srv/a".into()];
        places.hidden = vec!["/srv/a".into()];
        assert_eq!(told(&places)[1..], ["/srv/a=/srv/a:rw", "/srv/a=/srv/a:r", "/srv/a=nothing"]);
    }

    #[test]
    fn folders_above_a_read_only_place_cannot_be_renamed_and_open_nothing_that_is_closed() {
        let mut places = places();
        places.read_only = vec!["/srv/a/x/y/z".into(), "/srv/a/.git".into(), "/srv/a/.git/b/c".into()];
        assert_eq!(
            told(&places)[1..],
            [
                "/srv/a=/srv/a:rw",
                "/srv/a/x=/srv/a/x:rw",
                "/srv/a/.git=/srv/a/.git:r",
                "/srv/a/x/y=/srv/a/x/y:rw",
                "/srv/a/x/y/z=/srv/a/x/y/z:r",
                "/srv/a/.git/b/c=/srv/a/.git/b/c:r",
            ]
        );
    }

    #[test]
    fn folders_between_two_writable_places_cannot_be_renamed_either() {
        let mut places = places();
        places.writable = vec!["/srv/a".into(), "/srv/a/b/c".into()];
        places.read_only = vec!["/srv/a/b/c/.git".into()];
        assert_eq!(
            told(&places)[1..],
            [
                "/srv/a=/srv/a:rw",
                "/srv/a/b=/srv/a/b:rw",
                "/srv/a/b/c=/srv/a/b/c:rw",
                "/srv/a/b/c/.git=/srv/a/b/c/.git:r",
            ]
        );
    }

    /// With a home at `/home/me`.
    fn at_home(shown: &[(&str, &str, Access)]) -> Places {
        let mut places = places();
        places.shown = shown
            .iter()
            .map(|(source, at, access)| Shown { source: source.into(), at: at.into(), access: *access })
            .collect();
        places.contained = Some(Contained {
            home: ("/home/me".into(), "/runs/1/home".into()),
            run: vec!["/run".into()],
            resolver: Some("/run/systemd/resolve/stub".into()),
            port: Some(3128),
        });
        places
    }

    #[test]
    fn a_contained_agent_has_a_home_of_its_own_with_what_was_chosen_in_it() {
        let mut places = at_home(&[("/dot/git", "/home/me/.gitconfig", Access::Read)]);
        places.writable = vec!["/home/me/code".into()];
        assert_eq!(
            told(&places),
            [
                "/tmp=/runs/1/tmp:rw",
                "/run=scratch",
                "/home/me=/runs/1/home:rw",
                "/home/me/.gitconfig=/dot/git:r",
                "/home/me/code=/home/me/code:rw",
                "/run/systemd/resolve/stub=/run/systemd/resolve/stub:r",
            ]
        );
        assert_eq!(Plan::of(&places).port, Some(3128));
    }

    /// The rest of what is told, from the first place in the home on.
    fn told_at_home(places: &Places) -> Vec<String> {
        told(places).into_iter().skip(3).filter(|view| !view.starts_with("/run/")).collect()
    }

    #[test]
    fn what_may_be_changed_of_a_home_counts_more_than_what_may_be_read_there() {
        use Access::{Read, ReadWrite};
        let (tool, state) = ("/home/me/tool", "/home/me/tool/state");
        let mut places = at_home(&[
            (state, state, ReadWrite),
            (tool, tool, ReadWrite),
            (tool, tool, Read),
            (state, state, Read),
        ]);
        places.writable.clear();
        let [read, write] = ["/home/me/tool=/home/me/tool:r", "/home/me/tool=/home/me/tool:rw"];
        let told = told_at_home(&places);
        assert_eq!(told[..2], [read, write]);
        assert_eq!(told[3..], ["/home/me/tool/state=/home/me/tool/state:rw"]);

        let mut places = at_home(&[(tool, tool, Read), (state, state, ReadWrite)]);
        places.writable.clear();
        places.hidden = vec!["/home/me/tool/state/key".into()];
        assert_eq!(
            told_at_home(&places),
            [read, "/home/me/tool/state=/home/me/tool/state:rw", "/home/me/tool/state/key=nothing"]
        );
    }

    #[test]
    fn what_is_hidden_or_closed_is_so_behind_a_link_of_the_home_too() {
        let mut places = at_home(&[("/dot/app", "/home/me/.app", Access::ReadWrite)]);
        places.writable.clear();
        places.hidden = vec!["/dot/app/key".into()];
        places.read_only = vec!["/dot/app/hooks/start".into()];
        assert_eq!(
            told_at_home(&places),
            [
                "/home/me/.app=/dot/app:rw",
                "/dot/app/key=nothing",
                "/home/me/.app/hooks=/dot/app/hooks:rw",
                "/home/me/.app/key=nothing",
                "/home/me/.app/hooks/start=/dot/app/hooks/start:r",
            ]
        );
    }
}
