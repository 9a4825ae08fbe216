//! Recipes for data in small numbers: which suit them, and the one that cross-validation prefers.

use crate::console::Console;
use crate::interrupt::{self, Interrupted};
use crate::progress::bar;
use crate::run::RunConfig;
use crate::source;
use anyhow::{Context, bail};
use dnn_core::ViewedExamples;
use dnn_core::split::Shard;
use dnn_data::augment::AugmentConfig;
use dnn_data::classes::check_classes;
use dnn_data::loader::{DataConfig, InputConfig, Size};
use dnn_data::{
    FeatureExamples, FeatureKind, ImageSet, InputContract, Normalization, SplitName,
    standardization,
};
use dnn_train::TrainConfig;
use dnn_train::tune::{Figures, Plan, Recipe, Search};
use std::fmt::Write as _;

/// Pixels a side of the recipe that sees few pixels.
const SMALL: u32 = 16;
/// The largest magnitude of a standardised descriptor.
const CLIP: f64 = 5.0;
/// λ of logistic regression: of 3, 10 and 30, the best on photos of cats and dogs, upright and upside down.
const L2_OF_DESCRIPTIONS: f64 = 3.0;
/// Recipes are compared by at most so many examples, and twice when there are at most half as many.
const COMPARED_EXAMPLES: usize = 1_000;
/// Folds by which recipes are compared.
const FOLDS: usize = 5;

/// A way to prepare images and to train, which has a name.
pub(crate) struct NamedRecipe {
    pub(crate) name: &'static str,
    pub(crate) input: InputConfig,
    /// How training images are changed at random; recipes are judged without it.
    pub(crate) augment: Option<AugmentConfig>,
    pub(crate) training: TrainConfig,
}

impl NamedRecipe {
    /// Returns the configuration of a training by this recipe, with data yet to be named.
    pub(crate) fn config(&self) -> RunConfig {
        let source = DataConfig { input: Some(self.input.clone()), ..DataConfig::default() };
        let augment = self.augment;
        RunConfig { source: Some(source), augment, ..RunConfig::new(self.training.clone()) }
    }

    /// Returns the recipe as a search tries it.
    pub(crate) fn to_try<'a>(
        &self,
        examples: &'a ViewedExamples<f32>,
        is_table: bool,
    ) -> Recipe<'a, f32> {
        let is_described = self.input.features != FeatureKind::Pixels;
        Recipe {
            name: self.name.into(),
            config: self.training.clone(),
            examples,
            standardize: is_described || is_table,
            clip: is_described.then_some(CLIP),
        }
    }
}

/// Returns whether examples are rows of numbers, not images of bytes.
pub(crate) fn is_table(set: &ImageSet) -> anyhow::Result<bool> {
    let contract = set.contract()?;
    Ok(contract.normalization == Normalization::AsIs || !set.is_bytes() || contract.height == 1)
}

/// Returns the recipes that suit these examples, simplest first; `files` says how image files are read.
///
/// # Errors
/// When the examples have no size that a contract could have.
pub(crate) fn suitable(set: &ImageSet, files: &InputConfig) -> anyhow::Result<Vec<NamedRecipe>> {
    let contract = set.contract()?;
    let is_table = is_table(set)?;
    let mut recipes = Vec::new();
    let mut add = |name, input: &InputConfig, training: TrainConfig, hidden: &[usize]| {
        let training = training.with(|training| {
            training.hidden = hidden.to_vec();
            if hidden.is_empty() {
                // The minimum is further away than the rate of layers reaches; of hundreds of numbers it is
                // where few examples are all right, unless weights cost something.
                training.learning_rate *= 10.0;
                training.l2 = if is_table { 0.0 } else { L2_OF_DESCRIPTIONS };
            }
        })?;
        recipes.push(NamedRecipe { name, input: input.clone(), augment: None, training });
        Ok::<_, anyhow::Error>(())
    };
    let standardized = InputConfig { standardize: true, ..files.clone() };
    if is_table {
        add("logistic regression", &standardized, TrainConfig::table(), &[])?;
        add("16 units", &standardized, TrainConfig::table(), &[16])?;
        add("64 units", &standardized, TrainConfig::table(), &[64])?;
        add("64 and 32 units", &standardized, TrainConfig::table(), &[64, 32])?;
        return Ok(recipes);
    }
    let described = |features| InputConfig { features, views: 12, ..files.clone() };
    let [both, texture, colour] =
        [FeatureKind::ColourTexture, FeatureKind::Texture, FeatureKind::Colour].map(described);
    let has = |input: &InputConfig| {
        InputContract { features: input.features, ..contract.clone() }.check().is_ok()
    };
    let photos = TrainConfig::photos;
    let wide = || photos().with(|training| (training.epochs, training.dropout) = (100, 0.5));
    if has(&both) {
        add("logistic regression on colour and texture", &both, photos(), &[])?;
        add("texture, 256 units, half of them dropped", &texture, wide()?, &[256])?;
        add("colour, 64 units", &colour, photos(), &[64])?;
        add("colour and texture, 64 units", &both, photos(), &[64])?;
        add("colour and texture, 256 units, half of them dropped", &both, wide()?, &[256])?;
    } else if has(&texture) {
        add("logistic regression on texture", &texture, photos(), &[])?;
        add("texture, 256 units, half of them dropped", &texture, wide()?, &[256])?;
    }
    let small = |side: u32| side.min(SMALL);
    let size = Some(Size(small(contract.width), small(contract.height)));
    let pixels = InputConfig { size, ..standardized.clone() };
    add("pixels at 16×16 at most, 64 units", &pixels, photos(), &[64])?;
    if contract.channels == 1 {
        let digits = TrainConfig::digits();
        let hidden = digits.hidden.clone();
        add("pixels, 512 and 256 units", &standardized, digits, &hidden)?;
        if let Some(recipe) = recipes.last_mut() {
            recipe.augment = Some(AugmentConfig::shifts());
        }
    }
    Ok(recipes)
}

