//! `dnn sweep`: the same images, several configurations.

use crate::console::{Console, argument, causes, program, warn};
use crate::file::read_text;
use crate::interrupt::{self, Interrupted};
use crate::progress::{self, Part};
use crate::run::lines::{self, JsonLines};
use crate::run::{self, RunConfig, RunFolder};
use crate::settings::{change, check_text, in_words};
use crate::shard::{self, ShardArgs, Shards};
use crate::source;
use crate::table;
use anyhow::{Context, anyhow, bail, ensure};
use dnn_core::metrics::Score;
use dnn_core::settings;
use dnn_core::split::Shard;
use dnn_core::{Dataset, Examples, Precision};
use dnn_data::Shown;
use dnn_data::classes::check_classes;
use dnn_data::{ImageSet, Splits, identity};
use dnn_report::Chart;
use dnn_report::figures::{IntervalRow, interval_plot};
use dnn_train::config::RawTrainConfig;
use dnn_train::engine::GramMatrix;
use dnn_train::{
    End, Observer, Preset, TrainConfig, Trainable, Training, ValidationPoint, evaluate,
};
use indicatif::ProgressBar;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

#[derive(Debug, clap::Args)]
#[command(after_help = "FILE names values for keys of [training], as in a configuration:\n\n  \
    preset = \"course-deep\"        # or config = \"config.toml\"\n  \
    [grid]\n  \
    seed = [1, 2, 3]\n  \
    learning_rate = [0.0075, 0.01]\n  \
    hidden = [[20, 7, 5], [30, 10]]\n\n\
    Every combination is trained, each on one thread. The folder gets rows.jsonl, a line for each as \
    it is done, and at the end sweep.csv and sweep.json. One that fails is a row with its error; the \
    exit code is 2 then.")]
pub(crate) struct Args {
    /// The grid, TOML
    #[arg(value_name = "FILE", required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// A folder or file of labelled images or numbers, or `drawn` [default: as the
    /// configuration says, else as for `train`]
    data: Option<PathBuf>,
    /// Trainings at a time, 0 for as many as there are cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    jobs: usize,
    /// Where the table goes [default: runs/sweep, or the next number]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with a sweep that was interrupted: train what has no row in its folder yet
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "data", "out"])]
    resume: Option<PathBuf>,
    #[command(flatten)]
    shard: ShardArgs,
}

/// The grid of a sweep, as its file has it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SweepFile {
    /// The configuration that the grid changes.
    #[schemars(with = "Option<String>")]
    preset: Option<Preset>,
    /// The file of that configuration, in place of a preset.
    config: Option<PathBuf>,
    /// For each key of the training, the values to try.
    #[schemars(schema_with = "grid_schema")]
    grid: Grid,
}

type Grid = BTreeMap<String, Vec<toml::Value>>;

/// Lists of values for the settings of a training.
fn grid_schema(_: &mut SchemaGenerator) -> Schema {
    let schema = settings::schema::<RawTrainConfig>();
    let lists = settings::properties(schema)
        .into_iter()
        .flatten()
        .map(|(key, setting)| (key.clone(), json!({ "type": "array", "items": setting })));
    let lists: serde_json::Map<_, _> = lists.collect();
    json_schema!({ "type": "object", "properties": lists })
}

/// One combination of the grid's values.
type Setting = BTreeMap<String, toml::Value>;

/// The result of one combination; a line of `rows.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    setting: Setting,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Outcome {
    Trained {
        train: Score,
        test: Option<Score>,
        /// 95 % interval of the test accuracy.
        test_interval: Option<(f64, f64)>,
        validation: Option<ValidationPoint>,
        /// The cost on the training images.
        cost: f64,
        iterations: usize,
        end: End,
        seconds: f64,
    },
    Failed {
        error: String,
    },
}

impl Row {
    fn test(&self) -> Option<Score> {
        match self.outcome {
            Outcome::Trained { test, .. } => test,
            Outcome::Failed { .. } => None,
        }
    }

    fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// A line of `rows.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum LogLine {
    Row(Row),
    /// The images that the rows after it were trained and judged on, as SHA-256, and what the
    /// grid's values change; the first line.
    Start {
        data_hash: String,
        training: Box<TrainConfig>,
    },
}

/// How many combinations of a sweep have come to their end.
#[derive(Debug, Serialize)]
pub(super) struct RowCounts {
    /// Combinations of the grid.
    pub(super) asked: usize,
    /// The combinations that were trained.
    pub(super) trained: usize,
    /// The combinations whose training failed.
    pub(super) failed: usize,
}

