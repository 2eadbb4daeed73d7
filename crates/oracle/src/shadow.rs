//! New files that would be taken in the place of others that tests, their helpers or the runners import.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use overnight_core::finding::{Finding, FindingKind};

use crate::lines::finding;
use crate::manifest;
use crate::place::{Place, Places, readable};
use crate::scripts::Scripts;
use crate::syntax::Language;
use crate::table::{Class, class, folder_of, join, name_of};

/// How much of a file of the base is read for names that it declares, bytes.
const DECLARATIONS_BYTES_MAX: usize = 512 * 1024;

/// Modules of Python's standard library, of any version in use.
const PYTHON_STANDARD: &str = "abc aifc antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty types typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo";
/// Modules that Python's runners consist of, or load where they find them.
const PYTHON_RUNNERS: &str = "pytest _pytest py pluggy iniconfig packaging coverage pytest_cov pytest_mock pytest_asyncio pytest_timeout pytest_randomly pytest_xdist xdist execnet hypothesis mock nose nose2 tox nox pygments exceptiongroup tomli toml colorama typing_extensions attr attrs six setuptools pkg_resources _distutils_hack wheel pip mutmut parameterized freezegun responses pytest_django anyio trio numpy";
/// Distributions whose modules have another name.
const PYTHON_MODULES: &[(&str, &str)] = &[
    ("attrs", "attr"),
    ("beautifulsoup4", "bs4"),
    ("msgpack-python", "msgpack"),
    ("opencv-python", "cv2"),
    ("pillow", "PIL"),
    ("protobuf", "google"),
    ("psycopg2-binary", "psycopg2"),
    ("pyjwt", "jwt"),
    ("python-dateutil", "dateutil"),
    ("python-dotenv", "dotenv"),
    ("pyyaml", "yaml"),
    ("scikit-learn", "sklearn"),
];
/// Where JavaScript's resolvers and runners look for a module that is named without an extension.
const JS_EXTENSIONS: &[&str] = &[
    "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "json", "node", "d.ts", "vue",
];
/// Java packages that belong to the runners and to the platform.
const JAVA_RUNNERS: &[&str] = &[
    "org/junit/",
    "junit/",
    "org/mockito/",
    "org/hamcrest/",
    "org/assertj/",
    "org/testng/",
    "org/jacoco/",
    "org/opentest4j/",
    "java/",
    "javax/",
    "jdk/",
    "sun/",
];
/// Extensions of compiled modules.
const COMPILED: &[&str] = &["so", "pyd", "pyc", "dylib", "dll", "node"];

/// Finds what shadows what.
pub(crate) struct Shadows<'a> {
    places: &'a Places<'a>,
    scripts: &'a Scripts,
    python: OnceCell<BTreeSet<String>>,
    npm: OnceCell<BTreeSet<String>>,
}

impl<'a> Shadows<'a> {
    pub(crate) fn new(places: &'a Places<'a>, scripts: &'a Scripts) -> Self {
        Shadows {
            places,
            scripts,
            python: OnceCell::new(),
            npm: OnceCell::new(),
        }
    }

    /// What the new file at `path` would be taken in the place of.
    pub(crate) fn of_new_file(&self, path: &str, candidate: Option<&[u8]>) -> Option<Finding> {
        let name = readable(path);
        let what = self
            .other_case(&name)
            .or_else(|| self.python(&name, candidate))
            .or_else(|| self.compiled(&name))
            .or_else(|| self.javascript(&name, candidate))
            .or_else(|| self.rust(&name))
            .or_else(|| self.java(&name))?;
        Some(finding(path, None, FindingKind::Shadows, what))
    }

    /// Names that differ from a file of the oracle only in case are one and the same on some file systems.
    fn other_case(&self, path: &str) -> Option<String> {
        let lower = path.to_lowercase();
        let table = || class(&lower).is_some() && class(path).is_none();
        let candidates = [
            lower.clone(),
            join(folder_of(path), &name_of(path).to_lowercase()),
        ];
        if lower != path && table() {
            return candidates
                .iter()
                .find(|other| other.as_str() != path && self.places.base.exists(other))
                .map(|other| format!("differs from {other} in case only"));
        }
        None
    }

