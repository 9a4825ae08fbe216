//! Decoding and preparing on all cores.

use super::FolderOptions;
use super::layout::Listing;
use crate::image::{ImageError, decode_file};
use crate::{Rejected, SplitName, parallel, preprocess};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The prepared images of a listing, without those that cannot be used.
pub(super) struct Decoded {
    pub(super) pixels: Vec<u8>,
    pub(super) listing: Listing,
    pub(super) rejected: Vec<Rejected>,
}

/// Decodes every file of a split and keeps those that are sound.
///
/// Each image has its place in the result, so the order in which they are finished does not show,
/// and no more images are in work than there are threads.
pub(super) fn decode(mut listing: Listing, split: SplitName, options: &FolderOptions) -> Decoded {
    let n_bytes = options.contract.n_values();
    let n_files = listing.files.len();
    let mut pixels = vec![0; n_files * n_bytes];
    let rejected = Mutex::new(Vec::new());
    let places = listing.files.iter().zip(pixels.chunks_exact_mut(n_bytes)).enumerate();
    parallel::for_each(places, options.n_threads, |(i, (path, place))| {
        match prepared(path, options) {
            Ok(bytes) => place.copy_from_slice(&bytes),
            Err(error) => {
                let rejection = Rejected { split, path: path.clone(), reason: reason(&error) };
                rejected.lock().unwrap_or_else(PoisonError::into_inner).push((i, rejection));
            }
        }
    });
    let mut rejected = rejected.into_inner().unwrap_or_else(PoisonError::into_inner);
    rejected.sort_unstable_by_key(|(i, _)| *i);
    let is_bad = |i: usize| rejected.binary_search_by_key(&i, |(bad, _)| *bad).is_ok();
    let good: Vec<usize> = (0..n_files).filter(|&i| !is_bad(i)).collect();
    for (to, &from) in good.iter().enumerate().filter(|(to, from)| to != *from) {
        pixels.copy_within(from * n_bytes..(from + 1) * n_bytes, to * n_bytes);
        listing.files.swap(to, from);
        listing.labels.swap(to, from);
    }
    pixels.truncate(good.len() * n_bytes);
    listing.files.truncate(good.len());
    listing.labels.truncate(good.len());
    Decoded { pixels, listing, rejected: rejected.into_iter().map(|(_, r)| r).collect() }
}

/// Returns the file of a split with what is wrong with it; `None` when it can be used.
pub(super) fn rejection(
    path: &Path,
    split: SplitName,
    options: &FolderOptions,
) -> Option<Rejected> {
    let error = prepared(path, options).err()?;
    Some(Rejected { split, path: path.into(), reason: reason(&error) })
}

fn prepared(path: &Path, options: &FolderOptions) -> Result<Vec<u8>, ImageError> {
    let contract = &options.contract;
    let image = decode_file(path, &options.limits, contract.into())?;
    Ok(preprocess::prepare(image, contract)?)
}

/// Returns what is wrong without the path, which the list has already.
fn reason(error: &ImageError) -> String {
    match error {
        ImageError::Decode { reason, .. } => reason.to_string(),
        ImageError::Io { operation, source, .. } => format!("{operation} failed: {source}"),
        other => other.to_string(),
    }
}
