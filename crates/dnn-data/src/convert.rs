//! Conversion of any source to one HDF5 file in the course's schema, without holding it in memory.

use crate::folder::FolderError;
use crate::format::hdf5::{Contents, Factors, Writer};
use crate::format::{self, Source, Visited};
use crate::image_set::{not_resized, prepared};
use crate::preprocess::ContractChange;
use crate::visit::OfRows;
use crate::{
    Batch, DataError, ImageShape, InputContract, Rejected, RowSelection, Shown, Split, SplitInfo,
    SplitName, Splits, Values, Visitor, parallel,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The options of a conversion.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The options by which the source is read; image files are prepared by their contract.
    pub source: &'a format::Options,
    /// The preparation of images that all have one size; image files are prepared by the contract of
    /// `source`.
    pub contract: ContractChange,
    /// The compression level of gzip, 0 to 9.
    pub level: u32,
    /// Called with the number of converted images and the total known so far.
    pub progress: &'a dyn Fn(usize, usize),
    /// Called between images; the conversion stops when it returns `true`.
    pub stop: &'a dyn Fn() -> bool,
}

/// The contents of the file that was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Converted {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The number of images of each class in each split.
    pub counts: Vec<(SplitName, Vec<usize>)>,
    /// The splits in the order in which they were written.
    pub order: Vec<SplitName>,
    /// The shape of all images.
    pub shape: ImageShape,
    /// The image files that were skipped.
    pub rejected: Vec<Rejected>,
    /// Of a part of a source: as in [`Visited::unusable`].
    pub unusable: Vec<(SplitName, u32)>,
}

/// Converts a source of any format to HDF5 and replaces the file atomically. Reading the file gives
/// the same images and labels as reading the source.
///
/// # Errors
/// When the source is invalid, when the file cannot be written or is one of those that are read;
/// [`DataError::Stopped`] when `stop` asked for it.
pub fn convert(from: &Path, to: &Path, options: &Options<'_>) -> Result<Converted, DataError> {
    if let Ok(replaced) = to.canonicalize() {
        let files = Source::of(from, options.source)?.files(options.source)?;
        if files.iter().any(|file| file.canonicalize().is_ok_and(|file| file == replaced)) {
            return Err(DataError::Mismatch {
                what: format!("the file to write, {}", to.shown()),
                expected: "another than those that are read".into(),
                got: "one of them".into(),
            });
        }
    }
    convert_with(from, to, options, |_| Ok(Factors::default()))
}

/// Does as [`convert`], and stores the index of each image's file.
pub(crate) fn convert_with(
    from: &Path,
    to: &Path,
    options: &Options<'_>,
    factors: impl FnOnce(&Visited) -> Result<Factors, DataError>,
) -> Result<Converted, DataError> {
    let mut writing = Preparing::new(to, options)?;
    let visited = Source::of(from, options.source)?.visit(options.source, &mut writing)?;
    let factors = factors(&visited)?;
    writing.finish(visited, factors)
}

/// Does as [`convert`] with sets that are in memory.
///
/// # Errors
/// As [`convert`].
pub fn convert_splits(
    splits: &Splits,
    to: &Path,
    options: &Options<'_>,
) -> Result<Converted, DataError> {
    splits.check()?;
    let mut writing = Preparing::new(to, options)?;
    let mut visited = Visited::default();
    for Split { name, images, .. } in splits.iter() {
        images.visit(*name, &mut OfRows::new(&options.source.rows, &mut writing))?;
        visited.classes = images.classes().to_vec();
    }
    writing.finish(visited, Factors::default())
}

/// Writes what several processes have converted, each its [`RowSelection::Shard`] of one source and given here in
/// their order, as one file: the bytes are those of a conversion by one process.
///
/// # Errors
/// As [`convert`]; when a class of a split has image files, and none of them could be used in any part.
pub fn join(
    parts: &[(PathBuf, Converted)],
    to: &Path,
    level: u32,
    (progress, stop): (&dyn Fn(usize, usize), &dyn Fn() -> bool),
) -> Result<Converted, DataError> {
    /// Passes one split of a file on, as a continuation of what came before.
    struct Continued<'a, 'o> {
        split: SplitName,
        writing: &'a mut Preparing<'o>,
    }
    impl Visitor for Continued<'_, '_> {
        fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
            if part.split.word() != self.split.word() {
                return Ok(false);
            }
            let before = self.writing.counts.last().map(|(split, _)| *split);
            let is_new = before != Some(self.split);
            if is_new {
                self.writing.begin(SplitInfo { split: self.split, ..part })
            } else {
                Ok(true)
            }
        }
        fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError> {
            self.writing.examples(batch)
        }
    }
    let source = format::Options::default();
    let contract = ContractChange::default();
    let options = Options { source: &source, contract, level, progress, stop };
    let mut writing = Preparing::new(to, &options)?;
    let mut visited = Visited::default();
    for (_, converted) in parts {
        visited.rejected.extend_from_slice(&converted.rejected);
        visited.unusable.extend_from_slice(&converted.unusable);
    }
    // The last share of a split is never empty, so the last part has all splits.
    let order = parts.last().map_or(&[][..], |(_, last)| &last.order);
    for &split in order {
        for (file, converted) in parts {
            if converted.counts.iter().any(|(other, _)| *other == split) {
                let mut continued = Continued { split, writing: &mut writing };
                visited.classes = format::visit(file, &source, &mut continued)?.classes;
            }
        }
    }
    // One process finds them split by split.
    let place = |rejected: &Rejected| order.iter().position(|split| *split == rejected.split);
    visited.rejected.sort_by_key(place);
    for &(split, label) in &visited.unusable {
        let of_split = writing.counts.iter().find(|(other, _)| *other == split);
        if of_split.and_then(|(_, counts)| counts.get(label as usize)).is_none_or(|&n| n == 0) {
            let class = visited.classes.get(label as usize);
            let (root, class) = (to.into(), class.cloned().unwrap_or_else(|| label.to_string()));
            return Err(FolderError::NoSoundImage { root, split, class }.into());
        }
    }
    writing.finish(visited, Factors::default())
}

