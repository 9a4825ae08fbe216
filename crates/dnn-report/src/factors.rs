//! Tables of the causes that each image has.

use dnn_data::{ImageSet, Shown, SplitName};
use std::collections::HashMap;
use std::io::Read;

/// Why a table of causes cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactorsError {
    /// The file is no table.
    #[error("not a table of causes")]
    Csv(#[from] csv::Error),
    /// The header names no image, or no cause.
    #[error(
        "the header is `{got}`: expected `set,index` or `file`, and a column for each cause, for \
         example set,index,pose,background"
    )]
    Header {
        /// The header.
        got: String,
    },
    /// A cell has a value that its column cannot hold.
    #[error("line {line}: `{column}` is `{got}`, expected {expected}")]
    Cell {
        /// Line of the file, from 1.
        line: u64,
        /// The column.
        column: String,
        /// The values that are allowed.
        expected: &'static str,
        /// The value of the cell.
        got: String,
    },
    /// An image is named twice.
    #[error("line {line}: the image of line {first} again")]
    Twice {
        /// Line of the file, from 1.
        line: u64,
        /// Line of the first row of the image.
        first: u64,
    },
    /// A column has one value only, so that there is nothing to compare.
    #[error("the column `{column}` has no row with {missing}: nothing to compare")]
    OneValue {
        /// The column.
        column: String,
        /// The value that is missing, 0 or 1.
        missing: u8,
    },
    /// An image is not in the data.
    #[error("line {line}: {image} is not in the data, {there}")]
    Unknown {
        /// Line of the file, from 1.
        line: u64,
        /// The name of the image in the table.
        image: String,
        /// The images that there are, in words.
        there: String,
    },
}

/// How a table names an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// By its place in a split; in the one that is judged when none is named.
    Index(Option<SplitName>, usize),
    /// By its file's name, or the end of its path.
    File(String),
}

/// A table of causes: a row an image, a column a cause, 1 where it is there, 0 where not, 0.5 where
/// that is not sure.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorTable {
    names: Vec<String>,
    rows: Vec<(u64, Key, Vec<Option<bool>>)>,
}

