//! Reading the bytes of an idx file, unpacked where they are packed, and never more than were asked
//! for.

use super::super::array::Array;
use crate::content::GZIP;
use crate::element::{ElementKind, ElementType};
use crate::file::{InputFile, MAX_EXPANSION, io};
use crate::{DataError, extent};
use flate2::read::MultiGzDecoder;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The most dimensions of an array that can be used.
const MAX_RANK: u8 = 4;

/// An open idx file, unpacked while it is read.
pub(super) struct IdxReader {
    path: PathBuf,
    reader: Box<dyn Read>,
    packed: bool,
    file_bytes: u64,
}

/// The type and number of dimensions that the first four bytes declare.
pub(super) struct Magic {
    element: ElementType,
    pub(super) rank: u8,
}

impl Magic {
    fn of(start: &[u8]) -> Option<Self> {
        let &[0, 0, code, rank @ 1..=8] = start else { return None };
        let (kind, bytes) = match code {
            0x08 => (ElementKind::Unsigned, 1),
            0x09 => (ElementKind::Signed, 1),
            0x0b => (ElementKind::Signed, 2),
            0x0c => (ElementKind::Signed, 4),
            0x0d => (ElementKind::Float, 4),
            0x0e => (ElementKind::Float, 8),
            _ => return None,
        };
        Some(Self { element: ElementType { kind, bytes, big_endian: true }, rank })
    }
}

/// Returns what the beginning of a file declares, packed or not, when it is that of an idx file.
pub(super) fn magic(head: &[u8]) -> Option<Magic> {
    let mut start = Vec::new();
    let packed = head.starts_with(GZIP);
    let mut reader: Box<dyn Read + '_> =
        if packed { Box::new(MultiGzDecoder::new(head)) } else { Box::new(head) };
    reader.by_ref().take(4).read_to_end(&mut start).ok()?;
    Magic::of(&start)
}

impl IdxReader {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let mut input = InputFile::open(path)?;
        let packed = input.head()?.starts_with(GZIP);
        let file = BufReader::new(input.file);
        let reader: Box<dyn Read> =
            if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        Ok(Self { path: input.path, reader, packed, file_bytes: input.n_bytes })
    }

    /// Reads the first four bytes and returns what they declare, when they are those of an idx
    /// file.
    fn magic(&mut self) -> Result<Option<Magic>, DataError> {
        let mut start = Vec::new();
        match (&mut self.reader).take(4).read_to_end(&mut start) {
            Err(_) if self.packed => return Ok(None),
            read => read.map_err(io(&self.path, "read"))?,
        };
        Ok(Magic::of(&start))
    }

    /// Reads the header and returns the array that it declares, after checking that the file can
    /// hold it; the elements come next.
    pub(super) fn array(mut self) -> Result<(Array, Self), DataError> {
        let refuse = |stream: &Self, what: &str, expected: &str, got: String| DataError::File {
            path: stream.path.clone(),
            what: what.into(),
            expected: expected.into(),
            got,
        };
        let Some(Magic { element, rank }) = self.magic()? else {
            let expected = "idx: 00 00, a type from 08 to 0e, and a rank";
            return Err(refuse(&self, "first bytes", expected, "others".into()));
        };
        if rank > MAX_RANK {
            let expected = "1 for labels, 3 or 4 for images";
            return Err(refuse(&self, "dimensions", expected, rank.to_string()));
        }
        let mut shape = Vec::new();
        for _ in 0..rank {
            let mut dimension = [0; 4];
            self.reader.read_exact(&mut dimension).map_err(|error| self.broken(error))?;
            shape.push(u64::from(u32::from_be_bytes(dimension)));
        }
        let header_bytes = 4 + 4 * u64::from(rank);
        let declared = shape
            .iter()
            .try_fold(u64::from(element.bytes), |n, &d| n.checked_mul(d))
            .and_then(|n| n.checked_add(header_bytes));
        let most = self.file_bytes.saturating_mul(MAX_EXPANSION);
        let possible = declared.is_some_and(|n| n == self.file_bytes || self.packed && n <= most);
        if !possible {
            let array = format!("{} of shape {}", element, extent::shown(&shape));
            let n_bytes = declared.map_or("2⁶⁴ or more".into(), |n| n.to_string());
            let packed = if self.packed { ", too few when unpacked" } else { "" };
            let expected = format!("{n_bytes} bytes for {array}");
            let got = format!("{}{packed}", self.file_bytes);
            return Err(refuse(&self, "length", &expected, got));
        }
        let array = Array { path: self.path.clone(), name: String::new(), shape, element };
        Ok((array, self))
    }

    /// Returns the rest of the file, which must be `n` bytes; the caller has checked that they fit
    /// into memory.
    pub(super) fn exactly(mut self, n: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::with_capacity(n);
        let read = (&mut self.reader).take(n as u64).read_to_end(&mut bytes);
        read.map_err(|error| self.broken(error))?;
        if bytes.len() < n {
            return Err(self.elements(n, "", &bytes.len().to_string()));
        }
        self.end(n)?;
        Ok(bytes)
    }

    /// Reads the next bytes.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), DataError> {
        match self.reader.read_exact(bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(self.elements(bytes.len(), " more", "the end"))
            }
            read => read.map_err(|error| self.broken(error)),
        }
    }

    /// Checks that nothing is left after `n` bytes. Reading on also makes gzip compare its
    /// checksum.
    pub(super) fn end(&mut self, n: usize) -> Result<(), DataError> {
        match self.reader.read(&mut [0]).map_err(|error| self.broken(error))? {
            0 => Ok(()),
            _ => Err(self.elements(n, "", "more")),
        }
    }

    fn elements(&self, n: usize, more: &str, got: &str) -> DataError {
        DataError::File {
            path: self.path.clone(),
            what: "elements".into(),
            expected: format!("{n} bytes{more}, as its dimensions say"),
            got: got.into(),
        }
    }

    fn broken(&self, source: std::io::Error) -> DataError {
        io(&self.path, if self.packed { "unpack" } else { "read" })(source)
    }
}
