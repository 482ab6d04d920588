//! Agents with a repository of their own: made, worked in, taken over from, removed.
#![allow(clippy::unwrap_used)]

mod collecting;
mod hostile;
mod hostile_objects;
mod making;
#[path = "../scene/mod.rs"]
#[allow(dead_code)]
mod scene;

use hostler_workspaces::{Isolation, Order, Repository, Workspace};
use scene::{git, write};

/// A workspace that is a clone.
fn made(repository: &Repository, folder: &str) -> Workspace {
    repository.prepare(&cloned(repository, folder)).unwrap()
}

fn cloned(repository: &Repository, folder: &str) -> Order {
    Order { isolation: Isolation::Clone, ..scene::order(repository, folder) }
}

/// A commit of one file, as an agent makes it; gives back its id.
fn commit(workspace: &Workspace, file: &str) -> String {
    write(&workspace.path.join(file), &format!("{file}\n"));
    git(&workspace.path, &["add", "-A"]);
    git(&workspace.path, &["commit", "-q", "-m", file]);
    git(&workspace.path, &["rev-parse", "HEAD"])
}

/// What the run's branch is on in the user's repository.
fn branch(scene: &scene::Scene, workspace: &Workspace) -> String {
    scene.git(&["rev-parse", &format!("refs/heads/{}", workspace.order.branch)])
}
