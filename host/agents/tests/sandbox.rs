//! Breaking out: each attack works without a sandbox, and in none of them.
//!
//! Nothing here may harm the machine of whoever runs it, be it as root: without a
//! sandbox an attack touches only the test's own folder and processes, and what
//! mounts is tried only in a sandbox, in a mount namespace of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use hostler_agents::{Access, Agents, Ending, HomePath, Network, Sandbox, Walls};
use hostler_engine::outcome::EndReason;
use hostler_engine::sandbox::Tier;
use support::machine::{Machine, PORT, SECRET, User};
use support::{FIXTURE, Heard};

/// Whether an attack was successful.
type Worked = fn(&Machine, &Heard) -> bool;

/// Each is tried without a sandbox, to see that it is an attack, and then all of
/// them in each sandbox, by root too if that is who we are.
async fn refused(tiers: &[Tier], attacks: &[&str], worked: Worked) {
    for attack in attacks {
        let machine = Machine::new(User::Me);
        let heard = machine.run(Tier::None, attack).await.unwrap();
        assert!(worked(&machine, &heard), "this is no attack: {attack}: {heard:?}");
    }
    let script = format!("({})\necho tried", attacks.join(")\n("));
    for user in User::all() {
        for tier in tiers {
            let machine = Machine::new(*user);
            let Some(heard) = machine.run(*tier, &script).await else { continue };
            assert_eq!(heard.stdout.last().map(String::as_str), Some("tried"), "{heard:?}");
            assert!(!worked(&machine, &heard), "{user:?} in {tier}: {script}: {heard:?}");
        }
    }
}

const EVERY: [Tier; 2] = [Tier::Basic, Tier::Contained];

fn outside_is_changed(machine: &Machine, _: &Heard) -> bool {
    fs::read_to_string(machine.path("outside/file")).ok().as_deref() != Some("intact\n")
}

fn something_was_made(machine: &Machine, _: &Heard) -> bool {
    machine.path("outside/made").exists()
}

fn the_secret_was_told(_: &Machine, heard: &Heard) -> bool {
    heard.stdout.iter().any(|line| line.contains(SECRET))
}

fn it_said_so(_: &Machine, heard: &Heard) -> bool {
    heard.stdout.iter().any(|line| line == "worked")
}

#[tokio::test]
async fn nothing_outside_is_written_by_whatever_way_leads_there() {
    let attacks = [
        "echo changed > $ROOT/outside/file",
        "echo changed > ../outside/file",
        "ln -s ../outside link; echo changed > link/file",
        "ln $ROOT/outside/file hard && echo changed > hard",
        "rm -f $ROOT/outside/file",
        "mv $ROOT/outside $ROOT/elsewhere",
        "for root in /proc/[0-9]*/root; do echo changed > $root$ROOT/outside/file; done",
        "for one in 1 self; do echo changed > /proc/$one/cwd/../outside/file; done",
    ];
    refused(&EVERY, &attacks, outside_is_changed).await;
}

#[tokio::test]
async fn nothing_is_moved_linked_or_made_outside() {
    let attacks = [
        "echo x > file; mv file $ROOT/outside/made",
        "echo x > file; ln file $ROOT/outside/made",
        "mkdir $ROOT/outside/made",
        "mkfifo $ROOT/outside/made",
    ];
    refused(&EVERY, &attacks, something_was_made).await;
}

#[tokio::test]
async fn the_mode_of_a_file_outside_stays() {
    let worked = |machine: &Machine, _: &Heard| {
        let mode = fs::metadata(machine.path("outside/file")).unwrap().permissions().mode();
        mode & 0o777 == 0o777
    };
    refused(&EVERY, &["chmod 777 $ROOT/outside/file"], worked).await;
}

