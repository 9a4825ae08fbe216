//! `dnn train`, and `dnn` alone.

use super::folds;
use crate::args::{Augmentation, DataArgs, choice};
use crate::console::{self, Console, argument, causes, interval, of_how_many, program, warn};
use crate::input::InputArgs;
use crate::interrupt::{self, Interrupted};
use crate::judge::data_of_run;
use crate::progress::Progress;
use crate::quality::Majority;
use crate::ranks;
use crate::recipes;
use crate::run::{
    self, Destination, Machine, Recorder, RunConfig, RunFolder, Seconds, SeedScore, Summary,
};
use crate::settings::{FlagGroup, Flags};
use crate::source::{self, PresetChoice, Start, loading};
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::{ConformalScores, Score};
use dnn_core::settings;
use dnn_core::{Examples, Network, Precision, Real};
use dnn_data::Shown;
use dnn_data::loader::{DataConfig, Prepared};
use dnn_data::{AnyNetwork, InputContract, Model, Names, Normalization};
use dnn_train::config::RawTrainConfig;
use dnn_train::engine::GramMatrix;
use dnn_train::schedule::Schedule;
use dnn_train::{End, Observer, Preset, TrainConfig, Trainable, Training};
use serde::Deserialize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

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
    of_data: DataArgs,
    /// Dataset of the test images in --test, or in DATA
    #[arg(long, value_name = "NAME", requires = "test_y")]
    test_x: Option<String>,
    /// Dataset of the test labels
    #[arg(long, value_name = "NAME", requires = "test_x")]
    test_y: Option<String>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    augment: Flags<Augmentation>,
    /// Start from this configuration; auto looks at the data: course-deep for the course's images and
    /// drawn ones, photos for few colour images, digits for others, table for rows of numbers; of 5,000
    /// examples at most it compares recipes by cross-validation and takes the best [default: auto]
    #[arg(long, value_name = "PRESET", value_parser = choice(&PresetChoice::all()),
          help_heading = "Training")]
    preset: Option<PresetChoice>,
    /// Train N networks that differ in their seeds alone, and say how far their test accuracies are
    /// apart; the first is kept
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "folds"], help_heading = "Run",
          value_parser = clap::value_parser!(u32).range(2..))]
    seeds: Option<u32>,
    #[command(flatten)]
    training: Flags<TrainingFlags>,
    /// Start from a configuration, for example the config.toml of a run; flags change it
    #[arg(long, value_name = "FILE.toml", conflicts_with = "preset", help_heading = "Training")]
    config: Option<PathBuf>,
    #[command(flatten)]
    memory: Flags<MemoryFlags>,
    /// Images to judge by while training: a file or folder
    #[arg(long, value_name = "FILE", conflicts_with = "validation", help_heading = "Input")]
    validation_data: Option<PathBuf>,
    /// Train K networks, each judged on a K-th of the training images that it has not seen, in
    /// place of one; keeps no model
    #[arg(long, value_name = "K", conflicts_with_all = ["resume", "validation", "validation_data",
          "checkpoint-every"], help_heading = "Run")]
    folds: Option<usize>,
    /// Start from the weights of this model, or run, in place of drawn ones (its layers and how its images
    /// were prepared are taken as well); the output layer is drawn anew when there are other classes
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["resume", "folds", "seeds"],
          help_heading = "Training")]
    from: Option<PathBuf>,
    #[command(flatten)]
    checkpoints: Flags<CheckpointFlags>,
    /// Go on with an interrupted run, from its last checkpoint; ends as if never interrupted. With
    /// more --iterations or --epochs, go on with a finished one; with a folder of --folds, train
    /// those that are missing
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "preset", "out"], help_heading = "Run")]
    resume: Option<PathBuf>,
    /// With --resume: from the checkpoint before the last one
    #[arg(long, requires = "resume", help_heading = "Run")]
    previous: bool,
    /// The run's folder [default: runs/PRESET, or the next number]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    out: Option<PathBuf>,
    /// Replace the run that is in --out
    #[arg(long, requires = "out", conflicts_with = "resume", help_heading = "Run")]
    force: bool,
}

