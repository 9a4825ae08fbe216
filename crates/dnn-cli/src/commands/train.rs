//! `dnn train`, and `dnn` alone.

use super::folds;
use crate::args::{DrawArgs, NameArgs, TrainingArgs};
use crate::console::{self, Console, argument, interval, of_how_many, program};
use crate::file::write_chart;
use crate::input::InputArgs;
use crate::interrupt::{self, Interrupted};
use crate::prepared::Prepared;
use crate::progress::Progress;
use crate::run::{
    self, CheckpointStore, Every, Machine, MetricsLog, RunConfig, RunFolder, Seconds, Summary,
};
use crate::source::{DRAWN, DatasetNames, Source};
use crate::spec::augmentation;
use anyhow::{Context, bail};
use dnn_core::{AnyNetwork, Examples, InputContract, Model, Network, Precision, Real};
use dnn_data::augment::AugmentConfig;
use dnn_report::{Series, cost_plot};
use dnn_train::schedule::Schedule;
use dnn_train::{End, Observer, Preset, TrainConfig, Trainable, Training};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Train a network and keep it, with everything needed to repeat the run
#[derive(Debug, clap::Args)]
#[command(after_help = "The run's folder gets config.toml, metrics.jsonl, model.safetensors, \
    summary.json, cost.svg and cost.png, and checkpoints/ to go on from.")]
pub(crate) struct Args {
    /// A folder or file of labelled images or numbers (HDF5, idx as MNIST, .npz, CIFAR-10, CSV),
    /// or `drawn` [default: data/ when the cat images are there, else drawn]
    data: Option<PathBuf>,
    /// A file or folder with the test images
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    #[command(flatten)]
    names: NameArgs,
    /// Dataset of the test images in --test, or in DATA
    #[arg(long, value_name = "NAME", requires = "test_y")]
    test_x: Option<String>,
    /// Dataset of the test labels
    #[arg(long, value_name = "NAME", requires = "test_x")]
    test_y: Option<String>,
    #[command(flatten)]
    draw: DrawArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Change the training images at random in every epoch: light, medium, strong, or settings such
    /// as flip=0.5,rotation=15 (`dnn data preview` shows them)
    #[arg(long, value_name = "STRENGTH|KEY=F,…", value_parser = augmentation)]
    augment: Option<AugmentConfig>,
    #[command(flatten)]
    training: TrainingArgs,
    /// Start from a configuration, for example the config.toml of a run; flags change it
    #[arg(long, value_name = "FILE.toml", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// Memory for all of it, 512M or 2G: when that is not enough, images stay in their HDF5 file
    /// (others are written to one in the cache first) and are read while training goes on
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory_limit: Option<u64>,
    /// Images to judge by while training: a file or folder
    #[arg(long, value_name = "FILE", conflicts_with = "validation")]
    validation_data: Option<PathBuf>,
    /// Train K networks, each judged on a K-th of the training images that it has not seen, in
    /// place of one; keeps no model
    #[arg(long, value_name = "K", conflicts_with_all = ["resume", "validation", "validation_data",
          "checkpoint_every"])]
    folds: Option<usize>,
    /// Keep a checkpoint every N iterations, Nepochs or Ns (seconds); the last two, and the best
    #[arg(long, value_name = "N|Nepochs|Ns")]
    checkpoint_every: Option<Every>,
    /// Go on with an interrupted run, from its last checkpoint; ends as if never interrupted
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "preset", "out"])]
    resume: Option<PathBuf>,
    /// With --resume: from the checkpoint before the last one
    #[arg(long, requires = "resume")]
    previous: bool,
    /// The run's folder [default: runs/PRESET, or the next number]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the run that is in --out
    #[arg(long, requires = "out")]
    force: bool,
}

