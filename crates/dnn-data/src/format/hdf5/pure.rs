//! The pure-Rust library as a [`Reader`].

use super::backend::{
    ChunksWritten, DatasetInfo, Element, Filter, MAX_DEPTH, MAX_LISTED, PackedChunk, Reader,
    Storage,
};
use super::error::Cause;
use hdf5_pure::{
    Chunk, ChunkCacheConfig, Dataset, DatasetAccessProperties, Datatype, Error, File, FormatError,
    Layout, VlenStringReadOptions,
};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

/// Bytes of chunked rows that are read at once: long enough that finding the chunks does not show.
const AT_ONCE_BYTES: u64 = 1 << 20;

pub(super) struct PureReader {
    file: File,
    /// The dataset whose rows were read last, and its name.
    by_rows: RefCell<Option<(String, Dataset)>>,
}

impl PureReader {
    /// Opens for reading on demand: a large file is not held in memory beside its pixels.
    pub(super) fn open(path: &Path) -> Result<Self, Cause> {
        Ok(Self { file: File::open_streaming(path)?, by_rows: RefCell::default() })
    }

    /// Returns a dataset that is read some rows at a time: it is opened once, and its list of chunks read
    /// once. Their bytes are not kept: whoever reads rows asks for each once.
    fn by_rows(&self, name: &str) -> Result<Dataset, Error> {
        let mut last = self.by_rows.borrow_mut();
        if let Some((_, dataset)) = last.as_ref().filter(|(last, _)| last == name) {
            return Ok(dataset.clone());
        }
        let index_only = ChunkCacheConfig::new().with_max_bytes(0).with_max_slots(0);
        let properties = DatasetAccessProperties::new().with_chunk_cache(index_only);
        let dataset = self.file.dataset_with_options(name, properties)?;
        *last = Some((name.into(), dataset.clone()));
        Ok(dataset)
    }
}

impl Reader for PureReader {
    fn list(&self) -> Result<(Vec<String>, bool), Cause> {
        let mut names = Vec::new();
        let mut groups = VecDeque::from([(String::new(), self.file.root(), 0)]);
        let (mut n_groups, mut more) = (1, false);
        while let Some((prefix, group, depth)) = groups.pop_front() {
            let datasets = group.datasets().map_err(explained)?;
            for name in datasets {
                if names.len() == MAX_LISTED {
                    more = true;
                    break;
                }
                names.push(format!("{prefix}{name}"));
            }
            // Opening each by its name would walk through all members of the group again.
            for (name, child) in group.iter_groups()? {
                if n_groups == MAX_LISTED || depth == MAX_DEPTH {
                    more = true;
                    break;
                }
                n_groups += 1;
                groups.push_back((format!("{prefix}{name}/"), child, depth + 1));
            }
        }
        names.sort();
        Ok((names, more))
    }

    fn info(&self, name: &str) -> Result<Option<DatasetInfo>, Cause> {
        let dataset = match self.file.dataset(name) {
            Ok(dataset) => dataset,
            Err(Error::Format(FormatError::PathNotFound(_)) | Error::NotADataset(_)) => {
                return Ok(None);
            }
            Err(other) => return Err(explained(other)),
        };
        let storage = match dataset.layout()? {
            Layout::Compact { .. } => Storage::Compact,
            // Data in other files look as if they were never written; reading no row tells.
            Layout::Contiguous { address: None, .. }
                if matches!(
                    dataset.read_raw_rows(0, 0),
                    Err(Error::Format(FormatError::UnsupportedExternalStorage))
                ) =>
            {
                Storage::Elsewhere
            }
            Layout::Contiguous { address, size } => Storage::Contiguous { address, n_bytes: size },
            Layout::Chunked { chunk_shape, .. } => Storage::Chunked(chunk_shape),
            _ => Storage::Elsewhere,
        };
        let datatype = dataset.datatype()?;
        Ok(Some(DatasetInfo {
            name: name.into(),
            shape: dataset.shape()?,
            element: element(&datatype),
            element_bytes: u64::from(datatype.type_size()),
            storage,
            filters: filters(&dataset),
        }))
    }

    fn chunks_written(&self, name: &str) -> Result<ChunksWritten, Cause> {
        let chunks = self.file.dataset(name)?.chunks()?;
        let end = chunks.iter().map(|chunk| chunk.address.saturating_add(chunk.storage_size)).max();
        Ok(ChunksWritten { n: chunks.len() as u64, end })
    }

    fn chunks_of_rows(&self, info: &DatasetInfo) -> Result<Option<Vec<PackedChunk>>, Cause> {
        match &info.storage {
            Storage::Chunked(chunk) if chunk[1..] == info.shape[1..] => {}
            _ => return Ok(None),
        }
        let chunks = self.file.dataset(&info.name)?.chunks()?;
        if chunks.iter().any(|chunk| chunk.filter_mask != 0) {
            return Ok(None);
        }
        let packed = |chunk: &Chunk| PackedChunk {
            start: chunk.offset.first().copied().unwrap_or(0),
            address: chunk.address,
            n_bytes: chunk.storage_size,
        };
        let mut chunks: Vec<_> = chunks.iter().map(packed).collect();
        chunks.sort_unstable();
        Ok(Some(chunks))
    }

