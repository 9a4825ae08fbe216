//! Images that are streamed from an HDF5 file because they do not fit in memory.

use super::backend::DatasetInfo;
use super::file::OpenFile;
use super::schema::{RawSet, with_classes};
use super::{Backend, Hdf5Error, Options};
use crate::Shown;
use crate::classes::mapped;
use crate::values::NumberRange;
use crate::{
    Buffer, DataError, ImageShape, Images, InputContract, Names, Normalization, Number, Scale,
    SplitName, Values,
};
use dnn_core::ShuffleBlocks;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The approximate size of a block in bytes: large enough for sequential reading, small enough for
/// shuffling.
const BLOCK_BYTES: usize = 1 << 20;

/// The least number of blocks that are shuffled together. Twice as many are in memory, since a batch
/// may begin in one group of blocks and end in the next.
const LEAST_AT_ONCE: usize = 2;

/// One split of an HDF5 file, read some rows at a time.
///
/// Images come in blocks of neighbours, kept in memory as long as the limit allows. Training visits
/// them so that each block is read once an epoch ([`ShuffleBlocks`]).
pub struct Stream {
    path: PathBuf,
    shape: ImageShape,
    /// The type in which the values are passed on.
    number: Number,
    normalization: Normalization,
    contract: Option<InputContract>,
    labels: Vec<u32>,
    classes: Vec<String>,
    blocks: ShuffleBlocks,
    file: Mutex<State>,
}

struct State {
    file: OpenFile,
    images: DatasetInfo,
    /// The blocks in memory, the most recently read last.
    cache: VecDeque<(usize, Buffer)>,
}

impl Stream {
    /// Opens the images of `names` with the least memory: four blocks.
    ///
    /// It always uses the pure-Rust library, which can read single rows.
    ///
    /// # Errors
    /// [`DataError::Hdf5`] when the file cannot be used.
    pub fn open(
        path: &Path,
        names: &Names,
        scale: Scale,
        options: &Options,
    ) -> Result<Self, DataError> {
        let options = Options { backend: Backend::Pure, ..*options };
        let file = OpenFile::open(path, &options)?;
        let set = RawSet::read(SplitName::Train, file, names.clone())?;
        let (mut sets, classes) = with_classes(vec![set], &options)?;
        let Some(set) = sets.pop() else { unreachable!("one was given") };
        let RawSet { file, images, shape, labels, contract, .. } = set;
        file.check_by_rows(&images)?;
        let mut number = images.number();
        let n_bytes = shape.n_bytes() * number.n_bytes();
        let chunk = images.chunk_rows().map_or(1, |rows| usize::try_from(rows).unwrap_or(1).max(1));
        // Blocks of whole chunks, so that each chunk is unpacked once.
        let rows = chunk * (BLOCK_BYTES / (chunk * n_bytes)).max(1);
        let at_once = LEAST_AT_ONCE.min(labels.len().div_ceil(rows));
        let blocks = ShuffleBlocks { rows, at_once };
        let mut normalization = Normalization::DivideBy255;
        if number != Number::Byte {
            let range = range_of(&file, &images, shape, rows)?;
            if scale != Scale::AsIs && range.is_bytes() {
                number = Number::Byte;
            } else {
                normalization = range.normalization();
            }
        }
        match scale {
            Scale::AsIs => normalization = Normalization::AsIs,
            Scale::DivideBy255 if number != Number::Byte => {
                return Err(DataError::File {
                    path: path.into(),
                    what: "numbers to divide by 255 with a memory limit".into(),
                    expected: "whole ones from 0 to 255".into(),
                    got: "others".into(),
                });
            }
            Scale::DivideBy255 | Scale::Auto => {}
        }
        let file = Mutex::new(State { file, images, cache: VecDeque::new() });
        let path = path.into();
        Ok(Self { path, shape, number, normalization, contract, labels, classes, blocks, file })
    }

    /// Sets the bytes of memory for images: the more there are, the better training shuffles them.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when it is less than [`open`](Self::open) needs.
    pub fn with_memory(mut self, bytes: usize) -> Result<Self, DataError> {
        let at_once = bytes / (2 * self.block_bytes());
        if at_once < LEAST_AT_ONCE {
            return Err(DataError::Mismatch {
                what: format!("memory for the images of {}", self.path.shown()),
                expected: format!(
                    "at least {} bytes, for four blocks of {}",
                    self.least_memory(),
                    self.blocks.rows
                ),
                got: bytes.to_string(),
            });
        }
        self.blocks.at_once = at_once.min(self.labels.len().div_ceil(self.blocks.rows));
        Ok(self)
    }

