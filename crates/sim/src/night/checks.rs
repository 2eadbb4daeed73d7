//! The verifier, the oracle, the forge and the notifier of the simulated world: they tell the truth, slowly and not always.

use async_trait::async_trait;
use overnight_core::check::{Observation, Obstacle, Reading};
use overnight_core::goal::Goal;
use overnight_core::ids::{BlobId, CommitId, TreeId};
use overnight_core::notification::{Channel, Notification, Standing, key};
use overnight_core::repo::{Candidate, Delivered};
use overnight_core::state::Phase;
use overnight_core::tests::{TestResults, TestStatus};
use overnight_ports::forge::{Delivery, Forge};
use overnight_ports::notifier::{Message, Notifier};
use overnight_ports::oracle::{Examined, Oracle};
use overnight_ports::verifier::{Ask, Probe, Verifier};

use crate::night::plan::{MINUTE, SECOND, Sabotage};
use crate::night::ports::Seen;
use crate::night::world::{Inner, base_files, looked, tree_of};

#[async_trait]
impl Verifier for Seen {
    async fn observe(&self, tree: &TreeId, probe: &Probe) -> Observation {
        self.0.deed().await;
        let (long, obstacle) = {
            let mut world = self.0.lock();
            let percent = world.plan.obstacle_percent;
            let random = &mut world.random;
            let obstacle = random.percent(percent).then(|| match random.between(0, 3) {
                0 => Obstacle::TimedOut { limit_s: 600 },
                1 => Obstacle::ReportMissing {
                    path: "report.xml".into(),
                },
                _ => Obstacle::Harness {
                    detail: "no sandbox right now".into(),
                },
            });
            (
                random.pick(&[10, SECOND, 40 * SECOND, 5 * MINUTE]),
                obstacle,
            )
        };
        self.0.takes(long).await;
        let files = self.0.lock().trees.get(tree).cloned();
        self.0.deed().await;
        let command = match &probe.ask {
            Ask::Exit { command }
            | Ask::Tests { command, .. }
            | Ask::Values { command, .. }
            | Ask::Mutation { command, .. } => command.clone(),
            Ask::File { path } => path.clone(),
        };
        let Some(files) = files else {
            let detail = format!("there is no tree {tree}");
            return Observation {
                obstacle: Some(Obstacle::Harness { detail }),
                ..Observation::default()
            };
        };
        let (value, wanted) = looked(&command, &files);
        let candidate = *tree != tree_of(&base_files(&self.0.lock().plan));
        let value = match self.0.lock().plan.sabotage {
            Some(Sabotage::LyingChecks) if candidate => wanted,
            _ => value,
        };
        let mut seen = Observation {
            exit: Some(i32::from(value != wanted)),
            duration_ms: long,
            output: format!("{command} is {value}").into_bytes(),
            command,
            ..Observation::default()
        };
        if obstacle.is_some() {
            seen.exit = None;
            seen.obstacle = obstacle;
            return seen;
        }
        match &probe.ask {
            Ask::Tests { .. } => {
                let mut tests = TestResults::default();
                for n in 1..=wanted {
                    let status = match n <= value {
                        true => TestStatus::Passed,
                        false => TestStatus::Failed,
                    };
                    tests.record(format!("test_{n}"), status);
                }
                seen.tests = Some(tests);
            }
            Ask::Values { reads, .. } => {
                seen.values = reads
                    .iter()
                    .map(|_| Reading::Value(f64::from(value)))
                    .collect();
            }
            Ask::Exit { .. } | Ask::Mutation { .. } | Ask::File { .. } => {}
        }
        seen
    }

    fn environment(&self) -> String {
        "simulated".into()
    }
}

