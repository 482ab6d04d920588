use hostler_workspaces::{LandedKind, Landing, LandingError, Order, RemoteError, Repository};
use standin_forge::{Fault, Harm, Part};

use crate::scene::{self, git, write};
use crate::stage::{REPOSITORY, Stage};

fn to_origin() -> Landing {
    Landing::Push { remote: "origin".to_owned() }
}

#[test]
fn exactly_the_runs_branch_is_pushed_with_all_the_work() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    write(&workspace.path.join("more.txt"), "more\n");
    stage.scene.git(&["tag", "private"]);
    stage.scene.git(&["branch", "unrelated"]);
    let landed = repository.land(&workspace, &to_origin(), "Title", &stage.means(None)).unwrap();
    assert_eq!(
        (landed.kind, landed.branch.as_str(), landed.note.as_str()),
        (LandedKind::Pushed, "hostler/a", "")
    );
    let refs = git(&stage.bare, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/hostler/a\nrefs/heads/main");
    assert_eq!(git(&stage.bare, &["show", "hostler/a:more.txt"]), "more");
    assert_eq!(stage.at_forge("refs/heads/hostler/a"), landed.head.unwrap().to_string());
    assert_eq!(stage.scene.git(&["rev-parse", "origin/hostler/a"]), landed.head.unwrap().to_string());
}

#[test]
fn pushing_again_is_up_to_date() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    assert!(!repository.push(&workspace, &stage.push()).unwrap().already_up_to_date);
    assert!(repository.push(&workspace, &stage.push()).unwrap().already_up_to_date);
}

#[test]
fn nothing_done_is_nothing_to_land_and_leave_is_always_fine() {
    let stage = Stage::new();
    let repository = stage.open();
    let workspace = scene::workspace(&repository, "a");
    let error = repository.land(&workspace, &to_origin(), "T", &stage.means(None)).unwrap_err();
    assert!(matches!(error, LandingError::NothingToLand { .. }), "{error}");
    write(&workspace.path.join("loose.txt"), "x\n");
    let left = repository.land(&workspace, &Landing::Leave, "T", &stage.means(None)).unwrap();
    assert_eq!((left.kind, left.head), (LandedKind::Left, Some(workspace.order.start)));
}

#[test]
fn history_rewritten_by_the_agent_replaces_what_this_run_pushed_before() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    repository.push(&workspace, &stage.push()).unwrap();
    git(&workspace.path, &["commit", "-q", "--amend", "-m", "better"]);
    let pushed = repository.push(&workspace, &stage.push()).unwrap();
    assert_eq!(stage.at_forge("refs/heads/hostler/a"), pushed.head.to_string());
}

#[test]
fn a_branch_that_somebody_else_has_moved_is_never_replaced() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    repository.push(&workspace, &stage.push()).unwrap();
    stage.commit_at_forge("hostler/a", "theirs.txt", "theirs\n");
    let theirs = stage.at_forge("refs/heads/hostler/a");
    git(&workspace.path, &["commit", "-q", "--amend", "-m", "better"]);
    let error = repository.push(&workspace, &stage.push()).unwrap_err();
    assert!(matches!(error, LandingError::Remote(RemoteError::Diverged { .. })), "{error}");
    assert_eq!(stage.at_forge("refs/heads/hostler/a"), theirs);
}

#[test]
fn a_line_cut_in_the_middle_of_a_push_is_temporary_and_the_next_push_completes() {
    for harm in [Harm::CutRequest(40), Harm::CutAnswer, Harm::Status(500)] {
        let stage = Stage::new();
        let (repository, workspace) = stage.worked("a");
        stage.forge.inject(Fault { part: Part::Push, harm, times: 1 });
        let error = repository.push(&workspace, &stage.push()).unwrap_err();
        assert!(error.is_temporary(), "{harm:?}: {error}");
        // A cut before or after the forge took it: either way one branch, as it is here.
        let pushed = repository.push(&workspace, &stage.push()).unwrap();
        assert_eq!(stage.at_forge("refs/heads/hostler/a"), pushed.head.to_string(), "{harm:?}");
        assert_eq!(pushed.already_up_to_date, harm == Harm::CutAnswer);
    }
}

