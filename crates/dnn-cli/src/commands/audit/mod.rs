//! `dnn data audit`.

mod sheet;
mod text;

use crate::args::DataArgs;
use crate::console::{Console, warn};
use crate::input::{CacheArgs, FileFlags};
use crate::output::{OutputKind, picture_name};
use crate::settings::Flags;
use crate::source;
use dnn_data::Shown;
use dnn_data::audit::{Audit, AuditOptions, MAX_DISTANCE, audit};
use dnn_data::folder::OnBadImage;
use dnn_data::loader::{DataConfig, InputConfig};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code with --strict when images are in both sets or have two labels.
const CONFLICTS: u8 = 1;

/// Say what is wrong with a data set: duplicates, test images in the training set, two labels
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
    let splits = source::load(&source, console)?;
    let options =
        AuditOptions { near_distance: args.near, max_listed: args.list, ..AuditOptions::default() };
    let unreadable: Vec<_> =
        splits.rejected.iter().map(|r| (r.path.clone(), r.reason.clone())).collect();
    let found = audit(&splits, &unreadable, &options)?;
    let data = args.data.as_ref().unwrap_or(&source.data);
    if !console.json {
        console.text(text::describe(data, &found, &options)?.trim_end())?;
    }
    if let Some(path) = &args.sheet {
        sheet::write(path, &splits, &found)?;
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
    let mut source = source::asked(args.data.as_deref(), &args.of_data, console)?;
    args.files.check(&source)?;
    let input = args.files.change(source.input.take())?.unwrap_or_default();
    source.input = Some(InputConfig { on_bad_image: OnBadImage::Skip, ..input });
    source.cache = args.cache.caching();
    Ok(source)
}

/// Returns a number with its noun.
fn count(n: usize, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}
