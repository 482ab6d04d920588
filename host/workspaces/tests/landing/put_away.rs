use hostler_workspaces::{Landing, Removal, Restored};

use crate::scene::write;
use crate::stage::Stage;

const PUSHED: &str = "refs/remotes/origin/hostler/a";

fn pushed() -> Landing {
    Landing::Push { remote: "origin".to_owned() }
}

#[test]
fn a_workspace_whose_work_is_pushed_goes_its_branch_stays_and_it_can_be_made_again() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    let landed = repository.land(&workspace, &pushed(), "Title", &stage.means(None)).unwrap();
    for _ in 0..2 {
        let removal = repository.put_away(&workspace, PUSHED);
        assert_eq!(removal, Removal::Removed { branch_deleted: false, leftover: None });
    }
    assert!(!workspace.path.exists() && !workspace.git_dir.exists());
    let head = landed.head.unwrap();
    assert_eq!(stage.scene.git(&["rev-parse", "hostler/a"]), head.to_string());
    assert_eq!(repository.restore(&workspace).unwrap(), Restored::FromBranch(head));
    assert_eq!(std::fs::read_to_string(workspace.path.join("done.txt")).unwrap(), "done\n");
    write(&workspace.path.join("more.txt"), "more\n");
    let again = repository.land(&workspace, &pushed(), "More", &stage.means(None)).unwrap();
    assert_eq!(stage.at_forge("refs/heads/hostler/a"), again.head.unwrap().to_string());
}

#[test]
fn work_that_came_after_the_push_keeps_the_workspace() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    repository.land(&workspace, &pushed(), "Title", &stage.means(None)).unwrap();
    write(&workspace.path.join("late.txt"), "late\n");
    let kept = |removal: Removal| matches!(removal, Removal::Kept { .. });
    assert!(kept(repository.put_away(&workspace, PUSHED)));
    crate::scene::git(&workspace.path, &["add", "late.txt"]);
    crate::scene::git(&workspace.path, &["commit", "-q", "-m", "late"]);
    assert!(kept(repository.put_away(&workspace, PUSHED)), "it is committed, but not pushed");
    assert!(kept(repository.put_away(&workspace, "refs/heads/hostler/a")), "no proof of itself");
    assert!(kept(repository.put_away(&workspace, "refs/remotes/origin/nowhere")));
    assert!(workspace.path.join("late.txt").exists());
}
