//! What agents do all day works in a sandbox, and starts there without delay.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use hostler_agents::{Access, HomePath, Sandbox, Walls};
use hostler_engine::outcome::EndReason;
use hostler_engine::sandbox::Tier;
use support::machine::{Machine, User};
use support::{hear, hear_line};

const EVERY: [Tier; 2] = [Tier::Basic, Tier::Contained];

#[tokio::test]
async fn there_is_room_for_temporary_files_and_the_usual_devices() {
    let script = "echo x > $TMPDIR/file && cat /tmp/file && echo y > /dev/null && head -c 1 /dev/urandom | wc -c \
        && echo z > /dev/shm/file && cat < /dev/stdin && echo shown: $(cat $HOME/.config/app) && git status --short";
    for user in User::all() {
        for tier in EVERY {
            let machine = Machine::new(*user);
            fs::write(machine.path("work/new"), "").unwrap();
            let Some(heard) = machine.run(tier, script).await else { continue };
            assert_eq!(
                heard.stdout,
                ["x", "1", "shown: settings", "?? new"],
                "{user:?} in {tier}: {heard:?}"
            );
            assert!(machine.path("private/tmp/file").exists());
        }
    }
}

/// The clone has the objects of a repository that it may only read.
#[tokio::test]
async fn a_commit_is_made_in_a_clone_that_shares_the_objects_of_another() {
    let commit = "git -c user.name=a -c user.email=a@b.c commit --quiet";
    let prepare = format!(
        "git init --quiet origin && cd origin && echo one > file && git add file && {commit} -m one && cd .. \
         && rm -r work && git clone --quiet --shared origin work && mkdir -p work/.git/hooks"
    );
    let script = format!(
        "echo two >> file && git checkout --quiet -b task && {commit} -am two && git log --format=%s && git status --short"
    );
    for user in User::all() {
        for tier in EVERY {
            let machine = Machine::new(*user);
            let mut git = Command::new("sh");
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
            assert!(git.args(["-c", &prepare]).current_dir(&machine.root).status().unwrap().success());
            machine.belongs_to_its_user();
            let Some(heard) = machine.run(tier, &script).await else { continue };
            assert_eq!(heard.stdout, ["two", "one"], "{user:?} in {tier}: {heard:?}");
        }
    }
}

/// What sandboxes of CLIs begin with. Root needs a right for it, and whoever does not nest
/// has none.
#[tokio::test]
async fn an_agent_that_nests_can_be_root_in_a_namespace_of_its_own_whoever_it_is() {
    let script =
        "unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none . && id -u' || echo refused";
    for user in User::all() {
        for (tier, nests) in [(Tier::Basic, true), (Tier::Contained, true), (Tier::Basic, false)] {
            let machine = Machine::new(*user);
            let change = |walls: Walls| Walls { nests, ..walls };
            let launch = machine.launch(with(machine.sandbox(tier), change), script);
            let Some(mut agent) = machine.start(launch).await else { continue };
            let heard = hear(&mut agent).await;
            let is_refused = !nests && *user == User::Me && rustix::process::getuid().is_root();
            let expected = if is_refused { "refused" } else { "0" };
            assert_eq!(heard.stdout, [expected], "{user:?} in {tier}, {nests}: {heard:?}");
        }
    }
}

/// Codex closes a folder in `/tmp` to what it runs, at every place where the list of
/// mounts says that it is.
#[tokio::test]
async fn what_is_in_tmp_is_also_where_the_list_of_mounts_says_that_it_lies() {
    let script = "mkdir /tmp/door && grep -q '/private/tmp /tmp ' /proc/self/mountinfo \
        && touch $ROOT/private/tmp/door/inside && ls /tmp/door && ! touch $ROOT/private/other && echo done";
    for user in User::all() {
        for tier in EVERY {
            let machine = Machine::new(*user);
            let hide = |walls: Walls| Walls { hidden: vec![machine.path("private")], ..walls };
            let launch = machine.launch(with(machine.sandbox(tier), hide), script);
            let Some(mut agent) = machine.start(launch).await else { continue };
            let heard = hear(&mut agent).await;
            assert_eq!(heard.stdout, ["inside", "done"], "{user:?} in {tier}: {heard:?}");
        }
    }
}

