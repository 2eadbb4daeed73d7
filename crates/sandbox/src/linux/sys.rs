//! The kernel's mount calls, which no library wraps, as safe functions on descriptors.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{c_int, c_long, c_uint};

const OPEN_TREE_CLONE: c_uint = 1;
const OPEN_TREE_CLOEXEC: c_uint = libc::O_CLOEXEC as c_uint;
const AT_RECURSIVE: c_uint = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: c_uint = 0x40;
const FSOPEN_CLOEXEC: c_uint = 1;
const FSCONFIG_SET_FLAG: c_uint = 0;
const FSCONFIG_SET_STRING: c_uint = 1;
const FSCONFIG_CMD_CREATE: c_uint = 6;
const FSMOUNT_CLOEXEC: c_uint = 1;

/// Read-only.
pub(super) const RDONLY: u64 = 0x1;
/// No set-user-id programs.
pub(super) const NOSUID: u64 = 0x2;
/// No device nodes.
pub(super) const NODEV: u64 = 0x4;
/// No programs.
pub(super) const NOEXEC: u64 = 0x8;

/// Symbolic links are resolved as if the given folder were the root.
pub(super) const RESOLVE_IN_ROOT: u64 = 0x10 | RESOLVE_NO_MAGICLINKS;
/// The path may not leave the given folder.
pub(super) const RESOLVE_BENEATH: u64 = 0x08 | RESOLVE_NO_MAGICLINKS;
/// No symbolic link on the way.
pub(super) const RESOLVE_NO_SYMLINKS: u64 = 0x04;
const RESOLVE_NO_MAGICLINKS: u64 = 0x02;

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Names the object of a failed call.
pub(super) trait Context<T> {
    /// Puts `what` in front of the error.
    fn context(self, what: impl FnOnce() -> String) -> io::Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> io::Result<T> {
        self.map_err(|error| {
            // The kind survives, for it is what the callers look at.
            io::Error::new(error.kind(), format!("{}: {error}", what()))
        })
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn owned(result: c_long) -> io::Result<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: the call that gave it has just made this descriptor, and nothing else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A detached copy of the mounts at and below `path`.
pub(super) fn clone_tree(path: &Path) -> io::Result<OwnedFd> {
    let c = c_path(path)?;
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    // SAFETY: the path is a valid C string for the time of the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c.as_ptr(), flags) })
        .context(|| format!("open_tree {}", path.display()))
}

/// A detached copy of the mounts at and below what `fd` is open on.
pub(super) fn clone_tree_of(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | libc::AT_EMPTY_PATH as c_uint;
    // SAFETY: the empty path is a valid C string.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, fd.as_raw_fd(), c"".as_ptr(), flags) })
        .context(|| "open_tree".to_owned())
}

/// Sets attributes of a mount, and of all below it if `recursive`.
pub(super) fn set_attributes(
    mount: BorrowedFd<'_>,
    recursive: bool,
    attributes: u64,
) -> io::Result<()> {
    let attr = MountAttr {
        set: attributes,
        clear: 0,
        propagation: 0,
        userns: 0,
    };
    let flags = libc::AT_EMPTY_PATH as c_uint | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: `attr` has the kernel's layout (MOUNT_ATTR_SIZE_VER0), and its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
    .context(|| "mount_setattr".to_owned())
}

/// Puts a detached mount where `target` is open on.
pub(super) fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both paths are empty C strings.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH,
        )
    })
    .map(drop)
    .context(|| "move_mount".to_owned())
}

/// A new file system of this kind, detached. An option without a value is a flag.
pub(super) fn new_filesystem(
    kind: &CStr,
    options: &[(&str, &str)],
    attributes: u64,
) -> io::Result<OwnedFd> {
    let name = || kind.to_string_lossy().into_owned();
    // SAFETY: the kind is a valid C string.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })
        .context(|| format!("fsopen {}", name()))?;
    for (key, value) in options {
        let (c_key, c_value) = (CString::new(*key)?, CString::new(*value)?);
        let (command, value_pointer) = if value.is_empty() {
            (FSCONFIG_SET_FLAG, std::ptr::null())
        } else {
            (FSCONFIG_SET_STRING, c_value.as_ptr())
        };
        configure(&context, command, c_key.as_ptr(), value_pointer)
            .context(|| format!("{} option {key}={value}", name()))?;
    }
    configure(
        &context,
        FSCONFIG_CMD_CREATE,
        std::ptr::null(),
        std::ptr::null(),
    )
    .context(|| format!("new {}", name()))?;
    // SAFETY: only integers are given.
    owned(unsafe {
        libc::syscall(
            libc::SYS_fsmount,
            context.as_raw_fd(),
            FSMOUNT_CLOEXEC,
            attributes as c_uint,
        )
    })
    .context(|| format!("fsmount {}", name()))
}

