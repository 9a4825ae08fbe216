//! `dnn predict`.

use crate::args::{DataArgs, choice};
use crate::console::{Console, causes, warn, warn_on_any_rank};
use crate::file::read_text_of;
use crate::input::FileFlags;
use crate::interrupt::{self, Interrupted};
use crate::judge::PredictorArgs;
use crate::output::{OutputKind, Rows, rows_name, write_filled};
use crate::progress;
use crate::ranks;
use crate::settings::Flags;
use crate::shard::{self, ShardArgs, Shards};
use crate::source;
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::ConformalScores;
use dnn_core::split::Shard;
use dnn_data::folder::{OnBadImage, has_image_ending, image_files};
use dnn_data::format::{Options, Source};
use dnn_data::image::{DecodeLimits, ImageError};
use dnn_data::loader::{DataConfig, Hooks, Loader};
use dnn_data::predictions::{
    ExampleName, PredictionRow, RowColumns, class_of_folder, predict_files,
};
use dnn_data::{DataError, PredictError, Predictor, RowSelection, Shown, SplitName};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
    #[command(flatten)]
    shard: ShardArgs,
}

/// The greatest length of a list of paths in bytes: some two million paths.
const MAX_LIST_BYTES: u64 = 256 << 20;

/// Images from which on packing the first layer's weights costs less than it saves.
const WORTH_PACKING: usize = 100;