/// The flags of the configuration's table `training`.
#[derive(Debug, Clone)]
struct TrainingFlags;

impl FlagGroup for TrainingFlags {
    type Settings = RawTrainConfig;
    const HEADING: &'static str = "Training";
}

/// The flag of the memory limit.
#[derive(Debug, Clone)]
struct MemoryFlags;

impl FlagGroup for MemoryFlags {
    type Settings = DataConfig;
    const HEADING: &'static str = "Input";
    const GROUP: Option<&'static str> = Some("memory");
}

/// The flag of the checkpoints' interval.
#[derive(Debug, Clone)]
struct CheckpointFlags;

impl FlagGroup for CheckpointFlags {
    type Settings = RunConfig;
    const HEADING: &'static str = "Run";
    const GROUP: Option<&'static str> = Some("checkpoints");
}

/// Runs `dnn` without a subcommand: trains the course's deep network on the real images if they are there,
/// otherwise on drawn ones.
pub(crate) fn run_default(console: Console) -> anyhow::Result<ExitCode> {
    let config = RunConfig {
        source: Some(source::by_default(console)?),
        ..RunConfig::new(TrainConfig::course_deep())
    };
    train(&config, Destination::Numbered(Preset::CourseDeep.name()), console)
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    if let Some(run) = &args.resume {
        return resume(args, run, console);
    }
    let (base, name, is_open) = match (&args.config, args.preset) {
        (Some(path), _) => (RunConfig::read(path)?, "run", false),
        (None, choice) => {
            let data = (args.data.as_deref(), &args.of_data, &args.input);
            let Start { preset, config, is_open } = source::preset(choice, data, console)?;
            (config, preset.name(), is_open && leaves_recipe_open(args))
        }
    };
    ensure!(
        args.from.is_none()
            || !["hidden", "normalization"].iter().any(|key| args.training.gives(key)),
        "--layers, --normalization: a network that starts --from a model has its layers; only the output \
         layer may differ"
    );
    let base = match &args.from {
        Some(model) => started_from(model, base)?,
        None => base,
    };
    let mut config = configured(args, base, console)?;
    if is_open && let Some(source) = config.source.take() {
        let configured = |recipe| configured(args, recipe, console);
        config = recipes::chosen(&source, &configured, console)?;
    }
    let destination = match &args.out {
        Some(path) => Destination::Folder { path, force: args.force },
        None => Destination::Numbered(name),
    };
    if let Some(k) = args.folds {
        ranks::only_one("--folds")?;
        return folds::run(&config, destination, k, console);
    }
    train(&config, destination, console)
}

/// Whether the flags say nothing of what recipes differ in, and the data are held in memory.
fn leaves_recipe_open(args: &Args) -> bool {
    let of_network = ["hidden", "activation", "activations", "normalization", "time"];
    args.from.is_none()
        && !args.memory.any()
        && !args.augment.any()
        && !args.input.features.any()
        && !of_network.into_iter().any(|key| args.training.gives(key))
}

/// Returns the configuration with the layers and the weights of the model of `--from`.
fn started_from(model: &Path, base: RunConfig) -> anyhow::Result<RunConfig> {
    let (model, path) = run::read_model(model)?;
    let architecture = model.network().architecture();
    let hidden = &architecture.layer_dims[1..architecture.layer_dims.len() - 1];
    let training = base.training.with(|training| {
        (training.hidden, training.activations) = (hidden.to_vec(), architecture.activations);
        training.normalization = architecture.normalization;
        training.precision = model.network().precision().into();
    })?;
    let from = std::path::absolute(path).context("no current folder")?;
    // How a preset prepares images gives way to how the model's were.
    let source = base.source.filter(|source| !source.data.as_os_str().is_empty());
    Ok(RunConfig { from: Some(from), source, training, ..base })
}

