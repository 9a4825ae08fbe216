//! Tables as text: a row is an example, a column a feature, one column the labels.

use crate::InputContract;
use crate::file::InputFile;
use crate::visit::block_rows;
use crate::{DataError, ImageSet, ImageShape, Limits, Part, SplitName, Splits, Values, Visitor};
use ::csv::{Position, Reader, ReaderBuilder, StringRecord};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Names that a column of labels usually has.
const LABELS: [&str; 5] = ["label", "class", "target", "y", "species"];

/// Reads a table of numbers with a column of labels; all of it is to train on.
///
/// Columns are separated by commas, semicolons or tabs, as in the first line. That line is a header
/// when no field of it is a number, or one is a name that labels usually have, or `label`. The
/// labels are in the column `label`, by its name or its number from 1; without it in the first called
/// `label`, `class`, `target`, `y` or `species`; else in the last. Integers from 0 are class
/// indices; other labels are names of classes, which are sorted.
///
/// # Shapes
/// (m, 1, n, 1): a row of n features is an image of one row.
/// # Errors
/// [`DataError::File`] with line and column of what is no number, is missing, or too much;
/// [`DataError::Limit`].
pub fn load(path: &Path, label: Option<&str>, limits: &Limits) -> Result<Splits, DataError> {
    let mut table = Table::open(path, label, limits)?;
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    table.rows(&mut labels, |table, row, label_bytes| {
        features.extend_from_slice(row);
        // A feature is kept as a number and as a byte to show it by.
        let bytes = (5 * features.len() + label_bytes) as u64;
        if bytes > limits.max_bytes { Err(table.too_large(bytes)) } else { Ok(()) }
    })?;
    let (labels, classes) = table.classes(&labels)?;
    let set = ImageSet::from_floats(features, table.shape(), labels, classes);
    let train = Some(set.map_err(|error| error.in_file(path))?);
    Ok(Splits { train, train_path: Some(path.into()), ..Splits::default() })
}

