//! The world that a cell's commands see: a new root, put together from parts of the host (read-only), of the
//! cell's private folder, and of nothing. Anything that cannot be put in place keeps the cell from opening.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::super::sys::{
    self, Context, NODEV, NOEXEC, NOSUID, RDONLY, RESOLVE_BENEATH, RESOLVE_IN_ROOT,
    RESOLVE_NO_SYMLINKS,
};
use super::super::wire::{Bind, Cache, Listener, NetworkSetup, Setup, WorkspaceLayer};
use crate::copy;

/// Top-level folders that are made anew instead of shown.
const MADE_ANEW: &[&str] = &["proc", "sys", "dev", "run", "tmp", "workspace"];
/// The device nodes that a cell has.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// Links in `/dev`.
const DEVICE_LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// What of a host's `/sys`, where it has to be shown as it is, is of no use to anybody but its administrator.
const HIDDEN_SYSTEM: &[&str] = &[
    "/sys/kernel/debug",
    "/sys/kernel/tracing",
    "/sys/kernel/security",
    "/sys/firmware",
];
/// How large the file systems are that hold nothing but mount points.
const SCAFFOLD: &[(&str, &str)] = &[("size", "16m"), ("mode", "0755")];
/// The empty things that lie over what must not be read.
const DENIED_DIR: &str = "/.denied-dir";
const DENIED_FILE: &str = "/.denied-file";

/// What the rest of the helper needs of the finished world.
pub(super) struct World {
    /// The part of `PATH` that exists.
    pub(super) path: Vec<PathBuf>,
    /// The sockets on which the cell's way out is offered.
    pub(super) listeners: Vec<(Listener, OwnedFd)>,
}

/// Builds it and makes it this process's root.
pub(super) fn build(setup: &Setup) -> io::Result<World> {
    sys::make_mounts_private()?;
    let mut listeners = Vec::new();
    if setup.network.own {
        sys::loopback_up()?;
        listeners = listen(&setup.network)?;
    }
    let parts = Parts::gather(setup)?;
    let mut root = Root::new(&setup.private.join("root"))?;
    root.place_host(parts.top)?;
    root.place_system(parts.system, parts.cgroups, setup.network.own)?;
    root.place_devices(parts.devices)?;
    root.place_temporary(setup)?;
    root.hide(setup)?;
    root.place_home(setup)?;
    for (bind, tree) in setup.expose.iter().zip(parts.exposed) {
        root.expose(bind, tree)?;
    }
    for cache in &setup.caches {
        root.place_cache(cache, setup)?;
    }
    root.place_workspace(setup, parts.workspace)?;
    for path in &setup.hide_again {
        root.deny(path)?;
    }
    root.finish()?;
    // A second lock on what the filter denies already: no user namespace can be made below this one.
    let _ = fs::write("/proc/sys/user/max_user_namespaces", "0");
    let path = setup
        .path
        .iter()
        .filter(|folder| folder.is_dir())
        .cloned()
        .collect();
    Ok(World { path, listeners })
}

fn listen(network: &NetworkSetup) -> io::Result<Vec<(Listener, OwnedFd)>> {
    let mut listeners = Vec::new();
    if network.proxy {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .context(|| "the proxy's socket".to_owned())?;
        listeners.push((Listener::Proxy(socket.local_addr()?.port()), socket.into()));
    }
    for port in &network.forward {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, *port))
            .context(|| format!("localhost:{port}"))?;
        listeners.push((Listener::Forward(*port), socket.into()));
        // A machine without IPv6 has none inside either.
        if let Ok(socket) = TcpListener::bind((Ipv6Addr::LOCALHOST, *port)) {
            listeners.push((Listener::Forward(*port), socket.into()));
        }
    }
    Ok(listeners)
}

/// A top-level entry of the host's root.
enum Top {
    Link(PathBuf),
    Dir(Option<OwnedFd>),
    File(OwnedFd),
}

