//! Images that stay in their file: more of them than memory holds.

use super::backend::DatasetInfo;
use super::file::OpenFile;
use super::schema::RawSet;
use super::{Backend, Hdf5Error, Names, Options};
use crate::preprocess::Features;
use crate::{DataError, ImageShape};
use dnn_core::{ContractError, DatasetError, Examples, InputContract, Real, ShuffleBlocks};
use nalgebra::DMatrix;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A block is about so large: long enough for a disk and for a chunk's filter, short enough to mix.
const BLOCK_BYTES: usize = 1 << 20;

/// One split of an HDF5 file, read some rows at a time.
///
/// Images come in blocks of neighbours, kept in memory as long as the limit allows. Training visits
/// them so that each block is read once an epoch ([`ShuffleBlocks`]).
pub struct Stream {
    path: PathBuf,
    shape: ImageShape,
    labels: Vec<u32>,
    classes: Vec<String>,
    blocks: ShuffleBlocks,
    file: Mutex<State>,
}

struct State {
    file: OpenFile,
    images: DatasetInfo,
    /// Blocks in memory, the last read at the end.
    cache: VecDeque<(usize, Vec<u8>)>,
}

impl Stream {
    /// Opens the images of `names`; up to `memory_bytes` of them are in memory at a time.
    ///
    /// Always through the pure-Rust library, which reads rows without the rest.
    ///
    /// # Errors
    /// [`DataError::Hdf5`] when the file cannot be used, [`DataError::Mismatch`] when the limit is
    /// less than four blocks of images.
    pub fn open(
        path: &Path,
        names: &Names,
        options: &Options,
        memory_bytes: usize,
    ) -> Result<Self, DataError> {
        let file = OpenFile::open(path, &Options { backend: Backend::Pure, ..*options })?;
        let (set, images, n_images) = RawSet::without_pixels(&file, names)?;
        file.check_bytes_by_rows(&images)?;
        let (shape, labels, classes) = set.described(&options.limits)?;
        let n_bytes = shape.n_bytes();
        let chunk = images.chunk_rows().map_or(1, |rows| usize::try_from(rows).unwrap_or(1).max(1));
        // Whole chunks: each is unpacked once.
        let rows = chunk * (BLOCK_BYTES / (chunk * n_bytes)).max(1);
        // Two groups may be needed at once, by a batch that begins in one and ends in the other.
        let at_once = memory_bytes / (2 * rows * n_bytes);
        if at_once < 2 {
            return Err(DataError::Mismatch {
                what: format!("memory for the images of {}", path.display()),
                expected: format!(
                    "at least {} bytes, for four blocks of {rows}",
                    4 * rows * n_bytes
                ),
                got: memory_bytes.to_string(),
            });
        }
        let n_blocks = usize::try_from(n_images).unwrap_or(usize::MAX).div_ceil(rows);
        let blocks = ShuffleBlocks { rows, at_once: at_once.min(n_blocks) };
        let file = Mutex::new(State { file, images, cache: VecDeque::new() });
        Ok(Self { path: path.into(), shape, labels, classes, blocks, file })
    }

    /// Size of every image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The contract under which the images are features as they are.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when no contract has this size.
    pub fn contract(&self) -> Result<InputContract, DataError> {
        self.shape.contract()
    }

    /// Class of each image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
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
    /// When an index is not below the number of images, or `pixels` has another length.
    pub fn read_pixels(&self, indices: &[usize], pixels: &mut [u8]) -> Result<(), Hdf5Error> {
        let n = self.shape.n_bytes();
        assert_eq!(pixels.len(), indices.len() * n, "room for each image");
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (&i, place) in indices.iter().zip(pixels.chunks_exact_mut(n)) {
            assert!(i < self.labels.len(), "image {i} of {}", self.labels.len());
            let block = self.block(&mut state, i / self.blocks.rows)?;
            place.copy_from_slice(&block[i % self.blocks.rows * n..][..n]);
        }
        Ok(())
    }

    fn block<'s>(&self, state: &'s mut State, block: usize) -> Result<&'s [u8], Hdf5Error> {
        let State { file, images, cache } = state;
        let known = cache.iter().position(|(b, _)| *b == block);
        let at = if let Some(at) = known {
            at
        } else {
            if cache.len() >= 2 * self.blocks.at_once {
                cache.pop_front();
            }
            let rows = self.blocks.rows;
            let end = self.labels.len().min((block + 1) * rows);
            let bytes = file.read_byte_rows(images, (block * rows) as u64..end as u64)?;
            cache.push_back((block, bytes));
            cache.len() - 1
        };
        Ok(&cache[at].1)
    }
}

/// The images of a [`Stream`] as features.
pub struct StreamedExamples<F: Real> {
    stream: Stream,
    features: Features<F>,
    /// Room for the bytes of a batch.
    pixels: Mutex<Vec<u8>>,
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
        let size = [contract.height, contract.width, contract.channels].map(|n| n as usize);
        let ImageShape { height, width, channels } = stream.shape;
        if size != [height, width, channels] {
            return Err(DataError::Mismatch {
                what: format!("size of the images of {}", stream.path.display()),
                expected: format!("{}×{}×{}", size[0], size[1], size[2]),
                got: stream.shape.to_string(),
            });
        }
        Ok(Self { stream, features, pixels: Mutex::new(Vec::new()) })
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
        // Taken out, so that another thread reads while this one computes.
        let buffer = || self.pixels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pixels = std::mem::take(&mut *buffer());
        pixels.resize(indices.len() * self.n_features(), 0);
        let read = self.stream.read_pixels(indices, &mut pixels);
        read.map_err(|e| DatasetError::Read(e.into()))?;
        self.features.of_bytes(&pixels, x.as_mut_slice());
        *buffer() = pixels;
        Ok(())
    }
    fn is_streamed(&self) -> bool {
        true
    }
    fn blocks(&self) -> Option<ShuffleBlocks> {
        Some(self.stream.blocks)
    }
}
