//! A writer of HDF5 in the course's schema that streams images to the file.

use super::backend::Element;
use super::file::OpenFile;
use super::schema::{CLASSES, CONTRACT};
use super::{Hdf5Error, Options};
use crate::InputContract;
use crate::atomic::Pending;
use crate::visit::{BLOCK_BYTES, block_rows};
use crate::{Batch, DataError, ImageShape, Split, SplitInfo, SplitName, Splits, Visitor, parallel};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rust_hdf5::format::messages::datatype::DatatypeMessage;
use rust_hdf5::{H5Dataset, H5File, H5Type};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The approximate size in bytes of a chunk of pixels, which a reader unpacks at once.
const CHUNK_BYTES: usize = 64 << 10;
/// What packs the chunks is declared in the file; the level only for the record.
const LEVEL: u32 = DEFLATE_LEVEL;
/// UTF-8, by HDF5's number for it; ASCII is 0.
const UTF8: u8 = 1;
/// The number of chunks that are compressed in parallel before they are written.
const CHUNKS_AT_ONCE: usize = 32;

/// A writer of a file in the course's schema, which gets its final name when it is complete.
///
/// `train_set_x` (m, height, width, channels) of uint8, or of float32 or float64 when the values are
/// no bytes, in chunks, packed with gzip; `train_set_y` (m) of int64; the same for `test` and `validation`;
/// `list_classes` of fixed-width strings; each factor as `train_factors/NAME` and the like
/// (m); the contract that the images were prepared by as JSON in `input_contract`.
///
/// Its memory does not grow with the number of images, except for their labels.
pub struct Writer {
    /// The temporary file, `None` once it has its final name.
    pending: Option<Pending>,
    path: PathBuf,
    /// The open HDF5 file, `None` once it is closed.
    file: Option<H5File>,
    level: u32,
    open: Option<OpenSplit>,
    /// Each split that was written, with its number of images.
    written: Vec<(SplitName, usize)>,
}

/// The contents of the file other than images and labels.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The contract that the images were prepared by.
    pub contract: Option<InputContract>,
    /// Numbers for each image.
    pub factors: Factors,
}

/// The split that is being written.
struct OpenSplit {
    split: SplitName,
    shape: ImageShape,
    images: Option<ImageDataset>,
    labels: Vec<u32>,
}

/// A dataset of images.
struct ImageDataset {
    dataset: H5Dataset,
    /// Bytes of a number.
    width: usize,
    chunk_bytes: usize,
    /// Bytes that do not fill a chunk yet or wait for compression.
    waiting: Vec<u8>,
    n_chunks: usize,
}

impl Writer {
    /// Begins a file that will be called `path`; `level` is the compression level of gzip, 0 to 9.
    ///
    /// # Errors
    /// [`DataError::Hdf5`] when the file system refuses.
    pub fn create(path: &Path, level: u32) -> Result<Self, DataError> {
        let pending = Pending::new(path).map_err(io(path))?;
        let file = H5File::create(pending.path()).map_err(cause(path))?;
        let path = path.into();
        let (file, level) = (Some(file), level.min(9));
        Ok(Self { pending: Some(pending), path, file, level, open: None, written: Vec::new() })
    }

    /// Writes the remaining data and gives the file its final name.
    ///
    /// # Errors
    /// [`DataError::Hdf5`] when nothing was written, the contents do not fit the images, or the file
    /// system refuses.
    pub fn finish(mut self, contents: &Contents) -> Result<(), DataError> {
        self.end_split()?;
        let Contents { classes, contract, factors } = contents;
        if self.written.is_empty() {
            return Err(DataError::Mismatch {
                what: "data".into(),
                expected: "a training or a test set".into(),
                got: "neither".into(),
            });
        }
        for split in SplitName::ALL {
            let factors = factors.of(split);
            let n = self.written.iter().find(|(s, _)| *s == split).map_or(0, |(_, n)| *n);
            check_factors(&self.path, split, n, factors)?;
            if !factors.is_empty() {
                self.write_factors(split.word(), factors)?;
            }
        }
        self.write_classes(classes)?;
        if let Some(contract) = contract {
            let json = serde_json::to_vec(contract).map_err(|e| failed(&self.path, e))?;
            self.write_array(CONTRACT, &json)?;
        }
        // The last handle of a dataset keeps the file open.
        self.open = None;
        if let (Some(file), Some(pending)) = (self.file.take(), self.pending.take()) {
            file.close().map_err(cause(&self.path))?;
            pending.keep().map_err(io(&self.path))?;
        }
        Ok(())
    }

