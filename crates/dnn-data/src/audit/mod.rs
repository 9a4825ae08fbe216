//! The audit of a data set: duplicates, leaks, contradicting labels, class balance, colours.
//!
//! [`audit`] examines images in memory: the number of images of each class, their colours, duplicate
//! images, test images that are also in the training set, and images with two labels.
//! `docs/data-audit.md` has the rules and measured results.
//!
//! - `exact.rs`: images with the same pixels;
//! - `reduction.rs`, `fingerprint.rs`, `hamming.rs`, `near.rs`: images that are nearly the same,
//!   without comparing all pairs;
//! - `groups.rs`, `conflicts.rs`: pairs become groups, leaks and contradictions;
//! - `statistics.rs`: counts, colours, constant images;
//! - `report.rs`: the result.

mod conflicts;
mod exact;
mod fingerprint;
mod groups;
mod hamming;
mod images;
mod near;
mod reduction;
mod report;
mod statistics;

pub use hamming::MAX_DISTANCE;
pub use near::{MAX_COLOUR_DIFFERENCE, MAX_DIFFERENCE, MIN_CONTRAST, MIN_SIDE};
pub use report::{
    Audit, Channel, Duplicates, Group, ImageRef, Imbalance, Leak, Likeness, Listed, Near, Searched,
    SplitAudit, Unreadable,
};

use crate::{DataError, Splits};
use images::AllImages;
use std::path::PathBuf;

/// The options of an audit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AuditOptions {
    /// The number of bits (of 64) in which the hashes of near duplicates may differ; 0 skips the search.
    pub near_distance: u32,
    /// A larger ratio of the largest class to the smallest is reported.
    pub max_class_ratio: f64,
    /// The largest number of entries of each list and of images of each group; totals count all.
    pub max_listed: usize,
}

impl AuditOptions {
    /// The default distance: see `docs/data-audit.md`.
    pub const NEAR_DISTANCE: u32 = 7;
    /// The default length of lists.
    pub const MAX_LISTED: usize = 10;
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            near_distance: Self::NEAR_DISTANCE,
            max_class_ratio: 10.0,
            max_listed: Self::MAX_LISTED,
        }
    }
}

/// Audits the images of `splits`; files that could not be read are part of the result.
///
/// # Errors
/// [`DataError::Mismatch`] when the splits are [inconsistent](Splits::check), or the distance is
/// above [`MAX_DISTANCE`].
pub fn audit(
    splits: &Splits,
    unreadable: &[(PathBuf, String)],
    options: &AuditOptions,
) -> Result<Audit, DataError> {
    splits.check()?;
    if options.near_distance > MAX_DISTANCE {
        return Err(DataError::Mismatch {
            what: "distance of near duplicates".into(),
            expected: format!("0 to {MAX_DISTANCE} bits"),
            got: options.near_distance.to_string(),
        });
    }
    let images = AllImages::of(splits);
    let max = options.max_listed;
    let exact = exact::classes(&images);
    let mut found = conflicts::Found::new(&images, &exact);
    let near = near::search(&images, &exact, options.near_distance, |pair| found.add(pair));
    let unreadable = unreadable
        .iter()
        .map(|(path, reason)| Unreadable { path: path.clone(), reason: reason.clone() })
        .collect();
    Ok(Audit {
        shape: images.shape(),
        classes: images.classes().to_vec(),
        splits: statistics::splits(splits, options.max_class_ratio),
        unreadable: Listed::of(unreadable, max),
        constant: Listed::of(statistics::constant(&images), max),
        exact: found.exact_groups(max),
        near: match near {
            near::Outcome::Off => Near::Off,
            near::Outcome::TooSmall => Near::TooSmall { min_side: MIN_SIDE },
            near::Outcome::Searched { n_flat, complete } => Near::Searched(Searched {
                distance: options.near_distance,
                n_flat,
                complete,
                duplicates: found.near_groups(max),
            }),
        },
        leaks: Listed::of(found.leaks(), max),
        contradictions: Listed::of(found.contradictions(max), max),
    })
}
