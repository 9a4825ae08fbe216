//! With micro-shards, any number of ranks that train together end with the same bits, and so does one
//! process.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Source, everything, three_classes};
use dnn_train::config::OptimizerConfig;
use dnn_train::engine::EngineKind;
use dnn_train::optimizer::{Adam, GradientDescent, Momentum};
use dnn_train::{
    Checkpoint, Communicator, End, Flow, IterationEvent, Messages, Moment, Observer, TrainConfig,
    TrainError, Trainable, Trained, Training, TrainingPrecision, evaluate, evaluate_on_ranks,
};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A rank that is a thread.
#[derive(Debug)]
struct ThreadRank {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
    under_way: Mutex<VecDeque<Messages>>,
}

impl ThreadRank {
    fn job(size: usize) -> Vec<Self> {
        let mut ranks: Vec<_> = (0..size)
            .map(|rank| Self { rank, to: vec![], from: vec![], under_way: Mutex::default() })
            .collect();
        for from in 0..size {
            for to in 0..size {
                let (sender, receiver) = channel();
                ranks[from].to.push(sender);
                ranks[to].from.push(Mutex::new(receiver));
            }
        }
        ranks
    }
}

impl Communicator for ThreadRank {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.to.len()
    }
    fn start(&self, mut messages: Messages) {
        for (rank, places) in messages.outgoing.iter().enumerate() {
            for place in places.iter().filter(|_| rank != self.rank) {
                let message = &messages.buffers[place.buffer].bytes()[place.bytes.clone()];
                self.to[rank].send(message.to_vec()).unwrap();
            }
        }
        self.under_way.lock().unwrap().push_back(messages);
    }
    fn finish(&self) -> Messages {
        let mut messages = self.under_way.lock().unwrap().pop_front().unwrap();
        for (rank, places) in messages.incoming.iter().enumerate() {
            for place in places.iter().filter(|_| rank != self.rank) {
                let received = self.from[rank].lock().unwrap().recv().unwrap();
                // Panics when it has not the length that was announced.
                messages.buffers[place.buffer].bytes()[place.bytes.clone()]
                    .copy_from_slice(&received);
            }
        }
        messages
    }
}