/// Passes the rows of [`load`] on, some at a time; and gives the classes.
///
/// The table is read twice: which number a class has is known when all have been seen.
pub(crate) fn visit(
    path: &Path,
    label: Option<&str>,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> Result<Vec<String>, DataError> {
    let mut table = Table::open(path, label, limits)?;
    let mut labels = Vec::new();
    table.rows(&mut labels, |table, _, label_bytes| {
        let bytes = label_bytes as u64;
        if bytes > limits.max_bytes { Err(table.too_large(bytes)) } else { Ok(()) }
    })?;
    let (indices, classes) = table.classes(&labels)?;
    drop(labels);
    let labels = indices;
    let shape = table.shape();
    let part = Part { split: SplitName::Train, shape, n: labels.len(), contract: None };
    if !visitor.begin(part)? {
        return Ok(classes);
    }
    let at_once = block_rows(shape.width * size_of::<f32>());
    let mut blocks = labels.chunks(at_once);
    let mut features = Vec::new();
    Table::open(path, label, limits)?.rows(&mut Vec::new(), |_, row, _| {
        features.extend_from_slice(row);
        let n = features.len() / shape.width;
        if n == at_once
            && let Some(labels) = blocks.next()
        {
            visitor.examples(Values::Floats(&features), labels)?;
            features.clear();
        }
        Ok(())
    })?;
    if let Some(labels) = blocks.next() {
        if labels.len() * shape.width != features.len() {
            let error = std::io::Error::other("it was written to meanwhile");
            return Err(crate::file::io(path, "read")(error));
        }
        visitor.examples(Values::Floats(&features), labels)?;
    }
    Ok(classes)
}

/// An open table.
struct Table {
    path: PathBuf,
    reader: Reader<Narrow>,
    limits: Limits,
    header: Option<StringRecord>,
    n_columns: usize,
    label_column: usize,
    /// The first row, when there is no header; else empty.
    first: StringRecord,
}

/// A label and the line that it is in.
struct Label {
    text: String,
    line: u64,
}

impl Table {
    fn open(path: &Path, label: Option<&str>, limits: &Limits) -> Result<Self, DataError> {
        let mut input = InputFile::open(path)?;
        let head = input.head()?;
        let too_large = input.n_bytes > limits.max_bytes;
        let n_bytes = input.n_bytes;
        let delimiter = delimiter(&head);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .from_reader(Narrow { file: input.file, delimiter, place: Place::Start, n_fields: 0 });
        let mut table = Self {
            path: path.into(),
            reader,
            limits: *limits,
            header: None,
            n_columns: 0,
            label_column: 0,
            first: StringRecord::new(),
        };
        // A line without end would be read as a whole.
        if too_large {
            return Err(table.too_large(n_bytes));
        }
        let mut first = StringRecord::new();
        table.next(&mut first)?;
        table.n_columns = first.len();
        if !(2..=InputContract::MAX_SIDE as usize + 1).contains(&first.len()) {
            let expected = format!(
                "a column of labels and 1 to {} of numbers, separated by commas, semicolons or tabs",
                InputContract::MAX_SIDE
            );
            let columns = if first.len() == 1 { "1 column" } else { "columns" };
            let start: String = first.iter().next().unwrap_or_default().chars().take(60).collect();
            let n = if first.len() == 1 { String::new() } else { format!("{} ", first.len()) };
            let got = format!("{n}{columns}, beginning with {start:?}");
            return Err(table.refuse("columns".into(), expected, got));
        }
        // `y` may be a class, of two called `y` and `n`.
        let names_labels = |field: &str| {
            label.is_some_and(|label| field.eq_ignore_ascii_case(label))
                || LABELS.iter().any(|name| *name != "y" && field.eq_ignore_ascii_case(name))
        };
        let is_header = first.iter().all(|field| number(field).is_none())
            || first.iter().any(|field| names_labels(field.trim()));
        if is_header {
            table.header = Some(first);
        } else {
            table.first = first;
        }
        table.label_column = table.find_labels(label)?;
        Ok(table)
    }

    /// Which column holds the labels.
    fn find_labels(&self, label: Option<&str>) -> Result<usize, DataError> {
        let called = |name: &str| {
            let header = self.header.as_ref()?;
            header.iter().position(|field| field.trim().eq_ignore_ascii_case(name))
        };
        let Some(label) = label else {
            let usual = LABELS.iter().find_map(|name| called(name));
            return Ok(usual.unwrap_or(self.n_columns - 1));
        };
        let numbered = || label.parse().ok().filter(|n| (1..=self.n_columns).contains(n));
        called(label).or_else(|| numbered().map(|n| n - 1)).ok_or_else(|| {
            let got = match &self.header {
                None => "a table without a header".into(),
                Some(header) => {
                    let shown: Vec<&str> = header.iter().take(12).collect();
                    let more = if header.len() > shown.len() { " …" } else { "" };
                    format!("{}{more}", shown.join(", "))
                }
            };
            let expected =
                format!("one called {label:?}, or a number from 1 to {}", self.n_columns);
            self.refuse("columns".into(), expected, got)
        })
    }

    /// Reads the next row; `false` at the end.
    fn next(&mut self, record: &mut StringRecord) -> Result<bool, DataError> {
        use ::csv::ErrorKind;
        self.reader.read_record(record).map_err(|error| {
            let line = error.position().map_or(0, Position::line);
            match error.into_kind() {
                ErrorKind::Io(source) => {
                    DataError::Io { path: self.path.clone(), operation: "read", source }
                }
                ErrorKind::UnequalLengths { expected_len, len, .. } => self.refuse(
                    format!("line {line}"),
                    format!("{expected_len} columns, as in the first line"),
                    len.to_string(),
                ),
                ErrorKind::Utf8 { err, .. } => self.refuse(
                    format!("line {line}, column {}", err.field() + 1),
                    "text in UTF-8".into(),
                    "other bytes".into(),
                ),
                _ => self.refuse(format!("line {line}"), "a row".into(), "none".into()),
            }
        })
    }

    /// Reads all rows: the numbers of each are given to `take`, with the bytes that the labels so far
    /// take, which are kept.
    fn rows(
        &mut self,
        labels: &mut Vec<Label>,
        mut take: impl FnMut(&Self, &[f32], usize) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut text_bytes = 0;
        let mut record = std::mem::take(&mut self.first);
        let mut there = !record.is_empty();
        let mut features = Vec::new();
        while there || self.next(&mut record)? {
            there = false;
            features.clear();
            self.row(&record, &mut features, labels)?;
            text_bytes += labels.last().map_or(0, |label| label.text.len());
            take(self, &features, size_of::<Label>() * labels.len() + text_bytes)?;
        }
        if labels.is_empty() {
            return Err(self.refuse("rows".into(), "at least one".into(), "none".into()));
        }
        Ok(())
    }

    /// A row as an image.
    fn shape(&self) -> ImageShape {
        ImageShape { height: 1, width: self.n_columns - 1, channels: 1 }
    }

    fn row(
        &self,
        record: &StringRecord,
        features: &mut Vec<f32>,
        labels: &mut Vec<Label>,
    ) -> Result<(), DataError> {
        let line = record.position().map_or(0, Position::line);
        for (column, field) in record.iter().enumerate() {
            if column == self.label_column {
                labels.push(Label { text: field.trim().into(), line });
                continue;
            }
            let Some(value) = number(field) else {
                let got = if field.trim().is_empty() { "nothing".into() } else { quoted(field) };
                return Err(self.refuse(self.place(line, column), "a number".into(), got));
            };
            features.push(value);
        }
        Ok(())
    }

    /// Class indices and names of the classes.
    fn classes(&self, labels: &[Label]) -> Result<(Vec<u32>, Vec<String>), DataError> {
        let refuse = |label: &Label, expected: String| {
            self.refuse(self.place(label.line, self.label_column), expected, quoted(&label.text))
        };
        let integers: Option<Vec<u64>> = labels.iter().map(|label| integer(&label.text)).collect();
        if let Some(integers) = integers {
            let max = u64::from(self.limits.max_classes);
            if let Some(i) = integers.iter().position(|&label| label >= max) {
                return Err(refuse(&labels[i], format!("a class index below {max}")));
            }
            let n_classes = integers.iter().max().map_or(0, |max| max + 1).max(2);
            let classes = (0..n_classes).map(|class| class.to_string()).collect();
            return Ok((integers.into_iter().map(|label| label as u32).collect(), classes));
        }
        let mut names = BTreeSet::new();
        for label in labels {
            let is_fraction = number(&label.text).is_some_and(|value| value.fract() != 0.0);
            if label.text.is_empty() || is_fraction {
                return Err(refuse(label, "a class: its name, or an integer".into()));
            }
            names.insert(label.text.as_str());
            if names.len() > self.limits.max_classes as usize {
                return Err(refuse(label, format!("{} classes at most", self.limits.max_classes)));
            }
        }
        let names: Vec<String> = names.into_iter().map(String::from).collect();
        let index = |label: &Label| names.binary_search(&label.text).map_or(0, |i| i as u32);
        let labels: Vec<u32> = labels.iter().map(index).collect();
        if let [name] = &names[..] {
            let (what, expected) = ("classes".into(), "2 at least".into());
            return Err(self.refuse(what, expected, format!("only {name:?}")));
        }
        Ok((labels, names))
    }

    fn place(&self, line: u64, column: usize) -> String {
        let name = self.header.as_ref().and_then(|header| header.get(column));
        let name = name.map_or(String::new(), |name| format!(" ({})", name.trim()));
        format!("line {line}, column {}{name}", column + 1)
    }

    fn refuse(&self, what: String, expected: String, got: String) -> DataError {
        DataError::File { path: self.path.clone(), what, expected, got }
    }

    fn too_large(&self, bytes: u64) -> DataError {
        DataError::Limit {
            path: self.path.clone(),
            what: "the table".into(),
            bytes: Some(bytes),
            limit: self.limits.max_bytes,
        }
    }
}

/// A file that ends in an error where a row has more fields than one can have: the end of each
/// takes eight times the memory that a comma takes in the file.
struct Narrow {
    file: File,
    delimiter: u8,
    place: Place,
    n_fields: usize,
}

/// Where in a field a byte stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Within,
    Quoted,
    /// After a quote that ends the field, or is the first of two that mean one.
    AfterQuote,
}

