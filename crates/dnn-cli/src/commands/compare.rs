//! `dnn compare`.

use crate::console::{Console, interval, of_how_many};
use crate::judge::{Answers, LabelledArgs, list};
use crate::run;
use anyhow::{Context, ensure};
use dnn_core::metrics::{McNemar, McNemarMethod, PairedScore, Score};
use dnn_data::Predictor;
use dnn_data::Shown;
use dnn_data::SplitName;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A difference is significant when chance alone makes one as large less often than this.
const LEVEL: f64 = 0.05;
/// With fewer images of which one model alone is right, no outcome is below [`LEVEL`]: 2/2⁵ is not.
const FEWEST: usize = 6;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL_A")]
    a: PathBuf,
    /// Another one, of the same classes
    #[arg(value_name = "MODEL_B")]
    b: PathBuf,
    #[command(flatten)]
    labelled: LabelledArgs,
}

#[derive(Serialize)]
struct CompareReport<'a> {
    data: &'a Path,
    split: SplitName,
    classes: &'a [String],
    total: usize,
    a: Side<'a>,
    b: Side<'a>,
    table: Table,
    mcnemar: McNemar,
    /// Accuracy of B less that of A.
    difference: f64,
    level: f64,
    significant: bool,
    /// The better model, when the difference is significant.
    better: Option<&'static str>,
    points_per_image: f64,
    verdict: String,
}

#[derive(Serialize)]
struct Side<'a> {
    model: &'a Path,
    correct: usize,
    accuracy: f64,
    /// Wilson, 95 %.
    interval: [f64; 2],
}

#[derive(Serialize)]
struct Table {
    both_right: usize,
    only_a: usize,
    only_b: usize,
    both_wrong: usize,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let (a, a_path) = run::read_model(&args.a)?;
    let (b, b_path) = run::read_model(&args.b)?;
    let (a, b) = (Predictor::new(a)?, Predictor::new(b)?);
    ensure!(
        a.classes() == b.classes(),
        "{} has the classes {}, {} has {}: only models that answer the same question can be compared",
        a_path.shown(),
        list(a.classes()),
        b_path.shown(),
        list(b.classes())
    );
    let (set, data) = args.labelled.load(a.model(), &a_path, console)?.into_images();
    let answers = |predictor: &Predictor, path: &Path| {
        let misfit = || format!("{} does not fit the model {}", data.shown(), path.shown());
        // What `dnn predict` would make of each, when they do not have its size.
        let set = args.labelled.prepared(&set, predictor.model(), path, console);
        Answers::of(predictor, &*set.with_context(misfit)?).with_context(misfit)
    };
    let (of_a, of_b) = (answers(&a, &a_path)?, answers(&b, &b_path)?);