/// What each of `size` ranks gives.
fn on_ranks<T: Send>(size: usize, run: impl Fn(&dyn Communicator) -> T + Sync) -> Vec<T> {
    let (job, run) = (ThreadRank::job(size), &run);
    std::thread::scope(|scope| {
        let ranks: Vec<_> = job.into_iter().map(|rank| scope.spawn(move || run(&rank))).collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

/// Keeps every checkpoint that is offered, and may stop before an iteration.
#[derive(Default)]
struct Keep {
    checkpoints: Vec<Checkpoint>,
    stop_at: Option<usize>,
}

impl Observer for Keep {
    fn on_iteration(&mut self, event: &IterationEvent<'_>) -> Flow {
        if self.stop_at == Some(event.iteration) { Flow::Stop } else { Flow::Continue }
    }
    fn wants_checkpoint(&mut self, _: &Moment) -> bool {
        true
    }
    fn on_checkpoint(&mut self, checkpoint: &Checkpoint, _: &Moment) {
        self.checkpoints.push(checkpoint.clone());
    }
}

fn source<F: dnn_core::Real>(n_features: usize, is_streamed: bool) -> Source<F> {
    Source { is_streamed, ..Source::streamed(three_classes(n_features, 101), 0.01) }
}

/// Mini-batches of 37 examples, which no number of shards divides.
fn config(optimizer: impl Into<OptimizerConfig>, engine: EngineKind) -> TrainConfig {
    let config = everything(optimizer, 37, engine).with(|c| {
        (c.iterations, c.threads, c.mixup) = (14, 2, 0.0);
        c.micro_shards = Some(8);
    });
    config.unwrap()
}

/// What must not depend on the number of ranks.
type Outcome<F> = (Trained<F>, Vec<Checkpoint>);

fn run<F: Trainable>(
    config: &TrainConfig,
    source: &Source<F>,
    communicator: Option<&dyn Communicator>,
    checkpoint: Option<&Checkpoint>,
) -> Outcome<F> {
    let mut keep = Keep::default();
    let mut training = Training::new(config, source).identified_by("data").resume_from(checkpoint);
    if let Some(communicator) = communicator {
        training = training.communicator(communicator);
    }
    let trained = training.run(&mut [&mut keep]).unwrap();
    (trained, keep.checkpoints)
}

fn assert_same<F: Trainable>((got, got_checkpoints): &Outcome<F>, whole: &Outcome<F>, what: &str) {
    assert!(got.network == whole.0.network, "{what}");
    assert_eq!(got.costs, whole.0.costs, "{what}");
    assert_eq!(got.validations, whole.0.validations, "{what}");
    assert_eq!(got.conformal, whole.0.conformal, "{what}");
    assert_eq!(got.health, whole.0.health, "{what}");
    assert!(whole.1.ends_with(got_checkpoints), "checkpoints, {what}");
}

/// One process, which differs from one without micro-shards, and each of these numbers of ranks.
fn same_on<F: Trainable>(sizes: &[usize], config: &TrainConfig, source: &Source<F>, what: &str) {
    let whole = run(config, source, None, None);
    let sums = config.engine == EngineKind::Dense || config.hidden.len() > 1;
    if sums {
        let unsharded = config.clone().with(|c| c.micro_shards = None).unwrap();
        let unsharded = run(&unsharded, source, None, None);
        // Signs of gradients are the same in another order of sums, costs are not.
        let same = (&unsharded.0.network, &unsharded.0.costs) == (&whole.0.network, &whole.0.costs);
        assert!(!same, "{what}: shards change the order of sums");
    }
    for &size in sizes {
        let ranks = on_ranks(size, |rank| run(config, source, Some(rank), None));
        for (rank, outcome) in ranks.iter().enumerate() {
            assert_same(outcome, &whole, &format!("{what}: rank {rank} of {size}"));
        }
    }
}

#[test]
fn every_optimizer_ends_alike_on_any_number_of_ranks() {
    for optimizer in OptimizerConfig::all() {
        let config = config(optimizer, EngineKind::Dense);
        same_on(&[2, 3, 8], &config, &source::<f64>(40, false), optimizer.name());
    }
}

#[test]
fn every_number_of_ranks_ends_alike() {
    let sizes = [1, 2, 3, 4, 5, 6, 7, 8];
    // More features than the dense engine sums up at a time; few examples in the last batch.
    let dense = config(Adam::default(), EngineKind::Dense);
    same_on(&sizes, &dense, &source::<f64>(600, false), "dense");
    let gram = config(Momentum::default(), EngineKind::Gram);
    same_on(&sizes, &gram, &source::<f64>(600, false), "gram");
    same_on(&sizes, &dense, &source::<f64>(40, true), "streamed");
}

#[test]
fn what_training_has_beside_ends_alike() {
    type Change = fn(&mut dnn_train::config::RawTrainConfig);
    let changes: [(&str, Change); 10] = [
        ("layer normalisation", |c| c.normalization = dnn_core::HiddenNormalization::Layer),
        ("wide layers that are normalised", |c| {
            (c.hidden, c.activations) = (vec![260, 520], vec![]);
            (c.iterations, c.normalization) = (3, dnn_core::HiddenNormalization::Layer);
        }),
        ("whole set", |c| c.batch_size = 0),
        ("without clipping", |c| c.clip_norm = 0.0),
        ("mixup", |c| c.mixup = 0.3),
        ("mixup of the whole set", |c| (c.batch_size, c.mixup) = (0, 0.3)),
        ("fewer examples than shards", |c| c.batch_size = 5),
        ("13 shards", |c| c.micro_shards = Some(13)),
        ("logistic regression", |c| (c.hidden, c.activations) = (vec![], vec![])),
        ("wide layers", |c| {
            (c.hidden, c.activations) = (vec![260, 520, 70], vec![]);
            (c.iterations, c.learning_rate) = (4, 0.001);
        }),
    ];
    for (what, change) in changes {
        for engine in [EngineKind::Dense, EngineKind::Gram] {
            let config = config(Momentum::default(), engine).with(change).unwrap();
            same_on(&[2, 3, 5], &config, &source::<f64>(300, false), &format!("{what}, {engine}"));
        }
        let config = config(Momentum::default(), EngineKind::Dense).with(change).unwrap();
        same_on(&[2, 5], &config, &source::<f64>(300, true), &format!("{what}, streamed"));
        for precision in [TrainingPrecision::F32, TrainingPrecision::Bf16] {
            let config = config.clone().with(|c| c.precision = precision).unwrap();
            let source = source::<f32>(300, false);
            same_on(&[2, 5], &config, &source, &format!("{what}, {precision}"));
        }
    }
}

#[test]
fn a_checkpoint_goes_on_with_any_number_of_ranks() {
    for (engine, is_streamed) in
        [(EngineKind::Dense, false), (EngineKind::Dense, true), (EngineKind::Gram, false)]
    {
        let (config, source) =
            (config(Momentum::default(), engine), source::<f64>(40, is_streamed));
        let whole = run(&config, &source, None, None);
        let of_four = on_ranks(4, |rank| run(&config, &source, Some(rank), None)).swap_remove(0);
        for (at, size) in [(3, 1), (5, 3), (9, 2), (2, 8)] {
            let checkpoint = &of_four.1[at];
            let what = format!("{engine}, from checkpoint {at} on {size} ranks");
            for outcome in
                on_ranks(size, |rank| run(&config, &source, Some(rank), Some(checkpoint)))
            {
                assert_same(&outcome, &whole, &what);
            }
        }
    }
}

#[test]
fn the_first_rank_decides_when_to_stop() {
    let (config, source) = (config(GradientDescent, EngineKind::Dense), source::<f64>(40, false));
    let ends = on_ranks(3, |rank| {
        let stop_at = [Some(6), None, Some(2)][rank.rank()];
        let mut keep = Keep { stop_at, ..Keep::default() };
        let training = Training::new(&config, &source).communicator(rank);
        let trained = training.run(&mut [&mut keep]).unwrap();
        (trained.end, trained.iterations)
    });
    assert_eq!(ends, [(End::Asked, 6); 3]);
}

#[test]
fn an_evaluation_is_the_same_on_any_number_of_ranks() {
    let (config, source) = (config(GradientDescent, EngineKind::Dense), source::<f64>(40, true));
    let network = run(&config, &source, None, None).0.network;
    let whole = evaluate(&network, &source).unwrap();
    for size in [1, 2, 5] {
        for judged in on_ranks(size, |rank| evaluate_on_ranks(&network, &source, rank).unwrap()) {
            assert_eq!(judged.probabilities, whole.probabilities);
            assert_eq!((judged.cost, judged.score), (whole.cost, whole.score));
        }
    }
}

#[test]
fn more_ranks_than_shards_are_refused_and_texts_go_round() {
    let (config, source) = (config(GradientDescent, EngineKind::Dense), source::<f64>(40, false));
    let errors = on_ranks(9, |rank| {
        let texts = rank.gather_text(&"x".repeat(rank.rank()));
        assert_eq!(texts, (0..9).map(|rank| "x".repeat(rank)).collect::<Vec<_>>());
        Training::new(&config, &source).communicator(rank).run(&mut []).map(|_| ()).unwrap_err()
    });
    for error in errors {
        assert!(matches!(error, TrainError::Ranks { ranks: 9, micro_shards: 8 }), "{error}");
        assert!(error.to_string().starts_with("9 ranks for 8 micro-shards"), "{error}");
    }
}

/// What is larger than a piece, empty, or of one byte comes to the first rank whole and in order.
#[test]
fn what_each_rank_has_is_collected_by_the_first() {
    let of = |rank: usize| vec![rank as u8; [5, (1 << 20) + 3, 0, 1][rank]];
    for size in 1..=4 {
        let collected = on_ranks(size, |communicator| {
            let (own, mut taken) = (of(communicator.rank()), Vec::new());
            let mut take = |bytes: &[u8]| {
                taken.extend_from_slice(bytes);
                Ok(())
            };
            communicator.collect(&mut own.as_slice(), &mut take).unwrap();
            taken
        });
        let others: Vec<u8> = (1..size).flat_map(of).collect();
        assert!(collected[0] == others, "{size} ranks");
        assert!(collected[1..].iter().all(Vec::is_empty), "only the first takes");
    }
}
