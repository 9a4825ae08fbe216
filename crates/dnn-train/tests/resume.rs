//! A run that goes on from any of its checkpoints ends with the same bits as one that was never
//! interrupted.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Keep, everything, three_classes};
use dnn_core::{Activation, Dataset, Examples, HiddenNormalization};
use dnn_train::config::OptimizerConfig;
use dnn_train::engine::EngineKind;
use dnn_train::optimizer::{Adam, GradientDescent, Momentum, Nesterov};
use dnn_train::schedule::Schedule;
use dnn_train::{
    Checkpoint, End, Flow, IterationEvent, Observer, TrainConfig, TrainError, Trained, Training,
};
use nalgebra::DMatrix;

fn data() -> Dataset<f64> {
    // More features than the dense engine sums up at a time.
    three_classes(600, 83)
}

fn run(
    config: &TrainConfig,
    checkpoint: Option<&Checkpoint>,
    observers: &mut [&mut dyn Observer],
) -> Result<Trained<f64>, TrainError> {
    let data = data();
    Training::new(config, &data).identified_by("data").resume_from(checkpoint).run(observers)
}

fn same_from_every_checkpoint(config: &TrainConfig) {
    let mut keep = Keep::default();
    let whole = run(config, None, &mut [&mut keep]).unwrap();
    assert_eq!(keep.0.len(), 23);
    assert!(whole.validations.len() == 8 && whole.best.is_some());
    // Passes over as many examples each, but for the last.
    let totals: Vec<_> = whole.epochs.iter().map(|epoch| epoch.score.total).collect();
    let is_whole = |total: &usize| *total == totals[0];
    assert_eq!(totals.is_empty(), config.batch_size == 0);
    assert!(totals.iter().rev().skip(1).all(is_whole), "{totals:?}");
    for (i, bytes) in keep.0.iter().enumerate() {
        let checkpoint = Checkpoint::from_bytes(bytes).unwrap();
        // Another number of threads must not matter.
        let config = config.clone().with(|c| c.threads = 1 + i % 3).unwrap();
        let resumed = run(&config, Some(&checkpoint), &mut []).unwrap();
        assert_eq!(resumed.network, whole.network, "from checkpoint {i}");
        assert_eq!(resumed.conformal, whole.conformal);
        assert_eq!((&resumed.costs, &resumed.epochs), (&whole.costs, &whole.epochs));
        assert_eq!(resumed.validations, whole.validations);
        assert_eq!(resumed.best, whole.best);
        assert_eq!(resumed.health, whole.health);
    }
}

/// The checkpoint at the end is one like any other: given more iterations, the run is the one that
/// was asked for all of them at once, also when its last validation was made only for the end.
#[test]
fn a_finished_run_goes_on_as_if_it_had_been_longer() {
    for (engine, optimizer) in [
        (EngineKind::Dense, OptimizerConfig::from(Adam::default())),
        (EngineKind::Gram, Momentum::default().into()),
    ] {
        let short = everything(optimizer, 10, engine);
        let long = short.clone().with(|c| c.iterations = 61).unwrap();
        let mut keep = Keep::default();
        let finished = run(&short, None, &mut [&mut keep]).unwrap();
        assert_eq!(finished.validations.last().unwrap().iteration, 23);
        let checkpoint = Checkpoint::from_bytes(keep.0.last().unwrap()).unwrap();
        assert_eq!(checkpoint.progress().iteration, 23);
        let (extended, whole) =
            (run(&long, Some(&checkpoint), &mut []).unwrap(), run(&long, None, &mut []).unwrap());
        assert_eq!(extended.network, whole.network);
        assert_eq!((extended.costs, extended.validations), (whole.costs, whole.validations));
        // The pass that was cut short is not among them.
        assert!(finished.epochs.last().unwrap().iteration == 23 && whole.epochs.len() > 2);
        assert_eq!(extended.epochs, whole.epochs);
        assert_eq!((extended.best, extended.health), (whole.best, whole.health));
    }
}