#[tokio::test]
async fn a_read_only_place_in_the_workspace_is_neither_written_nor_exchanged() {
    let config_changed = |machine: &Machine, _: &Heard| {
        fs::read_to_string(machine.path("work/.git/config")).is_ok_and(|text| text.contains("evil"))
    };
    let attacks = [
        "echo '[evil]' >> .git/config",
        "ln .git/config other && echo '[evil]' >> other",
        "echo '[evil]' > mine; mv -f mine .git/config",
        "rm .git/config; echo '[evil]' > .git/config",
    ];
    refused(&EVERY, &attacks, config_changed).await;
    let has_hook = |machine: &Machine, _: &Heard| machine.path("work/.git/hooks/post-commit").exists();
    let attacks = [
        "echo evil > .git/hooks/post-commit",
        "mv .git/hooks .git/old; mkdir .git/hooks; echo evil > .git/hooks/post-commit",
        "mv .git old; mkdir -p .git/hooks; echo evil > .git/hooks/post-commit",
        "rm -rf .git; mkdir -p .git/hooks; echo evil > .git/hooks/post-commit",
    ];
    refused(&EVERY, &attacks, has_hook).await;
}

#[tokio::test]
async fn what_is_hidden_is_not_read() {
    let attacks =
        ["cat $ROOT/secret/key", "cd $ROOT/secret && ls && cat key", "cat /proc/[0-9]*/root$ROOT/secret/key"];
    refused(&EVERY, &attacks, the_secret_was_told).await;
    refused(&[Tier::Contained], &["cat $HOME/private-key"], the_secret_was_told).await;
}

/// The home holds only a link to a folder with something hidden, as for people who keep
/// their tools on another disk.
#[tokio::test]
async fn what_is_hidden_behind_a_link_of_the_home_is_hidden_by_every_name() {
    let script = "cat $HOME/.tool/key $HOME/.tool/keys/one $ROOT/data/key $ROOT/data/keys/one; \
        cat $HOME/.tool/program; for at in $HOME/.tool $ROOT/data; do echo x > $at/key; echo x > $at/keys/two; done";
    for user in User::all() {
        let machine = Machine::new(*user);
        fs::create_dir_all(machine.path("data/keys")).unwrap();
        for file in ["key", "keys/one"] {
            fs::write(machine.path("data").join(file), format!("{SECRET}\n")).unwrap();
        }
        fs::write(machine.path("data/program"), "program\n").unwrap();
        symlink("../data", machine.path("home/.tool")).unwrap();
        machine.belongs_to_its_user();
        let Sandbox::Contained(mut walls, network) = machine.sandbox(Tier::Contained) else { panic!() };
        walls.home = vec![HomePath { path: ".tool".into(), access: Access::Read }];
        walls.hidden = ["home/.tool/key", "home/.tool/keys"].map(|path| machine.path(path)).into();
        let launch = machine.launch(Sandbox::Contained(walls, network), script);
        let Some(mut agent) = machine.start(launch).await else { continue };
        let heard = support::hear(&mut agent).await;
        assert_eq!(heard.stdout, ["program"], "{user:?}: {heard:?}");
        assert_eq!(fs::read_to_string(machine.path("data/key")).unwrap(), format!("{SECRET}\n"));
        assert!(!machine.path("data/keys/two").exists());
    }
}

#[tokio::test]
async fn processes_outside_are_neither_ended_nor_looked_into() {
    let ended = |machine: &Machine, _: &Heard| !support::is_alive(machine.stranger.id().try_into().unwrap());
    refused(&EVERY, &["kill -KILL $STRANGER"], ended).await;
    let attacks = [
        "tr '\\0' '\\n' < /proc/$STRANGER/environ",
        "for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ; done | grep -a SECRET=the-secret-of",
    ];
    refused(&EVERY, &attacks, the_secret_was_told).await;
}

/// Some machines refuse these to everybody.
#[tokio::test]
async fn system_calls_that_reach_past_the_walls_are_refused() {
    for script in ["./fixture attack ptrace -", "./fixture attack io-uring -", "./fixture attack key -"] {
        let machine = Machine::new(User::Me);
        let heard = machine.run(Tier::None, script).await.unwrap();
        if it_said_so(&machine, &heard) {
            refused(&EVERY, &[script], it_said_so).await;
        } else {
            eprintln!("skipped: `{script}` works nowhere on this machine: {heard:?}");
        }
    }
}