    /// Returns the least number of bytes of images in memory.
    pub fn least_memory(&self) -> usize {
        2 * LEAST_AT_ONCE * self.block_bytes()
    }

    fn block_bytes(&self) -> usize {
        self.blocks.rows * self.shape.n_bytes() * self.number.n_bytes()
    }

    /// Returns the stream with other classes: what was class i is class `map[i]` of `classes`.
    ///
    /// # Panics
    /// When `map` has no entry for a label, or leads to a class that does not exist.
    #[must_use]
    pub fn with_classes(self, classes: Vec<String>, map: &[u32]) -> Self {
        let labels = mapped(&self.labels, &classes, map);
        Self { labels, classes, ..self }
    }

    fn block<'s>(&self, state: &'s mut State, block: usize) -> Result<&'s Buffer, Hdf5Error> {
        let State { file, images, cache } = state;
        let known = cache.iter().position(|(b, _)| *b == block);
        let at = if let Some(at) = known {
            at
        } else {
            let is_full = cache.len() >= 2 * self.blocks.at_once;
            let used = if is_full { cache.pop_front() } else { None };
            let rows = self.blocks.rows;
            let end = self.labels.len().min((block + 1) * rows);
            let rows = (block * rows) as u64..end as u64;
            file.check_unchanged(&images.name)?;
            let mut read = file.read_value_rows(images, rows)?;
            if self.number == Number::Byte
                && !matches!(read, Buffer::Bytes(_))
                && let Some(bytes) = read.values().to_bytes()
            {
                read = Buffer::Bytes(bytes);
            }
            // The memory of the evicted block is reused: threads take turns here, and the allocator keeps
            // freed memory for each thread, so that memory would grow otherwise.
            let values = match used {
                Some((_, mut room)) => {
                    room.clear();
                    // Both have the type of the stream.
                    room.extend(read.values()).map_or(read, |()| room)
                }
                None => read,
            };
            cache.push_back((block, values));
            cache.len() - 1
        };
        Ok(&cache[at].1)
    }
}

/// Checks that all floats of a dataset are finite.
fn range_of(
    file: &OpenFile,
    images: &DatasetInfo,
    shape: ImageShape,
    rows: usize,
) -> Result<NumberRange, DataError> {
    let m = images.shape.first().copied().unwrap_or(0);
    let mut range = NumberRange::default();
    for start in (0..m).step_by(rows) {
        let values = file.read_value_rows(images, start..m.min(start + rows as u64))?;
        range
            .add(values.values(), start as usize, shape.n_bytes())
            .map_err(|error| error.in_file(&file.path))?;
    }
    Ok(range)
}

impl Images for Stream {
    fn shape(&self) -> ImageShape {
        self.shape
    }
    fn labels(&self) -> &[u32] {
        &self.labels
    }
    fn classes(&self) -> &[String] {
        &self.classes
    }
    fn contract(&self) -> Result<InputContract, DataError> {
        match &self.contract {
            Some(contract) if self.is_bytes() => Ok(contract.clone()),
            _ => Ok(InputContract { normalization: self.normalization, ..self.shape.contract()? }),
        }
    }
    fn is_bytes(&self) -> bool {
        self.number == Number::Byte && self.normalization == Normalization::DivideBy255
    }
    fn each(
        &self,
        indices: &[usize],
        take: &mut dyn FnMut(usize, Values<'_>),
    ) -> Result<(), DataError> {
        let n = self.shape.n_bytes();
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, &i) in indices.iter().enumerate() {
            assert!(i < self.labels.len(), "image {i} of {}", self.labels.len());
            let start = i % self.blocks.rows * n;
            let block = self.block(&mut state, i / self.blocks.rows)?;
            take(at, block.values().slice(start..start + n));
        }
        Ok(())
    }
    fn blocks(&self) -> Option<ShuffleBlocks> {
        Some(self.blocks)
    }
}