/// Returns the configuration changed by the flags.
fn configured(args: &Args, base: RunConfig, console: Console) -> anyhow::Result<RunConfig> {
    let mut source = source_of(args, base.source, base.from.as_deref(), console)?;
    if let Some(path) = &args.validation_data {
        source.validation = Some(std::path::absolute(path).context("no current folder")?);
    }
    let training = args.training.on(&base.training)?;
    let mut training = RawTrainConfig::deserialize(training)?;
    // A run that goes on has those it was begun with.
    if args.resume.is_none() {
        training.micro_shards = training.micro_shards.or(ranks::default_micro_shards());
    }
    let training = TrainConfig::try_from(training).context("these settings make no training")?;
    let checkpoint_every = args.checkpoints.value("checkpoint_every")?.or(base.checkpoint_every);
    let augment = args.augment.value("augment")?.or(base.augment);
    let (from, seeds) = (base.from, args.seeds.or(base.seeds));
    Ok(RunConfig { checkpoint_every, from, seeds, source: Some(source), augment, training })
}

/// Resumes the run in `path`. Every check comes before the first write.
fn resume(args: &Args, path: &Path, console: Console) -> anyhow::Result<ExitCode> {
    ensure!(
        !path.join(run::SWEEP).exists(),
        "{path} is the folder of a sweep: {} sweep --resume {path}",
        program(),
        path = path.shown()
    );
    let folder = ranks::is_first().then(|| RunFolder::open(path)).transpose()?;
    let recorded = RunConfig::read(&path.join(run::CONFIG))?;
    let checkpoint = run::read_checkpoint(path, args.previous)?.map(Box::new);
    // What the run was begun with is what its checkpoint says, whatever became of the file.
    let training = checkpoint
        .as_ref()
        .map_or_else(|| recorded.training.clone(), |c| c.progress().config.clone());
    let begun = RunConfig { training, ..recorded.clone() };
    let config = configured(args, recorded, console)?;
    if path.join(run::FOLDS).exists() {
        ranks::only_one("a folder of --folds")?;
        let folder = folder.context("folds are trained in one process")?;
        return folds::resume(begun, &config, &folder, console);
    }
    run::refuse_changes(&begun, &config, path)?;
    if path.join(run::MODEL).exists() {
        let summary = Summary::read(path).unwrap_or_else(|error| {
            warn(format!("warning: {}", causes(error.as_ref()).join(": ")));
            None
        });
        if let Some(summary) = summary
            && !args.previous
            && summary.is_final(&config, checkpoint.as_deref())
        {
            let (model, run) = (path.join(run::MODEL), path.to_owned());
            return say_finished(&Summary { model, run, ..summary }, &config, console);
        }
        ensure!(
            checkpoint.is_some(),
            "{} has a model, and no checkpoint to go on from; to train a new one: {} train --config {}",
            path.shown(),
            program(),
            argument(&path.join(run::CONFIG)),
        );
    }
    train(&config, Destination::Resume { folder, checkpoint }, console)
}

