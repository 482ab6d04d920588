//! Who may depend on whom. Arrows point down only; development and build
//! dependencies count like any other.

use crate::{assert_none, packages};

const RULE: &str = "dependencies that the architecture does not allow:";

/// The rooms between the daemon and the engine. They do not know each other.
const MIDDLE: [&str; 6] = [
    "hostler-agents",
    "hostler-broker",
    "hostler-components",
    "hostler-journal",
    "hostler-policy",
    "hostler-workspaces",
];

/// The measuring instrument holds parts of the host against floors, and the fuzzer holds
/// what they read against what must be true of it, so both see every room; they are no
/// part of the product, and nothing may depend on them.
pub const OUTSIDE: [&str; 2] = ["hostler-bench", "hostler-fuzz"];

/// What a package of ours may depend on among ours, a `*` standing for any end;
/// `None` for a package that has no place in the house.
fn allowed(package: &str) -> Option<Vec<&'static str>> {
    match package {
        "hostler" => Some(vec!["hostler-daemon"]),
        "hostler-daemon" => Some([&MIDDLE[..], &["hostler-engine"]].concat()),
        // Its tests push to a forge.
        "hostler-workspaces" => Some(vec!["hostler-engine", "standin-forge"]),
        middle if MIDDLE.contains(&middle) => Some(vec!["hostler-engine"]),
        plugin if plugin.starts_with("hostler-plugin-") => Some(vec!["hostler-sdk"]),
        guest if guest.starts_with("hostler-guest-") => Some(vec!["hostler-sdk"]),
        // It plays the engine's world: trackers, processes, disks, networks.
        "hostler-simulation" => Some(vec!["hostler-engine"]),
        // The tests see the host as a user does, with stand-ins for what it meets.
        "hostler-tests" => Some(vec!["standin-*"]),
        standin if standin.starts_with("standin-") => Some(Vec::new()),
        // The chores only start programs.
        "hostler-engine" | "hostler-sdk" | "xtask" => Some(Vec::new()),
        _ => None,
    }
}

fn covers(pattern: &str, package: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == package, |start| package.starts_with(start))
}

/// The arrows that are not allowed, in words. An arrow is who depends, and on whom.
fn wrong_arrows(arrows: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, to) in arrows.iter().filter(|(from, _)| !OUTSIDE.contains(from)) {
        match allowed(from) {
            Some(allowed) if allowed.iter().any(|pattern| covers(pattern, to)) => {}
            Some(allowed) if allowed.is_empty() => {
                wrong.push(format!("{from} → {to}: {from} may depend on nothing of ours"));
            }
            Some(allowed) => wrong.push(format!("{from} → {to}: {from} may only use {}", allowed.join(", "))),
            None => wrong.push(format!("{from} → {to}: {from} has no place in the architecture")),
        }
    }
    wrong
}

#[test]
fn rooms_depend_only_on_the_rooms_below_them() {
    let packages = packages();
    let arrows: Vec<(&str, &str)> = packages
        .iter()
        .flat_map(|package| package.dependencies.iter().map(move |dependency| (package, dependency)))
        .filter(|(_, dependency)| dependency.path.is_some())
        .map(|(package, dependency)| (package.name.as_str(), dependency.name.as_str()))
        .collect();
    assert!(arrows.contains(&("hostler-daemon", "hostler-engine")), "no arrows were read: {arrows:?}");
    assert_none(RULE, &wrong_arrows(&arrows));
}

#[test]
fn every_package_has_a_place_in_the_architecture() {
    let strangers: Vec<String> = packages()
        .iter()
        .filter(|package| !OUTSIDE.contains(&package.name.as_str()) && allowed(&package.name).is_none())
        .map(|package| format!("{} ({})", package.name, package.manifest_path))
        .collect();
    assert_none("packages that no rule knows:", &strangers);
}

#[test]
fn the_arrows_of_the_architecture_are_allowed() {
    let right = [
        ("hostler", "hostler-daemon"),
        ("hostler-daemon", "hostler-broker"),
        ("hostler-daemon", "hostler-engine"),
        ("hostler-components", "hostler-engine"),
        ("hostler-plugin-folder", "hostler-sdk"),
        ("hostler-tests", "standin-tale"),
        (OUTSIDE[0], "hostler-components"),
    ];
    assert_eq!(wrong_arrows(&right), Vec::<String>::new());
}

#[test]
fn an_arrow_up_across_or_around_is_found_and_named() {
    let wrong = [
        ("hostler-engine", "hostler-journal"),
        ("hostler-broker", "hostler-components"),
        ("hostler-journal", "hostler-daemon"),
        ("hostler", "hostler-engine"),
        ("hostler-plugin-folder", "hostler-engine"),
        ("hostler-plugin-codex", "hostler-plugin-command"),
        ("hostler-sdk", "hostler-engine"),
        ("hostler-tests", "hostler-daemon"),
        ("standin-tale", "hostler-engine"),
        ("xtask", "hostler-components"),
        ("hostler-attic", "hostler-engine"),
        ("hostler-tests", OUTSIDE[1]),
    ];
    for arrow in wrong {
        let found = wrong_arrows(&[("hostler", "hostler-daemon"), arrow]);
        assert_eq!(found.len(), 1, "{arrow:?}: {found:?}");
        assert!(found[0].starts_with(&format!("{} → {}: ", arrow.0, arrow.1)), "{found:?}");
    }
}
