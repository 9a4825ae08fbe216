//! Changing colours: brightness, contrast, saturation and hue as one affine map of red, green and
//! blue, rounded and clamped once, together with the noise.

use super::noise::Noise;
use crate::chance::sin_cos;

/// The weights of red, green and blue in grey, the luma of BT.601 as in
/// [`preprocess`](crate::preprocess).
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

/// The changes that are made to the colours, in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jitter {
    /// Factor on all channels.
    pub(super) brightness: f64,
    /// Factor on the distance from the image's mean grey.
    pub(super) contrast: f64,
    /// Factor on the distance from the pixel's grey.
    pub(super) saturation: f64,
    /// Rotation about the grey axis, in turns; the pixel's grey stays.
    pub(super) hue: f64,
}

impl Jitter {
    pub(super) const STAYS: Self =
        Self { brightness: 1.0, contrast: 1.0, saturation: 1.0, hue: 0.0 };

    /// Changes the colours of an image and adds noise.
    pub(super) fn apply(&self, image: &mut [u8], channels: usize, noise: Option<Noise<'_>>) {
        if *self == Self::STAYS && noise.is_none() {
            return;
        }
        let scale = self.brightness * self.contrast;
        let mean = if self.contrast == 1.0 { 0.0 } else { mean_grey(image, channels) };
        let offset = (self.brightness * mean * (1.0 - self.contrast)) as f32;
        match (channels, noise) {
            (1, None) => grey(image, scale as f32, offset, || [0.0]),
            (1, Some(mut noise)) => grey(image, scale as f32, offset, move || noise.pixel()),
            (_, None) => rgb(image, self.matrix(scale), offset, || [0.0; 3]),
            (_, Some(mut noise)) => rgb(image, self.matrix(scale), offset, move || noise.pixel()),
        }
    }

    /// Returns the matrix of the map of red, green and blue, row by row.
    fn matrix(&self, scale: f64) -> [[f32; 3]; 3] {
        let mut matrix = hue(self.hue);
        for column in 0..3 {
            let grey: f64 = (0..3).map(|row| LUMA[row] * matrix[row][column]).sum();
            for row in &mut matrix {
                row[column] = scale * (grey + (row[column] - grey) * self.saturation);
            }
        }
        matrix.map(|row| row.map(|v| v as f32))
    }
}

/// The rotation about the grey axis (Rodrigues' formula), with the luma that it changes put back
/// along that axis.
fn hue(turns: f64) -> [[f64; 3]; 3] {
    let (sin, cos) = sin_cos(360.0 * turns);
    let (same, next) = ((1.0 - cos) / 3.0, sin / 3.0_f64.sqrt());
    let turn: [[f64; 3]; 3] = std::array::from_fn(|row| {
        std::array::from_fn(|column| match (3 + row - column) % 3 {
            0 => same + cos,
            1 => same + next,
            _ => same - next,
        })
    });
    let luma = |column: usize| (0..3).map(|row| LUMA[row] * turn[row][column]).sum::<f64>();
    let lost: [f64; 3] = std::array::from_fn(|column| LUMA[column] - luma(column));
    turn.map(|row| std::array::from_fn(|column| row[column] + lost[column]))
}

fn mean_grey(image: &[u8], channels: usize) -> f64 {
    let n_pixels = (image.len() / channels) as f64;
    if channels == 1 {
        return image.iter().map(|&v| u64::from(v)).sum::<u64>() as f64 / n_pixels;
    }
    let means = mean_colour(image);
    LUMA.iter().zip(means).map(|(part, mean)| part * mean).sum()
}

/// Returns the mean of each channel.
fn mean_colour(image: &[u8]) -> [f64; 3] {
    let pixels = image.as_chunks::<3>().0;
    let mut sums = [0_u64; 3];
    for &[r, g, b] in pixels {
        sums[0] += u64::from(r);
        sums[1] += u64::from(g);
        sums[2] += u64::from(b);
    }
    sums.map(|sum| sum as f64 / pixels.len() as f64)
}

/// Returns the mean colour in bytes; of grey images, the grey three times.
pub(super) fn mean_bytes(image: &[u8], channels: usize) -> [u8; 3] {
    let means = if channels == 1 { [mean_grey(image, 1); 3] } else { mean_colour(image) };
    means.map(|mean| mean.round() as u8)
}

