//! The training loop: configuration, engines, optimizers, observers.
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
pub use folds::{Fold, FoldSummary, Folds, check_folds, cross_validate};
pub use memory::memory_beside_examples;
pub use observer::{Flow, IterationEvent, Moment, Observer};
pub use trainer::{
    CostPoint, End, TrainError, Trainable, Trained, Training, ValidationPoint, train,
};
