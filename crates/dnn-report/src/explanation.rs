//! Why a model fails on labelled images: all analyses of this crate put together.

use crate::causes::{self, Intervention, Judged, Observations, Simplified};
use crate::chart::{Chart, ReportError};
use crate::factors::{FactorTable, FactorsError};
use crate::figures::{causes_plot, simplified_plot, strengths_plot};
use crate::heat::{occlusion, overlay};
use crate::image_sheet::{Arrangement, Tile, image_sheet};
use crate::suspects::{Suspect, suspects};
use crate::words::{Findings, LIMITS_OF_PHOTOS, is_surely_better, sentences};
use dnn_core::metrics::{MajorityBaseline, Prediction, predictions};
use dnn_core::nalgebra::DMatrix;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::saliency::{Grid, Saliency};
use dnn_data::audit::{Audit, AuditOptions, audit};
use dnn_data::synthetic::{Cause, DrawnSet, Plan};
use dnn_data::{
    AnyNetwork, DataError, FeatureKind, ImageSet, ImageShape, InputContract, Predictor, Shown,
    SplitName, Splits,
};

/// The most errors that are shown with saliency maps.
const MAX_MAPS: usize = 24;
/// The most images whose mean image stands in for what is taken away.
const MAX_MEAN_IMAGES: usize = 500;
/// The most images that the audit compares with all others.
const MAX_AUDITED: usize = 20_000;

/// Labelled images, a network's answers on them, and what else is known.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// All splits of the data as they were read, with the classes of the network.
    pub splits: &'a Splits,
    /// The split whose images are explained.
    pub split: SplitName,
    /// These images as the network takes them ([`ImageSet::prepared`]).
    pub prepared: &'a ImageSet,
    /// The seed that the images were drawn with; `None` when they were not drawn.
    pub drawn_seed: Option<u64>,
    /// The network's probabilities of the images (n_classes, m).
    pub probabilities: &'a DMatrix<f64>,
    /// Probabilities of the training images by networks that have not seen them (n_classes, m_train).
    pub out_of_fold: Option<&'a DMatrix<f64>>,
    /// The causes that images have, as a table says.
    pub factors: Option<&'a FactorTable>,
    /// How many images are changed at most, chosen at random.
    pub max_changed: usize,
}

/// The findings about a network's errors.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The network's answers.
    pub predictions: Vec<Prediction>,
    /// The answers compared with always giving the commonest class of these images.
    pub baseline: MajorityBaseline,
    /// The results on the same images with one thing changed.
    pub interventions: Vec<Intervention>,
    /// The comparison of images that differ by themselves, when their causes are known.
    pub observations: Option<Observations>,
    /// The causes that each image is known to have; `None` for an image of which nothing is known.
    pub known: Vec<Option<Vec<String>>>,
    /// How many images have no row in the table of causes.
    pub n_without_row: usize,
    /// How many training images have known causes and are left out, because no network that has not seen
    /// them was asked.
    pub n_unjudged: usize,
    /// The answers on the same images with less in them.
    pub simplified: Vec<Simplified>,
    /// Training images whose label looks wrong, the surest first; `None` without out-of-sample
    /// probabilities, or when these are no better than one answer for all.
    pub suspects: Option<Vec<Suspect>>,
    /// The images that are got wrong, the surest answer first.
    pub errors: Vec<usize>,
    /// Where the network looked in the first of the errors.
    pub maps: Vec<SaliencyMaps>,
    /// How far the maps are to be trusted; `None` without maps.
    pub map_checks: Option<MapChecks>,
    /// The findings, in three to six sentences.
    pub words: Vec<String>,
    /// What the findings cannot show, in sentences.
    pub limits: Vec<String>,
    /// Why there are no suspects although there are out-of-sample probabilities, in a sentence.
    pub no_suspects: Option<&'static str>,
}

