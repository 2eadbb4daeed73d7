//! Which tools below hidden places are shown all the same. A home holds both the keys of its owner and, very
//! often, the compilers: what stands behind `PATH` is shown read-only, and nothing that looks like a secret.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::wire::Bind;
use crate::environment::Host;

/// Version managers: the variable that names their folder, and where it is in the home otherwise.
const MANAGERS: &[(&str, &str)] = &[
    ("RUSTUP_HOME", ".rustup"),
    ("PYENV_ROOT", ".pyenv"),
    ("NVM_DIR", ".nvm"),
    ("FNM_DIR", ".local/share/fnm"),
    ("VOLTA_HOME", ".volta"),
    ("ASDF_DATA_DIR", ".asdf"),
    ("MISE_DATA_DIR", ".local/share/mise"),
    ("RBENV_ROOT", ".rbenv"),
    ("SDKMAN_DIR", ".sdkman"),
    ("BUN_INSTALL", ".bun"),
    ("DENO_INSTALL", ".deno"),
    ("DOTNET_ROOT", ".dotnet"),
    ("GOENV_ROOT", ".goenv"),
    ("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python"),
    ("JAVA_HOME", ".jdks"),
    ("GOROOT", "sdk"),
    ("CONDA_PREFIX", "miniconda3"),
    ("MAMBA_ROOT_PREFIX", "miniforge3"),
];
/// Below a home, never shown. The last are where keyrings and agents keep theirs.
const SECRETS: &[&str] = &[
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config",
    ".kube",
    ".docker",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".gitconfig",
    ".password-store",
    ".mozilla",
    ".thunderbird",
    ".local/share/keyrings",
    ".local/state",
    ".claude",
    ".codex",
    ".overnight",
];
/// A folder that holds one of these is more than a tool.
const CREDENTIAL_FILES: &[&str] = &[
    "credentials",
    "credentials.toml",
    "credentials.json",
    "auth.json",
    "token",
    ".npmrc",
    ".netrc",
    ".pypirc",
    ".env",
    "id_rsa",
    "id_ed25519",
];
/// Folders that hold many people's or many programs' things: never shown as a whole.
const SHARED: &[&str] = &[
    "",
    ".local",
    ".local/share",
    ".local/lib",
    ".cargo",
    ".cache",
    "Library",
];
/// What a folder of programs may be called if its parent is the tool.
const PROGRAM_FOLDERS: &[&str] = &["bin", "sbin", "shims"];
/// How many entries of one folder of programs are looked at.
const PROGRAMS_MAX: usize = 4096;
/// How many places are shown at most.
const PLACES_MAX: usize = 256;
/// A first line is not longer, bytes.
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// What to show of what is `hidden`: parents before children.
pub(super) fn exposed(host: &Host, homes: &[PathBuf], hidden: &[PathBuf]) -> Vec<Bind> {
    let mut search = Search {
        homes,
        hidden,
        found: BTreeMap::new(),
        to_scan: Vec::new(),
    };
    for (variable, default) in MANAGERS {
        let named = host.place(variable);
        for place in named
            .into_iter()
            .chain(host.home().map(|home| home.join(default)))
        {
            if place.is_dir() && !search.holds_credentials(&place) {
                search.add(&place);
            }
        }
    }
    for folder in host.path() {
        search.add_program_folder(&folder);
    }
    while let Some(folder) = search.to_scan.pop() {
        search.scan(&folder);
    }
    // The order of paths puts parents first; what lies in a shown folder is shown with it.
    let mut binds: Vec<Bind> = Vec::new();
    for (at, from) in search.found {
        let covered = binds.iter().any(|bind| {
            at.strip_prefix(&bind.at)
                .is_ok_and(|rest| bind.from.join(rest) == from)
        });
        if !covered {
            binds.push(Bind { from, at });
        }
    }
    binds
}

struct Search<'a> {
    /// Homes, the caller's and others', by all their names.
    homes: &'a [PathBuf],
    hidden: &'a [PathBuf],
    /// Where → from what.
    found: BTreeMap<PathBuf, PathBuf>,
    to_scan: Vec<PathBuf>,
}

