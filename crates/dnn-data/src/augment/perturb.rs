//! One change of a stated size: photos are put through it to see what a network cannot stand.

use super::Padding;
use super::colour::Jitter;
use crate::ImageShape;
use crate::affine::Placement;
use crate::chance::sin_cos;
use crate::synthetic::Cause;

/// How far the camera stands from a tipped picture, in halves of its side; as for drawn images.
const CAMERA_DISTANCE: f64 = 2.6;
/// Distance from the middle, in halves of a side, up to which a picture counts as its subject.
const MIDDLE: f64 = 0.5;

/// Returns what [`perturb`] does for a cause at full strength, in words.
pub fn perturbation(cause: Cause) -> &'static str {
    match cause {
        Cause::Pose => "turned in the plane by 45°, edges continued",
        Cause::Background => "border faded to the mean colour of the middle",
        Cause::RareColor => "hue turned by 180° and saturation changed by half",
        Cause::CameraAngle => "perspective of a camera tipped by 45°",
        Cause::Brightness => "gain ×1.8 with gamma 0.67, or ×0.4 with gamma 1.5",
        Cause::Scale => "enlarged ×2, or reduced to half with edges continued",
    }
}

/// Returns the image after one change that stands for a cause of error; at strength 0 it is the image
/// itself. `positive` is the direction: clockwise or not, brighter or darker, larger or smaller, and so
/// on. A perturbed photo is not a new photo: what the camera did not see is not in it.
///
/// # Shapes
/// `image` (height, width, channels) row by row → the same.
/// # Panics
/// When `image` has not the bytes of `shape`, or `shape` neither 1 nor 3 channels.
pub fn perturb(
    image: &[u8],
    shape: ImageShape,
    cause: Cause,
    strength: f64,
    positive: bool,
) -> Vec<u8> {
    assert_eq!(image.len(), shape.n_bytes(), "bytes of the image");
    assert!([1, 3].contains(&shape.channels), "grey or colours");
    if strength == 0.0 {
        return image.to_vec();
    }
    let sign = if positive { 1.0 } else { -1.0 };
    let placed = |placement: Placement| {
        let mut out = vec![0; image.len()];
        placement.source(shape).resample(image, shape, Padding::Edge, &mut out);
        out
    };
    match cause {
        Cause::Pose => placed(Placement { degrees: -45.0 * sign * strength, ..Placement::STAYS }),
        Cause::Scale => {
            let zoom = 1.0 + strength;
            placed(Placement { zoom: if positive { zoom } else { 1.0 / zoom }, ..Placement::STAYS })
        }
        Cause::CameraAngle => tipped(image, shape, 45.0 * sign * strength),
        Cause::Brightness => {
            let (gain, gamma) = if positive {
                (1.0 + 0.8 * strength, 1.0 / (1.0 + 0.5 * strength))
            } else {
                (1.0 - 0.6 * strength, 1.0 + 0.5 * strength)
            };
            let table: [u8; 256] = std::array::from_fn(|v| {
                let light = (gain * v as f64 / 255.0).min(1.0);
                (255.0 * libm::pow(light, gamma)).round() as u8
            });
            image.iter().map(|&v| table[usize::from(v)]).collect()
        }
        Cause::RareColor => {
            let (hue, saturation) = (0.5 * sign * strength, 1.0 + 0.5 * sign * strength);
            let mut out = image.to_vec();
            Jitter { saturation, hue, ..Jitter::STAYS }.apply(&mut out, shape.channels, None);
            out
        }
        Cause::Background => faded(image, shape, strength),
    }
}