/// `dnn` without a subcommand: the course's deep network, on what images there are.
pub(crate) fn main_job(console: Console) -> anyhow::Result<ExitCode> {
    let config = RunConfig {
        source: Some(Source::usual(console)?),
        ..RunConfig::new(TrainConfig::course_deep())
    };
    train(&config, &Place::Numbered(Preset::CourseDeep.name()), console)
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let preset = args.training.preset.unwrap_or(Preset::CourseDeep);
    let (base, name) = match (&args.config, &args.resume) {
        (Some(path), _) => (RunConfig::read(path)?, "run"),
        (_, Some(run)) => (RunConfig::read(&RunFolder::open(run)?.file(run::CONFIG))?, "run"),
        _ => (RunConfig::new(TrainConfig::preset(preset)), preset.name()),
    };
    let mut source = source_of(args, base.source, console)?;
    if let Some(path) = &args.validation_data {
        source = source.with_validation(path)?;
    }
    let training =
        apply(base.training, &args.training).context("these settings make no training")?;
    let checkpoint_every = args.checkpoint_every.or(base.checkpoint_every);
    let augment = args.augment.or(base.augment);
    let config = RunConfig { checkpoint_every, source: Some(source), augment, training };
    let place = match (&args.resume, &args.out) {
        (Some(path), _) => Place::Resume { path, previous: args.previous },
        (None, Some(path)) => Place::Folder { path, force: args.force },
        (None, None) => Place::Numbered(name),
    };
    if let Some(k) = args.folds {
        return folds::run(&config, &place, k, console);
    }
    train(&config, &place, console)
}

/// The source of the configuration, changed by the flags.
fn source_of(args: &Args, base: Option<Source>, console: Console) -> anyhow::Result<Source> {
    let mut source = match (&args.data, base) {
        (Some(data), _) => Source::new(data, &args.names, &args.draw)?,
        (None, Some(base)) => base.with(&args.names, &args.draw)?,
        (None, None) if args.names.x.is_some() => {
            bail!("--x and --y need DATA, an HDF5 or .npz file")
        }
        (None, None) if args.names.label.is_some() => bail!("--label needs DATA, a table (CSV)"),
        (None, None) if args.draw.any() => Source::new(DRAWN.as_ref(), &args.names, &args.draw)?,
        (None, None) => Source::usual(console)?,
    };
    if let Some(test) = &args.test {
        source.test = Some(test.clone());
        source.test_names = None;
    }
    let class_names = args.names.class_names.as_ref();
    if let Some(names) = DatasetNames::new(args.test_x.as_ref(), args.test_y.as_ref(), class_names)
    {
        source.test_names = Some(names);
    }
    source.input = args.input.change(source.input);
    source.caching = args.input.cache.caching();
    source.memory_limit = args.memory_limit.or(source.memory_limit);
    source.check()?;
    source.absolute(Path::new(""))
}

/// The configuration with what the flags ask for.
fn apply(base: TrainConfig, args: &TrainingArgs) -> Result<TrainConfig, dnn_train::ConfigError> {
    base.with(|config| {
        if let Some(layers) = &args.layers {
            config.hidden.clone_from(&layers.0);
        }
        match args.activation.as_deref() {
            None => {}
            Some(&[all]) => {
                config.activation = all;
                config.activations.clear();
            }
            Some(each) => config.activations = each.to_vec(),
        }
        set(&mut config.loss, args.loss);
        set(&mut config.init, args.init);
        set(&mut config.seed, args.seed);
        set(&mut config.rng, args.rng);
        set(&mut config.learning_rate, args.lr);
        set(&mut config.schedule, args.schedule);
        set(&mut config.optimizer, args.optimizer);
        if args.iterations.is_some() {
            config.epochs = 0;
        }
        set(&mut config.iterations, args.iterations);
        set(&mut config.epochs, args.epochs);
        set(&mut config.batch_size, args.batch_size);
        set(&mut config.l2, args.l2);
        set(&mut config.dropout, args.dropout);
        set(&mut config.clip_norm, args.clip_norm);
        if let Some(weights) = &args.class_weights {
            config.class_weights.clone_from(weights);
        }
        set(&mut config.validation, args.validation);
        set(&mut config.validate_every, args.validate_every);
        set(&mut config.patience, args.patience);
        set(&mut config.monitor, args.monitor);
        config.restore_best |= args.restore_best;
        set(&mut config.log_every, args.log_every);
        set(&mut config.precision, args.precision);
        set(&mut config.engine, args.engine);
        set(&mut config.threads, args.threads);
    })
}

fn set<T: Copy>(value: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *value = flag;
    }
}

