//! Says what is in an HDF5 file or folder, and reads it.
//!
//! `cargo run -p dnn-data --example read_hdf5 -- PATH [IMAGES LABELS | OUT.h5]`: a folder that
//! holds a training and a test file, a file in the course's schema, or a file and the names of two
//! of its datasets; OUT.h5 gets all that was read, in the course's schema. Without an argument, it
//! writes a small file and reads that.

use dnn_data::format::{self, Options};
use dnn_data::hdf5::{self, Backend, Factors};
use dnn_data::{ImageSet, ImageShape, Names, Splits};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    // With the feature `libhdf5`, the C library reads unless this is set.
    if std::env::var_os("HDF5_PURE").is_some() {
        options.backend = Backend::Pure;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let splits = match &arguments[..] {
        [] => {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("small.h5");
            let shape = ImageShape { height: 2, width: 2, channels: 3 };
            let classes = vec!["dark".into(), "bright".into()];
            let pixels = (0..24).map(|i| if i < 12 { 20 } else { 220 }).collect();
            let set = ImageSet::new(pixels, shape, vec![0, 1], classes)?;
            hdf5::write_splits(&path, &Splits::new(Some(set), None)?, &Factors::default())?;
            load(&path, &options)?
        }
        [path, out] => {
            let splits = load(path.as_ref(), &options)?;
            hdf5::write_splits(out.as_ref(), &splits, &Factors::default())?;
            splits
        }
        [path] => load(path.as_ref(), &options)?,
        [path, images, labels] => {
            let names = Names { images: images.clone(), labels: labels.clone(), classes: None };
            format::open(path.as_ref(), &Options { names: Some(names), ..options })?
        }
        _ => return Err("usage: read_hdf5 [PATH [IMAGES LABELS | OUT.h5]]".into()),
    };
    show("train", splits.train());
    show("test", splits.test());
    Ok(())
}

fn load(path: &Path, options: &Options) -> Result<Splits, Box<dyn Error>> {
    if !path.is_dir() {
        describe(path, options)?;
    }
    Ok(format::open(path, options)?)
}

fn describe(path: &Path, options: &Options) -> Result<(), Box<dyn Error>> {
    for dataset in
        hdf5::describe(path, &hdf5::Options { limits: options.limits, backend: options.backend })?
            .datasets
    {
        let (name, element, shape) = (dataset.name, dataset.element, dataset.shape);
        println!("{name}: {element} {shape:?} {}", dataset.filters.join(" "));
    }
    Ok(())
}

fn show(split: &str, set: Option<&ImageSet>) {
    let Some(set) = set else { return println!("{split}: none") };
    print!("{split}: {} images of {};", set.len(), set.shape());
    for (class, name) in set.classes().iter().enumerate() {
        let n = set.labels().iter().filter(|&&label| label as usize == class).count();
        print!(" {n} {name}");
    }
    let sum: u64 = set.pixels().iter().map(|&byte| u64::from(byte)).sum();
    println!("; pixels sum to {sum}");
}