/// The picture as a plane that is tipped backwards about its horizontal axis.
fn tipped(image: &[u8], shape: ImageShape, degrees: f64) -> Vec<u8> {
    let ImageShape { height, width, channels } = shape;
    let (sin, cos) = sin_cos(degrees);
    let half =
        (width.max(height) as f64 / 2.0, (width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
    let (unit, middle_x, middle_y) = half;
    let mut out = Vec::with_capacity(image.len());
    let clamped = |at: f64, n: usize| at.clamp(0.0, n as f64 - 1.0);
    for row in 0..height {
        let v = (row as f64 - middle_y) / unit;
        // v = D·y·cos θ / (D + y·sin θ), where y is the place on the plane.
        let y = v * CAMERA_DISTANCE / (CAMERA_DISTANCE * cos - v * sin);
        let widening = (CAMERA_DISTANCE + y * sin) / CAMERA_DISTANCE;
        let y = clamped(middle_y + y * unit, height);
        for column in 0..width {
            let x = clamped(middle_x + (column as f64 - middle_x) * widening, width);
            let (x0, y0) = (x as usize, y as usize);
            let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
            let (right, below) = (x - x0 as f64, y - y0 as f64);
            for channel in 0..channels {
                let at =
                    |x: usize, y: usize| f64::from(image[(y * width + x) * channels + channel]);
                let upper = at(x0, y0) * (1.0 - right) + at(x1, y0) * right;
                let lower = at(x0, y1) * (1.0 - right) + at(x1, y1) * right;
                out.push((upper * (1.0 - below) + lower * below).round() as u8);
            }
        }
    }
    out
}

/// The picture whose border has, as far as `strength` says, the mean colour of its middle.
fn faded(image: &[u8], shape: ImageShape, strength: f64) -> Vec<u8> {
    let ImageShape { height, width, channels } = shape;
    let along = |i: usize, n: usize| (2.0 * i as f64 + 1.0) / n as f64 - 1.0;
    let distance =
        |pixel: usize| along(pixel % width, width).abs().max(along(pixel / width, height).abs());
    let (mut sums, mut n) = (vec![0.0; channels], 0.0);
    for (pixel, values) in image.chunks_exact(channels).enumerate() {
        // A picture of a pixel or two has no border.
        if distance(pixel) <= MIDDLE || width.min(height) < 3 {
            sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += f64::from(*v));
            n += 1.0;
        }
    }
    let pixels = image.chunks_exact(channels).enumerate();
    let mix = pixels.flat_map(|(pixel, values)| {
        let t = ((distance(pixel) - MIDDLE) / (1.0 - MIDDLE)).clamp(0.0, 1.0);
        let share = strength * t * t * (3.0 - 2.0 * t);
        let mixed = values
            .iter()
            .zip(&sums)
            .map(move |(&v, sum)| (f64::from(v) * (1.0 - share) + sum / n * share).round() as u8);
        mixed.collect::<Vec<_>>()
    });
    mix.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(shape: ImageShape) -> Vec<u8> {
        (0..shape.n_bytes()).map(|i| (i * 7919 % 256) as u8).collect()
    }

    #[test]
    fn every_change_grows_with_its_strength_from_nothing() {
        for channels in [1, 3] {
            let shape = ImageShape { height: 24, width: 32, channels };
            // Smooth, as photos are: a gradient with a bright middle.
            let image: Vec<u8> = (0..shape.n_bytes())
                .map(|i| {
                    let pixel = i / channels;
                    let (x, y) = (pixel % 32, pixel / 32);
                    let middle = 60.0 * (-((x as f64 - 15.5) / 6.0).powi(2)).exp();
                    (20.0 + 3.0 * x as f64 + 2.0 * y as f64 + middle) as u8
                        + 20 * (i % channels) as u8
                })
                .collect();
            for cause in Cause::ALL {
                for positive in [true, false] {
                    let at = |strength| perturb(&image, shape, cause, strength, positive);
                    assert_eq!(at(0.0), image);
                    let distance = |strength: f64| -> f64 {
                        let changed = at(strength);
                        assert_eq!(changed.len(), image.len());
                        let pairs = changed.iter().zip(&image);
                        pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).sum()
                    };
                    let (weak, strong) = (distance(0.2), distance(1.0));
                    if cause == Cause::RareColor && channels == 1 {
                        assert_eq!(strong, 0.0, "grey has no hue");
                    } else {
                        assert!(0.0 < weak && weak < strong, "{cause:?}: {weak}, {strong}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_picture_of_one_colour_stays_so_but_for_its_light_and_hue() {
        let shape = ImageShape { height: 9, width: 7, channels: 3 };
        let image = [200, 90, 30].repeat(63);
        for cause in [Cause::Pose, Cause::Background, Cause::CameraAngle, Cause::Scale] {
            assert_eq!(perturb(&image, shape, cause, 1.0, true), image, "{cause:?}");
        }
        let brighter = perturb(&image, shape, Cause::Brightness, 1.0, true);
        assert!(brighter[2] > 30 && brighter[0] == 255);
    }

    #[test]
    fn images_of_any_size_can_be_perturbed() {
        for (height, width) in [(1, 1), (1, 9), (2, 2), (3, 3), (40, 3)] {
            let shape = ImageShape { height, width, channels: 3 };
            let image = photo(shape);
            for cause in Cause::ALL {
                assert_eq!(perturb(&image, shape, cause, 1.0, false).len(), image.len());
            }
        }
    }
}