/// Prints the results of a finished run, which is left unchanged, and how to extend it.
fn say_finished(
    summary: &Summary,
    config: &RunConfig,
    console: Console,
) -> anyhow::Result<ExitCode> {
    let (run, n) = (summary.run.shown(), summary.iterations);
    console.say(if summary.end == End::Early {
        format!("{run} stopped early, after {n} iterations: more of them would change nothing")
    } else {
        format!(
            "{run} is finished, after {n} iterations. To go on with it, with N above {n}: {} train \
             --resume {} --iterations N",
            program(),
            argument(&summary.run)
        )
    })?;
    let source = config.source.as_ref().context("no data given")?;
    let takes_images =
        run::read_model(&summary.run).is_ok_and(|(model, _)| takes_images(model.input()));
    report(summary, source, takes_images, console)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the data source of the configuration changed by the flags.
fn source_of(
    args: &Args,
    base: Option<DataConfig>,
    from: Option<&Path>,
    console: Console,
) -> anyhow::Result<DataConfig> {
    let mut source = source::requested_or(base, args.data.as_deref(), &args.of_data, console)?;
    if let Some(test) = &args.test {
        source.test = Some(test.clone());
        source.test_names = None;
    }
    if let (Some(images), Some(labels)) = (args.test_x.clone(), args.test_y.clone()) {
        let classes = args.of_data.names.value("classes")?;
        source.test_names = Some(Names { images, labels, classes });
    }
    if let (Some(from), None, false) = (from, &source.input, source.is_drawn()) {
        let file = if from.is_dir() { from.join(run::MODEL) } else { from.to_owned() };
        source.input = data_of_run(&file)?.and_then(|of_run| of_run.input);
    }
    args.input.check(&source)?;
    source.input = args.input.change(source.input.take())?;
    source.memory_limit = args.memory.value("memory_limit")?.or(source.memory_limit);
    source.cache = args.input.cache.caching(&source)?;
    source.check()?;
    source::absolute(source, Path::new(""))
}

/// Trains in the precision of the configuration.
fn train(
    config: &RunConfig,
    destination: Destination<'_>,
    console: Console,
) -> anyhow::Result<ExitCode> {
    match config.training.precision.numbers() {
        Precision::F32 => train_in::<f32>(config, destination, console),
        Precision::F64 => train_in::<f64>(config, destination, console),
    }
}

/// Trains, evaluates and writes the run. All input is checked before the folder of the run is created, so that
/// a mistake leaves nothing behind.
fn train_in<F: Trainable>(
    config: &RunConfig,
    destination: Destination<'_>,
    console: Console,
) -> anyhow::Result<ExitCode>
where
    Network<F>: Into<AnyNetwork>,
{
    let source = config.source.as_ref().context("no data given")?;
    let start = Instant::now();
    let beside = |n_features: usize, n_classes: usize, m: usize| {
        Ok(dnn_train::memory_beside_examples::<F>(&config.training, n_features, n_classes, m)?)
    };
    if source.memory_limit.is_none() {
        source::check_memory(source, &config.training)?;
    }
    let data = loading(source, console, |loader| {
        loader.prepare::<F>(config.augment, config.training.seed, &beside)
    })?;
    let Prepared { train, test, validation, contract, identity: data_hash } = data;
    let warm_start = |from| network_to_start_from::<F>(from, &contract);
    let warm_start = config.from.as_deref().map(warm_start).transpose()?;
    let communicator = ranks::communicator();
    let gram = config.seeds.and(train.matrix()).map(GramMatrix::new);
    let mut training = Training::new(&config.training, &*train)
        .validate_on(validation.as_deref())
        .gram_matrix(gram.as_ref())
        .communicator(communicator);
    if let Some((network, classes)) = &warm_start {
        training = training.start_from(network, classes);
    }
    training.check().context("these images and settings make no training")?;
    let load = start.elapsed().as_secs_f64();
    if let Some(n) = config.seeds {
        ensure!(config.from.is_none(), "--seeds: from does not depend on the seed");
        ensure!(test.is_some(), "--seeds {n}: there are no test images to judge by");
    }

    let (m, n_classes) = (train.n_examples(), train.classes().len());
    let n_iterations = config.training.n_iterations(m);
    let going_on = matches!(destination, Destination::Resume { .. });
    let (folder, checkpoint) = destination.open()?;
    let made = checkpoint.as_ref().map_or(0, |c| c.progress().iteration);
    if let (true, Some(folder)) = (going_on, &folder) {
        ensure!(
            made <= n_iterations,
            "{} has made {made} iterations; expected at least so many, got {n_iterations}",
            folder.path().shown()
        );
        console.say(format!("Going on after iteration {made}"))?;
    }
    ranks::agree("data set", &data_hash, "all need the same files")?;
    let settings = toml::to_string(&config.training).context("settings that are no TOML")?;
    ranks::agree("configuration", &settings, "give all the same flags")?;
    let checkpoint_of = format!("that of iteration {made}");
    ranks::agree("last checkpoint", &checkpoint_of, "all need the same run folder")?;

    let start = Instant::now();
    interrupt::listen()?;
    let training = training.identified_by(&*data_hash).resume_from(checkpoint.as_deref());
    let trained = if let Some(folder) = &folder {
        let what = if takes_images(&contract) { "images" } else { "examples" };
        let heading = format!("{m} training {what} of {n_classes} classes");
        let has_validation = validation.is_some() || config.training.validation > 0.0;
        let batches = (config.training.batch_size, has_validation);
        let mut progress = Progress::new(console, (n_iterations, m), batches, heading);
        let mut recorder = Recorder::new(folder, config, checkpoint.as_deref())?;
        let observers: &mut [&mut dyn Observer] =
            &mut [&mut recorder, &mut progress, &mut interrupt::ends_training];
        let trained = training.run(observers);
        progress.finish();
        recorder.finish()?;
        trained.with_context(|| format!("training in {} came to no end", folder.path().shown()))?
    } else {
        training.run(&mut []).context("training came to no end")?
    };
    if trained.end == End::Asked && trained.iterations == 0 {
        bail!(Interrupted("before the first iteration was done"));
    }
    let trained_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let divided = trained.split.as_ref().map(|split| split.of(&*train));
    let (trained_on, held_out): (&dyn Examples<F>, Option<&dyn Examples<F>>) = match &divided {
        Some((trained_on, held_out)) => (trained_on, Some(held_out)),
        None => (&*train, validation.as_deref()),
    };
    let architecture = trained.network.architecture();
    let judge =
        |data: &dyn Examples<F>| dnn_train::evaluate_on_ranks(&trained.network, data, communicator);
    let classes = train.classes().to_vec();
    let diagnose = || dnn_train::diagnose(&trained.network, trained_on, &trained.health);
    let (layers, on_training, of_validation, of_test) =
        std::thread::scope(|scope| -> anyhow::Result<_> {
            let layers = scope.spawn(diagnose);
            let on_training = judge(trained_on)?;
            let of_validation = held_out.map(judge).transpose()?;
            let of_test = test.as_deref().map(judge).transpose()?;
            let layers = layers.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            Ok((layers, on_training, of_validation, of_test))
        })?;
    let majority = of_test.as_ref().zip(test.as_deref());
    let majority =
        majority.map(|(judged, test)| Majority::of(&judged.predictions, test.labels(), &classes));
    let mut findings = dnn_train::findings(&layers, &architecture.activations);
    findings.extend(dnn_train::findings_of_answers(
        &on_training.predictions,
        trained_on.labels(),
        &classes,
        trained.costs.first().map(|point| point.cost),
        on_training.cost,
    ));
    let evaluate = start.elapsed().as_secs_f64();

    // What is left is to be written.
    let Some(folder) = folder else { return Ok(interrupt::exit_code()) };
    let mut summary = Summary {
        model: folder.file(run::MODEL),
        run: folder.path().into(),
        data: source.data.clone(),
        test_data: source.test.clone(),
        architecture,
        classes,
        engine: trained.engine.into(),
        precision: config.training.precision,
        iterations: trained.iterations,
        end: trained.end,
        costs: trained.costs,
        epochs: trained.epochs,
        validations: trained.validations,
        best: trained.best,
        temperature: trained.conformal.as_ref().map(|_| trained.network.temperature()),
        layers,
        findings,
        final_cost: on_training.cost,
        train: on_training.score,
        validation: of_validation.map(|judged| judged.score),
        test: of_test.as_ref().map(|judged| judged.score),
        majority,
        seeds: Vec::new(),
        seconds: Seconds { load, train: trained_s, evaluate },
        data_hash,
        config: config.training.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        machine: Machine::here(),
    };
    let takes_images = takes_images(&contract);
    let network = (trained.network, trained.conformal);
    write_results(&folder, network, contract, &summary).with_context(|| {
        let run = argument(folder.path());
        format!(
            "{} is trained, but not all of it is written; when it can be, from the last checkpoint: {} \
             train --resume {run}",
            folder.path().shown(),
            program()
        )
    })?;
    // The run's own network is kept by now, whatever becomes of the others.
    let n_missing = match (config.seeds, summary.test, test.as_deref()) {
        (Some(n), Some(first), Some(test)) if trained.end != End::Asked => {
            let sets = (&*train, validation.as_deref(), test);
            summary.seeds = train_other_seeds(first, n, &config.training, sets, gram.as_ref())?;
            write_summary(&folder, &summary)?;
            let n_missing = n as usize - summary.seeds.len();
            if n_missing > 0 {
                let run = argument(folder.path());
                let done = summary.seeds.len();
                warn(format!(
                    "interrupted after {done} of {n} seeds; to go on: {} train --resume {run}",
                    program()
                ));
            }
            n_missing
        }
        _ => 0,
    };
    report(&summary, source, takes_images, console)?;
    let is_interrupted = trained.end == End::Asked || n_missing > 0;
    Ok(if is_interrupted { interrupt::exit_code() } else { ExitCode::SUCCESS })
}

/// Trains networks of the seeds after the first, whose score is known, and judges each on the test images;
/// those that are done, when the program is asked to end.
fn train_other_seeds<F: Trainable>(
    first: Score,
    n: u32,
    config: &TrainConfig,
    (train, validation, test): (&dyn Examples<F>, Option<&dyn Examples<F>>, &dyn Examples<F>),
    gram: Option<&GramMatrix<'_, F>>,
) -> anyhow::Result<Vec<SeedScore>> {
    let mut seeds = vec![SeedScore { seed: config.seed, test: first }];
    for seed in (1..n).map(|i| config.seed + u64::from(i)) {
        let config = config.clone().with(|config| config.seed = seed)?;
        let training = Training::new(&config, train)
            .validate_on(validation)
            .gram_matrix(gram)
            .communicator(ranks::communicator());
        let trained = training
            .run(&mut [&mut interrupt::ends_training])
            .with_context(|| format!("training with seed {seed} came to no end"))?;
        if trained.end == End::Asked {
            break;
        }
        let test =
            dnn_train::evaluate_on_ranks(&trained.network, test, ranks::communicator())?.score;
        seeds.push(SeedScore { seed, test });
    }
    Ok(seeds)
}

/// How far the test accuracies of networks are apart that differ in their seeds.
fn spread(seeds: &[SeedScore]) -> String {
    let accuracies: Vec<f64> = seeds.iter().map(|of| 100.0 * of.test.accuracy()).collect();
    let n = accuracies.len() as f64;
    let mean = accuracies.iter().sum::<f64>() / n;
    let squares: f64 = accuracies.iter().map(|a| (a - mean).powi(2)).sum();
    let least = accuracies.iter().copied().fold(f64::INFINITY, f64::min);
    let most = accuracies.iter().copied().fold(0.0, f64::max);
    format!(
        "{least:.1} % to {most:.1} % over {n} seeds, mean {mean:.1} %, deviation {:.1}",
        (squares / (n - 1.0).max(1.0)).sqrt()
    )
}

/// The network of a model to start from, and its classes.
///
/// # Errors
/// When it takes its images prepared in another way than `contract` has it; only the numbers that
/// features are standardised by, and the views, may differ.
fn network_to_start_from<F: Real>(
    from: &Path,
    contract: &InputContract,
) -> anyhow::Result<(Network<F>, Vec<String>)> {
    let (model, path) = run::read_model(from)?;
    let (got, expected) = (contract, model.input());
    let standardized = |of: &InputContract| of.standardization.is_some();
    let rest = |of: &InputContract| InputContract { standardization: None, views: 1, ..of.clone() };
    ensure!(
        rest(got) == rest(expected) && standardized(got) == standardized(expected),
        "{}: it was trained on {expected}, and these images are to be {got}: prepare them as for it, \
         with the same --size, --colors, --features and --standardize",
        path.shown()
    );
    let network = match model.network() {
        AnyNetwork::F32(network) => network.cast(),
        AnyNetwork::F64(network) => network.cast(),
    };
    Ok((network, model.classes().to_vec()))
}

/// Whether a network can be shown photos: numbers that are no pixels make none that could.
fn takes_images(contract: &InputContract) -> bool {
    contract.normalization != Normalization::AsIs && contract.height > 1
}

/// Writes the results of training into the run's folder, the model first.
fn write_results<F: Real>(
    folder: &RunFolder,
    (network, conformal): (Network<F>, Option<ConformalScores>),
    contract: InputContract,
    summary: &Summary,
) -> anyhow::Result<()>
where
    Network<F>: Into<AnyNetwork>,
{
    folder.verify()?;
    let model = Model::new(network, summary.classes.clone(), contract)?.with_conformal(conformal);
    let chart = summary.cost_plot(&learning_rate(&summary.config));
    folder.write_chart([run::COST_SVG, run::COST_PNG], &chart, || {
        let mut bytes = Vec::new();
        model.write(&mut bytes)?;
        folder.write(run::MODEL, &bytes)
    })?;
    write_summary(folder, summary)
}

fn write_summary(folder: &RunFolder, summary: &Summary) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec_pretty(summary).context("cannot write JSON")?;
    json.push(b'\n');
    folder.write(run::SUMMARY, &json)
}

