//! Findings in sentences.

use crate::causes::{
    Intervention, JointModel, LEVEL, MIN_IMAGES, Observations, Simplification, Simplified,
};
use dnn_core::metrics::{Confusion, MajorityBaseline, Score};
use dnn_data::augment::perturbation;
use dnn_data::synthetic::Cause;
use std::cmp::Ordering;

/// The findings that the sentences are made from.
#[derive(Debug, Clone, Copy)]
pub struct Findings<'a> {
    /// The images that were judged: "test images".
    pub images: &'a str,
    /// The name of the class that is always given by the baseline, and how the network compares with it.
    pub baseline: (&'a str, MajorityBaseline),
    /// Whether the images were drawn again, and not perturbed.
    pub are_drawn: bool,
    /// The causes that images were given; empty when none could be.
    pub interventions: &'a [Intervention],
    /// The comparison of images that differ by themselves, when their causes are known.
    pub observations: Option<&'a Observations>,
    /// The answers on images with less in them.
    pub simplified: &'a [Simplified],
    /// Which class is taken for which (`confusion[truth][prediction]`) and the classes' names, for data
    /// that are no pictures, of which nothing else is known.
    pub confusion: Option<(&'a Confusion, &'a [String])>,
    /// How many labels look wrong, when there are out-of-sample probabilities.
    pub n_suspects: Option<usize>,
}

/// A perturbed photo is not a new photo.
pub(crate) const LIMITS_OF_PHOTOS: &str = "A perturbed photo is not a new photo: it shows how the answer \
    changes with the picture, and not how the network would do on new ones in another pose or light.";

/// Returns three to six sentences: how good it is, what it does worst at and how sure that is, what it
/// seems to go by, and what to try.
pub fn sentences(found: &Findings<'_>) -> Vec<String> {
    let mut all = vec![verdict(found)];
    all.extend(worst(found));
    all.extend(worst_class(found));
    all.extend(found.observations.map(seen));
    all.extend(goes_by(found.simplified, is_surely_better(&found.baseline.1)));
    all.extend(suspicion(found));
    all.push(to_try(found));
    all
}

/// Returns a share as "80.0 %".
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Returns a difference of shares as "+12.3 points".
pub(crate) fn points(difference: f64) -> String {
    format!("{:+.1} points", 100.0 * difference)
}

/// Returns a p-value as "p = 0.012", "p < 0.0001".
pub fn p_text(p: f64) -> String {
    match p {
        p if p < 1e-4 => "p < 0.0001".into(),
        p if p < 0.1 => format!("p = {p:.4}"),
        p => format!("p = {p:.2}"),
    }
}

fn of(score: Score) -> String {
    format!("{} of {}", score.correct, score.total)
}

/// How good it is, beside what knowing nothing gives.
pub(crate) fn verdict(found: &Findings<'_>) -> String {
    let (class, baseline) = found.baseline;
    let score = baseline.pair.second();
    let (low, high) = score.wilson_interval();
    let interval = format!("95 % interval {:.1} to {}", 100.0 * low, percent(high));
    let p = baseline.p_value();
    let against = match score.correct.cmp(&baseline.score().correct) {
        Ordering::Greater if p < LEVEL => "more than",
        Ordering::Greater => "not surely more than",
        Ordering::Less if p < LEVEL => "less than",
        Ordering::Equal | Ordering::Less => "no more than",
    };
    format!(
        "The network is right on {} {}, {} ({interval}): {against} the {} of always answering \
         {class:?} ({}).",
        of(score),
        found.images,
        percent(score.accuracy()),
        percent(baseline.score().accuracy()),
        p_text(p)
    )
}

