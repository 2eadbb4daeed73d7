//! What the verdicts of a repository's checks rest on (its *oracle*: tests, their configuration, what runs them), how a
//! candidate changed it, and which trees the checks are to run on instead.
//!
//! Everything here is a comparison of file contents: nothing is run, and nothing is believed that the agent says. The
//! work done grows with the number of changed paths, not with the repository.
//!
//! Two trees come out of it beside the findings:
//!
//! * *laid*: the candidate with the base's oracle laid over it wherever the candidate changed it without a licence.
//!   If nothing was changed so, it is the candidate itself.
//! * *strict*: the candidate's implementation with exactly the base's oracle: what the candidate added to it (new
//!   tests, new tests in old files) is left out as well. A test of the base has to give here what it gives with the
//!   candidate's additions around it, or one of them has tampered with it.

pub mod canary;
mod examine;
mod extent;
mod licence;
mod lines;
mod lockfile;
mod makefile;
mod manifest;
mod place;
mod scripts;
mod shadow;
mod snapshot;
pub mod syntax;
mod table;

pub use examine::examine;
pub use extent::extent;

/// Of the files that a check's own run left behind in its checkout, those that would steer the next command there: a
/// test may not write the configuration that a later part of the same command obeys.
pub fn steering<'a>(generated: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let steers = |path: &&str| {
        use table::Class;
        matches!(
            table::class(path),
            Some(Class::Config | Class::Startup | Class::Manifest(_) | Class::Makefile)
        )
    };
    generated.into_iter().filter(steers).collect()
}

use overnight_core::finding::Finding;
use overnight_core::goal::Goal;
use overnight_core::repo::Changed;

/// Files larger than this are compared whole and not parsed, bytes.
pub const PARSED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most findings that are kept of one comparison.
pub const FINDINGS_MAX: usize = 200;

/// One side of the comparison: a tree's files.
pub trait Tree {
    /// The content of a regular file; `None` if there is none at that path, it is a link, or it is larger than
    /// `bytes_max`.
    fn read(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>>;
    /// Whether anything is at this path: a file, a link or a folder.
    fn exists(&self, path: &str) -> bool;
    /// Every path in the tree, sorted: files and links, `/`-separated. Read at most once a comparison.
    fn paths(&self) -> Vec<String>;
}

/// What is compared.
pub struct Comparison<'a> {
    /// The contract: what it keeps, what it lets change, what its checks run and read.
    pub goal: &'a Goal,
    /// How the candidate differs from the base.
    pub changes: &'a [Changed],
    /// The base.
    pub base: &'a dyn Tree,
    /// The candidate.
    pub candidate: &'a dyn Tree,
}

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// Changes of the oracle that nothing licenses: each is reason enough not to be complete. Sorted, bounded.
    pub offences: Vec<Finding>,
    /// What a reviewer should know and what fails nothing: licensed changes that weaken tests, new tests that assert
    /// nothing. Sorted, bounded.
    pub notes: Vec<Finding>,
    /// What to change in the candidate to get the *laid* tree. Empty if it is the candidate.
    pub laid: Vec<Patch>,
    /// What to change in the candidate to get the *strict* tree. Empty if it is the candidate.
    pub strict: Vec<Patch>,
    /// What to change in the candidate to get the base's implementation with the candidate's tests, on which a test that
    /// proves a change has to fail. Empty if the implementation is the base's.
    pub reverse: Vec<Patch>,
    /// Files in which a test is declared, as they are on the base and in the *laid* tree: where [`canary`] tests go.
    pub tests: Vec<String>,
}

/// One path of a tree that is to be other than in the candidate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patch {
    /// Which path.
    pub path: String,
    /// What is to be there.
    pub content: Content,
}

/// What is to be at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// What the base has there, its mode included (nothing, if it has nothing).
    Base,
    /// This text, with the mode that the candidate has there.
    Text(Vec<u8>),
}
