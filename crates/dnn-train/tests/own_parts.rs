//! A cost and an optimizer of a user's own take the place of the built-in ones.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::nalgebra::DMatrixViewMut;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Dataset, Real};

use dnn_train::config::RawTrainConfig;
use dnn_train::engine::{EngineKind, GramMatrix};
use dnn_train::optimizer::{Momentum, Optimizer, Step};
use dnn_train::{
    Checkpoint, Cost, CrossEntropy, Flow, IterationEvent, Moment, Observer, TrainConfig,
    TrainError, Trained, Training, train,
};

/// The built-in cross-entropy, by another name and twice as large.
struct Twice(CrossEntropy);

impl<F: Real> Cost<F> for Twice {
    fn value_and_gradient(
        &self,
        z: &mut DMatrixViewMut<'_, F>,
        labels: &[u32],
        weights: &[F],
    ) -> f64 {
        let value = self.0.value_and_gradient(z, labels, weights);
        z.iter_mut().for_each(|z| *z *= F::of(2.0));
        2.0 * value
    }
}

/// Momentum, by another name; with more moments than the engines keep where that is asked for.
struct Own {
    n_moments: usize,
    is_linear: bool,
}

impl<F: Real> Optimizer<F> for Own {
    fn n_moments(&self) -> usize {
        self.n_moments
    }
    fn is_linear(&self) -> bool {
        self.is_linear
    }
    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], moments: &mut [&mut [F]]) {
        Momentum { momentum: 0.9 }.update(step, parameters, gradients, &mut moments[..1]);
    }
}

const OWN: Own = Own { n_moments: 1, is_linear: true };

fn data() -> Dataset<f64> {
    let mut rng = Generator::new(RngKind::Modern, 5).unwrap();
    let x = rng.normal_matrix(30, 60);
    let labels = (0..60).map(|i| u32::from(x[(0, i)] > 0.3)).collect();
    Dataset::new(x, labels, vec!["a".into(), "b".into()]).unwrap()
}

fn config(engine: EngineKind, learning_rate: f64, momentum: bool) -> TrainConfig {
    let config = TrainConfig::course_deep().with(|c| {
        c.hidden = vec![5];
        (c.engine, c.learning_rate, c.iterations) = (engine, learning_rate, 40);
        (c.validation, c.batch_size, c.log_every) = (0.2, 16, 10);
        if momentum {
            c.optimizer = Momentum { momentum: 0.9 }.into();
        }
    });
    config.unwrap()
}

#[test]
fn an_own_optimizer_and_cost_are_what_trains_and_judges() {
    let data = data();
    let twice = Twice(CrossEntropy::new(dnn_core::OutputActivation::Sigmoid));
    for engine in [EngineKind::Dense, EngineKind::Gram] {
        let expected = train(&config(engine, 0.02, true), &data, &mut []).unwrap();
        // Twice the cost at half the rate is the same way down.
        let config = config(engine, 0.01, false);
        let training = Training::new(&config, &data).optimizer(&OWN).cost(&twice);
        let got = training.run(&mut []).unwrap();
        assert_eq!(got.network, expected.network, "{engine}");
        assert_eq!(got.engine, engine.to_string());
        let double = |t: &Trained<f64>| t.costs.iter().map(|c| 2.0 * c.cost).collect::<Vec<_>>();
        assert_eq!(got.costs.iter().map(|c| c.cost).collect::<Vec<_>>(), double(&expected));
        let judged = got.validations.iter().zip(&expected.validations);
        assert!(judged.clone().count() > 0);
        assert!(judged.into_iter().all(|(a, b)| a.cost == 2.0 * b.cost && a.score == b.score));
    }
}

struct Keep(Option<Checkpoint>);

impl Observer for Keep {
    fn on_iteration(&mut self, _: &IterationEvent<'_>) -> Flow {
        Flow::Continue
    }
    fn wants_checkpoint(&mut self, moment: &Moment) -> bool {
        moment.iteration == 17
    }
    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, _: &Moment) {
        self.0 = Some(checkpoint.clone());
    }
}

#[test]
fn a_run_with_an_own_optimizer_resumes_with_the_same_bits() {
    let (data, config, mut keep) = (data(), config(EngineKind::Dense, 0.01, false), Keep(None));
    let whole = Training::new(&config, &data).optimizer(&OWN).run(&mut [&mut keep]).unwrap();
    let training = Training::new(&config, &data).optimizer(&OWN);
    let resumed = training.resume_from(keep.0.as_ref()).run(&mut []).unwrap();
    assert_eq!(resumed.network, whole.network);
}

#[test]
fn an_optimizer_that_no_engine_can_use_is_refused() {
    let data = data();
    let refused = |engine, own: Own| {
        let config = config(engine, 0.01, false);
        Training::new(&config, &data).optimizer(&own).run(&mut []).unwrap_err()
    };
    let error = refused(EngineKind::Gram, Own { is_linear: false, ..OWN });
    assert!(matches!(error, TrainError::GramNotLinear), "{error}");
    let error = refused(EngineKind::Dense, Own { n_moments: 3, ..OWN });
    assert!(error.to_string().contains("3 moments for each parameter: expected at most 2"));
}

#[test]
fn trainings_that_share_a_gram_matrix_end_as_alone() {
    let (data, other) = (data(), data());
    let gram = GramMatrix::new(data.x());
    let base = config(EngineKind::Gram, 0.05, true);
    let base = base.with(|c| (c.validation, c.batch_size) = (0.0, 0)).unwrap();
    let of = |change: &dyn Fn(&mut RawTrainConfig)| base.clone().with(|c| change(c)).unwrap();
    let configs = [
        of(&|c| c.seed = 1),
        of(&|c| c.seed = 2),
        of(&|c| c.batch_size = 16),
        of(&|c| c.hidden = vec![40]),
        of(&|c| c.micro_shards = Some(3)),
        // A part of the examples has a matrix of its own.
        of(&|c| c.validation = 0.2),
    ];
    for config in &configs {
        let shared = Training::new(config, &data).gram_matrix(Some(&gram)).run(&mut []).unwrap();
        let alone = train(config, &data, &mut []).unwrap();
        assert_eq!(shared.network, alone.network);
        // Nor is that of other examples taken.
        let of_other = Training::new(config, &other).gram_matrix(Some(&gram)).run(&mut []).unwrap();
        assert_eq!(of_other.network, alone.network);
    }
}
