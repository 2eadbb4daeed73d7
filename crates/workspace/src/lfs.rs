//! Large files: pointers in the tree, content beside it. The harness reads and writes pointers itself; `git lfs` is
//! asked only for what the person's store lacks.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use overnight_ports::workspace::{Mode, WorkspaceError};

use crate::baseline::{self, Hash, Listed};
use crate::beneath::Root;
use crate::facts::{io, make_dir};
use crate::git::{Git, records};
use crate::origin::Origin;

/// How every pointer begins.
const HEADER: &str = "version https://git-lfs.github.com/spec/v1\n";
/// A pointer is smaller than this, bytes; the specification says so.
pub(crate) const POINTER_BYTES_MAX: u64 = 1024;

/// What stands in the tree for a large file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) oid: Hash,
    pub(crate) size: u64,
}

impl Pointer {
    pub(crate) fn parse(content: &[u8]) -> Option<Pointer> {
        if u64::try_from(content.len()).ok()? > POINTER_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(content).ok()?.strip_prefix(HEADER)?;
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        };
        let oid = baseline::unhex(value("oid")?.strip_prefix("sha256:")?)?;
        Some(Pointer {
            oid,
            size: value("size")?.parse().ok()?,
        })
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "{HEADER}oid sha256:{}\nsize {}\n",
            baseline::hex(&self.oid),
            self.size
        )
    }
}

/// Where objects are: the harness's own first, then the person's.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) own: PathBuf,
    pub(crate) persons: PathBuf,
}

impl Objects {
    pub(crate) fn new(own: &Path, origin: &Origin) -> Self {
        Objects {
            own: own.join("objects"),
            persons: origin.common_dir.join("lfs/objects"),
        }
    }

    /// The file that holds an object.
    pub(crate) fn find(&self, oid: &Hash) -> Option<PathBuf> {
        let name = object_path(oid);
        [&self.own, &self.persons]
            .into_iter()
            .map(|store| store.join(&name))
            .find(|path| path.is_file())
    }

    /// Keeps an object that is to be delivered.
    pub(crate) fn keep(&self, oid: &Hash, content: &mut dyn Read) -> Result<(), WorkspaceError> {
        put(&self.own, oid, content)
    }

    /// Puts content in the place of pointers, where it can be had; `root` belongs to the harness.
    pub(crate) fn materialise(
        &self,
        root: &Root,
        pointers: &[(Vec<u8>, Mode, Pointer)],
    ) -> Result<Vec<Vec<u8>>, WorkspaceError> {
        let mut done = Vec::new();
        for (path, mode, pointer) in pointers {
            let Some(object) = self.find(&pointer.oid) else {
                continue;
            };
            let mut content = std::fs::File::open(&object).map_err(io(&object))?;
            root.put(path, *mode, &mut content)
                .map_err(|e| root.error(path, e))?;
            done.push(path.clone());
        }
        Ok(done)
    }

    /// Asks `git lfs` for what neither store has; what it cannot get stays a pointer.
    pub(crate) fn fetch(&self, origin: &Origin, pointers: &[(Vec<u8>, Mode, Pointer)]) {
        let git = origin.persons_git();
        let missing: Vec<_> = pointers
            .iter()
            .filter(|(_, _, p)| self.find(&p.oid).is_none())
            .collect();
        if missing.is_empty() || git.run(&["lfs", "version"]).is_err() {
            return;
        }
        for (_, _, pointer) in missing {
            // `smudge` prints the pointer itself where it cannot get the object, so the content decides.
            let Ok(content) = git.feed(&["lfs", "smudge"], pointer.text().as_bytes()) else {
                continue;
            };
            if baseline::hash(&content) == pointer.oid {
                let _ = self.keep(&pointer.oid, &mut content.as_slice());
            }
        }
    }
}

/// Writes an object into a store, whole or not at all; one that is there already stays.
pub(crate) fn put(store: &Path, oid: &Hash, content: &mut dyn Read) -> Result<(), WorkspaceError> {
    let path = store.join(object_path(oid));
    if path.is_file() {
        return Ok(());
    }
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    make_dir(folder)?;
    // Several workspaces may keep the same content at the same time.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let temporary = folder.join(format!(
        ".{}.{}-{}",
        baseline::hex(oid),
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    let written = std::fs::File::create(&temporary).and_then(|mut file| {
        std::io::copy(content, &mut file)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    });
    written.map_err(io(&path))
}

fn object_path(oid: &Hash) -> PathBuf {
    let name = baseline::hex(oid);
    let (a, rest) = name.split_at(2);
    let (b, _) = rest.split_at(2);
    [a, b, &name].iter().collect()
}

/// Which of these paths the attributes in the index put under LFS.
pub(crate) fn filtered(
    git: &Git,
    index: &Path,
    paths: &[&[u8]],
) -> Result<HashSet<Vec<u8>>, WorkspaceError> {
    if paths.is_empty() {
        return Ok(HashSet::new());
    }
    let mut input = paths.join(&0);
    input.push(0);
    let output = git.index(index).feed(
        &["check-attr", "--cached", "-z", "--stdin", "filter"],
        &input,
    )?;
    let fields: Vec<&[u8]> = output.split(|b| *b == 0).collect();
    let triples = fields
        .chunks_exact(3)
        .filter(|t| t.get(2) == Some(&&b"lfs"[..]));
    Ok(triples
        .filter_map(|t| t.first().map(|path| path.to_vec()))
        .collect())
}

