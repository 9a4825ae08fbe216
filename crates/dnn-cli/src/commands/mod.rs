//! The subcommands, a file each.

pub(crate) mod audit;
pub(crate) mod compare;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod draw;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod export;
mod folds;
pub(crate) mod gradcheck;
pub(crate) mod inspect;
pub(crate) mod lr_find;
pub(crate) mod merge;
pub(crate) mod predict;
pub(crate) mod preview;
pub(crate) mod report;
#[cfg(feature = "serve")]
pub(crate) mod serve;
pub(crate) mod sweep;
pub(crate) mod train;
pub(crate) mod tune;