/// What it does worst at, when something is changed in the same images.
fn worst(found: &Findings<'_>) -> Option<String> {
    let all = found.interventions;
    let largest = all.iter().max_by(|a, b| a.difference.total_cmp(&b.difference))?;
    if all.iter().all(|one| one.p_value.is_none()) {
        return Some(format!(
            "{} images are too few to say what a change does to them: it takes at least \
             {MIN_IMAGES}.",
            largest.n
        ));
    }
    let is_found =
        |one: &&Intervention| one.difference > 0.0 && one.p_holm.is_some_and(|p| p < LEVEL);
    let effect = |one: &Intervention| {
        let (low, high) = one.interval;
        format!(
            "{}, {:.1} to {:.1}, n = {}",
            points(one.difference),
            100.0 * low,
            100.0 * high,
            one.n
        )
    };
    let mut counted: Vec<_> = all.iter().filter(is_found).collect();
    counted.sort_by(|a, b| b.difference.total_cmp(&a.difference));
    let Some((first, others)) = counted.split_first() else {
        return Some(format!(
            "None of the {} changes, each made to the same images, raises the errors by more than \
             chance explains; the largest is {} ({}).",
            all.len(),
            largest.cause.name(),
            effect(largest)
        ));
    };
    let how = if found.are_drawn {
        "drawn again with nothing else changed".into()
    } else {
        perturbation(first.cause).to_owned()
    };
    let last = first.steps.last().map_or(0.0, |step| step.error);
    let others: Vec<_> = others
        .iter()
        .map(|one| format!("{} ({})", one.cause.name(), points(one.difference)))
        .collect();
    let also = if others.is_empty() {
        "; no other cause is significant".into()
    } else {
        format!("; {} too", others.join(", "))
    };
    Some(format!(
        "It does worst at {}: on the same images, {how}, errors go from {} to {} ({}, {} by Holm){also}.",
        first.cause.name(),
        percent(first.original.error),
        percent(last),
        effect(first),
        p_text(first.p_holm.unwrap_or(1.0)),
    ))
}

/// The class that is got right least often, and what it is taken for.
fn worst_class(found: &Findings<'_>) -> Option<String> {
    let (confusion, classes) = found.confusion?;
    let scores = confusion.counts().iter().enumerate().filter_map(|(class, row)| {
        let score = Score { correct: row[class], total: row.iter().sum() };
        (score.correct < score.total).then_some((class, score))
    });
    let (class, score) = scores.min_by(|a, b| a.1.accuracy().total_cmp(&b.1.accuracy()))?;
    let others = confusion.counts()[class].iter().enumerate().filter(|(i, _)| *i != class);
    let (answer, n) = others.max_by_key(|(_, n)| **n)?;
    let (low, high) = score.wilson_interval();
    Some(format!(
        "It is right least often on {:?}: {}, {} (95 % interval {:.1} to {}); {n} are taken for {:?}.",
        classes[class],
        of(score),
        percent(score.accuracy()),
        100.0 * low,
        percent(high),
        classes[answer]
    ))
}

/// What images show that have a cause by themselves.
fn seen(all: &Observations) -> String {
    let mut found: Vec<_> =
        (all.causes.iter()).filter(|one| one.p_holm.is_some_and(|p| p < LEVEL)).collect();
    found.sort_by(|a, b| b.difference.unwrap_or(0.0).total_cmp(&a.difference.unwrap_or(0.0)));
    let with: Vec<usize> = all.causes.iter().map(|one| one.with.total).collect();
    let (least, most) = (with.iter().min().unwrap_or(&0), with.iter().max().unwrap_or(&0));
    if found.is_empty() {
        let why = match all.model {
            JointModel::TooFewErrors => "; with so few errors no joint model is fitted",
            _ => "",
        };
        return format!(
            "The {} images whose causes are known, {} of them misclassified, show no significant cause: \
             each cause has only {least} to {most} images{why}.",
            all.n, all.n_errors
        );
    }
    let each: Vec<_> = found
        .iter()
        .map(|one| {
            let fewer = one.difference.is_some_and(|difference| difference < 0.0);
            format!(
                "{}{} ({} wrong with it, {} without, {})",
                if fewer { "fewer errors with " } else { "" },
                one.cause,
                of(one.with),
                of(one.without),
                p_text(one.p_holm.unwrap_or(1.0))
            )
        })
        .collect();
    format!("Among the images as they are, errors go with {}.", each.join("; "))
}

/// Whether a network is better than always giving one answer, by more than chance explains.
pub(crate) fn is_surely_better(baseline: &MajorityBaseline) -> bool {
    baseline.pair.second().correct > baseline.score().correct && baseline.p_value() < LEVEL
}

