//! `dnn predict`.

use crate::args::{DataArgs, choice};
use crate::console::{Console, causes, warn};
use crate::file::read_text_of;
use crate::input::FileFlags;
use crate::interrupt::{self, Interrupted};
use crate::judge::PredictorArgs;
use crate::output::{OutputKind, Rows, rows_name};
use crate::progress;
use crate::settings::Flags;
use crate::source;
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::ConformalScores;
use dnn_data::folder::{OnBadImage, has_image_ending, image_files};
use dnn_data::format::{Options, Source};
use dnn_data::image::{DecodeLimits, ImageError};
use dnn_data::predictions::{
    ExampleName, PredictionRow, RowColumns, class_of_folder, predict_files,
};
use dnn_data::{DataError, PredictError, Predictor, Shown, SplitName};
use nalgebra::DMatrix;
use serde::Serialize;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Say what is on images, or of which class the rows of a table are
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    predictor: PredictorArgs,
    /// Images of any size, folders of images, files or folders of data of any kind, `-` for an image
    /// from standard input, @FILE for the paths in a file, one a line
    #[arg(value_name = "INPUT", required_unless_present = "list")]
    inputs: Vec<PathBuf>,
    /// Predict what the paths in this file lead to as well, one a line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Which examples of data [default: the only ones there are, or the test set]
    #[arg(long, value_name = "SPLIT", value_parser = choice(&SplitName::ALL))]
    split: Option<SplitName>,
    /// Write a row an example to this file, .csv or .jsonl, as they come; it is there when all are done
    #[arg(long, value_name = "FILE", value_parser = rows_name)]
    out: Option<PathBuf>,
    /// Name the K most probable classes [default: the most probable one, and in files the probability of
    /// each]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,
    /// Name all classes that it takes to hold the right one with this probability, 0.9 for example, as
    /// well; for models that were trained with --calibrate
    #[arg(long, value_name = "F")]
    coverage: Option<f64>,
    #[command(flatten)]
    of_data: DataArgs,
    #[command(flatten)]
    files: Flags<FileFlags>,
}

/// The longest list of paths: some two million of them.
const MAX_LIST_BYTES: u64 = 256 << 20;

/// What arguments lead to.
enum Input {
    /// Image files.
    Images(Vec<PathBuf>),
    /// A folder, all of whose images are meant, however deep.
    Folder(PathBuf),
    /// Examples of any other kind; with `--split` of any.
    Data(PathBuf),
    /// The bytes of an image on standard input.
    Stdin,
}

#[derive(Serialize)]
struct PredictReport<'a> {
    model: &'a Path,
    classes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<usize>,
    left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    predictions: Option<Vec<Answer>>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PathBuf>,
    /// Its place in the data, where it has no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<usize>,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Class {
        class: String,
        index: usize,
        probability: f64,
        probabilities: Vec<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        top: Option<Vec<OwnedProbability>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        set: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        true_class: Option<String>,
    },
    Error {
        error: String,
    },
}

#[derive(Serialize)]
struct OwnedProbability {
    class: String,
    probability: f64,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(out) = &args.out {
        OutputKind::Rows.check(out)?;
    }
    let inputs = inputs(args)?;
    let (predictor, model) = args.predictor.read()?;
    let skips =
        args.files.change(None)?.is_some_and(|input| input.on_bad_image == OnBadImage::Skip);
    let conformal =
        args.coverage.map(|coverage| scores(&predictor, &model, coverage)).transpose()?;
    let (given, n, n_bad) = (Vec::new(), 0, 0);
    let mut answers = Answers { predictor: &predictor, conformal, args, console, given, n, n_bad };
    match &args.out {
        None => answers.all(&inputs, None)?,
        Some(out) => {
            interrupt::listen()?;
            let (classes, sets) = (predictor.classes(), args.coverage.is_some());
            let top = args.top.map(|top| top as usize);
            let columns = RowColumns { classes, top, sets, folds: false };
            Rows::write(out, columns, |rows| {
                answers.all(&inputs, Some(rows))?;
                ensure!(
                    answers.n_bad == 0 || skips,
                    "{}, so {} is not written (--on-bad-image skip leaves them out)",
                    answers.said_bad(),
                    out.shown()
                );
                Ok(())
            })?;
            console.text(format!("Written: {} ({} rows)", out.shown(), answers.n))?;
        }
    }
    if answers.n_bad > 0 && answers.n + answers.n_bad > 1 {
        warn(answers.said_bad());
    }
    let Answers { given, n, n_bad, .. } = answers;
    console.json(&PredictReport {
        model: &model,
        classes: predictor.classes(),
        coverage: args.coverage,
        out: args.out.as_deref(),
        rows: args.out.as_ref().map(|_| n),
        left_out: if skips { n_bad } else { 0 },
        predictions: args.out.is_none().then_some(given),
    })?;
    Ok(if n_bad == 0 || skips { ExitCode::SUCCESS } else { ExitCode::from(crate::ERROR) })
}

