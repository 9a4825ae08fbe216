//! Where a run starts, when it ends, and what it does with its validation set then.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::metrics::ConformalScores;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Dataset, Examples, HiddenNormalization, Network};
use dnn_train::config::RawTrainConfig;
use dnn_train::engine::EngineKind;
use dnn_train::{
    Checkpoint, End, Flow, IterationEvent, Moment, Observer, TrainConfig, Training, evaluate,
    fit_temperature, train,
};

fn data(m: usize, n_classes: u32, seed: u64) -> Dataset<f64> {
    let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
    let x = rng.normal_matrix(12, m);
    let label = |j| {
        let noisy = x[(0, j)] + x[(1, j)] + 0.8 * rng.uniform();
        (0..n_classes - 1).filter(|&k| noisy > f64::from(k) * 0.7).count() as u32
    };
    let labels = (0..m).map(label).collect();
    let classes = (0..n_classes).map(|k| format!("class {k}")).collect();
    Dataset::new(x, labels, classes).unwrap()
}

fn config(change: impl FnOnce(&mut RawTrainConfig)) -> TrainConfig {
    let config = TrainConfig::course_deep().with(|c| {
        (c.hidden, c.learning_rate, c.iterations, c.log_every) = (vec![9, 5], 0.3, 60, 20);
    });
    config.unwrap().with(change).unwrap()
}

fn dims(network: &Network<f64>) -> Vec<usize> {
    network.architecture().layer_dims
}

#[test]
fn a_warm_start_takes_what_fits() {
    let (two, three) = (data(80, 2, 1), data(80, 3, 2));
    let short = config(|c| c.iterations = 0);
    let first = train(&config(|_| {}), &two, &mut []).unwrap().network;
    let start = |config: &TrainConfig, data: &Dataset<f64>, classes: &[String]| {
        let training = Training::new(config, data).start_from(&first, classes);
        training.run(&mut []).map(|trained| trained.network)
    };
    // The same classes: all of it. Others, or another number of them: but the output layer.
    assert_eq!(start(&short, &two, two.classes()).unwrap(), first);
    let drawn = train(&short, &two, &mut []).unwrap().network;
    let others = start(&short, &two, &["a".into(), "b".into()]).unwrap();
    assert_eq!(others.layers()[..2], first.layers()[..2]);
    assert_eq!(others.layers()[2], drawn.layers()[2]);
    let more = start(&short, &three, two.classes()).unwrap();
    assert_eq!(
        (more.layers()[..2].to_vec(), dims(&more)),
        (first.layers()[..2].to_vec(), vec![12, 9, 5, 3])
    );
    // A temperature belongs to what was trained before.
    let warm = first.clone().with_temperature(3.0).unwrap();
    let again = Training::new(&short, &two).start_from(&warm, two.classes()).run(&mut []).unwrap();
    assert_eq!(again.network.temperature(), 1.0);
    let other = config(|c| c.normalization = HiddenNormalization::Layer);
    let refused = start(&other, &two, two.classes()).unwrap_err().to_string();
    assert!(refused.contains("9-5-1 (ReLU, ReLU, normalised)"), "{refused}");
    let other = config(|c| c.hidden = vec![9, 6]);
    assert_eq!(
        start(&other, &two, two.classes()).unwrap_err().to_string(),
        "the network to start from is 12-9-5-1 (ReLU, ReLU), and this one is to be 12-9-6-1 (ReLU, \
         ReLU): only the output layer may differ"
    );
}

/// Keeps the last checkpoint.
#[derive(Default)]
struct Last(Option<Vec<u8>>);

impl Observer for Last {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        if event.iteration == 30 { Flow::Stop } else { Flow::Continue }
    }
    fn wants_checkpoint(&mut self, _: &Moment) -> bool {
        true
    }
    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, _: &Moment) {
        self.0 = Some(checkpoint.to_bytes().unwrap());
    }
}

