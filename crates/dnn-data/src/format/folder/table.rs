//! A table that lists image files with their labels: `file,label`, as Kaggle and Ludwig have it.

use super::super::csv::delimiter;
use super::super::options::AboutFormat;
use super::layout::{Layout, Listing, has_image_ending};
use super::{ImageFiles, Options};
use crate::classes::{self, Labels};
use crate::content::Text;
use crate::{DataError, SplitName};
use ::csv::{ReaderBuilder, StringRecord};
use std::path::{Path, PathBuf};

/// A table with a column of paths, relative to the table's folder or to one in it, and a column of
/// labels; where there is a column `split` (words, or 0, 1 and 2), splits are what it says.
pub(in super::super) static FILE_TABLE: ImageFiles = ImageFiles {
    about: AboutFormat {
        name: "a table of image files",
        in_files: Some("a table of image files and labels (CSV)"),
        has_columns: true,
        has_image_files: true,
        takes_rows: true,
        ..AboutFormat::PLAIN
    },
    detect: |found| found.file().is_some_and(|file| file.begins(names_images)),
    layout,
};

/// Returns whether one of the first two lines of a text has the name of an image in a column.
fn names_images(head: &[u8]) -> bool {
    let Some(Text::Other(text)) = Text::of(head) else { return false };
    let separator = char::from(delimiter(head));
    let mut fields = text.lines().take(2).flat_map(|line| line.split(separator));
    fields.any(|field| is_image(field.trim().trim_matches('"')))
}

fn is_image(field: &str) -> bool {
    let path = Path::new(field);
    path.extension().is_some() && has_image_ending(path)
}

/// The columns of a table that are used.
struct Columns {
    file: usize,
    label: usize,
    split: Option<usize>,
}

fn layout(path: &Path, options: &Options) -> Result<Layout, DataError> {
    let refuse = |line: usize, what: &str, expected: String, got: String| DataError::File {
        path: path.into(),
        what: format!("line {line}{what}"),
        expected,
        got,
    };
    let bytes = std::fs::read(path).map_err(crate::file::io(path, "read"))?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter(&bytes))
        .from_reader(&bytes[..]);
    let mut records: Vec<StringRecord> = Vec::new();
    for record in reader.records() {
        let line = records.len() + 1;
        let row = || "a row with as many columns as the first, in UTF-8".into();
        records.push(record.map_err(|error| refuse(line, "", row(), error.to_string()))?);
    }
    let Some(first) = records.first().cloned() else {
        return Err(refuse(1, "", "a header or a row".into(), "nothing".into()));
    };
    let has_header = !first.iter().any(is_image);
    let columns = columns(&first, has_header, records.get(1), options.label.as_deref())
        .ok_or_else(|| {
            let expected = "a column of image files and a column of labels (--label names it)";
            refuse(1, "", expected.into(), format!("{:?}", first.iter().collect::<Vec<_>>()))
        })?;
    let rows = &records[usize::from(has_header)..];
    let folder = path.parent().unwrap_or(Path::new(""));
    let folders = folders(folder);
    let mut words = Vec::new();
    let mut files: Vec<(SplitName, PathBuf)> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let line = i + 1 + usize::from(has_header);
        let file = row.get(columns.file).unwrap_or_default().trim();
        let found = folders.iter().map(|folder| folder.join(file)).find(|path| path.is_file());
        // A file that is missing is a bad image, as one that cannot be decoded.
        let found = found.unwrap_or_else(|| folder.join(file));
        let split = match columns.split.and_then(|column| row.get(column)).map(str::trim) {
            None => SplitName::Unsplit,
            Some(word) => match word {
                "0" => SplitName::Train,
                "1" => SplitName::Validation,
                "2" => SplitName::Test,
                word => SplitName::of_word(word).ok_or_else(|| {
                    let expected = "train, validation or test, or 0, 1 or 2".into();
                    refuse(line, ", column `split`", expected, format!("{word:?}"))
                })?,
            },
        };
        words.push(row.get(columns.label).unwrap_or_default().trim().to_owned());
        files.push((split, found));
    }
    let first_line = 1 + usize::from(has_header);
    let (labels, classes) =
        classes::resolve(vec![Labels::of_words(words)], None, options.limits.max_classes)
            .map_err(|bad| refuse(bad.index + first_line, ": label", bad.expected, bad.got))?;
    let labels = labels.into_iter().next().unwrap_or_default();
    let mut listings = Vec::new();
    for split in [SplitName::Train, SplitName::Validation, SplitName::Test, SplitName::Unsplit] {
        let mut listing = Listing { files: Vec::new(), labels: Vec::new() };
        for ((_, file), &label) in files.iter().zip(&labels).filter(|((own, _), _)| *own == split) {
            listing.files.push(file.clone());
            listing.labels.push(label);
        }
        if !listing.files.is_empty() {
            listings.push((split, listing));
        }
    }
    Ok(Layout { classes, listings })
}

/// Returns which columns hold the files, the labels and the splits; `None` when there are no
/// columns of files and of labels.
fn columns(
    first: &StringRecord,
    has_header: bool,
    second: Option<&StringRecord>,
    label: Option<&str>,
) -> Option<Columns> {
    let row = if has_header { second? } else { first };
    let file = row.iter().position(is_image)?;
    let called = |name: &str| {
        first.iter().position(|field| has_header && field.trim().eq_ignore_ascii_case(name))
    };
    let split = called("split");
    let label = match label {
        Some(label) => match label.parse::<usize>() {
            Ok(n) => (1..=first.len()).contains(&n).then(|| n - 1)?,
            Err(_) => called(label)?,
        },
        None => ["label", "class", "target", "y", "species", "breed", "category"]
            .into_iter()
            .find_map(called)
            .or_else(|| (0..first.len()).find(|&i| i != file && Some(i) != split))?,
    };
    (label != file).then_some(Columns { file, label, split })
}

/// Returns the folder of a table, and the folders in it, where its files may be.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let below = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut below: Vec<PathBuf> = below.filter(|path| path.is_dir()).collect();
    below.sort();
    std::iter::once(folder.to_owned()).chain(below).collect()
}