impl RowCounts {
    /// Counts the combinations of the sweep in this folder.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let (_, grid) = read(&folder.join(run::SWEEP))?;
        let mut counts = Self { asked: combinations(&grid).len(), trained: 0, failed: 0 };
        for (_, line) in lines::read(&folder.join(run::ROWS))? {
            match line {
                LogLine::Row(row) if row.is_failed() => counts.failed += 1,
                LogLine::Row(_) => counts.trained += 1,
                LogLine::Start { .. } => {}
            }
        }
        Ok(counts)
    }
}

/// Rows that differ in the seed alone.
#[derive(Debug, Serialize)]
struct SeedGroup {
    setting: Setting,
    runs: usize,
    /// The mean of the test accuracies.
    mean: f64,
    /// The standard deviation of the test accuracies, √(Σ(a − ā)²/(n − 1)).
    deviation: f64,
}

#[derive(Serialize)]
struct SweepReport {
    run: PathBuf,
    data: PathBuf,
    rows: Vec<Row>,
    groups: Vec<SeedGroup>,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let resumed = match &args.resume {
        Some(path) => {
            ensure!(
                path.join(run::SWEEP).is_file(),
                "{}: not the folder of a sweep, it has no {}",
                path.shown(),
                run::SWEEP
            );
            Some(RunFolder::open(path)?)
        }
        None => None,
    };
    let file = match (&args.file, &resumed) {
        (_, Some(folder)) => folder.file(run::SWEEP),
        (Some(file), None) => file.clone(),
        (None, None) => bail!("expected FILE, the grid"),
    };
    let (base, grid) = read(&file)?;
    let settings = combinations(&grid);
    let configs = settings
        .iter()
        .map(|setting| {
            configured(&base.training, setting).with_context(|| {
                format!("{}: {} makes no training", file.shown(), described(setting))
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let source = match (&args.data, base.source) {
        (Some(data), _) => source::of(data)?,
        (None, Some(source)) => source,
        (None, None) => source::by_default(console)?,
    };
    for config in &configs {
        source::check_memory(&source, config)?;
    }
    let splits = source::load(&source, console)?;
    let train =
        splits.train().with_context(|| format!("{}: no training images", source.data.shown()))?;
    check_classes(&source.data, train.classes())?;
    let sets = Sets::new(&splits, &configs)?;
    for config in &configs {
        sets.check(config)?;
    }
    let sets_judged = splits.iter().map(|split| &split.images as _);
    let data_hash = identity(&train.contract()?, sets_judged)?;
    if let Some(shard) = args.shard.requested() {
        let base =
            RunConfig { source: Some(source.clone()), ..RunConfig::new(base.training.clone()) };
        return run_shard(
            args,
            shard,
            &sets,
            (&settings, &configs),
            (&base, grid, data_hash),
            console,
        );
    }
    let (folder, mut rows) = match (resumed, &args.out) {
        (Some(folder), _) => {
            let rows = rows_of(&folder, &base.training, &settings, &data_hash)?;
            (folder, rows)
        }
        (None, out) => {
            let folder = match out {
                Some(path) => RunFolder::create(path, false)?,
                None => RunFolder::create_numbered("sweep")?,
            };
            (folder, vec![None; settings.len()])
        }
    };
    if args.resume.is_none() {
        // A sweep that needs nothing but its folder, and that `--config` reads as well.
        let base =
            RunConfig { source: Some(source.clone()), ..RunConfig::new(base.training.clone()) };
        folder.write(run::SWEEP, sweep_text(grid)?.as_bytes())?;
        folder.write(run::CONFIG, base.to_toml()?.as_bytes())?;
    }
    interrupt::listen()?;
    let path = folder.file(run::ROWS);
    let mut log = JsonLines::open(&path)?;
    if path.metadata().is_ok_and(|file| file.len() == 0) {
        log.append(&LogLine::Start { data_hash, training: Box::new(base.training) });
    }
    let verify = || folder.verify();
    train_missing(&sets, (&settings, &configs), args.jobs, &verify, &mut rows, log, console)?;
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    if rows.is_empty() {
        bail!(Interrupted("before the first training was done"));
    }
    finish(&folder, source.data, rows, settings.len(), console)
}

/// A grid in a folder that has its configuration beside it.
fn sweep_text(grid: Grid) -> anyhow::Result<String> {
    Ok(toml::to_string(&SweepFile { preset: None, config: Some(run::CONFIG.into()), grid })?)
}

/// What the records of shards have of a sweep, by name.
const DATA: &str = "data";
const GRID: &str = "grid";
const CONFIG: &str = "configuration";

/// Trains the combinations of a shard, which are dealt out in turn.
fn run_shard(
    args: &Args,
    shard: Shard,
    sets: &Sets,
    (settings, configs): (&[Setting], &[TrainConfig]),
    (base, grid, data_hash): (&RunConfig, Grid, String),
    console: Console,
) -> anyhow::Result<ExitCode> {
    let out = args.out.as_ref().context("--shard: the merged sweep needs a folder: --out DIR")?;
    let recorded = [
        (DATA, data_hash),
        (GRID, sweep_text(grid)?),
        (CONFIG, base.to_toml()?),
        ("processor", shard::processor()),
    ];
    let begun = args.shard.begin(shard, (out, "jsonl"), &recorded, console)?;
    let Some(open) = begun else { return Ok(ExitCode::SUCCESS) };
    interrupt::listen()?;
    let own = |i: &usize| shard.is_dealt(*i);
    let of_shard = |i: usize| (settings[i].clone(), configs[i].clone());
    let (settings, configs): (Vec<_>, Vec<_>) =
        (0..settings.len()).filter(own).map(of_shard).unzip();
    let (log, found) = open.lines::<Row>()?;
    let mut rows = vec![None; settings.len()];
    for row in found {
        insert_row(&mut rows, &settings, row);
    }
    train_missing(sets, (&settings, &configs), args.jobs, &|| Ok(()), &mut rows, log, console)?;
    if rows.iter().any(Option::is_none) {
        bail!(Interrupted("before all trainings were done; the same command goes on"));
    }
    open.finish(&rows.len(), console)
}

/// Makes the folder of a sweep from the rows of all shards.
///
/// # Errors
/// When there is such a folder, or a row is missing.
pub(crate) fn merge(args: &Args, shards: &Shards, console: Console) -> anyhow::Result<ExitCode> {
    let out = args.out.as_ref().context("expected shards of sweep with --out")?;
    let (grid, config) = (shards.setting(GRID)?, shards.setting(CONFIG)?);
    let SweepFile { grid: values, .. } = parse(grid)?;
    let base = RunConfig::parse(config)?;
    let source = base.source.context("the configuration of the shards has no data")?;
    let settings = combinations(&values);
    let mut lines = vec![None; settings.len()];
    for (text, row) in shards.lines::<Row>()? {
        insert_at_setting(&mut lines, &settings, &row.setting.clone(), (text, row));
    }
    let lines = lines.into_iter().collect::<Option<Vec<_>>>();
    let (texts, rows): (Vec<_>, Vec<_>) =
        lines.context("the shards have not a row for each combination")?.into_iter().unzip();
    let (data_hash, training) = (shards.setting(DATA)?.to_owned(), Box::new(base.training));
    let start = serde_json::to_string(&LogLine::Start { data_hash, training })?;
    let folder = RunFolder::create(out, false)?;
    folder.write(run::SWEEP, grid.as_bytes())?;
    folder.write(run::CONFIG, config.as_bytes())?;
    folder.write(run::ROWS, format!("{start}\n{}", texts.concat()).as_bytes())?;
    finish(&folder, source.data, rows, settings.len(), console)
}

/// Writes the results of a sweep into its folder, and prints them.
fn finish(
    folder: &RunFolder,
    data: PathBuf,
    rows: Vec<Row>,
    asked: usize,
    console: Console,
) -> anyhow::Result<ExitCode> {
    let report = SweepReport { run: folder.path().into(), data, groups: groups(&rows), rows };
    folder.write(run::SWEEP_CSV, &csv(&report.rows)?)?;
    let mut json = serde_json::to_vec_pretty(&report).context("cannot write JSON")?;
    json.push(b'\n');
    folder.write(run::SWEEP_JSON, &json)?;
    if report.rows.iter().any(|row| row.test().is_some()) {
        let chart = picture(&report.rows);
        folder.write_chart([run::SERIES_SVG, run::SERIES_PNG], &chart, || Ok(()))?;
    }
    print_report(&report, asked, console)?;
    let failed = report.rows.iter().filter(|row| row.is_failed()).count();
    ensure!(
        failed == 0,
        "{failed} of {asked} combinations came to no end; the table has their errors"
    );
    let all = report.rows.len() == asked;
    Ok(if all { ExitCode::SUCCESS } else { interrupt::exit_code() })
}

/// Reads the rows of a folder, in the grid's order, and removes damaged lines from their file.
fn rows_of(
    folder: &RunFolder,
    base: &TrainConfig,
    settings: &[Setting],
    data_hash: &str,
) -> anyhow::Result<Vec<Option<Row>>> {
    let mut rows = vec![None; settings.len()];
    let mut kept = String::new();
    for (text, line) in lines::read(&folder.file(run::ROWS))? {
        match line {
            LogLine::Start { data_hash: then, training } => {
                ensure!(
                    then == data_hash,
                    "{}: the sweep is of other data: their hash was {then}, and is {data_hash}",
                    folder.path().shown()
                );
                let of = |training: &TrainConfig| RunConfig::new(training.clone());
                run::refuse_changes_of_series(&of(&training), &of(base), folder.path())?;
            }
            LogLine::Row(row) => insert_row(&mut rows, settings, row),
        }
        kept += &text;
    }
    folder.write(run::ROWS, kept.as_bytes())?;
    Ok(rows)
}

/// Puts a row at the place of its combination.
fn insert_row(rows: &mut [Option<Row>], settings: &[Setting], row: Row) {
    insert_at_setting(rows, settings, &row.setting.clone(), row);
}

fn insert_at_setting<T>(found: &mut [Option<T>], settings: &[Setting], of: &Setting, what: T) {
    // Compared as text: a number from JSON and one from TOML are the same then.
    let wanted = described(of);
    if let Some(i) = settings.iter().position(|setting| described(setting) == wanted) {
        found[i] = Some(what);
    }
}

fn read(path: &Path) -> anyhow::Result<(RunConfig, Grid)> {
    let what = || format!("cannot use the sweep {}", path.shown());
    let SweepFile { preset, config, grid } =
        read_text(path).and_then(|text| parse(&text)).with_context(what)?;
    let base = match config {
        Some(config) => RunConfig::read(&path.parent().unwrap_or(Path::new("")).join(config))?,
        None => RunConfig::new(TrainConfig::preset(preset.unwrap_or(Preset::CourseDeep))),
    };
    ensure!(base.from.is_none(), "from: the trainings of a sweep start from drawn weights");
    let augments = base.augment.as_ref().is_some_and(|augment| !augment.is_off());
    ensure!(!augments, "augment: a sweep trains on images as they are");
    ensure!(base.seeds.is_none(), "seeds: a sweep has them in its grid, as seed = [1, 2, 3]");
    Ok((base, grid))
}

fn parse(text: &str) -> anyhow::Result<SweepFile> {
    /// Far more than anybody waits for; a few keys with a few values each are soon beyond memory.
    const MAX_COMBINATIONS: usize = 10_000;
    let file = SweepFile::deserialize(check_text(text, settings::schema::<SweepFile>())?)?;
    if file.preset.is_some() && file.config.is_some() {
        bail!("preset and config: expected one of them");
    }
    if let Some(preset) = file.preset.filter(|&preset| RunConfig::preset(preset).source.is_some()) {
        bail!(
            "preset {name}: it prepares the images as well; `dnn config init --preset {name}` writes it, \
             to be taken as config with its data named",
            name = preset.name()
        );
    }
    if let Some((key, _)) = file.grid.iter().find(|(_, values)| values.is_empty()) {
        bail!("grid: {key} has no values");
    }
    let n = file.grid.values().try_fold(1_usize, |n, values| n.checked_mul(values.len()));
    if n.is_none_or(|n| n > MAX_COMBINATIONS) {
        let n = n.map_or("2⁶⁴ or more".into(), |n| n.to_string());
        bail!("grid: expected at most {MAX_COMBINATIONS} combinations, got {n}");
    }
    Ok(file)
}

/// Returns every combination; the last key changes first.
fn combinations(grid: &Grid) -> Vec<Setting> {
    let mut all = vec![Setting::new()];
    for (key, values) in grid {
        let with = |setting: &Setting, value: &toml::Value| {
            let mut setting = setting.clone();
            setting.insert(key.clone(), value.clone());
            setting
        };
        all = all.iter().flat_map(|s| values.iter().map(move |v| with(s, v))).collect();
    }
    all
}

/// Returns the base configuration with these values.
fn configured(base: &TrainConfig, setting: &Setting) -> anyhow::Result<TrainConfig> {
    let schema = settings::schema::<RawTrainConfig>();
    let mut table = toml::Table::try_from(base).context("the configuration is no table")?;
    // Runs are side by side; each has a thread.
    table.insert("threads".into(), 1.into());
    change(&mut table, &setting.clone().into_iter().collect(), schema);
    settings::check_value("", &toml::Value::Table(table.clone()), schema)
        .map_err(|error| anyhow!("{}", in_words(&error)))?;
    Ok(RawTrainConfig::deserialize(table)?.try_into()?)
}

/// Returns values as text: "hidden = [20, 7, 5], seed = 1".
fn described(setting: &Setting) -> String {
    let pairs: Vec<_> = setting.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    pairs.join(", ")
}

/// The images as features in the precisions that are needed.
struct Sets {
    single: Option<TypedSets<f32>>,
    double: Option<TypedSets<f64>>,
}

struct TypedSets<F: Trainable> {
    train: Dataset<F>,
    validation: Option<Dataset<F>>,
    test: Option<Dataset<F>>,
}

/// The Gram matrices of the training images, in the precisions that are needed.
struct GramMatrices<'s> {
    single: Option<GramMatrix<'s, f32>>,
    double: Option<GramMatrix<'s, f64>>,
}

impl Sets {
    fn new(splits: &Splits, configs: &[TrainConfig]) -> anyhow::Result<Self> {
        fn pair<F: Trainable>(splits: &Splits) -> anyhow::Result<TypedSets<F>> {
            let train = splits.train().context("no training images")?;
            let contract = train.contract()?;
            ensure!(
                contract.views == 1,
                "views = {}: a sweep trains and judges images as they are",
                contract.views
            );
            let prepared =
                |set: Option<&ImageSet>| set.map(|set| set.to_dataset(&contract)).transpose();
            let (validation, test) = (prepared(splits.validation())?, prepared(splits.test())?);
            Ok(TypedSets { train: train.to_dataset(&contract)?, validation, test })
        }
        let needs = |precision| configs.iter().any(|c| c.precision.numbers() == precision);
        Ok(Self {
            single: needs(Precision::F32).then(|| pair(splits)).transpose()?,
            double: needs(Precision::F64).then(|| pair(splits)).transpose()?,
        })
    }

    fn check(&self, config: &TrainConfig) -> anyhow::Result<()> {
        let what = "these images and settings make no training";
        if let (Precision::F32, Some(pair)) = (config.precision.numbers(), &self.single) {
            pair.training(config).check().context(what)?;
        }
        if let (Precision::F64, Some(pair)) = (config.precision.numbers(), &self.double) {
            pair.training(config).check().context(what)?;
        }
        Ok(())
    }

    /// Returns what the trainings share.
    fn gram_matrices(&self) -> GramMatrices<'_> {
        GramMatrices {
            single: self.single.as_ref().map(|sets| GramMatrix::new(sets.train.x())),
            double: self.double.as_ref().map(|sets| GramMatrix::new(sets.train.x())),
        }
    }

    /// Returns `None` when the user asked to stop.
    fn train(
        &self,
        grams: &GramMatrices<'_>,
        setting: &Setting,
        config: &TrainConfig,
        bar: &ProgressBar,
    ) -> Option<Row> {
        let outcome = match (config.precision.numbers(), &self.single, &self.double) {
            (Precision::F32, Some(sets), _) => sets.train(config, grams.single.as_ref(), bar),
            (Precision::F64, _, Some(sets)) => sets.train(config, grams.double.as_ref(), bar),
            _ => Err(anyhow::anyhow!("no images in {}", config.precision)),
        };
        let failed = |error: anyhow::Error| {
            Some(Outcome::Failed { error: causes(error.as_ref()).join(": ") })
        };
        let outcome = outcome.unwrap_or_else(failed)?;
        Some(Row { setting: setting.clone(), outcome })
    }
}

impl<F: Trainable> TypedSets<F> {
    /// Trains as configured, judged by the validation set of the data when there is one.
    fn training<'a>(&'a self, config: &'a TrainConfig) -> Training<'a, F> {
        Training::new(config, &self.train)
            .validate_on(self.validation.as_ref().map(|set| set as &dyn Examples<F>))
    }

    /// Returns `None` when the user asked to stop.
    fn train(
        &self,
        config: &TrainConfig,
        gram: Option<&GramMatrix<'_, F>>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Option<Outcome>> {
        let start = Instant::now();
        let mut part = Part::of(bar);
        let observers: &mut [&mut dyn Observer] = &mut [&mut part, &mut interrupt::ends_training];
        let trained = self.training(config).gram_matrix(gram).run(observers);
        part.finish();
        let trained = trained?;
        if trained.end == End::Asked {
            return Ok(None);
        }
        let trained_on = trained.split.as_ref().map(|split| split.of(&self.train).0);
        let judged = match &trained_on {
            Some(part) => evaluate(&trained.network, part)?,
            None => evaluate(&trained.network, &self.train)?,
        };
        let test = self.test.as_ref().map(|test| evaluate(&trained.network, test)).transpose()?;
        let test = test.map(|test| test.score);
        Ok(Some(Outcome::Trained {
            train: judged.score,
            test,
            test_interval: test.map(|test| test.wilson_interval()),
            validation: trained.best,
            cost: judged.cost,
            iterations: trained.iterations,
            end: trained.end,
            seconds: start.elapsed().as_secs_f64(),
        }))
    }
}

/// Trains the combinations without a row, `jobs` at a time, until the user asks to stop. Each row
/// is written as soon as it is known.
fn train_missing(
    sets: &Sets,
    (settings, configs): (&[Setting], &[TrainConfig]),
    jobs: usize,
    verify: &(dyn Fn() -> anyhow::Result<()> + Sync),
    rows: &mut [Option<Row>],
    log: JsonLines,
    console: Console,
) -> anyhow::Result<()> {
    let missing: Vec<_> = (0..rows.len()).filter(|&i| rows[i].is_none()).collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = if jobs == 0 { cores } else { jobs }.min(missing.len());
    let next = AtomicUsize::new(0);
    let done = Mutex::new((rows, log));
    let bar = progress::series_bar(console, missing.len());
    bar.set_message(format!("{} trainings", missing.len()));
    let grams = sets.gram_matrices();
    let work = || -> anyhow::Result<()> {
        loop {
            let Some(&i) = missing.get(next.fetch_add(1, Ordering::Relaxed)) else { return Ok(()) };
            let Some(row) = sets.train(&grams, &settings[i], &configs[i], &bar) else {
                return Ok(());
            };
            verify()?;
            let (rows, log) = &mut *done.lock().unwrap_or_else(PoisonError::into_inner);
            log.append(&row);
            if let Outcome::Failed { error } = &row.outcome {
                bar.suspend(|| warn(format!("{} failed: {error}", described(&row.setting))));
            }
            rows[i] = Some(row);
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    bar.finish_and_clear();
    for result in results {
        match result {
            Ok(result) => result?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(())
}

/// Returns the groups of rows that differ in the seed alone.
fn groups(rows: &[Row]) -> Vec<SeedGroup> {
    let mut groups: Vec<(Setting, Vec<f64>)> = Vec::new();
    for row in rows {
        let mut setting = row.setting.clone();
        let (Some(_), Some(test)) = (setting.remove("seed"), row.test()) else { continue };
        match groups.iter_mut().find(|(other, _)| *other == setting) {
            Some((_, accuracies)) => accuracies.push(test.accuracy()),
            None => groups.push((setting, vec![test.accuracy()])),
        }
    }
    let group = |(setting, accuracies): (Setting, Vec<f64>)| {
        let n = accuracies.len() as f64;
        let mean = accuracies.iter().sum::<f64>() / n;
        let squares: f64 = accuracies.iter().map(|a| (a - mean).powi(2)).sum();
        SeedGroup { setting, runs: accuracies.len(), mean, deviation: (squares / (n - 1.0)).sqrt() }
    };
    groups.into_iter().filter(|(_, accuracies)| accuracies.len() > 1).map(group).collect()
}

fn csv(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let keys: Vec<_> =
        rows.first().map(|row| row.setting.keys().cloned().collect()).unwrap_or_default();
    let results = [
        "train_correct",
        "train_total",
        "test_correct",
        "test_total",
        "test_accuracy",
        "test_low",
        "test_high",
        "validation_cost",
        "cost",
        // Not `iterations`, which a grid may have as a setting.
        "trained_iterations",
        "seconds",
        "error",
    ];
    table.write_record(keys.iter().map(String::as_str).chain(results))?;
    for row in rows {
        let text = |x: Option<String>| x.unwrap_or_default();
        let mut fields: Vec<_> = row.setting.values().map(ToString::to_string).collect();
        match &row.outcome {
            Outcome::Trained {
                train,
                test,
                test_interval,
                validation,
                cost,
                iterations,
                seconds,
                ..
            } => {
                let (low, high) = test_interval.unzip();
                fields.extend([
                    train.correct.to_string(),
                    train.total.to_string(),
                    text(test.map(|t| t.correct.to_string())),
                    text(test.map(|t| t.total.to_string())),
                    text(test.map(|t| t.accuracy().to_string())),
                    text(low.map(|x| x.to_string())),
                    text(high.map(|x| x.to_string())),
                    text(validation.map(|v| v.cost.to_string())),
                    cost.to_string(),
                    iterations.to_string(),
                    format!("{seconds:.3}"),
                    String::new(),
                ]);
            }
            Outcome::Failed { error } => {
                fields.extend(vec![String::new(); results.len() - 1]);
                fields.push(error.clone());
            }
        }
        table.write_record(fields)?;
    }
    table.into_inner().context("cannot write CSV")
}

/// A row as a table has it: its settings, and its accuracies.
fn cells(row: &Row) -> Vec<String> {
    let share = |score: Score| format!("{:.2} %", 100.0 * score.accuracy());
    let results = match &row.outcome {
        Outcome::Failed { .. } => {
            ["failed".to_owned(), String::new(), String::new(), String::new()]
        }
        Outcome::Trained { train, test, validation, .. } => [
            share(*train),
            validation.map_or_else(String::new, |point| share(point.score)),
            test.map_or_else(String::new, share),
            test.map_or_else(String::new, |test| {
                let (low, high) = test.wilson_interval();
                format!("{:.2} to {:.2} %", 100.0 * low, 100.0 * high)
            }),
        ],
    };
    row.setting.values().map(ToString::to_string).chain(results).collect()
}

/// Draws the accuracies with their intervals.
fn picture(rows: &[Row]) -> Chart {
    // What all have in common tells none from another.
    let differs =
        |key: &str| rows.iter().any(|row| row.setting.get(key) != rows[0].setting.get(key));
    let row = |row: &Row| {
        let score = row.test()?;
        let setting = row.setting.iter().filter(|(key, _)| rows.len() == 1 || differs(key));
        Some(IntervalRow {
            name: described(&setting.map(|(key, value)| (key.clone(), value.clone())).collect()),
            value: Some(score.accuracy()),
            interval: Some(score.wilson_interval()),
            note: format!("{} of {}", score.correct, score.total),
            series: 0,
        })
    };
    interval_plot(
        "Test accuracy",
        "accuracy",
        false,
        &rows.iter().filter_map(row).collect::<Vec<_>>(),
    )
}

fn print_report(report: &SweepReport, asked: usize, console: Console) -> anyhow::Result<()> {
    console.json(report)?;
    let keys: Vec<&str> =
        report.rows.iter().take(1).flat_map(|row| row.setting.keys().map(String::as_str)).collect();
    let header = [&keys[..], &["training", "validation", "test", "95 % interval"]].concat();
    let rows: Vec<Vec<String>> = report.rows.iter().map(cells).collect();
    if !rows.is_empty() {
        console.text(table::aligned(&header, &rows))?;
    }
    for Row { setting, outcome } in &report.rows {
        if let Outcome::Failed { error } = outcome {
            console.text(format!("{}: failed: {error}", described(setting)))?;
        }
    }
    if report.rows.len() < asked {
        console.text(format!(
            "Interrupted: {} of {asked} were trained. To go on: {} sweep --resume {}",
            report.rows.len(),
            program(),
            argument(&report.run)
        ))?;
    }
    for SeedGroup { setting, runs, mean, deviation } in &report.groups {
        let what = if setting.is_empty() { "all".into() } else { described(setting) };
        console.text(format!(
            "{what}, {runs} seeds: test accuracy {:.2} % on average, standard deviation {:.2} points",
            100.0 * mean,
            100.0 * deviation
        ))?;
    }
    if let Some(test) = report.rows.iter().find_map(Row::test) {
        console.text(format!(
            "With {} test images, one image is {:.2} points: settings whose intervals overlap are \
             not told apart by them, and the best of many looks better than it is.",
            test.total,
            100.0 / test.total as f64
        ))?;
    }
    console.text(format!("Table: {}", report.run.join(run::SWEEP_CSV).shown()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edited::edited;
    use proptest::prelude::*;

    fn grid(text: &str) -> Grid {
        toml::from_str(text).unwrap()
    }

    proptest! {
        #[test]
        fn every_sweep_is_a_few_combinations_or_an_error(text in edited(vec![
            "preset = \"course-deep\"\n[grid]\nseed = [1, 2]\nhidden = [[20, 7], [5]]\n".into(),
            "config = \"a.toml\"\n[grid]\nlearning_rate = [0.1]\n#dropout = [0.5, 0]\n".into(),
        ])) {
            if let Ok(file) = parse(&text) {
                for setting in combinations(&file.grid) {
                    prop_assert!(!described(&setting).is_empty() || file.grid.is_empty());
                    let _ = configured(&TrainConfig::course_deep(), &setting);
                }
            }
        }
    }

    #[test]
    fn a_grid_beyond_memory_is_refused() {
        const KEYS: [&str; 9] = [
            "batch_size",
            "epochs",
            "iterations",
            "log_every",
            "patience",
            "seed",
            "shuffle_seed",
            "threads",
            "validate_every",
        ];
        let grid = |n_keys: usize, n_values: usize| {
            let values: Vec<_> = (1..=n_values).collect();
            let keys = KEYS[..n_keys].iter().map(|key| format!("{key} = {values:?}\n"));
            parse(&format!("[grid]\n{}", keys.collect::<String>()))
        };
        let error = grid(7, 4);
        assert_eq!(
            error.unwrap_err().to_string(),
            "grid: expected at most 10000 combinations, got 16384"
        );
        let error = grid(9, 256);
        assert!(error.unwrap_err().to_string().ends_with("got 2⁶⁴ or more"));
    }

    #[test]
    fn every_combination_is_made_and_checked() {
        let grid = grid("seed = [1, 2]\nhidden = [[20, 7], [5]]\nlearning_rate = [0.1]");
        let settings = combinations(&grid);
        assert_eq!(settings.len(), 4);
        assert_eq!(described(&settings[1]), "hidden = [20, 7], learning_rate = 0.1, seed = 2");
        let config = configured(&TrainConfig::course_deep(), &settings[3]).unwrap();
        assert_eq!((config.hidden.clone(), config.seed, config.threads), (vec![5], 2, 1));
        let wrong = Setting::from([("learning_rat".into(), 0.1.into())]);
        let error = configured(&TrainConfig::course_deep(), &wrong).unwrap_err().to_string();
        assert!(error.contains("did you mean `learning_rate`?"), "{error}");
    }

    #[test]
    fn a_grid_may_name_any_setting() {
        let text = "[grid]
            optimizer = [{ name = \"lion\" }, { name = \"adam\", beta1 = 0.8 }]
            init = [\"zeros\", { normal = { scale = 10 } }]
            label_smoothing = [0, 0.1]
            schedule = [{ name = \"inverse-time-steps\", every = 100, decay = 1 }]
            shuffle_seed = [3]";
        let settings = combinations(&parse(text).unwrap().grid);
        assert_eq!(settings.len(), 8);
        for setting in &settings {
            let config = configured(&TrainConfig::course_deep(), setting).unwrap();
            assert_eq!(config.shuffle_seed, Some(3));
        }
        let error = parse("[grid]\nseed = [1]\nlabel_smoothing = [0.5,\n 1]").unwrap_err();
        assert!(
            error.to_string().starts_with("line 3, `label_smoothing = [0.5,`: number 2 of grid."),
            "{error}"
        );
    }

    #[test]
    fn seeds_make_groups() {
        let row = |seed: i64, rate: f64, correct| Row {
            setting: Setting::from([("seed".into(), seed.into()), ("lr".into(), rate.into())]),
            outcome: Outcome::Trained {
                train: Score { correct: 1, total: 1 },
                test: Some(Score { correct, total: 10 }),
                test_interval: None,
                validation: None,
                cost: 0.0,
                iterations: 1,
                end: End::Completed,
                seconds: 0.0,
            },
        };
        let failed = Outcome::Failed { error: "diverged".into() };
        let failed = Row { outcome: failed, ..row(3, 0.2, 0) };
        let rows = [row(1, 0.1, 8), row(2, 0.1, 6), row(1, 0.2, 5), failed];
        let groups = groups(&rows);
        assert_eq!(groups.len(), 1, "one run is no group");
        assert!((groups[0].mean - 0.7).abs() < 1e-12);
        assert!((groups[0].deviation - 0.02_f64.sqrt()).abs() < 1e-12);
        let text = String::from_utf8(csv(&rows).unwrap()).unwrap();
        assert_eq!(text.lines().count(), 5);
        assert!(text.ends_with(",diverged\n"), "{text}");
        for row in &rows {
            let line = serde_json::to_string(row).unwrap();
            assert_eq!(serde_json::from_str::<Row>(&line).unwrap(), *row, "{line}");
        }
        assert!(text.starts_with("lr,seed,train_correct"), "{text}");
    }
}