/// Whether any attributes of this tree speak of LFS.
pub(crate) fn used(git: &Git, listed: &[Listed]) -> Result<bool, WorkspaceError> {
    let attributes: Vec<&str> = listed
        .iter()
        .filter(|l| is_attributes(&l.path) && l.mode.is_some())
        .map(|l| l.oid.as_str())
        .collect();
    for oid in attributes {
        if speaks_of_lfs(&git.run(&["cat-file", "blob", oid])?) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn is_attributes(path: &[u8]) -> bool {
    path == b".gitattributes" || path.ends_with(b"/.gitattributes")
}

pub(crate) fn speaks_of_lfs(attributes: &[u8]) -> bool {
    attributes.windows(10).any(|w| w == b"filter=lfs")
}

/// The pointers among the files of an index.
pub(crate) fn pointers(
    git: &Git,
    index: &Path,
    listed: &[Listed],
) -> Result<Vec<(Vec<u8>, Mode, Pointer)>, WorkspaceError> {
    let files: Vec<(&Listed, Mode)> = listed
        .iter()
        .filter_map(|l| l.mode.filter(|m| *m != Mode::Link).map(|m| (l, m)))
        .collect();
    let paths: Vec<&[u8]> = files.iter().map(|(l, _)| l.path.as_slice()).collect();
    let under = filtered(git, index, &paths)?;
    let under: Vec<(&Listed, Mode)> = files
        .into_iter()
        .filter(|(l, _)| under.contains(&l.path))
        .collect();
    let oids: Vec<&str> = under.iter().map(|(l, _)| l.oid.as_str()).collect();
    let small = small_blobs(git, &oids)?;
    let input: String = small.iter().map(|oid| format!("{oid}\n")).collect();
    if input.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = std::collections::HashMap::new();
    let output = git.feed(&["cat-file", "--batch"], input.as_bytes())?;
    let mut rest = output.as_slice();
    for oid in &small {
        let Some((content, after)) = batch_entry(rest) else {
            break;
        };
        rest = after;
        if let Some(pointer) = Pointer::parse(content) {
            found.insert(oid.as_str(), pointer);
        }
    }
    let hit = |(l, mode): &(&Listed, Mode)| {
        found
            .get(l.oid.as_str())
            .map(|p| (l.path.clone(), *mode, *p))
    };
    Ok(under.iter().filter_map(hit).collect())
}

/// Which of these blobs are small enough for a pointer.
fn small_blobs(git: &Git, oids: &[&str]) -> Result<Vec<String>, WorkspaceError> {
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    let input: String = oids.iter().map(|oid| format!("{oid}\n")).collect();
    let output = git.feed(
        &["cat-file", "--batch-check=%(objectname) %(objectsize)"],
        input.as_bytes(),
    )?;
    let text = String::from_utf8_lossy(&output);
    let small = text.lines().filter_map(|line| {
        let (oid, size) = line.split_once(' ')?;
        (size.parse::<u64>().ok()? <= POINTER_BYTES_MAX).then(|| oid.to_owned())
    });
    Ok(small.collect())
}

/// `oid blob size LF content LF`: the content, and what follows.
fn batch_entry(output: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = output.iter().position(|b| *b == b'\n')?;
    let header = std::str::from_utf8(output.get(..end)?).ok()?;
    let size: usize = header.rsplit(' ').next()?.parse().ok()?;
    let content = output.get(end + 1..end + 1 + size)?;
    Some((content, output.get(end + 2 + size..)?))
}

/// Puts the objects that a tree's pointers need, and the person's store lacks, there.
pub(crate) fn deliver(own: &Path, persons: &Path, oids: &[Hash]) -> Result<(), WorkspaceError> {
    for oid in oids {
        let path = own.join(object_path(oid));
        if path.is_file() {
            put(
                persons,
                oid,
                &mut std::fs::File::open(&path).map_err(io(&path))?,
            )?;
        }
    }
    Ok(())
}

/// Every object of a store, for delivery; the paths that `records` of a tree's pointers name.
pub(crate) fn pointed_to(git: &Git, base: &str, tree: &str) -> Result<Vec<Hash>, WorkspaceError> {
    let output = git.run(&[
        "diff-tree",
        "-r",
        "-z",
        "--no-renames",
        "--raw",
        "--diff-filter=AMT",
        base,
        tree,
    ])?;
    let headers = records(&output).filter(|r| r.first() == Some(&b':'));
    let oids: Vec<String> = headers
        .filter_map(|header| {
            std::str::from_utf8(header)
                .ok()?
                .split(' ')
                .nth(3)
                .map(str::to_owned)
        })
        .collect();
    let oids: Vec<&str> = oids.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for oid in small_blobs(git, &oids)? {
        if let Some(pointer) = Pointer::parse(&git.run(&["cat-file", "blob", &oid])?) {
            found.push(pointer.oid);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_survives_its_text_form() {
        let pointer = Pointer {
            oid: baseline::hash(b"large"),
            size: 5,
        };
        assert_eq!(Pointer::parse(pointer.text().as_bytes()), Some(pointer));
    }

    #[test]
    fn what_is_no_pointer_is_none() {
        for text in [
            "",
            "version https://git-lfs.github.com/spec/v1\n",
            "oid sha256:00\nsize 1\n",
        ] {
            assert_eq!(Pointer::parse(text.as_bytes()), None);
        }
        let bad = format!("{HEADER}oid sha256:{}\nsize x\n", "0".repeat(64));
        assert_eq!(Pointer::parse(bad.as_bytes()), None);
    }
}
