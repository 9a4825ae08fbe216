//! `dnn data audit`.

mod sheet;
mod text;

use super::convert;
use crate::args::DataArgs;
use crate::console::{Console, warn};
use crate::input::{CacheArgs, FileFlags};
use crate::interrupt;
use crate::output::{OutputKind, picture_name};
use crate::settings::Flags;
use crate::shard::{ShardArgs, Shards};
use crate::source;
use anyhow::{Context, ensure};
use dnn_core::split::Shard;
use dnn_data::audit::{Audit, AuditOptions, MAX_DISTANCE, audit};
use dnn_data::convert::Converted;
use dnn_data::folder::OnBadImage;
use dnn_data::loader::{DataConfig, Hooks, InputConfig, Loader};
use dnn_data::{Shown, SplitName, Splits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code with --strict when images are in both sets or have two labels.
const CONFLICTS: u8 = 1;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder with a training and a test file, an HDF5 file, or `drawn` [default: data, or drawn
    /// when nothing was fetched]
    data: Option<PathBuf>,
    #[command(flatten)]
    of_data: DataArgs,
    #[command(flatten)]
    files: Flags<FileFlags>,
    #[command(flatten)]
    cache: CacheArgs,
    /// Bits of 64 in which the hashes of near duplicates may differ, 0 to look for none
    #[arg(long, value_name = "N", default_value_t = AuditOptions::NEAR_DISTANCE,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_DISTANCE)))]
    near: u32,
    /// Entries of each list; totals are of all
    #[arg(long, value_name = "N", default_value_t = AuditOptions::MAX_LISTED)]
    list: usize,
    /// Write a picture of what is listed, in pairs
    #[arg(long, value_name = "FILE.png", value_parser = picture_name)]
    sheet: Option<PathBuf>,
    /// Exit with 1 when a test image is in the training set, or a picture has two labels
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    shard: ShardArgs,
}

#[derive(Serialize)]
struct AuditReport<'a> {
    data: &'a Path,
    #[serde(flatten)]
    audit: &'a Audit,
    sheet: Option<&'a PathBuf>,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(sheet) = &args.sheet {
        OutputKind::Picture.check(sheet)?;
    }
    let source = source_of(args, console)?;
    if let Some(shard) = args.shard.requested() {
        return run_shard(args, source, shard, console);
    }
    let splits = source::load(&source, console)?;
    print_report(args, &source, &splits, console)
}

/// What of a data set goes into no HDF5 file.
#[derive(Serialize, Deserialize)]
struct ShardNotes {
    converted: Converted,
    /// The splits, and where each is from.
    splits: Vec<(SplitName, Option<PathBuf>)>,
}

/// Decodes and prepares the images of a shard, as [`merge`] compares them with all others.
fn run_shard(
    args: &Args,
    source: DataConfig,
    shard: Shard,
    console: Console,
) -> anyhow::Result<ExitCode> {
    /// As that of the cache: a higher one takes longer than it saves.
    const LEVEL: u32 = 1;
    ensure!(
        !args.cache.gives(),
        "--shard: the images of a shard are kept in it; --cache does nothing"
    );
    let settings = [("data", convert::files_of(&source)?)];
    let begun = args.shard.begin(shard, (Path::new("audit"), "h5"), &settings, console)?;
    let Some(open) = begun else { return Ok(ExitCode::SUCCESS) };
    if !source.is_drawn() {
        interrupt::listen()?;
    }
    let splits = Loader::new(&source, Hooks::default()).split_paths()?;
    // Classes are renamed once, when all are there.
    let source = DataConfig { class_map: BTreeMap::new(), ..source };
    let path = open.path();
    let converted =
        source::loading(&source, console, |load| load.of_shard(shard).convert(&path, LEVEL))?;
    open.finish(&ShardNotes { converted, splits }, console)
}

/// Audits the images of all shards.
///
/// # Errors
/// What is wrong with the shards or their images.
pub(crate) fn merge(args: &Args, shards: &Shards, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(sheet) = &args.sheet {
        OutputKind::Picture.check(sheet)?;
    }
    let source = source_of(args, console)?;
    let notes = shards.files::<ShardNotes>()?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let file = folder.path().join("all.h5");
    let origins = notes.first().map(|(_, notes)| notes.splits.clone()).unwrap_or_default();
    let parts: Vec<_> = notes.into_iter().map(|(path, notes)| (path, notes.converted)).collect();
    let all = DataConfig {
        input: source.input.clone(),
        scale: source.scale,
        class_map: source.class_map.clone(),
        ..DataConfig::of(&file)
    };
    let joined = source::loading(&all, console, |loader| loader.join(&parts, &file, 0))?;
    let mut splits = source::load(&all, console)?;
    for split in splits.iter_mut() {
        let origin = origins.iter().find(|(name, _)| name.word() == split.name.word());
        let (name, path) = origin.with_context(|| format!("{} is of no shard", split.name))?;
        (split.name, split.path) = (*name, path.clone());
    }
    splits.rejected = joined.rejected;
    print_report(args, &source, &splits, console)
}

/// Audits images, and prints the findings.
fn print_report(
    args: &Args,
    source: &DataConfig,
    splits: &Splits,
    console: Console,
) -> anyhow::Result<ExitCode> {
    let options =
        AuditOptions { near_distance: args.near, max_listed: args.list, ..AuditOptions::default() };
    let unreadable: Vec<_> =
        splits.rejected.iter().map(|r| (r.path.clone(), r.reason.clone())).collect();
    let found = audit(splits, &unreadable, &options)?;
    let data = args.data.as_ref().unwrap_or(&source.data);
    if !console.json {
        console.text(text::describe(data, &found, &options)?.trim_end())?;
    }
    if let Some(path) = &args.sheet {
        sheet::write(path, splits, &found)?;
        console.text(format!("\nWritten: {}", path.shown()))?;
    }
    console.json(&AuditReport { data, audit: &found, sheet: args.sheet.as_ref() })?;
    if args.strict && found.has_conflicts() {
        warn(format!(
            "{} in the training set, {} more than one label",
            count(found.leaks.total, "test image is", "test images are"),
            count(found.contradictions.total, "picture has", "pictures have"),
        ));
        return Ok(ExitCode::from(CONFLICTS));
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the data as `dnn train` does; files that are no images are part of the findings.
fn source_of(args: &Args, console: Console) -> anyhow::Result<DataConfig> {
    let mut source = source::requested(args.data.as_deref(), &args.of_data, console)?;
    args.files.check(&source)?;
    let input = args.files.change(source.input.take())?.unwrap_or_default();
    source.input = Some(InputConfig { on_bad_image: OnBadImage::Skip, ..input });
    source.cache = args.cache.caching(&source)?;
    Ok(source)
}

/// Returns a number with its noun.
fn count(n: usize, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}
