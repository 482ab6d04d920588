use std::time::{Duration, Instant};

use hostler_workspaces::{Fetch, RemoteError};
use standin_forge::{Fault, Harm, Part};

use crate::scene::{git, write};
use crate::stage::{PATIENCE, REPOSITORY, Stage};

#[test]
fn a_fetch_moves_the_default_branch_and_nothing_else() {
    let stage = Stage::new();
    let repository = stage.open();
    stage.commit_at_forge("main", "new.txt", "new\n");
    git(&stage.bare, &["branch", "other", "main"]);
    git(&stage.bare, &["tag", "v1", "main"]);
    let before = stage.scene.git(&["for-each-ref", "--format=%(refname)"]);
    let fetched = repository.fetch(&stage.fetch()).unwrap();
    assert_eq!(
        (fetched.branch.as_str(), fetched.commit.to_string()),
        ("main", stage.at_forge("refs/heads/main"))
    );
    assert_eq!(stage.scene.git(&["rev-parse", "origin/main"]), fetched.commit.to_string());
    assert_eq!(stage.scene.git(&["for-each-ref", "--format=%(refname)"]), before);
    assert!(!stage.scene.checkout.join(".git/FETCH_HEAD").exists());
    // The commit is whole: a workspace can start from it.
    let order = hostler_workspaces::Order { start: fetched.commit, ..crate::scene::order(&repository, "a") };
    assert!(repository.prepare(&order).unwrap().path.join("new.txt").exists());
}

#[test]
fn any_branch_of_the_remote_can_be_fetched_and_a_missing_one_is_named() {
    let stage = Stage::new();
    let repository = stage.open();
    git(&stage.bare, &["branch", "develop", "main"]);
    stage.commit_at_forge("develop", "new.txt", "new\n");
    // A fetch of another branch a moment ago is no fetch of this one.
    repository.fetch(&Fetch { reuse: PATIENCE, ..stage.fetch() }).unwrap();
    let develop = Fetch { branch: Some("develop"), reuse: PATIENCE, ..stage.fetch() };
    let fetched = repository.fetch(&develop).unwrap();
    assert_eq!(fetched.commit.to_string(), stage.at_forge("refs/heads/develop"));
    assert_eq!(stage.scene.git(&["rev-parse", "origin/develop"]), fetched.commit.to_string());
    for missing in ["nowhere", "--upload-pack=x", "de*"] {
        let error = repository.fetch(&Fetch { branch: Some(missing), ..stage.fetch() }).unwrap_err();
        assert!(matches!(error, RemoteError::NoBranch { .. }) && !error.is_temporary(), "{error}");
    }
}

#[test]
fn eight_fetches_at_once_ask_the_remote_once_and_agree() {
    let stage = Stage::new();
    stage.commit_at_forge("main", "new.txt", "new\n");
    let asked_before = stage.forge.calls().len();
    let repository = stage.open();
    let results: Vec<_> = std::thread::scope(|scope| {
        let one = || repository.fetch(&Fetch { reuse: PATIENCE, ..stage.fetch() }).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(results.iter().all(|it| it.commit.to_string() == stage.at_forge("refs/heads/main")));
    let packs =
        stage.forge.calls()[asked_before..].iter().filter(|it| it.path.ends_with("/info/refs")).count();
    assert_eq!(packs, 2, "one listing and one fetch");
}

#[test]
fn concurrent_fetches_that_reuse_nothing_do_not_disturb_each_other() {
    let stage = Stage::new();
    let repositories = [stage.open(), stage.open()];
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (repository, stage) = (&repositories[number % 2], &stage);
            scope.spawn(move || repository.fetch(&stage.fetch()).unwrap());
        }
    });
    stage.scene.git(&["fsck", "--strict"]);
}

#[test]
fn the_recorded_default_branch_is_used_and_a_renamed_one_is_found() {
    let stage = Stage::new();
    let repository = stage.open();
    git(&stage.bare, &["branch", "trunk", "main"]);
    stage.scene.git(&["fetch", "-q", "origin"]);
    stage.scene.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
    assert_eq!(repository.fetch(&stage.fetch()).unwrap().branch, "trunk");
    git(&stage.bare, &["branch", "-D", "trunk"]);
    assert_eq!(repository.fetch(&stage.fetch()).unwrap().branch, "main");
}

#[test]
fn a_missing_remote_an_empty_one_and_one_that_is_gone_are_told_apart() {
    let stage = Stage::new();
    let repository = stage.open();
    let none = repository.fetch(&Fetch { remote: "upstream", ..stage.fetch() }).unwrap_err();
    assert!(none.to_string().contains("git remote add upstream URL"), "{none}");
    let empty = stage.forge.create_repository("acme/empty").unwrap();
    stage.scene.git(&["remote", "add", "empty", empty.to_str().unwrap()]);
    let error = repository.fetch(&Fetch { remote: "empty", ..stage.fetch() }).unwrap_err();
    assert!(matches!(error, RemoteError::NoDefaultBranch { .. }), "{error}");
    stage.scene.git(&["remote", "add", "gone", &stage.forge.url("acme/gone")]);
    let error = repository.fetch(&Fetch { remote: "gone", ..stage.fetch() }).unwrap_err();
    assert!(matches!(error, RemoteError::Missing { .. }), "{error}");
    stage.scene.git(&["remote", "add", "evil", "ext::sh -c id"]);
    let error = repository.fetch(&Fetch { remote: "evil", ..stage.fetch() }).unwrap_err();
    assert!(matches!(error, RemoteError::UnusableUrl { .. }), "{error}");
}

