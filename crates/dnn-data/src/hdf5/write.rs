//! Labelled images as an HDF5 file in the course's schema, with numbers beside each image.

use super::backend::Element;
use super::file::OpenFile;
use super::schema::CLASSES;
use super::{Hdf5Error, Options};
use crate::{DataError, ImageSet, Splits, atomic};
use hdf5_pure::{FileBuilder, FormatError};
use std::io::BufWriter;
use std::path::Path;

/// gzip's own default: higher levels take much longer for a few percent.
const DEFLATE_LEVEL: u32 = 6;
/// A chunk of pixels is about this large: it is what a reader unpacks at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Numbers that belong to the images of each split: how they were made, what is known of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Factors {
    /// Of the training images.
    pub train: Vec<Factor>,
    /// Of the test images.
    pub test: Vec<Factor>,
}

/// One number for each image of a split.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// Name of the dataset; without a slash.
    pub name: String,
    /// The numbers, in the order of the images.
    pub values: FactorValues,
}

/// The numbers of a [`Factor`].
#[derive(Debug, Clone, PartialEq)]
pub enum FactorValues {
    /// Double precision.
    F64(Vec<f64>),
    /// Single precision.
    F32(Vec<f32>),
    /// Integers.
    I64(Vec<i64>),
}

impl FactorValues {
    /// Number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::I64(values) => values.len(),
        }
    }

    /// Whether there is no number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes both sets to one file in the course's schema; replaces the file as a whole or not at all.
///
/// `train_set_x` (m, height, width, channels) of uint8, `train_set_y` (m) of int64, the same for
/// `test`, `list_classes` of fixed-width strings, and each factor as `train_factors/NAME` or
/// `test_factors/NAME` (m). All but the names in chunks, packed with gzip.
///
/// # Errors
/// [`DataError::Mismatch`] when the sets do not belong together, [`DataError::Hdf5`] when a factor
/// does not belong to its images or the file cannot be written.
pub fn write_splits(path: &Path, splits: &Splits, factors: &Factors) -> Result<(), DataError> {
    splits.check()?;
    let mut builder = FileBuilder::new();
    let sets = [("train", &splits.train, &factors.train), ("test", &splits.test, &factors.test)];
    for (split, set, factors) in sets {
        add_set(&mut builder, path, split, set.as_ref(), factors)?;
    }
    if let Some(set) = splits.train.as_ref().or(splits.test.as_ref()) {
        add_classes(&mut builder, path, set.classes())?;
    }
    atomic::write(path, |file| {
        builder.finish_to(BufWriter::new(file)).map_err(|e| match e {
            hdf5_pure::Error::Io(e) => e,
            other => std::io::Error::other(other),
        })
    })
    .map_err(|source| Hdf5Error::Io { path: path.into(), operation: "write", source })?;
    Ok(())
}

