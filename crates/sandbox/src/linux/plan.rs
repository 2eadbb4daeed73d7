//! From a cell's specification to the helper's orders: what of this machine is hidden, what is shown all the same,
//! which caches there are, and the environment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use overnight_ports::sandbox::{CellSpec, Network, SandboxError, WHOLE_WORKSPACE};

use super::wire::{Bind, Cache, NetworkSetup, Setup, WorkspaceLayer};
use super::{mounts, private_files, toolchains};
use crate::environment::Host;
use crate::proxy::Rules;

/// The home inside for a caller who has none.
const HOME_FALLBACK: &str = "/home/user";
/// Where people's homes are; all of them are hidden.
const HOMES: &[&str] = &["/home", "/root", "/var/root"];
/// Made anew in every cell, so that nothing of the host's is seen there: for tools this is as good as hidden.
const MADE_ANEW: &[&str] = &["/run", "/tmp", "/var/tmp"];
/// What the system itself is made of; no home may hide it.
const SYSTEM: &[&str] = &[
    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/var", "/dev", "/proc", "/sys", "/nix",
];
/// The lowest number of a person's user on all common systems.
const PERSON_UID_MIN: u32 = 1000;
/// `nobody`.
const NOBODY_UID: u32 = 65534;

/// Package caches below a home, and the variables that may say where else they are (with what to add to it).
const CACHES: &[(&str, &[(&str, &str)])] = &[
    (".cargo/registry", &[("CARGO_HOME", "registry")]),
    (".cargo/git", &[("CARGO_HOME", "git")]),
    (".npm", &[("npm_config_cache", "")]),
    (".cache/pip", &[("PIP_CACHE_DIR", "")]),
    (".cache/uv", &[("UV_CACHE_DIR", "")]),
    (".cache/pypoetry", &[("POETRY_CACHE_DIR", "")]),
    ("go/pkg/mod", &[("GOMODCACHE", ""), ("GOPATH", "pkg/mod")]),
    (".cache/go-build", &[("GOCACHE", "")]),
    (".m2/repository", &[]),
    (".gradle/caches", &[("GRADLE_USER_HOME", "caches")]),
    (".gradle/wrapper", &[("GRADLE_USER_HOME", "wrapper")]),
    (".ivy2/cache", &[]),
    (".cache/coursier", &[]),
    (".cache/yarn", &[("YARN_CACHE_FOLDER", "")]),
    (".yarn/berry", &[]),
    (".local/share/pnpm/store", &[]),
    (".cache/pnpm", &[]),
    (".cache/deno", &[("DENO_DIR", "")]),
    (".bun/install/cache", &[]),
    (".nuget/packages", &[("NUGET_PACKAGES", "")]),
    (".composer/cache", &[]),
    (".cache/composer", &[]),
    (".pub-cache", &[("PUB_CACHE", "")]),
    (".cache/ms-playwright", &[("PLAYWRIGHT_BROWSERS_PATH", "")]),
    (".cache/puppeteer", &[]),
    (".cache/Cypress", &[]),
    (".cache/pre-commit", &[]),
    (".local/lib", &[]),
];

/// Package managers' own configuration below a home, keys to private registries included: for a cell on the
/// host's network only.
const CONFIGURATION: &[&str] = &[
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".config/pip",
    ".config/uv",
    ".pip",
    ".cargo/config.toml",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".netrc",
];

/// The helper's orders, and what the harness has to know itself.
pub(super) struct Plan {
    pub(super) setup: Setup,
    /// The cell's environment, but for `PATH` and the proxy, which only the open cell knows.
    pub(super) env: BTreeMap<String, String>,
    /// Which hosts may be reached.
    pub(super) rules: Rules,
}

