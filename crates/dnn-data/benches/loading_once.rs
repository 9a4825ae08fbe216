//! Our side of `cargo xtask bench-peers --job loading`: makes the files, or loads some of them and
//! prints the seconds as JSON.
//!
//! ```text
//! loading_once make FOLDER
//! loading_once photos FOLDER THREADS OUT
//! loading_once whole FILE.h5 OUT
//! loading_once batches FILE.h5 ORDER OUT
//! ```
//!
//! What was loaded is written to OUT before the clock starts, for the other side's to be compared.

mod made;

use dnn_data::Images as _;
use dnn_data::format::Options;
use made::{BATCH, Format, PHOTOS, SIDE, Storage};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Rows of the HDF5 files, 49 MB of pixels.
const ROWS: usize = 4000;
const ROW_BYTES: usize = (SIDE * SIDE * 3) as usize;
/// The median of so many passes is taken.
const PASSES: usize = 3;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", root] => make(root.as_ref()),
        ["photos", root, n_threads, out] => {
            let options = made::folder_options(n_threads.parse().expect("a number of threads"));
            let load = || made::photos_in(root.as_ref(), &options);
            fs::write(out, load().train().expect("photos").pixels()).expect("written");
            measure(|| drop(black_box(load())));
        }
        ["whole", path, out] => {
            let load = || made::opened("HDF5", path.as_ref(), &Options::default());
            fs::write(out, load().train().expect("rows").pixels()).expect("written");
            measure(|| drop(black_box(load())));
        }
        ["batches", path, order, out] => {
            let order = fs::read(order).expect("the order that `make` wrote");
            let order: Vec<usize> =
                order.as_chunks().0.iter().map(|&i| u32::from_le_bytes(i) as usize).collect();
            let mut all = vec![0; order.len() * ROW_BYTES];
            batches(path.as_ref(), &order, |batch, pixels| {
                for (&i, row) in batch.iter().zip(pixels.chunks_exact(ROW_BYTES)) {
                    all[i * ROW_BYTES..][..ROW_BYTES].copy_from_slice(row);
                }
            });
            fs::write(out, all).expect("written");
            measure(|| batches(path.as_ref(), &order, |_, pixels| _ = black_box(pixels)));
        }
        _ => eprintln!("run by `cargo xtask bench-peers --job loading`"),
    }
}

/// Photos as PNG, of which the peer makes the JPEG files; rows; and orders to read them in.
fn make(root: &Path) {
    for photos in &PHOTOS {
        made::write_photos(root, photos, &[Format::Png]);
    }
    let set = made::images(ROWS);
    for storage in Storage::ALL {
        let path = root.join(format!("{}.h5", storage.name()));
        made::write_hdf5(&path, &set, storage);
        let order = made::streamed_order(&path);
        let bytes: Vec<u8> = order.iter().flat_map(|&i| (i as u32).to_le_bytes()).collect();
        fs::write(path.with_extension("order"), bytes).expect("written");
    }
    println!("{{\"made\": true}}");
}

fn batches(path: &Path, order: &[usize], mut take: impl FnMut(&[usize], &[u8])) {
    let stream = made::stream(path);
    let mut pixels = vec![0; BATCH * ROW_BYTES];
    for batch in order.chunks(BATCH) {
        let pixels = &mut pixels[..batch.len() * ROW_BYTES];
        let copied = stream.each(batch, &mut |at, image| {
            let bytes = image.bytes().expect("bytes of pixels");
            pixels[at * ROW_BYTES..][..ROW_BYTES].copy_from_slice(bytes);
        });
        copied.expect("rows");
        take(batch, pixels);
    }
}

fn measure(mut pass: impl FnMut()) {
    let mut seconds: Vec<f64> = (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("{{\"seconds\": {}}}", seconds[PASSES / 2]);
}