impl Search<'_> {
    fn is_hidden(&self, path: &Path) -> bool {
        self.hidden.iter().any(|hidden| path.starts_with(hidden))
    }

    fn is_shown(&self, path: &Path) -> bool {
        path.ancestors()
            .any(|ancestor| self.found.contains_key(ancestor))
    }

    fn is_secret(&self, path: &Path) -> bool {
        self.homes.iter().any(|home| {
            SECRETS
                .iter()
                .any(|secret| path.starts_with(home.join(secret)))
        })
    }

    /// Whether it holds more than one tool: a home or what contains one, or a place where many programs keep things.
    fn is_shared(&self, path: &Path) -> bool {
        self.hidden.iter().any(|hidden| hidden.starts_with(path))
            || self.homes.iter().any(|home| {
                home.starts_with(path) || SHARED.iter().any(|name| path == home.join(name))
            })
    }

    fn holds_credentials(&self, path: &Path) -> bool {
        CREDENTIAL_FILES.iter().any(|name| path.join(name).exists())
    }

    /// Shows a place under its name, and under its real one if that is hidden as well.
    fn add(&mut self, place: &Path) {
        let Ok(real) = place.canonicalize() else {
            return;
        };
        for at in [place, real.as_path()] {
            let refused =
                self.is_secret(at) || self.is_shared(at) || self.found.len() >= PLACES_MAX;
            if self.is_hidden(at) && !refused && !self.is_secret(&real) && !self.is_shared(&real) {
                let known = self.found.insert(at.to_owned(), real.clone());
                // A folder that many programs lead to is looked at once.
                if known.is_none() {
                    self.to_scan
                        .extend(PROGRAM_FOLDERS.iter().map(|name| at.join(name)));
                    self.to_scan.push(at.to_owned());
                }
            }
        }
    }

    /// Shows a folder of programs, and if it is part of a tool's own folder, that.
    fn add_program_folder(&mut self, folder: &Path) {
        let real = folder.canonicalize();
        if !folder.is_dir()
            || !(self.is_hidden(folder) || real.is_ok_and(|real| self.is_hidden(&real)))
        {
            return;
        }
        let tool = folder.parent().filter(|parent| {
            folder
                .file_name()
                .is_some_and(|name| PROGRAM_FOLDERS.iter().any(|known| name == *known))
                && !self.is_shared(parent)
                && !self.holds_credentials(parent)
        });
        self.add(tool.unwrap_or(folder));
    }

    /// Follows the programs of a shown folder into other hidden places: links, and the interpreters of scripts.
    fn scan(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten().take(PROGRAMS_MAX) {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let target = if kind.is_symlink() {
                entry.path().canonicalize().ok()
            } else if kind.is_file() {
                interpreter(&entry.path())
            } else {
                None
            };
            let Some(target) =
                target.filter(|target| self.is_hidden(target) && !self.is_shown(target))
            else {
                continue;
            };
            let is_program = target
                .parent()
                .and_then(Path::file_name)
                .is_some_and(|name| name == "bin");
            match target.parent().filter(|_| is_program) {
                Some(bin) => self.add_program_folder(bin),
                None if target.is_file() => self.add(&target),
                None => {}
            }
        }
    }
}

/// The interpreter that a script's first line names, if it does so by a path.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(script)
        .ok()?
        .take(FIRST_LINE_BYTES_MAX)
        .read_to_end(&mut start)
        .ok()?;
    let line = start
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let name = std::str::from_utf8(line).ok()?.split_whitespace().next()?;
    Some(PathBuf::from(name)).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Home {
        dir: tempfile::TempDir,
    }

    impl Home {
        fn new(files: &[&str]) -> Home {
            let home = Home {
                dir: tempfile::tempdir().unwrap(),
            };
            for file in files {
                let path = home.path(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "x").unwrap();
            }
            home
        }

        fn path(&self, relative: &str) -> PathBuf {
            self.dir.path().canonicalize().unwrap().join(relative)
        }

        /// What is shown for a `PATH` of folders below this home, relative to it.
        fn shown(&self, path: &[&str]) -> Vec<String> {
            let home = self.path("");
            let folders: Vec<String> = path
                .iter()
                .map(|p| self.path(p).display().to_string())
                .collect();
            let host = Host::from_variables([
                ("HOME".to_owned(), home.display().to_string()),
                ("PATH".to_owned(), folders.join(":")),
            ]);
            exposed(
                &host,
                std::slice::from_ref(&home),
                std::slice::from_ref(&home),
            )
            .into_iter()
            .map(|bind| bind.at.strip_prefix(&home).unwrap().display().to_string())
            .collect()
        }
    }

    #[test]
    fn a_tool_is_shown_whole_and_cargo_only_its_programs() {
        let home = Home::new(&[
            "go/bin/gopls",
            ".cargo/bin/cargo",
            ".cargo/credentials.toml",
            ".ssh/id_rsa",
        ]);
        assert_eq!(
            home.shown(&["go/bin", ".cargo/bin", ".ssh"]),
            [".cargo/bin", "go"]
        );
    }

    #[test]
    fn a_folder_with_credentials_shows_only_its_programs() {
        let home = Home::new(&["tool/bin/x", "tool/credentials.json", "bin/y"]);
        assert_eq!(home.shown(&["tool/bin", "bin"]), ["bin", "tool/bin"]);
    }

    #[test]
    fn links_and_interpreters_are_followed() {
        let home = Home::new(&[
            ".local/share/uv/tools/ruff/bin/ruff",
            ".local/share/claude/versions/1.0",
            ".local/share/py/bin/python",
        ]);
        fs::create_dir_all(home.path(".local/bin")).unwrap();
        symlink(
            home.path(".local/share/uv/tools/ruff/bin/ruff"),
            home.path(".local/bin/ruff"),
        )
        .unwrap();
        symlink(
            home.path(".local/share/claude/versions/1.0"),
            home.path(".local/bin/claude"),
        )
        .unwrap();
        let script = format!("#!{}\n", home.path(".local/share/py/bin/python").display());
        fs::write(home.path(".local/bin/script"), script).unwrap();
        assert_eq!(
            home.shown(&[".local/bin"]),
            [
                ".local/bin",
                ".local/share/claude/versions/1.0",
                ".local/share/py",
                ".local/share/uv/tools/ruff"
            ]
        );
    }

    #[test]
    fn a_link_to_a_secret_shows_nothing_of_it() {
        let home = Home::new(&[".ssh/id_rsa", ".config/gh/bin/gh", "bin/x"]);
        symlink(home.path(".ssh/id_rsa"), home.path("bin/key")).unwrap();
        symlink(home.path(".config/gh/bin/gh"), home.path("bin/gh")).unwrap();
        symlink(home.path(".ssh"), home.path("tool")).unwrap();
        assert_eq!(home.shown(&["bin", "tool"]), ["bin"]);
    }
}