impl Plan {
    pub(super) fn new(host: &Host, spec: &CellSpec) -> Result<Plan, SandboxError> {
        let rules = match &spec.network {
            Network::Hosts(hosts) => Rules::parse(hosts).map_err(SandboxError::Open)?,
            Network::Loopback | Network::Host => Rules::default(),
        };
        let workspace = existing_dir(&spec.workspace, "the workspace")?;
        fs::create_dir_all(&spec.private)?;
        let private = existing_dir(&spec.private, "the private folder")?;
        let base = spec
            .base_layer
            .as_deref()
            .map(|base| existing_dir(base, "the base layer"))
            .transpose()?;
        let own: Vec<PathBuf> = [Some(private.clone()), base.clone()]
            .into_iter()
            .flatten()
            .collect();
        for home in &own {
            forget_placeholders(&home.join("home"));
        }

        let named_home = host
            .home()
            .map_or_else(|| PathBuf::from(HOME_FALLBACK), Path::to_owned);
        let home = named_home.canonicalize().unwrap_or(named_home.clone());
        let mut homes = other_homes();
        homes.extend([named_home, home.clone()]);
        let mut asked: Vec<PathBuf> = spec
            .hidden
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .collect();
        let mut parts = spec.inside.components();
        let one = matches!(
            (parts.next(), parts.next(), parts.next()),
            (Some(Component::RootDir), Some(Component::Normal(_)), None)
        );
        if !one || SYSTEM.iter().any(|s| spec.inside == Path::new(s)) {
            return Err(SandboxError::Open(format!(
                "the workspace cannot be shown at {}",
                spec.inside.display()
            )));
        }
        if let Some(system) = asked
            .iter()
            .find(|path| path.parent().is_none() || SYSTEM.iter().any(|s| *path == Path::new(s)))
        {
            return Err(SandboxError::Open(format!(
                "{} cannot be hidden: nothing would run",
                system.display()
            )));
        }
        let elsewhere = mounts::other_places(&asked);
        asked.extend(elsewhere.into_iter().filter(|path| !is_system(path)));
        let hide = hidden(&homes, own.iter().chain(&asked));

        let mut expose = tools(host, &homes, &hide);
        let mut env = host.basics(&home, Path::new("/tmp"));
        env.extend(host.tools(|place| {
            !hide
                .iter()
                .chain(&made_anew())
                .any(|hidden| place.starts_with(hidden))
                || expose.iter().any(|bind| place.starts_with(&bind.at))
        }));
        if nix::unistd::geteuid().is_root() {
            // Root inside may not give files away, which GNU tar tries as root and fails over.
            env.insert("TAR_OPTIONS".to_owned(), "--no-same-owner".to_owned());
        }
        if spec.network == Network::Host {
            env.extend(host.package_managers());
        }
        expose.extend(configuration(host, &home, &spec.network));
        env.extend(spec.env.clone());

        let setup = Setup {
            hide_again: hide_again(&asked, &expose, (&workspace, &spec.inside)),
            caches: caches(host, &home),
            below: whole(spec)?,
            layers: layers(spec)?,
            readonly: spec
                .readonly
                .iter()
                .map(|path| relative(path))
                .collect::<Result<_, _>>()?,
            files: resolver(&spec.network),
            inside: spec.inside.clone(),
            network: NetworkSetup {
                own: spec.network != Network::Host,
                proxy: rules.needs_proxy(),
                forward: rules.forwards().to_vec(),
            },
            path: host.path(),
            home,
            private,
            base,
            workspace,
            hide,
            expose,
        };
        Ok(Plan { setup, env, rules })
    }
}

/// An absolute path without links to a folder that is there.
fn existing_dir(path: &Path, what: &str) -> Result<PathBuf, SandboxError> {
    let found = path.canonicalize().map_err(|error| {
        SandboxError::Open(format!("{what} {} is not there: {error}", path.display()))
    })?;
    if found.is_dir() {
        Ok(found)
    } else {
        Err(SandboxError::Open(format!(
            "{what} {} is not a folder",
            path.display()
        )))
    }
}

/// A path that stays below where it starts.
pub(super) fn relative(path: &str) -> Result<PathBuf, SandboxError> {
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => {
                return Err(SandboxError::Open(format!(
                    "{path:?} is not a path below the workspace"
                )));
            }
        }
    }
    if clean.as_os_str().is_empty() {
        clean.push(".");
    }
    Ok(clean)
}

/// Homes of other people, from the list of users.
fn other_homes() -> Vec<PathBuf> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut homes: Vec<PathBuf> = HOMES.iter().map(PathBuf::from).collect();
    homes.extend(users.lines().filter_map(person_home));
    let resolved: Vec<PathBuf> = homes
        .iter()
        .filter_map(|home| home.canonicalize().ok())
        .collect();
    homes.extend(resolved);
    homes
}

