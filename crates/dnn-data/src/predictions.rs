//! What a model says of many examples: answered some at a time, and written a row an example.

use crate::classes::{are_numbered, listed};
use crate::format::{Options, Source};
use crate::image::DecodeLimits;
use crate::image_set::{not_resized, prepared};
use crate::loader::{Loader, Notice};
use crate::values::NumberRange;
use crate::visit::OfRows;
use crate::{
    Batch, DataError, ImageSet, ImageShape, Normalization, Number, PredictError, Predictor,
    RowSelection, Scale, Shown, SplitInfo, SplitName, Values, Visitor, parallel,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many images are decoded and answered before the threads wait for one another.
const AT_ONCE: usize = 128;

/// What an example is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ExampleName<'a> {
    /// Its file; what is no Unicode in its name is written as �.
    File(#[serde(serialize_with = "in_unicode")] &'a Path),
    /// Its place in its split as it was read, from 0.
    Index(usize),
}

fn in_unicode<S: serde::Serializer>(path: &&Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

impl std::fmt::Display for ExampleName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Index(index) => index.fmt(f),
        }
    }
}

/// What a model says of one example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictionRow<'a> {
    /// What the example is called.
    pub example: ExampleName<'a>,
    /// The index of its class, where that is known.
    pub true_class: Option<u32>,
    /// The probability of each class.
    pub probabilities: &'a [f64],
    /// The indices of the classes that hold the right one with a promised coverage, where that is asked
    /// for.
    pub set: Option<&'a [u32]>,
    /// The fold of cross-validation that the example was kept apart in, from 1.
    pub fold: Option<usize>,
}

impl PredictionRow<'_> {
    /// Returns the indices of the `n` most probable classes, the most probable one first; of equally
    /// probable ones the first comes first.
    pub fn top(&self, n: usize) -> Vec<usize> {
        let p = self.probabilities;
        let mut classes: Vec<usize> = (0..p.len()).collect();
        classes.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
        classes.truncate(n);
        classes
    }
}

/// The text that rows are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// A table with a header, separated by commas.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

impl RowFormat {
    /// Returns what a file of this name holds; `None` when its name ends in neither `.csv` nor
    /// `.jsonl`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// The column of the number of the fold.
const FOLD: &str = "fold";

/// What rows of predictions tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowColumns<'c> {
    /// The names of the classes.
    pub classes: &'c [String],
    /// How many classes a row names, the most probable first; `None` for the probability of each class.
    pub top: Option<usize>,
    /// Whether a row has the [set](PredictionRow::set) of its example.
    pub sets: bool,
    /// Whether a row has the [fold](PredictionRow::fold) of its example.
    pub folds: bool,
}

impl<'c> RowColumns<'c> {
    /// Returns the probability of each class, without sets and folds.
    pub fn of(classes: &'c [String]) -> Self {
        Self { classes, top: None, sets: false, folds: false }
    }

    /// The header of a table.
    fn header(&self) -> Vec<String> {
        let mut header =
            ["example", "true_class", "class", "probability"].map(String::from).to_vec();
        match self.top {
            None => header.extend(self.classes.iter().map(|class| format!("probability_{class}"))),
            Some(n) => {
                let of = |k| [format!("class_{k}"), format!("probability_{k}")];
                header.extend((2..=n).flat_map(of));
            }
        }
        header.extend(self.sets.then(|| "set".to_owned()));
        header.extend(self.folds.then(|| FOLD.to_owned()));
        header
    }
}

/// Writes a row an example: its name, its true class (empty where it is not known), the most probable
/// class and its probability, then the probability of each class.
///
/// In CSV the columns are `example`, `true_class`, `class`, `probability` and `probability_CLASS` for each
/// class; in JSON lines `probabilities` is an object. With a limit of K classes, the K most probable
/// ones follow instead: `class_2`, `probability_2`, … `class_K`, `probability_K` in CSV, the list `top` in
/// JSON lines. Sets come then, `set`, a list in JSON, and last the number of the fold, `fold`.
pub struct PredictionWriter<'c, W: Write> {
    out: Text<W>,
    columns: RowColumns<'c>,
}

