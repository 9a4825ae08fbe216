//! What an image looks like, in a few numbers.

use super::images::AllImages;
use super::reduction::{Reduction, luma};

/// Cells a side of the small grey image that pairs are compared by.
pub(super) const SIDE: usize = 16;
/// Its cells.
pub(super) const CELLS: usize = SIDE * SIDE;
/// How much brighter than the cell on its left a cell must be, of 255. In black or white areas it is
/// chance, or a JPEG, that decides otherwise.
const STEP: f32 = 2.0;

/// The fingerprints of some images.
#[derive(Debug)]
pub(super) struct Fingerprints {
    /// 64 bits each: is a cell of 9 × 8 brighter than the one on its left? (dHash)
    pub(super) hashes: Vec<u64>,
    /// [`CELLS`] grey values each, less their mean.
    cells: Vec<f32>,
    coarse: Vec<Coarse>,
    /// The length of the vector of cells.
    norms: Vec<f32>,
    /// Mean and variance of all bytes of an image.
    pub(super) moments: Vec<(f32, f32)>,
}

/// What refuses most pairs, in as much memory as a processor fetches at once: most of the time goes
/// into fetching. Means of 2×2 cells, in steps of two.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Coarse([i8; 64]);

impl Coarse {
    fn of(cells: &[f32]) -> Self {
        let mut sums = [0.0; 64];
        for (at, cell) in cells.iter().enumerate() {
            sums[at / SIDE / 2 * 8 + at % SIDE / 2] += cell;
        }
        Self(sums.map(|sum: f32| (sum / 4.0 / 2.0).round() as i8))
    }

    /// Whether the cells are certainly further apart than `bound`.
    fn further(&self, other: &Self, bound: f32) -> bool {
        let mut squares = 0;
        for (a, b) in self.0.iter().zip(&other.0) {
            let apart = i32::from(*a) - i32::from(*b);
            squares += apart * apart;
        }
        // The squares of four differences add up to four times the square of their mean at least,
        // and a mean is two steps; rounding 64 means twice, by 1 each, is worth 2·√64·2 at most.
        4.0 * (squares as f32).sqrt() - 32.0 > bound
    }
}

impl Fingerprints {
    /// Of the images that `which` names.
    pub(super) fn of(images: &AllImages<'_>, which: impl ExactSizeIterator<Item = usize>) -> Self {
        let shape = images.shape();
        let size = (shape.height, shape.width);
        let (mut to_hash, mut to_cells) =
            (Reduction::new(size, (8, 9)), Reduction::new(size, (SIDE, SIDE)));
        let n = which.len();
        let (mut grey, mut small) = (Vec::new(), [0.0; 72]);
        let mut prints = Self {
            hashes: Vec::with_capacity(n),
            cells: vec![0.0; n * CELLS],
            coarse: Vec::with_capacity(n),
            norms: Vec::with_capacity(n),
            moments: Vec::with_capacity(n),
        };
        for (i, image) in which.enumerate() {
            let bytes = images.bytes(image);
            prints.moments.push(moments(bytes));
            luma(bytes, shape.channels, &mut grey);
            to_hash.apply(&grey, &mut small);
            prints.hashes.push(hash(&small));
            let cells = &mut prints.cells[i * CELLS..][..CELLS];
            to_cells.apply(&grey, cells);
            prints.norms.push(centre(cells));
            prints.coarse.push(Coarse::of(cells));
        }
        prints
    }

    /// The deviation of the grey values of image `i`, of 255.
    pub(super) fn contrast(&self, i: usize) -> f32 {
        self.norms[i] / SIDE as f32
    }

