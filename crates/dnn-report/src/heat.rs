//! Maps over images: where a network looked, in colours that are even to the eye.

use crate::chart::ReportError;
use dnn_core::nalgebra::DMatrix;
use dnn_core::saliency::squares;
use dnn_data::{DataError, ImageSet, ImageShape};

/// Asks by how much the log-odds of a class fall when a square of `side` pixels is replaced by the
/// `baseline`, for squares `stride` pixels apart; the mean over the squares that hold a pixel. It is what
/// [`Saliency::occlusion`](dnn_core::saliency::Saliency::occlusion) computes, for networks whose features
/// are not the pixels.
///
/// # Shapes
/// `baseline` the bytes of an image → (height·width).
/// # Errors
/// What `ask` returns, and images that are no bytes of pixels.
/// # Panics
/// When `side` or `stride` is 0.
pub(crate) fn occlusion<E: From<DataError>>(
    images: &ImageSet,
    index: usize,
    class: usize,
    baseline: &[u8],
    (side, stride): (usize, usize),
    mut ask: impl FnMut(&ImageSet) -> Result<DMatrix<f64>, E>,
) -> Result<Vec<f64>, E> {
    let ImageShape { height, width, channels } = images.shape();
    let (rows, columns) = (squares(height, side, stride), squares(width, side, stride));
    let places: Vec<_> =
        rows.iter().flat_map(|ys| columns.iter().map(move |xs| (ys.clone(), xs.clone()))).collect();
    let image = images.image(index);
    let mut pixels = image.to_vec();
    for (ys, xs) in &places {
        let start = pixels.len();
        pixels.extend_from_slice(image);
        for y in ys.clone() {
            let row = (y * width + xs.start) * channels..(y * width + xs.end) * channels;
            pixels[start..][row.clone()].copy_from_slice(&baseline[row]);
        }
    }
    let all = images.select(&vec![index; places.len() + 1]).with_pixels(pixels)?;
    let probabilities = ask(&all)?;
    // Where a probability rounds to 0 or 1 the odds are as great as they can be told.
    let log_odds = |j: usize| {
        let p = probabilities[(class, j)].clamp(1e-12, 1.0 - 1e-12);
        (p / (1.0 - p)).ln()
    };
    let (mut map, mut counts) = (vec![0.0; height * width], vec![0.0; height * width]);
    for (j, (ys, xs)) in places.iter().enumerate() {
        for pixel in ys.clone().flat_map(|y| xs.clone().map(move |x| y * width + x)) {
            map[pixel] += log_odds(0) - log_odds(j + 1);
            counts[pixel] += 1.0;
        }
    }
    map.iter_mut().zip(counts).for_each(|(value, count)| *value /= count);
    Ok(map)
}

/// Returns the image in grey with a signed map laid over it: orange where the value is positive, blue
/// where it is negative, the stronger the farther from 0, up to the magnitude that one pixel of a hundred
/// exceeds: single pixels do not leave all others without colour.
///
/// The colours have one lightness and hue a side in Oklab (Ottosson 2020) and a chroma in proportion to
/// the value, so that equal steps of the value look equal, and both signs alike.
///
/// # Shapes
/// `image` (height, width, channels), `map` (height·width) → (height, width, 3) bytes.
/// # Errors
/// [`ReportError::Image`] when the image has not the bytes of its shape, or the map not its pixels.
pub(crate) fn overlay(
    image: &[u8],
    shape: ImageShape,
    map: &[f64],
) -> Result<Vec<u8>, ReportError> {
    let n_pixels = shape.height * shape.width;
    if image.len() != shape.n_bytes() || map.len() != n_pixels || image.is_empty() {
        return Err(ReportError::Image { index: 0, shape, got: image.len() });
    }
    let mut sizes: Vec<f64> = map.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    // Of a map that is 0 but for fewer, the largest.
    let most = sizes[n_pixels - 1 - n_pixels / 100];
    let full = if most > 0.0 { most } else { sizes[n_pixels - 1] };
    let pixels = image.chunks_exact(shape.channels).zip(map);
    let mixed = pixels.flat_map(|(pixel, value)| {
        let grey = match pixel {
            [r, g, b, ..] => 0.299 * f64::from(*r) + 0.587 * f64::from(*g) + 0.114 * f64::from(*b),
            _ => f64::from(pixel[0]),
        };
        let value = if full > 0.0 { value / full } else { 0.0 };
        diverging(0.25 + 0.6 * grey / 255.0, value.clamp(-1.0, 1.0))
    });
    Ok(mixed.collect())
}