    fn python(&self, path: &str, candidate: Option<&[u8]>) -> Option<String> {
        let stem = path
            .strip_suffix(".py")
            .or_else(|| path.strip_suffix(".pyi"))?;
        let (module_path, is_package) = match stem.strip_suffix("__init__") {
            Some(package) => (package.trim_end_matches('/'), true),
            None => (stem, false),
        };
        let (folder, module) = (folder_of(module_path), name_of(module_path));
        if module_path.is_empty() {
            return None;
        }
        let base = self.places.base;
        // A package beats a module, and a module beats a folder without `__init__.py`.
        if is_package {
            let twin = format!("{module_path}.py");
            if base.exists(&twin) && self.belongs(&twin) && self.places.candidate.exists(&twin) {
                return Some(format!(
                    "`{module}` would be this package and no longer {twin}"
                ));
            }
            if let Some(what) = self.new_init(module_path, candidate) {
                return Some(what);
            }
        } else {
            let twin = join(module_path, "__init__.py");
            if base.exists(&twin) && self.belongs(&twin) {
                return Some(format!("stands beside the package {module_path}"));
            }
            if base.exists(module_path)
                && !base.exists(&twin)
                && self.places.base_has_tests_below(module_path)
            {
                return Some(format!(
                    "`{module}` would be this module and no longer the folder {module_path}"
                ));
            }
        }
        if !self.is_import_root(folder) {
            return None;
        }
        let there = [
            format!("{module_path}.py"),
            join(module_path, "__init__.py"),
        ]
        .iter()
        .any(|other| base.exists(other));
        if !there && self.python_names().contains(module) {
            return Some(format!("`import {module}` would find it"));
        }
        // What the tests import may be found in more than one folder; a new one must not come before the old.
        for root in ["", "src", "lib", "python"] {
            let twin = join(root, module);
            let found = [format!("{twin}.py"), join(&twin, "__init__.py")]
                .into_iter()
                .find(|other| folder != root && base.exists(other));
            if let Some(found) = found
                && !there
            {
                return Some(format!("`import {module}` may find it and not {found}"));
            }
        }
        None
    }

    /// A new `__init__.py` in a folder of tests changes under which names, and from where, its files are imported.
    fn new_init(&self, folder: &str, candidate: Option<&[u8]>) -> Option<String> {
        let base = self.places.base;
        if !base.exists(folder) || base.exists(&join(folder, "__init__.py")) {
            return None;
        }
        let mut tests = false;
        let mut helper = None;
        for path in self.places.base_below(folder) {
            if folder_of(path) != folder || !path.ends_with(".py") {
                continue;
            }
            let name = name_of(path);
            let is_test =
                name.starts_with("test") || name.ends_with("_test.py") || name == "conftest.py";
            tests |= is_test;
            if !is_test {
                helper = Some(name);
            }
        }
        let says = candidate.is_none_or(|text| !text.trim_ascii().is_empty());
        match helper {
            Some(helper) if tests => Some(format!(
                "{helper} beside it would no longer be found by its name"
            )),
            _ if tests && says => Some("would run before the base's tests".into()),
            _ => None,
        }
    }

    /// Whether Python looks for modules in the folder itself.
    fn is_import_root(&self, folder: &str) -> bool {
        let init = join(folder, "__init__.py");
        if self.places.base.exists(&init)
            || (!folder.is_empty() && self.places.candidate.exists(&init))
        {
            return false;
        }
        let (above, name) = (folder_of(folder), name_of(folder));
        self.places.is_project(folder)
            || (matches!(name, "src" | "lib" | "python") && self.places.is_project(above))
            || self.scripts.folders.contains(folder)
            || self
                .scripts
                .files
                .iter()
                .any(|script| folder_of(script) == folder)
            || self.places.test_folder(&join(folder, "x.py")).is_some()
            || self.places.base_below(folder).iter().any(|path| {
                folder_of(path) == folder
                    && path.ends_with(".py")
                    && (name_of(path).starts_with("test_") || name_of(path) == "conftest.py")
            })
            || self.python_path().iter().any(|root| root == folder)
    }