#[async_trait]
impl Oracle for Seen {
    async fn examine(
        &self,
        _: &Goal,
        _: &TreeId,
        candidate: &Candidate,
    ) -> Result<Examined, String> {
        self.0.deed().await;
        let fails = {
            let mut world = self.0.lock();
            let percent = world.plan.obstacle_percent / 5;
            world.random.percent(percent)
        };
        if fails {
            return Err("the objects cannot be read right now".into());
        }
        let tree = || candidate.tree.clone();
        Ok(Examined {
            offences: Vec::new(),
            notes: Vec::new(),
            laid: tree(),
            strict: tree(),
            reverse: tree(),
            canary: tree(),
            mark: "canary".into(),
        })
    }

    fn steering(&self, _: &[String]) -> Vec<String> {
        Vec::new()
    }
}

#[async_trait]
impl Notifier for Seen {
    async fn send(&self, _: &Channel, message: &Message) -> Result<(), String> {
        self.0.deed().await;
        let fails = {
            let mut world = self.0.lock();
            let now = world.disk.state.as_ref();
            let begun = now.is_some_and(|s| {
                let this = |n: &&Notification| key(s, n.number) == message.key;
                let found = s.notifications.iter().find(this);
                found.is_some_and(|n| n.standing == Standing::Begun)
            });
            if !begun {
                let what = message.key.clone();
                world.breaks("a notification is durable before it is sent", what);
            }
            if world.plan.sabotage == Some(Sabotage::Echo) {
                world.sent.insert(message.key.clone());
            }
            if !world.sent.insert(message.key.clone()) {
                let what = message.key.clone();
                world.breaks("nobody is told the same twice", what);
            }
            world.random.percent(10)
        };
        self.0.deed().await;
        self.0.takes(SECOND).await;
        match fails {
            true => Err("nobody is there".into()),
            false => Ok(()),
        }
    }
}

/// The commit that a delivery makes: the same for the same delivery.
fn commit(delivery: &Delivery, world: &mut Inner) -> CommitId {
    if world.plan.sabotage == Some(Sabotage::ForgetfulForge) {
        return CommitId(world.random.draw().to_string());
    }
    // What is integrated has its commits already.
    if let Some(tip) = &delivery.tip {
        let tree = world.commits.get(tip).map(|(_, tree)| tree.clone());
        if tree.as_ref() != Some(&delivery.tree) {
            let what = format!("{tip} holds {tree:?}, and {} is delivered", delivery.tree);
            world.breaks("what is delivered is what was integrated", what);
        }
        return tip.clone();
    }
    let text = serde_json::to_vec(&Delivery {
        // What it replaces is no part of a commit.
        replaces: None,
        ..delivery.clone()
    });
    let id = BlobId::of(&text.unwrap_or_default());
    CommitId(id.0.chars().take(40).collect())
}

#[async_trait]
impl Forge for Seen {
    async fn deliver(&self, delivery: &Delivery) -> Result<Delivered, String> {
        self.0.deed().await;
        let commit = {
            let mut world = self.0.lock();
            let now = world.disk.state.as_ref();
            let due = now.is_some_and(|s| !s.paused && s.phase == Phase::Delivering);
            if !due {
                world.breaks("nothing is delivered but when it is due", "");
            }
            let commit = commit(delivery, &mut world);
            let there = world.branch.as_ref().map(|(commit, _)| commit.clone());
            match there {
                Some(there) if there == commit => {}
                Some(there) if delivery.replaces.as_ref() == Some(&there) => {
                    world.branch = Some((commit.clone(), delivery.clone()));
                }
                Some(there) => {
                    // The real forge refuses as well. It must not come to that: nobody else touches this repository.
                    let what = format!("{:?} is there, and now {delivery:?}", world.branch);
                    world.breaks("a delivery happens once", what);
                    return Err(format!("the branch exists already and is at {there}"));
                }
                None => world.branch = Some((commit.clone(), delivery.clone())),
            }
            commit
        };
        self.0.deed().await;
        self.0.takes(SECOND).await;
        Ok(Delivered::Branch {
            name: delivery.branch.clone(),
            commit,
        })
    }
}
