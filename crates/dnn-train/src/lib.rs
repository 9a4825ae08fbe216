#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]
//!
//! | to | look at |
//! |---|---|
//! | train as configured | [`train`], [`Training`], [`TrainConfig`] |
//! | follow the course step by step | [`textbook`] |
//! | minimise a cost of one's own, step in a way of one's own | [`Cost`], [`optimizer::Optimizer`] |
//! | watch, log, stop, keep checkpoints | [`Observer`], [`Checkpoint`] |
//! | drive the iterations oneself | [`engine`], [`build_engine`] |
//! | find a learning rate | [`find_learning_rate`] |
//! | check a gradient | [`gradcheck`] |
//! | judge | [`evaluate`], [`cross_validate`], [`diagnose`] |
//! | choose among recipes | [`tune`] |
//! | train in several processes | [`Communicator`], [`Training::communicator`] |

mod aligned_bytes;
mod batches;
pub mod checkpoint;
mod communicator;
pub mod config;
mod cost;
mod diagnosis;
pub mod engine;
mod error;
mod evaluation;
mod feed;
mod folds;
pub mod gradcheck;
mod history;
mod lr_find;
pub mod observer;
pub mod optimizer;
pub mod pool;
mod run;
pub mod schedule;
mod temperature;
pub mod textbook;
mod trainable;
mod trainer;
pub mod tune;

pub use aligned_bytes::AlignedBytes;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use communicator::{Communicator, Messages, MicroShards, Place, SingleProcess, TreeSum};
pub use config::{ConfigError, Preset, TrainConfig, TrainingPrecision};
pub use cost::{Cost, CrossEntropy, mean_cost};
pub use diagnosis::{diagnose, findings, findings_of_answers};
pub use dnn_core;
pub use error::TrainError;
pub use evaluation::Evaluation;
pub use feed::{Subset, memory_beside_examples};
pub use folds::{Fold, FoldSummary, Folds, check_folds, cross_validate};
pub use history::{CostPoint, Curves, End, EpochPoint, Trained, ValidationPoint, ValidationSplit};
pub use lr_find::{LearningRatePoint, LearningRateRange, LearningRateSearch, find_learning_rate};
pub use nalgebra;
pub use observer::{Flow, IterationEvent, Moment, Observer};
pub use temperature::fit_temperature;
pub use trainable::{Trainable, build_engine, evaluate, evaluate_on_ranks, train};
pub use trainer::{Training, check_memory};
