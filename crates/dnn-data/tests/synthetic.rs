//! Laws of the drawn images: the same everywhere, balanced, distinct, and made hard by the factors
//! that are recorded for them.

#![cfg(feature = "synthetic")]

use dnn_data::ImageSet;
use dnn_data::synthetic::{DrawOptions, DrawnSet, Factors, Kind, Plan, Posture, draw};
use std::collections::HashSet;

const SIZE: usize = 64;
const N_BYTES: usize = SIZE * SIZE * 3;

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
        ["8ae89d9d86e74117", "35ab7790830a4fa5", "b37b02fe7c96dbe4", "ca5d155298fed67d"]
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
fn classes_are_balanced_as_the_courses_are_and_kinds_evenly_drawn() {
    for seed in 0..20 {
        let n_cats = |split, n: usize| {
            (0..n).map(|i| Plan::new(seed, split, i).label() as usize).sum::<usize>()
        };
        // The course: 72 of 209 and 33 of 50.
        assert!((69..=70).contains(&n_cats(DrawnSet::Train, 209)));
        assert!((33..=34).contains(&n_cats(DrawnSet::Test, 50)));
        for (split, n) in [(DrawnSet::Train, 3 * 8 * 5), (DrawnSet::Test, 3 * 16 * 5)] {
            let kinds = (0..n).map(|i| Plan::new(seed, split, i).factors.kind);
            let others: Vec<Kind> = kinds.filter(|&kind| kind != Kind::Cat).collect();
            assert_eq!(others.len(), 80);
            for round in others.chunks(16) {
                assert_eq!(round.iter().collect::<HashSet<_>>().len(), 16, "{round:?}");
            }
        }
    }
}

