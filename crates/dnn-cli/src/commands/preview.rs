//! `dnn data preview`.

use crate::args::{Augmentation, DataArgs, choice};
use crate::console::Console;
use crate::output::{OutputKind, picture_name, write_chart};
use crate::settings::Flags;
use crate::source::{self, split_of};
use anyhow::ensure;
use dnn_data::Shown;
use dnn_data::augment::{AugmentConfig, Augmenter, Strength};
use dnn_data::{ImageSet, SplitName};
use dnn_report::{Arrangement, Tile, image_sheet};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder with a training and a test file, an HDF5 file, or `drawn` [default: the real cat
    /// images when they are there, else drawn ones]
    data: Option<PathBuf>,
    /// Write the picture to this file
    #[arg(long, value_name = "FILE.png", value_parser = picture_name)]
    out: PathBuf,
    #[command(flatten)]
    augment: Flags<Augmentation>,
    /// Images to show, evenly spaced over the data
    #[arg(long, value_name = "N", default_value_t = 6,
          value_parser = clap::value_parser!(u32).range(1..))]
    examples: u32,
    /// Augmented images beside each: one for each epoch
    #[arg(long, value_name = "K", default_value_t = 7, requires = "augment",
          value_parser = clap::value_parser!(u32).range(1..=100))]
    epochs: u32,
    /// Another seed, other changes
    #[arg(long, value_name = "N", default_value_t = 1, requires = "augment")]
    seed: u64,
    /// Which images of the data
    #[arg(long, value_name = "SPLIT", value_parser = choice(&SplitName::ALL), default_value = "train")]
    split: SplitName,
    #[command(flatten)]
    of_data: DataArgs,
}

#[derive(Serialize)]
struct PreviewReport<'a> {
    out: &'a PathBuf,
    split: SplitName,
    examples: &'a [usize],
    augment: Option<AugmentConfig>,
    epochs: u32,
    seed: u64,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    OutputKind::Picture.check(&args.out)?;
    let source = source::requested(args.data.as_deref(), &args.of_data, console)?;
    let augment: Option<AugmentConfig> = args.augment.value("augment")?;
    let split = if args.of_data.names.any() { SplitName::Train } else { args.split };
    let set = split_of(split, &mut source::load(&source, console)?, &source.data)?;
    ensure!(
        augment.is_none() || set.is_bytes(),
        "{}: its examples are numbers that are no bytes, and only images are augmented",
        source.data.shown()
    );
    let n = (args.examples as usize).min(set.len());
    let examples: Vec<usize> = (0..n).map(|i| i * set.len() / n).collect();
    let n_epochs = if augment.is_some() { args.epochs } else { 0 };
    let augmenter = augment.map(|config| Augmenter::new(config, set.shape(), args.seed));
    let images = images(&set, &examples, augmenter.transpose()?.as_ref(), n_epochs, split);

    let shape = set.shape();
    let tiles: Vec<_> = images
        .iter()
        .map(|(pixels, caption)| Tile { pixels, shape, caption: std::slice::from_ref(caption) })
        .collect();
    let title = match &augment {
        Some(augment) => format!("{}, seed {}", name(augment), args.seed),
        None => format!("{n} of {} {split} images, {shape}", set.len()),
    };
    let arrangement = match n_epochs {
        0 => Arrangement::Grid,
        n => Arrangement::Columns(n + 1),
    };
    write_chart(&args.out, &image_sheet(&title, &tiles, arrangement)?, 1)?;

    console.json(&PreviewReport {
        out: &args.out,
        split,
        examples: &examples,
        augment,
        epochs: n_epochs,
        seed: args.seed,
    })?;
    console.text(format!("Written: {}", args.out.shown()))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the name of a preset, or the settings.
fn name(augment: &AugmentConfig) -> String {
    let is = |strength: &Strength| AugmentConfig::preset(*strength) == *augment;
    let preset = Strength::ALL.into_iter().find(is);
    preset.map_or_else(|| augment.to_string(), |strength| strength.name().into())
}

/// Returns each example unchanged and then as it looks in each epoch, with a caption.
fn images(
    set: &ImageSet,
    examples: &[usize],
    augmenter: Option<&Augmenter>,
    n_epochs: u32,
    split: SplitName,
) -> Vec<(Vec<u8>, String)> {
    let mut images = Vec::new();
    let mut augmented = vec![0; set.shape().n_bytes()];
    for &i in examples {
        let class = set.classes()[set.labels()[i] as usize].shown();
        images.push((set.image(i).to_vec(), format!("{split} {i}: {class}")));
        for epoch in 0..n_epochs {
            if let Some(augmenter) = augmenter {
                augmenter.apply(set.image(i), epoch.into(), i as u64, &mut augmented);
            }
            images.push((augmented.clone(), format!("epoch {epoch}")));
        }
    }
    images
}
