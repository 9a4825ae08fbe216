//! `dnn train`, and `dnn` alone.

use crate::args::{DrawArgs, NameArgs, TrainingArgs};
use crate::console::{Console, argument, interval, of_how_many, program};
use crate::figure::cost_plot::{CostPlot, SIZE, Series};
use crate::interrupt;
use crate::progress::Progress;
use crate::run::{self, MetricsLog, RunConfig, RunFolder, Seconds, Summary};
use crate::source::{self, DRAWN, DatasetNames, Source};
use anyhow::{Context, bail};
use dnn_core::{AnyNetwork, Dataset, InputContract, Model, Network, Precision, Real};
use dnn_data::{ImageSet, Splits};
use dnn_train::{Flow, IterationEvent, Observer, Preset, TrainConfig, Trained};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Train a network and keep it, with everything needed to repeat the run
#[derive(Debug, clap::Args)]
#[command(after_help = "The run's folder gets config.toml, metrics.jsonl, model.safetensors, \
    summary.json, cost.svg and cost.png.")]
pub(crate) struct Args {
    /// A folder with a training and a test file, an HDF5 file, or `drawn` [default: data/ when the
    /// cat images are there, else drawn]
    data: Option<PathBuf>,
    /// An HDF5 file with the test images
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
    training: TrainingArgs,
    /// Start from a configuration, for example the config.toml of a run; flags change it
    #[arg(long, value_name = "FILE.toml", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// The run's folder [default: runs/PRESET, or the next number]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the run that is in --out
    #[arg(long, requires = "out")]
    force: bool,
}

/// `dnn` without a subcommand: the course's deep network, on what images there are.
pub(crate) fn main_job(console: Console) -> anyhow::Result<ExitCode> {
    let config =
        RunConfig { source: Some(default_source(console)?), training: TrainConfig::course_deep() };
    train(&config, &Place::Numbered(Preset::CourseDeep.name()), console)
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let preset = args.training.preset.unwrap_or(Preset::CourseDeep);
    let (base, name) = match &args.config {
        Some(path) => (RunConfig::read(path)?, "run"),
        None => (RunConfig { source: None, training: TrainConfig::preset(preset) }, preset.name()),
    };
    let source = source_of(args, base.source, console)?;
    let training =
        apply(base.training, &args.training).context("these settings make no training")?;
    let config = RunConfig { source: Some(source), training };
    let place = match &args.out {
        Some(path) => Place::Folder { path, force: args.force },
        None => Place::Numbered(name),
    };
    train(&config, &place, console)
}

fn default_source(console: Console) -> anyhow::Result<Source> {
    if let Some(data) = source::fetched() {
        return Source { data, ..Source::default() }.absolute(Path::new(""));
    }
    console.say(source::how_to_fetch())?;
    Ok(Source::drawn())
}

