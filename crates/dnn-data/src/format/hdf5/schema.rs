//! From datasets to labelled images: the course's schema and its variants.

use super::super::found::Found;
use super::super::names;
use super::super::options::{self, AboutFormat, Format, Visited};
use super::backend::{DatasetInfo, Element};
use super::checks::{image_extent, label_extent, read_classes, read_labels};
use super::file::OpenFile;
use super::{Backend, Hdf5Error, Options, sniff};
use crate::Shown;
use crate::classes::{self, Labels};
use crate::visit::{BLOCK_BYTES, block_rows};
use crate::{
    Batch, Buffer, DataError, ImageShape, InputContract, Names, SplitInfo, SplitName, Values,
    Visitor, extent,
};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The course's name of the dataset of class names.
pub(super) const CLASSES: &str = names::CLASSES[0];
/// The name of the dataset with the input contract of the images, as JSON in uint8.
pub(super) const CONTRACT: &str = "input_contract";

/// The course's names: `train_set_x`, `train_set_y`, or the same with `test` or `validation`.
pub fn of_course(split: &str) -> Names {
    Names { images: format!("{split}_set_x"), labels: format!("{split}_set_y"), classes: None }
}

/// Reads a file, or a folder with the files of the splits, by the usual names of their datasets.
///
/// Classes without names are called by their index, "0", "1" …, except that two classes are "non-cat"
/// and "cat" where the name of the file says so: it has the word "cat", or "noncat" anywhere.
pub(in super::super) struct Hdf5;

impl Format for Hdf5 {
    fn about(&self) -> &AboutFormat {
        &AboutFormat {
            name: "HDF5",
            in_folders: Some("HDF5 files (.h5, .hdf5)"),
            in_files: Some("HDF5"),
            has_names: true,
            takes_rows: true,
            ..AboutFormat::PLAIN
        }
    }
    fn detect(&self, found: &Found) -> Result<bool, DataError> {
        match found {
            Found::Folder { files, .. } => {
                Ok(files.iter().any(|file| file.ends_in(&["h5", "hdf5"])))
            }
            Found::File(file) => sniff::is_hdf5(file),
        }
    }
    fn files(&self, path: &Path, asked: &options::Options) -> Result<Vec<PathBuf>, DataError> {
        Ok(files(path, &hdf5_options(asked))?)
    }
    fn visit(
        &self,
        path: &Path,
        asked: &options::Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        let own = hdf5_options(asked);
        let sets = sets(path, asked.names.as_ref(), &own)?;
        let (sets, classes) = with_classes(sets, &own)?;
        for RawSet { file, split, images, shape, contract, labels, .. } in sets {
            file.check_by_rows(&images)?;
            let number = images.number();
            let path = Some(file.path.clone());
            let wanted = asked.rows.of(labels.len());
            let n = wanted.len();
            if n == 0 && !labels.is_empty() {
                continue;
            }
            if visitor.begin(SplitInfo { split, shape, n, number, contract, path })? {
                pass_on(&file, &images, (&labels, wanted), own.backend, visitor)?;
            }
        }
        Ok(Visited { classes, ..Visited::default() })
    }
}

fn hdf5_options(asked: &options::Options) -> Options {
    Options { limits: asked.limits, backend: asked.backend }
}

/// Passes the images of a dataset at these places on, some at a time; the C library reads all at once.
fn pass_on(
    file: &OpenFile,
    images: &DatasetInfo,
    (labels, wanted): (&[u32], Range<usize>),
    backend: Backend,
    visitor: &mut dyn Visitor,
) -> Result<(), DataError> {
    let rows = wanted.start as u64..wanted.end as u64;
    if backend == Backend::Pure
        && visitor.pixels().is_some()
        && let Some(mut bytes) = file.contiguous_bytes(images, rows.clone())?
    {
        let row_bytes = images.row_bytes() as usize;
        for labels in labels[wanted].chunks(block_rows(row_bytes)) {
            if let Some(pixels) = visitor.pixels() {
                file.append_bytes(images, &mut bytes, labels.len() * row_bytes, pixels)?;
            }
            visitor.examples(Batch { values: Values::Bytes(&[]), labels, files: &[] })?;
        }
        return Ok(file.check_unchanged(&images.name)?);
    }
    let mut pass_on = |rows: Range<usize>, values: &Buffer| {
        let n_values = values.values().len() / rows.len().max(1);
        let own = rows.start.max(wanted.start)..rows.end.min(wanted.end);
        let place = |row: usize| (row - rows.start) * n_values;
        let values = values.values().slice(place(own.start)..place(own.end));
        visitor.examples(Batch { values, labels: &labels[own], files: &[] })
    };
    if backend == Backend::Pure {
        file.each_block(images, (BLOCK_BYTES as u64, rows), &mut |rows, values| {
            pass_on(rows.start as usize..rows.end as usize, &values)
        })?;
    } else {
        pass_on(0..labels.len(), &file.read_values(images)?)?;
    }
    Ok(file.check_unchanged(&images.name)?)
}

