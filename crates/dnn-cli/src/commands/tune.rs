//! `dnn tune`.

use crate::args::DataArgs;
use crate::console::{Console, argument, program, warn};
use crate::file::write_whole;
use crate::input::{CacheArgs, FileFlags};
use crate::interrupt::{self, Interrupted};
use crate::output::OutputKind;
use crate::progress::bar;
use crate::recipes::{NamedRecipe, Views, evenly_spaced, is_table, suitable};
use crate::run::RunConfig;
use crate::run::lines::{self, JsonLines};
use crate::settings::Flags;
use crate::shard::{self, OpenShard, ShardArgs, Shards};
use crate::source;
use anyhow::{Context, bail, ensure};
use dnn_core::metrics::Score;
use dnn_core::split::Shard;
use dnn_data::classes::check_classes;
use dnn_data::loader::DataConfig;
use dnn_data::{FeatureKind, Shown, SplitName, identity};
use dnn_train::tune::{Figures, Found, Plan, Search, Trial};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

/// More examples are not looked at: the choice would take hours, and be the same.
const MOST_EXAMPLES: usize = 2_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each result is kept beside the configuration (.jsonl): the same command goes on \
    where it was interrupted."
)]
pub(crate) struct Args {
    /// A folder or file of labelled images or numbers, or `drawn`; only its training set is used
    /// [default: data/ when the cat images are there, else drawn]
    data: Option<PathBuf>,
    #[command(flatten)]
    of_data: DataArgs,
    #[command(flatten)]
    files: Flags<FileFlags>,
    #[command(flatten)]
    cache: CacheArgs,
    /// How often all of it is done, with other folds each time
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// Folds by which the recipes are judged
    #[arg(long, value_name = "K", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(2..))]
    folds: u32,
    /// Folds of the training examples of each of these, by which it chooses
    #[arg(long, value_name = "K", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(2..))]
    inner_folds: u32,
    /// Decides the folds and the networks
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Threads at most, 0 for as many as there are cores; results do not depend on it
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// The configuration to write, for `dnn train --config`
    #[arg(long, value_name = "FILE.toml", default_value = "tuned.toml")]
    out: PathBuf,
    /// Replace the file, and begin anew
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shard: ShardArgs,
}

/// The first line of the trials' file: what they are trials of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Heading {
    version: String,
    data: String,
    plan: Plan,
    recipes: Vec<String>,
}

/// A line of the file of trials.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Heading(Heading),
    Trial(Trial),
}

/// What the bits of the trials depend on; that they become a choice elsewhere does not matter.
const PROCESSOR: &str = "processor";

impl Heading {
    /// What shards of these trials have to have in common, by name.
    fn settings(&self) -> [(&'static str, String); 4] {
        let Self { data, plan, recipes, .. } = self;
        [
            ("data", data.clone()),
            ("plan", format!("{plan:?}")),
            ("recipes", recipes.join("; ")),
            (PROCESSOR, shard::processor()),
        ]
    }
}

#[derive(Serialize)]
struct TuneReport<'a> {
    data: &'a Path,
    examples: usize,
    plan: Plan,
    out: &'a Path,
    chosen: &'a str,
    simplest_within_one_standard_error: &'a str,
    #[serde(flatten)]
    found: &'a Found,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    run_or_merge(args, None, console)
}

/// Chooses by the trials of all shards.
///
/// # Errors
/// As [`run`]; when a trial is missing.
pub(crate) fn merge(args: &Args, shards: &Shards, console: Console) -> anyhow::Result<ExitCode> {
    run_or_merge(args, Some(shards), console)
}