/// The writer of images, which prepares them first.
struct Preparing<'a> {
    writer: Writer,
    options: &'a Options<'a>,
    split: Option<Writing>,
    /// The contract by which the images were prepared, where it is known.
    contract: Option<InputContract>,
    counts: Vec<(SplitName, Vec<usize>)>,
    /// A split of a part of a source, in which it may have no image that can be used.
    to_begin: Option<SplitInfo>,
    n_done: usize,
    n_all: usize,
}

/// The split that is being written.
#[derive(Clone)]
struct Writing {
    given: ImageShape,
    contract: InputContract,
    shape: ImageShape,
}

impl<'a> Preparing<'a> {
    fn new(to: &Path, options: &'a Options<'a>) -> Result<Self, DataError> {
        let writer = Writer::create(to, options.level)?;
        let (split, contract, counts, to_begin) = (None, None, Vec::new(), None);
        Ok(Self { writer, options, split, contract, counts, to_begin, n_done: 0, n_all: 0 })
    }

    fn finish(self, visited: Visited, factors: Factors) -> Result<Converted, DataError> {
        let Visited { classes, rejected, unusable, .. } = visited;
        let Some(Writing { shape, .. }) = self.split else {
            let what = match self.options.source.rows {
                RowSelection::All => "data".into(),
                RowSelection::Shard(shard) => {
                    format!("shard {} of {}", shard.index() + 1, shard.count())
                }
                RowSelection::Range(_) => "rows".into(),
            };
            let (expected, got) = ("one example at least".into(), "none".into());
            return Err(DataError::Mismatch { what, expected, got });
        };
        let contents = Contents { classes, contract: self.contract, factors };
        self.writer.finish(&contents)?;
        let mut counts = self.counts;
        let order = counts.iter().map(|(split, _)| *split).collect();
        counts.sort_by_key(|(split, _)| *split);
        for (_, counts) in &mut counts {
            counts.resize(contents.classes.len(), 0);
        }
        Ok(Converted { classes: contents.classes, counts, order, shape, rejected, unusable })
    }
}

impl Visitor for Preparing<'_> {
    fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
        let SplitInfo { split, shape: given, n, contract: own, .. } = part.clone();
        let is_prepared = own.is_some() || self.options.contract != ContractChange::default();
        let contract = self.options.contract.apply(own.map_or_else(|| given.contract(), Ok)?);
        contract.check().map_err(crate::image::ImageError::from)?;
        let shape = ImageShape::of(&contract);
        if let Some(before) = self.split.as_ref().filter(|before| before.shape != shape) {
            return Err(DataError::Mismatch {
                what: format!("size of the images of {}", split.phrase()),
                expected: format!("{}, as those before", before.shape),
                got: shape.to_string(),
            });
        }
        if is_prepared && self.contract.is_none() {
            self.contract = Some(contract.clone());
        }
        self.split = Some(Writing { given, contract, shape });
        self.counts.push((split, Vec::new()));
        self.n_all += n;
        let part = SplitInfo { shape, ..part };
        if self.options.source.rows == RowSelection::All {
            return self.writer.begin(part);
        }
        self.to_begin = Some(part);
        Ok(true)
    }

    fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError> {
        let Batch { values, labels, files } = batch;
        if (self.options.stop)() {
            return Err(DataError::Stopped);
        }
        if let Some(part) = self.to_begin.take() {
            self.writer.begin(part)?;
        }
        let Some(Writing { given, contract, shape }) = &self.split else { return Ok(()) };
        if given == shape {
            self.writer.examples(batch)?;
        } else {
            let bytes = match values {
                Values::Bytes(bytes) => Cow::Borrowed(bytes),
                // Numbers of a wider type may be bytes all the same.
                numbers => {
                    Cow::Owned(numbers.to_bytes().ok_or_else(|| not_resized(*given, *shape))?)
                }
            };
            let images: Vec<&[u8]> = bytes.chunks_exact(given.n_bytes()).collect();
            let images = parallel::map(&images, |image| prepared(image, *given, contract));
            let images = images.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
            let values = Values::Bytes(&images);
            self.writer.examples(Batch { values, labels, files })?;
        }
        if let Some((_, counts)) = self.counts.last_mut() {
            for &label in labels {
                let n_classes = counts.len().max(label as usize + 1);
                counts.resize(n_classes, 0);
                counts[label as usize] += 1;
            }
        }
        self.n_done += labels.len();
        (self.options.progress)(self.n_done, self.n_all);
        Ok(())
    }
}