#[test]
fn after_a_push_whose_answer_was_lost_rewritten_history_still_replaces_it() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    stage.forge.inject(Fault { part: Part::Push, harm: Harm::CutAnswer, times: 1 });
    repository.push(&workspace, &stage.push()).unwrap_err();
    git(&workspace.path, &["commit", "-q", "--amend", "-m", "better"]);
    repository.push(&workspace, &stage.push()).unwrap();
}

#[test]
fn a_rule_of_the_remote_is_told_with_its_own_words() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    let hook = stage.bare.join("hooks/pre-receive");
    write(&hook, "#!/bin/sh\necho 'commits must be signed' >&2\nexit 1\n");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = repository.push(&workspace, &stage.push()).unwrap_err();
    assert!(error.to_string().contains("commits must be signed") && !error.is_temporary(), "{error}");
}

#[test]
fn an_address_the_agent_changed_gets_nothing() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    let elsewhere = stage.forge.create_repository("evil/api").unwrap();
    git(&workspace.path, &["remote", "set-url", "origin", &stage.forge.url("evil/api")]);
    git(&workspace.path, &["config", "remote.origin.pushurl", &stage.forge.url("evil/api")]);
    let instead = format!("url.{}.insteadOf", stage.forge.url("evil/api"));
    git(&workspace.path, &["config", &instead, &stage.forge.url(REPOSITORY)]);
    repository.push(&workspace, &stage.push()).unwrap();
    assert_ne!(stage.at_forge("refs/heads/hostler/a"), "");
    assert_eq!(git(&elsewhere, &["for-each-ref"]), "");
}

#[test]
fn a_push_that_hangs_ends_when_it_is_called_off() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    stage.forge.inject(Fault { part: Part::Push, harm: Harm::Hang, times: 1 });
    let error = std::thread::scope(|scope| {
        let push = scope.spawn(|| repository.push(&workspace, &stage.push()).unwrap_err());
        stage.forge.wait_until_hanging();
        stage.cancel.cancel();
        push.join().unwrap()
    });
    assert!(matches!(error, LandingError::Remote(RemoteError::Cancelled { .. })), "{error}");
}

#[test]
fn credentials_of_the_address_reach_the_forge_and_no_result() {
    let stage = Stage::new();
    let url = format!("http://u:s3cr3t@{}/{REPOSITORY}.git", stage.forge.authority());
    stage.scene.git(&["remote", "set-url", "origin", &url]);
    let (repository, workspace) = stage.worked("a");
    stage.forge.require_authorization("Basic dTpzM2NyM3Q=");
    let pushed = repository.push(&workspace, &stage.push()).unwrap();
    assert!(!format!("{pushed:?}").contains("s3cr3t"));
    assert_eq!(pushed.url, stage.forge.url(REPOSITORY));
    stage.forge.inject(Fault { part: Part::Push, harm: Harm::Status(403), times: 1 });
    git(&workspace.path, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let error = repository.push(&workspace, &stage.push()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
}

#[test]
fn work_in_a_shallow_clone_is_fetched_for_and_pushed() {
    let stage = Stage::new();
    stage.commit_at_forge("main", "second.txt", "2\n");
    let clone = stage.scene.path("shallow");
    let url = stage.forge.url(REPOSITORY);
    stage.scene.git(&["clone", "-q", "--depth", "1", &url, clone.to_str().unwrap()]);
    let repository = Repository::open_as(stage.operator(), &clone, &stage.scene.state()).unwrap();
    stage.commit_at_forge("main", "third.txt", "3\n");
    let start = repository.fetch(&stage.fetch()).unwrap().commit;
    let workspace = repository.prepare(&Order { start, ..scene::order(&repository, "a") }).unwrap();
    write(&workspace.path.join("done.txt"), "done\n");
    let landed = repository.land(&workspace, &to_origin(), "T", &stage.means(None)).unwrap();
    assert_eq!(git(&stage.bare, &["rev-parse", "hostler/a~1"]), stage.at_forge("refs/heads/main"));
    assert_eq!(stage.at_forge("refs/heads/hostler/a"), landed.head.unwrap().to_string());
}