#[test]
fn labels_and_factors_belong_to_the_images() {
    let drawn = draw(&sized(30, 12, 3, 16)).expect("two sets");
    let sets = [
        (&drawn.train, &drawn.train_factors, DrawnSet::Train),
        (&drawn.test, &drawn.test_factors, DrawnSet::Test),
    ];
    for (set, factors, split) in sets {
        assert_eq!(set.classes(), ["non-cat", "cat"]);
        for (i, image) in set.pixels().chunks_exact(16 * 16 * 3).enumerate() {
            let mut plan = Plan::new(3, split, i);
            assert_eq!(plan.factors, factors[i]);
            assert_eq!(set.labels()[i], u32::from(factors[i].kind == Kind::Cat));
            // The record is what was drawn: the same factors give the image, others do not.
            assert_eq!(plan.render(16).expect("a plan"), image);
            plan.factors.brightness = if factors[i].brightness < 1.0 { 1.3 } else { 0.7 };
            assert_ne!(plan.render(16).expect("a plan"), image);
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_refused_with_the_limits() {
    let message = |options| draw(&options).expect_err("cannot be drawn").to_string();
    assert_eq!(message(sized(1, 1, 1, 15)), "drawn images: a size of 15 pixels; must be 16 to 512");
    assert_eq!(
        message(sized(1, 1, 1, 513)),
        "drawn images: a size of 513 pixels; must be 16 to 512"
    );
    assert_eq!(
        message(sized(9, 0, 1, 64)),
        "drawn images: 0 images of 64×64 pixels to test; must be at least 1 and at most 87381"
    );
    assert_eq!(
        message(sized(usize::MAX, 5, 1, 64)),
        "drawn images: 18446744073709551615 images of 64×64 pixels to train; \
         must be at least 1 and at most 87381"
    );
    let mut plan = Plan::new(1, DrawnSet::Train, 0);
    plan.factors.camera_degrees = 90.0;
    assert!(plan.render(64).is_err());
}

/// The first `n` cats of the test split.
fn cats(n: usize) -> impl Iterator<Item = Plan> {
    (0..).map(|i| Plan::new(4, DrawnSet::Test, i)).filter(|plan| plan.label() == 1).take(n)
}

fn render(plan: &Plan, factors: Factors) -> Vec<u8> {
    let mut plan = plan.clone();
    plan.factors = factors;
    plan.render(SIZE).expect("factors in their ranges")
}

fn gap(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / a.len() as f64
}

/// The pixels that belong to the subject: those whose colour a rare colour changes.
fn mask(plan: &Plan, factors: Factors) -> Vec<bool> {
    let usual = render(plan, Factors { rare_color: false, ..factors });
    let rare = render(plan, Factors { rare_color: true, ..factors });
    usual.chunks(3).zip(rare.chunks(3)).map(|(a, b)| gap(a, b) > 2.0).collect()
}

fn area(mask: &[bool]) -> usize {
    mask.iter().filter(|&&inside| inside).count()
}

#[test]
fn brightness_is_the_light_of_the_whole_picture() {
    for plan in cats(4) {
        let usual = Factors::usual(Kind::Cat);
        let mean = |brightness| {
            let image = render(&plan, Factors { brightness, ..usual });
            image.iter().map(|&v| f64::from(v)).sum::<f64>() / N_BYTES as f64
        };
        let (dark, normal, bright) = (mean(0.5), mean(1.0), mean(1.5));
        assert!((dark / normal - 0.5).abs() < 0.02, "{dark} of {normal}");
        // Above, some pixels are overexposed.
        assert!((1.25..1.52).contains(&(bright / normal)), "{bright} of {normal}");
    }
}

#[test]
fn scale_is_the_side_of_the_subject_and_the_camera_foreshortens_it() {
    for plan in cats(4) {
        let usual = Factors { posture: Posture::Sitting, ..Factors::usual(Kind::Cat) };
        let at = |scale, camera_degrees| {
            area(&mask(&plan, Factors { scale, camera_degrees, ..usual })) as f64
        };
        let ratio = at(0.9, 0.0) / at(0.6, 0.0);
        assert!((1.9..2.6).contains(&ratio), "1.5² = 2.25 times the area, got {ratio}");
        let flat = at(0.6, 50.0) / at(0.6, 0.0);
        assert!((0.45..0.85).contains(&flat), "cos 50° = 0.64 of the area, got {flat}");
    }
}

#[test]
fn pose_turns_the_subject_by_its_angle() {
    /// Angle of the longer axis of a mask, clockwise from the vertical.
    fn lean(mask: &[bool]) -> f64 {
        let points: Vec<(f64, f64)> = (0..mask.len())
            .filter(|&i| mask[i])
            .map(|i| ((i % SIZE) as f64, (i / SIZE) as f64))
            .collect();
        let n = points.len() as f64;
        let (x0, y0) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
        let (xx, xy, yy) = points.iter().fold((0.0, 0.0, 0.0), |(xx, xy, yy), p| {
            let (x, y) = (p.0 - x0, p.1 - y0);
            (xx + x * x, xy + x * y, yy + y * y)
        });
        -(f64::atan2(2.0 * xy, yy - xx) / 2.0).to_degrees()
    }
    for plan in cats(4) {
        let usual = Factors { posture: Posture::Sitting, scale: 0.7, ..Factors::usual(Kind::Cat) };
        let at = |pose_degrees| lean(&mask(&plan, Factors { pose_degrees, ..usual }));
        let turned = at(20.0) - at(-10.0);
        assert!((turned - 30.0).abs() < 4.0, "30 degrees, got {turned}");
    }
}

#[test]
fn turn_and_posture_change_the_animal() {
    for plan in cats(4) {
        let usual = Factors::usual(Kind::Cat);
        let image = render(&plan, usual);
        assert!(gap(&image, &render(&plan, Factors { turn_degrees: 50.0, ..usual })) > 2.0);
        for posture in [Posture::Sitting, Posture::Lying] {
            assert!(gap(&image, &render(&plan, Factors { posture, ..usual })) > 5.0);
        }
    }
}

#[test]
fn similarity_takes_the_contrast_between_subject_and_background() {
    let contrast = |similarity: f64| {
        let each = cats(12).map(|plan| {
            let usual = Factors::usual(Kind::Cat);
            let inside = mask(&plan, usual);
            let image = render(&plan, Factors { background_similarity: similarity, ..usual });
            let mean = |wanted: bool| {
                let pixels = image.chunks(3).zip(&inside).filter(|(_, is)| **is == wanted);
                let sums = pixels.clone().fold([0.0; 3], |sum, (pixel, _)| {
                    std::array::from_fn::<f64, 3, _>(|c| sum[c] + f64::from(pixel[c]))
                });
                sums.map(|sum| sum / pixels.clone().count() as f64)
            };
            let (subject, rest) = (mean(true), mean(false));
            (0..3).map(|c| (subject[c] - rest[c]).abs()).sum::<f64>()
        });
        each.sum::<f64>()
    };
    let (none, half, full) = (contrast(0.0), contrast(0.5), contrast(1.0));
    assert!(half < 0.85 * none && full < 0.6 * none, "{none} {half} {full}");
}

/// Kernel ridge regression, the closed form of a linear classifier on pixels.
#[test]
#[allow(clippy::disallowed_methods)] // two products, with no training in sight
fn a_linear_classifier_is_neither_lost_nor_perfect() {
    use nalgebra::{Cholesky, DMatrix, DVector};
    let drawn = draw(&DrawOptions { n_test: 200, ..DrawOptions::default() }).expect("two sets");
    let columns = |set: &ImageSet| {
        let values = set.pixels().iter().map(|&v| f64::from(v) / 255.0 - 0.4);
        DMatrix::from_iterator(N_BYTES, set.labels().len(), values)
    };
    let sign = |set: &ImageSet| {
        DVector::from_iterator(
            set.labels().len(),
            set.labels().iter().map(|&label| f64::from(label) * 2.0 - 1.0),
        )
    };
    let (x, t) = (columns(&drawn.train), columns(&drawn.test));
    let gram = x.tr_mul(&x) + DMatrix::identity(209, 209) * 20.0;
    let weights = Cholesky::new(gram).expect("positive definite").solve(&sign(&drawn.train));
    let scores = t.tr_mul(&x) * weights;
    let truth = sign(&drawn.test);
    let n_right = scores.iter().zip(truth.iter()).filter(|(s, y)| **s * **y > 0.0).count();
    assert!((130..190).contains(&n_right), "{n_right} of 200 right");
}
