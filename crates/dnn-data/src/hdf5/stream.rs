//! Images that stay in their file: more of them than memory holds.

use super::backend::{DatasetInfo, Element};
use super::file::OpenFile;
use super::schema::{Described, RawSet};
use super::{Backend, Hdf5Error, Names, Options};
use crate::image_set::FloatRange;
use crate::preprocess::{Features, Moments};
use crate::{ContractError, InputContract, Normalization, Standardization};
use crate::{DataError, ImageShape, Values};
use dnn_core::{DatasetError, Examples, Real, ShuffleBlocks};
use nalgebra::DMatrix;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A block is about so large: long enough for a disk and for a chunk's filter, short enough to mix.
const BLOCK_BYTES: usize = 1 << 20;

/// Of a group of blocks whose images are mixed. Two groups may be needed at once, by a batch that
/// begins in one and ends in the other.
const LEAST_AT_ONCE: usize = 2;

/// One split of an HDF5 file, read some rows at a time.
///
/// Images come in blocks of neighbours, kept in memory as long as the limit allows. Training visits
/// them so that each block is read once an epoch ([`ShuffleBlocks`]).
pub struct Stream {
    path: PathBuf,
    shape: ImageShape,
    kind: Kind,
    contract: Option<InputContract>,
    labels: Vec<u32>,
    classes: Vec<String>,
    blocks: ShuffleBlocks,
    file: Mutex<State>,
}

struct State {
    file: OpenFile,
    images: DatasetInfo,
    /// Blocks in memory, the last read at the end.
    cache: VecDeque<(usize, Block)>,
}

/// Neighbouring images.
enum Block {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

/// What the numbers of a dataset are, by the rule of [`ImageSet::from_floats`](crate::ImageSet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    /// Floats that are bytes.
    WholeFloats,
    Floats(Normalization),
}

impl Stream {
    /// Opens the images of `names`, with as few in memory at a time as will do: four blocks.
    ///
    /// Always through the pure-Rust library, which reads rows without the rest.
    ///
    /// # Errors
    /// [`DataError::Hdf5`] when the file cannot be used.
    pub fn open(path: &Path, names: &Names, options: &Options) -> Result<Self, DataError> {
        let file = OpenFile::open(path, &Options { backend: Backend::Pure, ..*options })?;
        let (set, images, _) = RawSet::without_pixels(&file, names)?;
        file.check_by_rows(&images)?;
        let Described { shape, labels, classes, contract } = set.described(&options.limits)?;
        let is_float = images.element != Element::Unsigned(1);
        let n_bytes = shape.n_bytes() * if is_float { size_of::<f32>() } else { 1 };
        let chunk = images.chunk_rows().map_or(1, |rows| usize::try_from(rows).unwrap_or(1).max(1));
        // Whole chunks: each is unpacked once.
        let rows = chunk * (BLOCK_BYTES / (chunk * n_bytes)).max(1);
        let blocks =
            ShuffleBlocks { rows, at_once: LEAST_AT_ONCE.min(labels.len().div_ceil(rows)) };
        let kind = if is_float { kind_of(&file, &images, shape, rows)? } else { Kind::Bytes };
        let file = Mutex::new(State { file, images, cache: VecDeque::new() });
        Ok(Self { path: path.into(), shape, kind, contract, labels, classes, blocks, file })
    }