#[test]
fn a_warm_start_resumes_from_the_same_network_only() {
    let two = data(80, 2, 1);
    let first = train(&config(|_| {}), &two, &mut []).unwrap().network;
    for engine in [EngineKind::Dense, EngineKind::Gram] {
        let config = config(|c| c.engine = engine);
        let training = || Training::new(&config, &two).start_from(&first, two.classes());
        let whole = training().run(&mut []).unwrap();
        let mut last = Last::default();
        training().run(&mut [&mut last]).unwrap();
        let checkpoint = Checkpoint::from_bytes(&last.0.unwrap()).unwrap();
        let resumed = training().resume_from(Some(&checkpoint)).run(&mut []).unwrap();
        assert_eq!((resumed.network, resumed.costs), (whole.network, whole.costs));
        let drawn = Training::new(&config, &two).resume_from(Some(&checkpoint)).run(&mut []);
        let error = std::error::Error::source(&drawn.unwrap_err()).unwrap().to_string();
        assert!(error.starts_with("it is of another run: the network it started from was crc32:"));
        assert!(error.ends_with(", and is a drawn one"), "{error}");
    }
}

#[test]
fn training_ends_when_its_time_is_over_and_goes_on_as_if_it_had_not() {
    let two = data(80, 2, 1);
    let limited = config(|c| (c.iterations, c.time) = (50_000_000, Some("20ms".parse().unwrap())));
    let mut last = Last::default();
    let stopped = Training::new(&limited, &two).run(&mut []).unwrap();
    assert_eq!(stopped.end, End::Time);
    assert!(stopped.iterations > 0);
    // Even a time that is over at once makes one update; the state then is one to go on from.
    let short = config(|c| c.time = Some("1ns".parse().unwrap()));
    let one = Training::new(&short, &two).run(&mut [&mut last]).unwrap();
    assert_eq!((one.end, one.iterations), (End::Time, 1));
    let checkpoint = Checkpoint::from_bytes(&last.0.unwrap()).unwrap();
    let unlimited = config(|_| {});
    let resumed = Training::new(&unlimited, &two).resume_from(Some(&checkpoint)).run(&mut []);
    let (resumed, whole) = (resumed.unwrap(), train(&unlimited, &two, &mut []).unwrap());
    assert_eq!((resumed.network, resumed.costs), (whole.network, whole.costs));
    // A run that is done in time has ended by itself.
    let long = config(|c| c.time = Some("1h".parse().unwrap()));
    assert_eq!(train(&long, &two, &mut []).unwrap().end, End::Completed);
}

#[test]
fn the_validation_set_calibrates_the_network() {
    for n_classes in [2, 3] {
        let (set, held_out) = (data(60, n_classes, 1), data(200, n_classes, 2));
        let config = config(|c| (c.iterations, c.learning_rate) = (3000, 0.5));
        let calibrating = config.clone().with(|c| c.calibrate = true).unwrap();
        let run = |config: &TrainConfig| {
            let training = Training::new(config, &set).validate_on(Some(&held_out));
            training.run(&mut []).unwrap()
        };
        let (plain, calibrated) = (run(&config), run(&calibrating));
        assert!(plain.conformal.is_none() && plain.network.temperature() == 1.0);
        let (network, logits) = (&calibrated.network, plain.network.logits(held_out.x()));
        assert_eq!(network.layers(), plain.network.layers());
        let t = fit_temperature(network.output(), &logits, held_out.labels());
        assert_eq!(network.temperature(), t);
        assert!(t > 1.2, "a network that has learnt 60 examples by heart is too sure: {t}");
        let cost = |network| evaluate(network, &held_out).unwrap();
        let (before, after) = (cost(&plain.network), cost(network));
        assert!(after.cost < before.cost - 0.01, "{} {}", after.cost, before.cost);
        assert_eq!(after.score, before.score, "the same predictions");
        let scores = ConformalScores::of(&after.probabilities, held_out.labels());
        assert_eq!(calibrated.conformal, Some(scores));
        let refused = Training::new(&calibrating, &set).check().unwrap_err().to_string();
        assert!(refused.contains("calibrate need a validation set"), "{refused}");
    }
}
