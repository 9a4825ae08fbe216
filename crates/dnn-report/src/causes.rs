//! Why images are got wrong, by cause: one thing is changed and the network asked again
//! ([`intervene`]), or images that have a cause are compared with those that do not
//! ([`observe`]).

use crate::statistics::{LogisticModel, bootstrap_difference, fisher_exact, holm, newcombe};
use dnn_core::metrics::{PairedScore, Score, predictions};
use dnn_core::nalgebra::DMatrix;
use dnn_data::augment::perturb;
use dnn_data::synthetic::{Cause, Plan};
use dnn_data::{DataError, ImageSet};
use serde::Serialize;

/// The fewest images for which a p-value is computed.
pub const MIN_IMAGES: usize = 5;
/// The fewest errors for which a joint model is fitted: with fewer, its coefficients would be noise.
pub const MIN_ERRORS: usize = 10;
/// The strengths that a cause is given, from 0, as easy as it gets, to 1.
pub const STRENGTHS: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];
/// The strength from which on a cause counts as present.
pub const PRESENT: f64 = 0.5;
/// The level of significance: a smaller p-value is a finding.
pub const LEVEL: f64 = 0.05;

/// The answers on images with one cause at one strength.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StrengthPoint {
    /// Strength of the cause, 0 to 1.
    pub strength: f64,
    /// Share of the images that are got wrong.
    pub error: f64,
    /// Mean probability of the true class.
    pub probability: f64,
}

/// The result of giving the same images one cause of error.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervention {
    /// The cause.
    pub cause: Cause,
    /// Number of images: those that did not have the cause.
    pub n: usize,
    /// The images as they are.
    pub original: StrengthPoint,
    /// With the cause, by rising strength.
    pub steps: Vec<StrengthPoint>,
    /// How often the original and the image with the cause at full strength are got right.
    pub pairs: PairedScore,
    /// Share of errors at full strength less that of the originals.
    pub difference: f64,
    /// Its 95 % interval, by [`bootstrap_difference`].
    pub interval: (f64, f64),
    /// McNemar's test of the pairs; `None` under [`MIN_IMAGES`].
    pub p_value: Option<f64>,
    /// The same by Holm, over all causes.
    pub p_holm: Option<f64>,
}

/// Gives images one cause of error after the other, at five [`STRENGTHS`], and asks the network again.
///
/// Drawn images are drawn again from their `plans` with one factor changed and all else as it was.
/// Others are put through [`perturb`], which changes the picture, not the scene. Images that have the
/// cause already are left out. Half of the images are changed in one direction (brighter), half in the
/// other (darker). Grey images have no rare colour.
///
/// # Shapes
/// `original` (n_classes, m) for m `images`, and so what `ask` returns of its images.
/// # Errors
/// What `ask` returns, and images that are no bytes of pixels.
/// # Panics
/// When plans, images and probabilities differ in number.
pub fn intervene<E: From<DataError>>(
    images: &ImageSet,
    plans: Option<&[Plan]>,
    original: &DMatrix<f64>,
    mut ask: impl FnMut(&ImageSet) -> Result<DMatrix<f64>, E>,
) -> Result<Vec<Intervention>, E> {
    assert_eq!(images.len(), original.ncols(), "an answer for each image");
    assert!(plans.is_none_or(|plans| plans.len() == images.len()), "a plan for each image");
    let mut found = Vec::new();
    for cause in Cause::ALL {
        if cause == Cause::RareColor && images.shape().channels == 1 {
            continue;
        }
        let lacks =
            |i: &usize| plans.is_none_or(|plans| plans[*i].factors.strength(cause) < PRESENT);
        let indices: Vec<usize> = (0..images.len()).filter(lacks).collect();
        if indices.is_empty() {
            continue;
        }
        let set = images.select(&indices);
        let plans: Option<Vec<Plan>> =
            plans.map(|plans| indices.iter().map(|&i| plans[i].clone()).collect());
        let before = original.select_columns(&indices);
        let mut steps = Vec::with_capacity(STRENGTHS.len());
        let mut last = before.clone();
        for strength in STRENGTHS {
            if cause == Cause::RareColor && plans.is_some() && strength < 1.0 {
                // A drawn coat is of a rare colour or is not.
                continue;
            }
            let changed = changed(&set, plans.as_deref(), cause, strength)?;
            last = ask(&changed)?;
            steps.push(StrengthPoint::of(&last, set.labels(), strength));
        }
        let pairs = PairedScore::of(&predictions(&before), &predictions(&last), set.labels());
        found.push(Intervention {
            cause,
            n: set.len(),
            original: StrengthPoint::of(&before, set.labels(), 0.0),
            steps,
            pairs,
            difference: pairs.first().accuracy() - pairs.second().accuracy(),
            interval: bootstrap_difference(pairs),
            p_value: (set.len() >= MIN_IMAGES).then(|| pairs.mcnemar().p_value),
            p_holm: None,
        });
    }
    let p_values: Vec<_> = found.iter().map(|one| one.p_value).collect();
    for (one, p_holm) in found.iter_mut().zip(holm(&p_values)) {
        one.p_holm = p_holm;
    }
    Ok(found)
}

