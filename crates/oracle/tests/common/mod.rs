//! Repositories in memory, edits to them, and what the comparison says: one line a finding, one line a patch.

#![allow(dead_code)]

pub mod worlds;

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::goal::Goal;
use overnight_core::goal::parse::parse;
use overnight_core::repo::{Changed, How};
use overnight_oracle::{Comparison, Content, Examined, Tree, examine};

/// What is at a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A file and whether it is executable.
    File(Vec<u8>, bool),
    /// A symbolic link.
    Link(String),
    /// A submodule.
    Submodule,
}

/// A tree in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory(pub BTreeMap<String, Entry>);

impl Tree for Memory {
    fn read(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        match self.0.get(path) {
            Some(Entry::File(text, _)) if text.len() <= bytes_max => Some(text.clone()),
            _ => None,
        }
    }

    fn exists(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.0.contains_key(path)
            || self
                .0
                .range(below.clone()..)
                .next()
                .is_some_and(|(other, _)| other.starts_with(&below))
    }

    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Memory {
    /// A tree of text files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Memory(
            files
                .iter()
                .map(|(path, text)| {
                    let executable = path.ends_with(".sh");
                    (
                        (*path).to_owned(),
                        Entry::File(text.as_bytes().to_vec(), executable),
                    )
                })
                .collect(),
        )
    }

    fn text(&self, path: &str) -> String {
        match self.0.get(path) {
            Some(Entry::File(text, _)) => String::from_utf8(text.clone()).expect("text"),
            other => panic!("{path} is {other:?}"),
        }
    }
}