impl Narrow {
    /// More than a table can have, so that it is told how many there are where it is not many more.
    const MAX_FIELDS: usize = 1 << 14;
}

impl Read for Narrow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        for &byte in &buffer[..n] {
            self.place = match (self.place, byte) {
                (Place::Quoted, b'"') => Place::AfterQuote,
                (Place::Quoted, _) | (Place::Start | Place::AfterQuote, b'"') => Place::Quoted,
                (_, b'\n' | b'\r') => {
                    self.n_fields = 0;
                    Place::Start
                }
                (_, byte) if byte == self.delimiter => {
                    self.n_fields += 1;
                    Place::Start
                }
                _ => Place::Within,
            };
            if self.n_fields > Self::MAX_FIELDS {
                let text = format!("a row of more than {} columns", Self::MAX_FIELDS);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(n)
    }
}

/// A field that is a finite number.
fn number(field: &str) -> Option<f32> {
    field.trim().parse().ok().filter(|value: &f32| value.is_finite())
}

/// A label that is a class index; some tables have them as `1.0`.
fn integer(text: &str) -> Option<u64> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

/// A field as a message shows it.
fn quoted(field: &str) -> String {
    format!("{:?}", field.trim().chars().take(40).collect::<String>())
}

/// What separates the columns of the first line; a comma when nothing does.
fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| *byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    let count = |delimiter: u8| line.split(|byte| *byte == delimiter).count();
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}
