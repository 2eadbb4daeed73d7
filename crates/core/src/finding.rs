//! Findings: what a comparison of a candidate with the base says about tests and what steers them, with file and line.

use serde::{Deserialize, Serialize};

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Relative, `/`-separated.
    pub path: String,
    /// Line from 1: of the candidate's file, or of the base's where the thing is gone. `None` for a whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What kind of thing.
    pub kind: FindingKind,
    /// What exactly, in one line: the test's name, the key, the word that was added.
    pub detail: String,
}

/// What kinds of things are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A file of the oracle differs from the base's, or is gone.
    OracleChanged,
    /// A new file would steer a runner, an interpreter or a build.
    Steers,
    /// A new file would be taken in place of another that tests or runners import.
    Shadows,
    /// A key of a manifest that belongs to the base differs.
    ManifestKey,
    /// A test's body differs.
    TestChanged,
    /// A test is gone.
    TestDeleted,
    /// A test is skipped, or others are by it (`only`).
    TestSkipped,
    /// A test has fewer assertions, or ones that cannot fail, or looser ones.
    AssertionsWeakened,
    /// A snapshot that tests compare with was rewritten.
    SnapshotRewritten,
    /// The thing under test is replaced by a mock.
    MockOfSubject,
    /// Lines are excluded from coverage that were not.
    CoverageExcluded,
    /// The code asks whether it is being tested, or changes the runner while it runs.
    TampersWithTests,
    /// A new test asserts nothing.
    AssertsNothing,
}

impl FindingKind {
    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            FindingKind::OracleChanged => "belongs to the oracle and was changed",
            FindingKind::Steers => "steers what runs the checks",
            FindingKind::Shadows => "takes the place of what tests import",
            FindingKind::ManifestKey => "is the base's and was changed",
            FindingKind::TestChanged => "test changed",
            FindingKind::TestDeleted => "test deleted",
            FindingKind::TestSkipped => "test skipped",
            FindingKind::AssertionsWeakened => "assertions weakened",
            FindingKind::SnapshotRewritten => "snapshot rewritten",
            FindingKind::MockOfSubject => "mocks what it should test",
            FindingKind::CoverageExcluded => "excluded from coverage",
            FindingKind::TampersWithTests => "tampers with the tests",
            FindingKind::AssertsNothing => "asserts nothing",
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", crate::judge::plain(&self.path))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.kind.words())?;
        if !self.detail.is_empty() {
            write!(f, ": {}", crate::judge::plain(&self.detail))?;
        }
        Ok(())
    }
}