/// The course's title of the cost plot; where the learning rate changes, the schedule.
fn learning_rate(config: &TrainConfig) -> String {
    let rate = console::number(config.learning_rate);
    match toml::Table::try_from(config.schedule) {
        Ok(mut schedule) if config.schedule != Schedule::Constant => {
            let name = schedule.remove("name");
            let name = name.as_ref().and_then(toml::Value::as_str).unwrap_or_default();
            let settings: Vec<_> = schedule
                .iter()
                .map(|(key, value)| format!("{key}={}", settings::shown(value)))
                .collect();
            format!("Learning rate by schedule: {name} of {rate}, {}", settings.join(" "))
        }
        _ => format!("Learning rate = {rate}"),
    }
}

fn report(
    summary: &Summary,
    source: &DataConfig,
    takes_images: bool,
    console: Console,
) -> anyhow::Result<()> {
    console.json(summary)?;
    let Summary { architecture, iterations, engine, precision, final_cost, .. } = summary;
    if !console.quiet {
        let stopped = match summary.end {
            End::Completed => "Trained",
            End::Asked => "Stopped",
            End::Early => "Stopped early",
            End::Time => "Stopped when its time was over",
        };
        let seconds = summary.seconds.train;
        console.text(format!(
            "\n{stopped} {architecture} after {iterations} iterations in {seconds:.2} s \
             ({engine} engine, {precision}); cost now {}",
            console::cost(*final_cost)
        ))?;
    }
    console.text(format!("Training accuracy: {}", of_how_many(summary.train)))?;
    if let Some(validation) = summary.validation {
        console.text(format!("Validation accuracy: {}", of_how_many(validation)))?;
    }
    let test = summary.test.map_or("no test images".into(), |test| {
        format!("{}, {}", of_how_many(test), interval(test))
    });
    console.text(format!("Test accuracy:     {test}"))?;
    if let Some(majority) = &summary.majority {
        console.text(format!("Majority class:    {majority}"))?;
    }
    if summary.seeds.len() > 1 {
        console.text(format!("Other seeds:       {}", spread(&summary.seeds)))?;
    }
    if let Some(best) = summary.best {
        let (kept, cost) = (summary.config.restore_best, best.cost);
        console.text(format!(
            "Best validation:   {}, cost {cost:.6}, after iteration {}{}",
            of_how_many(best.score),
            best.iteration,
            if kept { ": these weights are kept" } else { "" }
        ))?;
    }
    if let Some(temperature) = summary.temperature {
        console.text(format!(
            "Temperature:       {temperature:.4}, fitted on the validation images"
        ))?;
    }
    let run = argument(&summary.run);
    console.text(format!("Run folder:        {}", summary.run.shown()))?;
    if console.quiet {
        return Ok(());
    }
    for finding in &summary.findings {
        console.text(format!("Note: {finding}"))?;
    }
    let dnn = program();
    if matches!(summary.end, End::Asked | End::Time) {
        console.text(format!("To go on: {dnn} train --resume {run}"))?;
    }
    let data = source::arguments(source);
    let split = if summary.test.is_some() { "" } else { " --split train" };
    let asked = if takes_images { "PHOTO.jpg".into() } else { format!("{data}{split}") };
    // Its page takes photos.
    let is_served = takes_images && cfg!(feature = "serve");
    let serve = if is_served { format!("\n  {dnn} serve {run}") } else { String::new() };
    console.text(format!(
        "\nNext:\n  {dnn} evaluate {run} {data}{split} --mislabeled mislabeled.png\n  \
         {dnn} predict {run} {asked}\n  {dnn} inspect {run}{serve}"
    ))
}
