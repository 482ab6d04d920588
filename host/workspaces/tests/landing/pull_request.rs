use hostler_workspaces::{LandedKind, Landing, LandingError};
use standin_forge::{Fault, Harm, Part};

use crate::scene::{git, write};
use crate::stage::{REPOSITORY, Stage, pull_request};

#[test]
fn a_pull_request_is_opened_with_title_and_body_and_never_merged() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    let main = stage.at_forge("refs/heads/main");
    let landed = stage.propose(&repository, &workspace, "Add the export").unwrap();
    assert_eq!((landed.kind, landed.number, landed.note.as_str()), (LandedKind::PullRequest, Some(1), ""));
    assert_eq!(landed.url.unwrap(), format!("{}/{REPOSITORY}/pull/1", stage.forge.origin()));
    let [made] = stage.forge.pull_requests(REPOSITORY).try_into().unwrap();
    assert_eq!((made.head.as_str(), made.base.as_str()), ("hostler/a", "main"));
    assert_eq!((made.title.as_str(), made.body.as_str()), ("Add the export", "A body."));
    assert_eq!(stage.at_forge("refs/heads/main"), main);
}

#[test]
fn an_open_pull_request_is_updated_and_not_doubled() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    stage.propose(&repository, &workspace, "First").unwrap();
    write(&workspace.path.join("second.txt"), "2\n");
    let landed = stage.propose(&repository, &workspace, "Second").unwrap();
    assert_eq!(landed.number, Some(1));
    let [made] = stage.forge.pull_requests(REPOSITORY).try_into().unwrap();
    assert_eq!(made.title, "Second");
    assert_eq!(stage.at_forge("refs/heads/hostler/a"), landed.head.unwrap().to_string());
}

#[test]
fn a_host_killed_at_any_point_leaves_exactly_one_pull_request_after_the_next_try() {
    // What the forge did not answer is what a killed host did not see.
    for (part, harm) in [
        (Part::Push, Harm::CutAnswer),
        (Part::Read, Harm::Status(502)),
        (Part::Write, Harm::Status(502)),
        (Part::Write, Harm::CutRequest(5)),
        (Part::Write, Harm::CutAnswer),
    ] {
        let stage = Stage::new();
        let (repository, workspace) = stage.worked("a");
        stage.forge.inject(Fault { part, harm, times: 1 });
        let error = stage.propose(&repository, &workspace, "T").unwrap_err();
        assert!(error.is_temporary(), "{part:?} {harm:?}: {error}");
        drop(repository);
        let landed = stage.propose(&stage.open(), &workspace, "T").unwrap();
        assert_eq!(landed.number, Some(1), "{part:?} {harm:?}");
        assert_eq!(stage.forge.pull_requests(REPOSITORY).len(), 1, "{part:?} {harm:?}");
    }
}

#[test]
fn a_closed_pull_request_is_left_alone_and_a_new_one_is_opened() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    stage.propose(&repository, &workspace, "T").unwrap();
    stage.forge.with_pulls(|pulls| pulls.get_mut(REPOSITORY, 1).unwrap().open = false);
    assert_eq!(stage.propose(&repository, &workspace, "T").unwrap().number, Some(2));
}

#[test]
fn gh_opens_and_updates_where_it_is_signed_in_and_needs_no_token() {
    let stage = Stage::new();
    stage.forge.install_gh(&stage.scene.path("bin")).unwrap();
    let (repository, workspace) = stage.worked("a");
    let body = "Line one\n\n- `code` \"quoted\" $HOME --repo evil/x\nlast";
    let landed =
        repository.land(&workspace, &pull_request(body), "--repo=evil/x", &stage.means(None)).unwrap();
    assert_eq!((landed.kind, landed.number), (LandedKind::PullRequest, Some(1)));
    let again = repository.land(&workspace, &pull_request("New"), "Second", &stage.means(None)).unwrap();
    assert_eq!((again.number, again.url), (Some(1), landed.url));
    let [made] = stage.forge.pull_requests(REPOSITORY).try_into().unwrap();
    assert_eq!((made.title.as_str(), made.body.trim_end()), ("Second", "New"));
    let calls = stage.forge.calls();
    let created = calls.iter().find(|call| call.body.starts_with("pr\ncreate\n")).unwrap();
    assert!(
        created.body.contains("--title=--repo=evil/x\n") && created.body.contains("$HOME"),
        "{}",
        created.body
    );
    assert!(created.body.contains(&format!("--repo\n{}/{REPOSITORY}\n", stage.forge.authority())));
    assert!(!calls.iter().any(|call| call.path.starts_with("/api/")));
}