/// A sandbox with other walls.
fn with(sandbox: Sandbox, change: impl FnOnce(Walls) -> Walls) -> Sandbox {
    match sandbox {
        Sandbox::Contained(walls, network) => Sandbox::Contained(change(walls), network),
        Sandbox::Basic(walls) => Sandbox::Basic(change(walls)),
        Sandbox::None => Sandbox::None,
    }
}

/// What CLIs put around each of their commands. Not for root, who may mount no `/proc`
/// inside of one whose `/proc/sys` is closed.
#[tokio::test]
async fn a_sandbox_that_the_agent_makes_itself_works_inside_of_ours() {
    let script = "bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind $PWD $PWD --unshare-all --die-with-parent \
        sh -c 'echo inner > inner && ls /proc | grep -c ^[0-9] && ! echo x > $ROOT/outside/file' && cat inner";
    let bwrap = Command::new("bwrap").arg("--version").output();
    if bwrap.is_err() {
        return eprintln!("skipped: `bwrap` is not installed");
    }
    let user = *User::all().last().unwrap();
    for tier in EVERY {
        let machine = Machine::new(user);
        let Some(heard) = machine.run(tier, script).await else { continue };
        assert_eq!(heard.stdout.len(), 2, "{tier}: {heard:?}");
        assert_eq!(heard.stdout[1], "inner", "{tier}: {heard:?}");
        assert_eq!(fs::read_to_string(machine.path("outside/file")).unwrap(), "intact\n");
    }
}