/// Images and labels of one split in the file; the images are not read yet.
pub(super) struct RawSet<L = Vec<u32>> {
    pub(super) split: SplitName,
    pub(super) file: OpenFile,
    names: Names,
    pub(super) images: DatasetInfo,
    pub(super) shape: ImageShape,
    pub(super) labels: L,
    classes: Option<Vec<String>>,
    pub(super) contract: Option<InputContract>,
}

impl RawSet<Labels> {
    /// Checks the split and reads everything except the pixels.
    pub(super) fn read(split: SplitName, file: OpenFile, names: Names) -> Result<Self, Hdf5Error> {
        // Checks and small data come first: pixels are read last.
        let images = file.info(&names.images)?;
        let (n_images, shape) = image_extent(&file, &images)?;
        let labels = match file.info(&names.labels) {
            // The dataset of images is no suggestion for missing labels, however similar the names.
            Err(Hdf5Error::Missing { path, name, nearest, found }) => {
                let nearest = nearest.filter(|near| *near != images.name);
                return Err(Hdf5Error::Missing { path, name, nearest, found });
            }
            labels => labels?,
        };
        let n_labels = label_extent(&file, &labels)?;
        if n_labels != n_images {
            return Err(Hdf5Error::Count {
                path: file.path.clone(),
                images: images.name,
                n_images,
                labels: labels.name,
                n_labels,
            });
        }
        let mut classes = names.classes.clone();
        for usual in names::CLASSES {
            if classes.is_none() && file.find(usual)?.is_some() {
                classes = Some(usual.into());
            }
        }
        let classes = classes.map(|name| read_classes(&file, &name)).transpose()?;
        let labels = read_labels(&file, &labels, classes.as_ref().map(Vec::len))?;
        let contract = read_contract(&file, shape)?;
        Ok(Self { split, file, names, images, shape, labels, classes, contract })
    }
}

/// Merges the classes of all sets, and makes the labels indices of the merged ones.
pub(super) fn with_classes(
    sets: Vec<RawSet<Labels>>,
    options: &Options,
) -> Result<(Vec<RawSet>, Vec<String>), DataError> {
    let mut named: Option<(&RawSet<Labels>, &Vec<String>)> = None;
    for set in &sets {
        let Some(classes) = &set.classes else { continue };
        match named {
            Some((first, other)) if other != classes => {
                let of = |set: &RawSet<Labels>| {
                    format!("{} ({})", set.split.phrase(), set.file.path.shown())
                };
                return Err(DataError::Mismatch {
                    what: format!("classes of {}", of(set)),
                    expected: format!("{} as in {}", classes::listed(other), of(first)),
                    got: classes::listed(classes),
                });
            }
            _ => named = Some((set, classes)),
        }
    }
    let named = named.map(|(_, classes)| classes.clone());
    let is_cat = |set: &RawSet<Labels>| says_cat(&set.file.path);
    let has_two = |set: &RawSet<Labels>| match &set.labels {
        Labels::Indices(labels) => labels.iter().all(|&label| label < 2),
        Labels::Names(_) => false,
    };
    let cats = || ["non-cat", "cat"].map(String::from).to_vec();
    let all_cats = sets.iter().all(|set| is_cat(set) && has_two(set));
    let named = named.or_else(|| all_cats.then(cats));
    let (mut labels, mut others) = (Vec::new(), Vec::new());
    for set in sets {
        let RawSet { split, file, names, images, shape, labels: own, classes, contract } = set;
        labels.push(own);
        others.push((split, file, names, images, shape, classes, contract));
    }
    let (labels, classes) =
        classes::resolve(labels, named, options.limits.max_classes).map_err(|bad| {
            let (_, file, names, ..) = &others[bad.set];
            Hdf5Error::Value {
                path: file.path.clone(),
                name: names.labels.clone(),
                index: bad.index,
                expected: bad.expected,
                got: bad.got,
            }
        })?;
    let sets = others.into_iter().zip(labels).map(|(other, labels)| {
        let (split, file, names, images, shape, classes, contract) = other;
        RawSet { split, file, names, images, shape, labels, classes, contract }
    });
    Ok((sets.collect(), classes))
}