/// All views of examples as recipes see them, once for each way of preparing them: pixels of images
/// standardised, as their contract does it by channel, and the rest yet to be standardised.
pub(crate) struct Views(Vec<(InputConfig, ViewedExamples<f32>)>);

impl Views {
    /// Prepares the examples in each of these ways.
    ///
    /// # Errors
    /// When they cannot be prepared so.
    pub(crate) fn read<'i>(
        set: &ImageSet,
        inputs: impl Iterator<Item = &'i InputConfig>,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let mut views: Vec<(InputConfig, ViewedExamples<f32>)> = Vec::new();
        for input in inputs {
            if views.iter().any(|(read, _)| read == input) {
                continue;
            }
            let contract = input.contract_change().apply(set.contract()?);
            let InputConfig { features, views: n, .. } = *input;
            let contract = InputContract { features, views: n, standardization: None, ..contract };
            let prepared = set.prepared(&contract)?;
            let by_channel =
                features == FeatureKind::Pixels && input.standardize && !is_table(set)?;
            let standardization =
                by_channel.then(|| standardization(&*prepared, &contract)).transpose()?;
            let contract = InputContract { standardization, ..contract };
            let examples = FeatureExamples::<f32, _>::new(&*prepared, &contract)?;
            views.push((input.clone(), ViewedExamples::read(&examples, seed)?));
        }
        Ok(Self(views))
    }

    /// Returns the examples prepared in this way.
    ///
    /// # Panics
    /// When they were not asked for.
    pub(crate) fn of(&self, input: &InputConfig) -> &ViewedExamples<f32> {
        &self.0.iter().find(|(read, _)| read == input).expect("asked for").1
    }
}

/// Returns at most `most` of the examples, evenly spaced.
pub(crate) fn evenly_spaced(set: ImageSet, most: usize) -> ImageSet {
    let m = set.len();
    if m <= most {
        return set;
    }
    set.select(&(0..most).map(|i| i * m / most).collect::<Vec<_>>())
}

/// Returns the configuration of the recipe of the lowest cross-validated log loss among those that suit
/// the training examples of `source`, and says which and what the others had. `configured` adds to a
/// recipe what the user asked for.
///
/// # Errors
/// The fault of the data, or [`Interrupted`].
pub(crate) fn chosen(
    source: &DataConfig,
    configured: &dyn Fn(RunConfig) -> anyhow::Result<RunConfig>,
    console: Console,
) -> anyhow::Result<RunConfig> {
    interrupt::listen()?;
    let as_pixels = |input: &InputConfig| InputConfig {
        features: FeatureKind::Pixels,
        views: 1,
        standardize: false,
        ..input.clone()
    };
    let files = source.input.as_ref().map(as_pixels).unwrap_or_default();
    let source = DataConfig { input: Some(files.clone()), ..source.clone() };
    let all = source::load(&source, console)?.take(SplitName::Train);
    let set = evenly_spaced(all.context("no training examples")?, COMPARED_EXAMPLES);
    check_classes(&source.data, set.classes())?;
    let recipes = suitable(&set, &files)?;
    let configs: Vec<RunConfig> =
        recipes.iter().map(|recipe| configured(recipe.config())).collect::<Result<_, _>>()?;
    let seed = configs[0].training.seed;
    let input = |config: &RunConfig| {
        let source = config.source.as_ref();
        source.and_then(|source| source.input.clone()).unwrap_or_default()
    };
    let inputs: Vec<InputConfig> = configs.iter().map(input).collect();
    let views = Views::read(&set, inputs.iter(), seed)?;
    let is_table = is_table(&set)?;
    let mut to_try = Vec::new();
    for ((recipe, config), input) in recipes.iter().zip(&configs).zip(&inputs) {
        let config = config.training.clone().with(|config| config.calibrate = false)?;
        to_try.push(Recipe { config, ..recipe.to_try(views.of(input), is_table) });
    }
    let repeats = if 2 * set.len() <= COMPARED_EXAMPLES { 2 } else { 1 };
    let folds = FOLDS.min(set.len());
    // Other folds than those of `--folds`, which judge what is chosen.
    let plan = Plan { repeats, folds, inner_folds: 0, seed: !seed };
    let search = Search::new(to_try, plan)?;
    let bar = bar(console, search.n_trials(), "comparing recipes {bar:25} {pos}/{len}  {eta} left");
    let n_threads = configs[0].training.n_threads();
    let trials =
        search.run(Vec::new(), Shard::WHOLE, n_threads, &interrupt::requested, &|_| bar.inc(1))?;
    bar.finish_and_clear();
    if trials.len() < search.n_trials() {
        bail!(Interrupted("before a recipe was chosen"));
    }
    let (figures, best) = search.compared(&trials);
    let mut table = String::new();
    for (i, Figures { name, accuracy, log_loss, .. }) in figures.iter().enumerate() {
        let (accuracy, loss) = (100.0 * accuracy, log_loss.unwrap_or(f64::NAN));
        let note = if i == best { ", chosen" } else { "" };
        write!(table, "\n  {accuracy:5.1} %  {loss:.4}  {name}{note}")?;
    }
    console.say(format!(
        "Recipes by {folds}-fold cross-validation on {} training examples (accuracy, log loss); \
         --preset takes one unasked:{table}",
        set.len()
    ))?;
    Ok(configs.into_iter().nth(best).expect("one of them"))
}