#[tokio::test]
async fn in_a_sandbox_there_is_no_capability_none_to_be_had_and_a_filter() {
    let script = "grep -E '^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status | tr '\\t' ' '";
    for user in User::all() {
        for (tier, nests) in [(Tier::Basic, false), (Tier::Contained, false), (Tier::Contained, true)] {
            let machine = Machine::new(*user);
            let walls = Walls { nests, ..machine.walls() };
            let sandbox = match tier {
                Tier::Contained => Sandbox::Contained(walls, Network::OnlyThrough { port: PORT }),
                Tier::Basic | Tier::None => Sandbox::Basic(walls),
            };
            let Some(mut agent) = machine.start(machine.launch(sandbox, script)).await else { continue };
            let heard = support::hear(&mut agent).await;
            // Root that nests may hand its number on to a namespace of users, nothing else.
            let hands_on = nests && *user == User::Me && rustix::process::getuid().is_root();
            let own = if hands_on { "0000000080000000" } else { "0000000000000000" };
            let own = ["CapPrm", "CapEff", "CapBnd"].map(|set| format!("{set}: {own}"));
            assert_eq!(heard.stdout[..3], own, "{user:?} in {tier}");
            let rest = ["CapAmb: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"];
            assert_eq!(heard.stdout[3..], rest, "{user:?} in {tier}");
        }
    }
}

/// Somebody who is root in a namespace of their own tries to take the walls down.
/// It says how far it came, so that tricks which could not be tried are seen. To the
/// system, who was root before cannot be root there, but has all its rights.
const TRICKS: &str = "
    [ $(id -u) = 0 ] && map=--keep-caps || map=--map-root-user
    unshare --user $map --mount sh -c '
    echo inside
    umount $ROOT/secret; umount -l $ROOT/secret; cat $ROOT/secret/key
    for at in / $ROOT $ROOT/work/.git/config; do mount -o remount,bind,rw $at; done
    echo changed > $ROOT/outside/file; echo [evil] >> $ROOT/work/.git/config
    umount $ROOT/work/.git/config; echo [evil] >> $ROOT/work/.git/config
    mkdir $ROOT/work/root && mount --rbind / $ROOT/work/root && echo bound
    echo changed > $ROOT/work/root$ROOT/outside/file; cat $ROOT/work/root$ROOT/secret/key
    umount -l $ROOT/work/root
'";

#[tokio::test]
async fn who_is_root_in_a_namespace_of_its_own_still_has_the_walls_around_it() {
    for user in User::all() {
        for tier in EVERY {
            let machine = Machine::new(*user);
            let Some(heard) = machine.run(tier, TRICKS).await else { continue };
            assert!(heard.stdout.starts_with(&["inside".into(), "bound".into()]), "{user:?}: {heard:?}");
            assert!(!outside_is_changed(&machine, &heard), "{user:?} in {tier}: {heard:?}");
            assert!(!the_secret_was_told(&machine, &heard), "{user:?} in {tier}: {heard:?}");
            let config = fs::read_to_string(machine.path("work/.git/config")).unwrap();
            assert!(!config.contains("evil"), "{user:?} in {tier}: {heard:?}");
        }
    }
}

/// What is mounted where this test, and whoever runs it, lives.
fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[tokio::test]
async fn nothing_that_is_mounted_for_an_agent_is_ever_seen_outside() {
    for user in User::all() {
        for tier in EVERY {
            let before = mounts();
            let machine = Machine::new(*user);
            let launch = machine.launch(
                machine.sandbox(tier),
                "grep -q private/tmp /proc/self/mountinfo && echo ready; exec sleep 60",
            );
            let Ok(mut agent) = machine.bench.agents.start(launch).await else { continue };
            support::hear_line(&mut agent, "ready").await;
            assert_eq!(mounts(), before, "{user:?} in {tier}");
            agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
            assert!(support::hear(&mut agent).await.exit().tree.is_empty());
            assert_eq!(mounts(), before, "{user:?} in {tier}, after its end");
        }
    }
}