/// Copies of the host's mounts, all taken before the new root is mounted, so that none contains it.
struct Parts {
    top: Vec<(PathBuf, Top)>,
    system: Option<OwnedFd>,
    cgroups: Option<OwnedFd>,
    devices: Vec<(&'static str, OwnedFd)>,
    exposed: Vec<OwnedFd>,
    workspace: OwnedFd,
}

impl Parts {
    fn gather(setup: &Setup) -> io::Result<Parts> {
        let devices = DEVICES
            .iter()
            .filter(|name| Path::new("/dev").join(name).exists());
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        Ok(Parts {
            top: top_level(&setup.hide)?,
            system: sys::clone_tree(Path::new("/sys")).ok(),
            cgroups: if unified {
                sys::clone_tree(Path::new("/sys/fs/cgroup")).ok()
            } else {
                None
            },
            devices: devices
                .map(|name| Ok((*name, sys::clone_tree(&Path::new("/dev").join(name))?)))
                .collect::<io::Result<_>>()?,
            exposed: setup
                .expose
                .iter()
                .map(|bind| sys::clone_tree(&bind.from))
                .collect::<io::Result<_>>()?,
            workspace: workspace(setup)?,
        })
    }
}

/// The workspace: the folder itself, or, where something is seen through it, the two as one.
fn workspace(setup: &Setup) -> io::Result<OwnedFd> {
    if let Some(below) = &setup.below {
        let work = setup.private.join("work/workspace");
        match overlay(&[below], &setup.workspace, &work, setup) {
            Ok(mount) => return Ok(mount),
            // Once: what has been changed of a copy since is not to be lost.
            Err(_) if fs::read_dir(&setup.workspace)?.next().is_none() => {
                copy::tree(below, &setup.workspace)
                    .context(|| format!("copy {}", below.display()))?;
            }
            Err(_) => {}
        }
    }
    sys::clone_tree(&setup.workspace)
}

fn top_level(hidden: &[PathBuf]) -> io::Result<Vec<(PathBuf, Top)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir("/")? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if MADE_ANEW.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let hide = hidden.contains(&path);
        let top = if kind.is_symlink() {
            Top::Link(fs::read_link(&path)?)
        } else if kind.is_dir() {
            // What cannot be copied (a mount of another user's, say) cannot be read by the caller either.
            Top::Dir(if hide {
                None
            } else {
                sys::clone_tree(&path).ok()
            })
        } else if kind.is_file() && !hide {
            Top::File(sys::clone_tree(&path)?)
        } else {
            continue;
        };
        entries.push((path, top));
    }
    Ok(entries)
}

/// The new root while it is being put together. Paths are those inside; they are resolved as if this were `/`
/// already, so no link can lead out of it.
struct Root {
    fd: OwnedFd,
    /// File systems that hold only mount points and become read-only in the end.
    scaffolds: Vec<OwnedFd>,
}

impl Root {
    fn new(at: &Path) -> io::Result<Root> {
        make_host_dir(at)?;
        let mount = sys::new_filesystem(c"tmpfs", SCAFFOLD, NOSUID | NODEV)?;
        sys::attach(mount.as_fd(), sys::open_path(at)?.as_fd())?;
        let root = Root {
            fd: sys::open_path(at)?,
            scaffolds: vec![mount],
        };
        root.dir(Path::new(DENIED_DIR))?;
        root.file(Path::new(DENIED_FILE), b"", 0)?;
        let denied = root.open(Path::new(DENIED_DIR), libc::O_RDONLY)?;
        File::from(denied).set_permissions(fs::Permissions::from_mode(0o000))?;
        Ok(root)
    }

    fn open(&self, path: &Path, flags: libc::c_int) -> io::Result<OwnedFd> {
        sys::open_in(self.fd.as_fd(), path, flags, RESOLVE_IN_ROOT)
    }

    /// Opens a folder, made with all above it if it is absent.
    fn dir(&self, path: &Path) -> io::Result<OwnedFd> {
        make_dirs(&self.fd, path, RESOLVE_IN_ROOT)
            .context(|| format!("make {} in the cell", path.display()))
    }