/// Where a run goes.
pub(super) enum Place<'a> {
    Folder { path: &'a Path, force: bool },
    Numbered(&'a str),
    Resume { path: &'a Path, previous: bool },
}

impl Place<'_> {
    pub(super) fn open(&self) -> anyhow::Result<RunFolder> {
        match *self {
            Self::Folder { path, force } => RunFolder::create(path, force),
            Self::Numbered(name) => RunFolder::create_numbered(name),
            Self::Resume { path, .. } => RunFolder::open(path),
        }
    }
}

/// Trains as configured.
fn train(config: &RunConfig, place: &Place<'_>, console: Console) -> anyhow::Result<ExitCode> {
    match config.training.precision {
        Precision::F32 => train_in::<f32>(config, place, console),
        Precision::F64 => train_in::<f64>(config, place, console),
    }
}

/// A number of bytes: 4096, 512k, 512M, 2G.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err("expected bytes, as 512M or 2G".into()),
    };
    let n = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n > 0);
    n.ok_or_else(|| "expected bytes, as 512M or 2G".into())
}

/// Everything that can be wrong with the input is found before the run's folder is made, so that a
/// mistake leaves nothing behind.
fn train_in<F: Trainable>(
    config: &RunConfig,
    place: &Place<'_>,
    console: Console,
) -> anyhow::Result<ExitCode>
where
    Network<F>: Into<AnyNetwork>,
{
    let source = config.source.as_ref().context("no data given")?;
    let augment = config.augment.filter(|augment| !augment.is_off());
    let data = Prepared::<F>::load(source, augment, &config.training, console)?;
    let Prepared { train, test, validation, contract, data_hash, start } = data;
    let training = Training::new(&config.training, &*train).validate_on(validation.as_deref());
    training.check().context("these images and settings make no training")?;
    let load = start.elapsed().as_secs_f64();

    let folder = place.open()?;
    let _lock = run::lock(folder.path())?;
    let checkpoint = match *place {
        Place::Resume { path, previous } => run::read_checkpoint(path, previous)?,
        _ => None,
    };
    let mut log = if let Place::Resume { .. } = place {
        let iteration = checkpoint.as_ref().map_or(0, |c| c.progress().iteration);
        console.say(format!("Going on after iteration {iteration}"))?;
        MetricsLog::resume(&folder.file(run::METRICS), iteration)?
    } else {
        MetricsLog::create(&folder.file(run::METRICS))?
    };
    folder.write(run::CONFIG, config.to_toml()?.as_bytes())?;

    let start = Instant::now();
    let n_iterations = config.training.n_iterations(train.n_examples());
    let mut progress = Progress::new(console, n_iterations);
    let mut store = CheckpointStore::new(folder.path(), config.checkpoint_every);
    let observers: &mut [&mut dyn Observer] =
        &mut [&mut log, &mut progress, &mut store, &mut interrupt::ends_training];
    interrupt::listen()?;
    let trained =
        training.identified_by(&data_hash).resume_from(checkpoint.as_ref()).run(observers);
    progress.finish();
    let trained = trained
        .with_context(|| format!("training in {} came to no end", folder.path().display()))?;
    if trained.end == End::Asked && trained.iterations == 0 {
        bail!(Interrupted("before the first iteration was done"));
    }
    let trained_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let layers = dnn_train::diagnose(&trained.network, &*train, &trained.health)?;
    let architecture = trained.network.architecture();
    let findings = dnn_train::findings(&layers, &architecture.activations);
    let judge = |data: &dyn Examples<F>| dnn_train::evaluate(&trained.network, data);
    let classes = train.classes().to_vec();
    let (train, test) = (judge(&*train)?, test.as_deref().map(judge).transpose()?);
    let evaluate = start.elapsed().as_secs_f64();

    let summary = Summary {
        model: folder.file(run::MODEL),
        run: folder.path().into(),
        data: source.data.clone(),
        test_data: source.test.clone(),
        architecture,
        classes,
        engine: trained.engine.into(),
        precision: F::PRECISION,
        iterations: trained.iterations,
        end: trained.end,
        costs: trained.costs,
        validations: trained.validations,
        best: trained.best,
        layers,
        findings,
        final_cost: train.cost,
        train: train.score,
        test: test.map(|test| test.score),
        seconds: Seconds { load, train: trained_s, evaluate },
        data_hash,
        config: config.training.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        machine: Machine::here(),
    };
    keep(&folder, trained.network, contract, &summary)?;
    report(&summary, source, console)?;
    Ok(if trained.end == End::Asked { interrupt::exit_code() } else { ExitCode::SUCCESS })
}

