//! Lockfiles: which packages they hold, and where those come from.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

/// Whether two versions of a lockfile hold the same packages from the same places. Tools rewrite what else is in them:
/// the repository's own version, the format, flags. `false` for formats that are not read.
pub(crate) fn same_packages(name: &str, base: Option<&[u8]>, candidate: Option<&[u8]>) -> bool {
    let packages = |text: Option<&[u8]>| -> Option<BTreeSet<String>> {
        let text = std::str::from_utf8(text?).ok()?;
        match name {
            "Cargo.lock" | "uv.lock" | "poetry.lock" => toml_packages(text),
            "package-lock.json" => npm_packages(text),
            _ => None,
        }
    };
    match (packages(base), packages(candidate)) {
        (Some(old), Some(new)) => old == new,
        _ => false,
    }
}

/// Every package that is not one of the repository's own, with all that says what it is.
fn toml_packages(text: &str) -> Option<BTreeSet<String>> {
    let table: toml::Table = text.parse().ok()?;
    let packages = match table.get("package") {
        Some(packages) => packages.as_array()?.as_slice(),
        None => &[],
    };
    let own = |package: &toml::Value| match package.get("source") {
        None => true,
        Some(toml::Value::Table(source)) => ["editable", "virtual"]
            .iter()
            .any(|kind| source.get(*kind).and_then(toml::Value::as_str) == Some(".")),
        Some(_) => false,
    };
    let mut all = BTreeSet::new();
    for package in packages {
        if own(package) && package.get("checksum").is_none() && package.get("files").is_none() {
            continue;
        }
        all.insert(package.to_string());
    }
    Some(all)
}

fn npm_packages(text: &str) -> Option<BTreeSet<String>> {
    let lock: Value = serde_json::from_str(text).ok()?;
    let packages = lock.get("packages")?.as_object()?;
    let mut all = BTreeSet::new();
    for (path, package) in packages {
        if path.is_empty() {
            continue;
        }
        let word = |key: &str| package.get(key).map(Value::to_string).unwrap_or_default();
        all.insert(format!(
            "{path} {} {} {} {}",
            word("version"),
            word("resolved"),
            word("integrity"),
            word("link")
        ));
    }
    Some(all)
}

/// The first new line of a lockfile that takes a package from files of the repository.
pub(crate) fn local_package(base: Option<&[u8]>, candidate: Option<&[u8]>) -> Option<u32> {
    let old: HashSet<&[u8]> = base
        .unwrap_or_default()
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .collect();
    candidate?
        .split(|b| *b == b'\n')
        .position(|line| {
            let line = line.trim_ascii();
            if old.contains(line) {
                return false;
            }
            let text = String::from_utf8_lossy(&line[..line.len().min(4096)]).into_owned();
            [
                "\"file:",
                " file:",
                "@file:",
                "\"link\": true",
                "link:",
                "directory = \".",
                "path = \".",
            ]
            .iter()
            .any(|mark| text.contains(mark))
        })
        .and_then(|index| u32::try_from(index + 1).ok())
}
