//! The binary versions of CIFAR-10 and CIFAR-100: records of one or two labels and 32×32 pixels,
//! plane by plane.

use super::found::{Found, FoundFile};
use super::options::{AboutFormat, Format, Options, Visited};
use crate::file::{InputFile, files_of, io, listed, says_test};
use crate::visit::BLOCK_BYTES;
use crate::{Batch, DataError, ImageShape, Number, SplitInfo, SplitName, Values, Visitor};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE_BYTES: usize = SIDE * SIDE;
const SHAPE: ImageShape = ImageShape { height: SIDE, width: SIDE, channels: 3 };

/// Records with `n_labels` labels, of which the last one is the class.
pub(super) struct Cifar {
    about: AboutFormat,
    n_labels: usize,
    n_classes: usize,
    /// The file that lists the classes, a line each.
    names_file: &'static str,
    /// The classes where there is no such file; those of CIFAR-100 are numbered.
    classes: &'static [&'static str],
}

/// A label, then red, green and blue.
pub(super) static CIFAR10: Cifar = Cifar {
    about: AboutFormat {
        name: "CIFAR-10",
        in_files: Some("CIFAR-10's binary records"),
        in_folders: Some("CIFAR-10's binary files (data_batch_1.bin and the like)"),
        ..AboutFormat::PLAIN
    },
    n_labels: 1,
    n_classes: 10,
    names_file: "batches.meta.txt",
    classes: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
};

/// A coarse label of 20, a fine one of 100, then red, green and blue.
pub(super) static CIFAR100: Cifar = Cifar {
    about: AboutFormat {
        name: "CIFAR-100",
        in_files: Some("CIFAR-100's"),
        in_folders: Some("CIFAR-100's (train.bin, test.bin)"),
        ..AboutFormat::PLAIN
    },
    n_labels: 2,
    n_classes: 100,
    names_file: "fine_label_names.txt",
    classes: &[],
};

