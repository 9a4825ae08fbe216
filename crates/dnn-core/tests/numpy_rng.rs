//! NumPy's legacy random numbers, bit for bit (see `golden/README.md`).
#![allow(clippy::unwrap_used)] // tests

use dnn_core::rng::{Generator, RngKind};
use nalgebra::DMatrix;
use serde_json::Value;

fn matrix(value: &Value) -> DMatrix<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    DMatrix::from_row_iterator(rows.len(), rows[0].len(), rows.into_iter().flatten())
}

#[test]
fn normal_numbers_are_the_same_one_by_one_and_many_at_once() {
    for kind in RngKind::ALL {
        let fresh = || Generator::new(kind, 3).unwrap();
        let (mut one_by_one, mut at_once) = (fresh(), fresh());
        // Odd and even ones, with and without a number of the last pair that waits.
        for n in [1, 2, 0, 3, 129, 127, 128, 1000, 5] {
            let expected: Vec<_> = (0..n).map(|_| one_by_one.normal().to_bits()).collect();
            let drawn = at_once.normal_matrix::<f64>(1, n);
            assert_eq!(drawn.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected, "{n}");
        }
        assert_eq!(one_by_one.uniform(), at_once.uniform());
    }
}

#[test]
fn numpy_stream_bit_for_bit() {
    let all: Value = serde_json::from_str(include_str!("golden/numpy_rng.json")).unwrap();
    for g in all.as_array().unwrap() {
        let seed = g["seed"].as_u64().unwrap();
        let fresh = || Generator::new(RngKind::Numpy, seed).unwrap();
        let floats = |v: &Value| serde_json::from_value::<Vec<f64>>(v.clone()).unwrap();
        let mut rng = fresh();
        for expected in floats(&g["randn"]) {
            assert_eq!(rng.normal().to_bits(), expected.to_bits(), "randn, seed {seed}");
        }
        let mut rng = fresh();
        for expected in floats(&g["random_sample"]) {
            assert_eq!(rng.uniform().to_bits(), expected.to_bits(), "random_sample, seed {seed}");
        }
        let order = fresh().permutation(10);
        assert_eq!(serde_json::to_value(order).unwrap(), g["permutation"], "seed {seed}");
        let mut rng = fresh();
        let two = &g["randn_3_then_2x2_row_major"];
        assert_eq!(rng.normal_matrix::<f64>(1, 3).as_slice(), floats(&two[0]), "seed {seed}");
        assert_eq!(rng.normal_matrix::<f64>(2, 2), matrix(&two[1]), "seed {seed}");
    }
    assert!(Generator::new(RngKind::Numpy, 1 << 32).is_err());
    assert!(Generator::new(RngKind::Modern, u64::MAX).is_ok());
}