/// The sets of a file, or of the files of a folder: those that are asked for by their names, or else
/// those that have usual ones.
pub(super) fn sets(
    path: &Path,
    names: Option<&Names>,
    options: &Options,
) -> Result<Vec<RawSet<Labels>>, DataError> {
    if let Some(names) = names {
        let file = OpenFile::open(path, options)?;
        return Ok(vec![RawSet::read(SplitName::Train, file, names.clone())?]);
    }
    let mut sets: Vec<RawSet<Labels>> = Vec::new();
    let files = files(path, options)?;
    for path in &files {
        let file = OpenFile::open(path, options)?;
        for (split, images, labels) in file.usual_names()? {
            if sets.iter().all(|set| set.split != split) {
                let file = OpenFile::open(path, options)?;
                sets.push(RawSet::read(split, file, Names { images, labels, classes: None })?);
            }
        }
    }
    if let (true, Some(path)) = (sets.is_empty(), files.first()) {
        // The error lists what the file holds.
        OpenFile::open(path, options)?.info(&of_course("train").images)?;
    }
    sets.sort_by_key(|set| set.split);
    Ok(sets)
}

/// Returns the contract by which the images were prepared, where the file has it.
fn read_contract(file: &OpenFile, shape: ImageShape) -> Result<Option<InputContract>, Hdf5Error> {
    /// With a mean and a deviation for each channel it is some 500 bytes long.
    const MAX_BYTES: u64 = 1 << 16;
    let Some(info) = file.find(CONTRACT)? else { return Ok(None) };
    let refuse = |got: String| Hdf5Error::Value {
        path: file.path.clone(),
        name: CONTRACT.into(),
        index: 0,
        expected: format!("the input contract of images of {shape}, as JSON in uint8"),
        got,
    };
    let n_bytes = match info.shape[..] {
        [n] if info.element == Element::Unsigned(1) => n,
        _ => return Err(refuse(format!("{} of {}", extent::shown(&info.shape), info.element))),
    };
    if n_bytes > MAX_BYTES {
        return Err(refuse(format!("{n_bytes} bytes")));
    }
    let contract: InputContract = serde_json::from_slice(&file.read_bytes(&info)?)
        .map_err(|error| refuse(error.to_string()))?;
    contract.check().map_err(|error| refuse(error.to_string()))?;
    if ImageShape::of(&contract) != shape {
        return Err(refuse(format!("one of {}", ImageShape::of(&contract))));
    }
    Ok(Some(contract))
}

/// Returns the file itself, or the files of a folder that hold its splits.
fn files(path: &Path, options: &Options) -> Result<Vec<PathBuf>, Hdf5Error> {
    if path.is_dir() { super::folder::files(path, options) } else { Ok(vec![path.into()]) }
}

/// Whether a file's own name tells that it holds the course's cats: other two-class sets of the
/// course (happy faces) have the same schema. Locations are no cats, and cats and dogs both are not.
fn says_cat(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphabetic()).collect();
    let says = |any: &[&str]| words.iter().any(|word| any.contains(word));
    words.concat().contains("noncat") || says(&["cat", "cats"]) && !says(&["dog", "dogs", "vs"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_says_cat_makes_cats() {
        for name in ["train_catvnoncat", "Cat-vs-NonCat", "cat_vs_non_cat", "cats2", "CAT_test"] {
            assert!(says_cat(Path::new(&format!("happy/{name}.h5"))), "{name}");
        }
        for name in ["vacation", "categories", "cat_vs_dog", "cats.and.dogs", "train_happy", ""] {
            assert!(!says_cat(Path::new(&format!("cat/{name}.h5"))), "{name}");
        }
    }
}