    fn end_split(&mut self) -> Result<(), Hdf5Error> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let (word, m) = (open.split.word(), open.labels.len());
        let Some(images) = &mut open.images else {
            return Err(Hdf5Error::Write {
                path: self.path.clone(),
                what: format!("the {word} set"),
                expected: "one image at least".into(),
                got: "none".into(),
            });
        };
        if !images.waiting.is_empty() {
            // The last chunk is as large as the others.
            let whole = images.waiting.len().next_multiple_of(images.chunk_bytes);
            images.waiting.resize(whole, 0);
            images.pack(self.level).map_err(cause(&self.path))?;
        }
        let ImageShape { height, width, channels } = open.shape;
        let extend = images.dataset.extend(&[m, height, width, channels]);
        extend.map_err(cause(&self.path))?;
        let labels: Vec<i64> = open.labels.iter().map(|&label| i64::from(label)).collect();
        self.write_array(&format!("{word}_set_y"), &labels)?;
        self.written.push((open.split, m));
        Ok(())
    }

    fn write_array<T: H5Type>(&self, name: &str, values: &[T]) -> Result<(), Hdf5Error> {
        let dataset = self.file()?.new_dataset::<T>().shape([values.len()]).create(name);
        dataset.and_then(|dataset| dataset.write_raw(values)).map_err(cause(&self.path))
    }

    fn write_factors(&self, word: &str, factors: &[Factor]) -> Result<(), Hdf5Error> {
        let group = format!("{word}_factors");
        self.file()?.create_group(&group).map_err(cause(&self.path))?;
        for Factor { name, values } in factors {
            let name = format!("{group}/{name}");
            match values {
                FactorValues::F64(values) => self.write_array(&name, values),
                FactorValues::F32(values) => self.write_array(&name, values),
                FactorValues::I64(values) => self.write_array(&name, values),
            }?;
        }
        Ok(())
    }

    fn write_classes(&self, classes: &[String]) -> Result<(), Hdf5Error> {
        let storable = |name: &&String| {
            !name.is_empty() && name.len() <= 256 && !name.contains('\0') && !name.ends_with(' ')
        };
        if let Some(name) = classes.iter().find(|name| !storable(name)) {
            return Err(Hdf5Error::Write {
                path: self.path.clone(),
                what: "the class names".into(),
                expected: "names of 1 to 256 bytes without NUL and without a space at the end"
                    .into(),
                got: format!("{name:?}"),
            });
        }
        let size = classes.iter().map(String::len).max().unwrap_or(1);
        let charset = if classes.iter().all(|name| name.is_ascii()) { 0 } else { UTF8 };
        // Padded with NUL, as NumPy's strings are.
        let string = DatatypeMessage::FixedString { size: size as u32, padding: 1, charset };
        let mut bytes = Vec::with_capacity(size * classes.len());
        for name in classes {
            bytes.extend_from_slice(name.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(size), 0);
        }
        self.file()?
            .new_dataset::<u8>()
            .datatype(string)
            .shape([classes.len()])
            .create(CLASSES)
            .and_then(|dataset| dataset.write_raw_bytes(&bytes))
            .map_err(cause(&self.path))
    }

    fn file(&self) -> Result<&H5File, Hdf5Error> {
        self.file.as_ref().ok_or_else(|| failed(&self.path, "it was closed before"))
    }
}

/// Closes a file that was not finished; if it were only dropped, the library would print a message to
/// standard error.
impl Drop for Writer {
    fn drop(&mut self) {
        self.open = None;
        if let Some(file) = self.file.take() {
            let _ = file.close_no_sync();
        }
    }
}

impl Visitor for Writer {
    fn begin(&mut self, SplitInfo { split, shape, .. }: SplitInfo) -> Result<bool, DataError> {
        self.end_split()?;
        let split = if split == SplitName::Unsplit { SplitName::Train } else { split };
        self.open = Some(OpenSplit { split, shape, images: None, labels: Vec::new() });
        Ok(true)
    }

