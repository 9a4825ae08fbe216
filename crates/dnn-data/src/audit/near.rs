//! Images that are nearly the same: compressed again, a little brighter, moved by a pixel.

use super::exact::Classes;
use super::fingerprint::{CELLS, Fingerprints, SIDE, centre};
use super::hamming;
use super::images::AllImages;
use super::reduction::Reduction;

/// Images with a shorter side are not compared.
pub const MIN_SIDE: usize = 16;
/// Share of the contrast, at most, by which the grey values of near duplicates differ.
pub const MAX_DIFFERENCE: f32 = 0.08;
/// The same for their colours, of which a JPEG keeps less.
pub const MAX_COLOUR_DIFFERENCE: f32 = 0.25;
/// Deviation of the grey values, of 255, below which an image shows too little to be compared.
pub const MIN_CONTRAST: f32 = 2.0;

/// Share, at most, by which the contrasts of near duplicates differ.
const MAX_CONTRAST_DIFFERENCE: f32 = 0.05;
/// A copy that was moved by a pixel looks this different before it is moved back.
const MAX_MOVED_DIFFERENCE: f32 = 0.35;
/// Looks at hashes and comparisons of images in all: some seconds. 60,000 images whose hashes are
/// all alike would need more.
const MAX_LOOKS: u64 = 1_000_000_000;
const MAX_COMPARISONS: u64 = 200_000_000;

/// Two sets of same pixels that are nearly the same picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) distance: u32,
    pub(super) difference: f32,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Off,
    TooSmall,
    Searched { n_flat: usize, complete: bool },
}

/// Calls `found` with every pair of classes whose hashes are at most `distance` apart and whose
/// pictures are alike.
pub(super) fn search(
    images: &AllImages<'_>,
    exact: &Classes,
    distance: u32,
    mut found: impl FnMut(Pair),
) -> Outcome {
    let shape = images.shape();
    if distance == 0 {
        return Outcome::Off;
    }
    if shape.height.min(shape.width) < MIN_SIDE {
        return Outcome::TooSmall;
    }
    let n = exact.members.len();
    let prints = Fingerprints::of(images, (0..n).map(|class| exact.first(class)));
    let mut shown: Vec<usize> = (0..n).filter(|&i| prints.contrast(i) >= MIN_CONTRAST).collect();
    // In the order of contrast, those that an image may be like follow it closely.
    shown.sort_by(|&a, &b| prints.contrast(a).total_cmp(&prints.contrast(b)));
    let contrasts: Vec<f32> = shown.iter().map(|&i| prints.contrast(i)).collect();
    let end = |contrast: &f32| {
        contrasts.partition_point(|other| *other <= contrast * (1.0 + MAX_CONTRAST_DIFFERENCE))
    };
    let ends: Vec<usize> = contrasts.iter().map(end).collect();
    let n_flat = (0..n)
        .filter(|&i| prints.contrast(i) < MIN_CONTRAST)
        .map(|class| exact.members[class].len())
        .sum();
    let hashes: Vec<u64> = shown.iter().map(|&i| prints.hashes[i]).collect();
    let mut comparison = Comparison::new(images);
    let mut n_compared = 0;
    let complete = hamming::pairs(&hashes, &ends, distance, MAX_LOOKS, |a, b, distance| {
        let (a, b) = (shown[a], shown[b]);
        n_compared += 1;
        let whole = prints.difference(a, b, MAX_MOVED_DIFFERENCE);
        let difference = whole.and_then(|whole| {
            let moments = (prints.moments[a], prints.moments[b]);
            let (a, b) = (images.bytes(exact.first(a)), images.bytes(exact.first(b)));
            if whole <= MAX_DIFFERENCE {
                comparison.same_colours(a, b).then_some(whole)
            } else {
                let row = shape.width * shape.channels;
                moved_difference((a, b), moments, (row, shape.channels))
            }
        });
        if let Some(difference) = difference {
            found(Pair { a, b, distance, difference });
        }
        n_compared < MAX_COMPARISONS
    });
    Outcome::Searched { n_flat, complete }
}

/// Compares colours in small images.
struct Comparison {
    reduction: Reduction,
    n_channels: usize,
    plane: Vec<f32>,
}

impl Comparison {
    fn new(images: &AllImages<'_>) -> Self {
        let shape = images.shape();
        Self {
            reduction: Reduction::new((shape.height, shape.width), (SIDE, SIDE)),
            n_channels: shape.channels,
            plane: Vec::new(),
        }
    }

    fn same_colours(&mut self, a: &[u8], b: &[u8]) -> bool {
        if self.n_channels == 1 {
            return true;
        }
        let ((a, norm_a), (b, norm_b)) = (self.colours(a), self.colours(b));
        let rest: f32 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
        rest.sqrt() <= MAX_COLOUR_DIFFERENCE * norm_a.min(norm_b)
    }

    /// All channels of the small image, less their common mean.
    fn colours(&mut self, pixels: &[u8]) -> (Vec<f32>, f32) {
        let mut small = vec![0.0; self.n_channels * CELLS];
        for (channel, out) in small.chunks_exact_mut(CELLS).enumerate() {
            self.plane.clear();
            let values = pixels.iter().skip(channel).step_by(self.n_channels);
            self.plane.extend(values.map(|&value| f32::from(value)));
            self.reduction.apply(&self.plane, out);
        }
        let norm = centre(&mut small);
        (small, norm)
    }
}

/// What remains of the contrast when `b`, moved by a pixel in one of eight directions, is taken from
/// `a`; `None` when that is above [`MAX_DIFFERENCE`] in all of them.
fn moved_difference(
    (a, b): (&[u8], &[u8]),
    ((mean_a, variance_a), (mean_b, variance_b)): ((f32, f32), (f32, f32)),
    (row, n_channels): (usize, usize),
) -> Option<f32> {
    let (brighter, variance) = (mean_a - mean_b, variance_a.min(variance_b));
    let max = MAX_DIFFERENCE * MAX_DIFFERENCE * variance;
    let mut least = None;
    for down in [-1, 0, 1] {
        for right in [-1, 0, 1] {
            if (down, right) == (0, 0) {
                continue;
            }
            let rest = rest_when_moved(a, b, (row, n_channels), (down, right), brighter, max);
            least = match (least, rest) {
                (Some(least), Some(rest)) => Some(f32::min(least, rest)),
                (least, rest) => least.or(rest),
            };
        }
    }
    least.map(|rest| (rest / variance).sqrt())
}

/// The mean square of the difference where both overlap; `None` above `max`.
fn rest_when_moved(
    a: &[u8],
    b: &[u8],
    (row, n_channels): (usize, usize),
    (down, right): (isize, isize),
    brighter: f32,
    max: f32,
) -> Option<f32> {
    let n_rows = a.len() / row - down.unsigned_abs();
    let n = row - right.unsigned_abs() * n_channels;
    // Where each begins to overlap the other.
    let start =
        |down: isize, right: isize| down.max(0) as usize * row + right.max(0) as usize * n_channels;
    let (from_a, from_b) = (start(down, right), start(-down, -right));
    let total = (n_rows * n) as f32;
    let mut sum = 0.0;
    // From the middle on: at the edges many images are alike.
    for y in (n_rows / 2..n_rows).chain(0..n_rows / 2) {
        let a = &a[from_a + y * row..][..n];
        let b = &b[from_b + y * row..][..n];
        for (&a, &b) in a.iter().zip(b) {
            let rest = f32::from(a) - f32::from(b) - brighter;
            sum += rest * rest;
        }
        if sum > max * total {
            return None;
        }
    }
    Some(sum / total)
}