/// Where a network looked in an image.
#[derive(Debug, Clone, PartialEq)]
pub struct SaliencyMaps {
    /// Which image.
    pub index: usize,
    /// By how much the log-odds of the answer fall without each pixel's surroundings (n_pixels).
    pub occlusion: Vec<f64>,
    /// What each pixel adds to the log-odds of the answer, by integrated gradients from the mean image
    /// (n_pixels); `None` when the network's features are not the pixels.
    pub gradients: Option<Vec<f64>>,
}

/// An image that is got wrong, as the gallery of errors shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct MisclassifiedImage {
    /// Its name: a file's, or "image 17".
    pub name: String,
    /// Its class.
    pub truth: String,
    /// The answer.
    pub predicted: String,
    /// The probability of the answer.
    pub probability: f64,
    /// Its bytes, row by row.
    pub pixels: Vec<u8>,
    /// Its size.
    pub shape: ImageShape,
    /// The same size in colours, with a map of occlusion laid over it, when there is one.
    pub occlusion: Option<Vec<u8>>,
    /// The same with integrated gradients.
    pub gradients: Option<Vec<u8>>,
    /// The causes that it has, as far as they are known.
    pub causes: Vec<String>,
}

/// How far maps are to be trusted. Advantages are means over the images of what
/// [`DeletionCurve::advantage`](dnn_core::saliency::DeletionCurve::advantage) returns.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct MapChecks {
    /// The advantage of occlusion over random order.
    pub occlusion_advantage: f64,
    /// The advantage of integrated gradients over random order.
    pub gradients_advantage: f64,
    /// The largest difference between the sum of integrated gradients and that of the log-odds.
    pub completeness_gap: f64,
}

/// "replacing pixels in the order of … lowers the probability by …".
impl std::fmt::Display for MapChecks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [occlusion, gradients] =
            [self.occlusion_advantage, self.gradients_advantage].map(|a| 100.0 * a);
        let verdict = match (occlusion > 0.0, gradients > 0.0) {
            (true, true) => "both show what counts",
            (true, false) => "only occlusion shows what counts",
            (false, true) => "only integrated gradients show what counts",
            (false, false) => "neither shows what counts",
        };
        write!(
            f,
            "replacing pixels in the order of occlusion lowers the probability by {occlusion:.1} points more \
             than random order does, in the order of integrated gradients by {gradients:.1} points: \
             {verdict}. The sums of integrated gradients miss the change of the log-odds by {:.0e} at most",
            self.completeness_gap
        )
    }
}

