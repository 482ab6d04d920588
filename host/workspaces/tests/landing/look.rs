//! What came back from a pull request, by either way to the forge.

use std::fs;

use hostler_engine::follow_up::{CheckState, FollowUp, Standing, Voice};
use hostler_workspaces::{ForgeHttp, LookError, Repository, Workspace};
use standin_forge::{Fault, Harm, OPENED_BY, Part};

use crate::stage::{Client, REPOSITORY, Stage};

/// An open pull request with a failed check and three comments.
fn opened(stage: &Stage) -> (Repository, Workspace, String) {
    let (repository, workspace) = stage.worked("a");
    let landed = stage.propose(&repository, &workspace, "T").unwrap();
    let head = landed.head.unwrap().to_string();
    stage.forge.with_pulls(|pulls| {
        pulls.add_member("mina");
        pulls.add_check_run(&head, "build", "completed", Some("failure"));
        pulls.add_comment(REPOSITORY, 1, "mina", "Use a map.");
        pulls.add_to_conversation(REPOSITORY, 1, "passer-by", "Nice.");
        pulls.add_to_conversation(REPOSITORY, 1, OPENED_BY, "Thanks.");
    });
    (repository, workspace, head)
}

#[test]
fn by_gh_and_by_token_the_same_is_seen() {
    let token: Option<&dyn ForgeHttp> = Some(&Client);
    for (gh, token) in [(false, token), (true, None)] {
        let stage = Stage::new();
        let (repository, workspace, head) = opened(&stage);
        if gh {
            stage.forge.install_gh(&stage.scene.path("bin")).unwrap();
        }
        let means = stage.means(token);
        let seen = repository.look_at(&workspace, "origin", 1, FollowUp::All, &means).unwrap();
        assert_eq!((seen.standing, &*seen.head), (Standing::Open, &*head));
        assert_eq!((&*seen.checks[0].name, seen.checks[0].state), ("build", CheckState::Failed));
        let said: Vec<_> = seen.remarks.iter().map(|said| (&*said.author, said.voice)).collect();
        let wanted = [("mina", Voice::Member), ("passer-by", Voice::Stranger), (OPENED_BY, Voice::Ourselves)];
        assert_eq!(said, wanted, "gh: {gh}");
    }
}

#[test]
fn a_look_needs_no_worktree_any_more() {
    let stage = Stage::new();
    let (repository, workspace, _) = opened(&stage);
    fs::remove_dir_all(&workspace.path).unwrap();
    stage.forge.with_pulls(|pulls| {
        let pull = pulls.get_mut(REPOSITORY, 1).unwrap();
        (pull.open, pull.merged) = (false, true);
    });
    let means = stage.means(Some(&Client));
    let seen = repository.look_at(&workspace, "origin", 1, FollowUp::All, &means).unwrap();
    assert_eq!(seen.standing, Standing::Merged);
}

#[test]
fn a_forge_that_does_not_answer_now_is_told_from_one_that_refuses() {
    for gh in [false, true] {
        let stage = Stage::new();
        let (repository, workspace, _) = opened(&stage);
        if gh {
            stage.forge.install_gh(&stage.scene.path("bin")).unwrap();
        }
        let means = stage.means(Some(&Client));
        let look = |number| repository.look_at(&workspace, "origin", number, FollowUp::All, &means);
        for status in [502, 429] {
            stage.forge.inject(Fault { part: Part::Read, harm: Harm::Status(status), times: 1 });
            let Err(LookError::Forge(error)) = look(1) else { panic!("it was seen") };
            assert!(error.is_temporary(), "{error}");
        }
        let Err(LookError::Forge(error)) = look(9) else { panic!("there is no such pull request") };
        assert!(!error.is_temporary(), "{error}");
    }
}

#[test]
fn without_any_means_it_says_what_is_missing() {
    let stage = Stage::new();
    let (repository, workspace, _) = opened(&stage);
    let error = repository.look_at(&workspace, "origin", 1, FollowUp::All, &stage.means(None)).unwrap_err();
    assert!(error.to_string().contains("gh auth login"), "{error}");
}
