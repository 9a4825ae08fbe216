//! Labelled images as an HDF5 file in the course's schema, with numbers beside each image.

use super::backend::Element;
use super::file::OpenFile;
use super::writer::{Contents, Writer, check_factors};
use super::{Hdf5Error, Options};
use crate::{DataError, Split, SplitName, Splits};
use std::path::Path;

/// gzip's own default: higher levels take much longer for a few percent.
pub(crate) const DEFLATE_LEVEL: u32 = 6;

/// Numbers that belong to the images of each split: how they were made, what is known of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Factors {
    /// Of the training images.
    pub train: Vec<Factor>,
    /// Of the images to judge by while training.
    pub validation: Vec<Factor>,
    /// Of the test images.
    pub test: Vec<Factor>,
}

impl Factors {
    /// Those of a split.
    pub fn of(&self, split: SplitName) -> &[Factor] {
        match split {
            SplitName::Train | SplitName::Unsplit => &self.train,
            SplitName::Validation => &self.validation,
            SplitName::Test => &self.test,
        }
    }

    /// Those of a split, to be changed.
    pub fn of_mut(&mut self, split: SplitName) -> &mut Vec<Factor> {
        match split {
            SplitName::Train | SplitName::Unsplit => &mut self.train,
            SplitName::Validation => &mut self.validation,
            SplitName::Test => &mut self.test,
        }
    }
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

/// Writes the sets to one file in the course's schema; replaces the file as a whole or not at all.
///
/// The file is that of a [`Writer`].
///
/// # Errors
/// [`DataError::Mismatch`] when the sets do not belong together, [`DataError::Hdf5`] when a factor
/// does not belong to its images or the file cannot be written.
pub fn write_splits(path: &Path, splits: &Splits, factors: &Factors) -> Result<(), DataError> {
    splits.check()?;
    for split in SplitName::ALL {
        check_factors(
            path,
            split,
            splits.get(split).map_or(0, |set| set.len()),
            factors.of(split),
        )?;
    }
    let mut writer = Writer::create(path, DEFLATE_LEVEL)?;
    let mut contents = Contents { factors: factors.clone(), ..Contents::default() };
    for Split { name, images, .. } in splits.iter() {
        images.visit(*name, &mut writer)?;
        contents.classes = images.classes().to_vec();
    }
    writer.finish(&contents)
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
    Ok(Factors {
        train: read("train_factors/")?,
        validation: read("validation_factors/")?,
        test: read("test_factors/")?,
    })
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