impl Format for Cifar {
    fn about(&self) -> &AboutFormat {
        &self.about
    }
    fn detect(&self, found: &Found) -> Result<bool, DataError> {
        for file in found.files() {
            if self.is_likely(file) && self.is_batch(file.input()?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
    fn files(&self, path: &Path, _: &Options) -> Result<Vec<PathBuf>, DataError> {
        let BatchFiles { train, test, .. } = self.batches(path)?;
        let folder = if path.is_dir() { Some(path) } else { path.parent() };
        let names = folder.unwrap_or(Path::new("")).join(self.names_file);
        let names = names.is_file().then_some(names);
        Ok(train.into_iter().chain(test).chain(names).collect())
    }
    fn visit(
        &self,
        path: &Path,
        _: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        let BatchFiles { train, test, classes } = self.batches(path)?;
        for (split, files) in [(SplitName::Train, train), (SplitName::Test, test)] {
            if files.is_empty() {
                continue;
            }
            let inputs = files.iter().map(|f| InputFile::open(f)).collect::<Result<Vec<_>, _>>()?;
            let n_bytes: u64 = inputs.iter().map(|input| input.n_bytes).sum();
            let n = n_bytes as usize / self.record_bytes();
            // One file is what a set came from; several are their folder.
            let origin = if let [one] = &files[..] { one } else { path };
            let part = SplitInfo {
                split,
                shape: SHAPE,
                n,
                number: Number::Byte,
                contract: None,
                path: Some(origin.into()),
            };
            if !visitor.begin(part)? {
                continue;
            }
            let (mut pixels, mut labels) = (Vec::new(), Vec::new());
            for input in inputs {
                self.records(input, &classes, |label, planes| {
                    labels.push(label);
                    push_pixels(planes, &mut pixels);
                    if pixels.len() >= BLOCK_BYTES {
                        let values = Values::Bytes(&pixels);
                        visitor.examples(Batch { values, labels: &labels, files: &[] })?;
                        pixels.clear();
                        labels.clear();
                    }
                    Ok(())
                })?;
            }
            if !labels.is_empty() {
                let values = Values::Bytes(&pixels);
                visitor.examples(Batch { values, labels: &labels, files: &[] })?;
            }
        }
        Ok(Visited { classes, ..Visited::default() })
    }
}

/// The files of a folder, or the one file. Test files have `test` in their names; all others are
/// training files, in the order of their names.
struct BatchFiles {
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
    classes: Vec<String>,
}

impl Cifar {
    fn record_bytes(&self) -> usize {
        self.n_labels + 3 * PLANE_BYTES
    }

    /// Returns whether the length and the first record of a file are those of this format.
    fn is_likely(&self, file: &FoundFile) -> bool {
        file.start().is_some_and(|start| {
            start.n_bytes.is_multiple_of(self.record_bytes() as u64)
                && start.head.get(..self.n_labels).is_some_and(|labels| self.are_labels(labels))
        })
    }

    /// Returns whether the labels of a record are classes: one of 10, or a coarse one of 20 and a
    /// fine one of 100.
    fn are_labels(&self, labels: &[u8]) -> bool {
        usize::from(labels[self.n_labels - 1]) < self.n_classes
            && (self.n_labels == 1 || labels[0] < 20)
    }

    /// Returns whether a file consists of whole records, each with labels that are classes.
    fn is_batch(&self, InputFile { path, n_bytes, file }: InputFile) -> Result<bool, DataError> {
        let record_bytes = self.record_bytes();
        if !n_bytes.is_multiple_of(record_bytes as u64) {
            return Ok(false);
        }
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut record = vec![0; record_bytes];
        for _ in 0..n_bytes / record_bytes as u64 {
            reader.read_exact(&mut record).map_err(io(&path, "read"))?;
            if !self.are_labels(&record) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn batches(&self, path: &Path) -> Result<BatchFiles, DataError> {
        let is_folder = path.is_dir();
        let files = if is_folder {
            let files = files_of(path)?;
            // A file that may not be opened, or is empty, belongs to something else.
            let is_batch = |file: &PathBuf| InputFile::open(file).and_then(|f| self.is_batch(f));
            files.into_iter().filter(|file| is_batch(file).unwrap_or(false)).collect()
        } else {
            vec![path.to_owned()]
        };
        let folder = if is_folder { Some(path) } else { path.parent() };
        if files.is_empty() {
            return Err(DataError::File {
                path: path.into(),
                what: "files".into(),
                expected: format!("records of {} bytes", self.record_bytes()),
                got: listed(&files_of(path)?),
            });
        }
        let classes = self.classes(folder.unwrap_or(Path::new("")))?;
        let (test, train) = files.into_iter().partition(|file| says_test(file));
        Ok(BatchFiles { train, test, classes })
    }

    /// Reads a file record by record, and calls `take` with the label and the planes of each image.
    fn records(
        &self,
        InputFile { path, n_bytes, file }: InputFile,
        classes: &[String],
        mut take: impl FnMut(u32, &[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let refuse = |what: String, expected: String, got: u64| {
            Err(DataError::File { path: path.clone(), what, expected, got: got.to_string() })
        };
        let record_bytes = self.record_bytes();
        if !n_bytes.is_multiple_of(record_bytes as u64) {
            return refuse("bytes".into(), format!("a multiple of {record_bytes}"), n_bytes);
        }
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut record = vec![0; record_bytes];
        for i in 0..n_bytes / record_bytes as u64 {
            reader.read_exact(&mut record).map_err(io(&path, "read"))?;
            let (labels, planes) = record.split_at(self.n_labels);
            let label = labels[self.n_labels - 1];
            if usize::from(label) >= classes.len() {
                let expected = format!("a class index from 0 to {}", classes.len() - 1);
                return refuse(format!("label {i}"), expected, u64::from(label));
            }
            take(u32::from(label), planes)?;
        }
        Ok(())
    }

    /// Returns the classes that a file in the folder lists, or those that are known without it.
    fn classes(&self, folder: &Path) -> Result<Vec<String>, DataError> {
        /// A hundred names, with room to spare.
        const MAX_BYTES: u64 = 1 << 14;
        let path = folder.join(self.names_file);
        if !path.is_file() {
            let known = self.classes.iter().copied().map(String::from).collect();
            let is_known = !self.classes.is_empty();
            return Ok(if is_known { known } else { crate::classes::numbered(self.n_classes) });
        }
        let mut text = String::new();
        let input = InputFile::open(&path)?;
        input.file.take(MAX_BYTES).read_to_string(&mut text).map_err(io(&path, "read"))?;
        let names: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
        let repeated = names.iter().enumerate().any(|(i, name)| names[..i].contains(name));
        if names.len() != self.n_classes || repeated {
            let got = if repeated { "with repetitions" } else { "lines" };
            return Err(DataError::File {
                path,
                what: "names of classes".into(),
                expected: format!("{} different ones, a line each", self.n_classes),
                got: format!("{} {got}", names.len()),
            });
        }
        Ok(names)
    }
}

/// Appends an image stored plane by plane as pixels.
fn push_pixels(planes: &[u8], pixels: &mut Vec<u8>) {
    for at in 0..PLANE_BYTES {
        pixels.extend([0, 1, 2].map(|channel| planes[channel * PLANE_BYTES + at]));
    }
}