fn run_or_merge(
    args: &Args,
    merged: Option<&Shards>,
    console: Console,
) -> anyhow::Result<ExitCode> {
    let trials_path = args.out.with_extension("jsonl");
    ensure!(trials_path != args.out, "--out {}: expected FILE.toml", args.out.shown());
    ensure!(
        args.force || !args.out.exists() || trials_path.exists(),
        "{} is there already: --force replaces it, --out writes another",
        args.out.shown()
    );
    OutputKind::Config.check(&args.out)?;
    OutputKind::Trials.check(&trials_path)?;
    let mut source = source::requested(args.data.as_deref(), &args.of_data, console)?;
    args.files.check(&source)?;
    source.input = args.files.change(source.input.take())?;
    source.cache = args.cache.caching(&source)?;
    source.check()?;
    let source = source::absolute(source, Path::new(""))?;
    let mut splits = source::load(&source, console)?;
    let all = splits.take(SplitName::Train);
    let all = all.with_context(|| format!("{}: no training images", source.data.shown()))?;
    let m = all.len();
    let set = evenly_spaced(all, MOST_EXAMPLES);
    if m > MOST_EXAMPLES {
        console.say(format!("Of {m} examples {MOST_EXAMPLES} are looked at, evenly spaced"))?;
    }
    check_classes(&source.data, set.classes())?;
    let recipes = suitable(&set, &source.input.clone().unwrap_or_default())?;
    let views = Views::read(&set, recipes.iter().map(|recipe| &recipe.input), args.seed)?;
    let is_table = is_table(&set)?;
    let to_try = recipes.iter().map(|recipe| recipe.to_try(views.of(&recipe.input), is_table));
    let [repeats, folds, inner_folds] =
        [args.repeats, args.folds, args.inner_folds].map(|n| n as usize);
    let plan = Plan { repeats, folds, inner_folds, seed: args.seed };
    let search = Search::new(to_try.collect(), plan)?;
    let heading = Heading {
        version: env!("CARGO_PKG_VERSION").into(),
        data: identity(&set.contract()?, [&set as _])?,
        plan,
        recipes: recipes
            .iter()
            .map(|of| format!("{} {:?} {:?}", of.name, of.input, of.training))
            .collect(),
    };
    let shard = args.shard.requested().filter(|_| merged.is_none());
    let open = match shard {
        None => None,
        Some(shard) => {
            let begun =
                args.shard.begin(shard, (&args.out, "jsonl"), &heading.settings(), console)?;
            let Some(open) = begun else { return Ok(ExitCode::SUCCESS) };
            Some(open)
        }
    };
    let (file, done) = match (&open, merged) {
        (Some(open), _) => open.lines()?,
        (None, merged) => {
            let done = merged.map(|shards| trials_of(shards, &heading)).transpose()?;
            trials_file(&trials_path, &heading, args.force, done.unwrap_or_default())?
        }
    };
    console.say(format!(
        "{} recipes on {} examples of {} classes: {} networks, {} folds {} times, each choosing by {}",
        recipes.len(),
        set.len(),
        set.classes().len(),
        search.n_trials(),
        plan.folds,
        plan.repeats,
        plan.inner_folds
    ))?;
    interrupt::listen()?;
    let shard = shard.unwrap_or(Shard::WHOLE);
    let trials = run_trials(&search, args, shard, (file, done), &recipes, console)?;
    if trials.len() < shard.n_dealt(search.n_trials()) {
        let path = open.as_ref().map_or(trials_path, OpenShard::path);
        warn(format!("interrupted; the same command goes on from {}", path.shown()));
        bail!(Interrupted("before all networks were trained"));
    }
    if let Some(open) = open {
        return open.finish(&trials.len(), console);
    }
    // The threshold is sought in what describes images.
    let describes = |recipe: &NamedRecipe| recipe.input.features != FeatureKind::Pixels;
    let described = recipes.iter().rposition(describes).unwrap_or(0);
    let found = search.found(&trials, views.of(&recipes[described].input));
    let best = &recipes[found.best];
    let data = DataConfig { input: Some(best.input.clone()), ..source.clone() };
    let config = RunConfig { source: Some(data), ..best.config() };
    let text = config.to_toml()?;
    if !fs::read(&args.out).is_ok_and(|written| written == text.as_bytes()) {
        OutputKind::Config.write(&args.out, text.as_bytes(), args.force)?;
    }
    if !console.json {
        console.text(describe(&found))?;
        console.text(format!("Written: {}", args.out.shown()))?;
        console.note(format!("Next: {} train --config {}", program(), argument(&args.out)));
    }
    console.json(&TuneReport {
        data: &source.data,
        examples: set.len(),
        plan,
        out: &args.out,
        chosen: best.name,
        simplest_within_one_standard_error: recipes[found.simplest].name,
        found: &found,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The trials of all shards, in the order in which one process begins them.
fn trials_of(shards: &Shards, heading: &Heading) -> anyhow::Result<Vec<Trial>> {
    for (name, here) in heading.settings() {
        let then = shards.setting(name)?;
        ensure!(
            name == PROCESSOR || then == here,
            "the {name} of the shards was {}, and is {} here",
            then.shown(),
            here.shown()
        );
    }
    let mut trials: Vec<Trial> = shards.lines()?.into_iter().map(|(_, trial)| trial).collect();
    trials.sort_by_key(Trial::place);
    Ok(trials)
}

/// The file of the trials, locked, and those that are in it. It is begun with the trials that are `done`
/// already when there is none.
fn trials_file(
    path: &Path,
    heading: &Heading,
    anew: bool,
    mut done: Vec<Trial>,
) -> anyhow::Result<(JsonLines, Vec<Trial>)> {
    let _before = path.exists().then(|| JsonLines::open(path)?.locked()).transpose()?;
    let mut whole = serde_json::to_string(heading)? + "\n";
    if path.exists() && !anew {
        let mut lines = lines::read(path)?.into_iter().map(|(_, line)| line);
        ensure!(
            matches!(lines.next(), Some(Line::Heading(of)) if of == *heading),
            "{} has the trials of other data, recipes or settings: --force begins anew, --out writes \
             elsewhere",
            path.shown()
        );
        // A line that is damaged or cut off is trained again.
        for line in lines {
            if let Line::Trial(trial) = line
                && done.iter().all(|other| other.place() != trial.place())
            {
                done.push(trial);
            }
        }
    }
    for trial in &done {
        whole += &(serde_json::to_string(trial)? + "\n");
    }
    write_whole(path, whole.as_bytes())?;
    Ok((JsonLines::open(path)?.locked()?, done))
}

/// Trains what is missing, under a bar; each trial is kept, and each recipe's figure of a repeat said, as
/// it comes.
fn run_trials(
    search: &Search<'_, f32>,
    args: &Args,
    shard: Shard,
    (file, done): (JsonLines, Vec<Trial>),
    recipes: &[NamedRecipe],
    console: Console,
) -> anyhow::Result<Vec<Trial>> {
    let n_trials = shard.n_dealt(search.n_trials());
    let bar = bar(console, n_trials, "{bar:25} {pos}/{len} networks  {elapsed}  {eta} left");
    bar.set_position(done.len() as u64);
    let outer = |trial: &Trial| {
        let right = trial.right.iter().filter(|right| **right).count();
        trial.inner.is_none().then_some((trial.repeat, trial.recipe, right, trial.right.len()))
    };
    let state = Mutex::new((file, done.iter().filter_map(outer).collect::<Vec<_>>()));
    let report = |trial: &Trial| {
        let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (file, judged) = &mut *state;
        file.append(trial);
        bar.inc(1);
        let Some(now) = outer(trial) else { return };
        judged.push(now);
        let same: Vec<_> = judged.iter().filter(|of| (of.0, of.1) == (now.0, now.1)).collect();
        if same.len() == args.folds as usize {
            let (correct, total) = same.iter().fold((0, 0), |sum, of| (sum.0 + of.2, sum.1 + of.3));
            let share = 100.0 * Score { correct, total }.accuracy();
            let (repeat, name) = (now.0 + 1, recipes[now.1].name);
            bar.suspend(|| console.note(format!("Repeat {repeat}: {share:.1} %  {name}")));
        }
    };
    let n_threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let trials = search.run(done, shard, n_threads, &interrupt::requested, &report)?;
    bar.finish_and_clear();
    Ok(trials)
}

/// Returns the table of the recipes and what follows from it, as text.
fn describe(found: &Found) -> String {
    let rows = || found.baselines.iter().chain(&found.recipes);
    let width = rows().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut out = format!("{:<width$}  accuracy  95 % interval   log loss\n", "");
    let mut line = |figures: &Figures, note: &str| {
        let Figures { name, accuracy, interval: [low, high], log_loss, log_loss_error } = figures;
        let loss = log_loss
            .zip(*log_loss_error)
            .map_or_else(|| "       -".into(), |(loss, error)| format!("{loss:8.4} ± {error:.4}"));
        let (accuracy, low, high) = (100.0 * accuracy, 100.0 * low, 100.0 * high);
        let row =
            format!("{name:<width$}  {accuracy:6.1} %  {low:5.1} – {high:5.1} %  {loss}{note}");
        writeln!(out, "{}", row.trim_end()).expect("a string takes all");
    };
    found.baselines.iter().for_each(|figures| line(figures, ""));
    for (i, figures) in found.recipes.iter().enumerate() {
        line(
            figures,
            match i {
                _ if i == found.best => "  chosen",
                _ if i == found.simplest => "  simplest within one standard error",
                _ => "",
            },
        );
    }
    let Figures { accuracy, interval: [low, high], .. } = found.nested;
    let (best, simplest) = (&found.recipes[found.best].name, &found.recipes[found.simplest].name);
    let times: Vec<_> = found
        .recipes
        .iter()
        .zip(&found.chosen_in_folds)
        .filter(|(_, n)| **n > 0)
        .map(|(figures, n)| format!("{} {n} times", figures.name))
        .collect();
    write!(
        out,
        "\nNested: {:.1} % [{:.1}, {:.1}], the unbiased figure of searching these recipes, then training\n\
         (the folds chose {})\n\
         Chosen: {best}, of the lowest log loss; simplest within one standard error: {simplest}",
        100.0 * accuracy, 100.0 * low, 100.0 * high, times.join(", ")
    )
    .expect("a string takes all");
    out
}
