//! What the harness and a cell's helper say to each other: small JSON packets over a socket pair that keeps their
//! bounds, with descriptors attached. What may be large (a set-up, a command) lies in a memory file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::cmsg_space;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The hidden first argument that makes a process the helper.
pub(super) const FIRST_ARGUMENT: &str = "__overnight-cell";
/// How large a packet may be, bytes.
const PACKET_BYTES_MAX: usize = 64 * 1024;
/// How many descriptors come with a packet at most; the kernel's own limit is 253.
pub(super) const DESCRIPTORS_MAX: usize = 200;
/// How large a memory file may be, bytes.
const MEMORY_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Everything that the helper needs to know to build the cell. All paths of the host are absolute and resolved.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// The caller's home, as seen inside.
    pub(super) home: PathBuf,
    /// The folder for what the cell writes outside the workspace.
    pub(super) private: PathBuf,
    /// The same of the cell that this one builds upon.
    pub(super) base: Option<PathBuf>,
    /// What becomes the workspace.
    pub(super) workspace: PathBuf,
    /// What is seen through it: then it holds only what the commands change.
    pub(super) below: Option<PathBuf>,
    /// Where it is seen.
    pub(super) inside: PathBuf,
    /// What is hidden; none of it lies below another.
    pub(super) hide: Vec<PathBuf>,
    /// What is to be seen all the same, read-only; parents before children.
    pub(super) expose: Vec<Bind>,
    /// Package caches.
    pub(super) caches: Vec<Cache>,
    /// Copy-on-write folders in the workspace.
    pub(super) layers: Vec<WorkspaceLayer>,
    /// Read-only folders of the workspace, relative to it.
    pub(super) readonly: Vec<PathBuf>,
    /// What is hidden in what was exposed, or in the workspace; paths as seen inside.
    pub(super) hide_again: Vec<PathBuf>,
    /// Small files to be made below `/run`.
    pub(super) files: Vec<(PathBuf, String)>,
    /// The network.
    pub(super) network: NetworkSetup,
    /// `PATH`, of which the helper answers the part that exists inside.
    pub(super) path: Vec<PathBuf>,
}

/// A part of the host that is shown in the cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bind {
    pub(super) from: PathBuf,
    pub(super) at: PathBuf,
}

/// A package cache: the host's below, the cell's own above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cache {
    pub(super) at: PathBuf,
    pub(super) host: PathBuf,
    /// Names its upper layer.
    pub(super) key: String,
}

/// A folder of the workspace that comes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkspaceLayer {
    pub(super) at: PathBuf,
    pub(super) from: PathBuf,
    /// Names its upper layer.
    pub(super) key: String,
}

/// What the helper does about the network.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NetworkSetup {
    /// Whether the cell has a network namespace of its own.
    pub(super) own: bool,
    /// Whether there is a proxy in it.
    pub(super) proxy: bool,
    /// Ports of the host's loopback that are seen in it.
    pub(super) forward: Vec<u16>,
}

/// A listening socket in the cell's network namespace, in the order of the descriptors that come along.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Listener {
    /// The proxy's, on this port.
    Proxy(u16),
    /// For the host's port of the same number.
    Forward(u16),
}

/// One command, in a memory file beside [`Request::Run`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) script: String,
    pub(super) dir: String,
    pub(super) env: BTreeMap<String, String>,
}

/// From the harness.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Run a command. Descriptors: the job, standard input, output and error.
    Run { id: u64 },
    /// Kill it.
    Kill { id: u64 },
}

/// From the helper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The cell is open.
    Ready {
        path: Vec<PathBuf>,
        listeners: Vec<Listener>,
    },
    /// It could not be opened; `refused` if the kernel does not offer, or not allow, what is needed.
    Failed { what: String, refused: bool },
    /// A command has ended.
    Ended { id: u64, end: End },
}

/// How a command ended, as the helper saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    Code(i32),
    Signal(i32),
    Killed,
    NoDirectory,
    /// It could not be started.
    Broken(String),
}

/// Sends one packet.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > PACKET_BYTES_MAX || fds.len() > DESCRIPTORS_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a packet to or from the cell is too large",
        ));
    }
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage] = if raw.is_empty() { &[] } else { &rights };
    loop {
        match sendmsg::<()>(
            socket.as_raw_fd(),
            &[IoSlice::new(&bytes)],
            control,
            MsgFlags::MSG_NOSIGNAL,
            None,
        ) {
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Receives one packet; `None` when the other side is gone.
pub(super) fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; PACKET_BYTES_MAX];
    let mut space = cmsg_space!([RawFd; DESCRIPTORS_MAX]);
    let (length, fds) = {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let message = loop {
            match recvmsg::<()>(
                socket.as_raw_fd(),
                &mut slices,
                Some(&mut space),
                MsgFlags::MSG_CMSG_CLOEXEC,
            ) {
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::ECONNRESET) => return Ok(None),
                Err(error) => return Err(error.into()),
                Ok(message) => break message,
            }
        };
        let mut fds = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = control {
                // SAFETY: the kernel has just made these descriptors for this process.
                fds.extend(
                    raw.into_iter()
                        .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
                );
            }
        }
        (message.bytes, fds)
    };
    if length == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&bytes[..length])?, fds)))
}

/// A file in memory with this content, to be read from its start.
pub(super) fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("overnight", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads a message out of a memory file.
pub(super) fn read_memory_file<T: DeserializeOwned>(fd: OwnedFd) -> io::Result<T> {
    let mut content = Vec::new();
    File::from(fd)
        .take(MEMORY_FILE_BYTES_MAX)
        .read_to_end(&mut content)?;
    Ok(serde_json::from_slice(&content)?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;

    #[test]
    fn packets_keep_their_bounds_and_their_descriptors() {
        let (here, there) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .unwrap();
        let file = memory_file(b"[1,2]").unwrap();
        send(here.as_fd(), &Request::Run { id: 7 }, &[file.as_fd()]).unwrap();
        send(here.as_fd(), &Request::Kill { id: 8 }, &[]).unwrap();
        let (first, mut fds) = receive::<Request>(there.as_fd()).unwrap().unwrap();
        assert!(matches!(first, Request::Run { id: 7 }));
        assert_eq!(read_memory_file::<Vec<u8>>(fds.remove(0)).unwrap(), [1, 2]);
        let (second, none) = receive::<Request>(there.as_fd()).unwrap().unwrap();
        assert!(matches!(second, Request::Kill { id: 8 }) && none.is_empty());
        drop(here);
        assert!(receive::<Request>(there.as_fd()).unwrap().is_none());
    }
}
