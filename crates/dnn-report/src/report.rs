//! What the report of a run says, and how it is made from a model's answers, their explanation and an audit of
//! the data.

use crate::causes::{CauseFinding, Observations};
use crate::chart::{Chart, ReportError};
use crate::explanation::{Explanation, MisclassifiedImage, image_name, split_words};
use crate::figures::quality_plots;
use crate::model_card::{ModelCard, model_card};
use crate::suspects::MAX_LISTED;
use crate::words::{Findings, p_text, percent, sentences};
use dnn_core::Architecture;
use dnn_core::metrics::{
    Calibration, ClassReport, Confusion, MajorityBaseline, Prediction, Quality, Score,
};
use dnn_data::audit::{Audit, ImageRef, Likeness, Near};
use dnn_data::{ImageSet, Model, Shown, SplitName, Splits};

/// Errors in the gallery; more would make the page heavy.
const MAX_ERRORS: usize = 48;

/// What a report is made from: a model, its answers on labelled images, and what else is known of them.
#[derive(Debug)]
pub struct ReportInput<'a> {
    /// The name of the run.
    pub name: &'a str,
    /// The model that is judged.
    pub model: &'a Model,
    /// All splits of the data as they were read, with the classes of the model.
    pub splits: &'a Splits,
    /// The split whose images the model is judged on.
    pub split: SplitName,
    /// The name of the data.
    pub data: &'a str,
    /// The images of the split as the model takes them ([`ImageSet::prepared`]).
    pub prepared: &'a ImageSet,
    /// The model's answers on these images.
    pub predictions: &'a [Prediction],
    /// Which class is taken for which.
    pub confusion: &'a Confusion,
    /// What else is measured of the answers.
    pub quality: &'a Quality,
    /// Why answers are wrong; `None` when the examples are no pictures.
    pub explanation: Option<&'a Explanation>,
    /// An [audit](crate::explanation::audit_of) of all splits.
    pub audit: &'a Audit,
    /// How the model was trained, when that is known.
    pub training: Option<Training>,
    /// The configuration of the run, as its file has it; empty when there is none.
    pub configuration: String,
    /// The commands that repeat the run; empty when it cannot be repeated.
    pub repeat: String,
    /// The name and version of the program that makes the report.
    pub producer: String,
}

/// How a network was trained, as a report shows it.
#[derive(Debug, Clone)]
pub struct Training {
    /// How many of the training images are right at the end.
    pub score: Score,
    /// The cost and the accuracy over time.
    pub history: Vec<Chart>,
    /// How the units of each hidden layer fare, in words.
    pub layer_health: Vec<String>,
    /// What is not as it should be of layers and answers, in sentences.
    pub findings: Vec<String>,
}

