//! The order of the batches has a seed of its own.
#![allow(clippy::unwrap_used)] // tests

use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Dataset, Network};
use dnn_train::{TrainConfig, Training};

fn trained(seed: u64, shuffle_seed: Option<u64>, batch_size: usize) -> Network<f64> {
    let x = Generator::new(RngKind::Modern, 5).unwrap().normal_matrix(6, 40);
    let labels = (0..40).map(|i| u32::from(x[(0, i)] > 0.0)).collect();
    let data = Dataset::new(x, labels, vec!["a".into(), "b".into()]).unwrap();
    let config = TrainConfig::course_deep().with(|c| {
        (c.hidden, c.iterations, c.batch_size) = (vec![4], 20, batch_size);
        (c.seed, c.shuffle_seed) = (seed, shuffle_seed);
    });
    Training::new(&config.unwrap(), &data).run(&mut []).unwrap().network
}

#[test]
fn without_one_the_order_is_that_of_the_seed_and_with_one_only_the_order_changes() {
    assert_eq!(trained(3, None, 8), trained(3, Some(3), 8));
    assert_ne!(trained(3, None, 8), trained(3, Some(4), 8));
    // Whole sets have no order, so that the initial weights alone could differ.
    assert_eq!(trained(3, None, 0), trained(3, Some(4), 0));
    assert_ne!(trained(3, Some(4), 8), trained(4, Some(4), 8));
}