#[tokio::test]
async fn of_a_home_each_place_is_as_it_was_granted_however_they_lie_in_one_another() {
    let script = "cd $HOME; cat .tool/program; echo x > .tool/program; cat .tool/state/old; echo new > .tool/state/new; \
        cat .tool/state/key; ls .tool/other; echo mine > .cache; echo done";
    for user in User::all() {
        let machine = Machine::new(*user);
        for folder in ["home/.tool/state", "home/.tool/other"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        for file in ["program", "state/old", "state/key", "other/file"] {
            fs::write(machine.path("home/.tool").join(file), format!("real {file}\n")).unwrap();
        }
        machine.belongs_to_its_user();
        let of_home = |path: &str, access| HomePath { path: path.into(), access };
        let Sandbox::Contained(mut walls, network) = machine.sandbox(Tier::Contained) else { panic!() };
        walls.home = vec![
            of_home(".tool/state", Access::ReadWrite),
            of_home(".tool/state", Access::Read),
            of_home(".tool", Access::Read),
            of_home("not/there", Access::Read),
        ];
        walls.hidden.extend(["home/.tool/state/key", "home/.tool/other"].map(|path| machine.path(path)));
        let launch = machine.launch(Sandbox::Contained(walls, network), script);
        let Some(mut agent) = machine.start(launch).await else { continue };
        let heard = hear(&mut agent).await;
        assert_eq!(heard.stdout, ["real program", "real state/old", "done"], "{user:?}: {heard:?}");
        let real = |path: &str| fs::read_to_string(machine.path("home").join(path)).ok();
        assert_eq!(real(".tool/program").as_deref(), Some("real program\n"), "{user:?}");
        assert_eq!(real(".tool/state/new").as_deref(), Some("new\n"), "{user:?}");
        assert_eq!(real(".cache"), None, "what it leaves in its own home is not in the real one");
        assert!(machine.path("private/home/.cache").exists());
    }
}

/// As tools that have several versions lay themselves out, and people who keep theirs on
/// another disk.
#[tokio::test]
async fn a_program_behind_a_link_is_found_by_its_name_wherever_the_link_is() {
    let script = "$HOME/.tool/current/bin/tool; $HOME/.other/current/bin/tool; $HOME/named/bin/tool";
    for user in User::all() {
        let machine = Machine::new(*user);
        for versions in ["home/.tool", "data"] {
            fs::create_dir_all(machine.path(versions).join("2/bin")).unwrap();
            let program = machine.path(versions).join("2/bin/tool");
            fs::write(&program, format!("#!/bin/sh\necho {versions}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            symlink("2", machine.path(versions).join("current")).unwrap();
        }
        symlink(machine.path("data"), machine.path("home/.other")).unwrap();
        symlink(".tool/current", machine.path("home/named")).unwrap();
        machine.belongs_to_its_user();
        let Sandbox::Contained(mut walls, network) = machine.sandbox(Tier::Contained) else { panic!() };
        let path = |below: &str| machine.path("home").join(below);
        walls.home =
            [".tool", ".other"].map(|path| HomePath { path: path.into(), access: Access::Read }).into();
        walls.readable = [".tool/current/bin", ".other/current/bin", "named/bin"].map(path).into();
        let launch = machine.launch(Sandbox::Contained(walls, network), script);
        let Some(mut agent) = machine.start(launch).await else { continue };
        let heard = hear(&mut agent).await;
        assert_eq!(heard.stdout, ["home/.tool", "data", "home/.tool"], "{user:?}: {heard:?}");
    }
}

#[tokio::test]
async fn a_workspace_is_seen_in_the_middle_of_what_is_hidden_and_nothing_else_is() {
    let script = "ls -A $ROOT; echo changed > file && ! echo x > $ROOT/new && echo done";
    for user in User::all() {
        let own = ["private", "work"];
        for (tier, seen) in [(Tier::Basic, &own[..]), (Tier::Contained, &["home", "private", "work"])] {
            let machine = Machine::new(*user);
            let hide = |walls: Walls| Walls { hidden: vec![machine.root.clone()], ..walls };
            let sandbox = with(machine.sandbox(tier), hide);
            let Some(mut agent) = machine.start(machine.launch(sandbox, script)).await else { continue };
            let heard = hear(&mut agent).await;
            assert_eq!(heard.stdout, [seen, &["done"]].concat(), "{user:?} in {tier}: {heard:?}");
            assert_eq!(fs::read_to_string(machine.path("work/file")).unwrap(), "changed\n");
            assert!(!machine.path("new").exists());
        }
    }
}

/// What no person notices before an agent that thinks for minutes.
const LIMIT: Duration = Duration::from_millis(250);

/// Enough for a median, and few enough for a busy machine.
const STARTS: u32 = 31;

#[tokio::test]
async fn a_sandbox_delays_a_start_by_less_than_anybody_notices() {
    let machine = Machine::new(User::Me);
    let mut medians = Vec::new();
    for tier in Tier::ALL {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let launch = machine.launch(machine.sandbox(tier), "exit 0");
            let began = Instant::now();
            let Some(mut agent) = machine.start(launch).await else { return };
            times.push(began.elapsed());
            hear(&mut agent).await;
            machine.next_attempt();
        }
        times.sort();
        medians.push(times[times.len() / 2]);
    }
    eprintln!("none, basic, contained: {medians:.1?}");
    for median in &medians[1..] {
        assert!(*median < medians[0] + LIMIT, "{medians:?}");
    }
}

/// Bytes that are a process's own.
fn own_memory(pid: i32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss_Anon:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_supervisor_stays_small_around_a_sandbox_with_many_walls() {
    let machine = Machine::new(User::Me);
    let Sandbox::Contained(mut walls, network) = machine.sandbox(Tier::Contained) else { panic!() };
    for number in 0..64 {
        let secret = machine.path("secret").join(number.to_string());
        fs::write(&secret, "").unwrap();
        walls.hidden.push(secret);
    }
    let launch = machine.launch(Sandbox::Contained(walls, network), "echo ready; exec sleep 60");
    let Some(mut agent) = machine.start(launch).await else { return };
    hear_line(&mut agent, "ready").await;
    let shim = agent.record.shim.pid;
    let children = fs::read_to_string(format!("/proc/{shim}/task/{shim}/children")).unwrap();
    let init = children.split_ascii_whitespace().next().unwrap().parse().unwrap();
    let bytes = own_memory(shim) + own_memory(init);
    eprintln!("{} KiB, of which the init has {}", bytes / 1024, own_memory(init) / 1024);
    assert!(bytes < 3 * 1024 * 1024, "{bytes} bytes");
    agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
    hear(&mut agent).await;
}