    fn examples(&mut self, Batch { values, labels, .. }: Batch<'_>) -> Result<(), DataError> {
        let Self { open, file: Some(file), path, level, .. } = self else {
            return Err(failed(&self.path, "it was closed before").into());
        };
        let Some(OpenSplit { split, shape, images, labels: all_labels }) = open else {
            return Err(mismatch("images", "a split that was begun", "none".into()));
        };
        let n_values = shape.n_bytes();
        if values.len() != labels.len() * n_values {
            let got = format!("{} values for {} images of {shape}", values.len(), labels.len());
            return Err(mismatch("images", "all their values", got));
        }
        let width = values.number().n_bytes();
        let images = match images {
            Some(images) => images,
            None => images.insert(
                ImageDataset::create(file, split.word(), *shape, width).map_err(cause(path))?,
            ),
        };
        if images.width != width {
            return Err(mismatch("images", "bytes or numbers, as those before", "others".into()));
        }
        // In blocks, so that the waiting bytes stay few.
        let rows = block_rows(n_values * width);
        for at in (0..labels.len()).step_by(rows) {
            let range = at * n_values..labels.len().min(at + rows) * n_values;
            values.slice(range).write_le(&mut images.waiting);
            let enough = (CHUNKS_AT_ONCE * images.chunk_bytes).min(4 * BLOCK_BYTES);
            if images.waiting.len() >= enough.max(images.chunk_bytes) {
                images.pack(*level).map_err(cause(path))?;
            }
        }
        all_labels.extend_from_slice(labels);
        Ok(())
    }
}

impl ImageDataset {
    fn create(
        file: &H5File,
        word: &str,
        shape: ImageShape,
        width: usize,
    ) -> rust_hdf5::Result<Self> {
        let ImageShape { height, width: columns, channels } = shape;
        let chunk_rows = (CHUNK_BYTES / (shape.n_bytes() * width)).max(1);
        let name = format!("{word}_set_x");
        let chunk = [chunk_rows, height, columns, channels];
        let max = [None, Some(height), Some(columns), Some(channels)];
        let first = [0, height, columns, channels];
        let dataset = match width {
            1 => {
                let dataset = file.new_dataset::<u8>().shape(first).max_shape(&max).chunk(&chunk);
                dataset.deflate(LEVEL).create(&name)
            }
            4 => {
                let dataset = file.new_dataset::<f32>().shape(first).max_shape(&max).chunk(&chunk);
                dataset.shuffle_deflate(LEVEL).create(&name)
            }
            _ => {
                let dataset = file.new_dataset::<f64>().shape(first).max_shape(&max).chunk(&chunk);
                dataset.shuffle_deflate(LEVEL).create(&name)
            }
        };
        let chunk_bytes = chunk_rows * shape.n_bytes() * width;
        Ok(Self { dataset: dataset?, width, chunk_bytes, waiting: Vec::new(), n_chunks: 0 })
    }

    /// Compresses and writes the complete chunks that wait.
    fn pack(&mut self, level: u32) -> rust_hdf5::Result<()> {
        let whole = self.waiting.len() / self.chunk_bytes * self.chunk_bytes;
        let chunks: Vec<&[u8]> = self.waiting[..whole].chunks_exact(self.chunk_bytes).collect();
        let packed = parallel::map(&chunks, |chunk| packed(chunk, self.width, level));
        for chunk in packed {
            self.dataset.write_chunk_raw(self.n_chunks, &chunk?, 0)?;
            self.n_chunks += 1;
        }
        self.waiting.drain(..whole);
        Ok(())
    }
}

/// A chunk through HDF5's filters: shuffled when its numbers are wider than a byte, then deflated.
fn packed(chunk: &[u8], width: usize, level: u32) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    if width == 1 {
        encoder.write_all(chunk)?;
    } else {
        let shuffled: Vec<u8> =
            (0..width).flat_map(|byte| chunk.iter().skip(byte).step_by(width)).copied().collect();
        encoder.write_all(&shuffled)?;
    }
    encoder.finish()
}

/// Checks that each factor has a unique name and a value for each image.
pub(super) fn check_factors(
    path: &Path,
    split: SplitName,
    n: usize,
    factors: &[Factor],
) -> Result<(), Hdf5Error> {
    let word = split.word();
    for (i, factor) in factors.iter().enumerate() {
        let refuse = |expected: String, got: String| {
            let what = format!("factor `{}` of {word}", factor.name);
            Err(Hdf5Error::Write { path: path.into(), what, expected, got })
        };
        if factor.name.is_empty() || factor.name == "." || factor.name.contains(['/', '\0']) {
            return refuse("a name without a slash".into(), format!("{:?}", factor.name));
        }
        if factors[..i].iter().any(|other| other.name == factor.name) {
            return refuse("one of that name".into(), "two".into());
        }
        if factor.values.len() != n {
            let got = format!("{} values", factor.values.len());
            return refuse(format!("one value for each of {n} images"), got);
        }
    }
    Ok(())
}

fn mismatch(what: &str, expected: &str, got: String) -> DataError {
    DataError::Mismatch { what: what.into(), expected: expected.into(), got }
}

/// Returns the conversion of an I/O error for `map_err`.
fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Hdf5Error {
    move |source| Hdf5Error::Io { path: path.into(), operation: "write", source }
}

