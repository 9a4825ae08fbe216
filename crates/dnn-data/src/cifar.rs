//! CIFAR-10's binary version: records of a label and 32×32 pixels, plane by plane.

use crate::file::{InputFile, files_of, io, listed, says_test};
use crate::visit::BLOCK_BYTES;
use crate::{DataError, ImageSet, ImageShape, Limits, Part, SplitName, Splits, Values, Visitor};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE_BYTES: usize = SIDE * SIDE;
/// A label, then red, green and blue.
const RECORD_BYTES: usize = 1 + 3 * PLANE_BYTES;
const SHAPE: ImageShape = ImageShape { height: SIDE, width: SIDE, channels: 3 };

const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
/// The file that lists the classes, a line each.
const NAMES_FILE: &str = "batches.meta.txt";

/// Whether a file can be one: whole records, each with a label that is a class.
pub(crate) fn is_cifar(path: &Path) -> Result<bool, DataError> {
    let input = InputFile::open(path)?;
    if !input.n_bytes.is_multiple_of(RECORD_BYTES as u64) {
        return Ok(false);
    }
    let mut reader = BufReader::with_capacity(1 << 16, input.file);
    let mut record = [0; RECORD_BYTES];
    for _ in 0..input.n_bytes / RECORD_BYTES as u64 {
        reader.read_exact(&mut record).map_err(io(path, "read"))?;
        if usize::from(record[0]) >= CLASSES.len() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files of a folder that are.
fn batches(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    // What may not be opened, or is empty, is somebody else's.
    Ok(files_of(folder)?.into_iter().filter(|path| is_cifar(path).unwrap_or(false)).collect())
}

/// Whether a folder has such a file.
pub(crate) fn is_in(folder: &Path) -> Result<bool, DataError> {
    Ok(!batches(folder)?.is_empty())
}

/// Reads a folder (`data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`) or one file.
///
/// Files are recognised by their content; what is to test on says `test` in its name, all else is to
/// train on, in the order of the names. Classes are those of `batches.meta.txt` where it is.
///
/// # Errors
/// [`DataError::File`] when a file does not hold whole records, or a label is no class;
/// [`DataError::Limit`].
pub fn load(path: &Path, limits: &Limits) -> Result<Splits, DataError> {
    let Batches { train, test, classes } = Batches::of(path)?;
    // One file is what a set came from; several are their folder.
    let origin = |files: &[PathBuf]| match files {
        [] => None,
        [one] => Some(one.clone()),
        _ => Some(path.to_owned()),
    };
    let (train_path, test_path) = (origin(&train), origin(&test));
    let train = read(path, &train, &classes, limits)?;
    let test = read(path, &test, &classes, limits)?;
    Ok(Splits { train, test, train_path, test_path, ..Splits::default() })
}

/// Passes the images of [`load`] on, some at a time; and gives the classes.
pub(crate) fn visit(path: &Path, visitor: &mut dyn Visitor) -> Result<Vec<String>, DataError> {
    let Batches { train, test, classes } = Batches::of(path)?;
    for (split, files) in [(SplitName::Train, train), (SplitName::Test, test)] {
        if files.is_empty() {
            continue;
        }
        let inputs = files.iter().map(|f| InputFile::open(f)).collect::<Result<Vec<_>, _>>()?;
        let n_bytes: u64 = inputs.iter().map(|input| input.n_bytes).sum();
        let n = n_bytes as usize / RECORD_BYTES;
        if !visitor.begin(Part { split, shape: SHAPE, n, contract: None })? {
            continue;
        }
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for input in inputs {
            records(input, &classes, |label, planes| {
                labels.push(label);
                push_pixels(planes, &mut pixels);
                if pixels.len() >= BLOCK_BYTES {
                    visitor.examples(Values::Bytes(&pixels), &labels)?;
                    pixels.clear();
                    labels.clear();
                }
                Ok(())
            })?;
        }
        if !labels.is_empty() {
            visitor.examples(Values::Bytes(&pixels), &labels)?;
        }
    }
    Ok(classes)
}

/// The files that [`load`] reads.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let Batches { train, test, .. } = Batches::of(path)?;
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let names = folder.unwrap_or(Path::new("")).join(NAMES_FILE);
    let names = names.is_file().then_some(names);
    Ok(train.into_iter().chain(test).chain(names).collect())
}

/// What a folder, or a file, holds.
struct Batches {
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
    classes: Vec<String>,
}

impl Batches {
    fn of(path: &Path) -> Result<Self, DataError> {
        let is_folder = path.is_dir();
        let files = if is_folder { batches(path)? } else { vec![path.into()] };
        let folder = if is_folder { Some(path) } else { path.parent() };
        if files.is_empty() {
            return Err(DataError::File {
                path: path.into(),
                what: "files".into(),
                expected: "CIFAR-10's, records of 3073 bytes".into(),
                got: listed(&files_of(path)?),
            });
        }
        let classes = classes(folder.unwrap_or(Path::new("")))?;
        let (test, train) = files.into_iter().partition(|file| says_test(file));
        Ok(Self { train, test, classes })
    }
}

fn read(
    path: &Path,
    files: &[PathBuf],
    classes: &[String],
    limits: &Limits,
) -> Result<Option<ImageSet>, DataError> {
    let inputs = files.iter().map(|f| InputFile::open(f)).collect::<Result<Vec<_>, _>>()?;
    let n_bytes: u64 = inputs.iter().map(|input| input.n_bytes).sum();
    if inputs.is_empty() {
        return Ok(None);
    }
    if n_bytes > limits.max_bytes {
        let what = "the images".into();
        let (path, limit) = (path.into(), limits.max_bytes);
        return Err(DataError::Limit { path, what, bytes: Some(n_bytes), limit });
    }
    let n = n_bytes as usize / RECORD_BYTES;
    let mut pixels = Vec::with_capacity(n * SHAPE.n_bytes());
    let mut labels = Vec::with_capacity(n);
    for input in inputs {
        records(input, classes, |label, planes| {
            labels.push(label);
            push_pixels(planes, &mut pixels);
            Ok(())
        })?;
    }
    ImageSet::new(pixels, SHAPE, labels, classes.to_vec())
        .map(Some)
        .map_err(|error| error.in_file(path))
}

/// Reads a file record by record: a label, and the planes of an image.
fn records(
    InputFile { path, n_bytes, file }: InputFile,
    classes: &[String],
    mut take: impl FnMut(u32, &[u8]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let refuse = |what: String, expected: String, got: u64| {
        Err(DataError::File { path: path.clone(), what, expected, got: got.to_string() })
    };
    if !n_bytes.is_multiple_of(RECORD_BYTES as u64) {
        return refuse("bytes".into(), format!("a multiple of {RECORD_BYTES}"), n_bytes);
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut record = [0; RECORD_BYTES];
    for i in 0..n_bytes / RECORD_BYTES as u64 {
        reader.read_exact(&mut record).map_err(io(&path, "read"))?;
        let [label, planes @ ..] = &record;
        if usize::from(*label) >= classes.len() {
            let expected = format!("a class index from 0 to {}", classes.len() - 1);
            return refuse(format!("label {i}"), expected, u64::from(*label));
        }
        take(u32::from(*label), planes)?;
    }
    Ok(())
}

/// From plane by plane to pixel by pixel.
fn push_pixels(planes: &[u8], pixels: &mut Vec<u8>) {
    for at in 0..PLANE_BYTES {
        pixels.extend([0, 1, 2].map(|channel| planes[channel * PLANE_BYTES + at]));
    }
}

/// The classes a folder lists, or the ten that are known.
fn classes(folder: &Path) -> Result<Vec<String>, DataError> {
    /// Ten names, with room to spare.
    const MAX_BYTES: u64 = 4096;
    let path = folder.join(NAMES_FILE);
    if !path.is_file() {
        return Ok(CLASSES.map(String::from).to_vec());
    }
    let mut text = String::new();
    let input = InputFile::open(&path)?;
    input.file.take(MAX_BYTES).read_to_string(&mut text).map_err(io(&path, "read"))?;
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
    let repeated = names.iter().enumerate().any(|(i, name)| names[..i].contains(name));
    if names.len() != CLASSES.len() || repeated {
        return Err(DataError::File {
            path,
            what: "names of classes".into(),
            expected: "10 different ones, a line each".into(),
            got: format!("{} {}", names.len(), if repeated { "with repetitions" } else { "lines" }),
        });
    }
    Ok(names)
}