/// One edit.
#[derive(Debug, Clone)]
pub enum Edit {
    Put(&'static str, String),
    Sub(&'static str, &'static str, String),
    Append(&'static str, String),
    Delete(&'static str),
    Move(&'static str, &'static str),
    Link(&'static str, &'static str),
    Chmod(&'static str),
    Submodule(&'static str),
}

pub fn put(path: &'static str, text: &str) -> Edit {
    Edit::Put(path, text.to_owned())
}
pub fn sub(path: &'static str, from: &'static str, to: &str) -> Edit {
    Edit::Sub(path, from, to.to_owned())
}
pub fn append(path: &'static str, text: &str) -> Edit {
    Edit::Append(path, text.to_owned())
}
pub fn del(path: &'static str) -> Edit {
    Edit::Delete(path)
}
pub fn mv(from: &'static str, to: &'static str) -> Edit {
    Edit::Move(from, to)
}
pub fn link(path: &'static str, target: &'static str) -> Edit {
    Edit::Link(path, target)
}
pub fn chmod(path: &'static str) -> Edit {
    Edit::Chmod(path)
}
pub fn submodule(path: &'static str) -> Edit {
    Edit::Submodule(path)
}

/// The tree after the edits.
pub fn edited(base: &Memory, edits: &[Edit]) -> Memory {
    let mut tree = base.clone();
    for edit in edits {
        match edit {
            Edit::Put(path, text) => {
                tree.0.insert(
                    (*path).to_owned(),
                    Entry::File(text.clone().into_bytes(), false),
                );
            }
            Edit::Sub(path, from, to) => {
                let text = tree.text(path);
                assert!(text.contains(from), "{path} has no {from:?}");
                let Some(Entry::File(content, _)) = tree.0.get_mut(*path) else {
                    unreachable!()
                };
                *content = text.replacen(from, to, 1).into_bytes();
            }
            Edit::Append(path, more) => {
                let text = tree.text(path) + more;
                let Some(Entry::File(content, _)) = tree.0.get_mut(*path) else {
                    unreachable!()
                };
                *content = text.into_bytes();
            }
            Edit::Delete(path) => {
                let below = format!("{path}/");
                let before = tree.0.len();
                tree.0.retain(|p, _| p != path && !p.starts_with(&below));
                assert!(tree.0.len() < before, "{path} is not there");
            }
            Edit::Move(from, to) => {
                let entry = tree
                    .0
                    .remove(*from)
                    .unwrap_or_else(|| panic!("{from} is not there"));
                tree.0.insert((*to).to_owned(), entry);
            }
            Edit::Link(path, target) => {
                tree.0
                    .insert((*path).to_owned(), Entry::Link((*target).to_owned()));
            }
            Edit::Chmod(path) => {
                let Some(Entry::File(_, executable)) = tree.0.get_mut(*path) else {
                    panic!("{path} is no file")
                };
                *executable = !*executable;
            }
            Edit::Submodule(path) => {
                tree.0.insert((*path).to_owned(), Entry::Submodule);
            }
        }
    }
    tree
}

/// How the trees differ, as the harness would say it.
pub fn changes(base: &Memory, candidate: &Memory) -> Vec<Changed> {
    let paths: BTreeSet<&String> = base.0.keys().chain(candidate.0.keys()).collect();
    let lines = |entry: Option<&Entry>| match entry {
        Some(Entry::File(text, _)) => text.iter().filter(|b| **b == b'\n').count() as u64,
        Some(_) => 1,
        None => 0,
    };
    paths
        .into_iter()
        .filter_map(|path| {
            let (old, new) = (base.0.get(path), candidate.0.get(path));
            let how = match (old, new) {
                (None, Some(_)) => How::Added,
                (Some(_), None) => How::Deleted,
                (a, b) if a != b => How::Modified,
                _ => return None,
            };
            Some(Changed {
                path: path.clone(),
                how,
                added: lines(new),
                removed: lines(old),
                link: match new {
                    Some(Entry::Link(target)) => Some(target.clone()),
                    _ => None,
                },
            })
        })
        .collect()
}

/// A goal of these front-matter lines; `outcome` is added, and `done` if it is missing.
pub fn goal(front: &str) -> Goal {
    let done = if front.contains("done:") {
        ""
    } else {
        "done: [\"true\"]\n"
    };
    let text = format!("---\noutcome: It works.\n{done}{front}\n---\nDo it.\n");
    parse(&text)
        .unwrap_or_else(|e| panic!("{e:?}\n{text}"))
        .goal
}

/// Compares.
pub fn examined(front: &str, base: &Memory, candidate: &Memory) -> Examined {
    examine(&Comparison {
        goal: &goal(front),
        changes: &changes(base, candidate),
        base,
        candidate,
    })
}

/// `path:line Kind`, one a finding.
pub fn lines(findings: &[overnight_core::finding::Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|f| match f.line {
            Some(line) => format!("{}:{line} {:?}", f.path, f.kind),
            None => format!("{} {:?}", f.path, f.kind),
        })
        .collect()
}

/// The findings in full, for messages.
pub fn full(findings: &[overnight_core::finding::Finding]) -> String {
    findings.iter().map(|f| format!("    {f}\n")).collect()
}

/// The patches: `-path` removes a new file, `<path` puts the base's back, `~path` changes it.
pub fn patches(patches: &[overnight_oracle::Patch], base: &Memory) -> Vec<String> {
    patches
        .iter()
        .map(|p| match &p.content {
            Content::Base if base.0.contains_key(&p.path) => format!("<{}", p.path),
            Content::Base => format!("-{}", p.path),
            Content::Text(_) => format!("~{}", p.path),
        })
        .collect()
}

/// The tree with the patches in place.
pub fn patched(base: &Memory, candidate: &Memory, patches: &[overnight_oracle::Patch]) -> Memory {
    let mut tree = candidate.clone();
    for patch in patches {
        match &patch.content {
            Content::Base => match base.0.get(&patch.path) {
                Some(entry) => {
                    tree.0.insert(patch.path.clone(), entry.clone());
                }
                None => {
                    tree.0.remove(&patch.path);
                }
            },
            Content::Text(text) => {
                let executable = matches!(tree.0.get(&patch.path), Some(Entry::File(_, true)));
                tree.0
                    .insert(patch.path.clone(), Entry::File(text.clone(), executable));
            }
        }
    }
    tree
}