/// Numbers that are not finite never become the best, a log line or part of a checkpoint.
#[test]
fn a_validation_cost_that_is_no_number_ends_training() {
    let data = data();
    // Examples of the validation set overflow, some of them in whatever order sums are taken; training does
    // not see them.
    let x = DMatrix::from_fn(600, 40, |i, j| match j {
        0 => data.x()[(i, j)],
        _ if (i * j + i / 7) % 3 == 0 => f64::MAX,
        _ => -f64::MAX,
    });
    let labels = (0..40).map(|j| j % 2).collect();
    let validation = Dataset::new(x, labels, data.classes().to_vec()).unwrap();
    let config = everything(Adam::default(), 10, EngineKind::Dense)
        .with(|c| {
            (c.validation, c.activation) = (0.0, Activation::Relu);
            (c.ema_decay, c.mixup) = (0.0, 0.0);
        })
        .unwrap();
    let mut keep = Keep::default();
    let error = Training::new(&config, &data)
        .validate_on(Some(&validation))
        .run(&mut [&mut keep])
        .unwrap_err();
    assert!(matches!(error, TrainError::ValidationDiverged { iteration: 3, .. }), "{error}");
    assert_eq!(keep.0.len(), 2, "before the validation");
    for bytes in &keep.0 {
        assert!(Checkpoint::from_bytes(bytes).unwrap().progress().validations.is_empty());
    }
}

/// Weights that overflow in the last update before a checkpoint are not kept.
#[test]
fn parameters_that_are_not_finite_are_not_offered_as_a_checkpoint() {
    let config = everything(GradientDescent, 0, EngineKind::Dense)
        .with(|c| {
            c.learning_rate = 1e300;
            (c.clip_norm, c.schedule, c.dropout) = (0.0, Schedule::Constant, 0.0);
            (c.validation, c.validate_every, c.patience) = (0.0, 0, 0);
            (c.restore_best, c.calibrate) = (false, false);
        })
        .unwrap();
    let mut keep = Keep::default();
    let error = run(&config, None, &mut [&mut keep]).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    for bytes in &keep.0 {
        let checkpoint = Checkpoint::from_bytes(bytes).unwrap();
        let again = run(&config, Some(&checkpoint), &mut []).unwrap_err();
        assert!(matches!(again, TrainError::Diverged { .. }), "{again}");
    }
}

#[test]
fn nothing_starts_until_the_checkpoint_fits() {
    #[derive(Default)]
    struct Started(usize);
    impl Observer for Started {
        fn on_start(&mut self) -> Flow {
            self.0 += 1;
            if self.0 > 1 { Flow::Stop } else { Flow::Continue }
        }
        fn on_iteration(&mut self, _: &IterationEvent<'_>) -> Flow {
            Flow::Continue
        }
    }
    let linear = everything(Momentum::default(), 10, EngineKind::Auto);
    let mut keep = Keep::default();
    let mut started = Started::default();
    run(&linear, None, &mut [&mut keep, &mut started]).unwrap();
    assert_eq!(started.0, 1);
    let checkpoint = Checkpoint::from_bytes(&keep.0[3]).unwrap();
    assert_eq!(checkpoint.progress().engine, "gram", "the test needs the other engine");
    // An optimizer that this engine cannot take is an error, not a panic.
    let adam = linear.clone().with(|c| c.optimizer = Adam::default().into()).unwrap();
    let error = run(&adam, Some(&checkpoint), &mut [&mut started]).unwrap_err();
    let error = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(error, "it is of another run: the engine was gram, and is dense");
    assert_eq!(started.0, 1, "refused before it started");
    let stopped = run(&linear, Some(&checkpoint), &mut [&mut started]).unwrap();
    assert_eq!((stopped.end, stopped.iterations), (End::Asked, checkpoint.progress().iteration));
}

#[test]
fn every_optimizer_with_mini_batches_and_dropout() {
    for optimizer in OptimizerConfig::all() {
        same_from_every_checkpoint(&everything(optimizer, 10, EngineKind::Dense));
    }
}

