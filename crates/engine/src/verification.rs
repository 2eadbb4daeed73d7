//! Verifying a candidate: which trees the checks run on, what is run again, and what it all means. The same for a run's
//! own checkpoints and for `overnight verify`.

use overnight_core::check::{Observation, Obstacle, Verdict};
use overnight_core::goal::globs::{BadGlob, Globs};
use overnight_core::goal::{Check, CheckKind, Goal};
use overnight_core::ids::{CheckId, TreeId};
use overnight_core::judge::{
    Against, Judgement, canary_faults, judge, judge_diff, judge_oracle, licence,
    worth_asking_the_base, worth_repeating,
};
use overnight_core::measure::Measure;
use overnight_core::repo::{Candidate, Changed};
use overnight_core::state::{ORACLE_CHECK, SCOPE_CHECK};
use overnight_core::tests::TestResults;
use overnight_ports::oracle::{Examined, Oracle};
use overnight_ports::verifier::{Probe, Verifier};

use crate::preflight;

/// How often a command is repeated on the candidate because tests fail that have passed on the base.
pub const REPEATS_MAX: usize = 3;
/// How often the base is asked again whether a test is flaky there too.
pub const BASE_AGAIN_MAX: usize = 3;
/// A command that takes longer than this is not repeated, milliseconds.
pub const REPEAT_MS_MAX: u64 = 10 * 60 * 1_000;

/// A candidate, and what it is verified with.
pub struct Verification<'a> {
    /// The contract.
    pub goal: &'a Goal,
    /// The base's tree.
    pub base: &'a TreeId,
    /// The candidate, whole.
    pub candidate: &'a Candidate,
    /// What gathers evidence.
    pub verifier: &'a dyn Verifier,
    /// What is wrong with the change beside what it changes where: conflicts that are still marked, others' fixes that it
    /// undoes.
    pub amiss: Vec<String>,
    /// What compares the candidate with the base's oracle; `None` for a run that began before there was such a check.
    pub oracle: Option<&'a dyn Oracle>,
}

/// One check's result, with the observation that it was judged by.
pub struct Verified<'a> {
    /// Which check.
    pub check: &'a CheckId,
    /// What it means.
    pub judgement: Judgement,
    /// What happened; `None` for checks that run nothing.
    pub observation: Option<&'a Observation>,
}

/// The trees that the checks run on.
struct Trees {
    laid: TreeId,
    strict: TreeId,
    reverse: TreeId,
}

impl Trees {
    fn of(found: &Examined) -> Self {
        Trees {
            laid: found.laid.clone(),
            strict: found.strict.clone(),
            reverse: found.reverse.clone(),
        }
    }

    fn same(tree: &TreeId) -> Self {
        Trees {
            laid: tree.clone(),
            strict: tree.clone(),
            reverse: tree.clone(),
        }
    }
}

