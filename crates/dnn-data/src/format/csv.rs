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
use std::collections::HashMap;
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
        let mut table = Table::open(path, options)?;
        let mut n = 0;
        let mut labels = SeenLabels::default();
        table.rows(None, |table, _, label| {
            n += 1;
            if table.label_column.is_none() {
                return Ok(());
            }
            labels.push(label);
            let bytes = labels.n_bytes as u64;
            if bytes > options.limits.max_bytes { Err(table.too_large(bytes)) } else { Ok(()) }
        })?;
        let (indices, classes) = match table.label_column {
            Some(_) => table.classes(labels)?,
            None => Default::default(),
        };
        let shape = table.shape();
        let part = SplitInfo {
            split: SplitName::Train,
            shape,
            n,
            number: Number::F64,
            contract: None,
            path: Some(path.into()),
        };
        let notes = vec![table.decided()];
        if !visitor.begin(part)? {
            return Ok(Visited { classes, notes, ..Visited::default() });
        }
        let at_once = block_rows(shape.width * size_of::<f64>());
        let mut features = Vec::new();
        let mut row = Vec::new();
        let mut n_done = 0;
        let mut pass_on = |features: &mut Vec<f64>| {
            let from = n_done;
            n_done += features.len() / shape.width;
            if n_done > n {
                let error = std::io::Error::other("it was written to meanwhile");
                return Err(crate::file::io(path, "read")(error));
            }
            let labels = indices.get(from..n_done).unwrap_or_default();
            visitor.examples(Batch { values: Values::F64(features), labels, files: &[] })?;
            features.clear();
            Ok(())
        };
        Table::open(path, options)?.rows(Some(&mut row), |_, row, _| {
            features.extend_from_slice(row);
            if features.len() == at_once * shape.width { pass_on(&mut features) } else { Ok(()) }
        })?;
        if !features.is_empty() {
            pass_on(&mut features)?;
        }
        if n_done < n {
            let error = std::io::Error::other("it was written to meanwhile");
            return Err(crate::file::io(path, "read")(error));
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
    /// `None` in a table of features alone.
    label_column: Option<usize>,
    /// Why this column was taken for the labels.
    because: &'static str,
    /// Rows that were read to find out whether there is a header; the next one is last.
    ahead: Vec<StringRecord>,
}

/// A label and the line that it is in.
struct Label {
    text: String,
    line: u64,
}

/// The labels of a table, each text once.
#[derive(Default)]
struct SeenLabels {
    /// The place of each row's label among the texts.
    rows: Vec<u32>,
    /// Each with the first line that has it.
    texts: Vec<Label>,
    by_text: HashMap<String, u32>,
    /// What they take in memory.
    n_bytes: usize,
}

impl SeenLabels {
    fn push(&mut self, label: Label) {
        self.n_bytes += size_of::<u32>();
        let known = self.by_text.get(&label.text).copied();
        let place = known.unwrap_or(self.texts.len() as u32);
        self.rows.push(place);
        if known.is_none() {
            self.n_bytes += 2 * (size_of::<Label>() + label.text.len());
            self.by_text.insert(label.text.clone(), place);
            self.texts.push(label);
        }
    }
}

impl Table {
    fn open(path: &Path, options: &Options) -> Result<Self, DataError> {
        let (label, limits) = (options.label.as_deref(), &options.limits);
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
            label_column: None,
            because: "",
            ahead: Vec::new(),
        };
        // A line without end would be read as a whole.
        if too_large {
            return Err(table.too_large(n_bytes));
        }
        let mut first = StringRecord::new();
        table.next(&mut first)?;
        table.n_columns = first.len();
        let has_labels = label.is_some() || options.n_features != Some(first.len());
        let max = InputContract::MAX_COLUMNS as usize;
        if has_labels && !(2..=max + 1).contains(&first.len()) {
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
        if has_labels {
            table.find_labels(label)?;
        }
        Ok(table)
    }

    /// Returns what was decided about the table, in a sentence.
    fn decided(&self) -> String {
        let header = if self.header.is_some() { "a header" } else { "no header" };
        let (path, n) = (self.path.shown(), self.n_columns);
        let Some(column) = self.label_column else {
            return format!("{path}: {header}, {n} columns of features, no labels");
        };
        let name = self.header.as_ref().and_then(|header| header.get(column));
        let name = name.map_or(String::new(), |name| format!(" ({})", name.trim()));
        let because = self.because;
        format!("{path}: {header}, {n} columns, labels in column {}{name}: {because}", column + 1)
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
            let (column, because) = match (usual, label_first()) {
                (Some(column), _) => (column, "its name is a usual one"),
                (None, Some(column)) => (
                    column,
                    "the last one is empty, as the last pixel of a digit (--label chooses)",
                ),
                (None, None) => (last, "the last one (--label chooses)"),
            };
            (self.label_column, self.because) = (Some(column), because);
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
        (self.label_column, self.because) = (Some(column), "as asked");
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
                if Some(column) == self.label_column {
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
        let width = self.n_columns - usize::from(self.label_column.is_some());
        ImageShape { height: 1, width, channels: 1 }
    }

    /// Returns the class indices of the rows and the names of the classes.
    fn classes(&self, labels: SeenLabels) -> Result<(Vec<u32>, Vec<String>), DataError> {
        let refuse = |line: u64, expected: String, got: String| {
            let place = self.label_column.map_or(String::new(), |column| self.place(line, column));
            self.refuse(place, expected, got)
        };
        let SeenLabels { mut rows, texts, .. } = labels;
        let integers: Option<Vec<u64>> = texts.iter().map(|label| integer(&label.text)).collect();
        let lines: Vec<u64> = texts.iter().map(|label| label.line).collect();
        let max = u64::from(self.limits.max_classes);
        let labels = if let Some(integers) = integers {
            if let Some(i) = integers.iter().position(|&label| label >= max) {
                let expected = format!("a class index below {max}");
                return Err(refuse(lines[i], expected, quoted(&texts[i].text)));
            }
            Labels::Indices(integers.into_iter().map(|label| label as u32).collect())
        } else {
            for label in &texts {
                let is_fraction = number(&label.text).is_some_and(|value| value.fract() != 0.0);
                if label.text.is_empty() || is_fraction {
                    let expected = "a class: its name, or an integer".into();
                    return Err(refuse(label.line, expected, quoted(&label.text)));
                }
            }
            Labels::Names(texts.into_iter().map(|label| label.text).collect())
        };
        let (mut indices, classes) = classes::resolve(vec![labels], None, self.limits.max_classes)
            .map_err(|bad| refuse(lines[bad.index], bad.expected, bad.got))?;
        if let [name] = &classes[..] {
            let (what, expected) = ("classes".into(), "2 at least".into());
            return Err(self.refuse(what, expected, format!("only {name:?}")));
        }
        let indices = indices.pop().unwrap_or_default();
        rows.iter_mut().for_each(|row| *row = indices[*row as usize]);
        Ok((rows, classes))
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