    let pair = PairedScore::of(&of_a.predictions, &of_b.predictions, set.labels());
    let mcnemar = pair.mcnemar();
    let significant = mcnemar.p_value < LEVEL;
    let verdict = verdict(&pair, significant);
    console.text(describe(
        &data,
        args.labelled.split,
        &pair,
        &mcnemar,
        &verdict,
        [&a_path, &b_path],
    ))?;
    console.json(&CompareReport {
        data: &data,
        split: args.labelled.split,
        classes: a.classes(),
        total: pair.total(),
        a: side(&a_path, pair.first()),
        b: side(&b_path, pair.second()),
        table: Table {
            both_right: pair.both_right,
            only_a: pair.only_first,
            only_b: pair.only_second,
            both_wrong: pair.both_wrong,
        },
        mcnemar,
        difference: (pair.only_second as f64 - pair.only_first as f64) / pair.total() as f64,
        level: LEVEL,
        significant,
        better: significant.then(|| ahead(&pair).0),
        points_per_image: points(1, &pair),
        verdict,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn side(model: &Path, score: Score) -> Side<'_> {
    let (low, high) = score.wilson_interval();
    Side { model, correct: score.correct, accuracy: score.accuracy(), interval: [low, high] }
}

/// Returns the model with more right answers, and the other; when they are equal, A is first.
fn ahead(pair: &PairedScore) -> (&'static str, &'static str) {
    if pair.only_second > pair.only_first { ("B", "A") } else { ("A", "B") }
}

/// Returns how many percentage points a number of images is.
fn points(images: usize, pair: &PairedScore) -> f64 {
    100.0 * images as f64 / pair.total() as f64
}

/// Says in words whether the difference is more than chance.
fn verdict(pair: &PairedScore, significant: bool) -> String {
    let level = 100.0 * LEVEL;
    let (better, worse) = ahead(pair);
    let images = pair.only_first.abs_diff(pair.only_second);
    let difference = format!("{:.2} points ({})", points(images, pair), n_images(images));
    let discordant = pair.n_discordant();
    if significant {
        return format!(
            "{better} is better than {worse} by {difference}: more than chance at the {level} % level."
        );
    }
    if discordant == 0 {
        return "Both are right and wrong on the same images: nothing tells them apart.".into();
    }
    let so_far = if images == 0 {
        format!("Both get equally many right, each alone {}", n_images(pair.only_first))
    } else {
        format!("{better} is ahead of {worse} by {difference}")
    };
    let why = if discordant < FEWEST {
        format!(
            "; one alone is right on {}, and fewer than {FEWEST} cannot show a difference",
            n_images(discordant)
        )
    } else {
        String::new()
    };
    format!("{so_far}: not more than chance at the {level} % level{why}.")
}

fn n_images(n: usize) -> String {
    if n == 1 { "1 image".into() } else { format!("{n} images") }
}

/// Returns the result as text.
fn describe(
    data: &Path,
    split: SplitName,
    pair: &PairedScore,
    mcnemar: &McNemar,
    verdict: &str,
    [a, b]: [&Path; 2],
) -> String {
    let accuracy = |model: &Path, score| {
        format!("{}: {}, {}", model.shown(), of_how_many(score), interval(score))
    };
    let p = mcnemar.p_value;
    let p = if p < 1e-4 { format!("{p:.1e}") } else { format!("{p:.4}") };
    let how = match (mcnemar.method, mcnemar.statistic) {
        (McNemarMethod::ChiSquare, Some(statistic)) => {
            format!("χ² = {statistic:.3}, continuity corrected")
        }
        _ => "exact".into(),
    };
    let PairedScore { both_right, only_first, only_second, both_wrong } = pair;
    format!(
        "Data:      {} ({})\n\
         A:         {}\n\
         B:         {}\n\n\
         {:20}  {:>9}  {:>9}\n\
         {:20}  {both_right:>9}  {only_first:>9}\n\
         {:20}  {only_second:>9}  {both_wrong:>9}\n\n\
         McNemar:   p = {p} ({how}; one alone is right on {})\n\
         Verdict:   {verdict}\n\
         With {}, one image is worth {:.2} percentage points.",
        data.shown(),
        split,
        accuracy(a, pair.first()),
        accuracy(b, pair.second()),
        "",
        "B right",
        "B wrong",
        "  A right",
        "  A wrong",
        n_images(pair.n_discordant()),
        n_images(pair.total()),
        points(1, pair),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(both_right: usize, only_first: usize, only_second: usize) -> PairedScore {
        PairedScore { both_right, only_first, only_second, both_wrong: 5 }
    }

    #[test]
    fn the_verdict_says_what_the_counts_say() {
        let says = |pair: PairedScore, parts: &[&str]| {
            let said = verdict(&pair, pair.mcnemar().p_value < LEVEL);
            for part in parts {
                assert!(said.contains(part), "no {part:?} in {said}");
            }
        };
        says(pair(34, 1, 10), &["B is better than A by 18.00 points (9 images): more than chance"]);
        says(pair(34, 10, 1), &["A is better than B"]);
        says(pair(34, 6, 5), &["A is ahead of B by 2.00 points (1 image): not more than chance"]);
        says(pair(40, 0, 5), &["B is ahead of A by 10.00 points", "on 5 images", "fewer than 6"]);
        says(pair(37, 4, 4), &["equally many", "4 images", "not more than chance"]);
        says(pair(45, 0, 0), &["on the same images"]);
    }

    #[test]
    fn fewest_is_where_the_test_can_first_be_significant() {
        assert!(pair(40, 0, FEWEST).mcnemar().p_value < LEVEL);
        assert!(pair(40, 0, FEWEST - 1).mcnemar().p_value >= LEVEL);
    }
}