#[test]
fn whole_sets_without_clipping() {
    for optimizer in [OptimizerConfig::from(GradientDescent), Adam::default().into()] {
        let config =
            everything(optimizer, 0, EngineKind::Dense).with(|c| c.clip_norm = 0.0).unwrap();
        same_from_every_checkpoint(&config);
    }
}

#[test]
fn whole_sets_and_the_gram_engine() {
    for optimizer in [OptimizerConfig::from(GradientDescent), Nesterov::default().into()] {
        same_from_every_checkpoint(&everything(optimizer, 0, EngineKind::Gram));
        same_from_every_checkpoint(&everything(optimizer, 10, EngineKind::Gram));
    }
    same_from_every_checkpoint(&everything(Adam::default(), 0, EngineKind::Dense));
}

#[test]
fn normalised_layers_in_either_engine() {
    for (optimizer, batch_size, engine) in [
        (OptimizerConfig::from(Adam::default()), 10, EngineKind::Dense),
        (GradientDescent.into(), 0, EngineKind::Gram),
    ] {
        let config = everything(optimizer, batch_size, engine);
        let config = config.with(|c| c.normalization = HiddenNormalization::Layer).unwrap();
        same_from_every_checkpoint(&config);
    }
}

#[test]
fn a_stop_from_outside_leaves_a_checkpoint_to_go_on_from() {
    let config = everything(Adam::default(), 10, EngineKind::Dense);
    let whole = run(&config, None, &mut []).unwrap();
    for at in [0, 1, 8, 22] {
        let mut keep = Keep::default();
        let mut stop = |event: &IterationEvent<'_>| {
            if event.iteration == at { Flow::Stop } else { Flow::Continue }
        };
        run(&config, None, &mut [&mut stop, &mut keep]).unwrap();
        let checkpoint = Checkpoint::from_bytes(keep.0.last().unwrap()).unwrap();
        assert_eq!(checkpoint.progress().iteration, at);
        let resumed = run(&config, Some(&checkpoint), &mut []).unwrap();
        assert_eq!((resumed.network, resumed.costs), (whole.network.clone(), whole.costs.clone()));
    }
}

#[test]
fn another_run_is_refused() {
    let config = everything(Momentum::default(), 10, EngineKind::Dense);
    let mut keep = Keep::default();
    run(&config, None, &mut [&mut keep]).unwrap();
    let checkpoint = Checkpoint::from_bytes(&keep.0[3]).unwrap();
    let message = |config: &TrainConfig, data_name: &str| {
        let data = data();
        let training = Training::new(config, &data).identified_by(data_name);
        let error = training.resume_from(Some(&checkpoint)).run(&mut []).unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    };
    let error = message(&config, "other data");
    assert_eq!(error, "it is of another run: the data was data, and is other data");
    let wider = config.clone().with(|c| c.hidden = vec![13, 7]).unwrap();
    assert_eq!(message(&wider, "data"), "tensor W1: expected 600×13 f64, got 600×12 f64");
    let adam = config.clone().with(|c| c.optimizer = Adam::default().into()).unwrap();
    assert!(message(&adam, "data").contains("moment2: expected 600×12 f64, got no such tensor"));
    let gram = config.with(|c| c.engine = EngineKind::Gram).unwrap();
    assert_eq!(message(&gram, "data"), "it is of another run: the engine was dense, and is gram");
}

/// The program may be killed between its last checkpoint and the model.
#[test]
fn a_run_that_had_stopped_early_stays_stopped() {
    let patient = everything(Adam::default(), 10, EngineKind::Dense);
    let config =
        patient.with(|c| (c.patience, c.iterations, c.learning_rate) = (2, 300, 0.1)).unwrap();
    let mut keep = Keep::default();
    let whole = run(&config, None, &mut [&mut keep]).unwrap();
    assert_eq!(whole.end, End::Early);
    for bytes in keep.0.iter().rev().take(3) {
        let checkpoint = Checkpoint::from_bytes(bytes).unwrap();
        let resumed = run(&config, Some(&checkpoint), &mut []).unwrap();
        assert_eq!((resumed.end, resumed.iterations), (End::Early, whole.iterations));
        assert_eq!(resumed.network, whole.network);
    }
}