enum Text<W: Write> {
    Csv(Box<::csv::Writer<W>>),
    Jsonl(W),
}

#[derive(Serialize)]
struct JsonRow<'a> {
    example: ExampleName<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    true_class: Option<&'a str>,
    class: &'a str,
    probability: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<BTreeMap<&'a str, f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<ClassProbability<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fold: Option<usize>,
}

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassProbability<'a> {
    /// Name of the class.
    pub class: &'a str,
    /// Its probability.
    pub probability: f64,
}

impl<'c, W: Write> PredictionWriter<'c, W> {
    /// Begins with the header, where the format has one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W, format: RowFormat, columns: RowColumns<'c>) -> io::Result<Self> {
        let top = columns.top.map(|n| n.clamp(1, columns.classes.len()));
        let columns = RowColumns { top, ..columns };
        let out = match format {
            RowFormat::Jsonl => Text::Jsonl(out),
            RowFormat::Csv => {
                let mut table = ::csv::Writer::from_writer(out);
                table.write_record(columns.header())?;
                Text::Csv(Box::new(table))
            }
        };
        Ok(Self { out, columns })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When it cannot be written.
    /// # Panics
    /// When the row has not a probability for each class.
    pub fn write(&mut self, row: &PredictionRow<'_>) -> io::Result<()> {
        let RowColumns { classes, top: n_top, sets, folds } = self.columns;
        assert_eq!(row.probabilities.len(), classes.len(), "a probability for each class");
        let name = |class: usize| classes[class].as_str();
        let true_class = row.true_class.map(|class| name(class as usize));
        let top = row.top(n_top.unwrap_or(1));
        let set = sets.then(|| row.set.unwrap_or_default());
        let set: Option<Vec<_>> = set.map(|set| set.iter().map(|&k| name(k as usize)).collect());
        let fold = row.fold.filter(|_| folds);
        let p = row.probabilities;
        match &mut self.out {
            Text::Jsonl(out) => {
                let of =
                    |&class: &usize| ClassProbability { class: name(class), probability: p[class] };
                let all = || (0..p.len()).map(|class| (name(class), p[class])).collect();
                let row = JsonRow {
                    example: row.example,
                    true_class,
                    class: name(top[0]),
                    probability: p[top[0]],
                    probabilities: n_top.is_none().then(all),
                    top: n_top.map(|_| top.iter().map(of).collect()),
                    set,
                    fold,
                };
                serde_json::to_writer(&mut *out, &row)?;
                out.write_all(b"\n")
            }
            Text::Csv(table) => {
                table.write_field(row.example.to_string())?;
                table.write_field(true_class.unwrap_or_default())?;
                for &class in &top {
                    table.write_field(name(class))?;
                    table.write_field(p[class].to_string())?;
                }
                if n_top.is_none() {
                    p.iter().try_for_each(|p| table.write_field(p.to_string()))?;
                }
                if let Some(set) = set {
                    table.write_field(serde_json::to_string(&set)?)?;
                }
                if folds {
                    table.write_field(fold.map_or_else(String::new, |fold| fold.to_string()))?;
                }
                Ok(table.write_record(None::<&[u8]>)?)
            }
        }
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self.out {
            Text::Csv(mut table) => table.flush(),
            Text::Jsonl(mut out) => out.flush(),
        }
    }
}

/// A row of predictions that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictedExample {
    /// What the example is called: its file, or its place in its split.
    pub example: String,
    /// The index of its class, where that is known.
    pub true_class: Option<u32>,
    /// The probability of each class.
    pub probabilities: Vec<f64>,
}

