//! `dnn gradcheck`.

use crate::args::{DataArgs, choice};
use crate::console::{Console, warn};
use crate::run;
use crate::settings::{FlagGroup, Flags};
use crate::source::{self, split_of};
use anyhow::{Context, bail, ensure};
use dnn_core::layer::PARAMETER_NAMES;
use dnn_core::linear::Gradients;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Architecture, Dataset, Examples, Init, Network};
use dnn_data::Shown;
use dnn_data::{AnyNetwork, SplitName};
use dnn_train::config::RawTrainConfig;
use dnn_train::engine::EngineKind;
use dnn_train::gradcheck::{
    self, EngineGradients, Options, Outcome, ParameterCheck, engine_gradients,
};
use dnn_train::{CrossEntropy, TrainConfig};
use nalgebra::DMatrix;
use serde::Serialize;
use std::cmp::Ordering;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code when gradients and differences do not agree.
const NOT_MET: u8 = 1;
/// The most numbers in a drawn network, or in its activations: 400 MB.
const MAX_NUMBERS: usize = 50_000_000;
/// How many images of DATA are used by default: enough to see a fault.
const N_IMAGES: usize = 32;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The relative gap is ‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), ĝ = (J(θ + ε) − J(θ − ε)) / 2ε."
)]
pub(crate) struct Args {
    /// A model file, or the folder of a run
    #[arg(requires = "data", conflicts_with_all = ["layers", "activation", "normalization"])]
    model: Option<PathBuf>,
    /// A folder or file of labelled images or numbers, or `drawn`
    data: Option<PathBuf>,
    /// Which images of the data [default: train]
    #[arg(long, value_name = "SPLIT", value_parser = choice(&SplitName::ALL), requires = "data")]
    split: Option<SplitName>,
    #[command(flatten)]
    of_data: DataArgs,
    #[command(flatten)]
    network: Flags<DrawnNetwork>,
    /// Features of an example [default: 20]
    #[arg(long, value_name = "N", conflicts_with = "model")]
    features: Option<usize>,
    /// Classes: a sigmoid for 2, a softmax for more [default: 2]
    #[arg(long, value_name = "N", conflicts_with = "model")]
    classes: Option<usize>,
    /// Examples of the cost [default: 10; of DATA 32, chosen at random]
    #[arg(long, value_name = "N")]
    examples: Option<usize>,
    /// Seed of everything drawn or chosen
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Entries of each W and b to check at most; of larger ones a random sample
    #[arg(long, value_name = "N", default_value_t = 200)]
    sample: usize,
    /// ε, the step to either side
    #[arg(long, value_name = "F", default_value = "1e-5", allow_negative_numbers = true)]
    epsilon: f64,
    /// Relative gap to allow
    #[arg(long, value_name = "F", default_value = "2e-7", allow_negative_numbers = true)]
    tolerance: f64,
    /// Spoil the gradient of this parameter, so that the check must fail
    #[arg(long = "break", value_name = "W2", hide = true)]
    spoil: Option<String>,
}

/// The flags of the hidden layers of a network that is drawn.
#[derive(Debug, Clone)]
struct DrawnNetwork;

impl FlagGroup for DrawnNetwork {
    type Settings = RawTrainConfig;
    const HEADING: &'static str = "Drawn network";
    const KEYS: &'static [&'static str] = &["hidden", "activation", "normalization"];
}

/// The network that is checked, and the examples of the cost.
struct Case {
    network: Network<f64>,
    x: DMatrix<f64>,
    labels: Vec<u32>,
    /// Where the network and the examples come from, in words.
    origin: [String; 2],
}

#[derive(Serialize)]
struct GradcheckReport<'a> {
    model: Option<&'a Path>,
    data: Option<&'a Path>,
    architecture: Architecture,
    examples: usize,
    cost: f64,
    epsilon: f64,
    tolerance: f64,
    seed: u64,
    parameters: Vec<ParameterRow<'a>>,
    verdict: Verdict,
}

#[derive(Serialize)]
struct ParameterRow<'a> {
    name: &'a str,
    /// The engine whose gradient is shown: the one that is farther from the differences.
    engine: EngineKind,
    entries: usize,
    checked: usize,
    /// Entries that were left out because the step crosses the kink of a ReLU.
    kinks: usize,
    gradient_norm: f64,
    relative_gap: f64,
    outcome: Outcome,
    /// The entry with the largest difference.
    worst: Option<Worst>,
}

