//! The C library as a [`Reader`].
//!
//! It trusts what it reads: release 1.10 crashes on some damaged files. The checks before reading
//! are the same as for the pure library; beyond them, use the pure one for files of unknown origin.

use super::backend::{
    ChunksWritten, DatasetInfo, Element, Filter, MAX_DEPTH, MAX_LISTED, Reader, Storage,
};
use super::error::Cause;
use hdf5::dataset::{Dataset, Layout};
use hdf5::types::{
    FixedAscii, FixedUnicode, FloatSize, IntSize, TypeDescriptor, VarLenAscii, VarLenUnicode,
};
use hdf5::{File, Group, LinkType, LocationType};
use std::collections::VecDeque;
use std::path::Path;

/// The widest fixed string that is read, in bytes; the binding needs the width at compile time.
const STRING_BYTES: usize = 256;

pub(super) struct CReader(File);

impl CReader {
    pub(super) fn open(path: &Path) -> Result<Self, Cause> {
        Ok(Self(File::open(path)?))
    }

    fn dataset(&self, name: &str) -> Result<Dataset, Cause> {
        Ok(self.0.dataset(name)?)
    }
}

impl Reader for CReader {
    fn list(&self) -> Result<(Vec<String>, bool), Cause> {
        let mut names = Vec::new();
        let mut groups: VecDeque<(String, Group, usize)> =
            VecDeque::from([(String::new(), self.0.group("/")?, 0)]);
        let (mut n_groups, mut more) = (1, false);
        while let Some((prefix, group, depth)) = groups.pop_front() {
            let mut members = Vec::new();
            group.iter_visit_default(|name, link| {
                if link.link_type != LinkType::External {
                    members.push(name.to_owned());
                }
                Ok(())
            })?;
            for name in members {
                match group.loc_type_by_name(&name) {
                    Ok(LocationType::Dataset) => {
                        if names.len() == MAX_LISTED {
                            more = true;
                            continue;
                        }
                        names.push(format!("{prefix}{name}"));
                    }
                    Ok(LocationType::Group) => {
                        if n_groups == MAX_LISTED || depth == MAX_DEPTH {
                            more = true;
                            continue;
                        }
                        n_groups += 1;
                        let child = group.group(&name)?;
                        groups.push_back((format!("{prefix}{name}/"), child, depth + 1));
                    }
                    // A committed type, or a soft link to nowhere.
                    _ => {}
                }
            }
        }
        names.sort();
        Ok((names, more))
    }

    fn info(&self, name: &str) -> Result<Option<DatasetInfo>, Cause> {
        // The library asks for each link of a path by itself.
        let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
        if name.is_empty() || !ends.into_iter().all(|end| self.0.link_exists(&name[..end])) {
            return Ok(None);
        }
        if self.0.loc_type_by_name(name).is_ok_and(|kind| kind != LocationType::Dataset) {
            return Ok(None);
        }
        let dataset = self.dataset(name)?;
        let properties = dataset.dcpl()?;
        let elsewhere =
            dataset.filename() != self.0.filename() || !properties.get_external()?.is_empty();
        let storage = match properties.get_layout()? {
            _ if elsewhere => Storage::Elsewhere,
            Layout::Compact => Storage::Compact,
            Layout::Contiguous => {
                Storage::Contiguous { address: dataset.offset(), n_bytes: dataset.storage_size() }
            }
            Layout::Chunked => {
                let chunk = properties.get_chunk()?.unwrap_or_default();
                Storage::Chunked(chunk.into_iter().map(|n| n as u64).collect())
            }
            Layout::Virtual => Storage::Elsewhere,
        };
        let filters = properties.get_filters()?;
        let datatype = dataset.dtype()?;
        let element = element(&datatype);
        let element_bytes = datatype.size() as u64;
        Ok(Some(DatasetInfo {
            name: name.into(),
            shape: dataset.get_shape()?.into_iter().map(|n| n as u64).collect(),
            element,
            element_bytes,
            storage,
            filters: filters
                .iter()
                .map(|f| Filter { id: f.id() as u16, available: f.is_available() })
                .collect(),
        }))
    }