/// The images with one cause at a strength.
///
/// # Errors
/// Images that are no bytes of pixels.
pub fn changed(
    images: &ImageSet,
    plans: Option<&[Plan]>,
    cause: Cause,
    strength: f64,
) -> Result<ImageSet, DataError> {
    let is_positive = |i: usize| i.is_multiple_of(2);
    let pixels = match plans {
        Some(plans) => {
            let changed: Vec<Plan> = (0..)
                .zip(plans)
                .map(|(i, plan)| {
                    let mut plan = plan.clone();
                    plan.factors = plan.factors.with_strength(cause, strength, is_positive(i));
                    plan
                })
                .collect();
            Plan::render_all(&changed, images.shape().height)?
        }
        None => (0..images.len())
            .flat_map(|i| perturb(images.image(i), images.shape(), cause, strength, is_positive(i)))
            .collect(),
    };
    images.with_pixels(pixels)
}

impl StrengthPoint {
    fn of(probabilities: &DMatrix<f64>, labels: &[u32], strength: f64) -> Self {
        let m = labels.len() as f64;
        let score = Score::of(&predictions(probabilities), labels);
        let columns = labels.iter().enumerate();
        let of_truth: f64 = columns.map(|(j, &label)| probabilities[(label as usize, j)]).sum();
        Self { strength, error: 1.0 - score.accuracy(), probability: of_truth / m }
    }
}

/// An image with known causes, and whether the network is wrong about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its class.
    pub label: u32,
    /// Whether the network's answer is another class.
    pub is_wrong: bool,
    /// Whether each cause is there; `None` where that is not sure.
    pub causes: Vec<Option<bool>>,
}

/// Images that have a cause, compared with those that do not.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The cause, as its column is called.
    pub cause: String,
    /// Images with the cause, and how many of them are got wrong.
    pub with: Score,
    /// Images without it, and how many of them are got wrong.
    pub without: Score,
    /// Share of errors with the cause less that without; `None` where one side has no image.
    pub difference: Option<f64>,
    /// Its 95 % interval, by Newcombe.
    pub interval: Option<(f64, f64)>,
    /// Odds ratio of an error by the joint model, with its 95 % interval (Wald).
    pub odds_ratio: Option<(f64, f64, f64)>,
    /// Likelihood-ratio test of the joint model; Fisher's exact test where there is none, or where under
    /// [`MIN_IMAGES`] images of a side are in it, because their other causes are unsure. `None` when a side
    /// has under [`MIN_IMAGES`] images at all.
    pub p_value: Option<f64>,
    /// The same by Holm, over all causes.
    pub p_holm: Option<f64>,
}

/// The kind of joint model that was fitted to all causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JointModel {
    /// Logistic regression by maximum likelihood.
    Logistic,
    /// By Firth's penalised likelihood, since some cause is never, or always, with an error.
    Firth,
    /// None: there are under [`MIN_ERRORS`] errors.
    TooFewErrors,
    /// None: the causes are not told apart by these images.
    NotIdentified,
}

/// The comparison of images that differ by themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// Each cause.
    pub causes: Vec<Observation>,
    /// Number of images.
    pub n: usize,
    /// How many of them are got wrong.
    pub n_errors: usize,
    /// What the odds ratios come from.
    pub model: JointModel,
}

