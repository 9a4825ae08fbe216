#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]

mod batches;
pub mod checkpoint;
pub mod config;
mod diagnosis;
pub mod engine;
mod evaluation;
mod feed;
mod folds;
mod memory;
pub mod observer;
pub mod optimizer;
pub mod pool;
mod run;
pub mod schedule;
mod shared;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use config::{ConfigError, Preset, TrainConfig};
pub use diagnosis::{diagnose, findings};
pub use evaluation::{Evaluation, evaluate};
pub use folds::{Fold, FoldSummary, check_folds, cross_validate};
pub use memory::memory_beside_examples;
pub use observer::{Flow, IterationEvent, Moment, Observer};
pub use trainer::{
    CostPoint, End, TrainError, Trainable, Trained, Training, ValidationPoint, train,
};