fn person_home(line: &str) -> Option<PathBuf> {
    let fields: Vec<&str> = line.split(':').collect();
    let [_, _, uid, _, _, home, ..] = fields[..] else {
        return None;
    };
    let uid: u32 = uid.parse().ok()?;
    let is_person = uid == 0 || (uid >= PERSON_UID_MIN && uid != NOBODY_UID);
    Some(PathBuf::from(home)).filter(|home| is_person && home.is_absolute())
}

/// Everything to be hidden, resolved, none below another. What is hidden in a folder that is made anew is gone
/// without more ado.
fn hidden<'a>(homes: &[PathBuf], own: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let homes = homes
        .iter()
        .filter_map(|home| home.canonicalize().ok())
        .filter(|home| !is_system(home));
    let mut all: Vec<PathBuf> = homes
        .chain(own.cloned())
        .chain(private_files::find())
        .chain(private_files::sockets())
        .collect();
    all.retain(|path| {
        !["/proc", "/sys", "/dev"]
            .iter()
            .chain(MADE_ANEW)
            .any(|made| path.starts_with(made))
    });
    all.sort();
    all.dedup();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for path in all {
        if !outermost.last().is_some_and(|last| path.starts_with(last)) {
            outermost.push(path);
        }
    }
    outermost
}

/// Whether it is a part of the system, or holds one: nothing would run without it.
fn is_system(path: &Path) -> bool {
    SYSTEM
        .iter()
        .any(|system| Path::new(system).starts_with(path))
}

fn made_anew() -> Vec<PathBuf> {
    MADE_ANEW.iter().map(PathBuf::from).collect()
}

fn tools(host: &Host, homes: &[PathBuf], hide: &[PathBuf]) -> Vec<Bind> {
    let hidden: Vec<PathBuf> = hide
        .iter()
        .cloned()
        .chain(made_anew())
        .chain(homes.iter().cloned())
        .collect();
    toolchains::exposed(host, homes, &hidden)
}

/// What was asked to be hidden and is seen through something that is shown.
fn hide_again(
    asked: &[PathBuf],
    expose: &[Bind],
    (workspace, inside): (&Path, &Path),
) -> Vec<PathBuf> {
    let seen = [(workspace, inside)];
    let shown = expose
        .iter()
        .map(|bind| (bind.from.as_path(), bind.at.as_path()))
        .chain(seen);
    shown
        .flat_map(|(from, at)| {
            asked.iter().filter_map(move |path| {
                let rest = path.strip_prefix(from).ok()?;
                Some(if rest.as_os_str().is_empty() {
                    at.to_owned()
                } else {
                    at.join(rest)
                })
            })
        })
        .filter(|path| path != inside)
        .collect()
}

fn configuration(host: &Host, home: &Path, network: &Network) -> Vec<Bind> {
    let mut binds = Vec::new();
    for name in CONFIGURATION {
        let from = match (name.strip_prefix(".cargo/"), host.place("CARGO_HOME")) {
            (Some(rest), Some(cargo)) => cargo.join(rest),
            _ => home.join(name),
        };
        let Ok(from) = from.canonicalize() else {
            continue;
        };
        let is_wanted =
            *network == Network::Host || (*name == ".cargo/config.toml" && is_without_token(&from));
        if is_wanted {
            binds.push(Bind {
                from,
                at: home.join(name),
            });
        }
    }
    binds
}

/// Cargo's configuration says where crates come from, and sometimes with which key.
fn is_without_token(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| !text.to_ascii_lowercase().contains("token"))
}

fn caches(host: &Host, home: &Path) -> Vec<Cache> {
    let found = CACHES.iter().filter_map(|(default, places)| {
        let named = places
            .iter()
            .find_map(|(variable, rest)| Some(host.place(variable)?.join(rest)));
        let folder = named
            .unwrap_or_else(|| home.join(default))
            .canonicalize()
            .ok()
            .filter(|folder| folder.is_dir())?;
        Some(Cache {
            at: home.join(default),
            host: folder,
            key: key(default),
        })
    });
    found.collect()
}