/// Compares images that have each cause with those that have it not. The joint model tells causes apart
/// that come together; it knows the class of each image as well, where there are several.
///
/// # Panics
/// When an image has not an entry for each name.
pub fn observe(names: &[String], images: &[Judged]) -> Observations {
    assert!(images.iter().all(|image| image.causes.len() == names.len()), "an entry a cause");
    let side = |cause: usize, present: bool| {
        let on_side = images.iter().filter(|image| image.causes[cause] == Some(present));
        let (mut correct, mut total) = (0, 0);
        for image in on_side {
            correct += usize::from(image.is_wrong);
            total += 1;
        }
        Score { correct, total }
    };
    let n_errors = images.iter().filter(|image| image.is_wrong).count();
    let mut causes: Vec<Observation> = names
        .iter()
        .enumerate()
        .map(|(cause, name)| {
            let (with, without) = (side(cause, true), side(cause, false));
            let both = with.total > 0 && without.total > 0;
            Observation {
                cause: name.clone(),
                with,
                without,
                difference: both.then(|| with.accuracy() - without.accuracy()),
                interval: both.then(|| newcombe(with, without)),
                odds_ratio: None,
                p_value: None,
                p_holm: None,
            }
        })
        .collect();
    // Those that can be tested.
    let tested: Vec<usize> = (0..names.len())
        .filter(|&i| causes[i].with.total.min(causes[i].without.total) >= MIN_IMAGES)
        .collect();
    for &i in &tested {
        causes[i].p_value = Some(fisher_exact(causes[i].with, causes[i].without));
    }
    let model = match joint(images, tested) {
        Ok((members, fitted)) => {
            for (i, effect) in members.into_iter().zip(&fitted.effects) {
                let at = |z: f64| (effect.log_odds_ratio + z * effect.standard_error).exp();
                causes[i].odds_ratio = Some((at(0.0), at(-1.96), at(1.96)));
                causes[i].p_value = Some(effect.p_value);
            }
            if fitted.is_penalised { JointModel::Firth } else { JointModel::Logistic }
        }
        Err(why) => why,
    };
    let p_values: Vec<_> = causes.iter().map(|cause| cause.p_value).collect();
    for (cause, p_holm) in causes.iter_mut().zip(holm(&p_values)) {
        cause.p_holm = p_holm;
    }
    Observations { causes, n: images.len(), n_errors, model }
}

/// The model of an error by the tested causes, and by the class, with the causes that it has: each has
/// [`MIN_IMAGES`] images on both sides among those of which all its causes are known.
fn joint(
    images: &[Judged],
    mut tested: Vec<usize>,
) -> Result<(Vec<usize>, LogisticModel), JointModel> {
    let known = loop {
        let known: Vec<&Judged> = (images.iter())
            .filter(|image| tested.iter().all(|&cause| image.causes[cause].is_some()))
            .collect();
        let n_tested = tested.len();
        tested.retain(|&cause| {
            let with = known.iter().filter(|image| image.causes[cause] == Some(true)).count();
            with.min(known.len() - with) >= MIN_IMAGES
        });
        if tested.len() == n_tested {
            break known;
        }
    };
    let outcomes: Vec<bool> = known.iter().map(|image| image.is_wrong).collect();
    if outcomes.iter().filter(|wrong| **wrong).count() < MIN_ERRORS {
        return Err(JointModel::TooFewErrors);
    }
    let n_classes = known.iter().map(|image| image.label + 1).max().unwrap_or(0);
    let count = |class: u32| known.iter().filter(|image| image.label == class).count();
    // All but the first of those that say something.
    let classes: Vec<u32> =
        (0..n_classes).filter(|class| count(*class) >= MIN_IMAGES).skip(1).collect();
    let number = |yes: bool| f64::from(u8::from(yes));
    let rows: Vec<Vec<f64>> = known
        .iter()
        .map(|image| {
            let causes = tested.iter().map(|&cause| number(image.causes[cause] == Some(true)));
            let classes = classes.iter().map(|class| number(image.label == *class));
            causes.chain(classes).collect()
        })
        .collect();
    let model = LogisticModel::fit(&rows, &outcomes).ok_or(JointModel::NotIdentified)?;
    Ok((tested, model))
}

