//! Examples and configurations that several tests train with.
#![allow(dead_code, clippy::unwrap_used)] // no test uses all of it

use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Dataset, DatasetError, Examples, Real};
use dnn_train::config::{ClassWeights, NamedWeights, OptimizerConfig};
use dnn_train::engine::EngineKind;
use dnn_train::schedule::Schedule;
use dnn_train::{Checkpoint, Flow, IterationEvent, Moment, Observer, TrainConfig};
use nalgebra::DMatrix;

/// Keeps every checkpoint that is offered, as bytes.
#[derive(Default)]
pub(crate) struct Keep(pub(crate) Vec<Vec<u8>>);

impl Observer for Keep {
    fn on_iteration(&mut self, _: &IterationEvent<'_>) -> Flow {
        Flow::Continue
    }

    fn wants_checkpoint(&mut self, _: &Moment) -> bool {
        true
    }

    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, _: &Moment) {
        self.0.push(checkpoint.to_bytes().unwrap());
    }
}

/// A dataset that pretends not to be in memory, unless told otherwise, with noise that belongs to example
/// and epoch.
pub(crate) struct Source<F: Real> {
    pub(crate) data: Dataset<F>,
    pub(crate) is_streamed: bool,
    pub(crate) noise: f64,
    /// Reading fails from this epoch on.
    pub(crate) breaks: u64,
}

impl<F: Real> Source<F> {
    pub(crate) fn streamed(data: Dataset<F>, noise: f64) -> Self {
        Self { data, is_streamed: true, noise, breaks: u64::MAX }
    }
}

impl<F: Real> Examples<F> for Source<F> {
    fn n_features(&self) -> usize {
        self.data.n_features()
    }
    fn labels(&self) -> &[u32] {
        self.data.labels()
    }
    fn classes(&self) -> &[String] {
        self.data.classes()
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        (!self.is_streamed).then(|| self.data.x())
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        self.data.read(indices, x)
    }
    fn is_streamed(&self) -> bool {
        self.is_streamed
    }
    fn read_for_epoch(
        &self,
        indices: &[usize],
        epoch: u64,
        x: &mut DMatrix<F>,
    ) -> Result<(), DatasetError> {
        if epoch >= self.breaks {
            return Err(DatasetError::Read("the disk is gone".into()));
        }
        self.read(indices, x)?;
        for (mut column, &i) in x.column_iter_mut().zip(indices) {
            let mut rng = Generator::new(RngKind::Modern, epoch * 1000 + i as u64).unwrap();
            column.apply(|v| *v += F::of(self.noise * rng.normal()));
        }
        Ok(())
    }
}

/// Examples of three classes that the first two features tell.
pub(crate) fn three_classes<F: Real>(n_features: usize, m: usize) -> Dataset<F> {
    let mut rng = Generator::new(RngKind::Modern, 5).unwrap();
    let x: DMatrix<F> = rng.normal_matrix(n_features, m);
    let label = |i| u32::from(x[(0, i)] > F::of(0.3)) + u32::from(x[(1, i)] > F::of(0.8));
    let labels = (0..m).map(label).collect();
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    Dataset::new(x, labels, classes).unwrap()
}

/// A configuration with everything that training has besides.
pub(crate) fn everything(
    optimizer: impl Into<OptimizerConfig>,
    batch_size: usize,
    engine: EngineKind,
) -> TrainConfig {
    let config = TrainConfig::course_deep().with(|c| {
        c.hidden = vec![12, 7];
        c.activations = vec![Activation::Tanh, Activation::Relu];
        c.optimizer = optimizer.into();
        c.engine = engine;
        c.learning_rate = 0.02;
        c.batch_size = batch_size;
        c.iterations = 23;
        c.log_every = 4;
        c.dropout = 0.2;
        c.mixup = 0.3;
        c.ema_decay = 0.7;
        c.calibrate = true;
        c.l2 = 0.1;
        c.clip_norm = 0.8;
        c.class_weights = ClassWeights::Named(NamedWeights::Balanced);
        c.validation = 0.2;
        c.validate_every = 3;
        c.patience = 50;
        c.restore_best = true;
        c.schedule = Schedule::Plateau { factor: 0.5, patience: 1, minimum: 0.0 };
        c.threads = 1;
    });
    config.unwrap()
}
