//! An open file whose datasets are checked before they are read.

use super::super::names::usual;
use super::backend::{
    Backend, ChunksWritten, DatasetInfo, Element, Filter, PackedChunk, Reader, Storage,
};
use super::error::Cause;
use super::pure::PureReader;
use super::{Hdf5Error, Options, sniff};
use crate::file::MAX_EXPANSION;
use crate::{Buffer, DataError, Limits, Number, SplitName, extent};
use flate2::read::ZlibDecoder;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// An open file with its name and options.
pub(super) struct OpenFile {
    pub(super) path: PathBuf,
    pub(super) n_bytes: u64,
    /// When the file was written to last, where the system knows.
    modified: Option<SystemTime>,
    pub(super) max_classes: u32,
    max_bytes: u64,
    reader: Box<dyn Reader>,
}

impl OpenFile {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, Hdf5Error> {
        let n_bytes = sniff::check(path)?;
        let modified = look_at(path)?.modified().ok();
        let reader: Result<Box<dyn Reader>, Cause> = match options.backend {
            Backend::Pure => PureReader::open(path).map(|reader| Box::new(reader) as _),
            #[cfg(feature = "libhdf5")]
            Backend::CLibrary => {
                super::clib::CReader::open(path).map(|reader| Box::new(reader) as _)
            }
        };
        let reader = reader.map_err(|source| failed(path, "opening", None, &source))?;
        let Limits { max_bytes, max_classes } = options.limits;
        Ok(Self { path: path.into(), n_bytes, modified, max_classes, max_bytes, reader })
    }

    /// Checks that the file is as it was when it was opened, by its size and the time of the last change.
    ///
    /// # Errors
    /// [`Hdf5Error::Incomplete`], said of the dataset, when it was written to since.
    pub(super) fn check_unchanged(&self, name: &str) -> Result<(), Hdf5Error> {
        let now = look_at(&self.path)?;
        if now.len() == self.n_bytes && now.modified().ok() == self.modified {
            return Ok(());
        }
        Err(Hdf5Error::Incomplete {
            path: self.path.clone(),
            name: name.into(),
            reason: "the file was written to while it was read".into(),
        })
    }

    /// Returns the paths of the datasets, and whether some were left out.
    pub(super) fn list(&self) -> Result<(Vec<String>, bool), Hdf5Error> {
        let failed = |source| failed(&self.path, "listing the datasets", None, &source);
        self.reader.list().map_err(failed)
    }

    /// Returns the splits whose datasets have usual names, with the names of the images and the
    /// labels; case does not matter.
    pub(super) fn usual_names(&self) -> Result<Vec<(SplitName, String, String)>, Hdf5Error> {
        let mut listed: Option<Vec<String>> = None;
        usual(|name| {
            if self.find(name)?.is_some() {
                return Ok(Some(name.to_owned()));
            }
            if listed.is_none() {
                listed = Some(self.list()?.0);
            }
            let same = |own: &&String| own.eq_ignore_ascii_case(name);
            Ok(listed.iter().flatten().find(same).cloned())
        })
    }

    /// Returns the description of a dataset; `None` when there is none of that name.
    pub(super) fn find(&self, name: &str) -> Result<Option<DatasetInfo>, Hdf5Error> {
        let name = name.trim_start_matches('/');
        self.reader.info(name).map_err(|source| self.failed("reading", name, &source))
    }

    /// Returns the description of a dataset.
    ///
    /// # Errors
    /// [`Hdf5Error::Missing`] with the nearest name there is.
    pub(super) fn info(&self, name: &str) -> Result<DatasetInfo, Hdf5Error> {
        if let Some(info) = self.find(name)? {
            return Ok(info);
        }
        let (found, _) =
            self.reader.list().map_err(|source| self.failed("looking for", name, &source))?;
        let nearest = nearest(name, &found);
        Err(Hdf5Error::Missing { path: self.path.clone(), name: name.into(), nearest, found })
    }

