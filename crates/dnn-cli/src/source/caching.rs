//! Sources that are decoded once.

use super::Source;
use crate::console::{Console, warn};
use crate::input::Caching;
use crate::interrupt;
use crate::progress::image_bar;
use anyhow::{Context, bail};
use dnn_data::cache::{Cache, Entry};
use dnn_data::preprocess::ContractChange;
use dnn_data::source::Options;
use dnn_data::{DataError, Splits, convert, source};
use std::path::{Path, PathBuf};

/// gzip's own default.
const LEVEL: u32 = 6;
/// Folders of fewer bytes are decoded in a moment.
const MANY_BYTES: u64 = 64 << 20;

impl Source {
    /// What a folder of images holds, by way of the cache, where one is used.
    ///
    /// # Errors
    /// What is wrong with the images, or with a cache that was asked for.
    pub(super) fn cached(
        &self,
        path: &Path,
        options: &Options,
        console: Console,
    ) -> anyhow::Result<Option<Splits>> {
        if self.caching == Caching::Off || !source::is_image_folder(path, options)? {
            return Ok(None);
        }
        let is_asked = matches!(self.caching, Caching::In(_));
        if !is_asked && n_bytes(&source::files(path, options)?) < MANY_BYTES {
            return Ok(None);
        }
        let Some(folder) = self.cache_folder() else { return Ok(None) };
        let opened = watched(console, options, ContractChange::default(), |asked| {
            Cache::new(&folder).open(path, asked)
        });
        match opened {
            Ok((splits, entry)) => {
                if !entry.is_old {
                    console.note(format!(
                        "Decoded images are kept in {} (--no-cache: nowhere)",
                        folder.display()
                    ));
                }
                Ok(Some(splits))
            }
            // What is wrong with the images is wrong without a cache, too.
            Err(error @ (DataError::Folder(_) | DataError::Stopped)) => Err(error.into()),
            Err(error) if is_asked => Err(error).context("cannot cache the images"),
            Err(error) => {
                warn(format!("images are not cached: {error}"));
                Ok(None)
            }
        }
    }

    /// What lies behind a path as an HDF5 file of the cache, prepared as asked.
    ///
    /// # Errors
    /// What is wrong with the data or the cache, or that there is none.
    pub(super) fn as_hdf5(
        &self,
        path: &Path,
        options: &Options,
        contract: ContractChange,
        console: Console,
    ) -> anyhow::Result<PathBuf> {
        let Some(folder) = self.cache_folder() else {
            bail!(
                "{}: with a memory limit its images are kept prepared in a cache: --cache DIR",
                path.display()
            );
        };
        let entry =
            watched(console, options, contract, |asked| Cache::new(&folder).entry(path, asked));
        let Entry { path: entry, is_old } = entry?;
        for rejected in Cache::rejected(path, &entry, options)? {
            warn(format!("left out: {}: {}", rejected.path.display(), rejected.reason));
        }
        if !is_old {
            console.note(format!("Prepared images are kept in {}", folder.display()));
        }
        Ok(entry)
    }

    fn cache_folder(&self) -> Option<PathBuf> {
        match &self.caching {
            Caching::Off => None,
            Caching::In(folder) => Some(folder.clone()),
            Caching::Usual => usual_folder(),
        }
    }
}

/// Converts with a bar, until it is done or Ctrl-C is noted.
pub(crate) fn watched<T>(
    console: Console,
    source: &Options,
    contract: ContractChange,
    work: impl FnOnce(&convert::Options<'_>) -> T,
) -> T {
    let bar = image_bar(console);
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let stop = &interrupt::asked;
    let done =
        work(&convert::Options { source, contract, level: LEVEL, progress: &progress, stop });
    bar.finish_and_clear();
    done
}

/// Of all files together; one that cannot be looked at has none.
fn n_bytes(files: &[PathBuf]) -> u64 {
    files.iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Where a user's programs keep what they can make again.
fn usual_folder() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = if cfg!(windows) {
        var("LOCALAPPDATA")
    } else {
        var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")))
    };
    Some(base?.join("dnn"))
}