#[derive(Serialize)]
struct Worst {
    row: usize,
    column: usize,
    backward: f64,
    differences: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Passed,
    Failed,
    Undecided,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    check_numbers(args)?;
    let case = match (&args.model, &args.data) {
        (Some(model), Some(data)) => Case::of_model(model, data, args, console)?,
        _ => Case::drawn(args)?,
    };
    let Case { network, x, labels, .. } = &case;
    let cross_entropy = CrossEntropy::new(network.output());
    let mut gradients = engine_gradients(network, x, labels, &cross_entropy);
    let cost = gradients[0].cost;
    if let Some(name) = &args.spoil {
        gradients.iter_mut().try_for_each(|gradients| spoil(name, gradients))?;
    }
    let options = Options { epsilon: args.epsilon, sample: args.sample, seed: args.seed };
    let checks = gradcheck::compare(network, x, labels, &cross_entropy, &gradients, &options);

    let rows: Vec<_> = checks
        .chunks(gradients.len())
        .filter_map(|engines| engines.iter().max_by(|a, b| farther(a, b, args.tolerance)))
        .map(|check| ParameterRow::new(check, args.tolerance))
        .collect();
    let is = |outcome| move |row: &&ParameterRow<'_>| row.outcome == outcome;
    let verdict = if rows.iter().any(|row| row.outcome == Outcome::Differs) {
        Verdict::Failed
    } else if rows.iter().any(|row| row.outcome == Outcome::Agrees) {
        Verdict::Passed
    } else {
        Verdict::Undecided
    };
    if !console.json {
        if !console.quiet {
            console.text(case.describe(cost, args)?)?;
            console.text(table(&rows)?)?;
        }
        for row in rows.iter().filter(is(Outcome::Undecided)) {
            console.text(why_undecided(row))?;
        }
        console.text(verdict_line(verdict, &rows, args.tolerance))?;
    }
    for row in rows.iter().filter(is(Outcome::Differs)) {
        warn(fault(row, args.tolerance));
    }
    console.json(&GradcheckReport {
        model: args.model.as_deref(),
        data: args.data.as_deref(),
        architecture: network.architecture(),
        examples: labels.len(),
        cost,
        epsilon: args.epsilon,
        tolerance: args.tolerance,
        seed: args.seed,
        parameters: rows,
        verdict,
    })?;
    Ok(if verdict == Verdict::Passed { ExitCode::SUCCESS } else { ExitCode::from(NOT_MET) })
}

fn check_numbers(args: &Args) -> anyhow::Result<()> {
    let (epsilon, tolerance) = (args.epsilon, args.tolerance);
    ensure!(
        (1e-10..=1e-2).contains(&epsilon),
        "--epsilon {epsilon}: expected 1e-10 to 1e-2; the difference of two costs is rounding below \
         and no slope above"
    );
    ensure!(
        tolerance > 0.0 && tolerance < 1.0,
        "--tolerance {tolerance}: expected above 0 and below 1, which no relative gap exceeds"
    );
    ensure!(args.sample > 0, "--sample 0: expected at least 1 entry");
    ensure!(args.examples != Some(0), "--examples 0: expected at least 1");
    ensure!(
        args.data.is_some() || !args.of_data.any(),
        "flags that say what is read of data need MODEL and DATA"
    );
    Ok(())
}

impl Case {
    /// Makes a network and examples of normally distributed numbers.
    fn drawn(args: &Args) -> anyhow::Result<Self> {
        let config = args.network.change(None)?.unwrap_or_default();
        let config = TrainConfig::try_from(config).context("these settings make no network")?;
        let (n_features, m) = (args.features.unwrap_or(20), args.examples.unwrap_or(10));
        let n_classes = args.classes.unwrap_or(2);
        ensure!(n_classes >= 2, "--classes {n_classes}: expected at least 2");
        let architecture = config.architecture(n_features, n_classes)?;
        let dims = &architecture.layer_dims;
        let n_values = |n: usize| m.checked_mul(n).is_some_and(|n| n <= MAX_NUMBERS);
        // Each below the limit, so that their products do not overflow.
        ensure!(
            dims.iter().all(|&n| n <= TrainConfig::MAX_UNITS && n_values(n))
                && architecture.n_parameters() <= MAX_NUMBERS,
            "{architecture} with {m} examples is too large to check: expected at most {MAX_NUMBERS} \
             parameters, and as many values in a layer"
        );
        architecture.check().context("these settings make no network")?;
        let mut rng = Generator::new(RngKind::Modern, args.seed)?;
        let mut network = Network::initialize(&architecture, Init::Auto, &mut rng)?;
        // Biases of 0 would hide a fault in their part of Z, and so would γ = 1 and β = 0.
        for [_, b, gamma, beta] in network.parameters_mut() {
            for value in [b, gamma, beta].into_iter().flatten() {
                *value += 0.3 * rng.normal();
            }
        }
        let x = rng.normal_matrix(n_features, m);
        let labels = (0..m).map(|_| (rng.uniform() * n_classes as f64) as u32).collect();
        let origin = [format!("drawn, seed {}", args.seed), format!("{m}, drawn from N(0, 1)")];
        Ok(Self { network, x, labels, origin })
    }

