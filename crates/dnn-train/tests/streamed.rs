//! Examples that are read batch by batch: the same training as from memory, and examples that change
//! from epoch to epoch.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::Source;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Dataset, DatasetError};
use dnn_train::engine::EngineKind;
use dnn_train::observer::{Flow, Moment};
use dnn_train::optimizer::Momentum;
use dnn_train::{
    Checkpoint, IterationEvent, Observer, TrainConfig, TrainError, Trained, Training, train,
};

fn stream(noise: f64) -> Source<f64> {
    let mut rng = Generator::new(RngKind::Modern, 5).unwrap();
    // More features than are summed up at a time.
    let x = rng.normal_matrix(1_300, 50);
    let labels = (0..50).map(|i| u32::from(i % 3 == 0)).collect();
    let data = Dataset::new(x, labels, vec!["a".into(), "b".into()]).unwrap();
    Source::streamed(data, noise)
}

fn config(batch_size: usize, validation: f64) -> TrainConfig {
    TrainConfig::course_deep()
        .with(|c| {
            c.hidden = vec![6, 4];
            c.batch_size = batch_size;
            c.iterations = 60;
            c.learning_rate = 0.01;
            c.optimizer = Momentum { momentum: 0.9 }.into();
            c.l2 = 0.1;
            c.dropout = 0.2;
            c.validation = validation;
            c.engine = EngineKind::Dense;
            c.log_every = 7;
        })
        .unwrap()
}

#[test]
fn batches_that_are_read_train_as_those_in_memory_to_the_bit() {
    let stream = stream(0.0);
    for (batch_size, validation) in [(0, 0.0), (16, 0.0), (7, 0.2), (50, 0.2)] {
        let config = config(batch_size, validation);
        let from_memory = train(&config, &stream.data, &mut []).unwrap();
        let streamed = train(&config, &stream, &mut []).unwrap();
        assert_eq!(streamed.network, from_memory.network, "{batch_size} {validation}");
        assert_eq!(streamed.costs, from_memory.costs);
        assert_eq!(streamed.validations, from_memory.validations);
    }
}

/// Keeps the checkpoint of one iteration and stops there.
struct Interrupt(usize, Option<Checkpoint>);

impl Observer for Interrupt {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        if event.iteration == self.0 { Flow::Stop } else { Flow::Continue }
    }
    fn wants_checkpoint(&mut self, moment: &Moment) -> bool {
        moment.iteration == self.0
    }
    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, _: &Moment) {
        self.1 = Some(checkpoint.clone());
    }
}

#[test]
fn examples_that_change_do_so_alike_after_a_resume() {
    let stream = stream(0.3);
    let config = config(16, 0.2);
    let whole: Trained<f64> = train(&config, &stream, &mut []).unwrap();
    assert_ne!(whole.network, train(&config, &stream.data, &mut []).unwrap().network);
    for at in [1, 4, 33] {
        let mut interrupt = Interrupt(at, None);
        train(&config, &stream, &mut [&mut interrupt]).unwrap();
        let training = Training::new(&config, &stream).resume_from(interrupt.1.as_ref());
        let resumed = training.run(&mut []).unwrap();
        assert_eq!(resumed.network, whole.network, "from iteration {at}");
        assert_eq!(resumed.costs, whole.costs);
    }
}

#[test]
fn a_source_that_fails_ends_training_with_its_words() {
    let stream = Source { breaks: 2, ..stream(0.0) };
    let error = train(&config(16, 0.0), &stream, &mut []).unwrap_err();
    assert!(
        matches!(&error, TrainError::Data(DatasetError::Read(e)) if e.to_string() == "the disk is gone")
    );
    let gram = config(0, 0.0).with(|c| c.engine = EngineKind::Gram).unwrap();
    assert!(matches!(train(&gram, &stream, &mut []), Err(TrainError::GramStreamed)));
}

#[test]
fn an_observer_that_panics_does_not_leave_the_reader_waiting() {
    let stream = stream(0.0);
    let mut fails = |event: &IterationEvent<'_>| {
        assert!(event.iteration < 3, "as meant");
        Flow::Continue
    };
    let mut observers: [&mut dyn Observer; 1] = [&mut fails];
    let run = std::panic::AssertUnwindSafe(|| train(&config(16, 0.0), &stream, &mut observers));
    assert!(std::panic::catch_unwind(run).is_err());
}