    /// Makes a file, if there is none, and opens it as a mount point.
    fn file(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<OwnedFd> {
        if let Some(parent) = path.parent() {
            self.dir(parent)?;
        }
        match self.open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL) {
            Ok(fd) => {
                let mut file = File::from(fd);
                file.write_all(content)?;
                file.set_permissions(fs::Permissions::from_mode(mode))?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).context(|| format!("make {} in the cell", path.display()));
            }
        }
        self.open(path, libc::O_PATH)
            .context(|| format!("{} in the cell", path.display()))
    }

    fn attach(&self, mount: &OwnedFd, target: &OwnedFd, path: &Path) -> io::Result<()> {
        sys::attach(mount.as_fd(), target.as_fd())
            .context(|| format!("mount {} in the cell", path.display()))
    }

    /// Puts an empty file system for mount points somewhere.
    fn scaffold(&mut self, path: &Path, target: &OwnedFd) -> io::Result<()> {
        let mount = sys::new_filesystem(c"tmpfs", SCAFFOLD, NOSUID | NODEV)?;
        self.attach(&mount, target, path)?;
        self.scaffolds.push(mount);
        Ok(())
    }

    fn place_host(&mut self, top: Vec<(PathBuf, Top)>) -> io::Result<()> {
        for (path, entry) in top {
            let (tree, target) = match entry {
                Top::Link(to) => {
                    let name = path.strip_prefix("/").unwrap_or(&path);
                    sys::make_link_at(self.fd.as_fd(), name, &to)?;
                    continue;
                }
                Top::Dir(None) => {
                    self.dir(&path)?;
                    continue;
                }
                Top::Dir(Some(tree)) => (tree, self.dir(&path)?),
                Top::File(tree) => (tree, self.file(&path, b"", 0o644)?),
            };
            sys::set_attributes(tree.as_fd(), true, RDONLY | NOSUID | NODEV)?;
            self.attach(&tree, &target, &path)?;
        }
        Ok(())
    }

    fn place_system(
        &self,
        host: Option<OwnedFd>,
        cgroups: Option<OwnedFd>,
        own_network: bool,
    ) -> io::Result<()> {
        let proc = Path::new("/proc");
        let mount = sys::new_filesystem(c"proc", &[], NOSUID | NODEV | NOEXEC)?;
        self.attach(&mount, &self.dir(proc)?, proc)?;
        let (system, attributes) = (Path::new("/sys"), RDONLY | NOSUID | NODEV | NOEXEC);
        let target = self.dir(system)?;
        // A new one shows only this network namespace's devices; but it is to be had only by the namespace's owner,
        // and not where the host's is covered in part.
        if let Some(mount) = own_network
            .then(|| sys::new_filesystem(c"sysfs", &[], attributes).ok())
            .flatten()
        {
            self.attach(&mount, &target, system)?;
            let at = Path::new("/sys/fs/cgroup");
            if let (Some(tree), Ok(target)) = (cgroups, self.open(at, libc::O_PATH)) {
                sys::set_attributes(tree.as_fd(), true, attributes)?;
                self.attach(&tree, &target, at)?;
            }
        } else if let Some(tree) = host {
            sys::set_attributes(tree.as_fd(), true, attributes)?;
            self.attach(&tree, &target, system)?;
            for path in HIDDEN_SYSTEM {
                self.deny(Path::new(path))?;
            }
        }
        Ok(())
    }

    fn place_devices(&mut self, nodes: Vec<(&'static str, OwnedFd)>) -> io::Result<()> {
        let dev = Path::new("/dev");
        let target = self.dir(dev)?;
        self.scaffold(dev, &target)?;
        for (name, tree) in nodes {
            let path = dev.join(name);
            let target = self.file(&path, b"", 0o666)?;
            // Read-only: writing to a device works all the same, changing the host's node does not.
            sys::set_attributes(tree.as_fd(), false, RDONLY | NOSUID | NOEXEC)?;
            self.attach(&tree, &target, &path)?;
        }
        let folder = self.open(dev, libc::O_PATH)?;
        for (name, target) in DEVICE_LINKS {
            sys::make_link_at(folder.as_fd(), Path::new(name), Path::new(target))?;
        }
        let (shm, pts) = (dev.join("shm"), dev.join("pts"));
        let memory = sys::new_filesystem(c"tmpfs", &[("mode", "1777")], NOSUID | NODEV)?;
        self.attach(&memory, &self.dir(&shm)?, &shm)?;
        let terminals = sys::new_filesystem(
            c"devpts",
            &[("ptmxmode", "0666"), ("mode", "0620")],
            NOSUID | NOEXEC,
        )?;
        self.attach(&terminals, &self.dir(&pts)?, &pts)
    }

    /// `/tmp` and `/var/tmp` are the cell's own; `/run`, where the host's services have their sockets, is empty.
    fn place_temporary(&mut self, setup: &Setup) -> io::Result<()> {
        let own = setup.private.join("tmp");
        make_host_dir(&own)?;
        fs::set_permissions(&own, fs::Permissions::from_mode(0o1777))?;
        self.dir(Path::new("/tmp"))?;
        for path in [Path::new("/tmp"), Path::new("/var/tmp")] {
            if let Ok(target) = self.open(path, libc::O_PATH | libc::O_DIRECTORY) {
                self.bind_own(&own, &target, path)?;
            }
        }
        let run = Path::new("/run");
        let target = self.dir(run)?;
        self.scaffold(run, &target)?;
        let old_run = Path::new("/var/run");
        // Mostly a link to /run; where it is a folder of its own it is hidden like the other.
        if let Ok(target) = sys::open_in(
            self.fd.as_fd(),
            old_run,
            libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW,
            RESOLVE_IN_ROOT,
        ) {
            self.scaffold(old_run, &target)?;
        }
        for (path, content) in &setup.files {
            self.file(path, content.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Puts one of the cell's own folders somewhere, writable.
    fn bind_own(&self, folder: &Path, target: &OwnedFd, path: &Path) -> io::Result<()> {
        let tree = sys::clone_tree(folder)?;
        sys::set_attributes(tree.as_fd(), true, NOSUID | NODEV)?;
        self.attach(&tree, target, path)
    }

    fn hide(&mut self, setup: &Setup) -> io::Result<()> {
        let shown: Vec<&Path> = [setup.home.as_path()]
            .into_iter()
            .chain(setup.expose.iter().map(|bind| bind.at.as_path()))
            .chain(setup.caches.iter().map(|cache| cache.at.as_path()))
            .collect();
        for path in &setup.hide {
            // What lies in the root itself was left out of it from the start.
            if path.parent() == Some(Path::new("/")) {
                continue;
            }
            if shown.iter().any(|shown| shown.starts_with(path)) {
                if let Some(target) = self.hideable(path)? {
                    self.scaffold(path, &target)?;
                }
            } else {
                self.deny(path)?;
            }
        }
        Ok(())
    }

    /// Opens what is to be hidden. What does not exist, or cannot be reached, is hidden already.
    fn hideable(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        match self.open(path, libc::O_PATH | libc::O_NOFOLLOW) {
            Ok(fd) => Ok(Some(fd)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error).context(|| format!("hide {}", path.display())),
        }
    }

    /// Lays something over `path` that nobody may read.
    fn deny(&self, path: &Path) -> io::Result<()> {
        let Some(target) = self.hideable(path)? else {
            return Ok(());
        };
        let kind = File::from(target.try_clone()?).metadata()?.file_type();
        if kind.is_symlink() {
            // What it leads to is hidden by its own name, or open to everybody.
            return Ok(());
        }
        let cover = self.open(
            Path::new(if kind.is_dir() {
                DENIED_DIR
            } else {
                DENIED_FILE
            }),
            libc::O_PATH,
        )?;
        let mount = sys::clone_tree_of(cover.as_fd())?;
        sys::set_attributes(mount.as_fd(), false, RDONLY | NOSUID | NODEV | NOEXEC)?;
        self.attach(&mount, &target, path)
    }

    fn place_home(&self, setup: &Setup) -> io::Result<()> {
        let own = setup.private.join("home");
        make_host_dir(&own)?;
        let target = self.dir(&setup.home)?;
        let base = setup
            .base
            .as_ref()
            .map(|base| base.join("home"))
            .filter(|home| home.is_dir());
        let Some(base) = base else {
            return self.bind_own(&own, &target, &setup.home);
        };
        match overlay(&[&base], &own, &setup.private.join("work/home"), setup) {
            Ok(mount) => self.attach(&mount, &target, &setup.home),
            Err(_) => {
                let copied = setup.private.join("home-copy");
                copy::tree_once(&base, &copied).context(|| format!("copy {}", base.display()))?;
                self.bind_own(&copied, &target, &setup.home)
            }
        }
    }

    fn expose(&self, bind: &Bind, tree: OwnedFd) -> io::Result<()> {
        let directory = File::from(tree.try_clone()?).metadata()?.is_dir();
        let target = if directory {
            self.dir(&bind.at)?
        } else {
            self.file(&bind.at, b"", 0o600)?
        };
        sys::set_attributes(tree.as_fd(), true, RDONLY | NOSUID | NODEV)?;
        self.attach(&tree, &target, &bind.at)
    }

    fn place_cache(&self, cache: &Cache, setup: &Setup) -> io::Result<()> {
        let own = setup.private.join("cache").join(&cache.key);
        let base = setup
            .base
            .as_ref()
            .map(|base| base.join("cache").join(&cache.key).join("upper"));
        let lowers: Vec<&Path> = base
            .as_deref()
            .filter(|base| base.is_dir())
            .into_iter()
            .chain([&*cache.host])
            .collect();
        let target = match self.dir(&cache.at) {
            Ok(target) => target,
            // Below something that is shown read-only and has no such folder: then there is no use for a cache.
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => return Ok(()),
            Err(error) => return Err(error),
        };
        match overlay(&lowers, &own.join("upper"), &own.join("work"), setup) {
            Ok(mount) => self.attach(&mount, &target, &cache.at),
            Err(_) => {
                let tree = sys::clone_tree(&cache.host)?;
                sys::set_attributes(tree.as_fd(), true, RDONLY | NOSUID | NODEV)?;
                self.attach(&tree, &target, &cache.at)
            }
        }
    }

    fn place_workspace(&self, setup: &Setup, tree: OwnedFd) -> io::Result<()> {
        let at = setup.inside.as_path();
        sys::set_attributes(tree.as_fd(), true, NOSUID | NODEV)?;
        self.attach(&tree, &self.dir(at)?, at)?;
        let workspace = self.open(at, libc::O_PATH)?;
        // The places of the layers first: one of them may lie in a folder that becomes read-only.
        for layer in &setup.layers {
            layer_target(&workspace, layer)?;
        }
        // The folders above a read-only one can still be renamed, and another put in their place: that changes the
        // path and not the content, and it is the gate on the result that sees it. Mounting those as well would
        // hold them, but every rename across their edge would fail, which breaks builds.
        for folder in &setup.readonly {
            let target =
                match sys::open_in(workspace.as_fd(), folder, libc::O_PATH, RESOLVE_BENEATH) {
                    Ok(target) => target,
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::NotFound | ErrorKind::NotADirectory
                        ) =>
                    {
                        continue;
                    }
                    Err(error) => {
                        return Err(error).context(|| {
                        format!(
                            "{} cannot be made read-only (a link that leads out of the workspace?)",
                            folder.display()
                        )
                    });
                    }
                };
            let tree = sys::clone_tree_of(target.as_fd())?;
            sys::set_attributes(tree.as_fd(), true, RDONLY | NOSUID | NODEV)?;
            self.attach(&tree, &target, &at.join(folder))?;
        }
        for layer in &setup.layers {
            let target = layer_target(&workspace, layer)?;
            self.place_layer(layer, &target, setup)?;
        }
        Ok(())
    }

    fn place_layer(
        &self,
        layer: &WorkspaceLayer,
        target: &OwnedFd,
        setup: &Setup,
    ) -> io::Result<()> {
        let (own, path) = (
            setup.private.join("layer").join(&layer.key),
            setup.inside.join(&layer.at),
        );
        match overlay(&[&layer.from], &own.join("upper"), &own.join("work"), setup) {
            Ok(mount) => self.attach(&mount, target, &path),
            Err(_) => {
                make_host_dir(&own)?;
                let copied = own.join("copy");
                copy::tree_once(&layer.from, &copied)
                    .context(|| format!("copy {}", layer.from.display()))?;
                self.bind_own(&copied, target, &path)
            }
        }
    }

    /// Makes the scaffolding read-only and moves in.
    fn finish(self) -> io::Result<()> {
        for mount in &self.scaffolds {
            sys::set_attributes(mount.as_fd(), false, RDONLY)?;
        }
        sys::pivot_into(self.fd.as_fd())
    }
}

/// Where a layer goes. No link on the way: the workspace is the agent's, and a link would lead elsewhere.
fn layer_target(workspace: &OwnedFd, layer: &WorkspaceLayer) -> io::Result<OwnedFd> {
    make_dirs(workspace, &layer.at, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS).context(|| {
        format!(
            "{} in the workspace cannot be a mount point",
            layer.at.display()
        )
    })
}

/// Opens a folder below `base`, made with all above it if absent.
fn make_dirs(base: &OwnedFd, path: &Path, resolve: u64) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let mut folder = sys::open_in(base.as_fd(), Path::new("."), flags, resolve)?;
    let mut so_far = PathBuf::new();
    for component in path.components() {
        let Component::Normal(name) = component else {
            continue;
        };
        so_far.push(name);
        folder = match sys::open_in(base.as_fd(), &so_far, flags, resolve) {
            Ok(folder) => folder,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                sys::make_dir_at(folder.as_fd(), Path::new(name), 0o755)?;
                sys::open_in(base.as_fd(), &so_far, flags, resolve)?
            }
            Err(error) => return Err(error),
        };
    }
    Ok(folder)
}