/// What the arguments lead to, in their order.
fn inputs(args: &Args) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    let mut add = |path: PathBuf| match (kind(path, args), inputs.last_mut()) {
        (Input::Images(more), Some(Input::Images(images))) => images.extend(more),
        (input, _) => inputs.push(input),
    };
    let add_list = |list: &Path, add: &mut dyn FnMut(PathBuf)| -> anyhow::Result<()> {
        let text = read_text_of(list, MAX_LIST_BYTES)
            .with_context(|| format!("cannot read the list {}", list.shown()))?;
        let paths = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        paths.for_each(|path| add(path.into()));
        Ok(())
    };
    for input in &args.inputs {
        match input.to_str().and_then(|text| text.strip_prefix('@')) {
            Some(list) => add_list(list.as_ref(), &mut add)?,
            None => add(input.clone()),
        }
    }
    if let Some(list) = &args.list {
        add_list(list, &mut add)?;
    }
    if !inputs.iter().any(|input| matches!(input, Input::Data(_))) {
        let DataArgs { names, values, class_map, draw } = &args.of_data;
        let of_data = args.split.is_some()
            || names.any()
            || values.any()
            || !class_map.is_empty()
            || draw.any()
            || args.files.gives("test_share")
            || args.files.gives("split_seed");
        ensure!(
            !of_data,
            "there are only images to predict: flags that say what is read of data have no meaning"
        );
    }
    Ok(inputs)
}

fn kind(path: PathBuf, args: &Args) -> Input {
    let options = Options::default();
    if path.as_os_str() == "-" {
        return Input::Stdin;
    }
    if path.is_dir() {
        let is_data = args.split.is_some()
            || Source::of(&path, &options).is_ok_and(|found| !found.has_image_files());
        return if is_data { Input::Data(path) } else { Input::Folder(path) };
    }
    let is_drawn = path.as_os_str() == source::DRAWN && !path.exists();
    // A pipe can be read once only; and what is called an image is none else, whatever it holds.
    let may_be_data = path.is_file() && !(path.extension().is_some() && has_image_ending(&path));
    if is_drawn || may_be_data && Source::of(&path, &options).is_ok() {
        Input::Data(path)
    } else {
        Input::Images(vec![path])
    }
}

/// What is done with the answers.
struct Answers<'a> {
    predictor: &'a Predictor,
    /// What sets of classes are made from, when they are asked for.
    conformal: Option<&'a ConformalScores>,
    args: &'a Args,
    console: Console,
    /// For `--json`, when there is no file of rows.
    given: Vec<Answer>,
    n: usize,
    n_bad: usize,
}