    /// Takes so many bytes of memory for images: the more there are, the better training mixes them.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when it is less than [`open`](Self::open) takes.
    pub fn with_memory(mut self, bytes: usize) -> Result<Self, DataError> {
        let at_once = bytes / (2 * self.block_bytes());
        if at_once < LEAST_AT_ONCE {
            return Err(DataError::Mismatch {
                what: format!("memory for the images of {}", self.path.display()),
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

    /// Bytes of images that are in memory at least.
    pub fn least_memory(&self) -> usize {
        2 * LEAST_AT_ONCE * self.block_bytes()
    }

    fn block_bytes(&self) -> usize {
        let width = if self.is_bytes() { 1 } else { size_of::<f32>() };
        self.blocks.rows * self.shape.n_bytes() * width
    }

    /// Size of every image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The contract under which the images are features as they are, or the one that they were
    /// prepared by, where the file has it.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when no contract has this size.
    pub fn contract(&self) -> Result<InputContract, DataError> {
        match (&self.contract, self.kind) {
            (_, Kind::Floats(normalization)) => {
                Ok(InputContract { normalization, ..self.shape.contract()? })
            }
            (Some(contract), _) => Ok(contract.clone()),
            (None, _) => self.shape.contract(),
        }
    }

    /// Whether the images are bytes of pixels, and not other numbers.
    pub fn is_bytes(&self) -> bool {
        !matches!(self.kind, Kind::Floats(_))
    }

    /// Mean and standard deviation as
    /// [`preprocess::standardization`](crate::preprocess::standardization) has them; the file is
    /// read twice for it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn standardization(&self) -> Result<Standardization, Hdf5Error> {
        let m = self.labels.len();
        let n = match self.kind {
            Kind::Floats(Normalization::AsIs) => self.shape.n_bytes(),
            _ => self.shape.channels,
        };
        let mut moments = Moments::new(n, m * self.shape.n_bytes());
        for _ in 0..2 {
            for block in 0..m.div_ceil(self.blocks.rows) {
                let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                match self.block(&mut state, block)? {
                    Block::Bytes(bytes) => moments.add_bytes(bytes),
                    Block::Floats(floats) => moments.add(floats.iter().map(|&v| f64::from(v))),
                }
            }
            moments.end_pass();
        }
        Ok(moments.standardization())
    }

    /// Class of each image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// How the images have to be shuffled for each block to be read once an epoch.
    pub fn blocks(&self) -> ShuffleBlocks {
        self.blocks
    }

    /// Takes the classes of a source that this is a split of.
    ///
    /// # Panics
    /// When they are fewer than its own.
    #[must_use]
    pub fn with_classes(self, classes: Vec<String>) -> Self {
        assert!(classes.len() >= self.classes.len(), "a name for each class");
        Self { classes, ..self }
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Copies images, one after the other.
    ///
    /// # Shapes
    /// `pixels` (indices, height, width, channels).
    /// # Errors
    /// When the file cannot be read.
    /// # Panics
    /// When an index is not below the number of images, `pixels` has another length, or the images
    /// are no [bytes](Self::is_bytes).
    pub fn read_pixels(&self, indices: &[usize], pixels: &mut [u8]) -> Result<(), Hdf5Error> {
        let n = self.shape.n_bytes();
        assert_eq!(pixels.len(), indices.len() * n, "room for each image");
        self.each(indices, |at, image| match image {
            Values::Bytes(bytes) => pixels[at * n..(at + 1) * n].copy_from_slice(bytes),
            Values::Floats(_) => panic!("numbers that are no bytes were read as pixels"),
        })
    }

    /// Gives the values of each image to `take`, with its place among the indices.
    ///
    /// # Errors
    /// When the file cannot be read.
    /// # Panics
    /// When an index is not below the number of images.
    pub fn each(
        &self,
        indices: &[usize],
        mut take: impl FnMut(usize, Values<'_>),
    ) -> Result<(), Hdf5Error> {
        let n = self.shape.n_bytes();
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, &i) in indices.iter().enumerate() {
            assert!(i < self.labels.len(), "image {i} of {}", self.labels.len());
            let start = i % self.blocks.rows * n;
            match self.block(&mut state, i / self.blocks.rows)? {
                Block::Bytes(bytes) => take(at, Values::Bytes(&bytes[start..start + n])),
                Block::Floats(floats) => take(at, Values::Floats(&floats[start..start + n])),
            }
        }
        Ok(())
    }

    fn block<'s>(&self, state: &'s mut State, block: usize) -> Result<&'s Block, Hdf5Error> {
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
            // Into the memory of the block that goes: threads take turns here, and what one of them
            // frees the allocator keeps for it, so that memory would grow.
            let values = match (self.kind, used.map(|(_, block)| block)) {
                (Kind::Floats(_), used) => {
                    let room = if let Some(Block::Floats(room)) = used { room } else { Vec::new() };
                    Block::Floats(refilled(room, &file.read_float_rows(images, rows)?))
                }
                (kind, used) => {
                    let room = if let Some(Block::Bytes(room)) = used { room } else { Vec::new() };
                    let bytes = if kind == Kind::Bytes {
                        file.read_byte_rows(images, rows)?
                    } else {
                        let floats = file.read_float_rows(images, rows)?;
                        floats.into_iter().map(|value| value as u8).collect()
                    };
                    Block::Bytes(refilled(room, &bytes))
                }
            };
            cache.push_back((block, values));
            cache.len() - 1
        };
        Ok(&cache[at].1)
    }
}

fn refilled<T: Copy>(mut room: Vec<T>, values: &[T]) -> Vec<T> {
    room.clear();
    room.reserve_exact(values.len());
    room.extend_from_slice(values);
    room
}

/// Looks at all floats of a dataset.
fn kind_of(
    file: &OpenFile,
    images: &DatasetInfo,
    shape: ImageShape,
    rows: usize,
) -> Result<Kind, DataError> {
    let m = images.shape.first().copied().unwrap_or(0);
    let mut range = FloatRange::default();
    for start in (0..m).step_by(rows) {
        let floats = file.read_float_rows(images, start..m.min(start + rows as u64))?;
        range.add(&floats, start as usize, shape).map_err(|error| error.in_file(&file.path))?;
    }
    Ok(if range.is_bytes() { Kind::WholeFloats } else { Kind::Floats(range.normalization()) })
}

/// The images of a [`Stream`] as features.
pub struct StreamedExamples<F: Real> {
    stream: Stream,
    features: Features<F>,
}

impl<F: Real> StreamedExamples<F> {
    /// By a contract, whose size the images must have.
    ///
    /// # Errors
    /// When the contract is not one, or has another size.
    pub fn new(stream: Stream, contract: &InputContract) -> Result<Self, DataError> {
        let none = |e: ContractError| DataError::Mismatch {
            what: "input contract".into(),
            expected: "one that holds together".into(),
            got: e.to_string(),
        };
        let features = Features::new(contract).map_err(none)?;
        let shape = ImageShape::of(contract);
        if stream.shape != shape {
            return Err(DataError::Mismatch {
                what: format!("size of the images of {}", stream.path.display()),
                expected: shape.to_string(),
                got: stream.shape.to_string(),
            });
        }
        Ok(Self { stream, features })
    }
}

impl<F: Real> Examples<F> for StreamedExamples<F> {
    fn n_examples(&self) -> usize {
        self.stream.labels.len()
    }
    fn n_features(&self) -> usize {
        self.stream.shape.n_bytes()
    }
    fn labels(&self) -> &[u32] {
        &self.stream.labels
    }
    fn classes(&self) -> &[String] {
        &self.stream.classes
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        None
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        let n = self.n_features();
        assert_eq!(x.shape(), (n, indices.len()), "a column for each example");
        let x = x.as_mut_slice();
        let read = self.stream.each(indices, |at, image| {
            let x = &mut x[at * n..(at + 1) * n];
            match image {
                Values::Bytes(bytes) => self.features.of_bytes(bytes, x),
                Values::Floats(floats) => self.features.of_floats(floats, x),
            }
        });
        read.map_err(|e| DatasetError::Read(e.into()))
    }
    fn is_streamed(&self) -> bool {
        true
    }
    fn blocks(&self) -> Option<ShuffleBlocks> {
        Some(self.stream.blocks)
    }
}
