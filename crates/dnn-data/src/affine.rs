//! Where pixels go: flip, shift, rotation and zoom as one affine map, so that an image is resampled
//! once.

use crate::ImageShape;
use crate::chance::sin_cos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bits of a coordinate after the point; of them the upper ones weigh the neighbours.
const FRACTION: u32 = 32;
/// Bits of a weight: finer than a byte can show, and two weights and a byte fit 32 bits.
const WEIGHT: u32 = 11;
pub(crate) const ONE: u32 = 1 << WEIGHT;

/// What shows where an image ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// The image in a mirror: `c b | a b c | b a`.
    #[default]
    Reflect,
    /// The pixels of the edge, on and on: `a a | a b c | c c`.
    #[doc(alias = "nearest")]
    Edge,
    /// Black.
    Constant,
}

impl Padding {
    /// All of them, for lists and tests.
    pub const ALL: [Self; 3] = [Self::Reflect, Self::Edge, Self::Constant];
}

/// What is done to the plane of the image, in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    /// Left for right.
    pub(crate) flip: bool,
    /// Counter-clockwise about the middle.
    pub(crate) degrees: f64,
    /// Factor of both sides, about the middle.
    pub(crate) zoom: f64,
    /// To the right and down, in pixels.
    pub(crate) shift: (i64, i64),
}

impl Placement {
    pub(crate) const STAYS: Self = Self { flip: false, degrees: 0.0, zoom: 1.0, shift: (0, 0) };

    /// Where each pixel of the result comes from.
    pub(crate) fn source(&self, shape: ImageShape) -> Affine {
        let middle = |n: usize| (n as f64 - 1.0) / 2.0;
        let (middle_x, middle_y) = (middle(shape.width), middle(shape.height));
        // Rows of an image run downwards, so that the inverse of the rotation is the rotation by
        // the same angle in mathematics' axes.
        let (sin, cos) = sin_cos(self.degrees);
        let (sin, cos) = (sin / self.zoom, cos / self.zoom);
        let mirror = if self.flip { -1.0 } else { 1.0 };
        let (x_of_x, x_of_y) = (mirror * cos, mirror * -sin);
        let (y_of_x, y_of_y) = (sin, cos);
        let (x, y) = (-middle_x - self.shift.0 as f64, -middle_y - self.shift.1 as f64);
        Affine {
            x: [middle_x + x_of_x * x + x_of_y * y, x_of_x, x_of_y],
            y: [middle_y + y_of_x * x + y_of_y * y, y_of_x, y_of_y],
        }
    }
}

/// A map of pixels' coordinates: `at 0 + per column · x + per row · y`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Affine {
    pub(crate) x: [f64; 3],
    pub(crate) y: [f64; 3],
}

impl Affine {
    /// Fills `out` with what lies at each pixel's source, bilinear between four neighbours.
    pub(crate) fn resample(
        &self,
        image: &[u8],
        shape: ImageShape,
        padding: Padding,
        out: &mut [u8],
    ) {
        match shape.channels {
            1 => self.resample_n::<1>(image, shape, padding, out),
            _ => self.resample_n::<3>(image, shape, padding, out),
        }
    }

    fn resample_n<const CHANNELS: usize>(
        &self,
        image: &[u8],
        ImageShape { height, width, .. }: ImageShape,
        padding: Padding,
        out: &mut [u8],
    ) {
        let pixels = image.as_chunks::<CHANNELS>().0;
        let rows = out.as_chunks_mut::<CHANNELS>().0.chunks_exact_mut(width);
        let pixel = |x: i64, y: i64| match (padding.index(x, width), padding.index(y, height)) {
            (Some(x), Some(y)) => pixels[y * width + x],
            _ => [0; CHANNELS],
        };
        let inside = |at: i64, n: usize| at >= 0 && at + 1 < n as i64;
        let (step_x, step_y) = (fixed(self.x[1]), fixed(self.y[1]));
        for (row, y) in rows.zip(0..) {
            let mut at_x = fixed(self.x[0] + self.x[2] * f64::from(y)) + HALF;
            let mut at_y = fixed(self.y[0] + self.y[2] * f64::from(y)) + HALF;
            for to in row {
                let (x, right) = split(at_x);
                let (y, below) = split(at_y);
                *to = if right == 0 && below == 0 {
                    // All of an image that is flipped and shifted only.
                    pixel(x, y)
                } else if inside(x, width) && inside(y, height) {
                    let at = y as usize * width + x as usize;
                    let (upper, lower) = (&pixels[at..at + 2], &pixels[at + width..][..2]);
                    blend([upper[0], upper[1], lower[0], lower[1]], right, below)
                } else {
                    let corners = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)];
                    blend(corners.map(|(x, y)| pixel(x, y)), right, below)
                };
                at_x += step_x;
                at_y += step_y;
            }
        }
    }
}

