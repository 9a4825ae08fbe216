//! Damaged HDF5 files: whatever stands in them, the answer is a set of images or an error, within
//! the limits of memory.
//!
//! Every fixture is damaged in a few ways here. More, and the real files too, in an afternoon:
//!
//! ```sh
//! DNN_HDF5_MUTATIONS=2000 cargo test -p dnn-data --test hdf5_damaged -- --nocapture
//! ```
//!
//! Only the pure library is held to this: the C library of HDF5 1.10 crashes on some of these files.
#![cfg(feature = "hdf5")]

mod common;

use common::damage::{LARGEST, Random, Watched, alone, damage_at};
use common::{every_file, fixture, message};
use dnn_data::DataError;
use dnn_data::hdf5::{self, Backend, Options};
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// What a damaged file of `n_bytes` may make a reader ask for at once: hdf5-pure believes counts of
/// 16 bits, and makes room for 65535 messages of 40 bytes.
const fn allowed(n_bytes: usize, max_bytes: u64) -> usize {
    max_bytes as usize + 2 * n_bytes + 40 * 65536
}

fn options(max_bytes: u64) -> Options {
    let mut options = Options { backend: Backend::Pure, ..Options::default() };
    options.limits.max_bytes = max_bytes;
    options
}

/// Damages one to four places. In a large file nearly all is pixels, so most of the damage goes
/// where the description of the datasets is.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    const DESCRIPTION: usize = 2200;
    for _ in 0..=random.below(4) {
        let reach = if random.below(8) == 0 { bytes.len() } else { DESCRIPTION.min(bytes.len()) };
        // A cut comes last, if at all; nothing is left to damage in an empty file.
        let at = random.below(reach.max(1));
        if damage_at(bytes, at, random) || bytes.is_empty() {
            return;
        }
    }
}

/// Reads a damaged file in every way; whether it could still be read, and how long it took.
fn read(path: &Path, options: &Options) -> (bool, Duration) {
    let start = Instant::now();
    let says_which = |error: &DataError| {
        // Two sets that do not agree are a mismatch in memory, which names its source too.
        let text = message(error);
        assert!(text.contains(&path.display().to_string()), "{text}");
    };
    let splits = common::load_hdf5(path, options);
    match &splits {
        Ok(splits) => {
            for set in [&splits.train(), &splits.test()].into_iter().flatten() {
                assert_eq!(set.pixels().len(), set.len() * set.shape().n_bytes());
                assert!(set.labels().iter().all(|&label| (label as usize) < set.classes().len()));
            }
        }
        Err(error) => says_which(error),
    }
    let _ = hdf5::describe(path, options).inspect_err(says_which);
    let _ = hdf5::load_factors(path, options).inspect_err(says_which);
    (splits.is_ok(), start.elapsed())
}

#[test]
fn a_damaged_file_gives_images_or_an_error() {
    let _alone = alone();
    let n_mutations = std::env::var("DNN_HDF5_MUTATIONS").ok();
    let n_mutations = n_mutations.map_or(16, |n| n.parse().expect("a number of mutations"));
    let files = every_file();
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("damaged.h5");
    let (mut n_read, mut n_refused) = (0, 0);
    for (i, file) in files.iter().enumerate() {
        let whole = fs::read(file).expect("readable");
        let options = options(if whole.len() > 1 << 19 { 4 << 20 } else { 1 << 20 });
        let (mut n_kept, mut slowest) = (0, Duration::ZERO);
        let mut largest = 0;
        for mutation in 0..n_mutations {
            let mut bytes = whole.clone();
            damage(&mut bytes, &mut Random((i as u64) << 32 | mutation));
            fs::write(&path, &bytes).expect("written");
            drop(bytes);
            LARGEST.store(0, Ordering::Relaxed);
            let (is_read, took) = read(&path, &options);
            let asked = LARGEST.load(Ordering::Relaxed);
            let most = allowed(whole.len(), options.limits.max_bytes);
            assert!(asked <= most, "{} #{mutation}: {asked} bytes at once", file.display());
            largest = largest.max(asked);
            slowest = slowest.max(took);
            n_kept += u64::from(is_read);
        }
        println!(
            "{}: {n_kept} of {n_mutations} still read, {largest} bytes at most, {slowest:?} at most",
            file.file_name().expect("a name").display()
        );
        n_read += n_kept;
        n_refused += n_mutations - n_kept;
    }
    assert!(
        n_read > 0 && n_refused > 0,
        "{n_read} read, {n_refused} refused: damage does not bite"
    );
}

