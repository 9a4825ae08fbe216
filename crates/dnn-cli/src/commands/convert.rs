//! `dnn data convert`.

use crate::args::DataArgs;
use crate::console::{Console, argument, program, warn};
use crate::input::{FileFlags, ShapeFlags};
use crate::interrupt;
use crate::output::OutputKind;
use crate::settings::Flags;
use crate::shard::{self, ShardArgs, Shards};
use crate::source::{self, loading};
use dnn_data::Shown;
use dnn_data::convert::Converted;
use dnn_data::loader::{DataConfig, Hooks, Loader};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder or file of labelled images or numbers (a folder a class, HDF5, idx, .npz, CIFAR-10,
    /// CSV), or `drawn`
    data: PathBuf,
    /// The file to write; one of that name is replaced when all is done
    #[arg(value_name = "OUT.h5")]
    out: PathBuf,
    #[command(flatten)]
    of_data: DataArgs,
    #[command(flatten)]
    shape: Flags<ShapeFlags>,
    #[command(flatten)]
    files: Flags<FileFlags>,
    /// How hard gzip packs, from 0 (not at all) to 9
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(0..=9))]
    level: u32,
    #[command(flatten)]
    shard: ShardArgs,
}

#[derive(Serialize)]
struct ConvertReport<'a> {
    out: &'a Path,
    classes: &'a [String],
    splits: Vec<SplitCounts<'a>>,
    shape: dnn_data::ImageShape,
    rejected: Vec<LeftOut<'a>>,
    bytes: u64,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    path: &'a Path,
    reason: &'a str,
}

#[derive(Serialize)]
struct SplitCounts<'a> {
    name: &'static str,
    counts: &'a [usize],
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    OutputKind::Hdf5.check(&args.out)?;
    let mut source = source::named(&args.data, &args.of_data)?;
    // Drawing is not asked whether to stop, and leaves nothing behind: a signal ends it at once.
    if !source.is_drawn() {
        interrupt::listen()?;
    }
    args.files.check(&source)?;
    source.input = args.files.change(args.shape.change(None)?)?;
    if let Some(shard) = args.shard.requested() {
        let settings = [("data", files_of(&source)?)];
        let begun = args.shard.begin(shard, (&args.out, "h5"), &settings, console)?;
        let Some(open) = begun else { return Ok(ExitCode::SUCCESS) };
        let path = open.path();
        let converted =
            loading(&source, console, |load| load.of_shard(shard).convert(&path, args.level))?;
        return open.finish(&converted, console);
    }
    let converted = loading(&source, console, |loader| loader.convert(&args.out, args.level))?;
    print_report(args, &converted, console)
}

/// Returns a hash of the files that data are read from.
///
/// # Errors
/// When there are none, or one cannot be read.
pub(super) fn files_of(source: &DataConfig) -> anyhow::Result<String> {
    shard::fingerprint(&Loader::new(source, Hooks::default()).files()?)
}

/// Writes what all shards have converted as one file.
///
/// # Errors
/// As [`join`].
pub(crate) fn merge(args: &Args, shards: &Shards, console: Console) -> anyhow::Result<ExitCode> {
    OutputKind::Hdf5.check(&args.out)?;
    interrupt::listen()?;
    let parts = shards.files::<Converted>()?;
    let source = DataConfig::of(&args.out);
    let converted = loading(&source, console, |loader| loader.join(&parts, &args.out, args.level))?;
    print_report(args, &converted, console)
}

/// Prints what was written.
fn print_report(args: &Args, converted: &Converted, console: Console) -> anyhow::Result<ExitCode> {
    let Converted { classes, counts, shape, rejected, .. } = converted;
    for rejected in rejected {
        warn(format!("left out: {}: {}", rejected.path.shown(), rejected.reason));
    }
    let bytes = std::fs::metadata(&args.out).map_or(0, |metadata| metadata.len());
    console.json(&ConvertReport {
        out: &args.out,
        classes,
        splits: counts
            .iter()
            .map(|(split, counts)| SplitCounts { name: split.word(), counts })
            .collect(),
        shape: *shape,
        rejected: rejected.iter().map(|r| LeftOut { path: &r.path, reason: &r.reason }).collect(),
        bytes,
    })?;
    for (split, counts) in counts {
        const SHOWN: usize = 8;
        let each: Vec<_> = counts
            .iter()
            .zip(classes)
            .take(SHOWN)
            .map(|(n, class)| format!("{n} {}", class.shown()))
            .collect();
        let more = if counts.len() > SHOWN { ", …" } else { "" };
        let m: usize = counts.iter().sum();
        console.text(format!("{}: {m} of {shape}: {}{more}", split.word(), each.join(", ")))?;
    }
    let mb = bytes as f64 / 1e6;
    console.text(format!("Written: {} ({mb:.1} MB)", args.out.shown()))?;
    console.note(format!("Next: {} train {}", program(), argument(&args.out)));
    Ok(ExitCode::SUCCESS)
}