/// Half a step of the weights, so that cutting bits off rounds.
const HALF: i64 = 1 << (FRACTION - WEIGHT - 1);

fn fixed(v: f64) -> i64 {
    (v * (1_u64 << FRACTION) as f64).round() as i64
}

/// Returns, of each pixel of a line of `n` that begins at `from` and goes on by `step`, the two pixels
/// that it lies between and the weight of the second, of [`ONE`]; beyond the ends are the pixels there.
pub(crate) fn line(from: f64, step: f64, n: usize) -> Vec<([usize; 2], u32)> {
    let clamped = |at: i64| at.clamp(0, n as i64 - 1) as usize;
    let each = |i: usize| {
        let (before, weight) = split(fixed(from) + HALF + i as i64 * fixed(step));
        ([clamped(before), clamped(before + 1)], weight)
    };
    (0..n).map(each).collect()
}

/// The pixel at or before a coordinate, and the weight of the one after it.
#[inline(always)]
fn split(at: i64) -> (i64, u32) {
    (at >> FRACTION, (at >> (FRACTION - WEIGHT)) as u32 & (ONE - 1))
}

/// The mean of four pixels by their weights, rounded to nearest.
#[inline(always)]
fn blend<const CHANNELS: usize>(
    [a, b, c, d]: [[u8; CHANNELS]; 4],
    right: u32,
    below: u32,
) -> [u8; CHANNELS] {
    let (left, above) = (ONE - right, ONE - below);
    let weights = [left * above, right * above, left * below, right * below];
    std::array::from_fn(|i| {
        let sum = u32::from(a[i]) * weights[0]
            + u32::from(b[i]) * weights[1]
            + u32::from(c[i]) * weights[2]
            + u32::from(d[i]) * weights[3];
        ((sum + (1 << (2 * WEIGHT - 1))) >> (2 * WEIGHT)) as u8
    })
}

