//! An .npz: a zip archive of arrays. Each is checked by what is declared of it before any of it is
//! unpacked.

use super::header::{Header, Items, MAGIC, parse};
use crate::array::Array;
use crate::element::Kind;
use crate::file::{InputFile, MAX_EXPANSION, io};
use crate::{DataError, ImageShape, Limits, Visitor, extent};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// Longer dictionaries are those of records with many fields.
const MAX_HEADER_BYTES: usize = 1 << 16;
/// Longer strings are no names of classes.
const MAX_NAME_BYTES: u64 = 1024;

/// An open archive.
pub(super) struct Archive {
    path: PathBuf,
    n_bytes: u64,
    zip: ZipArchive<BufReader<File>>,
    /// The arrays by their names, and where they are.
    arrays: Vec<(String, usize)>,
}

/// An array of an archive, not read yet.
pub(super) struct Entry {
    index: usize,
    header: Header,
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

    /// The array of that name, or of one that differs in case only.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let exactly = self.arrays.iter().find(|(own, _)| own == name);
        let found =
            exactly.or_else(|| self.arrays.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)));
        found.map(|(_, index)| *index)
    }

    /// What is said when there is no such array.
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

    /// What is declared of an array.
    pub(super) fn entry(&mut self, name: &str) -> Result<Entry, DataError> {
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
        let unpack = |source| DataError::Io { path: path.clone(), operation: "unpack", source };
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(unpack)?;
        if !start.starts_with(MAGIC) {
            return Err(refuse("first bytes", "those of an .npy", "others".into()));
        }
        // Version 1 has a length of 2 bytes, the later ones of 4.
        let mut length = [0; 4];
        let n = if start[6] == 1 { 2 } else { 4 };
        file.read_exact(&mut length[..n]).map_err(unpack)?;
        let length = u32::from_le_bytes(length) as usize;
        if !matches!(start[6], 1..=3) || length > MAX_HEADER_BYTES {
            let got = format!("version {} with a header of {length} bytes", start[6]);
            return Err(refuse("header", "one of version 1 to 3, up to 65536 bytes", got));
        }
        let mut text = vec![0; length];
        file.read_exact(&mut text).map_err(unpack)?;
        let header = parse(&String::from_utf8_lossy(&text))
            .map_err(|got| refuse("content", "integers, floats, booleans, or names", got))?;
        let header_bytes = (start.len() + n + length) as u64;
        let declared = (header.shape.iter())
            .try_fold(header.items.width(), |n, &d| n.checked_mul(d))
            .and_then(|n| n.checked_add(header_bytes));
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
        Ok(Entry { index, header, header_bytes, name: name.into() })
    }

    /// An array of numbers.
    pub(super) fn numbers(&self, entry: &Entry) -> Result<Array, DataError> {
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

    /// The elements of an array whose bytes fit into memory, last index fastest.
    pub(super) fn read(&mut self, entry: &Entry, n_bytes: usize) -> Result<Vec<u8>, DataError> {
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
        if Self::in_order(entry) {
            return Ok(bytes);
        }
        let Header { items, shape, .. } = &entry.header;
        Ok(last_index_fastest(&bytes, shape, items.width() as usize))
    }

    /// Whether the elements lie in the archive with the last index fastest.
    pub(super) fn in_order(entry: &Entry) -> bool {
        let Header { fortran_order, shape, .. } = &entry.header;
        !fortran_order || shape.iter().filter(|&&n| n > 1).count() <= 1
    }

    /// Passes the images of an array that is [`in_order`](Self::in_order) on, some at a time.
    pub(super) fn visit(
        &mut self,
        entry: &Entry,
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

    /// Names of classes: strings, or integers, which become their digits.
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
        let is_float = matches!(items, Items::Numbers(element) if element.kind == Kind::Float);
        if is_float || width > MAX_NAME_BYTES {
            let got = if is_float { "floats".into() } else { format!("{width} bytes each") };
            return Err(refuse("strings of up to 256 characters, or integers".into(), got));
        }
        let bytes = self.read(&entry, (n * width) as usize)?;
        let text = |item: &[u8]| match items {
            Items::Numbers(element) => element.integers(item).next().map(|n| n.to_string()),
            Items::Bytes(_) => Some(String::from_utf8(item.to_vec()).ok()?),
            Items::Characters { big_endian, .. } => item
                .chunks_exact(4)
                .filter_map(|c| c.try_into().ok())
                .map(if big_endian { u32::from_be_bytes } else { u32::from_le_bytes })
                .map(char::from_u32)
                .collect(),
        };
        let mut names: Vec<String> = Vec::new();
        for (i, item) in bytes.chunks_exact(width as usize).enumerate() {
            let name = text(item).map(|name| name.trim_end_matches('\0').to_owned());
            match name {
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

/// Turns an array whose first index is the fastest, as Fortran has it, into one as C has it.
fn last_index_fastest(bytes: &[u8], shape: &[u64], width: usize) -> Vec<u8> {
    let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
    let mut strides = vec![width; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut out = Vec::with_capacity(bytes.len());
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    while out.len() < bytes.len() {
        out.extend_from_slice(&bytes[at..at + width]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_becomes_that_of_c() {
        // numpy.arange(24).reshape(2, 3, 4) by its bytes in order F.
        let of_fortran = |i: u8| i % 2 * 12 + i / 2 % 3 * 4 + i / 6;
        let bytes: Vec<u8> = (0..24).map(of_fortran).collect();
        assert_eq!(last_index_fastest(&bytes, &[2, 3, 4], 1), (0..24).collect::<Vec<u8>>());
        let pairs: Vec<u8> = bytes.iter().flat_map(|&b| [b, 0]).collect();
        let expected: Vec<u8> = (0..24).flat_map(|b| [b, 0]).collect();
        assert_eq!(last_index_fastest(&pairs, &[2, 3, 4], 2), expected);
    }
}