#[test]
fn gh_without_a_sign_in_falls_back_to_a_token_or_to_a_link() {
    let stage = Stage::new();
    stage.forge.install_gh(&stage.scene.path("bin")).unwrap();
    stage.forge.sign_in_gh(false);
    let (repository, workspace) = stage.worked("a");
    let landed = repository.land(&workspace, &pull_request("B"), "T", &stage.means(None)).unwrap();
    assert_eq!((landed.kind, landed.number), (LandedKind::Pushed, None));
    assert!(landed.note.contains("gh auth login"), "{}", landed.note);
    assert!(landed.url.unwrap().ends_with("/acme/api/compare/main...hostler/a?expand=1"));
    assert_eq!(stage.propose(&repository, &workspace, "T").unwrap().number, Some(1));
}

#[test]
fn without_gh_and_token_the_work_is_pushed_and_a_link_is_given() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    let landed = repository.land(&workspace, &pull_request("B"), "T", &stage.means(None)).unwrap();
    assert_eq!(landed.kind, LandedKind::Pushed);
    let compare = format!("{}/acme/api/compare/main...hostler/a?expand=1", stage.forge.origin());
    assert_eq!(landed.url, Some(compare));
    assert!(landed.note.contains("gh auth login") && landed.note.contains("token"), "{}", landed.note);
    assert_eq!(stage.at_forge("refs/heads/hostler/a"), landed.head.unwrap().to_string());
}

#[test]
fn a_remote_that_is_no_forge_gets_the_branch_and_the_note_says_so() {
    let stage = Stage::new();
    stage.scene.git(&["remote", "add", "plain", stage.bare.to_str().unwrap()]);
    let (repository, workspace) = stage.worked("a");
    let landing = Landing::PullRequest { remote: "plain".to_owned(), base: None, body: String::new() };
    let landed = repository.land(&workspace, &landing, "T", &stage.means(None)).unwrap();
    assert_eq!((landed.kind, landed.url), (LandedKind::Pushed, None));
    assert!(landed.note.contains("no GitHub or GitLab"), "{}", landed.note);
}

#[test]
fn a_default_branch_that_moved_or_was_renamed_meanwhile_does_not_hinder() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    stage.commit_at_forge("main", "done.txt", "a conflict\n");
    git(&stage.bare, &["branch", "-m", "main", "trunk"]);
    stage.propose(&repository, &workspace, "T").unwrap();
    assert_eq!(stage.forge.pull_requests(REPOSITORY)[0].base, "trunk");
}

#[test]
fn a_branch_named_as_base_is_taken_and_a_forge_that_says_no_is_quoted() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    let into = |base: &str| Landing::PullRequest {
        remote: "origin".to_owned(),
        base: Some(base.to_owned()),
        body: String::new(),
    };
    let means = stage.means(Some(&crate::stage::Client));
    repository.land(&workspace, &into("dev"), "T", &means).unwrap();
    assert_eq!(stage.forge.pull_requests(REPOSITORY)[0].base, "dev");
    stage.forge.with_pulls(|pulls| pulls.get_mut(REPOSITORY, 1).unwrap().open = false);
    let error = repository.land(&workspace, &into("hostler/a"), "T", &means).unwrap_err();
    assert!(matches!(error, LandingError::Forge { .. }) && !error.is_temporary());
    assert!(error.to_string().contains("No commits between"), "{error}");
}
