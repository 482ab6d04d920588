//! Which system calls an agent in a sandbox does without, as a program for the
//! kernel (classic BPF over `struct seccomp_data`).
//!
//! Mounting and making namespaces stay allowed: agents put sandboxes of their own
//! around the commands they run, and without capabilities neither reaches beyond
//! a namespace of their own.

use libc::sock_filter;

/// Look into other processes, past files, into the kernel, or run around this
/// very list. They are refused as if the user were not allowed to.
const REFUSED: [libc::c_long; 28] = [
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_fanotify_init,
];

/// Families of sockets that stay: files, both Internets, and asking the kernel
/// about interfaces. Others reach past a network namespace, or are seldom tested.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Put words into a terminal as if its user had typed them.
const TYPING: [u32; 2] = [0x5412, 0x541C];

/// What calls of this machine are marked with.
#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 0xC000_00B7;

/// Where things lie in `struct seccomp_data`; of an argument, the lower half, which
/// is all that the kernel reads of these.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;
const SECOND_ARGUMENT: u32 = 24;

/// x86-64 has every call a second time, under this number and above.
const SECOND_NUMBERS: u32 = 0x4000_0000;

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const REFUSE: u32 = 0x0005_0000;

/// The whole program. A call for another machine ends the process: its numbers mean
/// something else.
pub(super) fn filter() -> Vec<sock_filter> {
    let refuse = |errno: libc::c_int| REFUSE | errno.unsigned_abs();
    let mut program = vec![load(ARCHITECTURE), instruction(JUMP_IF_EQUAL, MACHINE, 1, 0), answer(KILL)];
    program.push(load(NUMBER));
    program.extend([instruction(JUMP_IF_AT_LEAST, SECOND_NUMBERS, 0, 1), answer(refuse(libc::ENOSYS))]);
    for call in REFUSED {
        program.extend(if_equal(number(call), &[answer(refuse(libc::EPERM))]));
    }
    let mut socket = vec![load(FIRST_ARGUMENT)];
    for family in FAMILIES {
        socket.extend(if_equal(family.unsigned_abs(), &[answer(ALLOW)]));
    }
    socket.push(answer(refuse(libc::EAFNOSUPPORT)));
    program.extend(if_equal(number(libc::SYS_socket), &socket));
    let mut ioctl = vec![load(SECOND_ARGUMENT)];
    for request in TYPING {
        ioctl.extend(if_equal(request, &[answer(refuse(libc::EPERM))]));
    }
    ioctl.push(answer(ALLOW));
    program.extend(if_equal(number(libc::SYS_ioctl), &ioctl));
    program.push(answer(ALLOW));
    program
}

/// Runs these if what is loaded equals the value, and goes on after them otherwise.
fn if_equal(value: u32, then: &[sock_filter]) -> Vec<sock_filter> {
    let beyond = u8::try_from(then.len()).unwrap_or(u8::MAX);
    std::iter::once(instruction(JUMP_IF_EQUAL, value, 0, beyond)).chain(then.iter().copied()).collect()
}

fn load(offset: u32) -> sock_filter {
    instruction(LOAD, offset, 0, 0)
}

fn answer(value: u32) -> sock_filter {
    instruction(RETURN, value, 0, 0)
}

fn instruction(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// No system has as many calls as would not fit.
fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with a call: an interpreter of the five instructions.
    fn judge(machine: u32, call: u32, arguments: [u32; 2]) -> u32 {
        let program = filter();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = program[at];
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            at += 1;
            match step.code {
                LOAD => {
                    loaded = match step.k {
                        NUMBER => call,
                        ARCHITECTURE => machine,
                        FIRST_ARGUMENT => arguments[0],
                        SECOND_ARGUMENT => arguments[1],
                        other => panic!("nothing lies at {other}"),
                    };
                }
                JUMP_IF_EQUAL => at += jump(loaded == step.k),
                JUMP_IF_AT_LEAST => at += jump(loaded >= step.k),
                RETURN => return step.k,
                other => panic!("no such instruction: {other}"),
            }
        }
    }

    fn here(call: libc::c_long, arguments: [u32; 2]) -> u32 {
        judge(MACHINE, number(call), arguments)
    }

    const EPERM: u32 = REFUSE | 1;

    #[test]
    fn every_call_of_the_list_is_refused_and_its_neighbours_are_not() {
        for call in REFUSED {
            assert_eq!(here(call, [0, 0]), EPERM, "{call}");
        }
        let usual = [libc::SYS_read, libc::SYS_openat, libc::SYS_mount, libc::SYS_unshare, libc::SYS_clone];
        for call in usual {
            assert_eq!(here(call, [0, 0]), ALLOW, "{call}");
        }
    }

    #[test]
    fn only_four_families_of_sockets_are_left() {
        let left: Vec<u32> = (0..64).filter(|family| here(libc::SYS_socket, [*family, 0]) == ALLOW).collect();
        assert_eq!(left, [1, 2, 10, 16]);
    }

    #[test]
    fn nobody_types_into_a_terminal_for_its_user() {
        assert_eq!(here(libc::SYS_ioctl, [0, 0x5412]), EPERM);
        assert_eq!(here(libc::SYS_ioctl, [0, 0x5413]), ALLOW, "asking for its size is fine");
    }

    #[test]
    fn a_call_in_the_numbers_of_another_machine_is_not_mistaken() {
        assert_eq!(judge(0x4000_0003, 0, [0, 0]), KILL);
        assert_eq!(judge(MACHINE, SECOND_NUMBERS, [0, 0]), REFUSE | libc::ENOSYS.unsigned_abs());
        assert_eq!(judge(MACHINE, SECOND_NUMBERS - 1, [0, 0]), ALLOW);
    }
}