    /// Reads uint8.
    pub(super) fn read_bytes(&self, info: &DatasetInfo) -> Result<Vec<u8>, Hdf5Error> {
        let n = self.check(info, 1)?;
        let read = self.reader.read_bytes(&info.name);
        self.as_many(read, n, info)
    }

    /// Checks uint8 or floats that are to be read some rows at a time: all of them may be more than
    /// memory holds, no chunk may.
    pub(super) fn check_by_rows(&self, info: &DatasetInfo) -> Result<(), Hdf5Error> {
        self.check_extent(info, 1, true).map(|_| ())
    }

    /// Reads some rows of uint8 or floats after [`check_by_rows`](Self::check_by_rows).
    pub(super) fn read_value_rows(
        &self,
        info: &DatasetInfo,
        rows: Range<u64>,
    ) -> Result<Buffer, Hdf5Error> {
        let n = info.shape.iter().skip(1).product::<u64>() * (rows.end - rows.start);
        if info.number() == Number::Byte {
            let read = self.reader.read_byte_rows(&info.name, rows);
            return Ok(Buffer::Bytes(self.as_many(read, n, info)?));
        }
        let read = self.reader.read_float_rows(&info.name, rows);
        Ok(info.floats(self.as_many(read, n, info)?))
    }

    /// Opens some rows of uint8 for reading, after [`check_by_rows`](Self::check_by_rows), when they are in
    /// one piece in the file as they are in memory; `None` when not.
    pub(super) fn contiguous_bytes(
        &self,
        info: &DatasetInfo,
        rows: Range<u64>,
    ) -> Result<Option<impl Read + use<>>, Hdf5Error> {
        let (Number::Byte, &Storage::Contiguous { address: Some(address), .. }) =
            (info.number(), &info.storage)
        else {
            return Ok(None);
        };
        let failed = |source: io::Error| self.failed("reading", &info.name, &source.into());
        let mut file = File::open(&self.path).map_err(failed)?;
        let start = address.saturating_add(rows.start * info.row_bytes());
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        Ok(Some(file.take((rows.end - rows.start) * info.row_bytes())))
    }

    /// Appends the next `n` bytes of a dataset to others.
    pub(super) fn append_bytes(
        &self,
        info: &DatasetInfo,
        from: &mut impl Read,
        n: usize,
        to: &mut Vec<u8>,
    ) -> Result<(), Hdf5Error> {
        match from.take(n as u64).read_to_end(to) {
            Ok(read) if read == n => Ok(()),
            Ok(read) => Err(Hdf5Error::Incomplete {
                path: self.path.clone(),
                name: info.name.clone(),
                reason: format!("{read} of {n} bytes could be read"),
            }),
            Err(source) => Err(self.failed("reading", &info.name, &source.into())),
        }
    }

