//! What in an input an answer rests on: occlusion, integrated gradients, and the deletion curve that
//! checks both.
//!
//! The score that is explained is the log-odds of a class, ln(p / (1 − p)): for a sigmoid ±z, for a
//! softmax z_k − ln Σ_{j≠k} e^{z_j}. It does not flatten where the network is certain, as the
//! probability does.
//!
//! All of it rests on the first layer being linear. A change δ of the input changes W₁·x by W₁·δ, so
//! that the path of integrated gradients, the patches of an occlusion and the steps of a deletion
//! curve cost a product with W₁ once, and a pass through the small rest of the network each.

use crate::gemm::{gemm, plain, transposed};
use crate::layer::{Cache, Dense};
use crate::network::divide_logits;
use crate::rng::{Generator, RngKind};
use crate::{Network, OutputActivation, Real, activation};
use nalgebra::{DMatrix, DVector};

/// Differences between the sum of integrated gradients and the score that are left over, in each
/// interval, as a share of the size of the score.
const TOLERANCE: f64 = 1e-10;
/// How often an interval of the path is divided, at most: beyond it nothing is left but rounding.
const MAX_DEPTH: u32 = 48;
/// Intervals that go through the network together.
const INTERVALS_AT_ONCE: usize = 256;
/// By how much a place on the path from 0 to 1 is wrong, at most.
const ROUNDING: f64 = 4.0 * f64::EPSILON;
/// How many intervals of one depth are divided, at most, and how many more for each hidden unit: a unit bends
/// the score a few times, rounding everywhere. Where normalised layers of few units follow one another,
/// rounding alone is more than the tolerance.
const MAX_DIVIDED: usize = 4096;
const MAX_DIVIDED_PER_UNIT: usize = 8;
/// Places and weights of Gauss and Legendre's quadrature with three points on [0, 1].
const GAUSS: [(f64, f64); 3] = [
    (0.112_701_665_379_258_3, 5.0 / 18.0),
    (0.5, 8.0 / 18.0),
    (0.887_298_334_620_741_7, 5.0 / 18.0),
];

/// How the features of an input lie in a plane: row by row, the channels of a pixel side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Features of a pixel.
    pub channels: usize,
}

impl Grid {
    /// Returns the number of pixels.
    pub fn n_pixels(&self) -> usize {
        self.width * self.height
    }

    /// Returns the number of features.
    pub fn n_features(&self) -> usize {
        self.n_pixels() * self.channels
    }

    /// Returns the sum of the values of each pixel's channels.
    ///
    /// # Shapes
    /// `values` (n_features) → (n_pixels).
    /// # Panics
    /// When there is not a value for each feature.
    pub fn per_pixel(&self, values: &[f64]) -> Vec<f64> {
        assert_eq!(values.len(), self.n_features(), "a value for each feature of {self:?}");
        values.chunks_exact(self.channels).map(|pixel| pixel.iter().sum()).collect()
    }
}

/// How much each feature adds to the score, from a baseline on.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegratedGradients {
    /// What each feature adds to the log-odds (n₀).
    pub attributions: Vec<f64>,
    /// The log-odds at the baseline.
    pub baseline_score: f64,
    /// The log-odds at the input.
    pub score: f64,
}

impl IntegratedGradients {
    /// Returns by how much the attributions miss the difference of the two scores, which is their
    /// sum in exact arithmetic (Sundararajan and others 2017: completeness).
    #[doc(alias = "completeness")]
    pub fn gap(&self) -> f64 {
        (self.attributions.iter().sum::<f64>() - (self.score - self.baseline_score)).abs()
    }
}

/// The probability of a class while more and more of an image is replaced by a baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletionCurve {
    /// Share of the pixels that are replaced, from 0 to 1.
    pub shares: Vec<f64>,
    /// The probability when pixels go in the order of a map, the highest first.
    pub by_importance: Vec<f64>,
    /// The mean probability when they go in random order.
    pub at_random: Vec<f64>,
}