/// Returns the conversion of an error of the library for `map_err`.
fn cause(path: &Path) -> impl FnOnce(rust_hdf5::Hdf5Error) -> Hdf5Error {
    move |error| match error {
        rust_hdf5::Hdf5Error::Io(source) => io(path)(source),
        other => failed(path, other.to_string()),
    }
}

fn failed(path: &Path, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Hdf5Error {
    io(path)(std::io::Error::other(reason))
}

/// gzip's own default: higher levels take much longer for a few percent.
pub(crate) const DEFLATE_LEVEL: u32 = 6;

/// Numbers for the images of each split, such as the factors by which they were drawn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Factors {
    /// Of the training images.
    pub train: Vec<Factor>,
    /// Of the validation images.
    pub validation: Vec<Factor>,
    /// Of the test images.
    pub test: Vec<Factor>,
}

impl Factors {
    /// Returns the factors of a split.
    pub fn of(&self, split: SplitName) -> &[Factor] {
        match split {
            SplitName::Train | SplitName::Unsplit => &self.train,
            SplitName::Validation => &self.validation,
            SplitName::Test => &self.test,
        }
    }

    /// Returns the factors of a split, mutably.
    pub fn of_mut(&mut self, split: SplitName) -> &mut Vec<Factor> {
        match split {
            SplitName::Train | SplitName::Unsplit => &mut self.train,
            SplitName::Validation => &mut self.validation,
            SplitName::Test => &mut self.test,
        }
    }
}

/// One number for each image of a split.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// Name of the dataset; without a slash.
    pub name: String,
    /// The numbers, in the order of the images.
    pub values: FactorValues,
}

/// The numbers of a [`Factor`].
#[derive(Debug, Clone, PartialEq)]
pub enum FactorValues {
    /// Double precision.
    F64(Vec<f64>),
    /// Single precision.
    F32(Vec<f32>),
    /// Integers.
    I64(Vec<i64>),
}

impl FactorValues {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::I64(values) => values.len(),
        }
    }

    /// Returns whether there are no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes the sets to one file in the course's schema and replaces the file atomically.
///
/// The file is that of a [`Writer`].
///
/// # Errors
/// [`DataError::Mismatch`] when the sets do not belong together, [`DataError::Hdf5`] when a factor
/// does not belong to its images or the file cannot be written.
pub fn write_splits(path: &Path, splits: &Splits, factors: &Factors) -> Result<(), DataError> {
    splits.check()?;
    for split in SplitName::ALL {
        check_factors(
            path,
            split,
            splits.get(split).map_or(0, crate::ImageSet::len),
            factors.of(split),
        )?;
    }
    let mut writer = Writer::create(path, DEFLATE_LEVEL)?;
    let mut contents = Contents { factors: factors.clone(), ..Contents::default() };
    for Split { name, images, .. } in splits.iter() {
        images.visit(*name, &mut writer)?;
        contents.classes = images.classes().to_vec();
    }
    writer.finish(&contents)
}

/// Reads the factors that [`write_splits`] wrote; empty where the file has none.
///
/// # Errors
/// [`DataError::Hdf5`] when the file cannot be used or a factor is not a list of numbers.
pub fn load_factors(path: &Path, options: &Options) -> Result<Factors, DataError> {
    let file = OpenFile::open(path, options)?;
    let (names, _) = file.list()?;
    let read = |group: &str| -> Result<Vec<Factor>, Hdf5Error> {
        let mut factors = Vec::new();
        for path in &names {
            if let Some(name) = path.strip_prefix(group) {
                factors.push(Factor { name: name.into(), values: read_factor(&file, path)? });
            }
        }
        Ok(factors)
    };
    Ok(Factors {
        train: read("train_factors/")?,
        validation: read("validation_factors/")?,
        test: read("test_factors/")?,
    })
}

fn read_factor(file: &OpenFile, name: &str) -> Result<FactorValues, Hdf5Error> {
    let info = file.info(name)?;
    if info.shape.len() != 1 {
        return Err(Hdf5Error::Shape {
            path: file.path.clone(),
            name: name.into(),
            expected: "(m,): a number for each image".into(),
            got: info.shape,
        });
    }
    Ok(match info.element {
        Element::Float(8) => FactorValues::F64(file.read_floats(&info)?),
        Element::Float(4) => {
            FactorValues::F32(file.read_floats(&info)?.into_iter().map(|v| v as f32).collect())
        }
        Element::Signed(8) => {
            FactorValues::I64(file.read_integers(&info)?.into_iter().map(|v| v as i64).collect())
        }
        _ => {
            return Err(Hdf5Error::Type {
                path: file.path.clone(),
                name: name.into(),
                expected: "float64, float32 or int64",
                got: info.element.to_string(),
            });
        }
    })
}
