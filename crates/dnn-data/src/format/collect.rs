//! Collecting all that a source passes on in memory.

use super::options::{Format, Options};
use crate::{
    Batch, Buffer, DataError, ImageSet, Limits, Normalization, Number, Scale, Split, SplitInfo,
    Splits, Visitor,
};
use std::path::{Path, PathBuf};

/// A visitor that keeps the examples of each split.
struct Collector<'a> {
    source: &'a Path,
    limits: Limits,
    progress: &'a dyn Fn(usize, usize),
    collected: Vec<Collected>,
    n_done: usize,
    n_all: usize,
}

struct Collected {
    part: SplitInfo,
    values: Buffer,
    labels: Vec<u32>,
    files: Vec<PathBuf>,
}

pub(super) fn collect(
    format: &dyn Format,
    source: &Path,
    options: &Options,
    progress: &dyn Fn(usize, usize),
) -> Result<Splits, DataError> {
    let (limits, collected) = (options.limits, Vec::new());
    let mut collector = Collector { source, limits, progress, collected, n_done: 0, n_all: 0 };
    let visited = format.visit(source, options, &mut collector)?;
    let mut splits = Splits::default();
    (splits.rejected, splits.notes) = (visited.rejected, visited.notes);
    for Collected { part, values, labels, files } in collector.collected {
        let SplitInfo { split, shape, number, contract, path, .. } = part;
        let from = path.as_deref().unwrap_or(source);
        let classes = visited.classes.clone();
        let mut images = ImageSet::from_values(values, shape, labels, classes, options.scale)
            .map_err(|error| error.in_file(from))?;
        match contract {
            Some(contract) if !files.is_empty() => images = images.read_from(files, contract),
            // Of numbers that are no bytes it is of no use.
            Some(contract) if images.is_bytes() => images.set_contract(contract),
            _ => {}
        }
        if options.scale == Scale::Auto && (number != Number::Byte || images.is_table()) {
            splits.notes.extend(taken_for(&images, split.phrase()));
        }
        splits.insert(Split { name: split, images, path: Some(from.to_owned()) });
    }
    splits.unify();
    splits.check()?;
    Ok(splits)
}

/// Says what numbers were taken for, where they could have been taken otherwise.
fn taken_for(images: &ImageSet, which: &str) -> Option<String> {
    let is_bytes = images.is_bytes() && images.normalization() == Normalization::DivideBy255;
    is_bytes.then(|| {
        let most = images.pixels().iter().max().unwrap_or(&0);
        format!(
            "numbers of {which}: whole and from 0 to {most}, so they are bytes and divided by 255 \
             (--scale as-is keeps them)"
        )
    })
}

impl Visitor for Collector<'_> {
    fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
        let n_values = part.n.checked_mul(part.shape.n_bytes());
        // Whatever is no byte is kept with a byte to show it by.
        let width = match part.number {
            Number::Byte => 1,
            number => number.n_bytes() + 1,
        };
        let bytes = n_values.and_then(|n| n.checked_mul(width)).map(|n| n as u64);
        let (Some(n_values), Some(_)) =
            (n_values, bytes.filter(|bytes| *bytes <= self.limits.max_bytes))
        else {
            return Err(DataError::Limit {
                path: part.path.clone().unwrap_or_else(|| self.source.into()),
                what: format!("{}, {} images of {},", part.split.phrase(), part.n, part.shape),
                bytes,
                limit: self.limits.max_bytes,
            });
        };
        // Beside what is kept, its source holds as much at once at most: one chunk of all of it.
        DataError::afford(bytes.map_or(u64::MAX, |bytes| bytes.saturating_mul(2)), || {
            let path = part.path.as_deref().unwrap_or(self.source);
            (
                path.to_owned(),
                format!("{}, {} images of {},", part.split.phrase(), part.n, part.shape),
            )
        })?;
        self.n_all += part.n;
        self.collected.push(Collected {
            values: Buffer::with_capacity(part.number, n_values),
            labels: Vec::with_capacity(part.n),
            files: Vec::new(),
            part,
        });
        Ok(true)
    }

    fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError> {
        if let Some(collected) = self.collected.last_mut() {
            collected.values.extend(batch.values)?;
            collected.labels.extend_from_slice(batch.labels);
            collected.files.extend_from_slice(batch.files);
        }
        self.n_done += batch.labels.len();
        (self.progress)(self.n_done, self.n_all);
        Ok(())
    }

    fn pixels(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.collected.last_mut()?.values {
            Buffer::Bytes(pixels) => Some(pixels),
            Buffer::F32(_) | Buffer::F64(_) => None,
        }
    }
}