impl ReportInput<'_> {
    /// Returns what the report says.
    ///
    /// # Errors
    /// [`ReportError::Image`] when the prepared images are not those that were explained.
    /// # Panics
    /// When predictions and images differ in number.
    pub fn report(&self) -> Result<Report, ReportError> {
        let Self { model, splits, prepared, confusion, quality, audit, .. } = *self;
        let (classes, labels) = (model.classes(), prepared.labels());
        let baseline = MajorityBaseline::of(self.predictions, labels, labels);
        let baseline = (classes[baseline.class as usize].as_str(), baseline);
        let score = Score::of(self.predictions, labels);
        let class = |class: u32| classes[class as usize].clone();
        let mut figures = key_figures(score, quality, baseline);
        if let Some(training) = self.training.as_ref().filter(|_| self.split != SplitName::Train) {
            figures.insert(1, training_accuracy(training.score, score));
        }
        let health = self.training.as_ref().map(|training| &training.layer_health[..]);
        let mut report = Report {
            title: self.name.to_owned(),
            figures,
            layers: layers(&model.network().architecture(), health.unwrap_or_default()),
            history: self.training.iter().flat_map(|one| one.history.clone()).collect(),
            classes: classes.to_vec(),
            confusion: confusion.counts().to_vec(),
            class_reports: (0..classes.len()).map(|class| confusion.class_report(class)).collect(),
            curves: (quality_plots(quality, classes, confusion.counts()).into_iter())
                .filter(|(name, _)| *name != "confusion")
                .map(|(_, chart)| chart)
                .collect(),
            // Of two classes there is one curve for both.
            class_roc_auc: if classes.len() == 2 {
                Vec::new()
            } else {
                quality.curves.iter().map(|one| Some(one.roc.as_ref()?.area())).collect()
            },
            n_errors: score.total - score.correct,
            leaks: leaks(audit, splits),
            n_leaks: audit.leaks.total,
            health: self.training.iter().flat_map(|one| one.findings.clone()).collect(),
            audit: audit_sentences(audit),
            configuration: self.configuration.clone(),
            repeat: self.repeat.clone(),
            producer: self.producer.clone(),
            ..Report::default()
        };
        let Some(found) = self.explanation else {
            report.words = sentences(&Findings {
                images: "rows",
                baseline,
                are_drawn: false,
                interventions: &[],
                observations: None,
                simplified: &[],
                confusion: Some((confusion, classes)),
                n_suspects: None,
            });
            return Ok(report);
        };
        report.words.clone_from(&found.words);
        report.limits.clone_from(&found.limits);
        report.errors = found.gallery(prepared, MAX_ERRORS)?;
        report.map_checks =
            found.map_checks.map_or_else(String::new, |checks| sentence(&checks.to_string()));
        report.causes = CauseFinding::list(&found.interventions, found.observations.as_ref());
        report.observations.clone_from(&found.observations);
        report.cause_charts = found.charts().into_iter().map(|(_, chart)| chart).collect();
        report.suspects = (found.suspects.iter().flatten().take(MAX_LISTED))
            .map(|one| SuspectRow {
                name: image_name(splits, SplitName::Train, one.index),
                label: class(one.label),
                likely: class(one.likely),
                margin: one.margin,
            })
            .collect();
        Ok(report)
    }

    /// Returns the text of the model card that goes with a report of this.
    pub fn model_card(&self, report: &Report) -> String {
        model_card(&ModelCard {
            name: self.name,
            architecture: &self.model.network().architecture().to_string(),
            classes: self.model.classes(),
            input: &self.model.input().to_string(),
            takes_images: self.explanation.is_some(),
            judged_on: (self.data, split_words(self.split)),
            score: Score::of(self.predictions, self.prepared.labels()),
            words: &report.words,
            repeat: &self.repeat,
            producer: &self.producer,
        })
    }
}

/// A row of the table of layers.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    /// "1", "2", … or "output".
    pub name: String,
    /// Units and inputs.
    pub shape: (usize, usize),
    /// Number of weights and biases.
    pub n_parameters: usize,
    /// The activation of its units.
    pub activation: String,
    /// How its units fare, in words.
    pub health: String,
}

/// An image whose label looks wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct SuspectRow {
    /// Its name.
    pub name: String,
    /// Its label.
    pub label: String,
    /// The class that it looks like.
    pub likely: String,
    /// Probability of the likely class less that of the label.
    pub margin: f64,
}

/// A test image that is in the training set.
#[derive(Debug, Clone, PartialEq)]
pub struct LeakRow {
    /// The name and the label of the test image.
    pub test: (String, String),
    /// The name and the label of the training image most like it.
    pub train: (String, String),
    /// Whether they have the same pixels, and not nearly so.
    pub same_pixels: bool,
}

/// The contents of a report. Lists that are empty leave their section out.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The title of the page: the name of the run.
    pub title: String,
    /// The verdict and what else was found, in sentences.
    pub words: Vec<String>,
    /// Limits of what was found, in sentences.
    pub limits: Vec<String>,
    /// Key figures: a name, a value, and what it means.
    pub figures: Vec<(String, String, String)>,
    /// The layers.
    pub layers: Vec<LayerRow>,
    /// The charts of the training.
    pub history: Vec<Chart>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Which class was taken for which: `confusion[truth][prediction]`.
    pub confusion: Vec<Vec<usize>>,
    /// Precision, recall and F1 of each class.
    pub class_reports: Vec<ClassReport>,
    /// Area under the receiver operating characteristic of each class against the rest; empty with two
    /// classes, where it is the same for both.
    pub class_roc_auc: Vec<Option<f64>>,
    /// Curves over all thresholds, and calibration.
    pub curves: Vec<Chart>,
    /// Errors, the surest first.
    pub errors: Vec<MisclassifiedImage>,
    /// How many errors there are in all.
    pub n_errors: usize,
    /// How far the maps over the errors are to be trusted, in a sentence.
    pub map_checks: String,
    /// The findings about each cause of error.
    pub causes: Vec<CauseFinding>,
    /// The comparison of images that differ by themselves.
    pub observations: Option<Observations>,
    /// The figures of the causes, and of what the answers go by.
    pub cause_charts: Vec<Chart>,
    /// Images whose label looks wrong.
    pub suspects: Vec<SuspectRow>,
    /// Test images that are, or nearly are, in the training set.
    pub leaks: Vec<LeakRow>,
    /// How many of them there are in all.
    pub n_leaks: usize,
    /// Sentences about dead and saturated units.
    pub health: Vec<String>,
    /// The findings of the audit of the data, in sentences.
    pub audit: Vec<String>,
    /// The configuration, as its file has it.
    pub configuration: String,
    /// The commands that repeat the run to the byte, and what they need.
    pub repeat: String,
    /// The name and version of the program that made the report.
    pub producer: String,
}

