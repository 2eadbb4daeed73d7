//! The repository as the harness sees it: a disposable clone for the agent, snapshots of it, candidates fixed as git
//! trees in a store of the harness's own, clean checkouts, and delivery into the person's repository.
//!
//! One run's folder looks like this:
//!
//! ```text
//! run_dir/workspace       the agent's clone; its `.git` belongs to the agent and the harness's git never uses it
//! run_dir/harness.git     the harness's own bare store; borrows the person's objects
//! run_dir/files           what `use.files` names, copied from the person's checkout
//! run_dir/submodules/N    content of the submodules; run_dir/lfs: LFS objects that the person's store lacks
//! run_dir/workspace.json  what was found when the run was prepared; written last
//! run_dir/items/I-R       the workspace of item I of a worklist, made for the R-th time: a clone with all that belongs
//!                         to it (index, baseline, facts); store, files, submodules and LFS objects are the run's
//! run_dir/items.objects   the base's objects, copied into each of those clones
//! ```
//!
//! Every process that this crate starts is `git`, and only `git.rs` starts it.

mod artefacts;
mod baseline;
mod beneath;
mod candidate;
mod checkout;
mod commit;
mod deliver;
mod facts;
mod files;
mod git;
mod hidden;
mod ignores;
mod item;
mod layers;
mod lfs;
mod merge;
mod names;
mod origin;
mod person;
mod prepare;
mod pristine;
mod restore;
mod scan;
mod store;
mod submodules;
mod trees;
mod workspace;

pub use checkout::{Checkouts, clone_at};
pub use deliver::{deliver_branch, deliver_patch};
pub use hidden::Hidden;
pub use item::{Start, item_dir, items_dir};
pub use layers::{SetupLayer, capture_layer};
pub use merge::Merged;
pub use person::{Trace, branch, first_commit, head, places, prefix, ready, trace, tracked};
pub use prepare::Options;
pub use pristine::{Content, Pristine};
pub use trees::{Listing, Replacement, TreeEntry};
pub use workspace::GitWorkspace;

/// Files larger than this are noticed by a scan but their content is not kept, bytes.
pub const SNAPSHOT_FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How many dirty paths of the person's checkout are listed.
pub const DIRTY_PATHS_MAX: usize = 200;
/// How many artefacts or generated paths are listed.
pub const ARTEFACTS_MAX: usize = 200;
/// How many generated paths are learned from one run of a check.
pub const GENERATED_MAX: usize = 1_000;
/// How many files one `hidden` folder may hold.
pub const HIDDEN_FILES_MAX: usize = 10_000;
/// How much one `hidden` folder may hold, bytes.
pub const HIDDEN_BYTES_MAX: u64 = 256 * 1024 * 1024;