/// What the answer seems to rest on, of a network that knows more than which class is the commonest.
fn goes_by(simplified: &[Simplified], is_surely_better: bool) -> Option<String> {
    let one = |left| simplified.iter().find(|one| one.left == left);
    let thumbnail = one(Simplification::Thumbnail)?;
    let lost = |one: &Simplified| {
        let pairs = one.pairs;
        pairs.second().correct < pairs.first().correct && pairs.mcnemar().p_value < LEVEL
    };
    let share = |one: &Simplified| percent(one.pairs.second().accuracy());
    let mut texts = vec![format!("as 8×8 thumbnails it is right on {}", share(thumbnail))];
    texts.extend(one(Simplification::Grey).map(|grey| format!("in grey on {}", share(grey))));
    texts.extend(
        one(Simplification::MeanColour)
            .map(|mean| format!("on their mean alone on {}", share(mean))),
    );
    let by_colour = one(Simplification::Grey).is_some_and(lost);
    let has_colour = one(Simplification::Grey).is_some();
    let meaning = match (lost(thumbnail), by_colour) {
        (true, _) if !has_colour => "it needs the detail of the image",
        (false, true) => "it goes by which colour is where, not by form",
        (false, false) => "it goes by light and dark in large patches, not by fine form",
        (true, true) => "it needs detail, and colour as well",
        (true, false) => "it needs the detail of the image, and little of its colour",
    };
    let texts = texts.join(", ");
    if !is_surely_better {
        let why = "a network that is not surely better than one answer for all shows by that nothing of what it \
                   goes by";
        return Some(format!("With less in the same images, {texts}: {why}."));
    }
    let few = thumbnail.pairs.n_discordant() < 6 && !lost(thumbnail);
    let doubt = if few { ", as far as so few images tell" } else { "" };
    Some(format!("With less in the same images, {texts}: {meaning}{doubt}."))
}

fn suspicion(found: &Findings<'_>) -> Option<String> {
    Some(match found.n_suspects? {
        0 => "No label looks wrong to networks that have not seen its image.".into(),
        1 => "One label is suspect: look at the image before trusting it.".into(),
        n => format!("{n} labels are suspect: look at the images before trusting them."),
    })
}

