//! The files of a checkout before anything ran in it, and which of them a report means by a name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use overnight_core::goal::Format;

use crate::reports::relative;
use crate::runners::packages::join;
use crate::values::FILES_MAX;

/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 64;
/// Folders that hold nobody's own files.
const SKIPPED: [&str; 2] = [".git", "node_modules"];

/// The files of a checkout.
#[derive(Default)]
pub(super) struct Tracked {
    files: BTreeSet<String>,
    by_name: BTreeMap<String, Vec<String>>,
    /// The paths that lead to the checkout, inside the cell and outside.
    roots: Vec<String>,
}

impl Tracked {
    /// Lists the ordinary files below `root`, at most [`FILES_MAX`]. Links are not followed.
    pub(super) fn list(root: &Path, inside: &Path) -> Tracked {
        let mut files = BTreeSet::new();
        let mut left = vec![(root.to_owned(), String::new(), 0_usize)];
        while let Some((folder, prefix, depth)) = left.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string())
                else {
                    continue;
                };
                let path = format!("{prefix}{name}");
                if kind.is_file() && files.len() < FILES_MAX {
                    files.insert(path);
                } else if kind.is_dir() && depth < DEPTH_MAX && !SKIPPED.contains(&name.as_str()) {
                    left.push((entry.path(), format!("{path}/"), depth + 1));
                }
            }
        }
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut roots = vec![text(inside), text(root)];
        roots.extend(root.canonicalize().ok().as_deref().map(text));
        Tracked::of(files, roots)
    }

    fn of(files: BTreeSet<String>, roots: Vec<String>) -> Tracked {
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in &files {
            let name = path.rsplit('/').next().unwrap_or(path);
            by_name
                .entry(name.to_owned())
                .or_default()
                .push(path.clone());
        }
        Tracked {
            files,
            by_name,
            roots,
        }
    }

    /// Every file, sorted.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// The file that a report of a command in `dir` means; nothing for files that are not the checkout's own. Where
    /// several may be meant it is the name as it is.
    pub(super) fn resolve(&self, name: &str, dir: &str, format: Format) -> Option<String> {
        let mut path = name;
        for root in &self.roots {
            path = relative(path, root);
        }
        if path.starts_with('/') {
            return None;
        }
        let absolute = path.len() < name.len();
        let plain = join("", path);
        for candidate in [join(dir, path), plain.clone()] {
            if self.files.contains(&candidate) {
                return Some(candidate);
            }
        }
        if absolute {
            return None;
        }
        if format == Format::GoCover {
            // `example.com/shop/cart.go`: the module's path is not a folder.
            let mut rest = plain.as_str();
            while let Some((_, inner)) = rest.split_once('/') {
                for candidate in [join(dir, inner), inner.to_owned()] {
                    if self.files.contains(&candidate) {
                        return Some(candidate);
                    }
                }
                rest = inner;
            }
            return None;
        }
        // Java's and Cobertura's names are relative to a folder of sources.
        let last = plain.rsplit('/').next().unwrap_or(&plain);
        let ends = |path: &&String| {
            path.strip_suffix(plain.as_str())
                .is_some_and(|rest| rest.ends_with('/'))
        };
        let mut found = self.by_name.get(last)?.iter().filter(ends);
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one.clone()),
            (Some(_), Some(_)) => Some(plain),
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn tracked(files: &[&str]) -> Tracked {
        Tracked::of(
            files.iter().map(|f| (*f).to_owned()).collect(),
            vec!["/checkout-1".to_owned(), "/run/tree".to_owned()],
        )
    }

    #[test]
    fn a_report_names_files_in_many_ways() {
        let all = tracked(&[
            "src/cart.js",
            "web/src/cart.js",
            "web/app.py",
            "shop/cart.go",
            "java/src/main/java/shop/Cart.java",
            "a/src/main/java/shop/Both.java",
            "b/src/main/java/shop/Both.java",
        ]);
        let meant = |name: &str, dir: &str, format| all.resolve(name, dir, format);
        for (name, dir, format, wanted) in [
            (
                "/checkout-1/src/cart.js",
                "",
                Format::Istanbul,
                Some("src/cart.js"),
            ),
            (
                "/run/tree/web/src/cart.js",
                "web",
                Format::Istanbul,
                Some("web/src/cart.js"),
            ),
            ("src/cart.js", "", Format::Lcov, Some("src/cart.js")),
            (
                "./src/cart.js",
                "web",
                Format::Lcov,
                Some("web/src/cart.js"),
            ),
            ("app.py", "web", Format::CoveragePy, Some("web/app.py")),
            (
                "example.com/x/shop/cart.go",
                "",
                Format::GoCover,
                Some("shop/cart.go"),
            ),
            (
                "shop/Cart.java",
                "",
                Format::Jacoco,
                Some("java/src/main/java/shop/Cart.java"),
            ),
            ("shop/Both.java", "", Format::Jacoco, Some("shop/Both.java")),
            ("/usr/lib/python3/os.py", "", Format::CoveragePy, None),
            ("/checkout-1/made/later.js", "", Format::Istanbul, None),
            ("made/later.py", "", Format::CoveragePy, None),
            ("../../etc/passwd", "", Format::Lcov, None),
        ] {
            assert_eq!(
                meant(name, dir, format).as_deref(),
                wanted,
                "{name} in {dir}"
            );
        }
    }

    #[test]
    fn links_are_not_followed() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("src")).expect("made");
        std::fs::write(root.path().join("src/a.py"), "x").expect("written");
        std::os::unix::fs::symlink("/etc", root.path().join("out")).expect("linked");
        std::os::unix::fs::symlink("src/a.py", root.path().join("b.py")).expect("linked");
        let all = Tracked::list(root.path(), Path::new("/checkout-1"));
        assert_eq!(all.files().collect::<Vec<_>>(), ["src/a.py"]);
    }
}
