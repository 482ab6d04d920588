use std::path::Path;

use hostler_workspaces::{LandedKind, Landing, LandingError, Removal, RemovalProof};

use crate::scene::{git, write};
use crate::stage::Stage;

fn into(branch: &str) -> Landing {
    Landing::Merge { into: branch.to_owned() }
}

#[test]
fn a_merge_makes_a_merge_commit_even_where_a_fast_forward_would_do() {
    let stage = Stage::new();
    stage.scene.git(&["branch", "integration"]);
    let (repository, workspace) = stage.worked("a");
    write(&workspace.path.join("loose.txt"), "loose\n");
    let before = stage.scene.git(&["rev-parse", "integration"]);
    let landed = repository.land(&workspace, &into("integration"), "Export", &stage.means(None)).unwrap();
    assert_eq!((landed.kind, landed.branch.as_str()), (LandedKind::Merged, "integration"));
    let shown = stage.scene.git(&["log", "-1", "--format=%H %P|%an|%s", "integration"]);
    let tip = stage.scene.git(&["rev-parse", "hostler/a"]);
    let subject = "Merge branch 'hostler/a' into integration";
    assert_eq!(shown, format!("{} {before} {tip}|Ann Operator|{subject}", landed.head.unwrap()));
    assert_eq!(stage.scene.git(&["show", "integration:loose.txt"]), "loose");
    // The merge proves that the workspace may go.
    let proof = RemovalProof::Merged { into: "refs/heads/integration".to_owned() };
    assert!(matches!(repository.remove(&workspace, &proof), Removal::Removed { .. }));
}

#[test]
fn merging_again_changes_nothing() {
    let stage = Stage::new();
    stage.scene.git(&["branch", "integration"]);
    let (repository, workspace) = stage.worked("a");
    let first = repository.merge(&workspace, "integration", "T").unwrap();
    let second = repository.merge(&workspace, "integration", "T").unwrap();
    assert_eq!((second.head, second.already_merged), (first.head, true));
}

#[test]
fn both_sides_are_joined_and_a_conflict_changes_nothing_and_names_its_files() {
    let stage = Stage::new();
    stage.scene.git(&["checkout", "-q", "-b", "integration"]);
    stage.scene.write("theirs.txt", "theirs\n");
    stage.scene.commit_all("theirs");
    stage.scene.git(&["checkout", "-q", "main"]);
    let (repository, workspace) = stage.worked("a");
    repository.merge(&workspace, "integration", "T").unwrap();
    assert_eq!(stage.scene.git(&["show", "integration:theirs.txt"]), "theirs");
    assert_eq!(stage.scene.git(&["show", "integration:done.txt"]), "done");

    stage.scene.git(&["checkout", "-q", "integration"]);
    stage.scene.write("README.md", "one\ntheirs\nthree\n");
    stage.scene.commit_all("theirs again");
    stage.scene.git(&["checkout", "-q", "main"]);
    write(&workspace.path.join("README.md"), "one\nours\nthree\n");
    let before = stage.scene.git(&["rev-parse", "integration"]);
    let error = repository.land(&workspace, &into("integration"), "T", &stage.means(None)).unwrap_err();
    let LandingError::Conflict { paths, .. } = &error else { panic!("{error}") };
    assert_eq!(paths, &[Path::new("README.md")]);
    assert!(error.to_string().contains("conflicts with `integration` in README.md"), "{error}");
    assert_eq!(stage.scene.git(&["rev-parse", "integration"]), before);
    assert_eq!(stage.scene.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_branch_that_is_checked_out_anywhere_is_not_moved() {
    let stage = Stage::new();
    stage.scene.git(&["branch", "integration"]);
    let (repository, workspace) = stage.worked("a");
    let error = repository.merge(&workspace, "main", "T").unwrap_err().to_string();
    assert!(error.contains(&format!("checked out in {}", stage.scene.checkout.display())), "{error}");
    let other = stage.scene.path("other");
    stage.scene.git(&["worktree", "add", "-q", other.to_str().unwrap(), "integration"]);
    let error = repository.merge(&workspace, "integration", "T").unwrap_err();
    let LandingError::CheckedOut { path, .. } = error else { panic!("{error}") };
    assert_eq!(path, other);
    std::fs::remove_dir_all(&other).unwrap();
    repository.merge(&workspace, "integration", "T").unwrap();
}

#[test]
fn a_target_that_is_missing_or_the_runs_own_branch_is_refused() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    for name in ["nowhere", "--force", "a b"] {
        let error = repository.merge(&workspace, name, "T").unwrap_err();
        assert!(matches!(error, LandingError::UnknownTarget { .. }), "{error}");
    }
    let error = repository.merge(&workspace, "hostler/a", "T").unwrap_err();
    assert!(matches!(error, LandingError::OwnBranch { .. }), "{error}");
}

#[test]
fn many_runs_merge_into_one_branch_at_once_and_none_is_lost() {
    let stage = Stage::new();
    stage.scene.git(&["branch", "integration"]);
    let repository = stage.open();
    let names = ["a", "b", "c", "d", "e", "f"];
    let workspaces = names.map(|name| {
        let workspace = crate::scene::workspace(&repository, name);
        write(&workspace.path.join(format!("{name}.txt")), name);
        repository.commit_remaining(&workspace, name).unwrap();
        workspace
    });
    std::thread::scope(|scope| {
        for workspace in &workspaces {
            let repository = &repository;
            scope.spawn(move || {
                // Whoever lost every race is told so, and tries again.
                while let Err(error) = repository.merge(workspace, "integration", "T") {
                    assert!(error.is_temporary(), "{error}");
                }
            });
        }
    });
    for name in names {
        assert_eq!(git(&stage.scene.checkout, &["show", &format!("integration:{name}.txt")]), name);
    }
}