impl FactorTable {
    /// Reads a CSV table with the columns `set` (or none), `index`, or `file` (or `name`), and a column
    /// for each cause.
    ///
    /// # Errors
    /// [`FactorsError`], with the line.
    pub fn read(file: impl Read) -> Result<Self, FactorsError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let header = reader.headers()?.clone();
        let place = |names: &[&str]| header.iter().position(|column| names.contains(&column));
        let (set, index, file) = (place(&["set"]), place(&["index"]), place(&["file", "name"]));
        let causes: Vec<usize> =
            (0..header.len()).filter(|i| ![set, index, file].contains(&Some(*i))).collect();
        if (index.is_none() && file.is_none()) || causes.is_empty() {
            return Err(FactorsError::Header { got: header.iter().collect::<Vec<_>>().join(",") });
        }
        let names: Vec<String> = causes.iter().map(|&i| header[i].to_owned()).collect();
        let mut rows = Vec::new();
        let mut lines = HashMap::new();
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |i: usize, expected| FactorsError::Cell {
                line,
                column: header[i].to_owned(),
                expected,
                got: record[i].to_owned(),
            };
            let split = |i: usize| match &record[i] {
                "train" => Ok(SplitName::Train),
                "validation" => Ok(SplitName::Validation),
                "test" => Ok(SplitName::Test),
                _ => Err(cell(i, "train, validation or test")),
            };
            let key = match (index, file) {
                (Some(i), _) => {
                    let index = record[i].parse().map_err(|_| cell(i, "an index from 0"))?;
                    Key::Index(set.map(split).transpose()?, index)
                }
                (None, Some(i)) => Key::File(record[i].to_owned()),
                (None, None) => unreachable!("the header was checked"),
            };
            if let Some(first) = lines.insert(key.clone(), line) {
                return Err(FactorsError::Twice { line, first });
            }
            let values = causes.iter().map(|&i| match record[i].parse() {
                Ok(0.0) => Ok(Some(false)),
                Ok(1.0) => Ok(Some(true)),
                Ok(0.5) => Ok(None),
                _ => Err(cell(i, "0, 1, or 0.5 for unsure")),
            });
            rows.push((line, key, values.collect::<Result<_, _>>()?));
        }
        for (i, name) in names.iter().enumerate() {
            for (value, missing) in [(false, 0), (true, 1)] {
                let has = |(_, _, values): &(_, _, Vec<_>)| values[i] == Some(value);
                if !rows.iter().any(has) {
                    return Err(FactorsError::OneValue { column: name.clone(), missing });
                }
            }
        }
        Ok(Self { names, rows })
    }

    /// Returns the names of the causes, in the order of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the causes of each image of each split, `None` for images without a row. Rows count images as
    /// they were read: those of images that were left out say nothing.
    ///
    /// # Errors
    /// [`FactorsError::Unknown`] for a row whose image is in none of the splits.
    #[expect(clippy::type_complexity, reason = "a type of its own would hide what it is")]
    pub fn of_images(
        &self,
        splits: &[(SplitName, &ImageSet)],
        judged: SplitName,
    ) -> Result<Vec<Vec<Option<&[Option<bool>]>>>, FactorsError> {
        let mut found: Vec<_> =
            splits.iter().map(|(_, images)| vec![None::<&[Option<bool>]>; images.len()]).collect();
        for (line, key, values) in &self.rows {
            let place = match key {
                Key::Index(split, index) => {
                    let name = split.unwrap_or(judged);
                    let split = splits.iter().position(|(other, _)| *other == name);
                    let split = split.filter(|&split| *index < splits[split].1.n_read());
                    match split.map(|split| (split, splits[split].1.index_of(*index))) {
                        // The image was left out.
                        Some((_, None)) => continue,
                        Some((split, Some(index))) => Some((split, index)),
                        None => None,
                    }
                }
                Key::File(file) => splits.iter().enumerate().find_map(|(split, (_, images))| {
                    let is_it = |path: &std::path::PathBuf| path.ends_with(file);
                    Some((split, images.files().iter().position(is_it)?))
                }),
            };
            let Some((split, index)) = place else {
                let there: Vec<_> = (splits.iter())
                    .map(|(name, images)| format!("{} {name} images", images.len()))
                    .collect();
                return Err(FactorsError::Unknown {
                    line: *line,
                    image: match key {
                        Key::Index(split, index) => {
                            format!("{} image {index}", split.unwrap_or(judged))
                        }
                        Key::File(file) => file.shown().to_string(),
                    },
                    there: format!("which has {}", there.join(", ")),
                });
            };
            found[split][index] = Some(values);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_data::ImageShape;

    fn images(n: usize) -> ImageSet {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let classes = vec!["a".into(), "b".into()];
        ImageSet::new(vec![0; n], shape, vec![0; n], classes).unwrap()
    }

    fn error(text: &str) -> String {
        FactorTable::read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn rows_find_their_images_and_half_is_unsure() {
        let text = "set,index,pose,scale\ntest,2,1,0\ntest,0,0.5,1\ntrain,1,0,0\n";
        let table = FactorTable::read(text.as_bytes()).unwrap();
        assert_eq!(table.names(), ["pose", "scale"]);
        let (train, test) = (images(2), images(3));
        let splits = [(SplitName::Train, &train), (SplitName::Test, &test)];
        let found = table.of_images(&splits, SplitName::Test).unwrap();
        assert_eq!(found[0], [None, Some(&[Some(false), Some(false)][..])]);
        assert_eq!(found[1][0], Some(&[None, Some(true)][..]));
        assert_eq!((found[1][1], found[1][2].unwrap()[0]), (None, Some(true)));
        let few = images(2);
        // Rows count the images that were read.
        assert_eq!((few.number(1), few.n_read(), few.index_of(2)), (1, 2, None));
        let unknown = table.of_images(&[(SplitName::Test, &few)], SplitName::Test).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "line 2: test image 2 is not in the data, which has 2 test images"
        );
    }

    #[test]
    fn each_fault_is_named() {
        for (text, expected) in [
            ("pose\n1\n", "the header is `pose`: expected `set,index` or `file`"),
            ("set,index\ntest,1\n", "the header is `set,index`"),
            ("index,pose\n1,1\n2,1\n", "the column `pose` has no row with 0: nothing to compare"),
            ("index,pose\n1,0.7\n", "line 2: `pose` is `0.7`, expected 0, 1, or 0.5 for unsure"),
            ("set,index,pose\nother,1,1\n", "line 2: `set` is `other`, expected train, validation"),
            ("index,pose\n1,1\n1,0\n", "line 3: the image of line 2 again"),
            ("index,pose\n-1,1\n", "line 2: `index` is `-1`, expected an index from 0"),
        ] {
            assert!(error(text).starts_with(expected), "{}", error(text));
        }
    }
}