impl Observations {
    /// Returns where the p-values come from, in words: "a logistic model of all causes together".
    pub fn tested_by(&self) -> String {
        let joint = match self.model {
            JointModel::Logistic => "a logistic model of all causes together",
            JointModel::Firth => {
                "a logistic model of all causes together, with Firth's penalty: a cause is always or never \
                 with an error"
            }
            JointModel::TooFewErrors => {
                return "Fisher's exact test; fewer than ten errors are too few for a joint model"
                    .into();
            }
            JointModel::NotIdentified => {
                return "Fisher's exact test; these images do not tell the causes apart".into();
            }
        };
        let is_apart = |one: &&Observation| one.p_value.is_some() && one.odds_ratio.is_none();
        let apart: Vec<_> =
            self.causes.iter().filter(is_apart).map(|one| one.cause.as_str()).collect();
        if apart.is_empty() {
            return joint.into();
        }
        format!(
            "{joint}; of {} by Fisher's exact test, since the other causes of most images with it, or \
             without it, are unsure",
            apart.join(", ")
        )
    }
}

/// A cause as `dnn explain --json` lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CauseFinding {
    /// Whether images were changed or only compared.
    pub kind: FindingKind,
    /// The cause.
    pub cause: String,
    /// Number of images.
    pub n: usize,
    /// Difference of the shares of errors, with the cause less without.
    pub difference: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// p-value by Holm over the causes of its kind.
    pub p_holm: Option<f64>,
}

/// Where a [`CauseFinding`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// The same images with one thing changed.
    Intervention,
    /// Images that differ by themselves.
    Observation,
}

impl CauseFinding {
    /// Lists both kinds.
    pub fn list(interventions: &[Intervention], observations: Option<&Observations>) -> Vec<Self> {
        let changed = interventions.iter().map(|one| Self {
            kind: FindingKind::Intervention,
            cause: one.cause.key().into(),
            n: one.n,
            difference: Some(one.difference),
            interval: Some([one.interval.0, one.interval.1]),
            p_holm: one.p_holm,
        });
        let seen = observations.iter().flat_map(|all| &all.causes).map(|one| Self {
            kind: FindingKind::Observation,
            cause: one.cause.clone(),
            n: one.with.total + one.without.total,
            difference: one.difference,
            interval: one.interval.map(|(low, high)| [low, high]),
            p_holm: one.p_holm,
        });
        changed.chain(seen).collect()
    }
}

/// Accuracy on the same images with less in them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Simplified {
    /// What is left of the images.
    pub left: Simplification,
    /// How often the original and the simplified image are got right.
    pub pairs: PairedScore,
}

/// What is left of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Simplification {
    /// Its luma: no colour.
    Grey,
    /// Eight by eight pixels: no form, but where which colour is.
    Thumbnail,
    /// Its mean colour.
    MeanColour,
}

impl Simplification {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Grey, Self::Thumbnail, Self::MeanColour];

    /// "in grey", "as 8×8 thumbnails", "as their mean colour".
    pub fn name(self) -> &'static str {
        match self {
            Self::Grey => "in grey",
            Self::Thumbnail => "as 8×8 thumbnails",
            Self::MeanColour => "as their mean colour",
        }
    }

    /// Returns the images with only this left, in their own size.
    ///
    /// # Errors
    /// Images that are no bytes of pixels.
    pub fn of(self, images: &ImageSet) -> Result<ImageSet, DataError> {
        let shape = images.shape();
        let n = shape.channels;
        let simplify = |image: &[u8]| -> Vec<u8> {
            match self {
                Self::Grey if n < 3 => image.to_vec(),
                Self::Grey => image
                    .chunks_exact(n)
                    .flat_map(|p| {
                        let luma = 0.299 * f64::from(p[0])
                            + 0.587 * f64::from(p[1])
                            + 0.114 * f64::from(p[2]);
                        std::iter::repeat_n(luma.round() as u8, n)
                    })
                    .collect(),
                Self::Thumbnail => blocks(image, (shape.width, shape.height, n), 8),
                Self::MeanColour => blocks(image, (shape.width, shape.height, n), 1),
            }
        };
        let pixels = (0..images.len()).flat_map(|i| simplify(images.image(i))).collect();
        images.with_pixels(pixels)
    }
}

/// The image with the mean of each of `side` × `side` blocks in the block's place.
fn blocks(image: &[u8], (width, height, channels): (usize, usize, usize), side: usize) -> Vec<u8> {
    let block = |pixel: usize| {
        let (x, y) = (pixel % width, pixel / width);
        (y * side / height) * side + x * side / width
    };
    let mut sums = vec![(0_u64, 0_u64); side * side * channels];
    for (i, &v) in image.iter().enumerate() {
        let (sum, count) = &mut sums[block(i / channels) * channels + i % channels];
        *sum += u64::from(v);
        *count += 1;
    }
    let mean = |i: usize| {
        let (sum, count) = sums[block(i / channels) * channels + i % channels];
        ((sum + count / 2) / count) as u8
    };
    (0..image.len()).map(mean).collect()
}

