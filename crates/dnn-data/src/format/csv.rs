//! Tables as text: a row is an example, a column a feature, one column the labels.

use super::found::Found;
use super::options::{AboutFormat, Format, Options, Visited};
use crate::Shown;
use crate::classes::{self, Labels};
use crate::content::Text;
use crate::file::InputFile;
use crate::visit::block_rows;
use crate::{
    Batch, DataError, ImageShape, InputContract, Limits, Number, SplitInfo, SplitName, Values,
    Visitor,
};
use ::csv::{Position, Reader, ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Names that a column of labels usually has, in the order in which they are looked for.
const LABELS: [&str; 5] = ["label", "class", "target", "y", "species"];

/// Reads a table of numbers with a column of labels; all of it is to train on.
///
/// Columns are separated by commas, semicolons or tabs, as in the first line. That line is a header
/// when no field of it is a number, or when it is not of the same kinds as the second one. The labels
/// are in the column that is asked for, by its number from 1 or its name; without, in the first
/// called `label`, `class`, `target`, `y` or `species`; else in the last, or the first when only that
/// one can be one. Integers from 0 are class indices; other labels are names of classes, which are
/// sorted.
///
/// # Shapes
/// (m, 1, n, 1): a row of n features is an image of one row.
pub(super) struct Csv;

impl Format for Csv {
    fn about(&self) -> &AboutFormat {
        const NAME: &str = "a table (CSV)";
        &AboutFormat { name: NAME, in_files: Some(NAME), has_columns: true, ..AboutFormat::PLAIN }
    }
    fn detect(&self, found: &Found) -> Result<bool, DataError> {
        let is_text = |head: &[u8]| matches!(Text::of(head), Some(Text::Other(_)));
        Ok(found.file().is_some_and(|file| file.begins(is_text)))
    }
    /// The table is read twice, the labels first: the index of a class is known only when the labels
    /// of all rows have been read, and to keep the features until then would take the memory of all of
    /// them.
    fn visit(
        &self,
        path: &Path,
        options: &Options,
        visitor: &mut dyn Visitor,
    ) -> Result<Visited, DataError> {
        let (label, limits) = (options.label.as_deref(), &options.limits);
        let mut table = Table::open(path, label, limits)?;
        let mut labels = Vec::new();
        table.rows(None, |table, _, label| {
            labels.push(label);
            let words: usize = labels.last().map_or(0, |label: &Label| label.text.len());
            table.label_bytes += words + size_of::<Label>();
            let bytes = table.label_bytes as u64;
            if bytes > limits.max_bytes { Err(table.too_large(bytes)) } else { Ok(()) }
        })?;
        let (indices, classes) = table.classes(labels)?;
        let shape = table.shape();
        let part = SplitInfo {
            split: SplitName::Train,
            shape,
            n: indices.len(),
            number: Number::F64,
            contract: None,
            path: Some(path.into()),
        };
        let notes = vec![table.decided()];
        if !visitor.begin(part)? {
            return Ok(Visited { classes, notes, ..Visited::default() });
        }
        let at_once = block_rows(shape.width * size_of::<f64>());
        let mut blocks = indices.chunks(at_once);
        let mut features = Vec::new();
        let mut row = Vec::new();
        Table::open(path, label, limits)?.rows(Some(&mut row), |_, row, _| {
            features.extend_from_slice(row);
            let n = features.len() / shape.width;
            if n == at_once
                && let Some(labels) = blocks.next()
            {
                let values = Values::F64(&features);
                visitor.examples(Batch { values, labels, files: &[] })?;
                features.clear();
            }
            Ok(())
        })?;
        if let Some(labels) = blocks.next() {
            if labels.len() * shape.width != features.len() {
                let error = std::io::Error::other("it was written to meanwhile");
                return Err(crate::file::io(path, "read")(error));
            }
            let values = Values::F64(&features);
            visitor.examples(Batch { values, labels, files: &[] })?;
        }
        Ok(Visited { classes, notes, ..Visited::default() })
    }
}

/// An open table, with what was decided about its header and its column of labels.
struct Table {
    path: PathBuf,
    reader: Reader<Narrow>,
    limits: Limits,
    header: Option<StringRecord>,
    n_columns: usize,
    label_column: usize,
    /// Why this column was taken for the labels.
    because: &'static str,
    /// Rows that were read to find out whether there is a header; the next one is last.
    ahead: Vec<StringRecord>,
    /// Bytes that the labels read so far take.
    label_bytes: usize,
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
        // More than a table can have, so that it is told how many there are where it is not many more.
        let most = InputContract::MAX_COLUMNS as usize + (1 << 10);
        let max_fields =
            usize::try_from(limits.max_bytes / 64).unwrap_or(most).clamp(1 << 14, most);
        let (file, place) = (input.file, Place::Start);
        let narrow = Narrow { file, delimiter, place, n_fields: 0, max_fields };
        let reader =
            ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(narrow);
        let mut table = Self {
            path: path.into(),
            reader,
            limits: *limits,
            header: None,
            n_columns: 0,
            label_column: 0,
            because: "",
            ahead: Vec::new(),
            label_bytes: 0,
        };
        // A line without end would be read as a whole.
        if too_large {
            return Err(table.too_large(n_bytes));
        }
        let mut first = StringRecord::new();
        table.next(&mut first)?;
        table.n_columns = first.len();
        let max = InputContract::MAX_COLUMNS as usize;
        if !(2..=max + 1).contains(&first.len()) {
            let expected = format!(
                "a column of labels and 1 to {max} of numbers, separated by commas, semicolons or tabs"
            );
            let columns = if first.len() == 1 { "1 column" } else { "columns" };
            let start: String = first.iter().next().unwrap_or_default().chars().take(60).collect();
            let n = if first.len() == 1 { String::new() } else { format!("{} ", first.len()) };
            let got = format!("{n}{columns}, beginning with {start:?}");
            return Err(table.refuse("columns".into(), expected, got));
        }
        let mut second = StringRecord::new();
        let has_second = table.next(&mut second)?;
        if is_header(&first, has_second.then_some(&second), label) {
            table.header = Some(first);
        } else {
            table.ahead.push(first);
        }
        if has_second {
            table.ahead.insert(0, second);
        }
        table.find_labels(label)?;
        Ok(table)
    }

    /// Returns what was decided about the table, in a sentence.
    fn decided(&self) -> String {
        let name = self.header.as_ref().and_then(|header| header.get(self.label_column));
        let name = name.map_or(String::new(), |name| format!(" ({})", name.trim()));
        let header = if self.header.is_some() { "a header" } else { "no header" };
        format!(
            "{}: {header}, {} columns, labels in column {}{name}: {}",
            self.path.shown(),
            self.n_columns,
            self.label_column + 1,
            self.because
        )
    }

    /// Decides which column holds the labels.
    fn find_labels(&mut self, label: Option<&str>) -> Result<(), DataError> {
        let called = |name: &str| {
            let header = self.header.as_ref()?;
            header.iter().position(|field| field.trim().eq_ignore_ascii_case(name))
        };
        let last = self.n_columns - 1;
        let Some(label) = label else {
            let usual = LABELS.iter().find_map(|name| called(name));
            // As in mnist_train.csv: a class index first, then bytes of pixels.
            let label_first = || {
                let is_index = |field: &str| integer(field).is_some_and(|label| label < 1000);
                let row = self.ahead.last()?;
                let header = self.header.as_ref();
                (header.is_none()
                    && self.n_columns > 100
                    && row.iter().all(is_index)
                    && self.ahead.iter().any(|row| row.get(0) != Some("0"))
                    && self.ahead.iter().all(|row| row.get(last) == Some("0")))
                .then_some(0)
            };
            (self.label_column, self.because) = match (usual, label_first()) {
                (Some(column), _) => (column, "its name is a usual one"),
                (None, Some(column)) => (
                    column,
                    "the last one is empty, as the last pixel of a digit (--label chooses)",
                ),
                (None, None) => (last, "the last one (--label chooses)"),
            };
            return Ok(());
        };
        // A number is a position, whatever the columns are called.
        let numbered = label.parse::<usize>().ok();
        let found = match numbered {
            Some(n) => (1..=self.n_columns).contains(&n).then(|| n - 1),
            None => called(label),
        };
        let Some(column) = found else {
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
            return Err(self.refuse("columns".into(), expected, got));
        };
        (self.label_column, self.because) = (column, "as asked");
        Ok(())
    }

    /// Reads the next row, and returns `false` at the end.
    fn next(&mut self, record: &mut StringRecord) -> Result<bool, DataError> {
        use ::csv::ErrorKind;
        if let Some(ahead) = self.ahead.pop() {
            *record = ahead;
            return Ok(true);
        }
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

    /// Calls `take` with each row: its numbers, when `room` for them is given, and its label.
    fn rows(
        &mut self,
        mut room: Option<&mut Vec<f64>>,
        mut take: impl FnMut(&mut Self, &[f64], Label) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut record = StringRecord::new();
        let mut any = false;
        while self.next(&mut record)? {
            any = true;
            let line = record.position().map_or(0, Position::line);
            let mut label = Label { text: String::new(), line };
            if let Some(features) = room.as_deref_mut() {
                features.clear();
            }
            for (column, field) in record.iter().enumerate() {
                if column == self.label_column {
                    label.text = field.trim().into();
                } else if let Some(features) = room.as_deref_mut() {
                    features.push(self.number(line, column, field)?);
                }
            }
            take(self, room.as_deref().map_or(&[], Vec::as_slice), label)?;
        }
        if any {
            Ok(())
        } else {
            Err(self.refuse("rows".into(), "at least one".into(), "none".into()))
        }
    }

    fn number(&self, line: u64, column: usize, field: &str) -> Result<f64, DataError> {
        number(field).ok_or_else(|| {
            let got = if field.trim().is_empty() { "nothing".into() } else { quoted(field) };
            self.refuse(self.place(line, column), "a number".into(), got)
        })
    }

    /// Returns the shape of a row as an image.
    fn shape(&self) -> ImageShape {
        ImageShape { height: 1, width: self.n_columns - 1, channels: 1 }
    }

    /// Returns the class indices of the rows and the names of the classes.
    fn classes(&self, labels: Vec<Label>) -> Result<(Vec<u32>, Vec<String>), DataError> {
        let refuse = |line: u64, expected: String, got: String| {
            self.refuse(self.place(line, self.label_column), expected, got)
        };
        let integers: Option<Vec<u64>> = labels.iter().map(|label| integer(&label.text)).collect();
        let lines: Vec<u64> = labels.iter().map(|label| label.line).collect();
        let max = u64::from(self.limits.max_classes);
        let labels = if let Some(integers) = integers {
            if let Some(i) = integers.iter().position(|&label| label >= max) {
                let expected = format!("a class index below {max}");
                return Err(refuse(lines[i], expected, quoted(&labels[i].text)));
            }
            Labels::Indices(integers.into_iter().map(|label| label as u32).collect())
        } else {
            for label in &labels {
                let is_fraction = number(&label.text).is_some_and(|value| value.fract() != 0.0);
                if label.text.is_empty() || is_fraction {
                    let expected = "a class: its name, or an integer".into();
                    return Err(refuse(label.line, expected, quoted(&label.text)));
                }
            }
            Labels::Names(labels.into_iter().map(|label| label.text).collect())
        };
        let (mut indices, classes) = classes::resolve(vec![labels], None, self.limits.max_classes)
            .map_err(|bad| refuse(lines[bad.index], bad.expected, bad.got))?;
        if let [name] = &classes[..] {
            let (what, expected) = ("classes".into(), "2 at least".into());
            return Err(self.refuse(what, expected, format!("only {name:?}")));
        }
        Ok((indices.pop().unwrap_or_default(), classes))
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

/// A reader that fails when a row has more fields than a table can have: the reader of the table
/// keeps eight bytes for each field, so that a file of commas would take eight times its length in
/// memory.
struct Narrow {
    file: File,
    delimiter: u8,
    place: Place,
    n_fields: usize,
    max_fields: usize,
}

/// The position within a field.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Within,
    Quoted,
    /// After a quote that ends the field, or is the first of two that mean one.
    AfterQuote,
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
            if self.n_fields > self.max_fields {
                let text = format!("a row of more than {} columns", self.max_fields);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(n)
    }
}

/// Returns whether the first line of a table is a header: when none of its fields is a number, when
/// one of them is a usual name of labels or the one that was asked for, or when a field is no
/// number although the one below it is.
fn is_header(first: &StringRecord, second: Option<&StringRecord>, label: Option<&str>) -> bool {
    let is_word = |field: &str| number(field).is_none() && !field.trim().is_empty();
    // `y` may be a class, of two called `y` and `n`.
    let names_labels = |field: &str| {
        let asked = label.filter(|label| label.parse::<usize>().is_err());
        asked.is_some_and(|label| field.eq_ignore_ascii_case(label))
            || LABELS.iter().any(|name| *name != "y" && field.eq_ignore_ascii_case(name))
    };
    first.iter().all(|field| number(field).is_none())
        || first.iter().any(|field| names_labels(field.trim()))
        || second.is_some_and(|second| {
            first.iter().zip(second).any(|(name, below)| is_word(name) && number(below).is_some())
        })
}

/// Returns the number of a field, when it is a finite one.
fn number(field: &str) -> Option<f64> {
    field.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

/// Returns the class index that a label is; some tables write it as `1.0`.
fn integer(text: &str) -> Option<u64> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

/// Returns a field as messages show it: in quotes, and cut after 40 characters.
fn quoted(field: &str) -> String {
    format!("{:?}", field.trim().chars().take(40).collect::<String>())
}

/// Returns the character that separates the columns of the first line; a comma when none does.
pub(super) fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| *byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    let count = |delimiter: u8| line.split(|byte| *byte == delimiter).count();
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}