/// Finds out why a network fails on labelled images. `ask` returns the network's probabilities
/// (n_classes, m) of the m images that it is given, which are of the size of those in [`Subject::splits`] or of
/// [`Subject::prepared`].
///
/// # Errors
/// [`DataError::Mismatch`] when the data have no such split, [`ReportError::NoPictures`] when the images
/// are no pictures, [`FactorsError`] when a table does not fit, and what `ask` returns.
/// # Panics
/// When images and probabilities differ in number.
pub fn explain<E>(
    predictor: &Predictor,
    subject: &Subject<'_>,
    mut ask: impl FnMut(&ImageSet) -> Result<DMatrix<f64>, E>,
) -> Result<Explanation, E>
where
    E: From<DataError> + From<ReportError> + From<FactorsError>,
{
    let Subject { splits, split, prepared, probabilities, .. } = *subject;
    let images = splits.get(split).ok_or_else(|| DataError::Mismatch {
        what: "the split to explain".into(),
        expected: format!("{split} images"),
        got: "none".into(),
    })?;
    let channels = images.shape().channels;
    if prepared.shape().height < 2 || !images.is_bytes() || ![1, 3].contains(&channels) {
        return Err(ReportError::NoPictures(images.shape()).into());
    }
    let predictions = predictions(probabilities);
    let baseline = MajorityBaseline::of(&predictions, images.labels(), images.labels());

    // Drawn images are drawn again; others are put through perturbations.
    let plans: Option<Vec<Plan>> = subject.drawn_seed.map(|seed| {
        let which = if split == SplitName::Test { DrawnSet::Test } else { DrawnSet::Train };
        (0..images.len()).map(|i| Plan::new(seed, which, images.number(i))).collect()
    });
    let chosen = chosen(images.len(), subject.max_changed);
    let some = images.select(&chosen);
    let some_plans: Option<Vec<Plan>> =
        plans.as_ref().map(|plans| chosen.iter().map(|&i| plans[i].clone()).collect());
    let original = probabilities.select_columns(&chosen);
    let interventions = causes::intervene(&some, some_plans.as_deref(), &original, &mut ask)?;
    let simplified = causes::simplify(&some, &original, &mut ask)?;

    let (suspects, no_suspects) = suspects_of_folds(subject);
    let Known { judged, causes: known, names, n_without_row, n_unjudged } =
        known_causes(subject, images, plans.as_deref(), &predictions)?;
    let observations = (!judged.is_empty()).then(|| causes::observe(&names, &judged));

    let mut errors: Vec<usize> =
        (0..images.len()).filter(|&i| predictions[i].class != images.labels()[i]).collect();
    errors.sort_by(|a, b| predictions[*b].probability.total_cmp(&predictions[*a].probability));
    let (maps, map_checks) = maps(predictor, prepared, &predictions, &errors, &mut ask)?;
    let words = sentences(&Findings {
        images: split_words(split),
        baseline: (&images.classes()[baseline.class as usize], baseline),
        are_drawn: plans.is_some(),
        interventions: &interventions,
        observations: observations.as_ref(),
        simplified: &simplified,
        confusion: None,
        n_suspects: suspects.as_ref().map(Vec::len),
    });
    let mut limits = Vec::new();
    if plans.is_none() {
        limits.push(LIMITS_OF_PHOTOS.to_owned());
    }
    if let (Some(all), None) = (&observations, &plans) {
        let with: Vec<_> = all.causes.iter().map(|one| one.with.total).collect();
        let (least, most) = (with.iter().min().unwrap_or(&0), with.iter().max().unwrap_or(&0));
        limits.push(format!(
            "Of the {} images whose causes are known, each cause has {least} to {most}: differences below \
             about 20 points cannot be told from chance with so few.",
            all.n
        ));
    }
    Ok(Explanation {
        predictions,
        baseline,
        interventions,
        observations,
        known,
        n_without_row,
        n_unjudged,
        simplified,
        suspects,
        errors,
        maps,
        map_checks,
        words,
        limits,
        no_suspects,
    })
}

/// Audits all splits of the data of an explanation: which images are in several of them. Of more than 20,000
/// images only those with the same pixels are found, since nearly equal ones take a comparison of all with all.
///
/// # Errors
/// [`DataError::Mismatch`] when the splits are [inconsistent](Splits::check).
pub fn audit_of(splits: &Splits) -> Result<Audit, DataError> {
    let n: usize = splits.iter().map(|split| split.images.len()).sum();
    let near_distance = if n <= MAX_AUDITED { AuditOptions::NEAR_DISTANCE } else { 0 };
    audit(splits, &[], &AuditOptions { near_distance, ..AuditOptions::default() })
}

/// Returns what images of a split are called: "test images".
pub fn split_words(split: SplitName) -> &'static str {
    match split {
        SplitName::Train => "training images",
        SplitName::Validation => "validation images",
        SplitName::Test => "test images",
        SplitName::Unsplit => "images",
    }
}

/// Returns what an image of a split is called: the name of its file, or "image 17".
pub fn image_name(splits: &Splits, split: SplitName, index: usize) -> String {
    splits
        .get(split)
        .map_or_else(|| format!("image {index}"), |images| file_or_number(images, index))
}

fn file_or_number(images: &ImageSet, index: usize) -> String {
    match images.files().get(index).and_then(|file| file.file_name()) {
        Some(file) => file.to_string_lossy().into_owned(),
        None => format!("image {}", images.number(index)),
    }
}

