//! The environment: what is known of the caller's, and what a command gets of it, which is next to nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the sandbox needs to know of the machine it runs on: a snapshot of the caller's environment. Nothing of it
/// reaches a command but what this module lets through.
#[derive(Debug, Clone)]
pub struct Host {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
}

/// Variables that name where a language's tools are; of use only if the place is visible inside.
#[cfg(target_os = "linux")]
const TOOL_PLACES: &[&str] = &[
    "RUSTUP_HOME",
    "PYENV_ROOT",
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "MISE_DATA_DIR",
    "SDKMAN_DIR",
    "JAVA_HOME",
    "GOROOT",
    "CONDA_PREFIX",
];
/// Variables that choose a version of a tool.
#[cfg(target_os = "linux")]
const TOOL_VERSIONS: &[&str] = &["RUSTUP_TOOLCHAIN", "PYENV_VERSION"];
/// Variables that name certificates: a machine whose certificates are its own needs them to be found.
const CERTIFICATES: &[&str] = &[
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "NIX_SSL_CERT_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];
/// Prefixes of the variables that configure package managers, for a cell on the host's network.
#[cfg(target_os = "linux")]
const PACKAGE_MANAGERS: &[&str] = &[
    "npm_config_",
    "NPM_CONFIG_",
    "YARN_",
    "PIP_",
    "UV_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_SOURCE_",
    "MAVEN_",
    "BUNDLE_",
];
/// Further ones, by their whole name.
#[cfg(target_os = "linux")]
const PACKAGE_MANAGER_NAMES: &[&str] = &[
    "GOPROXY",
    "GOPRIVATE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOSUMDB",
    "GOFLAGS",
    "GOINSECURE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];
/// Of those, the ones that name a folder of the host's, which is somewhere else inside.
#[cfg(target_os = "linux")]
const HOST_FOLDERS: &[&str] = &[
    "npm_config_cache",
    "npm_config_prefix",
    "npm_config_userconfig",
    "npm_config_globalconfig",
    "NPM_CONFIG_CACHE",
    "NPM_CONFIG_PREFIX",
    "NPM_CONFIG_USERCONFIG",
    "YARN_CACHE_FOLDER",
    "PIP_CACHE_DIR",
    "PIP_TARGET",
    "PIP_PREFIX",
    "UV_CACHE_DIR",
    "UV_TOOL_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "UV_PROJECT_ENVIRONMENT",
];

impl Host {
    /// The environment of this process.
    pub fn current() -> Host {
        Host::from_variables(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// A given environment, for tests and for a caller that has changed its own.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Host {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        let home = variables
            .get("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute() && home.parent().is_some() && home.is_dir());
        Host { variables, home }
    }

    /// A variable, if it is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable that names an absolute path.
    #[cfg(target_os = "linux")]
    pub(crate) fn place(&self, name: &str) -> Option<PathBuf> {
        self.variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// The caller's home, if there is one worth the name.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The absolute folders of `PATH`, each once.
    pub(crate) fn path(&self) -> Vec<PathBuf> {
        const DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in self
            .variable("PATH")
            .unwrap_or(DEFAULT)
            .split(':')
            .map(PathBuf::from)
        {
            if folder.is_absolute() && !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }

    /// What every command's environment begins with, but for `PATH`.
    pub(crate) fn basics(&self, home: &Path, temporary: &Path) -> BTreeMap<String, String> {
        let user = self
            .variable("USER")
            .or(self.variable("LOGNAME"))
            .unwrap_or("user");
        let language = self
            .variable("LANG")
            .filter(|lang| lang.to_ascii_lowercase().replace('-', "").ends_with("utf8"))
            .unwrap_or("C.UTF-8");
        let mut inside: BTreeMap<String, String> = [
            ("HOME", home.to_string_lossy().as_ref()),
            ("USER", user),
            ("LOGNAME", user),
            ("SHELL", "/bin/sh"),
            ("LANG", language),
            ("TERM", "dumb"),
            ("TMPDIR", temporary.to_string_lossy().as_ref()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        if let Some(zone) = self.variable("TZ") {
            inside.insert("TZ".to_owned(), zone.to_owned());
        }
        for name in CERTIFICATES {
            if let Some(value) = self
                .variable(name)
                .filter(|v| v.starts_with("/etc/") || v.starts_with("/usr/"))
            {
                inside.insert((*name).to_owned(), value.to_owned());
            }
        }
        inside
    }

    /// The variables that name tools, where `visible` says that the place can be seen inside.
    #[cfg(target_os = "linux")]
    pub(crate) fn tools(&self, visible: impl Fn(&Path) -> bool) -> BTreeMap<String, String> {
        let places = TOOL_PLACES
            .iter()
            .filter(|name| self.place(name).is_some_and(|place| visible(&place)));
        places
            .chain(TOOL_VERSIONS)
            .filter_map(|name| Some(((*name).to_owned(), self.variable(name)?.to_owned())))
            .collect()
    }

    /// The variables that configure package managers.
    #[cfg(target_os = "linux")]
    pub(crate) fn package_managers(&self) -> BTreeMap<String, String> {
        let wanted = |name: &str| {
            (PACKAGE_MANAGERS
                .iter()
                .any(|prefix| name.starts_with(prefix))
                || PACKAGE_MANAGER_NAMES.contains(&name)
                || CERTIFICATES.contains(&name))
                && !HOST_FOLDERS.contains(&name)
        };
        self.variables
            .iter()
            .filter(|(name, value)| wanted(name) && !value.is_empty())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(variables: &[(&str, &str)]) -> Host {
        Host::from_variables(
            variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn nothing_of_the_host_but_the_basics_is_let_through() {
        let host = host(&[
            ("HOME", "/"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("LANG", "de_DE.UTF-8"),
            ("SSL_CERT_FILE", "/etc/ssl/ca.pem"),
            ("CURL_CA_BUNDLE", "/home/ann/ca.pem"),
        ]);
        let inside = host.basics(Path::new("/h"), Path::new("/tmp"));
        assert!(!inside.values().any(|value| value.contains("s3cret")));
        assert_eq!(inside["LANG"], "de_DE.UTF-8");
        assert_eq!(inside["SSL_CERT_FILE"], "/etc/ssl/ca.pem");
        assert!(!inside.contains_key("CURL_CA_BUNDLE"));
        assert_eq!(host.home(), None, "the root folder is nobody's home");
    }

    #[test]
    fn a_language_without_utf8_is_replaced() {
        assert_eq!(
            host(&[("LANG", "C")]).basics(Path::new("/h"), Path::new("/tmp"))["LANG"],
            "C.UTF-8"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn package_managers_get_their_variables_but_no_folder_of_the_host() {
        let host = host(&[
            ("PIP_INDEX_URL", "https://p.example"),
            ("PIP_CACHE_DIR", "/c"),
            ("OPENAI_API_KEY", "k"),
        ]);
        assert_eq!(
            host.package_managers().into_keys().collect::<Vec<_>>(),
            ["PIP_INDEX_URL"]
        );
    }
}
