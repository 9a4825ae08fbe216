//! Audits of drawn images and their copies, and of the course's own files.
#![cfg(all(feature = "hdf5", feature = "synthetic"))]
#![allow(clippy::unwrap_used)] // tests

mod common;

use dnn_data::audit::{
    Audit, AuditOptions, ImageRef, Likeness, MAX_DIFFERENCE, MAX_DISTANCE, Near, audit,
};
use dnn_data::hdf5;
use dnn_data::synthetic::{DrawOptions, draw};
use dnn_data::{ImageSet, ImageShape, SplitName, Splits};
use std::f64::consts::PI;

fn drawn(n: usize) -> ImageSet {
    draw(&DrawOptions { n_train: n, n_test: 1, seed: 7, size: 64 }).unwrap().train
}

/// The set with each image changed.
fn changed(set: &ImageSet, change: impl Fn(&[u8]) -> Vec<u8>) -> ImageSet {
    let pixels = (0..set.len()).flat_map(|i| change(set.image(i))).collect();
    ImageSet::new(pixels, set.shape(), set.labels().to_vec(), set.classes().to_vec()).unwrap()
}

fn look(train: &ImageSet, test: &ImageSet, near_distance: u32) -> Audit {
    let splits = Splits::new(Some(train.clone()), Some(test.clone())).unwrap();
    let options = AuditOptions { near_distance, max_listed: usize::MAX, ..AuditOptions::default() };
    audit(&splits, &[], &options).unwrap()
}

/// The share of copies that are found; each must be the copy of its own image.
fn share_found(train: &ImageSet, test: &ImageSet) -> f64 {
    let found = look(train, test, AuditOptions::NEAR_DISTANCE);
    for leak in &found.leaks.listed {
        assert_eq!(leak.test.index, leak.train.index, "a false pair");
        if let Likeness::Near { distance, difference } = leak.likeness {
            assert!(distance <= AuditOptions::NEAR_DISTANCE && difference <= MAX_DIFFERENCE);
        }
    }
    found.leaks.total as f64 / test.len() as f64
}

/// Moves 64×64 RGB right and down, repeating the edge.
fn moved(image: &[u8], right: usize, down: usize) -> Vec<u8> {
    let pixel = |y: usize, x: usize| {
        let at = y.saturating_sub(down) * 64 + x.saturating_sub(right);
        &image[at * 3..][..3]
    };
    (0..64 * 64).flat_map(|at| pixel(at / 64, at % 64)).copied().collect()
}

/// What a JPEG loses: each 8×8 block of each channel in frequencies, rounded the coarser the higher.
fn recompressed(image: &[u8]) -> Vec<u8> {
    let basis = |k: usize, x: usize| {
        let scale = if k == 0 { 0.125_f64.sqrt() } else { 0.5 };
        scale * ((2 * x + 1) as f64 * k as f64 * PI / 16.0).cos()
    };
    let table: Vec<f64> = (0..64).map(|at| basis(at / 8, at % 8)).collect();
    let mut out = image.to_vec();
    for block in 0..8 * 8 * 3 {
        let (top, left, channel) = (block / 24 * 8, block / 3 % 8 * 8, block % 3);
        let place = |at: usize| ((top + at / 8) * 64 + left + at % 8) * 3 + channel;
        let mut coefficients = [0.0; 64];
        for (k, coefficient) in coefficients.iter_mut().enumerate() {
            let sum: f64 = (0..64)
                .map(|at| {
                    f64::from(image[place(at)])
                        * table[k / 8 * 8 + at / 8]
                        * table[k % 8 * 8 + at % 8]
                })
                .sum();
            let step = 8.0 + 6.0 * (k / 8 + k % 8) as f64;
            *coefficient = (sum / step).round() * step;
        }
        for at in 0..64 {
            let sum: f64 = (0..64)
                .map(|k| coefficients[k] * table[k / 8 * 8 + at / 8] * table[k % 8 * 8 + at % 8])
                .sum();
            out[place(at)] = sum.round().clamp(0.0, 255.0) as u8;
        }
    }
    out
}

#[test]
fn copies_are_found_and_nothing_else() {
    let train = drawn(240);
    let found = look(&train, &drawn_with_another_seed(), AuditOptions::NEAR_DISTANCE);
    assert!(!found.has_conflicts(), "{:?}", found.leaks);
    let Near::Searched(near) = &found.near else { panic!("{:?}", found.near) };
    assert!(near.complete && near.duplicates.n_images == 0, "{near:?}");

    let brighter = |image: &[u8]| -> Vec<u8> {
        image.iter().map(|&v| (f64::from(v) * 1.03).round().min(255.0) as u8).collect()
    };
    let share = share_found(&train, &changed(&train, brighter));
    assert!(share > 0.98, "brighter: {share}");
    let share = share_found(&train, &changed(&train, |image| moved(image, 1, 0)));
    assert!(share > 0.85, "to the right: {share}");
    let share = share_found(&train, &changed(&train, |image| moved(image, 0, 1)));
    assert!(share > 0.9, "down: {share}");
    let few = drawn(40);
    let share = share_found(&few, &changed(&few, recompressed));
    assert!(share > 0.95, "recompressed: {share}");
}