#[test]
fn a_file_cut_anywhere_is_truncated() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("cut.h5");
    for name in ["contiguous", "gzip_shuffle", "v108", "v110", "userblock"] {
        let whole = fs::read(fixture(name)).expect("readable");
        // In a user block, nothing tells HDF5 from other data.
        let first = if name == "userblock" { 520 } else { 1 };
        for n in (first..whole.len()).step_by(37).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..n]).expect("written");
            let error = common::load_hdf5(&path, &options(1 << 20)).expect_err("cut");
            let text = message(&error);
            assert!(text.contains("cut.h5: the file is truncated: "), "{name}, {n} bytes: {text}");
            assert!(text.contains(&format!(": {n} bytes")), "{name}, {n} bytes: {text}");
        }
    }
    let whole = fs::read(fixture("contiguous")).expect("readable");
    fs::write(&path, &whole[..2000]).expect("written");
    assert_eq!(
        message(&common::load_hdf5(&path, &options(1 << 20)).expect_err("cut")),
        format!(
            "{}: the file is truncated: 2000 bytes where {} are expected, so it must be fetched or \
             copied again",
            path.display(),
            whole.len()
        )
    );
}

/// `contiguous.h5` with another number of images, and of labels.
fn with_extents(n_images: u64, n_labels: u64) -> Vec<u8> {
    let mut bytes = fs::read(fixture("contiguous")).expect("readable");
    let mut replace = |dims: &[u64], m: u64| {
        // An extent is its rank, whether it is bounded (1 + 7 bytes), and its dimensions, twice.
        let dims: Vec<u8> = [dims, dims].concat().iter().flat_map(|n| n.to_le_bytes()).collect();
        let found = |window: &[u8]| window == dims;
        let at = bytes.windows(dims.len()).position(found).expect("the extent");
        for at in [at, at + dims.len() / 2] {
            bytes[at..at + 8].copy_from_slice(&m.to_le_bytes());
        }
    };
    replace(&[4, 2, 3, 3], n_images);
    replace(&[4], n_labels);
    bytes
}

#[test]
fn a_damaged_extent_allocates_nothing() {
    const GIB: u64 = 1 << 30;
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("huge.h5");
    // 481 GB of images, as one damaged byte asks for.
    let m = 26_722_222_222;
    let cases = [
        (m, 4, 4 * GIB, "`train_set_x` holds 26722222222 images, but `train_set_y` holds 4 labels"),
        (
            m,
            m,
            4 * GIB,
            "`train_set_y` of shape (26722222222,) would take 427555555552 bytes in memory, the \
             limit is 4294967296 bytes",
        ),
        (
            m,
            m,
            u64::MAX,
            "`train_set_y` is incomplete: its extent of 213777777776 bytes cannot be in a file of \
             2166 bytes",
        ),
        (
            u64::MAX / 2,
            u64::MAX / 2,
            u64::MAX,
            "`train_set_y` of shape (9223372036854775807,) would take 2⁶⁴ bytes or more in memory, \
             the limit is 18446744073709551615 bytes",
        ),
    ];
    for (n_images, n_labels, max_bytes, expected) in cases {
        fs::write(&path, with_extents(n_images, n_labels)).expect("written");
        LARGEST.store(0, Ordering::Relaxed);
        let error = common::load_hdf5(&path, &options(max_bytes)).expect_err("too large");
        assert!(LARGEST.load(Ordering::Relaxed) < 64 << 10);
        assert!(message(&error).contains(expected), "{}", message(&error));
    }
    // And of images alone: 192 MB in a file of 2 kB is within the limit, but cannot be.
    LARGEST.store(0, Ordering::Relaxed);
    let error = common::load_hdf5(&fixture("huge"), &options(4 * GIB)).expect_err("too large");
    assert!(LARGEST.load(Ordering::Relaxed) < 64 << 10);
    assert!(message(&error).contains("its extent of 192000000 bytes cannot be in a file of 2094"));
}

#[test]
fn a_chunk_of_a_damaged_size_allocates_nothing() {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("chunk.h5");
    let mut bytes = fs::read(fixture("gzip_shuffle")).expect("readable");
    let found = |at: usize| {
        // The index: its keys begin with the packed size, then the mask of skipped filters (0) and
        // five offsets (0).
        bytes[at..].starts_with(b"TREE\x01\x00") && bytes[at + 28..at + 72].iter().all(|&b| b == 0)
    };
    let at = (0..bytes.len() - 72).find(|&at| found(at)).expect("the index of the chunks");
    bytes[at + 24..at + 28].fill(0xff);
    fs::write(&path, bytes).expect("written");
    LARGEST.store(0, Ordering::Relaxed);
    let text = message(&common::load_hdf5(&path, &options(1 << 30)).expect_err("4 GB"));
    assert!(LARGEST.load(Ordering::Relaxed) < 64 << 10, "{text}");
    assert!(text.contains("`train_set_x` is incomplete: a chunk ends at byte 429497"), "{text}");
    assert!(text.ends_with("of a file of 9744 bytes"), "{text}");
}

#[test]
fn a_chunk_that_unpacks_to_more_than_it_should_is_not_unpacked() {
    let _alone = alone();
    LARGEST.store(0, Ordering::Relaxed);
    let error = common::load_hdf5(&fixture("bomb"), &options(1 << 30)).expect_err("16 MB for 72");
    let text = message(&error);
    assert!(text.contains("bomb.h5: reading `train_set_x` failed"), "{text}");
    assert!(LARGEST.load(Ordering::Relaxed) < 64 << 10, "{text}");
}