/// What an argument leads to.
enum Input {
    /// An image file.
    Images(Vec<PathBuf>),
    /// A folder whose images are predicted recursively.
    Folder(PathBuf),
    /// A data file or folder of another kind; with `--split` of any kind.
    Data(PathBuf),
    /// An image on standard input.
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
    image: Option<String>,
    /// The index of the example in the data, when it has no file.
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

/// What a shard has answered for.
#[derive(Serialize, Deserialize)]
struct ShardNotes {
    model: PathBuf,
    classes: Vec<String>,
    /// Bytes before the first row.
    header: u64,
    n: usize,
    n_bad: usize,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(out) = &args.out {
        OutputKind::Rows.check(out)?;
    }
    if args.shard.requested().is_some() {
        ranks::only_one("--shard")?;
    }
    let inputs = inputs(args)?;
    let (predictor, model) = args.predictor.read()?;
    let few = inputs.iter().all(|input| match input {
        Input::Images(images) => images.len() < WORTH_PACKING,
        Input::Stdin => true,
        Input::Folder(_) | Input::Data(_) => false,
    });
    let predictor = if few { predictor } else { predictor.packed() };
    let conformal =
        args.coverage.map(|coverage| scores(&predictor, &model, coverage)).transpose()?;
    let (given, n, n_bad) = (Vec::new(), 0, 0);
    let mut job =
        PredictionJob { predictor: &predictor, conformal, args, console, given, n, n_bad };
    let Some(out) = &args.out else {
        ensure!(
            args.shard.requested().is_none(),
            "--shard: a shard is written, so --out says what"
        );
        ranks::only_one("predict without --out")?;
        job.predict_all(&all_rows(inputs), None)?;
        return job.print_report(&model, None);
    };
    interrupt::listen()?;
    let (classes, sets) = (predictor.classes(), args.coverage.is_some());
    let top = args.top.map(|top| top as usize);
    let columns = RowColumns { classes, top, sets, folds: false };
    let communicator = ranks::communicator();
    let of_ranks = Shard::new(communicator.rank(), communicator.size()).unwrap_or(Shard::WHOLE);
    let shard = args.shard.requested().unwrap_or(of_ranks);
    if shard == Shard::WHOLE && args.shard.requested().is_none() {
        write_filled(OutputKind::Rows, out, true, |file| {
            let fill = |rows: &mut Rows<'_>| job.predict_all(&all_rows(inputs), Some(rows));
            Rows::write((out, file), columns, fill)?;
            job.check_unreadable()
        })?;
        return job.print_report(&model, Some(out));
    }
    let settings = [
        ("model", shard::fingerprint(std::slice::from_ref(&model))?),
        ("data", job.fingerprint(&inputs)?),
        ("processor", shard::processor()),
    ];
    let own = job.rows_of_shard(inputs, shard)?;
    if args.shard.requested().is_some() {
        let extension = out.extension().unwrap_or_default().to_string_lossy();
        let begun = args.shard.begin(shard, (out, &extension), &settings, console)?;
        let Some(open) = begun else { return Ok(ExitCode::SUCCESS) };
        let path = open.path();
        write_filled(OutputKind::Rows, &path, true, |file| {
            Rows::write((&path, file), columns, |rows| job.predict_all(&own, Some(rows)))?;
            job.check_unreadable()
        })?;
        let header = Rows::header(out, columns)?.len() as u64;
        let (classes, n, n_bad) = (classes.to_vec(), job.n, job.n_bad);
        return open.finish(&ShardNotes { model, classes, header, n, n_bad }, console);
    }
    for (what, hash) in &settings[..2] {
        ranks::agree(what, hash, "all need the same files")?;
    }
    let written = |file: &mut File| -> anyhow::Result<()> {
        Rows::write((out, file), columns, |rows| job.predict_all(&own, Some(rows)))?;
        job.sum_over_ranks()?;
        job.check_unreadable()?;
        let header = Rows::header(out, columns)?.len() as u64;
        if ranks::is_first() {
            let take = &mut |bytes: &[u8]| file.write_all(bytes);
            communicator.collect(&mut std::io::empty(), take)
        } else {
            file.seek(SeekFrom::Start(header))?;
            communicator.collect(file, &mut |_| Ok(()))
        }
        .with_context(|| format!("cannot write {}", out.shown()))
    };
    if ranks::is_first() {
        write_filled(OutputKind::Rows, out, true, written)?;
    } else {
        // The other ranks' rows wait where temporary files do.
        let mut written = written;
        written(&mut tempfile::tempfile().context("cannot make a temporary file")?)?;
    }
    job.print_report(&model, Some(out))
}

/// Writes the rows of all shards, as one process would have.
///
/// # Errors
/// When a shard has other columns, or the file cannot be written.
pub(crate) fn merge(args: &Args, shards: &Shards, console: Console) -> anyhow::Result<ExitCode> {
    let out = args.out.as_ref().context("expected shards of predict with --out")?;
    let files = shards.files::<ShardNotes>()?;
    let (mut n, mut n_bad) = (0, 0);
    write_filled(OutputKind::Rows, out, true, |to| {
        for (i, (path, notes)) in files.iter().enumerate() {
            let mut copy = || -> std::io::Result<()> {
                let mut from = File::open(path)?;
                from.seek(SeekFrom::Start(if i == 0 { 0 } else { notes.header }))?;
                std::io::copy(&mut from, to).map(|_| ())
            };
            copy().with_context(|| format!("cannot copy {}", path.shown()))?;
            n += notes.n;
            n_bad += notes.n_bad;
        }
        Ok(())
    })?;
    let (_, ShardNotes { model, classes, .. }) =
        files.into_iter().next().context("expected a shard at least")?;
    print_report(args, (&model, &classes), (n, n_bad), (Some(out), None), console)
}

/// Selects all rows of each input.
fn all_rows(inputs: Vec<Input>) -> Vec<(Input, RowSelection)> {
    inputs.into_iter().map(|input| (input, RowSelection::All)).collect()
}

/// Prints what was written, or with `--json` what was answered, and what could not be read.
fn print_report(
    args: &Args,
    (model, classes): (&Path, &[String]),
    (n, n_bad): (usize, usize),
    (out, predictions): (Option<&Path>, Option<Vec<Answer>>),
    console: Console,
) -> anyhow::Result<ExitCode> {
    let skips = args.skips()?;
    if let Some(out) = out {
        console.text(format!("Written: {} ({n} rows)", out.shown()))?;
    }
    if n_bad > 0 && n + n_bad > 1 {
        warn(unreadable(n, n_bad));
    }
    let (rows, left_out) = (out.map(|_| n), if skips { n_bad } else { 0 });
    let coverage = args.coverage;
    console.json(&PredictReport { model, classes, coverage, out, rows, left_out, predictions })?;
    Ok(if n_bad == 0 || skips && n > 0 { ExitCode::SUCCESS } else { ExitCode::from(crate::ERROR) })
}

fn unreadable(n: usize, n_bad: usize) -> String {
    format!("{n_bad} of {} images could not be read", n + n_bad)
}

impl Args {
    /// Whether images that cannot be read are left out.
    fn skips(&self) -> anyhow::Result<bool> {
        let input = self.files.change(None)?;
        Ok(input.is_some_and(|input| input.on_bad_image == OnBadImage::Skip))
    }
}

/// Returns what the arguments lead to, in their order.
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
        let of_data = args.split.is_some()
            || args.of_data.any()
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

/// What is to be predicted, and how far that has come.
struct PredictionJob<'a> {
    predictor: &'a Predictor,
    /// The scores that prediction sets are computed from, with `--coverage`.
    conformal: Option<&'a ConformalScores>,
    args: &'a Args,
    console: Console,
    /// The predictions for `--json`, when no file is written.
    given: Vec<Answer>,
    n: usize,
    n_bad: usize,
}