/// Asks the network about the same images with less in them.
///
/// # Errors
/// What `ask` returns, and images that are no bytes of pixels.
pub fn simplify<E: From<DataError>>(
    images: &ImageSet,
    original: &DMatrix<f64>,
    mut ask: impl FnMut(&ImageSet) -> Result<DMatrix<f64>, E>,
) -> Result<Vec<Simplified>, E> {
    let before = predictions(original);
    let has_colour = images.shape().channels > 1;
    let all = Simplification::ALL.into_iter().filter(|s| has_colour || *s != Simplification::Grey);
    all.map(|left| {
        let after = predictions(&ask(&left.of(images)?)?);
        Ok(Simplified { left, pairs: PairedScore::of(&before, &after, images.labels()) })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_data::ImageShape;
    use dnn_data::synthetic::{DrawOptions, DrawnSet, draw};

    fn names() -> Vec<String> {
        Cause::ALL.iter().map(|cause| cause.key().to_owned()).collect()
    }

    #[test]
    fn of_planted_causes_the_one_that_counts_is_observed_and_the_five_others_are_not() {
        let mut n_false = 0;
        for seed in 0..100 {
            let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
            let planted = Cause::ALL[seed as usize % 6];
            let images: Vec<Judged> = (0..600)
                .map(|i| {
                    let plan = Plan::new(seed, DrawnSet::Test, i);
                    let has = |cause| plan.factors.strength(cause) >= PRESENT;
                    let chance = if has(planted) { 0.55 } else { 0.1 };
                    Judged {
                        label: plan.label(),
                        is_wrong: rng.uniform() < chance,
                        causes: Cause::ALL.iter().map(|&cause| Some(has(cause))).collect(),
                    }
                })
                .collect();
            let found = observe(&names(), &images);
            // A null that happens to be with no error has Firth's penalty.
            assert!(matches!(found.model, JointModel::Logistic | JointModel::Firth));
            let mut is_any_false = false;
            for (cause, one) in Cause::ALL.iter().zip(&found.causes) {
                let is_found = one.p_holm.is_some_and(|p| p < LEVEL);
                if *cause == planted {
                    assert!(is_found, "seed {seed}: {one:?}");
                    let (low, high) = one.interval.unwrap();
                    assert!(low > 0.1 && high < 0.8, "{one:?}");
                } else {
                    is_any_false |= is_found;
                }
            }
            n_false += usize::from(is_any_false);
        }
        // At 5 % a family, of 100 families more than 11 would be a chance of 0.4 %.
        assert!(n_false <= 11, "false findings in {n_false} of 100 families of five");
    }

    #[test]
    fn of_causes_that_are_given_the_one_that_a_network_minds_is_found() {
        let mut n_false = 0;
        for seed in 0..20 {
            let drawn = draw(&DrawOptions { n_train: 1, n_test: 60, seed, size: 16 }).unwrap();
            let plans: Vec<_> = (0..60).map(|i| Plan::new(seed, DrawnSet::Test, i)).collect();
            // It is right but for pictures that are very dark or very bright.
            let ask = |images: &ImageSet| -> Result<DMatrix<f64>, DataError> {
                Ok(DMatrix::from_fn(2, images.len(), |class, i| {
                    let image = images.image(i);
                    let mean =
                        image.iter().map(|&v| f64::from(v)).sum::<f64>() / image.len() as f64;
                    let is_right = (65.0..215.0).contains(&mean);
                    let answers = (class as u32 == images.labels()[i]) == is_right;
                    f64::from(u8::from(answers))
                }))
            };
            let original = ask(&drawn.test).unwrap();
            let found = intervene(&drawn.test, Some(&plans), &original, ask).unwrap();
            assert_eq!(found.len(), 6);
            for one in &found {
                let is_found = one.p_holm.is_some_and(|p| p < LEVEL);
                if one.cause == Cause::Brightness {
                    assert!(is_found && one.difference > 0.2, "seed {seed}: {one:?}");
                    assert!(one.interval.0 > 0.0, "{one:?}");
                    assert!(one.steps.last().unwrap().probability < one.original.probability);
                } else {
                    n_false += usize::from(is_found);
                }
            }
        }
        assert!(n_false <= 3, "{n_false} false findings in 20 families of five");
    }

    fn set(pixels: Vec<u8>, n: usize) -> ImageSet {
        let shape = ImageShape { height: 4, width: 4, channels: 3 };
        let classes = vec!["a".into(), "b".into()];
        ImageSet::new(pixels, shape, (0..n).map(|i| (i % 2) as u32).collect(), classes).unwrap()
    }

    #[test]
    fn photos_are_perturbed_and_four_images_have_no_p_value() {
        let images = set((0..48 * 4).map(|i| (i * 31 % 256) as u8).collect(), 4);
        let ask = |images: &ImageSet| -> Result<DMatrix<f64>, DataError> {
            Ok(DMatrix::from_element(2, images.len(), 0.5))
        };
        let original = ask(&images).unwrap();
        let found = intervene(&images, None, &original, ask).unwrap();
        assert_eq!(found.len(), 6);
        for one in &found {
            assert_eq!((one.n, one.steps.len(), one.p_value), (4, 5, None));
            assert_eq!((one.difference, one.original.error), (0.0, 0.5));
        }
    }

    #[test]
    fn few_errors_have_no_joint_model_and_few_images_no_p_value() {
        let judged = |i: usize, is_wrong| Judged {
            label: 0,
            is_wrong,
            causes: vec![Some(i < 12), Some(i < 4), (i != 7).then_some(i.is_multiple_of(2))],
        };
        let names = ["a", "b", "c"].map(String::from);
        let nine: Vec<_> = (0..40).map(|i| judged(i, i < 9)).collect();
        let found = observe(&names, &nine);
        assert_eq!((found.model, found.n_errors), (JointModel::TooFewErrors, 9));
        assert!(found.causes.iter().all(|one| one.odds_ratio.is_none()));
        let [a, b, c] = &found.causes[..] else { panic!("three") };
        assert!(a.p_value.is_some_and(|p| p < 0.001) && b.p_value.is_none());
        assert_eq!(c.with.total + c.without.total, 39, "the unsure one is left out");
        // Eleven errors, all with the cause: the likelihood has no maximum.
        let eleven: Vec<_> = (0..40).map(|i| judged(i, i < 11)).collect();
        let found = observe(&names, &eleven);
        assert_eq!(found.model, JointModel::Firth);
        let (ratio, low, _) = found.causes[0].odds_ratio.unwrap();
        assert!(ratio > 10.0 && low > 1.0 && ratio.is_finite());
    }

    #[test]
    fn a_cause_whose_images_are_unsure_of_the_others_is_tested_apart() {
        // Eight have the second cause, of which only three are sure of the first.
        let judged = |i: usize| Judged {
            label: 0,
            is_wrong: i.is_multiple_of(3),
            causes: vec![
                (!(33..38).contains(&i)).then_some(i % 4 == 1),
                Some((30..38).contains(&i)),
            ],
        };
        let images: Vec<_> = (0..60).map(judged).collect();
        let found = observe(&["a", "b"].map(String::from), &images);
        let [a, b] = &found.causes[..] else { panic!("two") };
        assert_eq!((found.model, b.with.total), (JointModel::Logistic, 8));
        assert!(a.odds_ratio.is_some() && b.odds_ratio.is_none());
        assert_eq!(b.p_value, Some(fisher_exact(b.with, b.without)));
        assert!(
            found.tested_by().contains("; of b by Fisher's exact test"),
            "{}",
            found.tested_by()
        );
    }

    #[test]
    fn less_in_an_image_is_its_luma_its_blocks_or_its_mean() {
        let image: Vec<u8> = [[255, 0, 0], [0, 255, 0]].concat().repeat(8);
        let images = set(image, 1);
        let grey = Simplification::Grey.of(&images).unwrap();
        assert_eq!(grey.image(0)[..6], [76, 76, 76, 150, 150, 150]);
        let mean = Simplification::MeanColour.of(&images).unwrap();
        assert_eq!(mean.image(0), [128, 128, 0].repeat(16));
        // An image of four by four has no smaller blocks than its pixels.
        assert_eq!(Simplification::Thumbnail.of(&images).unwrap().image(0), images.image(0));
    }
}