#[test]
fn no_network_is_temporary_and_no_credentials_are_not() {
    let stage = Stage::new();
    let repository = stage.open();
    stage.scene.git(&["remote", "add", "off", "http://127.0.0.1:9/a.git"]);
    let off = repository.fetch(&Fetch { remote: "off", ..stage.fetch() }).unwrap_err();
    assert!(off.is_temporary(), "{off}");
    stage.forge.inject(Fault { part: Part::Refs, harm: Harm::Status(503), times: 1 });
    assert!(repository.fetch(&stage.fetch()).unwrap_err().is_temporary());
    stage.forge.require_authorization("Basic dTpw");
    let begun = Instant::now();
    let refused = repository.fetch(&stage.fetch()).unwrap_err();
    assert!(matches!(refused, RemoteError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("credential helper"), "{refused}");
    assert!(begun.elapsed() < PATIENCE, "it asked somebody");
}

#[test]
fn a_credential_helper_of_the_operator_is_used_and_one_of_the_repository_is_not() {
    let stage = Stage::new();
    let repository = stage.open();
    stage.forge.require_authorization("Basic dTpw");
    let helper = "!f() { echo username=u; echo password=p; }; f";
    stage.scene.git(&["config", "credential.helper", helper]);
    assert!(matches!(repository.fetch(&stage.fetch()), Err(RemoteError::Refused { .. })));
    let config = stage.scene.path("home/.gitconfig");
    git(&stage.scene.checkout, &["config", "-f", config.to_str().unwrap(), "credential.helper", helper]);
    repository.fetch(&stage.fetch()).unwrap();
}

#[test]
fn credentials_in_the_address_work_and_are_in_no_message() {
    let stage = Stage::new();
    let repository = stage.open();
    stage.forge.require_authorization("Basic dTpzM2NyM3Q=");
    let url = |password: &str| format!("http://u:{password}@{}/{REPOSITORY}.git", stage.forge.authority());
    stage.scene.git(&["remote", "set-url", "origin", &url("s3cr3t")]);
    repository.fetch(&stage.fetch()).unwrap();
    stage.forge.inject(Fault { part: Part::Refs, harm: Harm::Status(500), times: 1 });
    let broken = repository.fetch(&stage.fetch()).unwrap_err();
    stage.scene.git(&["remote", "set-url", "origin", &url("wr0ng")]);
    let refused = repository.fetch(&stage.fetch()).unwrap_err();
    for error in [broken, refused] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cr3t") && !text.contains("wr0ng") && !text.contains("u:"), "{text}");
        assert!(text.contains(REPOSITORY), "{text}");
    }
}

/// Text that does not compress, so that most of it is still to come when the line hangs.
fn noise(seed: u32, bytes: usize) -> String {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b' ' + u8::try_from(state >> 26).unwrap())
    };
    (0..bytes).map(step).collect()
}

#[test]
fn a_large_fetch_that_is_called_off_ends_at_once_and_leaves_nothing_behind() {
    let stage = Stage::new();
    let repository = stage.open();
    stage.commit_at_forge("main", "first.txt", "1\n");
    // Git stores a few objects one by one; of many it makes a pack, in a temporary file.
    for number in 0..128 {
        write(&stage.scene.path(&format!("colleague/{number}.txt")), &noise(number, 32 << 10));
    }
    stage.commit_at_forge("main", "last.txt", "2\n");
    let before = stage.scene.git(&["rev-parse", "origin/main"]);
    let objects = || {
        let mut files = Vec::new();
        let mut folders = vec![stage.scene.checkout.join(".git/objects")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        files.sort();
        files
    };
    let objects_before = objects();
    stage.forge.inject(Fault { part: Part::Fetch, harm: Harm::HangAnswer(2 << 20), times: 9 });
    let error = std::thread::scope(|scope| {
        let fetch = scope.spawn(|| repository.fetch(&stage.fetch()).unwrap_err());
        stage.forge.wait_until_hanging();
        let deadline = Instant::now() + PATIENCE;
        while !objects().iter().any(|it| it.to_string_lossy().contains("tmp_")) {
            assert!(Instant::now() < deadline, "git has not begun to write: {:?}", objects());
            std::thread::yield_now();
        }
        stage.cancel.cancel();
        fetch.join().unwrap()
    });
    assert!(matches!(error, RemoteError::Cancelled { .. }), "{error}");
    assert_eq!(objects(), objects_before);
    assert_eq!(stage.scene.git(&["rev-parse", "origin/main"]), before);
}

#[test]
fn a_fetch_that_hangs_ends_when_its_time_is_up() {
    let stage = Stage::new();
    let repository = stage.open();
    stage.forge.inject(Fault { part: Part::Refs, harm: Harm::Hang, times: 9 });
    let error =
        repository.fetch(&Fetch { time_limit: Duration::from_millis(300), ..stage.fetch() }).unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { .. }) && error.is_temporary(), "{error}");
}

#[test]
fn relative_and_file_remotes_work() {
    let stage = Stage::new();
    let repository = stage.open();
    for (name, url) in [
        ("relative", format!("../forge/{REPOSITORY}.git")),
        ("file", format!("file://{}", stage.bare.display())),
    ] {
        stage.scene.git(&["remote", "add", name, &url]);
        stage.commit_at_forge("main", &format!("{name}.txt"), "new\n");
        let fetched = repository.fetch(&Fetch { remote: name, ..stage.fetch() }).unwrap();
        assert_eq!(fetched.commit.to_string(), stage.at_forge("refs/heads/main"));
    }
}