/// Reads rows as [`PredictionWriter`] writes them in CSV, with the probability of each of these classes; the
/// column of folds may be there, and is passed over.
///
/// # Errors
/// [`DataError::Mismatch`], naming the line: other columns, or what is no probability or class.
pub fn read_predictions(
    from: impl io::Read,
    classes: &[String],
) -> Result<Vec<PredictedExample>, DataError> {
    let refuse = |line: usize, expected: String, got: String| DataError::Mismatch {
        what: format!("line {line} of the predictions"),
        expected,
        got,
    };
    let mut rows = Vec::new();
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(from);
    for (record, line) in reader.records().zip(1..) {
        let record = record.map_err(|e| refuse(line, "a row".into(), e.to_string()))?;
        let fields: Vec<&str> = record.iter().collect();
        if line == 1 {
            let expected = RowColumns::of(classes).header();
            if fields.strip_suffix(&[FOLD]).unwrap_or(&fields) != expected {
                return Err(refuse(line, expected.join(","), fields.join(",")));
            }
            continue;
        }
        let [example, true_class, _, _, probabilities @ ..] = &fields[..] else {
            return Err(refuse(line, "five columns or more".into(), fields.join(",")));
        };
        let probabilities = &probabilities[..probabilities.len().min(classes.len())];
        let place = || classes.iter().position(|class| class == true_class);
        let true_class = match *true_class {
            "" => None,
            name => Some(place().ok_or_else(|| refuse(line, listed(classes), name.into()))? as u32),
        };
        let number = |field: &&str| {
            let p = field.parse().ok().filter(|p| (0.0..=1.0).contains(p));
            p.ok_or_else(|| refuse(line, "a probability".into(), (*field).into()))
        };
        let probabilities = probabilities.iter().map(number).collect::<Result<_, _>>()?;
        rows.push(PredictedExample { example: (*example).into(), true_class, probabilities });
    }
    Ok(rows)
}

/// Returns the probabilities of each image of a set, where there is a row of it. Image files are the same
/// when their absolute paths are.
///
/// # Errors
/// [`DataError::Mismatch`], naming a row of an example that is none of these.
pub fn predictions_of(
    rows: Vec<PredictedExample>,
    images: &ImageSet,
) -> Result<Vec<Option<Vec<f64>>>, DataError> {
    let places: HashMap<String, usize> =
        (0..images.len()).map(|i| (example_name(images, i).to_string(), i)).collect();
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let files: HashMap<PathBuf, usize> =
        images.files().iter().enumerate().map(|(i, file)| (absolute(file), i)).collect();
    let mut probabilities = vec![None; images.len()];
    for row in rows {
        let by_path = || files.get(&absolute(Path::new(&row.example)));
        let place =
            places.get(&row.example).or_else(by_path).ok_or_else(|| DataError::Mismatch {
                what: "an example of the predictions".into(),
                expected: format!("one of the {} images", images.len()),
                got: format!("`{}`", row.example.shown()),
            })?;
        probabilities[*place] = Some(row.probabilities);
    }
    Ok(probabilities)
}

/// What an example of a set in memory is called: by its file where it has one, otherwise by its number in
/// the split.
pub fn example_name(images: &ImageSet, index: usize) -> ExampleName<'_> {
    let number = || ExampleName::Index(images.number(index));
    images.files().get(index).map_or_else(number, |file| ExampleName::File(file))
}