fn configure(
    context: &OwnedFd,
    command: c_uint,
    key: *const libc::c_char,
    value: *const libc::c_char,
) -> io::Result<()> {
    let none: c_int = 0;
    // SAFETY: the pointers are null or valid C strings that the callers keep alive.
    check(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            command,
            key,
            value,
            none,
        )
    })
    .map(drop)
    .map_err(|error| {
        // The kernel's own explanation, if it has one, can be read from the context.
        let mut text = [0; 512];
        match context
            .try_clone()
            .map(File::from)
            .and_then(|mut log| log.read(&mut text))
        {
            Ok(n) if n > 0 => io::Error::new(
                error.kind(),
                format!("{error} ({})", String::from_utf8_lossy(&text[..n]).trim()),
            ),
            _ => error,
        }
    })
}

/// Opens `path` relative to `folder` under the given rules of resolution.
pub(super) fn open_in(
    folder: BorrowedFd<'_>,
    path: &Path,
    flags: c_int,
    resolve: u64,
) -> io::Result<OwnedFd> {
    /// A rename elsewhere in the system can make the kernel give up on `..`; it asks to be asked again.
    const ATTEMPTS: usize = 100;
    let c = c_path(path)?;
    let how = OpenHow {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: if flags & libc::O_CREAT != 0 { 0o600 } else { 0 },
        resolve,
    };
    let mut result = Err(io::Error::from_raw_os_error(libc::EAGAIN));
    for _ in 0..ATTEMPTS {
        // SAFETY: `how` has the kernel's layout (OPEN_HOW_SIZE_VER0), and its size is given; the path is a C string.
        result = owned(unsafe {
            libc::syscall(
                libc::SYS_openat2,
                folder.as_raw_fd(),
                c.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        });
        match &result {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            _ => break,
        }
    }
    result
}

/// Opens a path without reading it, to be a mount's source or target.
pub(super) fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let c = c_path(path)?;
    // SAFETY: the path is a valid C string.
    owned(c_long::from(unsafe {
        libc::open(c.as_ptr(), libc::O_PATH | libc::O_CLOEXEC)
    }))
    .context(|| path.display().to_string())
}

/// Makes a folder in an open folder.
pub(super) fn make_dir_at(
    folder: BorrowedFd<'_>,
    name: &Path,
    mode: libc::mode_t,
) -> io::Result<()> {
    let c = c_path(name)?;
    // SAFETY: the name is a valid C string.
    check(c_long::from(unsafe {
        libc::mkdirat(folder.as_raw_fd(), c.as_ptr(), mode)
    }))
    .map(drop)
}

/// Makes a symbolic link in an open folder.
pub(super) fn make_link_at(folder: BorrowedFd<'_>, name: &Path, target: &Path) -> io::Result<()> {
    let (c_name, c_target) = (c_path(name)?, c_path(target)?);
    // SAFETY: both are valid C strings.
    check(c_long::from(unsafe {
        libc::symlinkat(c_target.as_ptr(), folder.as_raw_fd(), c_name.as_ptr())
    }))
    .map(drop)
}

/// Makes `root` the root of this process's mount namespace and lets go of the old one.
pub(super) fn pivot_into(root: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: only a descriptor and constant C strings are given. The old root comes to lie on top of the new
    // one, at the same place, from where it is taken off.
    unsafe {
        check(c_long::from(libc::fchdir(root.as_raw_fd())))?;
        check(libc::syscall(
            libc::SYS_pivot_root,
            c".".as_ptr(),
            c".".as_ptr(),
        ))
        .context(|| "pivot_root".to_owned())?;
        check(c_long::from(libc::umount2(c".".as_ptr(), libc::MNT_DETACH)))
            .context(|| "umount of /".to_owned())?;
        check(c_long::from(libc::chdir(c"/".as_ptr())))?;
    }
    Ok(())
}

/// Cuts all mounts of this namespace off from the host's: nothing mounted there later appears here.
pub(super) fn make_mounts_private() -> io::Result<()> {
    // SAFETY: constant C strings and null where the kernel takes no notice.
    check(c_long::from(unsafe {
        libc::mount(
            std::ptr::null(),
            c"/".as_ptr(),
            std::ptr::null(),
            libc::MS_REC | libc::MS_PRIVATE,
            std::ptr::null(),
        )
    }))
    .map(drop)
    .context(|| "make mounts private".to_owned())
}

/// Brings this network namespace's loopback up.
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: `ifreq` is plain data for which zeroes are a value; the name fits with its final zero; the socket is
    // owned at once.
    unsafe {
        let socket = owned(c_long::from(libc::socket(
            libc::AF_INET,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            0,
        )))?;
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(c_long::from(libc::ioctl(
            socket.as_fd().as_raw_fd(),
            libc::SIOCSIFFLAGS,
            &raw const request,
        )))
        .map(drop)
        .context(|| "bring the loopback up".to_owned())
    }
}