    /// How much of the contrast remains when one is taken from the other; `None` above `max`.
    ///
    /// The mean is taken out before, so that a brighter copy is a copy still.
    pub(super) fn difference(&self, a: usize, b: usize, max: f32) -> Option<f32> {
        let norm = self.norms[a].min(self.norms[b]);
        // No vectors are nearer than their lengths differ.
        if (self.norms[a] - self.norms[b]).abs() > max * norm
            || self.coarse[a].further(&self.coarse[b], max * norm)
        {
            return None;
        }
        let bound = (max * norm).powi(2);
        // From the middle on: at the edges many images are alike.
        let halves = |i: usize| self.cells[i * CELLS..][..CELLS].split_at(CELLS / 2);
        let ((above_a, below_a), (above_b, below_b)) = (halves(a), halves(b));
        let mut sum = 0.0;
        for (a, b) in [(below_a, below_b), (above_a, above_b)] {
            for (a, b) in a.chunks_exact(SIDE).zip(b.chunks_exact(SIDE)) {
                sum += squares(a, b);
                if sum > bound {
                    return None;
                }
            }
        }
        Some(sum.sqrt() / norm.max(f32::MIN_POSITIVE))
    }
}

fn squares(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Takes the mean out, and gives the length of what remains.
pub(super) fn centre(values: &mut [f32]) -> f32 {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    for value in values.iter_mut() {
        *value -= mean;
    }
    values.iter().map(|value| value * value).sum::<f32>().sqrt()
}

/// Mean and variance of the bytes.
fn moments(bytes: &[u8]) -> (f32, f32) {
    let (mut sum, mut squares) = (0_u64, 0_u64);
    for &value in bytes {
        let value = u64::from(value);
        sum += value;
        squares += value * value;
    }
    let n = bytes.len() as f64;
    let mean = sum as f64 / n;
    (mean as f32, (squares as f64 / n - mean * mean) as f32)
}

/// The bits of 8 rows of 9 cells, the first in the lowest place.
fn hash(cells: &[f32; 72]) -> u64 {
    let mut bits = 0;
    for (row, cells) in cells.chunks_exact(9).enumerate() {
        for (column, pair) in cells.windows(2).enumerate() {
            bits |= u64::from(pair[1] > pair[0] + STEP) << (8 * row + column);
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageSet, ImageShape, Splits};

    fn prints(images: &[Vec<u8>], side: usize) -> Fingerprints {
        let shape = ImageShape { height: side, width: side, channels: 1 };
        let classes = ["a", "b"].map(String::from).to_vec();
        let set = ImageSet::new(images.concat(), shape, vec![0; images.len()], classes).unwrap();
        let splits = Splits::new(Some(set), None).unwrap();
        Fingerprints::of(&AllImages::of(&splits), 0..images.len())
    }

    #[test]
    fn bits_say_where_it_becomes_brighter() {
        // Rising to the right above, falling below; then a slope of less than a step.
        let image = |slope: f32| -> Vec<u8> {
            let value = |at: usize| {
                let (row, column) = (at / 32, at % 32);
                let along = if row < 16 { column } else { 31 - column };
                (along as f32 * slope) as u8
            };
            (0..1024).map(value).collect()
        };
        let prints = prints(&[image(7.0), image(0.1)], 32);
        assert_eq!(prints.hashes, [0x0000_0000_FFFF_FFFF, 0]);
        assert!(prints.contrast(0) > 60.0 && prints.contrast(1) < 1.0);
    }

    #[test]
    fn difference_is_a_share_of_the_contrast_whatever_the_brightness() {
        let base: Vec<u8> = (0..1024).map(|at| (50 + at % 32 * 3) as u8).collect();
        let brighter = base.iter().map(|v| v + 40).collect();
        let flatter = base.iter().map(|v| 75 + v / 2).collect();
        let mirrored = base.chunks(32).flat_map(|row| row.iter().rev().copied()).collect();
        let prints = prints(&[base.clone(), brighter, flatter, mirrored], 32);
        assert!(prints.difference(0, 1, 0.1).unwrap() < 1e-4);
        // Half the contrast: what remains is as much as the flatter image has.
        let half = prints.difference(0, 2, 2.0).unwrap();
        assert!((half - 1.0).abs() < 0.02, "{half}");
        assert_eq!(prints.difference(0, 2, 0.9), None);
        let opposite = prints.difference(0, 3, 3.0).unwrap();
        assert!((opposite - 2.0).abs() < 0.01, "{opposite}");
    }
}