/// Words as a sentence: with a capital and a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// The accuracy on the training images, beside that on the judged ones.
fn training_accuracy(training: Score, judged: Score) -> (String, String, String) {
    let (training, judged) = (training.accuracy(), judged.accuracy());
    let gap = 100.0 * (training - judged);
    let meaning = format!("{gap:+.1} points beside the accuracy above; a large gap is overfitting");
    ("training accuracy".into(), percent(training), meaning)
}

/// Key figures, with what they mean.
fn key_figures(
    score: Score,
    quality: &Quality,
    (class, baseline): (&str, MajorityBaseline),
) -> Vec<(String, String, String)> {
    let (low, high) = score.wilson_interval();
    let mut all = vec![
        (
            "accuracy",
            percent(score.accuracy()),
            format!("95 % interval {} to {} (Wilson)", percent(low), percent(high)),
        ),
        (
            "majority baseline",
            percent(baseline.score().accuracy()),
            format!(
                "always answering {}; {} by McNemar",
                class.shown(),
                p_text(baseline.p_value())
            ),
        ),
    ];
    let number = |value: f64| format!("{value:.4}");
    let calibration = quality.calibration.as_ref().map(Calibration::expected_error);
    for (name, value, meaning) in [
        ("balanced accuracy", quality.balanced_accuracy.map(percent), "mean recall of the classes"),
        ("macro F1", quality.macro_average.map(|m| number(m.f1)), "mean over the classes"),
        ("ROC AUC", quality.roc_auc.map(number), "0.5 knows nothing, 1 is a perfect order"),
        (
            "average precision",
            quality.average_precision.map(number),
            "area under precision and recall",
        ),
        ("log loss", quality.log_loss.map(number), "mean of −ln p of the true class"),
        ("Brier score", quality.brier_score.map(number), "mean squared error of the probabilities"),
        ("calibration error", calibration.map(percent), "confidence against accuracy, ten bins"),
    ] {
        all.extend(value.map(|value| (name, value, meaning.to_owned())));
    }
    all.into_iter().map(|(name, value, meaning)| (name.to_owned(), value, meaning)).collect()
}

/// The layers, the hidden ones with how they fare.
fn layers(architecture: &Architecture, health: &[String]) -> Vec<LayerRow> {
    let n_hidden = architecture.activations.len();
    (architecture.layer_dims.windows(2).enumerate())
        .map(|(i, pair)| LayerRow {
            name: if i < n_hidden { (i + 1).to_string() } else { "output".into() },
            shape: (pair[1], pair[0]),
            n_parameters: architecture.n_parameters_of(i),
            activation: match architecture.activations.get(i) {
                Some(activation) if architecture.normalizes(i) => {
                    format!("{activation} of normalised sums")
                }
                Some(activation) => activation.to_string(),
                None => architecture.output.to_string(),
            },
            health: health.get(i).cloned().unwrap_or_default(),
        })
        .collect()
}

/// What an audit of all the data says, in sentences.
fn audit_sentences(found: &Audit) -> Vec<String> {
    let mut lines: Vec<String> = found
        .splits
        .iter()
        .map(|split| {
            let counts: Vec<_> = (found.classes.iter().zip(&split.class_counts))
                .take(12)
                .map(|(class, n)| format!("{n} {}", class.shown()))
                .collect();
            format!("{}: {} images: {}", split.split, split.n_images, counts.join(", "))
        })
        .collect();
    lines.push(format!("{} test images are in the training set", found.leaks.total));
    lines.push(format!("{} pictures have more than one label", found.contradictions.total));
    lines.push(format!("{} images have the same pixels as another", found.exact.n_images));
    if let Near::Searched(near) = &found.near {
        lines.push(format!("{} images are nearly the same as another", near.duplicates.n_images));
    }
    lines
}

