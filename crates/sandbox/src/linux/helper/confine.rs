//! What holds a command beyond the namespaces: a fresh `/proc`, no capabilities, Landlock and a seccomp filter.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use nix::fcntl::{FcntlArg, fcntl};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

use super::OWN_DESCRIPTORS;
use crate::linux::sys::Context;

/// Calls that no command needs and that reach what all cells share: mounts, the kernel itself, its keys, clocks.
/// Most need a capability that commands do not have; the filter is for the day on which one of them turns out not to.
const DENIED_CALLS: &[libc::c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_syslog,
    libc::SYS_lookup_dcookie,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
];
/// The only kinds of sockets that may be made: anything else is attack surface, or a way out (`AF_VSOCK`).
const ALLOWED_SOCKETS: &[libc::c_int] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];
/// New namespaces would give a command capabilities in them.
const DENIED_NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// `CLONE_NEWTIME`, which only `unshare` and `clone3` know.
const NEW_TIME: libc::c_int = 0x80;
/// Calls of the x32 kind have this bit; they would slip through a filter that knows the others' numbers.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;
/// How many capabilities a kernel may have; the sets are 64 bits wide.
const CAPABILITIES_MAX: libc::c_int = 64;
/// No capabilities for uid 0, none kept over a change of uid, none ambient, all of it locked.
const SECURE_BITS: libc::c_ulong = 0b1110_1111;

/// What is prepared once per cell and entered by every command.
pub(super) struct Confinement {
    landlock: OwnedFd,
}

/// The filter, compiled once per cell.
static FILTER: OnceLock<BpfProgram> = OnceLock::new();

impl Confinement {
    /// Prepares it, in the finished world. `host_network` cuts the abstract sockets of the host off, which belong
    /// to a network namespace and are not files.
    pub(super) fn prepare(
        workspace: &Path,
        home: &Path,
        host_network: bool,
    ) -> io::Result<Confinement> {
        FILTER.get_or_init(|| compile_filter().unwrap_or_default());
        if FILTER.get().is_none_or(Vec::is_empty) {
            return Err(io::Error::other(
                "the seccomp filter does not compile for this machine",
            ));
        }
        let rules = landlock_rules(workspace, home, host_network)
            .map_err(|error| io::Error::other(format!("Landlock: {error}")))?;
        // Out of the way of the descriptors that a command gets, which are put in place before the rules are entered.
        let landlock = fcntl(&rules, FcntlArg::F_DUPFD_CLOEXEC(OWN_DESCRIPTORS))?;
        // SAFETY: the call has just made this descriptor.
        let landlock = unsafe { OwnedFd::from_raw_fd(landlock) };
        Ok(Confinement { landlock })
    }

    /// Enters it: from here on this process and all that it starts are confined.
    pub(super) fn enter(&self) -> io::Result<()> {
        mount_proc()?;
        // SAFETY: calls that only change this process, with integers alone.
        unsafe {
            check(
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL),
                "PR_SET_PDEATHSIG",
            )?;
            let none = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            check(
                libc::setrlimit(libc::RLIMIT_CORE, &raw const none),
                "RLIMIT_CORE",
            )?;
        }
        drop_capabilities()?;
        // SAFETY: as above.
        unsafe {
            check(
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                "PR_SET_NO_NEW_PRIVS",
            )?;
            let result = libc::syscall(
                libc::SYS_landlock_restrict_self,
                self.landlock.as_raw_fd(),
                0,
            );
            check(result as libc::c_int, "landlock_restrict_self")
        }
    }
}

/// Applies the system call filter: last, because what comes before it needs some of those calls.
pub(super) fn filter_calls() -> io::Result<()> {
    let filter = FILTER
        .get()
        .ok_or_else(|| io::Error::other("no seccomp filter"))?;
    seccompiler::apply_filter(filter).map_err(|error| io::Error::other(format!("seccomp: {error}")))
}

/// Keeps other processes of the same user from reading this one's memory.
pub(super) fn hide_from_debuggers() -> io::Result<()> {
    // SAFETY: integers alone.
    check(
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) },
        "PR_SET_DUMPABLE",
    )
}

fn check(result: libc::c_int, what: &str) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error()).context(|| what.to_owned())
    } else {
        Ok(())
    }
}

/// A `/proc` that shows this PID namespace, read-only: a cell of root's would otherwise write to `/proc/sys`, which
/// asks for the user and not for a capability.
fn mount_proc() -> io::Result<()> {
    let flags = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: constant C strings.
    check(
        unsafe {
            libc::mount(
                c"proc".as_ptr(),
                c"/proc".as_ptr(),
                c"proc".as_ptr(),
                flags,
                std::ptr::null(),
            )
        },
        "mount /proc",
    )
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

fn drop_capabilities() -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    let mut header = CapabilityHeader {
        version: VERSION,
        pid: 0,
    };
    let none = [0u32; 6];
    // SAFETY: integers alone, but for the two pointers to data of the kernel's layout.
    unsafe {
        check(
            libc::prctl(libc::PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0),
            "PR_SET_SECUREBITS",
        )?;
        for capability in 0..CAPABILITIES_MAX {
            // Fails where the kernel's list ends.
            if libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 {
                let error = io::Error::last_os_error();
                if error.raw_os_error() == Some(libc::EINVAL) && capability > 0 {
                    break;
                }
                return Err(error).context(|| "PR_CAPBSET_DROP".to_owned());
            }
        }
        check(
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_CLEAR_ALL,
                0,
                0,
                0,
            ),
            "PR_CAP_AMBIENT",
        )?;
        let result = libc::syscall(libc::SYS_capset, &raw mut header, none.as_ptr());
        check(result as libc::c_int, "capset")
    }
}