impl PredictionJob<'_> {
    /// Returns a hash of the files whose examples are predicted.
    fn fingerprint(&self, inputs: &[Input]) -> anyhow::Result<String> {
        let mut files = Vec::new();
        for input in inputs {
            match input {
                Input::Images(images) => files.extend_from_slice(images),
                Input::Folder(folder) => {
                    let found: Result<Vec<_>, _> = image_files(folder).collect();
                    files.extend(found?);
                }
                Input::Data(path) => {
                    let source = self.source(path)?;
                    files.extend(Loader::new(&source, Hooks::default()).files()?);
                }
                Input::Stdin => bail!("-: standard input cannot be shared out"),
            }
        }
        shard::fingerprint(&files)
    }

    /// Returns the rows of the inputs that a shard predicts: its share of all examples, in their order.
    fn rows_of_shard(
        &self,
        inputs: Vec<Input>,
        shard: Shard,
    ) -> anyhow::Result<Vec<(Input, RowSelection)>> {
        let n_of = |input: &Input| {
            Ok::<_, anyhow::Error>(match input {
                Input::Images(files) => files.len(),
                // A folder without images is answered for with an error.
                Input::Folder(folder) => image_files(folder).count().max(1),
                Input::Stdin => 1,
                Input::Data(path) => {
                    let loaded = Loader::new(&self.source(path)?, Hooks::default())
                        .to_predict(self.predictor, self.args.split)?;
                    loaded.n
                }
            })
        };
        let counts = inputs.iter().map(n_of).collect::<anyhow::Result<Vec<_>>>()?;
        let all = shard.range(counts.iter().sum());
        let mut own = Vec::new();
        let mut before = 0;
        for (input, n) in inputs.into_iter().zip(counts) {
            let place = |place: usize| place.clamp(before, before + n) - before;
            let range = place(all.start)..place(all.end);
            before += n;
            if !range.is_empty() {
                own.push((input, RowSelection::Range(range)));
            }
        }
        Ok(own)
    }

    fn source(&self, path: &Path) -> anyhow::Result<DataConfig> {
        let Args { of_data, files, .. } = self.args;
        let mut source = source::named(path, of_data)?;
        if files.any() {
            files.check(&source)?;
        }
        source.input = files.change(source.input.take())?;
        Ok(source)
    }

    /// Replaces the counts of examples by their sums over all ranks.
    fn sum_over_ranks(&mut self) -> anyhow::Result<()> {
        let own = format!("{} {}", self.n, self.n_bad);
        (self.n, self.n_bad) = (0, 0);
        for counts in ranks::communicator().gather_text(&own) {
            let (n, n_bad) = counts.split_once(' ').context("a rank said no numbers")?;
            self.n += n.parse::<usize>()?;
            self.n_bad += n_bad.parse::<usize>()?;
        }
        Ok(())
    }

    /// Refuses a file of rows that would lack some.
    fn check_unreadable(&self) -> anyhow::Result<()> {
        ensure!(
            self.n_bad == 0 || self.n > 0 && self.args.skips()?,
            "{}, so {} is not written (--on-bad-image skip leaves them out)",
            unreadable(self.n, self.n_bad),
            self.args.out.as_deref().unwrap_or(Path::new("")).shown()
        );
        Ok(())
    }

    fn print_report(self, model: &Path, out: Option<&Path>) -> anyhow::Result<ExitCode> {
        let Self { predictor, args, console, given, n, n_bad, .. } = self;
        let predictions = out.is_none().then_some(given);
        print_report(args, (model, predictor.classes()), (n, n_bad), (out, predictions), console)
    }

    /// Predicts these rows of the inputs, into the file of `--out` if there is one.
    fn predict_all(
        &mut self,
        inputs: &[(Input, RowSelection)],
        mut rows: Option<&mut Rows<'_>>,
    ) -> anyhow::Result<()> {
        let limits = DecodeLimits::default();
        let predictor = self.predictor;
        // Lines on standard output are progress enough.
        let console = Console { quiet: self.console.quiet || rows.is_none(), ..self.console };
        let bar = progress::bar(console, 0, "{pos} images  {per_sec}");
        for (input, which) in inputs {
            let range = which.of(usize::MAX);
            let mut take = |file: &Path, answer| {
                bar.inc(1);
                let true_class = class_of_folder(file, predictor.classes());
                self.add_answer(ExampleName::File(file), true_class, answer, rows.as_deref_mut())
            };
            let taken = match input {
                Input::Images(files) => {
                    let files = &files[which.of(files.len())];
                    predict_files(predictor, files.iter().cloned().map(Ok), &limits, take)
                }
                Input::Folder(folder) => {
                    let mut any = false;
                    let files = image_files(folder).inspect(|_| any = true).map(|file| Ok(file?));
                    let files = files.skip(range.start).take(range.len());
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
                    self.predict_data(path, which, rows.as_deref_mut())?;
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

    /// Predicts the examples of these rows of a data file or folder.
    fn predict_data(
        &mut self,
        path: &Path,
        which: &RowSelection,
        mut rows: Option<&mut Rows<'_>>,
    ) -> anyhow::Result<()> {
        let source = self.source(path)?;
        let console = Console { quiet: self.console.quiet || rows.is_none(), ..self.console };
        let predictor = self.predictor;
        source::loading(&source, console, |loader| {
            loader.predict(predictor, self.args.split, which, &mut |row: PredictionRow<'_>| {
                let answer = Ok(row.probabilities.to_vec());
                self.add_answer(row.example, row.true_class, answer, rows.as_deref_mut())
            })
        })?;
        Ok(())
    }

    fn add_answer(
        &mut self,
        example: ExampleName<'_>,
        true_class: Option<u32>,
        answer: Result<Vec<f64>, PredictError>,
        rows: Option<&mut Rows<'_>>,
    ) -> Result<(), DataError> {
        if interrupt::requested() {
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
                // Each rank says what is wrong with its own images.
                warn_on_any_rank(format!("error: {place}{error}"));
                Outcome::Error { error }
            }
        };
        if self.console.json && self.args.out.is_none() {
            let (image, example) = match example {
                ExampleName::File(path) => (Some(path.display().to_string()), None),
                ExampleName::Index(index) => (None, Some(index)),
            };
            self.given.push(Answer { image, example, outcome });
        }
        Ok(())
    }

    /// Prints the prediction of an example.
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
}

/// Returns the scores that prediction sets of this coverage are computed from.
///
/// # Errors
/// When the coverage is not between 0 and 1, or the model was not calibrated.
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