impl DeletionCurve {
    /// Returns the area between the random curve and the map's, from −1 to 1: above 0 the map finds
    /// what the answer rests on better than chance does.
    pub fn advantage(&self) -> f64 {
        let area = |curve: &[f64]| {
            let steps = self.shares.windows(2).zip(curve.windows(2));
            steps.map(|(s, p)| (s[1] - s[0]) * f64::midpoint(p[0], p[1])).sum::<f64>()
        };
        area(&self.at_random) - area(&self.by_importance)
    }
}

/// A network made ready to be asked why, in double precision.
///
/// ```
/// use dnn_core::rng::{Generator, RngKind};
/// use dnn_core::saliency::Saliency;
/// use dnn_core::{Activation, Architecture, Init, Network, OutputActivation};
///
/// let shape = Architecture::new(vec![4, 3, 1], Activation::Relu, OutputActivation::Sigmoid);
/// let mut rng = Generator::new(RngKind::Numpy, 1)?;
/// let saliency = Saliency::new(&Network::<f32>::initialize(&shape, Init::He, &mut rng)?);
/// let found = saliency.integrated_gradients(&[0.3, 0.9, 0.1, 0.5], &[0.0; 4], 1);
/// assert!(found.gap() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Saliency {
    /// W₁ (n₁, n₀).
    w: DMatrix<f64>,
    /// The network of W₁·x: the first layer has the identity for weights.
    rest: Vec<Dense<f64>>,
    output: OutputActivation,
}

impl Saliency {
    /// Takes a copy of the network.
    pub fn new<F: Real>(network: &Network<F>) -> Self {
        let mut rest: Vec<_> = network.layers().iter().map(Dense::cast).collect();
        divide_logits(&mut rest, network.temperature());
        let n = rest[0].n();
        let w = std::mem::replace(&mut rest[0].w, DMatrix::identity(n, n));
        Self { w, rest, output: network.output() }
    }

    /// Returns the number of features the network takes, n₀.
    pub fn n_features(&self) -> usize {
        self.w.ncols()
    }

    /// Returns the log-odds of a class, ln(p / (1 − p)).
    ///
    /// # Shapes
    /// `x` (n₀).
    /// # Panics
    /// When `x` has another number of features or there is no such class.
    pub fn log_odds(&self, x: &[f64], class: usize) -> f64 {
        self.scores(&self.first_sums(x), class)[0]
    }