    /// Passes on the rows of uint8 or floats that are `wanted` after [`check_by_rows`](Self::check_by_rows),
    /// and what is in one block with them, about `block_bytes` at a time. That is more where a chunk is larger, which a library unpacks as a
    /// whole; one of bytes that only gzip has packed is unpacked as it is read.
    pub(super) fn each_block(
        &self,
        info: &DatasetInfo,
        (block_bytes, wanted): (u64, Range<u64>),
        take: &mut dyn FnMut(Range<u64>, Buffer) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        /// Below, the library is as good.
        const LARGE_BYTES: u64 = 16 << 20;
        let n = info.shape.first().copied().unwrap_or(0);
        let row_bytes = info.row_bytes().max(1);
        let chunk = info.chunk_rows().unwrap_or(1).max(1);
        let chunk_bytes = chunk.saturating_mul(row_bytes);
        let is_gzip = info.filters.iter().map(|filter| filter.id).eq([Filter::DEFLATE]);
        if chunk_bytes > LARGE_BYTES && is_gzip && info.number() == Number::Byte {
            let found = self.reader.chunks_of_rows(info);
            let found = found.map_err(|source| self.failed("reading", &info.name, &source))?;
            if let Some(chunks) = found {
                let rows = (block_bytes / row_bytes).max(1);
                let is_wanted = |at: &&PackedChunk| {
                    at.start < wanted.end && at.start.saturating_add(chunk) > wanted.start
                };
                let mut take = |rows: Range<u64>, values| {
                    let is_wanted = rows.start < wanted.end && rows.end > wanted.start;
                    if is_wanted { take(rows, values) } else { Ok(()) }
                };
                let (take, mut chunks) = (&mut take, chunks.iter().filter(is_wanted));
                return chunks.try_for_each(|at| self.unpack(info, at, chunk, rows, take));
            }
        }
        if chunk_bytes > LARGE_BYTES {
            // As it is unpacked, and the rows that are copied out of it.
            DataError::afford(chunk_bytes.saturating_mul(2), || {
                (self.path.clone(), format!("chunks of {chunk} rows of `{}`", info.name))
            })?;
        }
        // Whole chunks: each is unpacked once.
        let rows = chunk * (block_bytes / chunk_bytes.max(1)).max(1);
        let first = wanted.start / rows * rows;
        for start in (first..n.min(wanted.end)).step_by(usize::try_from(rows).unwrap_or(usize::MAX))
        {
            let rows = start..n.min(start.saturating_add(rows));
            take(rows.clone(), self.read_value_rows(info, rows)?)?;
        }
        Ok(())
    }

