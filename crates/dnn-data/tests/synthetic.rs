//! Laws of the drawn images: the same everywhere, balanced, distinct, with factors in their ranges.

#![cfg(feature = "synthetic")]

use dnn_data::ImageSet;
use dnn_data::synthetic::{Cause, DrawOptions, draw};
use std::collections::HashSet;

fn sized(n_train: usize, n_test: usize, seed: u64, size: usize) -> DrawOptions {
    DrawOptions { n_train, n_test, seed, size }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Printed by `cargo test -p dnn-data --test synthetic` where they differ. A change here is a change
/// of everybody's data: it needs a line in the changelog.
#[test]
fn the_bytes_are_pinned() {
    let default = draw(&DrawOptions::default()).expect("the defaults");
    let odd = draw(&sized(21, 20, u64::MAX, 37)).expect("any size");
    let hashes = [&default.train, &default.test, &odd.train, &odd.test].map(|s| fnv(s.pixels()));
    assert_eq!(
        hashes.map(|h| format!("{h:016x}")),
        ["16ccb4beb337c7e8", "b0720f8b6902054a", "53aa263bffd0c002", "de24123a90c3974f"]
    );
}

#[test]
fn a_larger_set_begins_with_the_smaller_one() {
    let small = draw(&sized(5, 3, 9, 24)).expect("a small set");
    let large = draw(&sized(11, 8, 9, 24)).expect("a larger set");
    let begins = |long: &ImageSet, short: &ImageSet| {
        long.pixels().starts_with(short.pixels()) && long.labels().starts_with(short.labels())
    };
    assert!(begins(&large.train, &small.train) && begins(&large.test, &small.test));
    assert!(large.train_factors.starts_with(&small.train_factors));
    assert!(large.test_factors.starts_with(&small.test_factors));
}

#[test]
fn no_two_images_are_the_same() {
    let mut seen = HashSet::new();
    for seed in [1, 2] {
        let drawn = draw(&sized(60, 60, seed, 32)).expect("two sets");
        for set in [&drawn.train, &drawn.test] {
            for image in set.pixels().chunks_exact(32 * 32 * 3) {
                assert!(seen.insert(image.to_vec()), "an image of seed {seed} comes twice");
            }
        }
    }
    assert_eq!(seen.len(), 240);
}

#[test]
fn classes_are_balanced_and_every_cause_occurs() {
    let drawn = draw(&sized(200, 100, 3, 16)).expect("two sets");
    let sets = [(&drawn.train, &drawn.train_factors), (&drawn.test, &drawn.test_factors)];
    for (set, factors) in sets {
        let cats = set.labels().iter().filter(|&&label| label == 1).count();
        assert_eq!(2 * cats, set.len());
        assert_eq!(factors.len(), set.len());
        for factors in factors {
            assert_eq!(factors.check(), Ok(()));
        }
        for cause in Cause::ALL {
            let extreme = factors.iter().filter(|f| f.strength(cause) >= 0.5).count();
            let share = extreme as f64 / set.len() as f64;
            assert!((0.01..0.5).contains(&share), "{} in {share} of the images", cause.name());
        }
    }
}

#[test]
fn impossible_sets_are_refused() {
    for (options, says) in [
        (sized(0, 1, 1, 64), "0 images"),
        (sized(1, 1, 1, 8), "a size of 8 pixels; must be 16 to 512"),
        (sized(usize::MAX, 1, 1, 64), "at most"),
    ] {
        let error = draw(&options).expect_err("it cannot be drawn").to_string();
        assert!(error.contains(says), "{error}");
    }
}