    /// Takes a trained network and images.
    fn of_model(model: &Path, data: &Path, args: &Args, console: Console) -> anyhow::Result<Self> {
        let (model, path) = run::read_model(model)?;
        let network = match model.network() {
            AnyNetwork::F32(network) => network.cast(),
            AnyNetwork::F64(network) => network.clone(),
        };
        let mut splits =
            source::load_for(&source::named(data, &args.of_data)?, model.input(), console)?;
        // Datasets that were named are what is meant, whatever the split is called.
        let split = if args.of_data.names.any() {
            SplitName::Train
        } else {
            args.split.unwrap_or(SplitName::Train)
        };
        let set = split_of(split, &mut splits, data)?;
        let m = args.examples.unwrap_or(N_IMAGES.min(set.len()));
        if m > set.len() {
            bail!("--examples {m}: {} has {} {split} images", data.shown(), set.len());
        }
        let misfit = || format!("{} does not fit the model {}", data.shown(), path.shown());
        // The features that `dnn evaluate` judges by.
        let prepared = set.prepared(model.input()).with_context(misfit)?;
        let dataset: Dataset<f64> = prepared.to_dataset(model.input()).with_context(misfit)?;
        let mut chosen =
            Generator::new(RngKind::Modern, args.seed)?.permutation(dataset.n_examples());
        chosen.truncate(m);
        chosen.sort_unstable();
        let labels: Vec<_> = chosen.iter().map(|&i| dataset.labels()[i]).collect();
        // A gradient is one whatever the classes are called; an output for each it must have.
        let n_classes = network.n_classes();
        if let Some(label) = labels.iter().find(|&&label| label as usize >= n_classes) {
            bail!("{}: an image of class {label}, of {n_classes} classes", misfit());
        }
        let x = dataset.x().select_columns(&chosen);
        let precision = match model.network() {
            AnyNetwork::F32(_) => ", kept in f32, checked in f64",
            AnyNetwork::F64(_) => "",
        };
        let origin = [
            format!("{}{precision}", path.shown()),
            format!("{m} {split} images of {}, seed {}", data.shown(), args.seed),
        ];
        Ok(Self { network, x, labels, origin })
    }

    fn describe(&self, cost: f64, args: &Args) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        let architecture = self.network.architecture();
        let mut names: Vec<_> = architecture.activations.iter().map(ToString::to_string).collect();
        names.dedup();
        names.extend((!architecture.normalization.is_none()).then(|| "normalised".into()));
        names.push(format!("{} cross-entropy", architecture.output));
        let [network, examples] = &self.origin;
        writeln!(out, "Network:   {architecture}, {} ({network})", names.join(", "))?;
        writeln!(out, "Examples:  {examples}; cost {cost:.6}")?;
        writeln!(out, "Step:      ε = {:e}", args.epsilon)?;
        Ok(out)
    }
}

/// Compares two gradients of the same parameter by how far they are from the differences.
fn farther(a: &ParameterCheck, b: &ParameterCheck, tolerance: f64) -> Ordering {
    let differs = |check: &ParameterCheck| check.outcome(tolerance) == Outcome::Differs;
    differs(a).cmp(&differs(b)).then(a.relative_gap().total_cmp(&b.relative_gap()))
}