    fn read_bytes(&self, name: &str) -> Result<Vec<u8>, Cause> {
        let dataset = self.file.dataset(name)?;
        let (Layout::Chunked { chunk_shape, .. }, shape) = (dataset.layout()?, dataset.shape()?)
        else {
            return Ok(dataset.read_raw()?);
        };
        // Some rows at a time, each chunk in one piece: of rows the library copies whole ones, of
        // everything only what is side by side in the last dimension, the bytes of a pixel.
        let n_rows = shape.first().copied().unwrap_or(0);
        let row_bytes = shape.iter().skip(1).product::<u64>().max(1);
        let chunk_rows = chunk_shape.first().copied().unwrap_or(1).clamp(1, n_rows.max(1));
        let rows = chunk_rows * (AT_ONCE_BYTES / row_bytes / chunk_rows).max(1);
        let mut bytes = Vec::with_capacity(usize::try_from(n_rows * row_bytes)?);
        let mut start = 0;
        while start < n_rows {
            let n = rows.min(n_rows - start);
            bytes.extend_from_slice(&dataset.read_raw_rows(start, n)?);
            start += n;
        }
        Ok(bytes)
    }

    fn read_byte_rows(&self, name: &str, rows: Range<u64>) -> Result<Vec<u8>, Cause> {
        Ok(self.by_rows(name)?.read_raw_rows(rows.start, rows.end - rows.start)?)
    }

    fn read_float_rows(&self, name: &str, rows: Range<u64>) -> Result<Vec<f64>, Cause> {
        Ok(self.by_rows(name)?.read_f64_rows(rows.start, rows.end - rows.start)?)
    }

    fn read_integers(&self, name: &str, signed: bool) -> Result<Vec<i128>, Cause> {
        let dataset = self.file.dataset(name)?;
        Ok(if signed {
            dataset.read_i64()?.into_iter().map(i128::from).collect()
        } else {
            dataset.read_u64()?.into_iter().map(i128::from).collect()
        })
    }

    fn read_floats(&self, name: &str) -> Result<Vec<f64>, Cause> {
        Ok(self.file.dataset(name)?.read_f64()?)
    }

    fn read_strings(&self, info: &DatasetInfo, max_bytes: u64) -> Result<Vec<Vec<u8>>, Cause> {
        let dataset = self.file.dataset(&info.name)?;
        if info.element == Element::VarString {
            let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
            let options = VlenStringReadOptions::new().with_max_payload_bytes(max_bytes);
            let strings = dataset.read_vlen_strings(options)?;
            return Ok(strings.into_iter().map(String::into_bytes).collect());
        }
        let width = usize::try_from(info.element_bytes)?.max(1);
        Ok(dataset.read_raw()?.chunks_exact(width).map(<[u8]>::to_vec).collect())
    }
}

/// A soft link in a group of the old kind has the undefined address, which overflows.
fn explained(error: Error) -> Cause {
    match error {
        Error::Format(FormatError::OffsetOverflow { offset: u64::MAX, .. }) => {
            format!("{error} (this reader does not follow soft links, if that is one)").into()
        }
        other => other.into(),
    }
}

fn filters(dataset: &Dataset) -> Vec<Filter> {
    let available = |id| {
        matches!(
            id,
            Filter::DEFLATE
                | Filter::SHUFFLE
                | Filter::FLETCHER32
                | Filter::SCALE_OFFSET
                | Filter::LZF
        )
    };
    dataset.filters().into_iter().map(|id| Filter { id, available: available(id) }).collect()
}

fn element(datatype: &Datatype) -> Element {
    match datatype {
        Datatype::FixedPoint { size: size @ (1 | 2 | 4 | 8), layout, .. }
            if layout.bit_offset == 0 && u32::from(layout.bit_precision) == size * 8 =>
        {
            if layout.signed {
                Element::Signed(*size as u8)
            } else {
                Element::Unsigned(*size as u8)
            }
        }
        Datatype::FloatingPoint { size: size @ (4 | 8), .. } => Element::Float(*size as u8),
        Datatype::String { size, .. } => Element::FixedString(u64::from(*size)),
        Datatype::VariableLength { is_string: true, .. } => Element::VarString,
        Datatype::Enumeration { size: 1, base_type, members }
            if matches!(element(base_type), Element::Signed(1) | Element::Unsigned(1))
                && members.iter().map(|m| m.name.as_str()).eq(["FALSE", "TRUE"]) =>
        {
            Element::Bool
        }
        Datatype::Enumeration { base_type, .. } => {
            Element::Other(format!("enumeration of {}", element(base_type)))
        }
        Datatype::Compound { .. } => Element::Other("compound".into()),
        Datatype::Array { .. } => Element::Other("array".into()),
        Datatype::FixedPoint { size, .. } => Element::Other(format!("integer of {size} bytes")),
        Datatype::FloatingPoint { size, .. } => Element::Other(format!("float of {size} bytes")),
        Datatype::VariableLength { .. } => Element::Other("sequence of variable length".into()),
        Datatype::Reference { .. } => Element::Other("reference".into()),
        Datatype::Opaque { .. } => Element::Other("opaque".into()),
        _ => Element::Other("another type".into()),
    }
}