/// Writes what training has come to, the model first.
fn keep<F: Real>(
    folder: &RunFolder,
    network: Network<F>,
    contract: InputContract,
    summary: &Summary,
) -> anyhow::Result<()>
where
    Network<F>: Into<AnyNetwork>,
{
    let mut bytes = Vec::new();
    Model::new(network, summary.classes.clone(), contract)?.write(&mut bytes)?;
    folder.write(run::MODEL, &bytes)?;
    let mut points: Vec<_> = summary.costs.iter().map(|p| (p.iteration, p.cost)).collect();
    if points.len() == 1 {
        // One point is no curve; the cost after training is the next there is.
        points.push((summary.iterations, summary.final_cost));
    }
    let title = learning_rate(&summary.config);
    let architecture = summary.architecture.to_string();
    let series = [Series { name: "cost", points: &points }];
    let chart = cost_plot(&title, &architecture, &series);
    for name in [run::COST_SVG, run::COST_PNG] {
        // Twice as fine as on the screen, for print and for dense screens.
        write_chart(&folder.file(name), &chart, 2)?;
    }
    let mut json = serde_json::to_vec_pretty(summary).context("cannot write JSON")?;
    json.push(b'\n');
    folder.write(run::SUMMARY, &json)
}

/// The course's title of the cost plot, or what the schedule makes of the learning rate.
fn learning_rate(config: &TrainConfig) -> String {
    let rate = console::number(config.learning_rate);
    match config.schedule {
        Schedule::Constant => format!("Learning rate = {rate}"),
        Schedule::Step { every, factor } => {
            format!("Learning rate {rate}, times {} every {every} epochs", console::number(factor))
        }
        Schedule::Exponential { factor } => {
            format!("Learning rate {rate}, times {} every epoch", console::number(factor))
        }
        Schedule::InverseTime { decay } => {
            format!("Learning rate {rate} / (1 + {} · epoch)", console::number(decay))
        }
        Schedule::Cosine { warmup, minimum } => {
            let rise = match warmup {
                0 => String::new(),
                n => format!(" after {n} iterations of rise"),
            };
            format!("Learning rate {rate} to {} on a cosine{rise}", console::number(minimum))
        }
        Schedule::Plateau { factor, .. } => {
            format!("Learning rate {rate}, times {} on plateaus", console::number(factor))
        }
    }
}

fn report(summary: &Summary, source: &Source, console: Console) -> anyhow::Result<()> {
    console.json(summary)?;
    let Summary { architecture, iterations, engine, precision, final_cost, .. } = summary;
    if !console.quiet {
        let stopped = match summary.end {
            End::Completed => "Trained",
            End::Asked => "Stopped",
            End::Early => "Stopped early",
        };
        let seconds = summary.seconds.train;
        console.text(format!(
            "\n{stopped} {architecture} after {iterations} iterations in {seconds:.2} s \
             ({engine} engine, {precision}); cost now {}",
            console::cost(*final_cost)
        ))?;
    }
    console.text(format!("Training accuracy: {}", of_how_many(summary.train)))?;
    let test = summary.test.map_or("no test images".into(), |test| {
        format!("{}, {}", of_how_many(test), interval(test))
    });
    console.text(format!("Test accuracy:     {test}"))?;
    if let Some(best) = summary.best {
        let (kept, cost) = (summary.config.restore_best, best.cost);
        console.text(format!(
            "Best validation:   {}, cost {cost:.6}, after iteration {}{}",
            of_how_many(best.score),
            best.iteration,
            if kept { ": these weights are kept" } else { "" }
        ))?;
    }
    let run = argument(&summary.run);
    console.text(format!("Run folder:        {}", summary.run.display()))?;
    if console.quiet {
        return Ok(());
    }
    for finding in &summary.findings {
        console.text(format!("Note: {finding}"))?;
    }
    let dnn = program();
    if summary.end == End::Asked {
        console.text(format!("To go on: {dnn} train --resume {run}"))?;
    }
    let data = source.arguments();
    let split = if summary.test.is_some() { "" } else { " --split train" };
    console.text(format!(
        "\nNext:\n  {dnn} evaluate {run} {data}{split} --mislabeled mislabeled.png\n  \
         {dnn} predict {run} PHOTO.jpg\n  {dnn} inspect {run}"
    ))
}
