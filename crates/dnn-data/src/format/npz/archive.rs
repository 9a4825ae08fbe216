//! An .npz: a zip archive of arrays. The header of each array is checked before any element is
//! unpacked.

use super::super::array::Array;
use super::header::{Items, NpyHeader, Unread};
use crate::classes::Labels;
use crate::element::ElementKind;
use crate::file::{InputFile, MAX_EXPANSION, io};
use crate::{DataError, ImageShape, Limits, Visitor, extent};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// Longer strings are no names of classes.
const MAX_NAME_BYTES: u64 = 1024;

/// An open archive.
pub(super) struct Archive {
    path: PathBuf,
    n_bytes: u64,
    zip: ZipArchive<BufReader<File>>,
    /// Name and index of each array.
    arrays: Vec<(String, usize)>,
}

/// An array of an archive, not read yet.
pub(super) struct ArrayEntry {
    index: usize,
    pub(super) header: NpyHeader,
    header_bytes: u64,
    pub(super) name: String,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let InputFile { path, n_bytes, file } = InputFile::open(path)?;
        let zip = match ZipArchive::new(BufReader::new(file)) {
            Ok(zip) => zip,
            Err(ZipError::Io(source)) => return Err(io(&path, "read")(source)),
            Err(error) => {
                let expected = "a whole zip archive (.npz)".into();
                let (what, got) = ("data".into(), format!("a damaged one: {error}"));
                return Err(DataError::File { path, what, expected, got });
            }
        };
        let mut arrays = Vec::new();
        for index in 0..zip.len() {
            let name = zip.name_for_index(index).and_then(Result::ok);
            if let Some(name) = name.as_deref().and_then(|name| name.strip_suffix(".npy")) {
                arrays.push((name.to_owned(), index));
            }
        }
        Ok(Self { path, n_bytes, zip, arrays })
    }

    /// Returns the index of the array of this name, or of one that differs in case only.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.array(name).map(|(_, index)| *index)
    }

    /// Returns the name of an array as the archive has it, which may differ in case.
    pub(super) fn own_name(&self, name: &str) -> Option<String> {
        self.array(name).map(|(own, _)| own.clone())
    }

    fn array(&self, name: &str) -> Option<&(String, usize)> {
        let exactly = self.arrays.iter().find(|(own, _)| own == name);
        exactly.or_else(|| self.arrays.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)))
    }

    /// Returns the error that there is no such array.
    pub(super) fn missing(&self, expected: String) -> DataError {
        const SHOWN: usize = 12;
        let names = self.arrays.iter().take(SHOWN).map(|(name, _)| format!("`{name}`"));
        let more = match self.arrays.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = names.collect::<Vec<_>>().join(", ") + &more;
        let got =
            if names.is_empty() { "a zip archive without arrays (.npy)".into() } else { names };
        DataError::File { path: self.path.clone(), what: "arrays".into(), expected, got }
    }

    /// Reads and checks the header of an array.
    pub(super) fn entry(&mut self, name: &str) -> Result<ArrayEntry, DataError> {
        let Some(index) = self.find(name) else {
            return Err(self.missing(format!("one called `{name}`")));
        };
        let path = self.path.clone();
        let refuse = |what: &str, expected: &str, got: String| DataError::File {
            path: path.clone(),
            what: format!("{what} of `{name}`"),
            expected: expected.into(),
            got,
        };
        let mut file = by_index(&mut self.zip, &self.path, index, name)?;
        let (header, header_bytes) = NpyHeader::read(&mut file).map_err(|unread| match unread {
            Unread::Io(source) => DataError::Io { path: path.clone(), operation: "unpack", source },
            Unread::Other { what, expected, got } => refuse(what, expected, got),
        })?;
        let declared = header.n_bytes().and_then(|n| n.checked_add(header_bytes));
        let (packed, unpacked) = (file.compressed_size(), file.size());
        if declared != Some(unpacked)
            || packed > self.n_bytes
            || unpacked > packed.saturating_mul(MAX_EXPANSION)
        {
            let n_bytes = declared.map_or("2⁶⁴ or more".into(), |n| n.to_string());
            let expected = format!("{n_bytes} bytes for {}", extent::shown(&header.shape));
            let got = format!("{unpacked} bytes, {packed} packed, in a file of {}", self.n_bytes);
            return Err(refuse("length", &expected, got));
        }
        Ok(ArrayEntry { index, header, header_bytes, name: name.into() })
    }

    /// Returns the array of an entry that holds numbers.
    pub(super) fn numbers(&self, entry: &ArrayEntry) -> Result<Array, DataError> {
        match entry.header.items {
            Items::Numbers(element) => Ok(Array {
                path: self.path.clone(),
                name: entry.name.clone(),
                shape: entry.header.shape.clone(),
                element,
            }),
            _ => Err(DataError::File {
                path: self.path.clone(),
                what: format!("content of `{}`", entry.name),
                expected: "numbers".into(),
                got: "strings".into(),
            }),
        }
    }

    /// Returns the array of an entry that holds labels: integers, or names of classes, which count
    /// as integers of one byte, since only their shape is checked.
    pub(super) fn label_array(&self, entry: &ArrayEntry) -> Array {
        let element = entry.header.label_element();
        let (path, name) = (self.path.clone(), entry.name.clone());
        Array { path, name, shape: entry.header.shape.clone(), element }
    }

    /// Reads labels: integers, or names of classes.
    pub(super) fn labels(
        &mut self,
        entry: &ArrayEntry,
        array: &Array,
        limits: &Limits,
    ) -> Result<Labels, DataError> {
        let items = entry.header.items;
        if let Items::Numbers(_) = items {
            let bytes = self.read(entry, array.n_label_bytes(limits)?)?;
            return array.labels(&bytes, limits);
        }
        let width = items.width();
        if width > MAX_NAME_BYTES {
            return Err(DataError::File {
                path: self.path.clone(),
                what: format!("labels in `{}`", entry.name),
                expected: "strings of up to 256 characters, or integers".into(),
                got: format!("{width} bytes each"),
            });
        }
        // Beside its bytes, each becomes a string.
        let n = array.n_label_bytes(limits)?;
        let bytes = n as u64 * (width + size_of::<String>() as u64 + width);
        if bytes > limits.max_bytes {
            return Err(DataError::Limit {
                path: self.path.clone(),
                what: format!("labels in `{}`", entry.name),
                bytes: Some(bytes),
                limit: limits.max_bytes,
            });
        }
        let bytes = self.read(entry, n * width as usize)?;
        let mut words = Vec::with_capacity(n);
        for (i, item) in bytes.chunks_exact(width as usize).enumerate() {
            words.push(items.text(item).ok_or_else(|| DataError::File {
                path: self.path.clone(),
                what: format!("label {i} in `{}`", entry.name),
                expected: "text".into(),
                got: "no text".into(),
            })?);
        }
        Ok(Labels::of_words(words))
    }

    /// Reads the elements of an array whose bytes fit into memory, with the last index varying
    /// fastest.
    pub(super) fn read(
        &mut self,
        entry: &ArrayEntry,
        n_bytes: usize,
    ) -> Result<Vec<u8>, DataError> {
        let mut file = by_index(&mut self.zip, &self.path, entry.index, &entry.name)?;
        let mut bytes = Vec::with_capacity(n_bytes);
        let unpack =
            |source| DataError::Io { path: self.path.clone(), operation: "unpack", source };
        let mut header = (&mut file).take(entry.header_bytes);
        std::io::copy(&mut header, &mut std::io::sink()).map_err(unpack)?;
        (&mut file).take(n_bytes as u64).read_to_end(&mut bytes).map_err(unpack)?;
        // Asking for one more also makes zip compare its checksum.
        let more = file.read(&mut [0]).map_err(unpack)?;
        if bytes.len() != n_bytes || more > 0 {
            return Err(DataError::File {
                path: self.path.clone(),
                what: format!("elements of `{}`", entry.name),
                expected: format!("{n_bytes} bytes"),
                got: if more > 0 { "more".into() } else { bytes.len().to_string() },
            });
        }
        Ok(entry.header.in_order(bytes))
    }

    /// Passes the images of an array that is [in order](NpyHeader::is_in_order) to a visitor, some at
    /// a time.
    pub(super) fn visit(
        &mut self,
        entry: &ArrayEntry,
        shape: ImageShape,
        labels: &[u32],
        visitor: &mut dyn Visitor,
    ) -> Result<(), DataError> {
        let array = self.numbers(entry)?;
        let mut file = by_index(&mut self.zip, &self.path, entry.index, &entry.name)?;
        let path = &self.path;
        let unpack = |source| DataError::Io { path: path.clone(), operation: "unpack", source };
        let mut header = (&mut file).take(entry.header_bytes);
        std::io::copy(&mut header, &mut std::io::sink()).map_err(unpack)?;
        array.visit(shape, labels, visitor, |bytes| file.read_exact(bytes).map_err(unpack))?;
        // Asking for one more also makes zip compare its checksum.
        file.read(&mut [0]).map_err(unpack)?;
        Ok(())
    }

    /// Reads names of classes: strings, or integers, which become their digits.
    pub(super) fn names(&mut self, name: &str, limits: &Limits) -> Result<Vec<String>, DataError> {
        let entry = self.entry(name)?;
        let path = self.path.clone();
        let refuse = |expected: String, got: String| DataError::File {
            path: path.clone(),
            what: format!("names of classes in `{name}`"),
            expected,
            got,
        };
        let max = limits.max_classes;
        let n = match entry.header.shape[..] {
            [n] | [n, 1] | [1, n] if (2..=u64::from(max)).contains(&n) => n,
            _ => {
                let got = extent::shown(&entry.header.shape);
                return Err(refuse(format!("(n,), 2 to {max} of them"), got));
            }
        };
        let items = entry.header.items;
        let width = items.width();
        let is_float =
            matches!(items, Items::Numbers(element) if element.kind == ElementKind::Float);
        if is_float || width > MAX_NAME_BYTES {
            let got = if is_float { "floats".into() } else { format!("{width} bytes each") };
            return Err(refuse("strings of up to 256 characters, or integers".into(), got));
        }
        let bytes = self.read(&entry, (n * width) as usize)?;
        let mut names: Vec<String> = Vec::new();
        for (i, item) in bytes.chunks_exact(width as usize).enumerate() {
            match items.text(item) {
                Some(name) if !name.is_empty() && !names.contains(&name) => names.push(name),
                other => {
                    let got = other.map_or("no text".into(), |name| format!("{name:?}"));
                    return Err(refuse(format!("entry {i} to be a name of its own"), got));
                }
            }
        }
        Ok(names)
    }
}

fn by_index<'a>(
    zip: &'a mut ZipArchive<BufReader<File>>,
    path: &Path,
    index: usize,
    name: &str,
) -> Result<zip::read::ZipFile<'a, BufReader<File>>, DataError> {
    zip.by_index(index).map_err(|error| match error {
        ZipError::Io(source) => DataError::Io { path: path.into(), operation: "unpack", source },
        error => DataError::File {
            path: path.into(),
            what: format!("`{name}`"),
            expected: "an array, stored or deflated".into(),
            got: error.to_string(),
        },
    })
}
