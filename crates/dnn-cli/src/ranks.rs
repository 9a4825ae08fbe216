//! The processes that do one command together; of `dnn` there is one.

use crate::run::Machine;
use anyhow::bail;
use dnn_train::{Communicator, SingleProcess};
use std::sync::OnceLock;

/// The ranks that a command runs on, and the default that differs there.
#[derive(Debug, Clone, Copy)]
pub struct Ranks {
    /// The communicator between the ranks.
    pub communicator: &'static dyn Communicator,
    /// The number of micro-shards when none is configured.
    pub micro_shards: Option<usize>,
}

impl Ranks {
    /// Returns the single process of `dnn`.
    pub const SINGLE: Self = Self { communicator: &SingleProcess, micro_shards: None };
}

static RANKS: OnceLock<Ranks> = OnceLock::new();

/// Sets the ranks of this process, and checks that all of them would compute the same bits.
///
/// # Errors
/// When another rank is another program, or has other instruction sets.
pub(crate) fn start(ranks: Ranks) -> anyhow::Result<()> {
    // A second command in the same process has the ranks of the first.
    let _ = RANKS.set(ranks);
    if ranks.communicator.size() > 1 {
        let Machine { git_revision, arch, cpu_features } = Machine::here();
        let revision = git_revision.unwrap_or_default();
        agree(
            "version",
            &format!("{} {revision}", env!("CARGO_PKG_VERSION")),
            "run one program on all",
        )?;
        agree(
            "processor",
            &format!("{arch} with {}", cpu_features.join(", ")),
            "results depend on it; take nodes of one kind",
        )?;
    }
    Ok(())
}

fn ranks() -> Ranks {
    RANKS.get().copied().unwrap_or(Ranks::SINGLE)
}

/// Returns the communicator between the ranks.
pub(crate) fn communicator() -> &'static dyn Communicator {
    ranks().communicator
}

/// Returns the number of micro-shards when none is configured.
pub(crate) fn default_micro_shards() -> Option<usize> {
    ranks().micro_shards
}

/// Returns whether this rank prints and writes.
pub(crate) fn is_first() -> bool {
    communicator().rank() == 0
}

/// Returns a prefix for messages that names this rank, where there are several.
pub(crate) fn rank_prefix() -> Option<String> {
    let communicator = communicator();
    (communicator.size() > 1)
        .then(|| format!("rank {} of {}", communicator.rank(), communicator.size()))
}

/// Checks that a value is the same on all ranks.
///
/// # Errors
/// Names the rank whose value differs, and the value; `cure` says what to do about it.
pub(crate) fn agree(what: &str, own: &str, cure: &str) -> anyhow::Result<()> {
    let all = communicator().gather_text(own);
    match all.iter().position(|other| *other != all[0]) {
        None => Ok(()),
        Some(rank) => bail!(
            "rank {rank} has another {what} than rank 0, {} and {}: {cure}",
            all[rank],
            all[0]
        ),
    }
}

/// Refuses a command or flag that several ranks cannot run together.
///
/// # Errors
/// When there are several ranks.
pub(crate) fn only_one(what: &str) -> anyhow::Result<()> {
    match communicator().size() {
        1 => Ok(()),
        n => bail!("{what} is for one process, and there are {n} ranks: use dnn"),
    }
}
