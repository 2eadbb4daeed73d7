//! What the verdicts rest on: compares a candidate with the base's oracle and makes the trees that checks run on.

use async_trait::async_trait;
use overnight_core::finding::Finding;
use overnight_core::goal::Goal;
use overnight_core::ids::TreeId;
use overnight_core::repo::Candidate;

/// What a comparison found, and where the checks are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Changes of the oracle that nothing licenses.
    pub offences: Vec<Finding>,
    /// What a reviewer should know and what fails nothing.
    pub notes: Vec<Finding>,
    /// The candidate with the base's oracle laid over it wherever it was changed without a licence; the candidate's own
    /// tree if it was not.
    pub laid: TreeId,
    /// The candidate's implementation with exactly the base's oracle; the same as `laid` if the candidate added nothing
    /// to it.
    pub strict: TreeId,
    /// The base's implementation with the candidate's tests: what a test that proves a change has to fail on. The same
    /// as `laid` if the implementation is the base's, or if no check of the goal is run there.
    pub reverse: TreeId,
    /// The laid tree with tests in it that cannot pass; the same as `laid` if there is no place for them.
    pub canary: TreeId,
    /// The word in the names of those tests, in lower case.
    pub mark: String,
}

/// Compares candidates with a base.
#[async_trait]
pub trait Oracle: Send + Sync {
    /// Compares. The same candidate gives the same answer. The error is why it could not be done, for people.
    async fn examine(
        &self,
        goal: &Goal,
        base: &TreeId,
        candidate: &Candidate,
    ) -> Result<Examined, String>;

    /// Of the paths that a command newly generated in its checkout, those that steer whatever runs there next.
    fn steering(&self, generated: &[String]) -> Vec<String>;
}