/// At most `n` of `m` images, in their order.
fn chosen(m: usize, n: usize) -> Vec<usize> {
    let mut rng = Generator::new(RngKind::Modern, 1).expect("takes every seed");
    let mut chosen = rng.permutation(m);
    chosen.truncate(n);
    chosen.sort_unstable();
    chosen
}

/// The suspects by out-of-sample probabilities, or why these do not tell any.
fn suspects_of_folds(subject: &Subject<'_>) -> (Option<Vec<Suspect>>, Option<&'static str>) {
    let Some((p, train)) = subject.out_of_fold.zip(subject.splits.train()) else {
        return (None, None);
    };
    let baseline = MajorityBaseline::of(&predictions(p), train.labels(), train.labels());
    if !is_surely_better(&baseline) {
        let why = "The networks of the folds are not surely better than always giving the commonest \
                   class, so they cannot say which labels are suspect";
        return (None, Some(why));
    }
    (Some(suspects(p, train.labels())), None)
}

/// Images whose causes are known.
struct Known {
    judged: Vec<Judged>,
    /// Of the images that are explained.
    causes: Vec<Option<Vec<String>>>,
    /// The names of the causes.
    names: Vec<String>,
    n_without_row: usize,
    n_unjudged: usize,
}

fn known_causes(
    subject: &Subject<'_>,
    images: &ImageSet,
    plans: Option<&[Plan]>,
    answers: &[Prediction],
) -> Result<Known, FactorsError> {
    let Subject { splits, split, out_of_fold, factors, .. } = *subject;
    let drawn = Cause::ALL.iter().map(|cause| cause.key().into()).collect();
    let names = factors.map_or(drawn, |table| table.names().to_vec());
    let mut known = Known {
        judged: Vec::new(),
        causes: vec![None; images.len()],
        names,
        n_without_row: 0,
        n_unjudged: 0,
    };
    if let Some(table) = factors {
        let all: Vec<_> = splits.iter().map(|split| (split.name, &split.images)).collect();
        let rows = table.of_images(&all, split)?;
        for ((name, images), rows) in all.iter().zip(&rows) {
            let of_folds;
            let predictions = match out_of_fold {
                _ if *name == split => answers,
                Some(p) if *name == SplitName::Train => {
                    of_folds = predictions(p);
                    &of_folds
                }
                _ => {
                    if *name == SplitName::Train {
                        known.n_unjudged = rows.iter().flatten().count();
                    }
                    continue;
                }
            };
            for (i, row) in rows.iter().enumerate() {
                if let Some(row) = row {
                    known.add(predictions[i].class, images.labels()[i], row);
                    if *name == split {
                        known.causes[i] = Some(known.present(row));
                    }
                } else {
                    known.n_without_row += 1;
                }
            }
        }
    } else {
        for (i, plan) in plans.unwrap_or_default().iter().enumerate() {
            let has = |cause: &Cause| Some(plan.factors.strength(*cause) >= causes::PRESENT);
            let row: Vec<_> = Cause::ALL.iter().map(has).collect();
            known.add(answers[i].class, images.labels()[i], &row);
            known.causes[i] = Some(known.present(&row));
        }
    }
    Ok(known)
}

impl Known {
    fn add(&mut self, answer: u32, label: u32, causes: &[Option<bool>]) {
        self.judged.push(Judged { label, is_wrong: answer != label, causes: causes.to_vec() });
    }

    /// The names of the causes that are there.
    fn present(&self, causes: &[Option<bool>]) -> Vec<String> {
        let there = self.names.iter().zip(causes).filter(|(_, cause)| **cause == Some(true));
        there.map(|(name, _)| name.clone()).collect()
    }
}