fn to_try(found: &Findings<'_>) -> String {
    let worst = found
        .interventions
        .iter()
        .filter(|one| one.difference > 0.0 && one.p_holm.is_some_and(|p| p < LEVEL))
        .max_by(|a, b| a.difference.total_cmp(&b.difference));
    match worst.map(|one| one.cause) {
        Some(Cause::Pose) => "To try: augmentation that turns images, and photos in more poses.",
        Some(Cause::CameraAngle) => {
            "To try: photos from above and from below; augmentation turns and shifts, but tips nothing."
        }
        Some(Cause::Scale) => "To try: augmentation that zooms and shifts, and photos near and far.",
        Some(Cause::Brightness) => {
            "To try: augmentation of brightness and contrast, and photos in more kinds of light."
        }
        Some(Cause::RareColor) => {
            "To try: augmentation of hue and saturation, and photos of rare breeds."
        }
        Some(Cause::Background) => {
            "To try: photos on backgrounds of the subject's own colour; no augmentation makes those."
        }
        None if found.baseline.1.pair.total() < 200 => {
            "To try: more images to judge by, before anything is concluded from these."
        }
        None if found.confusion.is_some() => {
            "To try: more examples of that class, and more that tells it from the others; `dnn tune` looks for \
             better settings."
        }
        None => "To try: look at the errors themselves; none of the known causes stands out.",
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::StrengthPoint;
    use dnn_core::metrics::{PairedScore, Prediction};

    fn change(cause: Cause, difference: f64, p_holm: Option<f64>) -> Intervention {
        let step = |strength, error| StrengthPoint { strength, error, probability: 1.0 - error };
        Intervention {
            cause,
            n: 100,
            original: step(0.0, 0.2),
            steps: vec![step(1.0, 0.2 + difference)],
            pairs: PairedScore { both_right: 50, only_first: 40, only_second: 5, both_wrong: 5 },
            difference,
            interval: (difference - 0.1, difference + 0.1),
            p_value: p_holm,
            p_holm,
        }
    }

    fn findings(interventions: &[Intervention]) -> Vec<String> {
        // 66 and 80 of 100, p = 0.035 by McNemar.
        let pair = PairedScore { both_right: 53, only_first: 13, only_second: 27, both_wrong: 7 };
        sentences(&Findings {
            images: "test images",
            baseline: ("cat", MajorityBaseline { class: 1, pair }),
            are_drawn: false,
            interventions,
            observations: None,
            simplified: &[],
            confusion: None,
            n_suspects: None,
        })
    }

    #[test]
    fn what_it_goes_by_is_said_of_a_network_that_knows_something() {
        let pairs = PairedScore { both_right: 40, only_first: 20, only_second: 2, both_wrong: 38 };
        let simplified = [Simplified { left: Simplification::Thumbnail, pairs }];
        let said = |is_better| goes_by(&simplified, is_better).unwrap();
        assert!(
            said(true).ends_with("42.0 %: it needs the detail of the image."),
            "{}",
            said(true)
        );
        assert!(said(false).ends_with("nothing of what it goes by."), "{}", said(false));
        let only_second = 1;
        for (only_first, is_better) in [(0, false), (1, false), (20, true)] {
            let pair = PairedScore {
                both_right: 60,
                only_first: only_second,
                only_second: only_first,
                both_wrong: 9,
            };
            assert_eq!(is_surely_better(&MajorityBaseline { class: 1, pair }), is_better);
        }
    }

    #[test]
    fn of_rows_the_worst_class_is_named() {
        let predictions = [0, 0, 1, 1, 2, 0, 0].map(|class| Prediction { class, probability: 0.9 });
        let labels = [0, 0, 1, 1, 2, 2, 2];
        let classes = ["a", "b", "c"].map(String::from);
        let confusion = Confusion::of(&predictions, &labels, 3);
        let said = sentences(&Findings {
            images: "rows",
            baseline: ("c", MajorityBaseline::of(&predictions, &labels, &labels)),
            are_drawn: false,
            interventions: &[],
            observations: None,
            simplified: &[],
            confusion: Some((&confusion, &classes)),
            n_suspects: None,
        });
        assert!(
            said[1].starts_with("It is right least often on \"c\": 1 of 3, 33.3 %"),
            "{said:?}"
        );
        assert!(said[1].ends_with("2 are taken for \"a\".") && said.len() == 3, "{said:?}");
    }

    #[test]
    fn the_worst_cause_is_named_with_how_sure_it_is() {
        let all = [
            change(Cause::Scale, 0.05, Some(0.4)),
            change(Cause::Pose, 0.35, Some(1e-6)),
            change(Cause::Brightness, 0.15, Some(0.01)),
        ];
        let said = findings(&all);
        assert!((3..=6).contains(&said.len()), "{said:?}");
        assert!(said[0].contains("80 of 100 test images, 80.0 % (95 % interval 71.1 to 86.7 %)"));
        assert!(
            said[0].contains("more than the 66.0 % of always answering \"cat\""),
            "{}",
            said[0]
        );
        let expected = "It does worst at pose: on the same images, turned in the plane by 45°, edges \
                        continued, errors go from 20.0 % to 55.0 % (+35.0 points, 25.0 to 45.0, n = 100, \
                        p < 0.0001 by Holm); brightness (+15.0 points) too.";
        assert_eq!(said[1], expected);
        assert!(said[2].contains("turns images"));
    }

    #[test]
    fn what_chance_explains_is_no_finding() {
        let said = findings(&[
            change(Cause::Scale, 0.05, Some(0.4)),
            change(Cause::Pose, 0.01, Some(1.0)),
        ]);
        assert!(said[1].starts_with("None of the 2 changes"), "{}", said[1]);
        assert!(said[1].contains("the largest is scale (+5.0 points"), "{}", said[1]);
        let said = findings(&[change(Cause::Scale, 0.5, None)]);
        assert!(said[1].contains("too few to say"), "{}", said[1]);
    }
}
