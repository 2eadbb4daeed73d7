//! Delivery on this machine: a branch in the person's repository, or a patch series in the run's folder.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use overnight_core::goal::Deliver;
use overnight_ports::forge::{Delivered, Delivery, Forge};
use overnight_workspace::{Checkouts, deliver_branch, deliver_patch};

pub(super) struct LocalForge {
    repo: PathBuf,
    run_dir: PathBuf,
    how: Deliver,
}

impl LocalForge {
    pub fn new(repo: PathBuf, run_dir: &Path, how: Deliver) -> Self {
        LocalForge {
            repo,
            run_dir: run_dir.to_owned(),
            how,
        }
    }
}

#[async_trait]
impl Forge for LocalForge {
    async fn deliver(&self, delivery: &Delivery) -> Result<Delivered, String> {
        let (repo, run_dir, how) = (self.repo.clone(), self.run_dir.clone(), self.how);
        let delivery = delivery.clone();
        let work = move || {
            let store = Checkouts::open(&run_dir)?.store();
            match how {
                Deliver::Branch => deliver_branch(&repo, &store, &delivery),
                Deliver::Patch => deliver_patch(&run_dir.join("patches"), &store, &delivery),
                Deliver::None | Deliver::PullRequest => Ok(Delivered::Nothing),
            }
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done.map_err(|e| e.to_string()),
            Err(e) => Err(format!("delivery was given up: {e}")),
        }
    }
}
