//! What the model may look at: the tracked files of the base, in a folder of their own. Ignored and untracked files are
//! not in it, and neither are tracked ones whose names say that they hold secrets.

use std::path::Path;

use anyhow::Context;
use overnight_agent::drafting::Files;

/// Names of files that hold secrets by convention; `*` at the beginning or the end stands for anything.
const SECRET_NAMES: [&str; 22] = [
    ".env",
    ".env.*",
    "*.env",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".pgpass",
    ".git-credentials",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "credentials.json",
    "secrets.*",
];
/// How deep folders may be nested.
const DEPTH_MAX: usize = 512;
/// Endings of examples, which hold none.
const EXAMPLES: [&str; 5] = [".example", ".sample", ".template", ".dist", ".pub"];

/// Lays the base's tracked files out below `scratch`.
pub async fn files(folder: &Path, scratch: &Path) -> anyhow::Result<Files> {
    let (folder, scratch) = (folder.to_owned(), scratch.to_owned());
    let laid = tokio::task::spawn_blocking(move || lay_out(&folder, &scratch));
    laid.await.context("laying the base out")?
}

fn lay_out(folder: &Path, scratch: &Path) -> anyhow::Result<Files> {
    let head = overnight_workspace::head(folder)?;
    let (checkouts, tree) =
        overnight_workspace::clone_at(folder, &head, &scratch.join("run"), &[])?;
    let dir = scratch.join("base");
    checkouts.checkout(&tree, &dir)?;
    let mut withheld = 0;
    withhold(&dir, 0, &mut withheld)?;
    let mut paths = overnight_workspace::tracked(folder)?;
    paths.retain(|path| !is_secret(path));
    paths.sort();
    Ok(Files {
        dir,
        paths,
        withheld,
    })
}

/// Removes what holds secrets from the copy, submodules included. Links are never followed.
fn withhold(dir: &Path, depth: usize, withheld: &mut usize) -> anyhow::Result<()> {
    anyhow::ensure!(
        depth < DEPTH_MAX,
        "the repository's folders are nested deeper than {DEPTH_MAX}"
    );
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            withhold(&entry.path(), depth + 1, withheld)?;
        } else if is_secret(&entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
            *withheld += 1;
        }
    }
    Ok(())
}

fn is_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    if EXAMPLES.iter().any(|ending| name.ends_with(ending)) {
        return false;
    }
    SECRET_NAMES.iter().any(|pattern| {
        match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(ending), _) => name.ends_with(ending),
            (None, Some(beginning)) => name.starts_with(beginning),
            (None, None) => name == *pattern,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for path in [
            ".env",
            "a/.env.production",
            "prod.env",
            "keys/ID_RSA",
            "tls/server.key",
            "config/secrets.yml",
        ] {
            assert!(is_secret(path), "{path}");
        }
        for path in [
            ".env.example",
            "src/environment.ts",
            "id_rsa.pub",
            "src/keys.rs",
            "docs/secrets/README.md",
            "monkey.py",
        ] {
            assert!(!is_secret(path), "{path}");
        }
    }
}
