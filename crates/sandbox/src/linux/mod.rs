//! Cells on Linux.
//!
//! The harness plans ([`plan`]) and starts the helper, which is this binary again ([`helper`]); they talk over a
//! socket pair ([`wire`]). The harness keeps the limits, reads the output and runs the proxy ([`cell`]).

mod cell;
mod helper;
mod mounts;
mod plan;
mod private_files;
mod sys;
mod toolchains;
mod wire;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use overnight_ports::sandbox::{
    Cell, CellSpec, Command, Exit, Level, Network, Sandbox, SandboxError, Streams,
};
use tokio::sync::OnceCell;

pub use cell::LinuxCell;

use crate::environment::Host;

/// Opens cells made of namespaces, Landlock and seccomp.
#[derive(Debug, Clone)]
pub struct LinuxSandbox {
    helper: PathBuf,
    host: Arc<Host>,
}

impl LinuxSandbox {
    /// With this very program as the helper: its `main` must begin with [`crate::cell_main_if_asked`].
    pub fn new() -> LinuxSandbox {
        // Not the name of the file, which an upgrade may replace while the program runs.
        LinuxSandbox::with_helper(PathBuf::from("/proc/self/exe"))
    }

    /// With another program as the helper.
    pub fn with_helper(helper: PathBuf) -> LinuxSandbox {
        LinuxSandbox {
            helper,
            host: Arc::new(Host::current()),
        }
    }

    /// For another environment than this process's own.
    pub fn for_host(self, host: Host) -> LinuxSandbox {
        LinuxSandbox {
            host: Arc::new(host),
            ..self
        }
    }

    /// Opens a cell, as [`Sandbox::open`] does, and keeps its type.
    pub async fn open_cell(&self, spec: CellSpec) -> Result<LinuxCell, SandboxError> {
        LinuxCell::open(self.helper.clone(), Arc::clone(&self.host), spec).await
    }

    /// Opens a tiny cell and runs one command in it: whether the kernel offers what cells need.
    pub async fn probe(&self) -> Result<String, String> {
        static PROBES: AtomicU64 = AtomicU64::new(0);
        let number = PROBES.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("overnight-probe-{}-{number}", std::process::id()));
        let result = self.probe_in(&folder).await;
        // What is left of it is empty folders.
        let _ = fs::remove_dir_all(&folder);
        result
    }

    async fn probe_in(&self, folder: &std::path::Path) -> Result<String, String> {
        let workspace = folder.join("workspace");
        fs::create_dir_all(&workspace)
            .map_err(|error| format!("{}: {error}", workspace.display()))?;
        let spec = CellSpec {
            inside: overnight_ports::sandbox::WORKSPACE_INSIDE.into(),
            workspace,
            private: folder.join("private"),
            base_layer: None,
            layers: Vec::new(),
            readonly: Vec::new(),
            network: Network::Loopback,
            env: std::collections::BTreeMap::new(),
            hidden: Vec::new(),
        };
        let cell = self
            .open_cell(spec)
            .await
            .map_err(|error| error.to_string())?;
        let command = Command {
            script: "true".to_owned(),
            dir: String::new(),
            env: std::collections::BTreeMap::new(),
            timeout: std::time::Duration::from_secs(30),
            stdin: None,
            streams: Streams::Merged,
        };
        let finished = cell.run(command).await.map_err(|error| error.to_string())?;
        cell.close().await;
        match finished.exit {
            Exit::Code(0) => Ok(self.describe()),
            exit => Err(format!(
                "`true` in a cell ended with {exit:?}: {}",
                String::from_utf8_lossy(&finished.stdout)
            )),
        }
    }
}

impl Default for LinuxSandbox {
    fn default() -> LinuxSandbox {
        LinuxSandbox::new()
    }
}

#[async_trait]
impl Sandbox for LinuxSandbox {
    fn level(&self) -> Level {
        Level::Full
    }

    fn describe(&self) -> String {
        format!(
            "namespaces+landlock({})+seccomp",
            helper::landlock_version()
        )
    }

    async fn open(&self, spec: CellSpec) -> Result<Box<dyn Cell>, SandboxError> {
        Ok(Box::new(self.open_cell(spec).await?))
    }
}

pub(crate) fn helper_main_if_asked() {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == wire::FIRST_ARGUMENT)
    {
        std::process::exit(helper::main());
    }
}

pub(crate) async fn probe() -> Result<String, String> {
    static ANSWER: OnceCell<Result<String, String>> = OnceCell::const_new();
    ANSWER
        .get_or_init(|| async { LinuxSandbox::new().probe().await })
        .await
        .clone()
}

/// What a person can do about a kernel that refuses, as far as its settings tell.
fn hint() -> Option<&'static str> {
    let is = |setting: &str, value: &str| {
        fs::read_to_string(format!("/proc/sys/{setting}")).is_ok_and(|found| found.trim() == value)
    };
    if is("kernel/unprivileged_userns_clone", "0") {
        Some("user namespaces are off; `sysctl kernel.unprivileged_userns_clone=1` turns them on")
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        Some(
            "AppArmor restricts user namespaces; `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or a \
             profile for this program, lifts it",
        )
    } else if is("user/max_user_namespaces", "0") {
        Some("user namespaces are off; `sysctl user.max_user_namespaces=10000` turns them on")
    } else if helper::landlock_version() == 0 {
        Some(
            "the kernel has no Landlock; it needs Linux 5.13 or later with `landlock` in its lsm= parameter",
        )
    } else if fs::exists("/.dockerenv").unwrap_or(false)
        || fs::exists("/run/.containerenv").unwrap_or(false)
    {
        Some(
            "this is a container; it must be allowed user namespaces and an unmasked /proc \
             (docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined)",
        )
    } else {
        None
    }
}