    /// Computes integrated gradients: (xᵢ − x̄ᵢ)·∫₀¹ ∂F/∂xᵢ(x̄ + t·(x − x̄)) dt of the log-odds F
    /// (Sundararajan and others 2017).
    ///
    /// The path is divided where Gauss and Legendre's three points do not give the difference of the
    /// scores at both ends: at the kinks of ReLU, which are found as the crossing of the tangents,
    /// and where the score is bent. Where rounding bends it everywhere, the division ends, and
    /// [`gap`](IntegratedGradients::gap) has what is missed.
    ///
    /// # Shapes
    /// `x` and `baseline` x̄ (n₀).
    /// # Panics
    /// When a number of features is not the network's or there is no such class.
    pub fn integrated_gradients(
        &self,
        x: &[f64],
        baseline: &[f64],
        class: usize,
    ) -> IntegratedGradients {
        let change = difference(x, baseline);
        let (start, along) = (self.first_sums(baseline), self.first_sums(&change));
        let ends = self.scores(&points(&start, &along, &[0.0, 1.0]), class);
        let (baseline_score, score) = (ends[0], ends[1]);
        let tolerance = TOLERANCE * (1.0 + score.abs().max(baseline_score.abs()));
        let mut pending =
            vec![Interval { from: 0.0, to: 1.0, scores: (baseline_score, score), depth: 0 }];
        let n_units: usize = self.rest.iter().map(Dense::n).sum();
        let max_divided = MAX_DIVIDED + MAX_DIVIDED_PER_UNIT * n_units;
        // ∫ ∂F/∂(W₁x) dt
        let mut integral = DVector::zeros(along.len());
        while !pending.is_empty() {
            let is_last = pending.len() > max_divided;
            let mut halves = Vec::new();
            for now in pending.chunks(INTERVALS_AT_ONCE) {
                let at: Vec<f64> =
                    now.iter().flat_map(|part| GAUSS.map(|(t, _)| part.point(t))).collect();
                let (scores, gradients) =
                    self.scores_and_gradients(points(&start, &along, &at), class);
                let mut divided = Vec::new();
                for (i, part) in now.iter().enumerate() {
                    let columns = 3 * i..3 * i + 3;
                    let slopes: Vec<f64> =
                        columns.clone().map(|j| gradients.column(j).dot(&along)).collect();
                    let width = part.to - part.from;
                    let weighted =
                        GAUSS.iter().zip(&slopes).map(|((_, weight), slope)| weight * slope);
                    let missed = width * weighted.sum::<f64>() - (part.scores.1 - part.scores.0);
                    // A place on the path is rounded, and the score with it, by its slope.
                    let steepest = slopes.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
                    let tolerance = tolerance.max(ROUNDING * steepest);
                    let is_exact = missed.abs() <= tolerance || missed.is_nan();
                    if is_exact || is_last || part.depth == MAX_DEPTH {
                        for (j, (_, weight)) in columns.zip(GAUSS) {
                            integral.axpy(width * weight, &gradients.column(j), 1.0);
                        }
                    } else {
                        let cut = part.cut(&at[columns.clone()], &scores[columns], &slopes);
                        divided.push((*part, cut));
                    }
                }
                if divided.is_empty() {
                    continue;
                }
                let cuts: Vec<f64> = divided.iter().map(|(_, cut)| *cut).collect();
                let scores = self.scores(&points(&start, &along, &cuts), class);
                for ((part, cut), score) in divided.into_iter().zip(scores) {
                    let depth = part.depth + 1;
                    let (before, after) = part.scores;
                    halves.push(Interval { to: cut, scores: (before, score), depth, ..part });
                    halves.push(Interval { from: cut, scores: (score, after), depth, ..part });
                }
            }
            pending = halves;
        }
        let mut attributions = DVector::zeros(change.len());
        gemm(1.0, transposed(&self.w), plain(&integral), 0.0, &mut attributions);
        attributions.component_mul_assign(&DVector::from_vec(change));
        IntegratedGradients {
            attributions: attributions.as_slice().to_vec(),
            baseline_score,
            score,
        }
    }

    /// Computes by how much the log-odds fall when a square of `side` pixels around a pixel is
    /// replaced by the baseline (Zeiler and Fergus 2014); the mean over the squares that hold the
    /// pixel, which stand `stride` pixels apart and at the edges. Negative where the class becomes
    /// more probable.
    ///
    /// # Shapes
    /// `x` and `baseline` (n₀) → (n_pixels).
    /// # Panics
    /// When `grid` or a number of features is not the network's, `side` or `stride` is 0, or there
    /// is no such class.
    pub fn occlusion(
        &self,
        x: &[f64],
        baseline: &[f64],
        class: usize,
        grid: Grid,
        (side, stride): (usize, usize),
    ) -> Vec<f64> {
        assert!(side > 0 && stride > 0, "squares of {side} pixels, {stride} apart");
        let sums = self.first_sums(x);
        let per_pixel = self.changes_per_pixel(x, baseline, grid);
        let (rows, columns) =
            (squares(grid.height, side, stride), squares(grid.width, side, stride));
        let patches: Vec<_> =
            rows.iter().flat_map(|y| columns.iter().map(move |x| (y.clone(), x.clone()))).collect();
        let mut occluded = DMatrix::from_fn(sums.len(), patches.len(), |i, _| sums[i]);
        for (mut column, (ys, xs)) in occluded.column_iter_mut().zip(&patches) {
            for y in ys.clone() {
                for x in xs.clone() {
                    column += per_pixel.column(y * grid.width + x);
                }
            }
        }
        let score = self.scores(&sums, class)[0];
        let mut map = vec![0.0; grid.n_pixels()];
        let mut counts = vec![0_u32; grid.n_pixels()];
        for ((ys, xs), without) in patches.iter().zip(self.scores(&occluded, class)) {
            for pixel in ys.clone().flat_map(|y| xs.clone().map(move |x| y * grid.width + x)) {
                map[pixel] += score - without;
                counts[pixel] += 1;
            }
        }
        map.iter_mut().zip(counts).for_each(|(value, count)| *value /= f64::from(count));
        map
    }