fn add_set(
    builder: &mut FileBuilder,
    path: &Path,
    split: &str,
    set: Option<&ImageSet>,
    factors: &[Factor],
) -> Result<(), Hdf5Error> {
    let n = set.map_or(0, ImageSet::len);
    let refuse = |what: String, expected: String, got: String| {
        Err(Hdf5Error::Write { path: path.into(), what, expected, got })
    };
    for (i, factor) in factors.iter().enumerate() {
        let what = format!("factor `{}` of {split}", factor.name);
        if factor.name.is_empty() || factor.name == "." || factor.name.contains(['/', '\0']) {
            return refuse(what, "a name without a slash".into(), format!("{:?}", factor.name));
        }
        if factors[..i].iter().any(|other| other.name == factor.name) {
            return refuse(what, "one of that name".into(), "two".into());
        }
        if factor.values.len() != n {
            let got = format!("{} values", factor.values.len());
            return refuse(what, format!("one value for each of {n} images"), got);
        }
    }
    let Some(set) = set else { return Ok(()) };
    let shape = set.shape();
    let per_chunk = (CHUNK_BYTES / shape.n_bytes()).clamp(1, n);
    let dims = |n: usize| [n, shape.height, shape.width, shape.channels].map(|n| n as u64);
    builder
        .create_dataset(&format!("{split}_set_x"))
        .with_u8_data(set.pixels())
        .with_shape(&dims(n))
        .with_chunks(&dims(per_chunk))
        .with_deflate(DEFLATE_LEVEL);
    let labels: Vec<i64> = set.labels().iter().map(|&label| i64::from(label)).collect();
    builder
        .create_dataset(&format!("{split}_set_y"))
        .with_i64_data(&labels)
        .with_chunks(&[n as u64])
        .with_shuffle()
        .with_deflate(DEFLATE_LEVEL);
    if factors.is_empty() {
        return Ok(());
    }
    let mut group = builder.create_group(&format!("{split}_factors"));
    for factor in factors {
        let dataset = group.create_dataset(&factor.name);
        match &factor.values {
            FactorValues::F64(values) => dataset.with_f64_data(values),
            FactorValues::F32(values) => dataset.with_f32_data(values),
            FactorValues::I64(values) => dataset.with_i64_data(values),
        }
        .with_chunks(&[n as u64])
        .with_shuffle()
        .with_deflate(DEFLATE_LEVEL);
    }
    builder.add_group(group.finish());
    Ok(())
}

fn add_classes(
    builder: &mut FileBuilder,
    path: &Path,
    classes: &[String],
) -> Result<(), Hdf5Error> {
    let refuse = |got: String| Hdf5Error::Write {
        path: path.into(),
        what: "the class names".into(),
        expected: "names of 1 to 256 bytes without NUL and without a space at the end".into(),
        got,
    };
    let storable = |name: &&String| {
        !name.is_empty() && name.len() <= 256 && !name.contains('\0') && !name.ends_with(' ')
    };
    if let Some(name) = classes.iter().find(|name| !storable(name)) {
        return Err(refuse(format!("{name:?}")));
    }
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    let dataset = builder.create_dataset(CLASSES);
    let added = if names.iter().all(|name| name.is_ascii()) {
        dataset.with_ascii_strings(&names)
    } else {
        dataset.with_strings(&names)
    };
    added.map(|_| ()).map_err(|e: FormatError| refuse(e.to_string()))
}

/// Reads the factors that [`write_splits`] wrote; none where there are none.
///
/// # Errors
/// [`DataError::Hdf5`] when the file cannot be used or a factor is not a list of numbers.
pub fn load_factors(path: &Path, options: &Options) -> Result<Factors, DataError> {
    let file = OpenFile::open(path, options)?;
    let (names, _) = file.list()?;
    let read = |group: &str| -> Result<Vec<Factor>, Hdf5Error> {
        let mut factors = Vec::new();
        for path in &names {
            if let Some(name) = path.strip_prefix(group) {
                factors.push(Factor { name: name.into(), values: read_factor(&file, path)? });
            }
        }
        Ok(factors)
    };
    Ok(Factors { train: read("train_factors/")?, test: read("test_factors/")? })
}

fn read_factor(file: &OpenFile, name: &str) -> Result<FactorValues, Hdf5Error> {
    let info = file.info(name)?;
    if info.shape.len() != 1 {
        return Err(Hdf5Error::Shape {
            path: file.path.clone(),
            name: name.into(),
            expected: "(m,): a number for each image".into(),
            got: info.shape,
        });
    }
    Ok(match info.element {
        Element::Float(8) => FactorValues::F64(file.read_floats(&info)?),
        Element::Float(4) => {
            FactorValues::F32(file.read_floats(&info)?.into_iter().map(|v| v as f32).collect())
        }
        Element::Signed(8) => {
            FactorValues::I64(file.read_integers(&info)?.into_iter().map(|v| v as i64).collect())
        }
        _ => {
            return Err(Hdf5Error::Type {
                path: file.path.clone(),
                name: name.into(),
                expected: "float64, float32 or int64",
                got: info.element.to_string(),
            });
        }
    })
}