/// The colour of a value from −1 to 1 at a lightness.
fn diverging(lightness: f64, value: f64) -> [u8; 3] {
    /// Hues of orange and blue in degrees, and the chroma that sRGB has of both at most lightnesses.
    const HUES: (f64, f64) = (55.0, 255.0);
    const CHROMA: f64 = 0.13;
    let hue = if value >= 0.0 { HUES.0 } else { HUES.1 };
    let (sin, cos) = hue.to_radians().sin_cos();
    let chroma = CHROMA * value.abs();
    from_oklab(lightness, chroma * cos, chroma * sin)
}

/// Oklab to sRGB bytes.
fn from_oklab(l: f64, a: f64, b: f64) -> [u8; 3] {
    let cubed = |coefficients: [f64; 2]| (l + coefficients[0] * a + coefficients[1] * b).powi(3);
    let [l, m, s] = [
        [0.396_337_777_4, 0.215_803_757_3],
        [-0.105_561_345_8, -0.063_854_172_8],
        [-0.089_484_177_5, -1.291_485_548_0],
    ]
    .map(cubed);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ];
    linear.map(|v| {
        let encoded = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (255.0 * encoded.clamp(0.0, 1.0)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_core::saliency::{Grid, Saliency};
    use dnn_core::{Activation, Architecture, Init, Network, OutputActivation};

    #[test]
    fn asking_and_computing_give_the_same_occlusion() {
        let shape = ImageShape { height: 6, width: 5, channels: 3 };
        let architecture =
            Architecture::new(vec![90, 6, 1], Activation::Tanh, OutputActivation::Sigmoid);
        let mut rng = Generator::new(RngKind::Modern, 2).unwrap();
        let network = Network::<f64>::initialize(&architecture, Init::Glorot, &mut rng).unwrap();
        let pixels: Vec<u8> = (0..180).map(|i| (i * 37 % 256) as u8).collect();
        let classes = vec!["a".into(), "b".into()];
        let images = ImageSet::new(pixels, shape, vec![0, 1], classes).unwrap();
        let features =
            |bytes: &[u8]| -> Vec<f64> { bytes.iter().map(|&v| f64::from(v) / 255.0).collect() };
        let ask = |images: &ImageSet| -> Result<DMatrix<f64>, DataError> {
            let x = DMatrix::from_vec(90, images.len(), features(images.pixels()));
            Ok(network.probabilities(&x))
        };
        let baseline = [128; 90];
        let asked = occlusion(&images, 1, 1, &baseline, (3, 2), ask).unwrap();
        let grid = Grid { width: 5, height: 6, channels: 3 };
        let (x, mean) = (features(images.image(1)), features(&baseline));
        let computed = Saliency::new(&network).occlusion(&x, &mean, 1, grid, (3, 2));
        for (asked, computed) in asked.iter().zip(&computed) {
            assert!((asked - computed).abs() < 1e-9, "{asked}, {computed}");
        }
    }

    #[test]
    fn oklab_is_ottossons() {
        // https://bottosson.github.io/posts/oklab: white, and red at (0.62796, 0.22486, 0.12585)
        assert_eq!(from_oklab(1.0, 0.0, 0.0), [255, 255, 255]);
        assert_eq!(from_oklab(0.627_96, 0.224_86, 0.125_85), [255, 0, 0]);
    }

    #[test]
    fn signs_have_their_colours_and_nothing_is_grey() {
        let shape = ImageShape { height: 1, width: 3, channels: 1 };
        let out = overlay(&[128, 128, 128], shape, &[2.0, 0.0, -1.0]).expect("an image");
        let [positive, none, negative] = [&out[..3], &out[3..6], &out[6..]];
        assert!(positive[0] > positive[2] + 60, "{positive:?}");
        assert!(negative[2] > negative[0] + 30, "{negative:?}");
        assert!(none[0].abs_diff(none[2]) <= 1 && none[0].abs_diff(none[1]) <= 1, "{none:?}");
        assert!(overlay(&[0; 3], shape, &[0.0; 2]).is_err());
        // A map of zeros leaves the image grey.
        let flat = overlay(&[9, 99, 200], shape, &[0.0; 3]).expect("an image");
        assert!(flat[0] < flat[3] && flat[3] < flat[6]);
    }
}