/// Where the network looked in the first of the errors, and how far that is to be trusted.
fn maps<E: From<DataError>>(
    predictor: &Predictor,
    set: &ImageSet,
    predictions: &[Prediction],
    errors: &[usize],
    mut ask: impl FnMut(&ImageSet) -> Result<DMatrix<f64>, E>,
) -> Result<(Vec<SaliencyMaps>, Option<MapChecks>), E> {
    let ImageShape { height, width, channels } = set.shape();
    let side = (height.min(width) / 8).max(1);
    let squares = (2 * side, side);
    let some = chosen(set.len(), MAX_MEAN_IMAGES);
    let contract = InputContract { views: 1, ..predictor.model().input().clone() };
    let mut maps = Vec::new();
    if contract.features != FeatureKind::Pixels {
        let mut sums = vec![0_u64; set.shape().n_bytes()];
        for &i in &some {
            sums.iter_mut().zip(set.image(i)).for_each(|(sum, v)| *sum += u64::from(*v));
        }
        let mean: Vec<u8> = sums.iter().map(|sum| (sum / some.len() as u64) as u8).collect();
        for &index in errors.iter().take(MAX_MAPS) {
            let class = predictions[index].class as usize;
            let occlusion = occlusion(set, index, class, &mean, squares, &mut ask)?;
            maps.push(SaliencyMaps { index, occlusion, gradients: None });
        }
        return Ok((maps, None));
    }
    let saliency = match predictor.model().network() {
        AnyNetwork::F32(network) => Saliency::new(network),
        AnyNetwork::F64(network) => Saliency::new(network),
    };
    let features = |indices: &[usize]| -> Result<DMatrix<f64>, DataError> {
        Ok(set.select(indices).to_dataset::<f64>(&contract)?.x().clone())
    };
    let mean = features(&some)?.column_mean();
    let mean = mean.as_slice();
    let grid = Grid { width, height, channels };
    let mut checks = Vec::new();
    for &index in errors.iter().take(MAX_MAPS) {
        let x = features(&[index])?;
        let x = x.as_slice();
        let class = predictions[index].class as usize;
        let occlusion = saliency.occlusion(x, mean, class, grid, squares);
        let integrated = saliency.integrated_gradients(x, mean, class);
        let gradients = grid.per_pixel(&integrated.attributions);
        let advantage =
            |map: &[f64]| saliency.deletion_curve(x, mean, class, grid, map, 20, 10).advantage();
        checks.push(MapChecks {
            occlusion_advantage: advantage(&occlusion),
            gradients_advantage: advantage(&gradients),
            completeness_gap: integrated.gap(),
        });
        maps.push(SaliencyMaps { index, occlusion, gradients: Some(gradients) });
    }
    let mean_of =
        |value: fn(&MapChecks) -> f64| checks.iter().map(value).sum::<f64>() / checks.len() as f64;
    let checked = (!checks.is_empty()).then(|| MapChecks {
        occlusion_advantage: mean_of(|one| one.occlusion_advantage),
        gradients_advantage: mean_of(|one| one.gradients_advantage),
        completeness_gap: checks.iter().map(|one| one.completeness_gap).fold(0.0, f64::max),
    });
    Ok((maps, checked))
}

impl Explanation {
    /// Draws the figures of the causes, each with a name for its file.
    pub fn charts(&self) -> Vec<(&'static str, Chart)> {
        let mut charts = Vec::new();
        if !self.interventions.is_empty() {
            charts.push(("causes", causes_plot(&self.interventions, self.observations.as_ref())));
            charts.push(("strengths", strengths_plot(&self.interventions)));
        }
        if !self.simplified.is_empty() {
            let share = self.baseline.score().accuracy();
            charts.push(("simplified", simplified_plot(&self.simplified, share)));
        }
        charts
    }

