//! What the fuzz targets do, with every toolchain: each reader gets its seeds, what fuzzing once
//! found, and thousands of mutations of them. See `fuzz/README.md`.
//!
//! `DNN_FUZZ_MUTATIONS` sets their number; `DNN_FUZZ_CORPUS=1` also writes the seeds into
//! `fuzz/corpus`, for fuzzing to start from.

#[path = "../../dnn-data/tests/common/damage.rs"]
#[allow(dead_code)] // it is shared
mod damage;
#[path = "../../../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, missing_docs)] // a library of its own
mod readers;

use damage::{LARGEST, Random, Watched, damage_at};
use readers::{READERS, Reader, other_number, root};
use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// A small damaged file that takes longer is an attack.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Damages one to four places.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        if random.below(10) == 0 {
            other_number(bytes, |n| random.below(n));
            continue;
        }
        // Descriptions are at the beginning more often than not.
        let reach = if random.below(2) == 0 { bytes.len() } else { bytes.len().min(400) };
        let at = random.below(reach);
        damage_at(bytes, at, random);
    }
}

/// Whether the bytes were taken for a file of this kind, in good time and without much memory.
fn read(reader: &Reader, bytes: &[u8], what: &dyn std::fmt::Display) -> bool {
    LARGEST.store(0, Ordering::Relaxed);
    let start = Instant::now();
    let is_read = std::panic::catch_unwind(|| (reader.read)(bytes))
        .unwrap_or_else(|_| panic!("{}: {what} made it panic, see above", reader.name));
    let (took, largest) = (start.elapsed(), LARGEST.load(Ordering::Relaxed));
    assert!(took < MAX_TIME, "{}: {what} took {took:?}", reader.name);
    assert!(largest <= reader.max_allocation, "{}: {what}: {largest} bytes at once", reader.name);
    is_read
}

fn check(reader: &Reader) {
    let n_mutations = std::env::var("DNN_FUZZ_MUTATIONS").ok();
    let n_mutations = n_mutations.map_or(2000, |n| n.parse().expect("a number"));
    let mut seeds = (reader.seeds)();
    if std::env::var("DNN_FUZZ_CORPUS").is_ok_and(|value| value == "1") {
        let folder = root().join("fuzz/corpus").join(reader.name);
        fs::create_dir_all(&folder).expect("a folder");
        for (name, bytes) in &seeds {
            fs::write(folder.join(name), bytes).expect("written");
        }
    }
    assert!(seeds.iter().any(|(name, bytes)| read(reader, bytes, name)), "no seed can be read");
    let folder = root().join("fuzz/regressions").join(reader.name);
    if folder.exists() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("readable");
            read(reader, &bytes, &path.display());
            seeds.push((path.display().to_string(), bytes));
        }
    }
    seeds.sort();
    let mut n_read = 0;
    for mutation in 0..n_mutations {
        let mut random = Random(mutation);
        let (name, whole) = &seeds[random.below(seeds.len())];
        let mut bytes = whole.clone();
        damage(&mut bytes, &mut random);
        n_read += u64::from(read(reader, &bytes, &format_args!("{name} #{mutation}")));
    }
    println!("{}: {n_read} of {n_mutations} mutations still read", reader.name);
    assert!(n_read < n_mutations, "{}: damage does not bite", reader.name);
}

#[test]
fn every_reader_survives_its_seeds_and_their_mutations() {
    for reader in &READERS {
        let start = Instant::now();
        check(reader);
        println!("  {:?}", start.elapsed());
    }
}