/// Makes the gradient of one parameter wrong: by 1 %, and by 0.001 in case that it is zero.
fn spoil(name: &str, gradients: &mut EngineGradients) -> anyhow::Result<()> {
    let gradients = &mut gradients.layers;
    let wrong = |g: &mut f64| *g = 1.01 * *g + 1e-3;
    for (l, gradient) in gradients.iter_mut().enumerate() {
        let Gradients { dw, db, dgamma, dbeta } = gradient;
        let all =
            [dw.as_mut_slice(), db.as_mut_slice(), dgamma.as_mut_slice(), dbeta.as_mut_slice()];
        for (of, values) in PARAMETER_NAMES.into_iter().zip(all) {
            if name == format!("{of}{}", l + 1) && !values.is_empty() {
                values.iter_mut().for_each(wrong);
                return Ok(());
            }
        }
    }
    bail!("--break {name}: expected W1, b1 and so on, to b{}", gradients.len());
}

impl<'a> ParameterRow<'a> {
    fn new(check: &'a ParameterCheck, tolerance: f64) -> Self {
        let worst = check.worst().map(|i| Worst {
            row: check.entries[i] % check.shape.0,
            column: check.entries[i] / check.shape.0,
            backward: check.analytic[i],
            differences: check.numeric[i],
        });
        Self {
            name: &check.name,
            engine: check.engine,
            entries: check.n_entries(),
            checked: check.entries.len(),
            kinks: check.n_kinks,
            gradient_norm: check.analytic.norm(),
            relative_gap: check.relative_gap(),
            outcome: check.outcome(tolerance),
            worst,
        }
    }
}

fn table(rows: &[ParameterRow<'_>]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "{:<6} {:>12}  {:>10}  checked", "", "relative gap", "‖g‖")?;
    for row in rows {
        let ParameterRow {
            name,
            entries,
            checked,
            kinks,
            gradient_norm,
            relative_gap,
            outcome,
            ..
        } = row;
        write!(
            out,
            "{name:<6} {relative_gap:>12.1e}  {gradient_norm:>10.3e}  {checked} of {entries}"
        )?;
        if *kinks > 0 {
            write!(out, ", {kinks} left out at a kink")?;
        }
        match outcome {
            Outcome::Agrees => {}
            Outcome::Differs => write!(out, "  <- differs")?,
            Outcome::Undecided => write!(out, "  <- undecided")?,
        }
        writeln!(out)?;
    }
    Ok(out)
}

fn why_undecided(row: &ParameterRow<'_>) -> String {
    let ParameterRow { name, relative_gap, .. } = row;
    if row.checked == 0 {
        format!("{name}: undecided, every entry is at a kink; another --seed or --epsilon may help")
    } else {
        format!(
            "{name}: undecided, rounding alone can make the gap of {relative_gap:.1e}; a larger \
             --epsilon may tell"
        )
    }
}

fn fault(row: &ParameterRow<'_>, tolerance: f64) -> String {
    let ParameterRow { name, engine, relative_gap, worst, .. } = row;
    let at = worst.as_ref().map_or(String::new(), |worst| {
        let Worst { row, column, backward, differences } = worst;
        let place = if name.starts_with('W') { format!("{row}, {column}") } else { row.to_string() };
        format!(
            "; farthest apart at {name}[{place}]: {engine} engine {backward:e}, differences {differences:e}"
        )
    });
    format!("{name}: relative gap {relative_gap:.1e}, above {tolerance:e}{at}")
}

fn verdict_line(verdict: Verdict, rows: &[ParameterRow<'_>], tolerance: f64) -> String {
    let of = |outcome| rows.iter().filter(move |row| row.outcome == outcome);
    match verdict {
        Verdict::Failed => {
            let names: Vec<_> = of(Outcome::Differs).map(|row| row.name).collect();
            let names = names.join(", ");
            format!("Failed: the gradient of {names} is not what central differences say")
        }
        Verdict::Undecided => "Undecided: no gradient could be told right or wrong".into(),
        Verdict::Passed => {
            let largest = of(Outcome::Agrees).map(|row| row.relative_gap).fold(0.0, f64::max);
            let (agree, all) = (of(Outcome::Agrees).count(), rows.len());
            let undecided = match all - agree {
                0 => String::new(),
                n => format!(", {n} undecided"),
            };
            format!(
                "Passed: {agree} of {all} gradients agree with central differences{undecided}; the \
                 largest relative gap is {largest:.1e}, of {tolerance:e} allowed"
            )
        }
    }
}