    /// Passes on the rows of one chunk that gzip has packed, of `chunk` rows, some at a time.
    fn unpack(
        &self,
        info: &DatasetInfo,
        at: &PackedChunk,
        chunk: u64,
        rows: u64,
        take: &mut dyn FnMut(Range<u64>, Buffer) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let failed = |source: io::Error| self.failed("reading", &info.name, &source.into());
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(at.address)).map_err(failed)?;
        let mut bytes = ZlibDecoder::new(file.take(at.n_bytes));
        let row_bytes = info.row_bytes();
        // The last chunk goes beyond the last row.
        let end = info.shape.first().copied().unwrap_or(0).min(at.start.saturating_add(chunk));
        let mut start = at.start;
        while start < end {
            let stop = end.min(start + rows);
            let mut block = vec![0; usize::try_from((stop - start) * row_bytes).unwrap_or(0)];
            bytes.read_exact(&mut block).map_err(failed)?;
            take(start..stop, Buffer::Bytes(block))?;
            start = stop;
        }
        let beyond = (at.start.saturating_add(chunk) - end) * row_bytes;
        // At its end the checksum is compared.
        let rest = io::copy(&mut bytes.take(beyond + 1), &mut io::sink()).map_err(failed)?;
        if rest == beyond {
            return Ok(());
        }
        Err(Hdf5Error::Incomplete {
            path: self.path.clone(),
            name: info.name.clone(),
            reason: format!("a chunk of {chunk} rows does not hold as many bytes as they have"),
        }
        .into())
    }

    /// Reads all of a dataset of uint8 or floats.
    pub(super) fn read_values(&self, info: &DatasetInfo) -> Result<Buffer, Hdf5Error> {
        if info.number() == Number::Byte {
            return Ok(Buffer::Bytes(self.read_bytes(info)?));
        }
        Ok(info.floats(self.read_floats(info)?))
    }

    /// Reads integers of any width, or booleans.
    pub(super) fn read_integers(&self, info: &DatasetInfo) -> Result<Vec<i128>, Hdf5Error> {
        let n = self.check(info, size_of::<i128>() as u64)?;
        let signed = !matches!(info.element, Element::Unsigned(_));
        let read = self.reader.read_integers(&info.name, signed);
        self.as_many(read, n, info)
    }

    /// Reads floats.
    pub(super) fn read_floats(&self, info: &DatasetInfo) -> Result<Vec<f64>, Hdf5Error> {
        let n = self.check(info, size_of::<f64>() as u64)?;
        let read = self.reader.read_floats(&info.name);
        self.as_many(read, n, info)
    }

    /// Reads strings, fixed or of variable length, up to their first NUL and without trailing
    /// spaces (which pad them in files that Fortran wrote).
    pub(super) fn read_strings(&self, info: &DatasetInfo) -> Result<Vec<String>, Hdf5Error> {
        /// Wider ones are no names.
        const MAX_WIDTH: u64 = 256;
        if matches!(info.element, Element::FixedString(width) if width > MAX_WIDTH) {
            return Err(Hdf5Error::Type {
                path: self.path.clone(),
                name: info.name.clone(),
                expected: "strings of up to 256 bytes",
                got: info.element.to_string(),
            });
        }
        // What a string takes beside its bytes, twice: as bytes and as text.
        let n = self.check(info, 2 * size_of::<String>() as u64 + 16)?;
        let max_bytes = n.saturating_mul(MAX_WIDTH).min(self.max_bytes);
        let read = self.as_many(self.reader.read_strings(info, max_bytes), n, info)?;
        read.into_iter()
            .enumerate()
            .map(|(index, bytes)| {
                let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                match std::str::from_utf8(&bytes[..end]) {
                    Ok(text) if !text.contains('\u{fffd}') => Ok(text.trim_end_matches(' ').into()),
                    _ => Err(Hdf5Error::Value {
                        path: self.path.clone(),
                        name: info.name.clone(),
                        index,
                        expected: "text in UTF-8".into(),
                        got: format!("{:?}", String::from_utf8_lossy(&bytes[..end])),
                    }),
                }
            })
            .collect()
    }

    /// Checks everything about the extent that can be known without reading, and returns the number
    /// of elements. `memory_bytes` is what an element takes in memory, at least.
    fn check(&self, info: &DatasetInfo, memory_bytes: u64) -> Result<u64, Hdf5Error> {
        self.check_extent(info, memory_bytes, false)
    }

    /// [`check`](Self::check); `by_rows` when not all of it will be in memory.
    fn check_extent(
        &self,
        info: &DatasetInfo,
        memory_bytes: u64,
        by_rows: bool,
    ) -> Result<u64, Hdf5Error> {
        let product = |dims: &[u64]| dims.iter().try_fold(1_u64, |n, &d| n.checked_mul(d));
        let unsupported = |reason: String| Hdf5Error::Unsupported {
            path: self.path.clone(),
            name: info.name.clone(),
            reason,
        };
        let incomplete = |reason: String| Hdf5Error::Incomplete {
            path: self.path.clone(),
            name: info.name.clone(),
            reason,
        };
        let limited = |shape: &[u64], bytes: Option<u64>| Hdf5Error::Limit {
            path: self.path.clone(),
            name: info.name.clone(),
            got: shape.to_vec(),
            bytes,
            limit: format!("{} bytes", self.max_bytes),
        };
        let element_bytes = info.element_bytes.max(memory_bytes);
        let in_memory =
            |dims: &[u64]| match product(dims).and_then(|n| n.checked_mul(element_bytes)) {
                Some(bytes) if bytes <= self.max_bytes => Ok(()),
                bytes => Err(limited(dims, bytes)),
            };
        if !by_rows {
            in_memory(&info.shape)?;
        }
        let Some(stored_bytes) =
            product(&info.shape).and_then(|n| n.checked_mul(info.element_bytes))
        else {
            return Err(limited(&info.shape, None));
        };
        let n = product(&info.shape).unwrap_or(0);
        if n == 0 {
            return Ok(0);
        }
        if let Some(filter) = info.filters.iter().find(|filter| !filter.available) {
            return Err(unsupported(format!(
                "is compressed with {filter}, which this build cannot read; rewrite it with gzip"
            )));
        }
        let allowed = self.n_bytes.saturating_mul(expansion(&info.filters));
        if stored_bytes > allowed && info.storage != Storage::Elsewhere {
            return Err(incomplete(format!(
                "its extent of {stored_bytes} bytes cannot be in a file of {} bytes",
                self.n_bytes
            )));
        }
        match &info.storage {
            Storage::Contiguous { address: None, .. } => {
                return Err(incomplete("nothing was ever written to it".into()));
            }
            Storage::Contiguous { n_bytes, .. } if *n_bytes < stored_bytes => {
                return Err(incomplete(format!(
                    "it has {n_bytes} bytes in the file and an extent of {stored_bytes}"
                )));
            }
            Storage::Compact | Storage::Contiguous { .. } => {}
            Storage::Elsewhere => {
                return Err(unsupported(
                    "lies in another file (external or virtual storage, or an external link); \
                     copy it into one file, for example with h5repack or h5py"
                        .into(),
                ));
            }
            Storage::Chunked(chunk) => {
                if chunk.len() != info.shape.len() || chunk.contains(&0) {
                    let got = extent::shown(chunk);
                    return Err(incomplete(format!("chunks of shape {got} do not cover it")));
                }
                in_memory(chunk)?;
                // The library makes room for a whole chunk, whatever part of it is used.
                if product(chunk).unwrap_or(0).saturating_mul(info.element_bytes) > allowed {
                    return Err(incomplete(format!(
                        "its chunks of shape {} cannot be in a file of {} bytes",
                        extent::shown(chunk),
                        self.n_bytes
                    )));
                }
                let n_chunks = info.shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c));
                let n_chunks = n_chunks.fold(1_u64, u64::saturating_mul);
                // Each chunk takes a byte at least.
                let written = if n_chunks > self.n_bytes {
                    ChunksWritten { n: 0, end: None }
                } else {
                    self.reader
                        .chunks_written(&info.name)
                        .map_err(|source| self.failed("reading", &info.name, &source))?
                };
                if written.n < n_chunks {
                    return Err(incomplete(format!(
                        "{} of its {n_chunks} chunks were written",
                        written.n
                    )));
                }
                // The library makes room for a packed chunk before it tries to read it.
                if let Some(end) = written.end.filter(|end| *end > self.n_bytes) {
                    return Err(incomplete(format!(
                        "a chunk ends at byte {end} of a file of {} bytes",
                        self.n_bytes
                    )));
                }
            }
        }
        Ok(n)
    }

    /// Checks that the library returned as many elements as the header declares.
    fn as_many<T>(
        &self,
        read: Result<Vec<T>, Cause>,
        n: u64,
        info: &DatasetInfo,
    ) -> Result<Vec<T>, Hdf5Error> {
        match read {
            Ok(values) if values.len() as u64 == n => Ok(values),
            Ok(values) => Err(Hdf5Error::Incomplete {
                path: self.path.clone(),
                name: info.name.clone(),
                reason: format!("{} of {n} elements could be read", values.len()),
            }),
            Err(source) => Err(self.failed("reading", &info.name, &source)),
        }
    }

    fn failed(&self, operation: &'static str, name: &str, source: &Cause) -> Hdf5Error {
        failed(&self.path, operation, Some(name), source)
    }
}