/// Writing is allowed below the workspace, the home and the temporary folders, and to devices; nowhere else.
fn landlock_rules(workspace: &Path, home: &Path, host_network: bool) -> Result<OwnedFd, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    // The newest rights this program knows of; a kernel that knows fewer enforces those, and none is refused below.
    let writing = AccessFs::from_write(ABI::V3);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing)
        .map_err(|error| text(&error))?;
    if host_network {
        rules = rules
            .scope(Scope::AbstractUnixSocket)
            .map_err(|error| text(&error))?;
    }
    let mut created = rules.create().map_err(|error| text(&error))?;
    let nodes = BitFlags::from(AccessFs::WriteFile);
    let full = writing & !(AccessFs::MakeBlock | AccessFs::MakeChar);
    let places = [
        workspace,
        home,
        Path::new("/tmp"),
        Path::new("/var/tmp"),
        Path::new("/dev/shm"),
    ];
    let devices = [Path::new("/dev")];
    let allowed = places
        .iter()
        .map(|place| (place, full))
        .chain(devices.iter().map(|place| (place, nodes)));
    for (place, access) in allowed {
        let fd = match PathFd::new(place) {
            Ok(fd) => fd,
            // A machine without /var/tmp has none inside either.
            Err(_) if !place.exists() => continue,
            Err(error) => return Err(text(&error)),
        };
        created = created
            .add_rule(PathBeneath::new(fd, access))
            .map_err(|error| text(&error))?;
    }
    Option::<OwnedFd>::from(created).ok_or_else(|| {
        "the kernel has none; it needs CONFIG_SECURITY_LANDLOCK, and `landlock` in its lsm= parameter".to_owned()
    })
}

fn compile_filter() -> Result<BpfProgram, Box<dyn std::error::Error>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED_CALLS
        .iter()
        .map(|call| (*call, Vec::new()))
        .collect();
    let compare = |argument: u8, operator: SeccompCmpOp, value: libc::c_int| {
        SeccompCondition::new(
            argument,
            SeccompCmpArgLen::Dword,
            operator,
            value as u32 as u64,
        )
    };
    let other_sockets = ALLOWED_SOCKETS
        .iter()
        .map(|family| compare(0, SeccompCmpOp::Ne, *family))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(
        libc::SYS_socket,
        vec![SeccompRule::new(other_sockets.clone())?],
    );
    rules.insert(libc::SYS_socketpair, vec![SeccompRule::new(other_sockets)?]);
    let with_flag = |flag: libc::c_int| -> Result<SeccompRule, seccompiler::BackendError> {
        SeccompRule::new(vec![compare(
            0,
            SeccompCmpOp::MaskedEq(flag as u32 as u64),
            flag,
        )?])
    };
    let clone = DENIED_NAMESPACES
        .iter()
        .map(|flag| with_flag(*flag))
        .collect::<Result<Vec<_>, _>>()?;
    let mut unshare = clone.clone();
    unshare.push(with_flag(NEW_TIME)?);
    rules.insert(libc::SYS_clone, clone);
    rules.insert(libc::SYS_unshare, unshare);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    let mut program = prelude();
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

/// What the library cannot say: no x32 calls, and `clone3`, whose flags a filter cannot see, does not exist, so that
/// callers fall back to `clone`.
fn prelude() -> BpfProgram {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// Where the call's number is in what the filter is given.
    const NUMBER_OFFSET: u32 = 0;
    let statement = |code, k| sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    let error = |errno: libc::c_int| statement(RETURN, libc::SECCOMP_RET_ERRNO | errno as u32);
    let mut program = vec![
        statement(LOAD, NUMBER_OFFSET),
        sock_filter {
            code: JUMP_EQUAL,
            jt: 0,
            jf: 1,
            k: libc::SYS_clone3 as u32,
        },
        error(libc::ENOSYS),
    ];
    #[cfg(target_arch = "x86_64")]
    {
        const JUMP_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
        program.push(sock_filter {
            code: JUMP_AT_LEAST,
            jt: 0,
            jf: 1,
            k: X32_BIT,
        });
        program.push(error(libc::EPERM));
    }
    program
}

/// Which version of Landlock the kernel has; 0 for none.
pub(in crate::linux) fn landlock_version() -> i64 {
    const CREATE_RULESET_VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call takes no ruleset and makes no descriptor.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<File>(),
            0usize,
            CREATE_RULESET_VERSION,
        )
    };
    version.max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_compiles_and_is_short() {
        let filter = compile_filter().unwrap();
        // The kernel's limit is 4096 instructions; every system call walks through them.
        assert!(
            filter.len() > DENIED_CALLS.len() && filter.len() < 400,
            "{} instructions",
            filter.len()
        );
    }
}