fn make_host_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path).context(|| path.display().to_string())
}

/// A copy-on-write mount. The layers are named by descriptors, for their paths may hold what overlayfs reads as a
/// separator.
///
/// Without `volatile` the kernel brings the whole file system below to disk when the mount goes, with everything that
/// all other programs have written to it: seconds on a busy machine, and for nothing, because what a cell leaves is not
/// read again after a power failure. Only what a setup leaves is kept: its cell is the one with the host's network.
fn overlay(lowers: &[&Path], upper: &Path, work: &Path, setup: &Setup) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    make_host_dir(upper)?;
    make_host_dir(work)?;
    let mut ends: Vec<(&str, &str)> = vec![("userxattr", "")];
    if setup.network.own {
        // A mark of the last such mount, which would not let it be mounted a second time.
        let mark = work.join("work");
        if mark.join("incompat").exists() {
            fs::remove_dir_all(&mark).context(|| mark.display().to_string())?;
        }
        ends.push(("volatile", ""));
    }
    let name = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let lowers: Vec<OwnedFd> = lowers
        .iter()
        .map(|lower| sys::open_path(lower))
        .collect::<io::Result<_>>()?;
    let (upper, work) = (sys::open_path(upper)?, sys::open_path(work)?);
    let lower = lowers.iter().map(name).collect::<Vec<_>>().join(":");
    let (upper, work) = (name(&upper), name(&work));
    let mut options = vec![
        ("lowerdir", lower.as_str()),
        ("upperdir", &upper),
        ("workdir", &work),
    ];
    options.extend(ends);
    sys::new_filesystem(c"overlay", &options, NOSUID | NODEV)
}