    /// `pythonpath` of pytest's configuration.
    fn python_path(&self) -> Vec<String> {
        ["pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg"]
            .iter()
            .filter_map(|file| self.places.base.read(file, DECLARATIONS_BYTES_MAX))
            .flat_map(|text| {
                String::from_utf8_lossy(&text)
                    .lines()
                    .filter_map(|line| line.trim_start().strip_prefix("pythonpath"))
                    .flat_map(|rest| {
                        rest.split(|c: char| c.is_whitespace() || "=[],\"'".contains(c))
                            .filter_map(crate::scripts::normal)
                            .filter(|p| !p.is_empty())
                            .collect::<Vec<_>>()
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn python_names(&self) -> &BTreeSet<String> {
        self.python.get_or_init(|| {
            let mut names: BTreeSet<String> = PYTHON_STANDARD
                .split(' ')
                .chain(PYTHON_RUNNERS.split(' '))
                .map(str::to_owned)
                .collect();
            for distribution in self.declared("python") {
                let module = PYTHON_MODULES
                    .iter()
                    .find(|(name, _)| *name == distribution)
                    .map_or_else(
                        || distribution.replace('-', "_"),
                        |(_, module)| (*module).to_owned(),
                    );
                names.insert(module);
            }
            names
        })
    }

    /// Names of what the base's manifests depend on. The manifests of the root and of the checks' folders count.
    fn declared(&self, ecosystem: &str) -> BTreeSet<String> {
        let mut folders: BTreeSet<&str> = self.scripts.folders.iter().map(String::as_str).collect();
        folders.insert("");
        let files: &[&str] = if ecosystem == "python" {
            &[
                "pyproject.toml",
                "setup.cfg",
                "requirements.txt",
                "requirements-dev.txt",
                "requirements-test.txt",
                "dev-requirements.txt",
                "test-requirements.txt",
                "requirements_dev.txt",
                "requirements/dev.txt",
                "requirements/test.txt",
                "requirements/base.txt",
            ]
        } else {
            &["package.json"]
        };
        let mut names = BTreeSet::new();
        for folder in folders {
            for file in files {
                let path = join(folder, file);
                let Some(Class::Manifest(kind)) = class(&path) else {
                    continue;
                };
                if let Some(text) = self.places.base.read(&path, DECLARATIONS_BYTES_MAX) {
                    names.extend(manifest::dependency_names(kind, &text));
                }
            }
        }
        names
    }

    fn compiled(&self, path: &str) -> Option<String> {
        let name = name_of(path);
        let (stem, extension) = (name.split('.').next()?, name.rsplit_once('.')?.1);
        if !COMPILED.contains(&extension) {
            return None;
        }
        let folder = folder_of(path);
        let tagged =
            name.contains(".cpython-") || name.contains(".abi3.") || name.contains(".pypy");
        let twin = [
            ".py",
            "/__init__.py",
            ".js",
            ".ts",
            ".mjs",
            ".cjs",
            "/index.js",
        ]
        .iter()
        .map(|end| join(folder, &format!("{stem}{end}")))
        .find(|twin| self.places.base.exists(twin) || self.places.candidate.exists(twin));
        if let Some(twin) = twin {
            return Some(format!(
                "is compiled code and would be loaded in the place of {twin}"
            ));
        }
        (tagged
            || (matches!(extension, "so" | "pyd")
                && self.is_import_root(folder)
                && self.python_names().contains(stem)))
        .then(|| format!("is compiled code that `import {stem}` would find"))
    }

    fn javascript(&self, path: &str, candidate: Option<&[u8]>) -> Option<String> {
        let name = name_of(path);
        if name == "package.json" {
            return self.new_package(path, candidate);
        }
        let extension = JS_EXTENSIONS
            .iter()
            .filter(|e| {
                name.strip_suffix(*e)
                    .is_some_and(|stem| stem.ends_with('.'))
            })
            .max_by_key(|e| e.len())?;
        let stem = path.strip_suffix(extension)?.strip_suffix('.')?;
        let base = self.places.base;
        let rivals = |stem: &str| {
            JS_EXTENSIONS
                .iter()
                .map(|e| format!("{stem}.{e}"))
                .collect::<Vec<_>>()
        };
        let mut twins = rivals(stem);
        twins.extend(rivals(&join(stem, "index")));
        if let Some(folder) = stem.strip_suffix("/index") {
            twins.extend(rivals(folder));
        }
        // A name that two tests share (`cart.test.ts` beside `cart.test.js`) is no import.
        if let Some(twin) = twins
            .iter()
            .find(|twin| twin.as_str() != path && base.exists(twin) && self.belongs(twin))
            && !self.is_test_itself(path, candidate)
        {
            return Some(format!("may be imported in the place of {twin}"));
        }
        if self.npm_names().contains(name_of(stem)) && self.looks_for_bare_names() {
            return Some(format!(
                "`{}` may be imported from it and not from its package",
                name_of(stem)
            ));
        }
        None
    }

    fn is_test_itself(&self, path: &str, candidate: Option<&[u8]>) -> bool {
        let name = name_of(path);
        [".test.", ".spec."].iter().any(|mark| name.contains(mark))
            && matches!(
                self.places.place(path, None, candidate),
                Place::TestCode(Language::JavaScript | Language::TypeScript | Language::Tsx)
            )
    }

    fn new_package(&self, path: &str, candidate: Option<&[u8]>) -> Option<String> {
        let package: serde_json::Value = serde_json::from_slice(candidate?).ok()?;
        let name = package.get("name")?.as_str()?;
        self.npm_names()
            .contains(name)
            .then(|| format!("is a package named {name}, as one that the base depends on; {path} would be linked in its place"))
    }

    fn npm_names(&self) -> &BTreeSet<String> {
        self.npm.get_or_init(|| self.declared("npm"))
    }

    /// Whether a configuration of the base lets bare names be found in folders of the repository.
    fn looks_for_bare_names(&self) -> bool {
        [
            "package.json",
            "tsconfig.json",
            "jsconfig.json",
            "jest.config.js",
            "jest.config.ts",
            "jest.config.mjs",
            "jest.config.cjs",
            "jest.config.json",
            ".env",
        ]
        .iter()
        .filter_map(|file| self.places.base.read(file, DECLARATIONS_BYTES_MAX))
        .any(|text| {
            let text = String::from_utf8_lossy(&text);
            ["modulePaths", "moduleDirectories", "baseUrl", "NODE_PATH"]
                .iter()
                .any(|word| text.contains(word))
        })
    }

    fn rust(&self, path: &str) -> Option<String> {
        let stem = path.strip_suffix(".rs")?;
        let twin = match stem
            .strip_suffix("/mod")
            .or_else(|| stem.strip_suffix("/main"))
        {
            Some(folder) => vec![format!("{folder}.rs")],
            None => vec![join(stem, "mod.rs"), join(stem, "main.rs")],
        };
        twin.into_iter()
            .find(|twin| {
                self.places.base.exists(twin)
                    && self.places.candidate.exists(twin)
                    && self.places.test_folder(twin).is_some()
            })
            .map(|twin| format!("has the name of {twin}"))
    }

    fn java(&self, path: &str) -> Option<String> {
        let sources = ["/java/", "/kotlin/", "/groovy/", "/scala/", "/resources/"];
        let full = format!("/{path}");
        let (root, class_path) = sources.iter().find_map(|s| full.split_once(s))?;
        if !root.ends_with("/main") && !root.ends_with("/test") {
            return None;
        }
        let source = full.ends_with(".java")
            || full.ends_with(".kt")
            || full.ends_with(".groovy")
            || full.ends_with(".class");
        if source
            && JAVA_RUNNERS
                .iter()
                .any(|package| class_path.starts_with(package))
        {
            return Some("is in a package of the runner or the platform".into());
        }
        let twin = if let Some(above) = root.strip_suffix("/test") {
            full.replacen(root, &format!("{above}/main"), 1)
        } else {
            let above = root.strip_suffix("/main").unwrap_or(root);
            full.replacen(root, &format!("{above}/test"), 1)
        };
        let twin = twin.trim_start_matches('/');
        self.places
            .base
            .exists(twin)
            .then(|| format!("has the class name of {twin}"))
    }

    /// Whether a file of the base belongs to the oracle.
    fn belongs(&self, path: &str) -> bool {
        self.scripts.files.contains(path) || self.places.belongs(path)
    }
}