/// The source of the configuration, changed by the flags.
fn source_of(args: &Args, base: Option<Source>, console: Console) -> anyhow::Result<Source> {
    let mut source = match (&args.data, base) {
        (Some(data), _) => Source::new(data, &args.names, &args.draw)?,
        (None, Some(base)) => base.with(&args.names, &args.draw)?,
        (None, None) if args.names.x.is_some() => bail!("--x and --y need DATA, an HDF5 file"),
        (None, None) if args.draw.any() => Source::new(DRAWN.as_ref(), &args.names, &args.draw)?,
        (None, None) => default_source(console)?,
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
    source.check()?;
    source.absolute(Path::new(""))
}

/// The configuration with what the flags ask for.
fn apply(base: TrainConfig, args: &TrainingArgs) -> Result<TrainConfig, dnn_train::ConfigError> {
    base.with(|config| {
        if let Some(layers) = &args.layers {
            config.hidden.clone_from(&layers.0);
        }
        set(&mut config.activation, args.activation);
        set(&mut config.init, args.init);
        set(&mut config.seed, args.seed);
        set(&mut config.rng, args.rng);
        set(&mut config.learning_rate, args.lr);
        set(&mut config.iterations, args.iterations);
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
enum Place<'a> {
    Folder { path: &'a Path, force: bool },
    Numbered(&'a str),
}

impl Place<'_> {
    fn create(&self) -> anyhow::Result<RunFolder> {
        match *self {
            Self::Folder { path, force } => RunFolder::create(path, force),
            Self::Numbered(name) => RunFolder::create_numbered(name),
        }
    }
}

/// Trains as configured.
fn train(config: &RunConfig, place: &Place<'_>, console: Console) -> anyhow::Result<ExitCode> {
    interrupt::listen()?;
    let start = Instant::now();
    let source = config.source.as_ref().context("no data given")?;
    let Splits { train, test, .. } = source.load()?;
    let Some(train) = train else {
        bail!("{}: no training images, only test images", source.data.display());
    };
    let sets = Sets { train, test, start };
    match config.training.precision {
        Precision::F32 => train_in::<f32>(config, source, &sets, place, console),
        Precision::F64 => train_in::<f64>(config, source, &sets, place, console),
    }
}

/// The images, and when their loading began.
struct Sets {
    train: ImageSet,
    test: Option<ImageSet>,
    start: Instant,
}

/// Everything that can be wrong with the input is found before the run's folder is made, so that a
/// mistake leaves nothing behind.
fn train_in<F: Real>(
    config: &RunConfig,
    source: &Source,
    sets: &Sets,
    place: &Place<'_>,
    console: Console,
) -> anyhow::Result<ExitCode>
where
    Network<F>: Into<AnyNetwork>,
{
    let contract = sets.train.contract()?;
    let dataset = |set: &ImageSet| set.to_dataset::<F>(&contract);
    let train = dataset(&sets.train)?;
    let test = sets.test.as_ref().map(dataset).transpose()?;
    config
        .training
        .architecture(contract.n_features(), sets.train.classes().len())
        .context("these images and settings make no network")?;
    let load = sets.start.elapsed().as_secs_f64();

    let folder = place.create()?;
    folder.write(run::CONFIG, config.to_toml()?.as_bytes())?;
    let mut log = MetricsLog::create(&folder.file(run::METRICS))?;

    let start = Instant::now();
    let mut progress = Progress::new(console, config.training.iterations);
    let mut stop = |_: &IterationEvent| {
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    };
    let observers: &mut [&mut dyn Observer] = &mut [&mut log, &mut progress, &mut stop];
    let trained = dnn_train::train(&config.training, &train, observers);
    progress.finish();
    let trained = trained
        .with_context(|| format!("training in {} came to no end", folder.path().display()))?;
    let trained_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let Trained { network, costs, iterations, stopped, engine } = trained;
    let judge = |data: &Dataset<F>| dnn_train::evaluate(&network, data);
    let (train, test) = (judge(&train)?, test.as_ref().map(judge).transpose()?);
    let evaluate = start.elapsed().as_secs_f64();

    let summary = Summary {
        model: folder.file(run::MODEL),
        run: folder.path().into(),
        data: source.data.clone(),
        test_data: source.test.clone(),
        architecture: network.architecture(),
        classes: sets.train.classes().to_vec(),
        engine: engine.into(),
        precision: F::PRECISION,
        iterations,
        stopped,
        costs,
        final_cost: train.cost,
        train: train.score,
        test: test.map(|test| test.score),
        seconds: Seconds { load, train: trained_s, evaluate },
        version: env!("CARGO_PKG_VERSION").into(),
    };
    keep(&folder, network, contract, &summary, config.training.learning_rate)?;
    report(&summary, source, console)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes what training has come to, the model first.
fn keep<F: Real>(
    folder: &RunFolder,
    network: Network<F>,
    contract: InputContract,
    summary: &Summary,
    learning_rate: f64,
) -> anyhow::Result<()>
where
    Network<F>: Into<AnyNetwork>,
{
    let mut bytes = Vec::new();
    Model::new(network, summary.classes.clone(), contract)?.write(&mut bytes)?;
    folder.write(run::MODEL, &bytes)?;
    let points: Vec<_> = summary.costs.iter().map(|p| (p.iteration, p.cost)).collect();
    let title = format!("Learning rate = {learning_rate}");
    let architecture = summary.architecture.to_string();
    let plot = CostPlot {
        title: &title,
        subtitle: &architecture,
        series: &[Series { name: "cost", points: &points }],
        size: SIZE,
    };
    plot.write_svg(&folder.file(run::COST_SVG))?;
    plot.write_png(&folder.file(run::COST_PNG))?;
    let mut json = serde_json::to_vec_pretty(summary).context("cannot write JSON")?;
    json.push(b'\n');
    folder.write(run::SUMMARY, &json)
}

fn report(summary: &Summary, source: &Source, console: Console) -> anyhow::Result<()> {
    console.json(summary)?;
    let Summary { architecture, iterations, engine, precision, final_cost, .. } = summary;
    if !console.quiet {
        let stopped = if summary.stopped { "Stopped" } else { "Trained" };
        let seconds = summary.seconds.train;
        console.text(format!(
            "\n{stopped} {architecture} after {iterations} iterations in {seconds:.2} s \
             ({engine} engine, {precision}); cost now {final_cost:.6}"
        ))?;
    }
    console.text(format!("Training accuracy: {}", of_how_many(summary.train)))?;
    let test = summary.test.map_or("no test images".into(), |test| {
        format!("{}, {}", of_how_many(test), interval(test))
    });
    console.text(format!("Test accuracy:     {test}"))?;
    let run = argument(&summary.run);
    console.text(format!("Run folder:        {}", summary.run.display()))?;
    if console.quiet {
        return Ok(());
    }
    let dnn = program();
    let data = source.arguments();
    let split = if summary.test.is_some() { "" } else { " --split train" };
    console.text(format!(
        "\nNext:\n  {dnn} evaluate {run} {data}{split} --mislabeled mislabeled.png\n  \
         {dnn} predict {run} PHOTO.jpg\n  {dnn} inspect {run}"
    ))
}