    /// Computes the probability of a class while the pixels are replaced by the baseline in `n_steps`
    /// equal steps, those with the highest values of `map` first, and the mean of the same in
    /// `n_random` random orders (Petsiuk and others 2018: deletion).
    ///
    /// # Shapes
    /// `x` and `baseline` (n₀), `map` (n_pixels) → curves of n_steps + 1 points.
    /// # Panics
    /// When `grid`, `map` or a number of features is not the network's, a number of steps or orders
    /// is 0, or there is no such class.
    #[allow(clippy::too_many_arguments)] // an input, a question and how finely it is asked
    pub fn deletion_curve(
        &self,
        x: &[f64],
        baseline: &[f64],
        class: usize,
        grid: Grid,
        map: &[f64],
        n_steps: usize,
        n_random: usize,
    ) -> DeletionCurve {
        assert!(n_steps > 0 && n_random > 0, "{n_steps} steps, {n_random} random orders");
        assert_eq!(map.len(), grid.n_pixels(), "a value for each pixel of {grid:?}");
        let sums = self.first_sums(x);
        let per_pixel = self.changes_per_pixel(x, baseline, grid);
        let n = grid.n_pixels();
        let ends: Vec<usize> = (0..=n_steps).map(|step| step * n / n_steps).collect();
        let curve = |order: &[usize]| {
            let mut sums = sums.clone();
            let mut along = DMatrix::zeros(sums.len(), ends.len());
            along.set_column(0, &sums);
            for (step, range) in ends.windows(2).enumerate() {
                for &pixel in &order[range[0]..range[1]] {
                    sums += per_pixel.column(pixel);
                }
                along.set_column(step + 1, &sums);
            }
            self.scores(&along, class).into_iter().map(activation::sigmoid).collect::<Vec<f64>>()
        };
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| map[b].total_cmp(&map[a]));
        let mut rng = Generator::new(RngKind::Modern, 0).expect("takes every seed");
        let mut at_random = vec![0.0; ends.len()];
        for _ in 0..n_random {
            for (sum, p) in at_random.iter_mut().zip(curve(&rng.permutation(n))) {
                *sum += p;
            }
        }
        for sum in &mut at_random {
            *sum /= n_random as f64;
        }
        DeletionCurve {
            shares: ends.iter().map(|&end| end as f64 / n as f64).collect(),
            by_importance: curve(&order),
            at_random,
        }
    }

    /// Returns W₁·x (n₁).
    fn first_sums(&self, x: &[f64]) -> DVector<f64> {
        assert_eq!(x.len(), self.n_features(), "features of an input of the network");
        let mut sums = DVector::zeros(self.w.nrows());
        gemm(1.0, plain(&self.w), plain(&DVector::from_column_slice(x)), 0.0, &mut sums);
        sums
    }

    /// Returns what replacing each pixel by the baseline adds to W₁·x (n₁, n_pixels).
    fn changes_per_pixel(&self, x: &[f64], baseline: &[f64], grid: Grid) -> DMatrix<f64> {
        assert_eq!(grid.n_features(), self.n_features(), "features of {grid:?}, of the network");
        let change = difference(baseline, x);
        let mut per_pixel = DMatrix::zeros(self.w.nrows(), grid.n_pixels());
        for (feature, &change) in change.iter().enumerate() {
            let mut pixel = per_pixel.column_mut(feature / grid.channels);
            pixel.axpy(change, &self.w.column(feature), 1.0);
        }
        per_pixel
    }

    /// Returns the score of each column of W₁·X.
    fn scores<C: nalgebra::Dim, S>(
        &self,
        first_sums: &nalgebra::Matrix<f64, nalgebra::Dyn, C, S>,
        class: usize,
    ) -> Vec<f64>
    where
        S: nalgebra::Storage<f64, nalgebra::Dyn, C>,
    {
        let (rows, columns) = first_sums.shape();
        let first_sums = DMatrix::from_iterator(rows, columns, first_sums.iter().copied());
        let logits = self.forward(first_sums).0;
        logits.column_iter().map(|z| self.score(z.as_slice(), class)).collect()
    }

    /// Returns the score of each column of W₁·X and its gradient by that column (n₁, m).
    fn scores_and_gradients(
        &self,
        first_sums: DMatrix<f64>,
        class: usize,
    ) -> (Vec<f64>, DMatrix<f64>) {
        let (logits, caches) = self.forward(first_sums);
        let scores = logits.column_iter().map(|z| self.score(z.as_slice(), class)).collect();
        let mut da = logits;
        for z in da.as_mut_slice().chunks_exact_mut(self.rest[self.rest.len() - 1].n()) {
            self.score_gradient(z, class);
        }
        for (layer, cache) in self.rest.iter().zip(&caches).rev() {
            da = layer.backward(da, cache).0;
        }
        (scores, da)
    }

    fn forward(&self, first_sums: DMatrix<f64>) -> (DMatrix<f64>, Vec<Cache<f64>>) {
        let mut a = first_sums;
        let mut caches = Vec::with_capacity(self.rest.len());
        for layer in &self.rest {
            let (next, cache) = layer.forward(a);
            caches.push(cache);
            a = next;
        }
        (a, caches)
    }

    fn score(&self, logits: &[f64], class: usize) -> f64 {
        assert!(class < self.output.n_classes(logits.len()), "class {class} of the network");
        match self.output {
            OutputActivation::Sigmoid if class == 1 => logits[0],
            OutputActivation::Sigmoid => -logits[0],
            OutputActivation::Softmax => {
                let others = || logits.iter().enumerate().filter(|(j, _)| *j != class);
                let top = others().fold(f64::NEG_INFINITY, |top, (_, &z)| top.max(z));
                logits[class] - top - others().map(|(_, z)| (z - top).exp()).sum::<f64>().ln()
            }
        }
    }

    /// Logits become the gradient of the score: 1 for the class, −softmax for the others.
    fn score_gradient(&self, logits: &mut [f64], class: usize) {
        match self.output {
            OutputActivation::Sigmoid => logits[0] = if class == 1 { 1.0 } else { -1.0 },
            OutputActivation::Softmax => {
                logits[class] = f64::NEG_INFINITY;
                let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = logits.iter().map(|z| (z - top).exp()).sum();
                for z in logits.iter_mut() {
                    *z = -(*z - top).exp() / sum;
                }
                logits[class] = 1.0;
            }
        }
    }
}

