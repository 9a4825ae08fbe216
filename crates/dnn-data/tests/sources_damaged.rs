//! Damaged files of every format without a library of its own: the answer is a sound set or an
//! error, within the limits of memory. (HDF5 has `hdf5_damaged.rs`.)
#![cfg(all(feature = "cifar", feature = "csv", feature = "idx", feature = "npz"))]

mod common;

use common::damage::{LARGEST, Random, Watched, damage_at};
use common::files::{cifar, gzip, idx, npy, npz};
use common::message;
use dnn_data::{Limits, format};
use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Watched = Watched;

const N_MUTATIONS: u64 = 2000;
const MAX_BYTES: u64 = 1 << 20;
/// Beside what the limit allows: an inflater's window, buffers, an allocator's rounding.
const OVERHEAD: usize = 1 << 18;

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        // Most of it where the description is: at the beginning, or, in a zip, also at the end.
        let reach = bytes.len().min(200);
        let at = match random.below(4) {
            0 => random.below(bytes.len()),
            1 => bytes.len() - 1 - random.below(reach),
            _ => random.below(reach),
        };
        if damage_at(bytes, at, random) || bytes.is_empty() {
            return;
        }
    }
}

/// Every mutation of `whole`, written as `name`, is opened; other files may lie beside it.
fn check(name: &str, whole: &[u8], beside: &[(&str, Vec<u8>)]) {
    // In memory where there is such a place: thousands of files are written.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a folder");
    for (name, bytes) in beside {
        fs::write(folder.path().join(name), bytes).expect("written");
    }
    let path = folder.path().join(name);
    let limits = Limits { max_bytes: MAX_BYTES, ..Limits::default() };
    let options = format::Options { limits, ..format::Options::default() };
    let (mut n_read, mut slowest) = (0, Duration::ZERO);
    for mutation in 0..N_MUTATIONS {
        let mut bytes = whole.to_vec();
        damage(&mut bytes, &mut Random(mutation));
        fs::write(&path, &bytes).expect("written");
        let start = Instant::now();
        match format::open(&path, &options) {
            Ok(splits) => {
                n_read += 1;
                for set in [splits.train(), splits.test()].into_iter().flatten() {
                    assert_eq!(set.pixels().len(), set.len() * set.shape().n_bytes());
                    assert!(set.labels().iter().all(|&l| (l as usize) < set.classes().len()));
                    assert!(set.contract().is_ok(), "{name} #{mutation}");
                }
            }
            Err(error) => {
                let text = message(&error);
                let folder = folder.path().display().to_string();
                assert!(text.contains(&folder), "{name} #{mutation}: {text}");
            }
        }
        slowest = slowest.max(start.elapsed());
        // Of the other tests too, which run at the same time; the same holds for them.
        let asked = LARGEST.load(Ordering::Relaxed);
        assert!(
            asked <= MAX_BYTES as usize + OVERHEAD,
            "{name} #{mutation}: {asked} bytes at once"
        );
    }
    println!("{name}: {n_read} of {N_MUTATIONS} still read, {slowest:?} at most");
    assert!(0 < n_read && n_read < N_MUTATIONS, "{n_read} of {N_MUTATIONS} read");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[test]
fn idx_plain() {
    let pixels: Vec<u8> = (0..96).collect();
    let labels = [("train-labels-idx1-ubyte", idx(8, &[6], &[0, 1, 2, 3, 4, 5]))];
    check("train-images-idx3-ubyte", &idx(8, &[6, 4, 4], &pixels), &labels);
}

#[test]
fn idx_packed() {
    let pixels: Vec<u8> = (0..96).collect();
    let labels = [("train-labels-idx1-ubyte.gz", idx(8, &[6], &[0, 1, 2, 3, 4, 5]))];
    check("train-images-idx3-ubyte.gz", &gzip(&idx(8, &[6, 4, 4], &pixels)), &labels);
}

fn arrays() -> [(&'static str, Vec<u8>); 5] {
    let floats: Vec<u8> = (0..12_i16).flat_map(|i| (f32::from(i) / 7.0).to_le_bytes()).collect();
    [
        ("x_train", npy("<f4", true, &[3, 2, 2], &floats)),
        ("y_train", npy("<i4", false, &[3], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("x_test", npy("<f4", false, &[1, 2, 2], &floats[..16])),
        ("y_test", npy("|u1", false, &[1], &[1])),
        ("class_names", npy("|S2", false, &[2], b"a\0bc")),
    ]
}

#[test]
fn npz_stored() {
    check("data.npz", &npz(&arrays(), false), &[]);
}

#[test]
fn npz_deflated() {
    check("data.npz", &npz(&arrays(), true), &[]);
}

#[test]
fn cifar_batches() {
    check("data_batch_1.bin", &cifar(&[3, 1, 4]), &[]);
}

#[test]
fn tables() {
    let row = |i: usize| format!("{}.5,{i},\"{}\"\n", i * 3, ["a", "b"][i % 2]);
    let table =
        (0..20).map(row).fold("length,width,species\n".into(), |all: String, row| all + &row);
    check("table.csv", table.as_bytes(), &[]);
}

/// A sound file that takes more in memory than it has bytes is refused before it does.
fn check_large(name: &str, bytes: &[u8], beside: &[(&str, Vec<u8>)]) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a folder");
    for (name, bytes) in beside {
        fs::write(folder.path().join(name), bytes).expect("written");
    }
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("written");
    let limits = Limits { max_bytes: MAX_BYTES, ..Limits::default() };
    let options = format::Options { limits, ..format::Options::default() };
    let read = format::open(&path, &options).map(|_| "sets");
    let text = message(&read.expect_err("too large"));
    assert!(text.contains("would take") || text.contains("a row of more than"), "{text}");
    let asked = LARGEST.load(Ordering::Relaxed);
    assert!(asked <= MAX_BYTES as usize + OVERHEAD, "{name}: {asked} bytes at once");
}

#[test]
fn labels_count_as_what_becomes_of_them() {
    let n = MAX_BYTES as usize;
    let packed = |shape: &[u32]| gzip(&idx(8, shape, &vec![0; n]));
    let labels = [("labels-idx1-ubyte", packed(&[n as u32]))];
    check_large("images-idx3-ubyte", &packed(&[n as u32, 1, 1]), &labels);
    let names_of_classes = "1,a\n".repeat(n / 4);
    check_large("table.csv", names_of_classes.as_bytes(), &[]);
}

#[test]
fn bytes_beside_numbers_take_no_more_than_bytes() {
    let n = MAX_BYTES / 4;
    let arrays = [
        ("x_train", npy("|u1", false, &[n / 2, 4], &vec![2; 2 * n as usize])),
        ("y_train", npy("|u1", false, &[n / 2], &vec![0; n as usize / 2])),
        ("x_test", npy("<f4", false, &[1, 4], &[1; 16])),
        ("y_test", npy("|u1", false, &[1], &[0])),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.npz");
    fs::write(&path, npz(&arrays, true)).expect("written");
    let limits = Limits { max_bytes: MAX_BYTES, ..Limits::default() };
    let options = format::Options { limits, ..format::Options::default() };
    LARGEST.store(0, Ordering::Relaxed);
    assert!(format::open(&path, &options).is_ok());
    let asked = LARGEST.load(Ordering::Relaxed);
    assert!(asked <= MAX_BYTES as usize + OVERHEAD, "{asked} bytes at once");
}

#[test]
fn a_row_of_commas() {
    check_large("table.csv", &vec![b','; MAX_BYTES as usize], &[]);
    // A line that ends within quotes ends no row.
    let quoted = [b"a,b\n".as_slice(), &b"\"\n\",".repeat(MAX_BYTES as usize / 5)].concat();
    check_large("table.csv", &quoted, &[]);
}