#[tokio::test]
async fn walls_that_fail_half_way_leave_nothing_mounted_and_nothing_running() {
    for user in User::all() {
        let before = mounts();
        let machine = Machine::new(*user);
        // A file stands where the home is to show a folder, which is seen late.
        fs::write(machine.path("private/home/.config"), "").unwrap();
        let launch = machine.launch(machine.sandbox(Tier::Contained), "exec sleep 60");
        let refused = machine.bench.agents.start(launch).await.unwrap_err().to_string();
        assert!(refused.contains("the sandbox `contained`"), "{refused}");
        assert!(refused.contains("home/.config"), "{refused}");
        assert_eq!(mounts(), before, "{user:?}");
        assert_eq!(machine.bench.marked(), Vec::<i32>::new());
    }
}

#[tokio::test]
async fn a_machine_can_build_what_it_says_it_can_and_nothing_stronger() {
    for user in User::all() {
        let machine = Machine::new(*user);
        let told = machine.probe("shim");
        eprintln!("{user:?}: {told:?}");
        let possible = Tier::ALL.into_iter().find(|tier| tier.name() == told[0]).unwrap();
        assert_eq!(fs::read_dir(machine.path("work")).unwrap().count(), 1, "only `.git` is left");
        for tier in EVERY {
            let launch = machine.launch(machine.sandbox(tier), "exit 7");
            let started = machine.bench.agents.start(launch).await;
            assert_eq!(started.is_ok(), tier <= possible, "{user:?} in {tier}: {told:?}");
            if let Ok(mut agent) = started {
                assert_eq!(support::hear(&mut agent).await.exit().ending, Ending::Code(7));
            }
            machine.next_attempt();
        }
    }
}

#[tokio::test]
async fn a_machine_that_makes_no_namespaces_is_told_so_and_starts_nothing_in_a_sandbox() {
    let mut machine = Machine::new(User::Me);
    machine.bench.agents = Agents::new(FIXTURE.into(), vec!["shim-without-namespaces".into()]);
    let told = machine.probe("shim-without-namespaces");
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0], "none");
    for (tier, told) in [Tier::Contained, Tier::Basic].iter().zip(&told[1..]) {
        let why =
            format!("{tier}: making namespaces: Operation not permitted (os error 1); let ordinary users");
        assert!(told.starts_with(&why), "{told}");
        let launch = machine.launch(machine.sandbox(*tier), "touch $ROOT/work/ran");
        let refused = machine.bench.agents.start(launch).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("the sandbox `{tier}`: making namespaces")), "{refused}");
        assert!(!machine.path("work/ran").exists());
        machine.next_attempt();
    }
}

/// Mounts hold a name only for who has them. Somebody who is root in a namespace of
/// their own can let go of them, and keep the folder they stood in.
const LET_GO: &str = "
    unshare --user --map-root-user --mount sh -c '
    mkdir new && mount -t tmpfs none new && mkdir new/old new/usr new/proc
    mount --rbind /usr new/usr && mount --rbind /proc new/proc
    for link in bin sbin lib lib64; do ln -s usr/$link new/$link; done
    pivot_root new new/old && umount -l /old && rm .git/config && echo gone
    rmdir .git/hooks && echo gone; echo changed > old
'";

/// The one way in which a place inside of a writable one is not kept: it is told.
#[tokio::test]
async fn who_exchanges_what_was_to_stay_by_letting_go_of_the_walls_is_found_out() {
    for (user, tier) in User::all().iter().flat_map(|user| EVERY.map(|tier| (*user, tier))) {
        let machine = Machine::new(user);
        let Some(honest) = machine.run(tier, "echo x > .git/HEAD.lock").await else { continue };
        assert_eq!(honest.exit().exchanged, [""; 0].map(std::path::PathBuf::from), "{honest:?}");
        machine.next_attempt();
        let Some(heard) = machine.run(tier, LET_GO).await else { continue };
        assert!(!outside_is_changed(&machine, &heard));
        let gone: Vec<_> = [".git/config", ".git/hooks"].map(|path| machine.path("work").join(path)).into();
        let gone: Vec<_> = gone.into_iter().filter(|path| !path.exists()).collect();
        assert_eq!(heard.stdout.len(), gone.len(), "{user:?} in {tier}: {heard:?}");
        assert_eq!(heard.exit().exchanged, gone, "{user:?} in {tier}: {heard:?}");
        eprintln!("{user:?} in {tier}: {gone:?}");
    }
}