impl Padding {
    /// The pixel of 0..n that shows at `at`; `None` where it is black.
    fn index(self, at: i64, n: usize) -> Option<usize> {
        let last = n as i64 - 1;
        if (0..=last).contains(&at) {
            return Some(at as usize);
        }
        match self {
            Self::Constant => None,
            Self::Edge => Some(at.clamp(0, last) as usize),
            Self::Reflect if last == 0 => Some(0),
            Self::Reflect => {
                let there = at.rem_euclid(2 * last);
                Some(there.min(2 * last - there) as usize)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(placement: Placement, image: &[u8], shape: ImageShape, padding: Padding) -> Vec<u8> {
        let mut out = vec![77; image.len()];
        placement.source(shape).resample(image, shape, padding, &mut out);
        out
    }

    fn grey(height: usize, width: usize) -> (ImageShape, Vec<u8>) {
        let image = (0..height * width).map(|i| (i * 37 % 251) as u8).collect();
        (ImageShape { height, width, channels: 1 }, image)
    }

    #[test]
    fn staying_changes_nothing() {
        for (height, width) in [(1, 1), (1, 5), (4, 1), (7, 4)] {
            let (shape, image) = grey(height, width);
            for padding in Padding::ALL {
                assert_eq!(moved(Placement::STAYS, &image, shape, padding), image);
            }
        }
    }

    #[test]
    fn a_flip_is_left_for_right_and_twice_nothing() {
        let flip = Placement { flip: true, ..Placement::STAYS };
        let shape = ImageShape { height: 2, width: 3, channels: 3 };
        let image: Vec<u8> = (0..18).collect();
        let flipped = moved(flip, &image, shape, Padding::Constant);
        assert_eq!(flipped[..9], [6, 7, 8, 3, 4, 5, 0, 1, 2]);
        assert_eq!(moved(flip, &flipped, shape, Padding::Constant), image);
    }

    #[test]
    fn a_shift_moves_whole_pixels_and_pads() {
        let shape = ImageShape { height: 1, width: 5, channels: 1 };
        let image = [10, 20, 30, 40, 50];
        let right = Placement { shift: (2, 0), ..Placement::STAYS };
        for (padding, expected) in [
            (Padding::Reflect, [30, 20, 10, 20, 30]),
            (Padding::Edge, [10, 10, 10, 20, 30]),
            (Padding::Constant, [0, 0, 10, 20, 30]),
        ] {
            assert_eq!(moved(right, &image, shape, padding), expected);
        }
        let (shape, image) = grey(6, 5);
        let diagonal = Placement { shift: (-1, 3), ..Placement::STAYS };
        let out = moved(diagonal, &image, shape, Padding::Constant);
        for (y, x) in (0..6).flat_map(|y| (0..5).map(move |x| (y, x))) {
            let expected = if y < 3 || x + 1 >= 5 { 0 } else { image[(y - 3) * 5 + x + 1] };
            assert_eq!(out[y * 5 + x], expected, "row {y}, column {x}");
        }
    }

    #[test]
    fn a_quarter_turn_is_a_permutation() {
        for n in [1, 2, 7, 8] {
            let (shape, image) = grey(n, n);
            for padding in Padding::ALL {
                let turn = Placement { degrees: 90.0, ..Placement::STAYS };
                let out = moved(turn, &image, shape, padding);
                for (y, x) in (0..n).flat_map(|y| (0..n).map(move |x| (y, x))) {
                    // Counter-clockwise: what was at the right is at the top.
                    assert_eq!(out[y * n + x], image[x * n + (n - 1 - y)], "{n}: row {y}, {x}");
                }
                let back = Placement { degrees: -90.0, ..Placement::STAYS };
                assert_eq!(moved(back, &out, shape, padding), image);
            }
        }
    }

    #[test]
    fn a_turn_comes_before_the_shift() {
        let (shape, image) = grey(5, 5);
        let turn = Placement { degrees: 180.0, ..Placement::STAYS };
        let shift = Placement { shift: (1, -2), ..Placement::STAYS };
        let both = Placement { shift: (1, -2), ..turn };
        let turned = moved(turn, &image, shape, Padding::Constant);
        let expected = moved(shift, &turned, shape, Padding::Constant);
        assert_eq!(moved(both, &image, shape, Padding::Constant), expected);
    }

    #[test]
    fn zoom_enlarges_about_the_middle() {
        let shape = ImageShape { height: 1, width: 5, channels: 1 };
        let image = [0, 100, 200, 100, 0];
        let twice = Placement { zoom: 2.0, ..Placement::STAYS };
        assert_eq!(moved(twice, &image, shape, Padding::Edge), [100, 150, 200, 150, 100]);
        let half = Placement { zoom: 0.5, ..Placement::STAYS };
        assert_eq!(moved(half, &image, shape, Padding::Constant), [0, 0, 200, 0, 0]);
    }

    #[test]
    fn reflection_goes_on_for_ever() {
        let shown = |at| Padding::Reflect.index(at, 3).unwrap();
        assert_eq!((-5..8).map(shown).collect::<Vec<_>>(), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!(Padding::Reflect.index(-9, 1), Some(0));
        assert_eq!(Padding::Edge.index(9, 3), Some(2));
        assert_eq!(Padding::Constant.index(3, 3), None);
    }
}
