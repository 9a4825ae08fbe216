//! `dnn data draw`.

use crate::console::{Console, argument, program};
use crate::output::{OutputKind, picture_name, write_chart};
use dnn_data::Shown;
use dnn_data::hdf5::{Factor, FactorValues, Factors, write_splits};
use dnn_data::synthetic::{self, Cause, DrawOptions};
use dnn_data::{ImageSet, Splits};
use dnn_report::{Arrangement, Tile, image_sheet};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("output").required(true).multiple(true))]
pub(crate) struct Args {
    /// Write the images, labels and factors to this HDF5 file, in the course's schema
    #[arg(long, value_name = "FILE.h5", group = "output")]
    out: Option<PathBuf>,
    /// Write a picture of all images
    #[arg(long, value_name = "FILE.png", group = "output", value_parser = picture_name)]
    contact_sheet: Option<PathBuf>,
    /// Training images
    #[arg(long, value_name = "N", default_value_t = DrawOptions::default().n_train)]
    train: usize,
    /// Test images
    #[arg(long, value_name = "N", default_value_t = DrawOptions::default().n_test)]
    test: usize,
    /// Another seed, other images
    #[arg(long, value_name = "N", default_value_t = DrawOptions::default().seed)]
    seed: u64,
    /// Pixels a side
    #[arg(long, value_name = "N", default_value_t = DrawOptions::default().size)]
    size: usize,
}

#[derive(Serialize)]
struct DrawReport<'a> {
    out: Option<&'a PathBuf>,
    contact_sheet: Option<&'a PathBuf>,
    classes: &'a [String],
    train: Vec<usize>,
    test: Vec<usize>,
    seed: u64,
    size: usize,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let Args { train, test, seed, size, .. } = *args;
    let outputs = [(OutputKind::Hdf5, &args.out), (OutputKind::Picture, &args.contact_sheet)];
    for (kind, path) in outputs {
        path.as_ref().map_or(Ok(()), |path| kind.check(path))?;
    }
    let drawn = synthetic::draw(&DrawOptions { n_train: train, n_test: test, seed, size })?;
    if let Some(path) = &args.contact_sheet {
        let captions = |set: &ImageSet, factors: &[synthetic::Factors], split: &str| {
            let caption = |i: usize| {
                let class = set.classes()[set.labels()[i] as usize].shown().into_owned();
                vec![format!("{split} {i}: {class}"), difficulty(&factors[i])]
            };
            (0..set.len()).map(caption).collect::<Vec<_>>()
        };
        let captions = [
            captions(&drawn.train, &drawn.train_factors, "train"),
            captions(&drawn.test, &drawn.test_factors, "test"),
        ];
        let tiles: Vec<_> = [&drawn.train, &drawn.test]
            .into_iter()
            .zip(&captions)
            .flat_map(|(set, captions)| {
                captions.iter().enumerate().map(move |(i, caption)| Tile {
                    pixels: set.image(i),
                    shape: set.shape(),
                    caption,
                })
            })
            .collect();
        let title = format!("{train} training and {test} test images drawn with seed {seed}");
        write_chart(path, &image_sheet(&title, &tiles, Arrangement::Grid)?, 1)?;
    }
    let factors = Factors {
        train: factors(&drawn.train_factors),
        test: factors(&drawn.test_factors),
        ..Factors::default()
    };
    let splits = Splits::new(Some(drawn.train), Some(drawn.test))?;
    if let Some(path) = &args.out {
        write_splits(path, &splits, &factors)?;
    }
    let (Some(train), Some(test)) = (splits.train(), splits.test()) else {
        unreachable!("both were just given")
    };
    console.json(&DrawReport {
        out: args.out.as_ref(),
        contact_sheet: args.contact_sheet.as_ref(),
        classes: train.classes(),
        train: train.class_counts(),
        test: test.class_counts(),
        seed,
        size,
    })?;
    for (set, name) in [(train, "training"), (test, "test")] {
        let counts: Vec<_> = set
            .class_counts()
            .into_iter()
            .zip(set.classes())
            .map(|(n, class)| format!("{n} {class}"))
            .collect();
        console.text(format!("{} {name} images: {}", set.len(), counts.join(", ")))?;
    }
    for path in args.contact_sheet.iter().chain(&args.out) {
        console.text(format!("Written: {}", path.shown()))?;
    }
    if let Some(path) = &args.out {
        console.note(format!("Next: {} train {}", program(), argument(path)));
    }
    Ok(ExitCode::SUCCESS)
}

fn factors(factors: &[synthetic::Factors]) -> Vec<Factor> {
    let column = |(name, values): (&str, Vec<f64>)| Factor {
        name: name.into(),
        values: FactorValues::F64(values),
    };
    synthetic::Factors::columns(factors).into_iter().map(column).collect()
}

/// Returns the causes that make the image hard to recognise, if there are any.
fn difficulty(factors: &synthetic::Factors) -> String {
    const STRONG: f64 = 0.5;
    let strong: Vec<_> = Cause::ALL
        .into_iter()
        .filter(|&cause| factors.strength(cause) >= STRONG)
        .map(Cause::name)
        .collect();
    strong.join(", ")
}