fn look_at(path: &Path) -> Result<Metadata, Hdf5Error> {
    let io = |source| Hdf5Error::Io { path: path.into(), operation: "look at", source };
    std::fs::metadata(path).map_err(io)
}

/// Keeps the library's message instead of its error, whose chain of causes repeats it.
fn failed(
    path: &Path,
    operation: &'static str,
    dataset: Option<&str>,
    source: &Cause,
) -> Hdf5Error {
    Hdf5Error::Library {
        path: path.into(),
        operation,
        dataset: dataset.map(Into::into),
        source: source.to_string().into(),
    }
}

/// Returns the largest ratio of unpacked data to the size of the file.
fn expansion(filters: &[Filter]) -> u64 {
    filters.iter().fold(1, |factor: u64, filter| match filter.id {
        Filter::SHUFFLE | Filter::FLETCHER32 => factor,
        Filter::DEFLATE | Filter::LZF => factor.saturating_mul(MAX_EXPANSION),
        // Scale-offset packs a constant chunk into nothing; others are not known.
        _ => u64::MAX,
    })
}

/// Returns the most similar name, by the last part of the path, when one is similar.
fn nearest(name: &str, found: &[String]) -> Option<String> {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let names: Vec<String> = found.iter().map(|path| last(path)).collect();
    let nearest = dnn_core::settings::nearest(&last(name), names.iter().map(String::as_str))?;
    let at = names.iter().position(|name| name == nearest)?;
    Some(found[at].clone())
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use rust_hdf5::H5File;
    use std::io::Write;

    /// 24 MB in a chunk, the last of which goes beyond the last row.
    const CHUNK: [usize; 3] = [2000, 64, 192];
    const N: u64 = 3000;

    /// Writes rows of which each has one byte, in chunks that are packed from so many bytes.
    fn write(path: &Path, chunk_bytes: usize) {
        let file = H5File::create(path).expect("created");
        let max = CHUNK.map(Some);
        let dataset = file.new_dataset::<u8>().shape([N as usize, CHUNK[1], CHUNK[2]]);
        let dataset = dataset.max_shape(&[None, max[1], max[2]]).chunk(&CHUNK).deflate(1);
        let dataset = dataset.create("x").expect("created");
        for chunk in 0..2 {
            let row = |at: usize| ((chunk * CHUNK[0] + at / (CHUNK[1] * CHUNK[2])) % 251) as u8;
            let bytes: Vec<u8> = (0..chunk_bytes).map(row).collect();
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(1));
            encoder.write_all(&bytes).expect("packed");
            dataset.write_chunk_raw(chunk, &encoder.finish().expect("packed"), 0).expect("written");
        }
        drop(dataset);
        file.close().expect("closed");
    }

    fn pure() -> Options {
        Options { backend: Backend::Pure, ..Options::default() }
    }

    /// How many rows were passed on, and whether they are those that were written.
    fn read(path: &Path) -> Result<(u64, bool), DataError> {
        let file = OpenFile::open(path, &pure())?;
        let info = file.info("x")?;
        file.check_by_rows(&info)?;
        let (mut next, mut is_same) = (0, true);
        file.each_block(&info, (1 << 20, 0..u64::MAX), &mut |rows, values| {
            let Buffer::Bytes(bytes) = values else { panic!("bytes are bytes") };
            assert_eq!((rows.start, bytes.len() as u64), (next, (rows.end - next) * 12_288));
            assert!(bytes.len() <= 1 << 20, "never a whole chunk");
            for (row, bytes) in rows.clone().zip(bytes.chunks(12_288)) {
                is_same &= bytes.iter().all(|&byte| u64::from(byte) == row % 251);
            }
            next = rows.end;
            Ok(())
        })?;
        Ok((next, is_same))
    }

    #[test]
    fn a_large_chunk_is_unpacked_as_it_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("d.h5");
        let whole = CHUNK.iter().product();
        write(&path, whole);
        assert_eq!(read(&path).expect("sound"), (N, true));
        // What its checksum does not confirm ends in an error, whatever was passed on by then.
        let mut bytes = std::fs::read(&path).expect("there");
        let file = OpenFile::open(&path, &pure()).expect("sound");
        let chunks = file.reader.chunks_of_rows(&file.info("x").expect("there")).expect("sound");
        let chunk = chunks.expect("of whole rows")[0];
        bytes[(chunk.address + chunk.n_bytes - 1) as usize] ^= 0x10;
        std::fs::write(&path, bytes).expect("written");
        read(&path).expect_err("damaged");
        for (n, says) in [(whole - 1, "reading `x`"), (whole + 1, "as many bytes")] {
            write(&path, n);
            let error = read(&path).expect_err("of another length").to_string();
            assert!(error.contains("d.h5") && error.contains(says), "{error}");
        }
    }
}