/// Takes each row as it comes.
pub type TakeRow<'a> = &'a mut dyn FnMut(PredictionRow<'_>) -> Result<(), DataError>;

/// Answers for image files in their order, on all cores, without holding them; `take` has each path
/// with the probabilities of the classes, or with what is wrong with the file.
///
/// # Errors
/// What `files` and `take` give.
pub fn predict_files(
    predictor: &Predictor,
    files: impl IntoIterator<Item = Result<PathBuf, DataError>>,
    limits: &DecodeLimits,
    mut take: impl FnMut(&Path, Result<Vec<f64>, PredictError>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut files = files.into_iter();
    loop {
        let some = files.by_ref().take(AT_ONCE).collect::<Result<Vec<_>, _>>()?;
        if some.is_empty() {
            return Ok(());
        }
        let answers = parallel::map(&some, |path| predictor.image_file(path, limits));
        for (path, answer) in some.iter().zip(answers) {
            take(path, answer)?;
        }
    }
}

/// Returns the class that the folder of a file is named after.
pub fn class_of_folder(file: &Path, classes: &[String]) -> Option<u32> {
    let folder = file.parent()?.file_name()?.to_str()?;
    classes.iter().position(|class| class == folder).map(|class| class as u32)
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedSplit {
    /// The split.
    pub split: SplitName,
    /// Number of its examples.
    pub n: usize,
}

impl Loader<'_> {
    /// Returns which examples [`predict`](Self::predict) answers for, and how many these are; image files
    /// that cannot be used still count.
    ///
    /// # Errors
    /// What is wrong with the data.
    pub fn to_predict(
        &self,
        predictor: &Predictor,
        split: Option<SplitName>,
    ) -> Result<PredictedSplit, DataError> {
        let path = &self.config.data;
        let parts: Vec<_> = if self.config.is_drawn() {
            let splits = self.splits_for(Some(predictor.input()))?;
            splits.iter().map(|split| (split.name, split.images.len())).collect()
        } else {
            let options = self.options_to_predict(predictor);
            let (parts, _) = Source::of(path, &options)?.split_infos(&options)?;
            parts.into_iter().map(|part| (part.split, part.n)).collect()
        };
        let there: Vec<_> = parts.iter().map(|(split, _)| *split).collect();
        let split = chosen(split, &there, path)?;
        let n = parts.iter().filter(|part| part.0 == split).map(|(_, n)| n).sum();
        Ok(PredictedSplit { split, n })
    }

    fn options_to_predict(&self, predictor: &Predictor) -> Options {
        let (config, folder) = (self.config, self.folder_options(Some(predictor.input())));
        let n_features = Some(predictor.input().n_values());
        Options { n_features, ..config.options(config.names.as_ref(), folder) }
    }

    /// Answers for some rows of a split in their order, without holding them: memory does not grow
    /// with their number. Without a split, for the only one there is, or the test set.
    ///
    /// Examples that have no labels, such as the rows of a table that has features alone, are answered
    /// as well; so are those whose classes are none of the model's, which is said.
    ///
    /// # Errors
    /// What is wrong with the data, or that they are none for the model; what `take` gives.
    pub fn predict(
        &self,
        predictor: &Predictor,
        split: Option<SplitName>,
        rows: &RowSelection,
        take: TakeRow<'_>,
    ) -> Result<PredictedSplit, DataError> {
        let config = self.config;
        config.check()?;
        let path = &config.data;
        let mut answering = Answering {
            loader: *self,
            taking: Taking { predictor, scale: config.scale, as_bytes: false },
            split: SplitName::Test,
            part: None,
            classes: Vec::new(),
            first: 0,
            n_done: 0,
            n_all: 0,
            take,
        };
        if config.is_drawn() {
            let mut splits = self.splits_for(Some(predictor.input()))?;
            let there: Vec<_> = splits.iter().map(|split| split.name).collect();
            let split = chosen(split, &there, path)?;
            if let Some(images) = splits.take(split) {
                answering.split = split;
                answering.classes = self.places(images.classes(), predictor.classes());
                answering.first = rows.of(images.len()).start;
                images.visit(split, &mut OfRows::new(rows, &mut answering))?;
            }
            return Ok(PredictedSplit { split, n: answering.n_done });
        }
        let mut options = self.options_to_predict(predictor);
        let source = Source::of(path, &options)?;
        let (parts, classes) = source.split_infos(&options)?;
        let there: Vec<_> = parts.iter().map(|part| part.split).collect();
        let split = chosen(split, &there, path)?;
        answering.split = split;
        answering.classes = self.places(&classes, predictor.classes());
        let is_number = parts.iter().any(|part| part.split == split && part.number != Number::Byte);
        let of_images = predictor.input().normalization == Normalization::DivideBy255;
        if is_number && of_images && config.scale == Scale::Auto {
            answering.taking.as_bytes = self.range(&source, &options, split)?.is_bytes();
        }
        let n = parts.iter().filter(|part| part.split == split).map(|part| part.n).sum();
        answering.first = rows.of(n).start;
        options.rows = rows.clone();
        let visited = source.visit(&options, &mut answering)?;
        for rejected in &visited.rejected {
            let text = format!("left out: {}: {}", rejected.path.shown(), rejected.reason);
            self.say(Notice::Warning(text));
        }
        for note in visited.notes {
            self.say(Notice::Note(note));
        }
        Ok(PredictedSplit { split, n: answering.n_done })
    }

    fn say(&self, notice: Notice) {
        (self.hooks.say)(notice);
    }

    /// Where the classes of the data are among those of the model.
    fn places(&self, own: &[String], network: &[String]) -> Vec<Option<u32>> {
        let numbered = are_numbered(own) && own.len() <= network.len();
        let place = |(index, class): (usize, &String)| {
            let class = self.config.class_map.get(class).unwrap_or(class);
            let place = network.iter().position(|other| other == class);
            place.or(numbered.then_some(index)).map(|place| place as u32)
        };
        let places: Vec<_> = own.iter().enumerate().map(place).collect();
        if places.iter().any(Option::is_none) {
            self.say(Notice::Note(format!(
                "{}: classes {}; the network has {} (--class-map OWN=NETWORK'S,… says which is which): \
                 the true class of others is not known",
                self.config.data.shown(),
                listed(own),
                listed(network)
            )));
        }
        places
    }

    /// The least and the greatest number of a split.
    fn range(
        &self,
        source: &Source<'_>,
        options: &Options,
        split: SplitName,
    ) -> Result<NumberRange, DataError> {
        struct Looking<'a> {
            split: SplitName,
            stop: &'a dyn Fn() -> bool,
            n_values: usize,
            n: usize,
            range: NumberRange,
        }
        impl Visitor for Looking<'_> {
            fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
                self.n_values = part.shape.n_bytes();
                Ok(part.split == self.split)
            }
            fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError> {
                if (self.stop)() {
                    return Err(DataError::Stopped);
                }
                self.range.add(batch.values, self.n, self.n_values)?;
                self.n += batch.values.len() / self.n_values;
                Ok(())
            }
        }
        let (range, stop) = (NumberRange::default(), self.hooks.stop);
        let mut looking = Looking { split, stop, n_values: 1, n: 0, range };
        source.visit(options, &mut looking)?;
        Ok(looking.range)
    }
}