impl Verification<'_> {
    /// Verifies every check that is `wanted`, and tells of each result as it comes. `base_of` says what a check found
    /// on the base.
    pub async fn run(
        &self,
        wanted: &(dyn Fn(&CheckId) -> bool + Send + Sync),
        base_of: &(dyn Fn(&CheckId) -> Option<Vec<Observation>> + Send + Sync),
        each: &(dyn Fn(Verified<'_>) + Send + Sync),
    ) {
        let say = |check: &CheckId, judgement: Judgement| {
            if wanted(check) {
                each(Verified {
                    check,
                    judgement,
                    observation: None,
                });
            }
        };
        if let Some(judgement) = on_the_diff(self.goal, None, &self.candidate.changes) {
            say(&CheckId::from(SCOPE_CHECK), self.beside(judgement));
        }
        let examined = self.examine().await;
        let trees = match &examined {
            Some(Ok(found)) => Trees::of(found),
            Some(Err(_)) | None => Trees::same(&self.candidate.tree),
        };
        for check in self.goal.checks() {
            if let Some(judgement) = on_the_diff(self.goal, Some(check), &self.candidate.changes) {
                say(&check.id, judgement);
            }
        }
        // Planned over all checks, so that a value has the same place in its probe as it had on the base.
        let probes: Vec<Probe> = Probe::plan(self.goal.checks())
            .into_iter()
            .filter(|probe| probe.checks.iter().any(wanted))
            .collect();
        // Commands whose tests were told apart, for the canaries.
        let mut runners: Vec<&Probe> = Vec::new();
        let mut passed = true;
        let mut faults = Vec::new();
        for probe in &probes {
            let checks: Vec<(usize, &Check, Option<Vec<Observation>>)> = probe
                .checks
                .iter()
                .enumerate()
                .filter(|(_, id)| wanted(id))
                .filter_map(|(index, id)| Some((index, self.goal.check(id)?, base_of(id))))
                .collect();
            let now = self.observe(probe, &trees, &checks).await;
            for (index, check, base) in &checks {
                let judgement = match base {
                    None if preflight::compares(check) => Judgement::unknown_base(&now.output),
                    base => judge(check, *index, &now, self.against(base)),
                };
                passed &= judgement.verdict == Verdict::Pass;
                each(Verified {
                    check: &check.id,
                    judgement,
                    observation: Some(&now),
                });
            }
            if let Some(oracle) = self.oracle {
                let before = checks.iter().find_map(|(_, _, base)| base.as_deref());
                faults.extend(steered(oracle, &now, before.unwrap_or_default()));
            }
            if now.tests.is_some() && now.duration_ms <= REPEAT_MS_MAX {
                runners.push(probe);
            }
        }
        let judgement = match examined {
            None => return,
            Some(Err(detail)) => unknown(&detail),
            Some(Ok(found)) => {
                // Whether the tests can still fail is asked only when nothing else speaks against the work.
                let asked = wanted(&CheckId::from(ORACLE_CHECK));
                let clean = found.offences.is_empty() && faults.is_empty();
                if asked && passed && clean && found.canary != found.laid {
                    for probe in runners {
                        let seen = self.verifier.observe(&found.canary, probe).await;
                        faults.extend(canary_faults(&found.mark, &seen));
                    }
                }
                judge_oracle(&found.offences, &faults, &found.notes)
            }
        };
        say(&CheckId::from(ORACLE_CHECK), judgement);
    }

    /// A verdict on what was changed where, with what else is wrong with the change.
    fn beside(&self, judgement: Judgement) -> Judgement {
        if judgement.verdict != Verdict::Pass {
            return judgement;
        }
        let amiss = &self.amiss;
        if amiss.is_empty() {
            return judgement;
        }
        Judgement {
            verdict: Verdict::Fail,
            reason: amiss.join("; "),
            measure: Measure {
                passing: 0,
                failing: amiss.len() as u64,
                distance: None,
            },
            ..judgement
        }
    }

    /// What the candidate is held against by a check that found `base` on the base.
    fn against<'a>(&'a self, base: &'a Option<Vec<Observation>>) -> Option<Against<'a>> {
        base.as_deref().map(|base| Against {
            base,
            changes: &self.candidate.changes,
        })
    }

    /// Compares the candidate with the base's oracle.
    async fn examine(&self) -> Option<Result<Examined, String>> {
        let oracle = self.oracle?;
        Some(oracle.examine(self.goal, self.base, self.candidate).await)
    }

    /// Runs a probe on the laid tree, and whatever else it takes to judge its tests.
    async fn observe(
        &self,
        probe: &Probe,
        trees: &Trees,
        checks: &[(usize, &Check, Option<Vec<Observation>>)],
    ) -> Observation {
        let mut now = self.verifier.observe(&trees.laid, probe).await;
        if now.tests.is_none() || now.obstacle.is_some() {
            return now;
        }
        if now.duration_ms <= REPEAT_MS_MAX {
            self.settle_flaky(&mut now, probe, &trees.laid, checks)
                .await;
        }
        let lost = |now: &Observation| {
            checks.iter().all(|(index, check, base)| {
                judge(check, *index, now, self.against(base)).verdict == Verdict::Fail
            })
        };
        // A claim that is lost already needs no more proof against it.
        if trees.strict != trees.laid && !lost(&now) {
            let strict = self.verifier.observe(&trees.strict, probe).await;
            match (strict.tests, strict.obstacle) {
                (Some(tests), _) => now.strict = Some(tests),
                (None, Some(Obstacle::NoPerTestResults { .. })) | (None, None) => {}
                (None, obstacle) => now.obstacle = obstacle,
            }
        }
        let proves = checks
            .iter()
            .any(|(_, check, _)| check.kind.proves_change());
        if proves && trees.reverse != trees.laid && !lost(&now) {
            // What does not even run there does not pass there.
            let reverse = self.verifier.observe(&trees.reverse, probe).await;
            now.reverse = reverse.tests;
        }
        now
    }

    /// Repeats what fails and has passed on the base, on both sides, until it is known which of them is flaky.
    async fn settle_flaky(
        &self,
        now: &mut Observation,
        probe: &Probe,
        laid: &TreeId,
        checks: &[(usize, &Check, Option<Vec<Observation>>)],
    ) {
        let Some(base) = checks.iter().find_map(|(_, _, base)| base.as_deref()) else {
            return;
        };
        let tests = |observation: Observation| -> Option<TestResults> {
            observation.tests.filter(|t| !t.tests.is_empty())
        };
        while now.repeats.len() < REPEATS_MAX && worth_repeating(now, base) {
            let Some(again) = tests(self.verifier.observe(laid, probe).await) else {
                break;
            };
            now.repeats.push(again);
        }
        while now.base_again.len() < BASE_AGAIN_MAX && worth_asking_the_base(now, base) {
            let Some(again) = tests(self.verifier.observe(self.base, probe).await) else {
                break;
            };
            now.base_again.push(again);
        }
    }
}

/// Files that steer whatever runs next, left behind by the very command that was to find something out, and not by the
/// same command on the base.
fn steered(oracle: &dyn Oracle, now: &Observation, base: &[Observation]) -> Vec<String> {
    let new: Vec<String> = now
        .generated
        .iter()
        .filter(|path| !base.iter().any(|run| run.generated.contains(path)))
        .cloned()
        .collect();
    let rewritten = now
        .rewritten
        .iter()
        .filter(|path| !base.iter().any(|run| run.rewritten.contains(path)))
        .cloned();
    oracle
        .steering(&new)
        .into_iter()
        .chain(rewritten)
        .map(|path| {
            format!(
                "`{path}` was written while `{}` ran: it steers what runs after it",
                now.command
            )
        })
        .collect()
}

/// Judges what changed: by the goal's `keep` and `use` for the check that every goal has (`check` is `None`), or by a
/// check of the kind `diff`. `None` for checks of other kinds.
fn on_the_diff(goal: &Goal, check: Option<&Check>, changes: &[Changed]) -> Option<Judgement> {
    let Some(check) = check else {
        return Some(match licence(goal) {
            Ok((allow, forbid)) => judge_diff(allow.as_ref(), &forbid, changes),
            Err(e) => unknown(&e.to_string()),
        });
    };
    let CheckKind::Diff { allow, forbid } = &check.kind else {
        return None;
    };
    let globs = || -> Result<_, BadGlob> {
        let only = if allow.is_empty() {
            None
        } else {
            Some(Globs::new(allow)?)
        };
        Ok((only, Globs::new(forbid)?))
    };
    Some(match globs() {
        Ok((only, never)) => judge_diff(only.as_ref(), &never, changes),
        Err(e) => unknown(&e.to_string()),
    })
}

/// What the harness could not find out; nothing passes by it.
fn unknown(detail: &str) -> Judgement {
    Judgement {
        verdict: Verdict::CannotTell,
        reason: format!("the harness could not compare the work with the base: {detail}"),
        evidence: String::new(),
        measure: Default::default(),
        obstacle: Some(Obstacle::Harness {
            detail: detail.to_owned(),
        }),
        flaky: false,
    }
}