    /// Returns the first `n` errors as the report shows them. `images` are [`Subject::prepared`].
    ///
    /// # Errors
    /// [`ReportError::Image`] when these are other images.
    pub fn gallery(
        &self,
        images: &ImageSet,
        n: usize,
    ) -> Result<Vec<MisclassifiedImage>, ReportError> {
        let class = |class: u32| images.classes()[class as usize].clone();
        let shape = images.shape();
        (self.errors.iter().take(n).enumerate())
            .map(|(i, &index)| {
                let p = self.predictions[index];
                let pixels = images.image(index);
                let map = self.maps.get(i);
                let over = |map: &Vec<f64>| overlay(pixels, shape, map);
                Ok(MisclassifiedImage {
                    name: file_or_number(images, index),
                    truth: class(images.labels()[index]),
                    predicted: class(p.class),
                    probability: p.probability,
                    pixels: pixels.to_vec(),
                    shape,
                    occlusion: map.map(|map| over(&map.occlusion)).transpose()?,
                    gradients: map.and_then(|m| m.gradients.as_ref()).map(over).transpose()?,
                    causes: self.known[index].clone().unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Draws all pictures: the figures, where the network looked, and the worst images of each cause; each
    /// with a name for its file. `images` are [`Subject::prepared`].
    ///
    /// # Errors
    /// What a sheet of images cannot show.
    pub fn pictures(&self, images: &ImageSet) -> Result<Vec<(String, Chart)>, ReportError> {
        let mut charts: Vec<(String, Chart)> =
            self.charts().into_iter().map(|(name, chart)| (name.to_owned(), chart)).collect();
        let rgb = ImageShape { channels: 3, ..images.shape() };
        let shown = self.gallery(images, self.maps.len())?;
        let captions: Vec<_> = shown.iter().map(caption).collect();
        for (name, title, map) in [
            (
                "where-it-looked",
                "Where it looked: orange speaks for its answer, blue against it",
                (|error| error.occlusion.as_deref()) as fn(&MisclassifiedImage) -> Option<&[u8]>,
            ),
            (
                "integrated-gradients",
                "What each pixel adds, by integrated gradients: orange for its answer, blue against it",
                |error| error.gradients.as_deref(),
            ),
        ] {
            let with_map = shown.iter().zip(&captions).filter_map(|(e, c)| Some((e, c, map(e)?)));
            let tiles: Vec<_> = with_map
                .flat_map(|(error, caption, map)| {
                    let image = Tile { pixels: &error.pixels, shape: error.shape, caption };
                    [image, Tile { pixels: map, shape: rgb, caption: &[] }]
                })
                .collect();
            // A network without errors has a sheet that says so; descriptors have no second map.
            if !tiles.is_empty() || name == "where-it-looked" {
                charts.push((name.into(), image_sheet(title, &tiles, Arrangement::Pairs)?));
            }
        }
        let all = self.gallery(images, self.errors.len())?;
        for cause in self.observations.iter().flat_map(|all| &all.causes).map(|one| &one.cause) {
            let with: Vec<_> =
                all.iter().filter(|error| error.causes.contains(cause)).take(12).collect();
            if with.is_empty() {
                continue;
            }
            let captions: Vec<_> = with.iter().map(|error| caption(error)).collect();
            let tiles: Vec<_> = (with.iter().zip(&captions))
                .map(|(error, caption)| Tile { pixels: &error.pixels, shape: error.shape, caption })
                .collect();
            let name: String =
                cause.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
            let title = format!("Errors with the cause {cause}");
            charts
                .push((format!("errors-{name}"), image_sheet(&title, &tiles, Arrangement::Grid)?));
        }
        Ok(charts)
    }
}

/// Returns the lines below an image of a sheet of errors.
fn caption(error: &MisclassifiedImage) -> Vec<String> {
    let mut lines = vec![
        error.name.clone(),
        format!("true: {}", error.truth.shown()),
        format!("answer: {} {:.2}", error.predicted.shown(), error.probability),
    ];
    lines.extend(Some(error.causes.join(", ")).filter(|causes| !causes.is_empty()));
    lines
}