/// The split that is asked for; without, the only one there is, or the test set.
fn chosen(
    asked: Option<SplitName>,
    there: &[SplitName],
    path: &Path,
) -> Result<SplitName, DataError> {
    let wanted = match (asked, there) {
        (Some(split), _) => split,
        (None, [only]) => *only,
        (None, _) => SplitName::Test,
    };
    if there.contains(&wanted) {
        return Ok(wanted);
    }
    Err(DataError::File {
        path: path.into(),
        what: "split".into(),
        expected: there.iter().map(|split| split.word()).collect::<Vec<_>>().join(", "),
        got: wanted.word().into(),
    })
}

/// Answers for the examples that a source passes on.
struct Answering<'a, 't> {
    loader: Loader<'a>,
    taking: Taking<'a>,
    split: SplitName,
    part: Option<SplitInfo>,
    /// The model's class for each of the source's.
    classes: Vec<Option<u32>>,
    /// Place of the first example that is asked for.
    first: usize,
    n_done: usize,
    n_all: usize,
    take: &'a mut (dyn FnMut(PredictionRow<'_>) -> Result<(), DataError> + 't),
}

/// How values of a source become what a model takes.
#[derive(Clone, Copy)]
struct Taking<'a> {
    predictor: &'a Predictor,
    scale: Scale,
    /// Whether numbers that are no bytes in their file are bytes all the same.
    as_bytes: bool,
}