fn drawn_with_another_seed() -> ImageSet {
    draw(&DrawOptions { n_train: 240, n_test: 1, seed: 8, size: 64 }).unwrap().train
}

#[test]
fn a_copy_in_other_colours_is_no_copy() {
    let train = drawn(30);
    // Red and blue exchanged, and green so that the grey value stays.
    let recoloured = changed(&train, |image| {
        let pixel = |p: &[u8; 3]| {
            let [r, g, b] = p.map(f64::from);
            let green = g + (0.299 - 0.114) / 0.587 * (r - b);
            [p[2], green.round().clamp(0.0, 255.0) as u8, p[0]]
        };
        image.as_chunks::<3>().0.iter().flat_map(pixel).collect()
    });
    let found = look(&train, &recoloured, AuditOptions::NEAR_DISTANCE);
    assert_eq!(found.leaks.total, 0);
}

#[test]
fn flat_and_small_images_are_not_near_duplicates() {
    let names = || ["a", "b"].map(String::from).to_vec();
    let flat = |side: usize| {
        let shape = ImageShape { height: side, width: side, channels: 1 };
        let pixels = (0..40_u8)
            .flat_map(|i| {
                let mut image = vec![100 + i; side * side];
                image[usize::from(i)] += 3;
                image
            })
            .collect();
        ImageSet::new(pixels, shape, vec![0; 40], names()).unwrap()
    };
    let splits = Splits::new(Some(flat(20)), None).unwrap();
    let Near::Searched(near) = audit(&splits, &[], &AuditOptions::default()).unwrap().near else {
        panic!("20×20 is large enough")
    };
    assert_eq!((near.n_flat, near.duplicates.n_images), (40, 0));
    let splits = Splits::new(Some(flat(15)), None).unwrap();
    let found = audit(&splits, &[], &AuditOptions::default()).unwrap();
    assert!(matches!(found.near, Near::TooSmall { .. }));
}

#[test]
fn lists_are_bounded_and_totals_are_not() {
    let shape = ImageShape { height: 2, width: 2, channels: 1 };
    let names = ["a", "b"].map(String::from).to_vec();
    let pixels: Vec<u8> = (0..40_u8).flat_map(|i| [i / 2; 4]).collect();
    let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let set = ImageSet::new(pixels, shape, labels, names).unwrap();
    let splits = Splits::new(Some(set.clone()), Some(set)).unwrap();
    let unreadable: Vec<_> =
        (0..5).map(|i| (format!("{i}.png").into(), "not an image".to_owned())).collect();
    let options = AuditOptions { max_listed: 3, ..AuditOptions::default() };
    let found = audit(&splits, &unreadable, &options).unwrap();
    let lengths = [
        (found.leaks.total, found.leaks.listed.len()),
        (found.contradictions.total, found.contradictions.listed.len()),
        (found.exact.groups.total, found.exact.groups.listed.len()),
        (found.constant.total, found.constant.listed.len()),
        (found.unreadable.total, found.unreadable.listed.len()),
    ];
    assert_eq!(lengths, [(40, 3), (20, 3), (20, 3), (80, 3), (5, 3)]);
    let group = &found.exact.groups.listed[0].images;
    assert_eq!((group.total, group.listed.len()), (4, 3));
    assert_eq!(found.unreadable.listed[2].path.to_str(), Some("2.png"));
}

#[test]
fn a_distance_beyond_the_tables_is_refused() {
    let splits = Splits::new(Some(drawn(1)), None).unwrap();
    let options = AuditOptions { near_distance: MAX_DISTANCE + 1, ..AuditOptions::default() };
    assert_eq!(
        audit(&splits, &[], &options).unwrap_err().to_string(),
        "distance of near duplicates: expected 0 to 15 bits, got 16"
    );
    assert!(audit(&Splits::default(), &[], &AuditOptions::default()).is_err());
}

#[test]
fn the_courses_sets_share_one_image() {
    let Some(folder) = common::real_data() else { return };
    let splits = common::load_hdf5(&folder, &hdf5::Options::default()).unwrap();
    for near_distance in [0, AuditOptions::NEAR_DISTANCE, MAX_DISTANCE] {
        let options = AuditOptions { near_distance, ..AuditOptions::default() };
        let found = audit(&splits, &[], &options).unwrap();
        assert_eq!(found.leaks.total, 1);
        let leak = found.leaks.listed[0];
        assert_eq!(leak.train, ImageRef { split: SplitName::Train, index: 146, label: 1 });
        assert_eq!(leak.test, ImageRef { split: SplitName::Test, index: 17, label: 1 });
        assert_eq!((leak.likeness, leak.n_train), (Likeness::Same, 1));
        assert_eq!((found.exact.n_images, found.contradictions.total), (2, 0));
        if let Near::Searched(near) = &found.near {
            assert_eq!((near.duplicates.n_images, near.n_flat), (0, 0));
        }
    }
}
