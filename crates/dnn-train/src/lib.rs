//! The training loop: cost, configuration, engines, optimizers, observers.
//!
//! | to | look at |
//! |---|---|
//! | train as configured | [`train`], [`Training`], [`TrainConfig`] |
//! | follow the course step by step | [`textbook`] |
//! | minimise a cost of one's own, step in a way of one's own | [`Cost`], [`optimizer::Optimizer`] |
//! | watch, log, stop, keep checkpoints | [`Observer`], [`Checkpoint`] |
//! | drive the iterations oneself | [`engine`], [`dense_engine`], [`gram_engine`] |
//! | check a gradient | [`gradcheck`] |
//! | judge | [`evaluate`], [`cross_validate`], [`diagnose`] |
//!
//! A program that uses this crate has fast dev builds with `[profile.dev.package.dnn-train] opt-level =
//! 3` in its Cargo.toml, beside what [`dnn_core`] asks for.
//!
//! ```
//! use dnn_core::Dataset;
//! use dnn_train::{Flow, IterationEvent, TrainConfig, evaluate, train};
//! use nalgebra::DMatrix;
//!
//! // Eight points on a line; class 1 is to the right.
//! let x = DMatrix::<f64>::from_fn(2, 8, |i, j| if i == 0 { j as f64 - 3.5 } else { 1.0 });
//! let labels = vec![0, 0, 0, 0, 1, 1, 1, 1];
//! let data = Dataset::new(x, labels, vec!["left".into(), "right".into()])?;
//!
//! let config = TrainConfig::course_deep().with(|c| {
//!     c.hidden = vec![4];
//!     c.learning_rate = 0.5;
//!     c.iterations = 300;
//! })?;
//! let mut log = |event: &IterationEvent<'_>| {
//!     if event.log {
//!         println!("Cost after iteration {}: {:.6}", event.iteration, event.cost);
//!     }
//!     Flow::Continue
//! };
//! let trained = train(&config, &data, &mut [&mut log])?;
//! assert_eq!(evaluate(&trained.network, &data)?.score.correct, 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batches;
pub mod checkpoint;
pub mod config;
mod cost;
mod diagnosis;
pub mod engine;
mod error;
mod evaluation;
mod feed;
mod folds;
pub mod gradcheck;
mod health;
mod history;
mod memory;
pub mod observer;
pub mod optimizer;
pub mod pool;
mod run;
pub mod schedule;
pub mod textbook;
mod trainable;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use config::{ConfigError, Preset, TrainConfig};
pub use cost::{Cost, CrossEntropy, mean_cost};
pub use diagnosis::findings;
pub use dnn_core;
pub use error::TrainError;
pub use evaluation::Evaluation;
pub use folds::{Fold, FoldSummary, check_folds, cross_validate};
pub use history::{CostPoint, End, Trained, ValidationPoint};
pub use memory::memory_beside_examples;
pub use nalgebra;
pub use observer::{Flow, IterationEvent, Moment, Observer};
pub use trainable::{Trainable, dense_engine, diagnose, evaluate, fed_engine, gram_engine, train};
pub use trainer::Training;