/// A part of the path from the baseline, 0, to the input, 1.
#[derive(Debug, Clone, Copy)]
struct Interval {
    from: f64,
    to: f64,
    /// The scores at both ends.
    scores: (f64, f64),
    depth: u32,
}

impl Interval {
    fn point(&self, t: f64) -> f64 {
        self.from + t * (self.to - self.from)
    }

    /// Where to divide: where the tangents at the outer points cross, which is the kink of a score
    /// with one kink between them; from time to time, and where they do not, in the middle.
    fn cut(&self, at: &[f64], scores: &[f64], slopes: &[f64]) -> f64 {
        let (last, middle) = (GAUSS.len() - 1, self.point(0.5));
        let crossing = (scores[last] - scores[0] + slopes[0] * at[0] - slopes[last] * at[last])
            / (slopes[0] - slopes[last]);
        if self.depth % 4 < 3 && at[0] < crossing && crossing < at[last] {
            crossing
        } else {
            middle
        }
    }
}

/// Columns start + t·along.
fn points(start: &DVector<f64>, along: &DVector<f64>, at: &[f64]) -> DMatrix<f64> {
    DMatrix::from_fn(start.len(), at.len(), |i, j| start[i] + at[j] * along[i])
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len(), "features of an input and of a baseline");
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Returns where squares of `side` pixels stand along a length, `stride` apart and at the end, so that they
/// cover it.
///
/// # Panics
/// When `stride` is 0.
pub fn squares(length: usize, side: usize, stride: usize) -> Vec<std::ops::Range<usize>> {
    let side = side.min(length);
    let stride = stride.min(side);
    let last = length - side;
    (0..=last.div_ceil(stride)).map(|i| (i * stride).min(last)).map(|at| at..at + side).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, Architecture, HiddenNormalization, Init};
    use proptest::prelude::*;

    fn network(
        dims: &[usize],
        activation: Activation,
        normalization: HiddenNormalization,
        seed: u64,
    ) -> Network<f64> {
        let one = dims[dims.len() - 1] == 1;
        let output = if one { OutputActivation::Sigmoid } else { OutputActivation::Softmax };
        let architecture =
            Architecture { normalization, ..Architecture::new(dims.to_vec(), activation, output) };
        let mut rng = Generator::new(RngKind::Modern, seed).unwrap();
        Network::initialize(&architecture, Init::Glorot, &mut rng).unwrap()
    }

    fn normalization(normalized: bool) -> HiddenNormalization {
        if normalized { HiddenNormalization::Layer } else { HiddenNormalization::None }
    }

    fn inputs(n: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
        let mut rng = Generator::new(RngKind::Modern, seed ^ 1).unwrap();
        let mut drawn = || (0..n).map(|_| 2.0 * rng.normal()).collect();
        (drawn(), drawn())
    }

    #[test]
    fn integrated_gradients_end_where_rounding_is_more_than_the_tolerance() {
        // A path through 0 with one feature: each normalised layer makes the jump steeper.
        let seed = 1_821_392_491_333_357_732;
        let layer = HiddenNormalization::Layer;
        let network = network(&[1, 7, 10, 7, 1], Activation::LeakyRelu, layer, seed);
        let (x, baseline) = inputs(1, seed);
        let found = Saliency::new(&network).integrated_gradients(&x, &baseline, 1);
        assert!(found.gap() < 1e-6, "{:e}", found.gap());
    }

    proptest! {
        #[test]
        fn integrated_gradients_add_up_to_the_difference_of_the_scores(
            n_features in 1..40_usize,
            hidden in proptest::collection::vec(1..30_usize, 0..4),
            outputs in prop_oneof![Just(1), 2..6_usize],
            activation in proptest::sample::select(Activation::ALL.to_vec()),
            normalized in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let dims = [&[n_features], &hidden[..], &[outputs]].concat();
            let network = network(&dims, activation, normalization(normalized), seed);
            let network = network.with_temperature([0.5, 1.0, 3.0][seed as usize % 3]).unwrap();
            let (x, baseline) = inputs(n_features, seed);
            let class = seed as usize % network.n_classes();
            let found = Saliency::new(&network).integrated_gradients(&x, &baseline, class);
            prop_assert!(found.gap() < 1e-6, "{dims:?}, {activation}: {:e}", found.gap());
            // The scores are the network's own.
            for (score, input) in [(found.score, &x), (found.baseline_score, &baseline)] {
                let p = network.probabilities(&DMatrix::from_column_slice(n_features, 1, input));
                let p = p[(class, 0)];
                prop_assert!((activation::sigmoid(score) - p).abs() < 1e-12);
            }
        }

        #[test]
        fn occluding_a_square_is_replacing_its_pixels(
            (width, height, channels) in (1..9_usize, 1..9_usize, 1..4_usize),
            (side, stride) in (1..6_usize, 1..6_usize),
            outputs in prop_oneof![Just(1), 2..4_usize],
            normalized in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let grid = Grid { width, height, channels };
            let dims = [grid.n_features(), 7, 4, outputs];
            let network = network(&dims, Activation::Tanh, normalization(normalized), seed);
            let (x, baseline) = inputs(grid.n_features(), seed);
            let saliency = Saliency::new(&network);
            let map = saliency.occlusion(&x, &baseline, 1, grid, (side, stride));
            // The definition, with a pass through the whole network for each square.
            let (mut sums, mut counts) = (vec![0.0; map.len()], vec![0.0; map.len()]);
            for ys in squares(height, side, stride) {
                for xs in squares(width, side, stride) {
                    let mut without = x.clone();
                    let pixels: Vec<_> =
                        ys.clone().flat_map(|y| xs.clone().map(move |x| y * width + x)).collect();
                    for &pixel in &pixels {
                        let features = pixel * channels..(pixel + 1) * channels;
                        without[features.clone()].copy_from_slice(&baseline[features]);
                    }
                    let fall = saliency.log_odds(&x, 1) - saliency.log_odds(&without, 1);
                    for &pixel in &pixels {
                        sums[pixel] += fall;
                        counts[pixel] += 1.0;
                    }
                }
            }
            for (value, (sum, count)) in map.iter().zip(sums.iter().zip(&counts)) {
                prop_assert!(*count > 0.0, "a pixel in no square");
                prop_assert!((value - sum / count).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn of_a_linear_network_each_feature_adds_its_product() {
        let w = DMatrix::from_row_slice(1, 3, &[2.0, -1.0, 0.5]);
        let layer = Dense::new(w, DVector::from_element(1, 0.25), Activation::Identity).unwrap();
        let network = Network::new(vec![layer], OutputActivation::Sigmoid).unwrap();
        let saliency = Saliency::new(&network);
        let (x, baseline) = ([1.0, 2.0, 3.0], [0.5, 0.0, 1.0]);
        let found = saliency.integrated_gradients(&x, &baseline, 1);
        for (got, expected) in found.attributions.iter().zip([1.0, -2.0, 1.0]) {
            assert!((got - expected).abs() < 1e-14);
        }
        let opposite = saliency.integrated_gradients(&x, &baseline, 0);
        assert!((opposite.attributions[1] - 2.0).abs() < 1e-14);
        // Each pixel alone: occlusion is the same there.
        let grid = Grid { width: 3, height: 1, channels: 1 };
        let map = saliency.occlusion(&x, &baseline, 1, grid, (1, 1));
        for (got, expected) in map.iter().zip(&found.attributions) {
            assert!((got - expected).abs() < 1e-14);
        }
    }

    #[test]
    fn a_deletion_curve_falls_at_once_when_the_one_pixel_that_counts_goes_first() {
        let grid = Grid { width: 5, height: 4, channels: 2 };
        let mut w = DMatrix::zeros(1, grid.n_features());
        w[(0, 14)] = 10.0;
        let layer = Dense::new(w, DVector::zeros(1), Activation::Identity).unwrap();
        let network = Network::new(vec![layer], OutputActivation::Sigmoid).unwrap();
        let saliency = Saliency::new(&network);
        let (x, baseline) = (vec![1.0; grid.n_features()], vec![0.0; grid.n_features()]);
        let found = saliency.integrated_gradients(&x, &baseline, 1);
        let map = grid.per_pixel(&found.attributions);
        assert!(map.iter().enumerate().all(|(pixel, value)| (pixel == 7) == (*value != 0.0)));
        let curve = saliency.deletion_curve(&x, &baseline, 1, grid, &map, 20, 50);
        assert_eq!(curve.shares.len(), 21);
        assert!(curve.by_importance[0] > 0.99 && curve.by_importance[1] == 0.5);
        assert!(curve.at_random[0] > 0.99 && curve.at_random[20] == 0.5);
        assert!(curve.advantage() > 0.15, "{}", curve.advantage());
        let reversed: Vec<f64> = map.iter().map(|value| -value).collect();
        let worse = saliency.deletion_curve(&x, &baseline, 1, grid, &reversed, 20, 50);
        assert!(worse.advantage() < -0.15, "{}", worse.advantage());
    }

    #[test]
    fn a_network_of_single_precision_adds_up_as_well() {
        let architecture =
            Architecture::new(vec![3072, 64, 32, 1], Activation::Relu, OutputActivation::Sigmoid);
        let mut rng = Generator::new(RngKind::Modern, 3).unwrap();
        let network = Network::<f32>::initialize(&architecture, Init::He, &mut rng).unwrap();
        let (x, baseline) = inputs(3072, 5);
        let found = Saliency::new(&network).integrated_gradients(&x, &baseline, 0);
        assert!(found.gap() < 1e-6, "{:e}", found.gap());
    }
}