/// What is seen through the whole workspace, if something is.
fn whole(spec: &CellSpec) -> Result<Option<PathBuf>, SandboxError> {
    let mut found = None;
    for layer in &spec.layers {
        if relative(&layer.at)? != Path::new(WHOLE_WORKSPACE) {
            continue;
        }
        if found.is_some() {
            return Err(SandboxError::Open(
                "only one layer can be the whole workspace".to_owned(),
            ));
        }
        found = Some(existing_dir(&layer.from, "the layer")?);
    }
    Ok(found)
}

fn layers(spec: &CellSpec) -> Result<Vec<WorkspaceLayer>, SandboxError> {
    let layer = |layer: &overnight_ports::sandbox::Layer| {
        let at = match relative(&layer.at) {
            Ok(at) if at == Path::new(WHOLE_WORKSPACE) => return None,
            Ok(at) => at,
            Err(error) => return Some(Err(error)),
        };
        Some(
            existing_dir(&layer.from, "the layer").map(|from| WorkspaceLayer {
                from,
                key: key(&at.to_string_lossy()),
                at,
            }),
        )
    };
    spec.layers.iter().filter_map(layer).collect()
}

/// A file name for a path: readable at its start, and different for different paths.
fn key(path: &str) -> String {
    const READABLE_CHARS: usize = 60;
    // FNV-1a, whose values do not change with the compiler, as the standard library's may.
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let readable: String = path
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(READABLE_CHARS)
        .collect();
    format!("{readable}-{hash:016x}")
}

/// On the host's network names are resolved as on the host, whose configuration is often a link into `/run`.
fn resolver(network: &Network) -> Vec<(PathBuf, String)> {
    if *network != Network::Host {
        return Vec::new();
    }
    let file = Path::new("/etc/resolv.conf")
        .canonicalize()
        .ok()
        .filter(|file| file.starts_with("/run"));
    file.and_then(|file| Some((file.clone(), fs::read_to_string(file).ok()?)))
        .into_iter()
        .collect()
}

/// Removes the empty files that a cell on the host's network has left in its home where configuration was shown:
/// an empty one is not everywhere the same as none.
pub(super) fn forget_placeholders(home: &Path) {
    for name in CONFIGURATION {
        let file = home.join(name);
        if fs::symlink_metadata(&file).is_ok_and(|meta| meta.is_file() && meta.len() == 0) {
            // Left where it is, it is a nuisance and no more.
            let _ = fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_workspace() {
        assert_eq!(relative("a/./b").unwrap(), Path::new("a/b"));
        assert_eq!(relative("").unwrap(), Path::new("."));
        assert!(
            relative("../a").is_err()
                && relative("/etc").is_err()
                && relative("a/../../b").is_err()
        );
    }

    #[test]
    fn only_people_have_homes() {
        assert_eq!(
            person_home("ann:x:1000:1000::/data/ann:/bin/sh"),
            Some(PathBuf::from("/data/ann"))
        );
        assert_eq!(person_home("www:x:33:33::/var/www:/bin/false"), None);
        assert_eq!(
            person_home("nobody:x:65534:65534::/nonexistent:/bin/false"),
            None
        );
        assert_eq!(person_home("garbage"), None);
    }

    #[test]
    fn what_is_hidden_is_outermost_and_never_the_system() {
        let found = hidden(
            &[PathBuf::from("/"), PathBuf::from("/usr")],
            [PathBuf::from("/srv")].iter(),
        );
        assert!(found.contains(&PathBuf::from("/srv")));
        assert!(
            !found
                .iter()
                .any(|path| path == Path::new("/") || path == Path::new("/usr"))
        );
        assert!(found.windows(2).all(|pair| !pair[1].starts_with(&pair[0])));
    }

    #[test]
    fn keys_differ_where_paths_do() {
        assert_ne!(key("a/b"), key("a_b"));
        assert!(key(&"x".repeat(1000)).len() < 100);
    }

    #[test]
    fn hidden_files_are_hidden_in_the_workspace_too() {
        let again = hide_again(
            &[PathBuf::from("/w/.env"), PathBuf::from("/o")],
            &[],
            (Path::new("/w"), Path::new("/workspace")),
        );
        assert_eq!(again, [PathBuf::from("/workspace/.env")]);
    }
}
