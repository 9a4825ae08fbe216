//! Two .npy in a folder, or two for each split: images and labels.

use super::super::array::{self, Array};
use super::super::found::Found;
use super::super::options::{AboutFormat, Format, Options, Visited};
use super::header::{Items, NpyHeader, Unread};
use crate::classes::{self, Labels};
use crate::content::NPY;
use crate::file::{InputFile, io, listed};
use crate::{DataError, ImageShape, SplitInfo, SplitName, Visitor, extent};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// A folder of .npy: of each split, which its files name, the one of images (two dimensions and
/// more) and the one of labels.
pub(in super::super) struct NpyPair;

impl Format for NpyPair {
    fn about(&self) -> &AboutFormat {
        &AboutFormat {
            name: ".npy",
            in_folders: Some("NumPy's .npy (x_train.npy, y_train.npy and the like)"),
            ..AboutFormat::PLAIN
        }
    }
    fn detect(&self, found: &Found) -> Result<bool, DataError> {
        let Found::Folder { files, .. } = found else { return Ok(false) };
        Ok(files
            .iter()
            .any(|file| file.ends_in(&["npy"]) && file.begins(|head| head.starts_with(NPY))))
    }
    fn files(&self, path: &Path, _: &Options) -> Result<Vec<PathBuf>, DataError> {
        let pairs = pairs(path)?;
        Ok(pairs.into_iter().flat_map(|(_, x, y)| [x.array.path, y.array.path]).collect())
    }
    fn visit(
        &self,
        path: &Path,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        let limits = &options.limits;
        let mut labels = Vec::new();
        let mut opened: Vec<(SplitName, Npy, Npy, ImageShape)> = Vec::new();
        for (split, x, mut y) in pairs(path)? {
            let shape = array::check_pair(&x.array, &y.array)?;
            let bytes = y.whole(y.array.n_label_bytes(limits)?)?;
            let words = |width: u64| {
                let items = bytes.chunks_exact(width as usize);
                items.map(|item| y.header.items.text(item)).collect::<Option<Vec<_>>>()
            };
            labels.push(match y.header.items {
                Items::Numbers(_) => y.array.labels(&bytes, limits)?,
                items => Labels::of_words(
                    words(items.width())
                        .ok_or_else(|| y.refuse("labels", "text".into(), "no text".into()))?,
                ),
            });
            opened.push((split, x, y, shape));
        }
        let (labels, classes) = classes::resolve(labels, None, limits.max_classes)
            .map_err(|bad| opened[bad.set].2.array.bad_label(bad))?;
        for ((split, mut x, _, shape), labels) in opened.into_iter().zip(labels) {
            let part = SplitInfo {
                split,
                shape,
                n: labels.len(),
                number: x.array.number(),
                contract: None,
                path: Some(x.array.path.clone()),
            };
            if !visitor.begin(part)? {
                continue;
            }
            if x.header.is_in_order() {
                let (array, reader) = (&x.array, &mut x.reader);
                let fill =
                    |bytes: &mut [u8]| reader.read_exact(bytes).map_err(io(&array.path, "read"));
                array.visit(shape, &labels, visitor, fill)?;
            } else {
                let bytes = x.whole(x.array.n_bytes(limits)?)?;
                x.array.visit_bytes(&bytes, shape, &labels, visitor)?;
            }
        }
        Ok(Visited { classes, ..Visited::default() })
    }
}

/// An open .npy whose header is read and whose elements come next.
struct Npy {
    array: Array,
    header: NpyHeader,
    reader: BufReader<File>,
}

impl Npy {
    fn open(path: &Path) -> Result<Self, DataError> {
        let InputFile { path, n_bytes, file } = InputFile::open(path)?;
        let mut reader = BufReader::new(file);
        let refuse = |what: &str, expected: String, got: String| DataError::File {
            path: path.clone(),
            what: what.into(),
            expected,
            got,
        };
        let (header, header_bytes) =
            NpyHeader::read(&mut reader).map_err(|unread| match unread {
                Unread::Io(source) => io(&path, "read")(source),
                Unread::Other { what, expected, got } => refuse(what, expected.into(), got),
            })?;
        let declared = header.n_bytes().and_then(|n| n.checked_add(header_bytes));
        if declared != Some(n_bytes) {
            let n = declared.map_or("2⁶⁴ or more".into(), |n| n.to_string());
            let expected = format!("{n} bytes for {}", extent::shown(&header.shape));
            return Err(refuse("length", expected, format!("{n_bytes} bytes")));
        }
        let element = header.label_element();
        let array = Array { path, name: String::new(), shape: header.shape.clone(), element };
        Ok(Self { array, header, reader })
    }

    /// Reads all elements, with the last index varying fastest; `n_bytes` is what they take as
    /// numbers.
    fn whole(&mut self, n_bytes: usize) -> Result<Vec<u8>, DataError> {
        let n = n_bytes / usize::from(self.array.element.bytes);
        let mut bytes = vec![0; n * self.header.items.width() as usize];
        self.reader.read_exact(&mut bytes).map_err(io(&self.array.path, "read"))?;
        Ok(self.header.in_order(bytes))
    }

    fn refuse(&self, what: &str, expected: String, got: String) -> DataError {
        DataError::File { path: self.array.path.clone(), what: what.into(), expected, got }
    }
}

/// Returns the files of images and labels of each split.
fn pairs(folder: &Path) -> Result<Vec<(SplitName, Npy, Npy)>, DataError> {
    let mut arrays = Vec::new();
    for file in Found::at(folder)?.files().iter().filter(|file| file.ends_in(&["npy"])) {
        let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
        let split = SplitName::of_name(&stem).unwrap_or(SplitName::Train);
        arrays.push((split, Npy::open(&file.path)?));
    }
    let mut pairs = Vec::new();
    for split in SplitName::ALL {
        let (own, others): (Vec<_>, Vec<_>) =
            arrays.into_iter().partition(|(name, _)| *name == split);
        arrays = others;
        if own.is_empty() {
            continue;
        }
        let paths: Vec<PathBuf> = own.iter().map(|(_, npy)| npy.array.path.clone()).collect();
        // A column of labels is one, too.
        let is_labels = |npy: &Npy| {
            let says =
                npy.array.path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
            let word = |word: &str| ["y", "labels", "label", "targets", "target"].contains(&word);
            npy.array.shape.len() == 1 || says.split(|c: char| !c.is_alphanumeric()).any(word)
        };
        let (mut y, mut x): (Vec<_>, Vec<_>) =
            own.into_iter().map(|(_, npy)| npy).partition(|npy| is_labels(npy));
        match (x.pop(), y.pop()) {
            (Some(one), Some(labels)) if x.is_empty() && y.is_empty() => {
                pairs.push((split, one, labels));
            }
            _ => {
                return Err(DataError::File {
                    path: folder.into(),
                    what: format!("arrays of {}", split.phrase()),
                    expected: "one .npy of images or numbers and one of labels, such as \
                               x_train.npy and y_train.npy"
                        .into(),
                    got: listed(&paths),
                });
            }
        }
    }
    Ok(pairs)
}