fn grey(image: &mut [u8], scale: f32, offset: f32, mut noise: impl FnMut() -> [f32; 1]) {
    for v in image {
        *v = byte(scale * f32::from(*v) + offset + noise()[0]);
    }
}

fn rgb(
    image: &mut [u8],
    [to_r, to_g, to_b]: [[f32; 3]; 3],
    offset: f32,
    mut noise: impl FnMut() -> [f32; 3],
) {
    for pixel in image.as_chunks_mut::<3>().0 {
        let [r, g, b] = pixel.map(f32::from);
        let part = |from: [f32; 3]| from[0] * r + from[1] * g + from[2] * b + offset;
        let noise = noise();
        *pixel =
            [byte(part(to_r) + noise[0]), byte(part(to_g) + noise[1]), byte(part(to_b) + noise[2])];
    }
}

/// Returns the nearest byte, between 0 and 255.
fn byte(v: f32) -> u8 {
    (v + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(jitter: Jitter, image: &[u8], channels: usize) -> Vec<u8> {
        let mut image = image.to_vec();
        jitter.apply(&mut image, channels, None);
        image
    }

    #[test]
    fn brightness_multiplies_and_clamps() {
        let bright = Jitter { brightness: 2.0, ..Jitter::STAYS };
        assert_eq!(changed(bright, &[0, 1, 100, 127, 128, 255], 1), [0, 2, 200, 254, 255, 255]);
        assert_eq!(changed(bright, &[0, 100, 200], 3), [0, 200, 255]);
        let dark = Jitter { brightness: 0.0, ..Jitter::STAYS };
        assert_eq!(changed(dark, &[0, 100, 255], 3), [0, 0, 0]);
    }

    #[test]
    fn contrast_keeps_the_mean_grey() {
        let strong = Jitter { contrast: 1.5, ..Jitter::STAYS };
        assert_eq!(changed(strong, &[90, 110], 1), [85, 115]);
        let none = Jitter { contrast: 0.0, ..Jitter::STAYS };
        // 0.299 · 50 + 0.587 · 100 + 0.114 · 150 = 90.75, of the second pixel 18.15.
        assert_eq!(changed(none, &[50, 100, 150, 10, 20, 30], 3), [54; 6]);
        assert_eq!(changed(none, &[0, 100], 1), [50, 50]);
    }

    #[test]
    fn without_saturation_colours_are_their_luma() {
        let grey = Jitter { saturation: 0.0, ..Jitter::STAYS };
        assert_eq!(
            changed(grey, &[255, 0, 0, 0, 255, 0, 50, 100, 150], 3),
            [76, 76, 76, 150, 150, 150, 91, 91, 91]
        );
        assert_eq!(changed(grey, &[1, 2, 3], 1), [1, 2, 3], "grey has none to lose");
    }

    #[test]
    fn a_third_of_a_turn_passes_the_channels_on_and_keeps_luma() {
        let third = Jitter { hue: 1.0 / 3.0, ..Jitter::STAYS };
        let image = [120, 60, 90];
        let turned = changed(third, &image, 3);
        // Red becomes green: red, green, blue are what blue, red, green were, plus the same.
        let luma = |v: &[u8]| v.iter().zip(LUMA).map(|(&v, part)| f64::from(v) * part).sum::<f64>();
        let plus = i32::from(turned[0]) - 90;
        for (now, before) in turned.iter().zip([90, 120, 60]) {
            assert!((i32::from(*now) - before - plus).abs() <= 1, "{turned:?}");
        }
        assert!((luma(&turned) - luma(&image)).abs() < 1.0, "{turned:?}");
        assert_eq!(changed(third, &[80, 80, 80], 3), [80, 80, 80], "grey has no hue");
        assert_eq!(changed(third, &image, 1), image);
    }

    #[test]
    fn staying_changes_nothing() {
        let image: Vec<u8> = (0..=254).collect();
        assert_eq!(changed(Jitter::STAYS, &image, 3), image);
        let matrix = Jitter::STAYS.matrix(1.0);
        assert!(matrix.iter().flatten().all(|v| (v - v.round()).abs() < 1e-6), "{matrix:?}");
    }
}