/// The test images that are in the training set.
fn leaks(found: &Audit, splits: &Splits) -> Vec<LeakRow> {
    let side = |image: &ImageRef| {
        let name = image_name(splits, image.split, image.index);
        (name, found.classes[image.label as usize].clone())
    };
    (found.leaks.listed.iter())
        .map(|leak| LeakRow {
            test: side(&leak.test),
            train: side(&leak.train),
            same_pixels: leak.likeness == Likeness::Same,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explanation::audit_of;
    use dnn_core::metrics::predictions;
    use dnn_core::nalgebra::DMatrix;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_core::{Activation, Init, Network, OutputActivation};
    use dnn_data::{ImageShape, InputContract};

    /// Images of 4×4 grey pixels, the first of which is theirs alone.
    fn set(first: &[u8], labels: &[u32]) -> ImageSet {
        let shape = ImageShape { height: 4, width: 4, channels: 1 };
        let pixels =
            first.iter().flat_map(|&v| (0..16).map(move |i| if i == 0 { v } else { 9 * i }));
        let classes = vec!["odd".into(), "even".into()];
        ImageSet::new(pixels.collect(), shape, labels.to_vec(), classes).expect("a set")
    }

    #[test]
    fn a_report_of_rows_says_what_is_measured_and_found() {
        let input = InputContract { channels: 1, ..InputContract::rgb(4, 4).expect("a size") };
        let shape = Architecture::new(vec![16, 3, 1], Activation::Relu, OutputActivation::Sigmoid);
        let mut rng = Generator::new(RngKind::Modern, 1).expect("takes every seed");
        let network = Network::<f64>::initialize(&shape, Init::He, &mut rng).expect("a shape");
        let test = set(&[200, 20, 120, 240], &[1, 0, 1, 0]);
        let model = Model::new(network, test.classes().to_vec(), input).expect("a model");
        // The first image of the test set is in the training set, with another label.
        let train = set(&[200, 70], &[0, 1]);
        let splits = Splits::new(Some(train), Some(test.clone())).expect("alike");
        let positive = [0.9, 0.2, 0.8, 0.7];
        let probabilities =
            DMatrix::from_fn(
                2,
                4,
                |class, i| {
                    if class == 1 { positive[i] } else { 1.0 - positive[i] }
                },
            );
        let answers = predictions(&probabilities);
        let report_input = ReportInput {
            name: "run",
            model: &model,
            splits: &splits,
            split: SplitName::Test,
            data: "numbers.csv",
            prepared: &test,
            predictions: &answers,
            confusion: &Confusion::of(&answers, test.labels(), 2),
            quality: &Quality::of(&probabilities, test.labels(), test.classes()),
            explanation: None,
            audit: &audit_of(&splits).expect("consistent"),
            training: Some(Training {
                score: Score { correct: 2, total: 2 },
                history: Vec::new(),
                layer_health: vec!["1 of 3 dead".into()],
                findings: Vec::new(),
            }),
            configuration: String::new(),
            repeat: "dnn train --config config.toml".into(),
            producer: "dnn 0".into(),
        };
        let report = report_input.report().expect("a report");
        let value = |name: &str| {
            let found = report.figures.iter().find(|(figure, ..)| figure == name);
            found.map(|(_, value, _)| value.as_str())
        };
        assert_eq!(value("accuracy"), Some("75.0 %"));
        assert_eq!(value("training accuracy"), Some("100.0 %"));
        assert_eq!(value("ROC AUC"), Some("1.0000"));
        assert_eq!((report.n_errors, &report.confusion), (1, &vec![vec![1, 1], vec![0, 2]]));
        let layers: Vec<_> =
            report.layers.iter().map(|layer| (&*layer.name, &*layer.health)).collect();
        assert_eq!(layers, [("1", "1 of 3 dead"), ("output", "")]);
        assert_eq!((report.n_leaks, report.leaks.len()), (1, 1));
        assert_eq!((&*report.leaks[0].test.1, &*report.leaks[0].train.1), ("even", "odd"));
        assert!(report.leaks[0].same_pixels && report.words[0].contains("3 of 4"), "{report:?}");
        let card = report_input.model_card(&report);
        assert!(card.contains("Right on 3 of 4 test images of numbers.csv"), "{card}");
        // Of the training images themselves, their accuracy is said once.
        let of_training = ReportInput { split: SplitName::Train, ..report_input };
        let figures = of_training.report().expect("a report").figures;
        assert!(!figures.iter().any(|(name, ..)| name == "training accuracy"), "{figures:?}");
    }
}