    fn chunks_written(&self, name: &str) -> Result<ChunksWritten, Cause> {
        // Where each of them lies takes a search from the first one, every time.
        match self.dataset(name)?.num_chunks() {
            Some(n) => Ok(ChunksWritten { n: n as u64, end: None }),
            None => Err("the chunks cannot be counted".into()),
        }
    }

    fn read_bytes(&self, name: &str) -> Result<Vec<u8>, Cause> {
        Ok(self.dataset(name)?.read_raw::<u8>()?)
    }

    fn read_integers(&self, name: &str, signed: bool) -> Result<Vec<i128>, Cause> {
        let dataset = self.dataset(name)?;
        Ok(if signed {
            dataset.read_raw::<i64>()?.into_iter().map(i128::from).collect()
        } else {
            dataset.read_raw::<u64>()?.into_iter().map(i128::from).collect()
        })
    }

    fn read_floats(&self, name: &str) -> Result<Vec<f64>, Cause> {
        Ok(self.dataset(name)?.read_raw::<f64>()?)
    }

    fn read_strings(&self, info: &DatasetInfo, max_bytes: u64) -> Result<Vec<Vec<u8>>, Cause> {
        let dataset = self.dataset(&info.name)?;
        // The library does not convert between the character sets, so each is read as it is.
        let strings: Vec<Vec<u8>> = match dataset.dtype()?.to_descriptor()? {
            TypeDescriptor::FixedAscii(n) if n <= STRING_BYTES => {
                let read = dataset.read_raw::<FixedAscii<STRING_BYTES>>()?;
                read.iter().map(|s| s.as_bytes().to_vec()).collect()
            }
            TypeDescriptor::FixedUnicode(n) if n <= STRING_BYTES => {
                let read = dataset.read_raw::<FixedUnicode<STRING_BYTES>>()?;
                read.iter().map(|s| s.as_bytes().to_vec()).collect()
            }
            TypeDescriptor::VarLenAscii => {
                let read = dataset.read_raw::<VarLenAscii>()?;
                read.iter().map(|s| s.as_bytes().to_vec()).collect()
            }
            TypeDescriptor::VarLenUnicode => {
                let read = dataset.read_raw::<VarLenUnicode>()?;
                read.iter().map(|s| s.as_bytes().to_vec()).collect()
            }
            other => return Err(format!("strings of type {other} are not supported").into()),
        };
        let n_bytes: u64 = strings.iter().map(|s| s.len() as u64).sum();
        if n_bytes > max_bytes {
            return Err(format!("{n_bytes} bytes of strings, the limit is {max_bytes}").into());
        }
        Ok(strings)
    }
}

fn element(datatype: &hdf5::Datatype) -> Element {
    let bytes = |size: IntSize| size as u8;
    match datatype.to_descriptor() {
        Ok(TypeDescriptor::Unsigned(size)) => Element::Unsigned(bytes(size)),
        Ok(TypeDescriptor::Integer(size)) => Element::Signed(bytes(size)),
        Ok(TypeDescriptor::Float(FloatSize::U4)) => Element::Float(4),
        Ok(TypeDescriptor::Float(FloatSize::U8)) => Element::Float(8),
        Ok(TypeDescriptor::Boolean) => Element::Bool,
        Ok(TypeDescriptor::FixedAscii(n) | TypeDescriptor::FixedUnicode(n)) => {
            Element::FixedString(n as u64)
        }
        Ok(TypeDescriptor::VarLenAscii | TypeDescriptor::VarLenUnicode) => Element::VarString,
        Ok(TypeDescriptor::Enum(of)) => {
            Element::Other(format!("enumeration of {}", of.base_type()))
        }
        Ok(TypeDescriptor::Compound(_)) => Element::Other("compound".into()),
        Ok(TypeDescriptor::FixedArray(..)) => Element::Other("array".into()),
        Ok(TypeDescriptor::VarLenArray(_)) => Element::Other("sequence of variable length".into()),
        Ok(TypeDescriptor::Reference(_)) => Element::Other("reference".into()),
        #[allow(unreachable_patterns)] // features of the binding add types
        Ok(_) | Err(_) => Element::Other("another type".into()),
    }
}