impl Taking<'_> {
    /// The probabilities of one example.
    fn answer(&self, values: Values<'_>, shape: ImageShape) -> Result<Vec<f64>, DataError> {
        let contract = self.predictor.input();
        let wanted = ImageShape::of(contract);
        let bytes = match values {
            Values::Bytes(bytes) if self.scale != Scale::AsIs => Some(bytes.to_vec()),
            numbers if self.as_bytes => numbers.to_bytes(),
            _ => None,
        };
        Ok(match bytes {
            Some(bytes) if shape == wanted => self.predictor.prepared(&bytes)?,
            Some(bytes) => self.predictor.prepared(&prepared(&bytes, shape, contract)?)?,
            None if shape != wanted => return Err(not_resized(shape, wanted)),
            None => {
                let mut numbers = values.to_f64();
                if self.scale == Scale::DivideBy255 {
                    for value in &mut numbers {
                        *value /= 255.0;
                    }
                }
                self.predictor.features(&numbers)?
            }
        })
    }
}

impl Visitor for Answering<'_, '_> {
    fn begin(&mut self, part: SplitInfo) -> Result<bool, DataError> {
        if part.split != self.split {
            return Ok(false);
        }
        self.n_all = part.n;
        self.part = Some(part);
        Ok(true)
    }

    fn examples(&mut self, batch: Batch<'_>) -> Result<(), DataError> {
        let Some(SplitInfo { shape, .. }) = self.part else { return Ok(()) };
        let n_values = shape.n_bytes();
        let places: Vec<usize> = (0..batch.values.len() / n_values).collect();
        let taking = self.taking;
        let of =
            |i: &usize| taking.answer(batch.values.slice(i * n_values..(i + 1) * n_values), shape);
        let answers = parallel::map(&places, of);
        if (self.loader.hooks.stop)() {
            return Err(DataError::Stopped);
        }
        for (i, answer) in answers.into_iter().enumerate() {
            let index = self.first + self.n_done + i;
            let probabilities = answer.map_err(|source| DataError::Example {
                path: self.loader.config.data.clone(),
                index,
                source: Box::new(source),
            })?;
            let label = batch.labels.get(i);
            (self.take)(PredictionRow {
                example: match batch.files.get(i) {
                    Some(file) => ExampleName::File(file),
                    None => ExampleName::Index(index),
                },
                true_class: label.and_then(|&l| self.classes.get(l as usize).copied().flatten()),
                probabilities: &probabilities,
                set: None,
                fold: None,
            })?;
        }
        self.n_done += places.len();
        (self.loader.hooks.progress)(self.n_done, self.n_all.max(self.n_done));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_read_for_each_image_or_refused() {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let classes = ["a".to_owned(), "b".to_owned()];
        let images = ImageSet::new(vec![0; 2], shape, vec![0, 1], classes.to_vec()).expect("sound");
        let read =
            |text: &str| predictions_of(read_predictions(text.as_bytes(), &classes)?, &images);
        let header = "example,true_class,class,probability,probability_a,probability_b\n";
        let p = read(&format!("{header}1,b,b,0.9,0.1,0.9\n0,a,b,0.6,0.4,0.6\n")).expect("sound");
        assert_eq!(p, [Some(vec![0.4, 0.6]), Some(vec![0.1, 0.9])]);
        let p = read(&format!("{header}0,b,b,0.9,0.1,0.9\n")).expect("of one");
        assert_eq!(p, [Some(vec![0.1, 0.9]), None]);
        let with_folds = header.replace('\n', ",fold\n");
        let p = read(&format!("{with_folds}0,b,b,0.9,0.1,0.9,3\n")).expect("with its fold");
        assert_eq!(p, [Some(vec![0.1, 0.9]), None]);
        for (text, expected) in [
            ("example,class\n".to_owned(), "probability_a"),
            (format!("{header}2,b,b,0.9,0.1,0.9\n"), "one of the 2 images, got `2`"),
            (
                format!("{header}0,b,b,0.9,x,0.9\n"),
                "line 2 of the predictions: expected a probability, got x",
            ),
            (format!("{header}0,b,b,0.9,7,0.9\n"), "expected a probability, got 7"),
        ] {
            let error = read(&text).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