impl Answers<'_> {
    /// Answers for everything, into the file of rows where there is one.
    fn all(&mut self, inputs: &[Input], mut rows: Option<&mut Rows<'_>>) -> anyhow::Result<()> {
        let limits = DecodeLimits::default();
        let predictor = self.predictor;
        // Lines on standard output are progress enough.
        let console = Console { quiet: self.console.quiet || rows.is_none(), ..self.console };
        let bar = progress::bar(console, 0, "{pos} images  {per_sec}");
        for input in inputs {
            let mut take = |file: &Path, answer| {
                bar.inc(1);
                let true_class = class_of_folder(file, predictor.classes());
                self.take(ExampleName::File(file), true_class, answer, rows.as_deref_mut())
            };
            let taken = match input {
                Input::Images(files) => {
                    predict_files(predictor, files.iter().cloned().map(Ok), &limits, take)
                }
                Input::Folder(folder) => {
                    let mut any = false;
                    let files = image_files(folder).inspect(|_| any = true).map(|file| Ok(file?));
                    predict_files(predictor, files, &limits, &mut take).and_then(|()| {
                        let none = || ImageError::Folder { path: folder.clone() };
                        if any { Ok(()) } else { take(folder, Err(none().into())) }
                    })
                }
                Input::Stdin => {
                    let mut bytes = Vec::new();
                    let stdin = std::io::stdin().lock();
                    stdin
                        .take(limits.max_file_bytes + 1)
                        .read_to_end(&mut bytes)
                        .context("cannot read standard input")?;
                    take("-".as_ref(), predictor.image_bytes(&bytes, &limits))
                }
                Input::Data(path) => {
                    self.data(path, rows.as_deref_mut())?;
                    continue;
                }
            };
            match taken {
                Err(DataError::Stopped) => bail!(Interrupted("before all were answered for")),
                taken => taken?,
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Answers for the examples of a file or folder of data.
    fn data(&mut self, path: &Path, mut rows: Option<&mut Rows<'_>>) -> anyhow::Result<()> {
        let Args { of_data, files, split, .. } = self.args;
        let mut source = source::named(path, of_data)?;
        if files.any() {
            files.check(&source)?;
        }
        source.input = files.change(source.input.take())?;
        let console = Console { quiet: self.console.quiet || rows.is_none(), ..self.console };
        let predictor = self.predictor;
        source::loading(&source, console, |loader| {
            loader.predict(predictor, *split, &mut |row: PredictionRow<'_>| {
                let answer = Ok(row.probabilities.to_vec());
                self.take(row.example, row.true_class, answer, rows.as_deref_mut())
            })
        })?;
        Ok(())
    }

    fn take(
        &mut self,
        example: ExampleName<'_>,
        true_class: Option<u32>,
        answer: Result<Vec<f64>, PredictError>,
        rows: Option<&mut Rows<'_>>,
    ) -> Result<(), DataError> {
        if interrupt::asked() {
            return Err(DataError::Stopped);
        }
        let outcome = match answer {
            Ok(probabilities) => {
                self.n += 1;
                let set = self.conformal.zip(self.args.coverage).and_then(|(scores, coverage)| {
                    let n_classes = probabilities.len();
                    let column = DMatrix::from_column_slice(n_classes, 1, &probabilities);
                    scores.sets(&column, coverage).pop()
                });
                let (probabilities, set) = (&probabilities[..], set.as_deref());
                let row = PredictionRow { example, true_class, probabilities, set, fold: None };
                if let Some(rows) = rows {
                    return rows.add(&row);
                }
                self.print(&row)?
            }
            Err(error) => {
                self.n_bad += 1;
                // What is wrong with a file names it.
                let place = match error {
                    PredictError::Image(_) => String::new(),
                    _ => format!("{}: ", example.to_string().shown()),
                };
                let error = causes(&error).join(": ");
                warn(format!("error: {place}{error}"));
                Outcome::Error { error }
            }
        };
        if self.console.json && self.args.out.is_none() {
            let (image, example) = match example {
                ExampleName::File(path) => (Some(path.to_owned()), None),
                ExampleName::Index(index) => (None, Some(index)),
            };
            self.given.push(Answer { image, example, outcome });
        }
        Ok(())
    }

    /// Prints the answer for an example.
    fn print(&self, row: &PredictionRow<'_>) -> Result<Outcome, DataError> {
        let classes = self.predictor.classes();
        let top: Vec<_> = row
            .top(self.args.top.unwrap_or(1) as usize)
            .into_iter()
            .map(|class| (class, classes[class].as_str(), row.probabilities[class]))
            .collect();
        let named: Vec<_> =
            top.iter().map(|(_, class, p)| format!("{} {p:.4}", class.shown())).collect();
        let set = row.set.map(|set| {
            set.iter().map(|&class| classes[class as usize].clone()).collect::<Vec<_>>()
        });
        let mut line = format!("{}: {}", row.example.to_string().shown(), named.join(", "));
        if let Some(set) = &set {
            let set: Vec<_> = set.iter().map(|class| class.shown().to_string()).collect();
            line = format!("{line}, one of {{{}}}", set.join(", "));
        }
        self.console.text(line).map_err(|error| {
            let kind = error.root_cause().downcast_ref().map(std::io::Error::kind);
            let source = std::io::Error::new(kind.unwrap_or(ErrorKind::Other), error);
            DataError::Io { path: "standard output".into(), operation: "write", source }
        })?;
        let (index, class, probability) = top[0];
        let owned = |&(_, class, probability): &(usize, &str, f64)| OwnedProbability {
            class: class.into(),
            probability,
        };
        Ok(Outcome::Class {
            class: class.into(),
            index,
            probability,
            probabilities: row.probabilities.to_vec(),
            top: self.args.top.map(|_| top.iter().map(owned).collect()),
            set,
            true_class: row.true_class.map(|class| classes[class as usize].clone()),
        })
    }

    fn said_bad(&self) -> String {
        format!("{} of {} images could not be read", self.n_bad, self.n + self.n_bad)
    }
}

/// What sets of classes with this coverage are made from.
///
/// # Errors
/// When there is no such coverage, or the model was not calibrated.
fn scores<'p>(
    predictor: &'p Predictor,
    file: &Path,
    coverage: f64,
) -> anyhow::Result<&'p ConformalScores> {
    ensure!(
        coverage > 0.0 && coverage < 1.0,
        "--coverage {coverage}: expected a probability between 0 and 1"
    );
    let scores = predictor.model().conformal().with_context(|| {
        format!(
            "--coverage: {} was not calibrated; train it with --calibrate and validation images",
            file.shown()
        )
    })?;
    let (n, needed) = (scores.as_slice().len(), ConformalScores::needed(coverage));
    if n < needed {
        warn(format!(
            "the model was calibrated with {n} images; a coverage of {coverage} needs {needed}, and with \
             fewer every class is in every answer"
        ));
    }
    Ok(scores)
}
