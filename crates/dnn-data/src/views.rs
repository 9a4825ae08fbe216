//! Views of an image: the whole and five crops, each also mirrored.

use crate::ImageShape;
use crate::affine::{Affine, ONE, Padding, line};

/// Writes view `view` of an image: 0 is the image itself, 1 its mirror image; then, in pairs of a crop
/// and its mirror image, the middle, the upper left, the upper right, the lower left and the lower
/// right. A crop is seven eighths of both sides, brought to the image's size.
///
/// # Shapes
/// `image` and `out` (height, width, channels), row by row.
/// # Panics
/// When `view` is 12 or above, or one of both has another length.
pub(crate) fn view(image: &[u8], shape: ImageShape, view: u32, out: &mut [u8]) {
    if view == 0 {
        return out.copy_from_slice(image);
    }
    source(shape, view).resample(image, shape, Padding::Edge, out);
}

/// Where the pixels of a view come from, along each side: a pixel is the mean of the image's pixels at
/// `rows` and `columns` by the product of their weights, rounded to nearest.
///
/// `docs/images.md` has the formulas; this is for programs that compute views in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSource {
    /// Of each row the two rows that it lies between, and the weight of the second, of
    /// [`WHOLE`](Self::WHOLE).
    pub rows: Vec<([usize; 2], u32)>,
    /// The same of each column.
    pub columns: Vec<([usize; 2], u32)>,
}

impl ViewSource {
    /// What both weights of a side add up to.
    pub const WHOLE: u32 = ONE;

    /// Returns where the pixels of view `view` of images of this size come from.
    ///
    /// # Panics
    /// When `view` is 12 or above.
    pub fn new(shape: ImageShape, view: u32) -> Self {
        let Affine { x, y } = source(shape, view);
        Self { rows: line(y[0], y[2], shape.height), columns: line(x[0], x[1], shape.width) }
    }
}

fn source(shape: ImageShape, view: u32) -> Affine {
    // Where along a side the crop lies, in halves of what is left over; the whole has no crop.
    let place = match view / 2 {
        0 => None,
        1 => Some((1, 1)),
        corner @ 2..=5 => Some((2 * (corner as usize % 2), 2 * (corner as usize / 4))),
        _ => panic!("view {view} of 12"),
    };
    let side = |n: usize, half: Option<usize>| match half {
        None => (0, n),
        Some(half) => {
            let kept = (7 * n + 4) / 8;
            (half * (n - kept) / 2, kept)
        }
    };
    let (left, kept_width) = side(shape.width, place.map(|(x, _)| x));
    let (top, kept_height) = side(shape.height, place.map(|(_, y)| y));
    // The middle of pixel i is i + ½ pixels from the edge, in the crop as in the view.
    let scale = |kept: usize, n: usize| kept as f64 / n as f64;
    let (x, y) = (scale(kept_width, shape.width), scale(kept_height, shape.height));
    let first = |from: usize, scale: f64| from as f64 + 0.5 * scale - 0.5;
    let last = shape.width as f64 - 1.0;
    let of_x =
        if view % 2 == 1 { [first(left, x) + x * last, -x, 0.0] } else { [first(left, x), x, 0.0] };
    Affine { x: of_x, y: [first(top, y), 0.0, y] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(height: usize, width: usize, channels: usize) -> ImageShape {
        ImageShape { height, width, channels }
    }

    fn seen(image: &[u8], shape: ImageShape, of: u32) -> Vec<u8> {
        let mut out = vec![0; image.len()];
        view(image, shape, of, &mut out);
        out
    }

    #[test]
    fn every_second_view_is_the_mirror_image_of_the_one_before() {
        for shape in [shape(64, 64, 3), shape(9, 14, 1), shape(1, 1, 3)] {
            let image: Vec<u8> = (0..shape.n_bytes()).map(|i| (i * i * 31 % 251) as u8).collect();
            assert_eq!(seen(&image, shape, 0), image);
            for pair in 0..6 {
                let plain = seen(&image, shape, 2 * pair);
                let mirrored = seen(&plain, shape, 1);
                let of_pair = seen(&image, shape, 2 * pair + 1);
                // A weight that is cut off on one side is cut off on the other.
                for (a, b) in mirrored.iter().zip(&of_pair) {
                    assert!(a.abs_diff(*b) <= 1, "view {} of {shape}", 2 * pair + 1);
                }
            }
        }
    }

    #[test]
    fn the_source_of_a_view_says_where_each_pixel_comes_from() {
        for shape in [shape(64, 64, 1), shape(9, 14, 1), shape(1, 1, 1)] {
            let image: Vec<u8> = (0..shape.n_bytes()).map(|i| (i * i * 31 % 251) as u8).collect();
            for of in 0..12 {
                let ViewSource { rows, columns } = ViewSource::new(shape, of);
                let mut pixels = Vec::new();
                for (y, below) in &rows {
                    for (x, right) in &columns {
                        let weights = [ViewSource::WHOLE - right, *right];
                        let sum = |y: usize| -> u32 {
                            x.iter()
                                .zip(weights)
                                .map(|(x, weight)| u32::from(image[y * shape.width + x]) * weight)
                                .sum()
                        };
                        let sum = sum(y[0]) * (ViewSource::WHOLE - below) + sum(y[1]) * below;
                        pixels.push(((sum + (1 << 21)) >> 22) as u8);
                    }
                }
                assert_eq!(pixels, seen(&image, shape, of), "view {of} of {shape}");
            }
        }
    }

    /// `torch.nn.functional.interpolate(x[..., top:top+56, left:left+56], size=64, mode='bilinear')`,
    /// away from the crop's edges: 7/8 of a ramp are a ramp of 7/8 its slope.
    #[test]
    fn a_crop_of_a_ramp_is_the_flatter_ramp_of_its_place() {
        let ramp = shape(64, 64, 1);
        let right: Vec<u8> = (0..64).flat_map(|_| (0..64).map(|x| 2 * x)).collect();
        let down: Vec<u8> = (0..64).flat_map(|y| [2 * y; 64]).collect();
        for (of, left, top) in [(2, 4, 4), (4, 0, 0), (6, 8, 0), (8, 0, 8), (10, 8, 8)] {
            for (image, from, is_down) in [(&right, left, false), (&down, top, true)] {
                let out = seen(image, ramp, of);
                for i in 1..63 {
                    let at = f64::from(from) + (i as f64 + 0.5) * 0.875 - 0.5;
                    let got = out[if is_down { i * 64 + 30 } else { 30 * 64 + i }];
                    assert!((f64::from(got) - 2.0 * at).abs() <= 0.51, "view {of}, {i}: {got}");
                }
            }
        }
    }
}
