//! Counts and colours.

use super::images::{Content, Images};
use super::report::{Channel, ImageRef, Imbalance, Split, SplitAudit};
use crate::{ImageSet, Splits};
use std::cmp::Reverse;

/// Each set that is there.
pub(super) fn splits(splits: &Splits, max_class_ratio: f64) -> Vec<SplitAudit> {
    let train = (Split::Train, &splits.train, &splits.train_path);
    let test = (Split::Test, &splits.test, &splits.test_path);
    let mut audits = Vec::new();
    for (split, set, path) in [train, test] {
        let Some(set) = set else { continue };
        let class_counts = set.class_counts();
        let colours = Colours::of(set);
        audits.push(SplitAudit {
            split,
            path: path.clone(),
            n_images: set.len(),
            without_images: (0..)
                .zip(&class_counts)
                .filter(|(_, count)| **count == 0)
                .map(|(class, _)| class)
                .collect(),
            imbalance: imbalance(&class_counts, max_class_ratio),
            class_counts,
            channels: colours.channels,
            brightness: colours.brightness,
        });
    }
    audits
}

/// Of classes that have images; a set has one, so a class has.
fn imbalance(counts: &[usize], max_ratio: f64) -> Imbalance {
    let with_images =
        || (0..).zip(counts.iter().copied()).filter(|&(_, count): &(u32, usize)| count > 0);
    // Of equal classes the first.
    let (largest, most) = with_images().min_by_key(|&(_, count)| Reverse(count)).unwrap_or((0, 1));
    let (smallest, least) = with_images().min_by_key(|&(_, count)| count).unwrap_or((0, 1));
    let ratio = most as f64 / least as f64;
    Imbalance { largest, smallest, ratio, flagged: ratio > max_ratio }
}

struct Colours {
    channels: Vec<Channel>,
    brightness: Vec<Option<f64>>,
}

impl Colours {
    fn of(set: &ImageSet) -> Self {
        match set.floats() {
            Some(floats) => Self::of_sums(set, floats, 1.0, |value| f64::from(*value)),
            None => Self::of_sums(set, set.pixels(), 255.0, |value| f64::from(*value)),
        }
    }

    fn of_sums<T>(set: &ImageSet, values: &[T], unit: f64, number: impl Fn(&T) -> f64) -> Self {
        let (n_channels, n) = (set.shape().channels, set.shape().n_bytes());
        let mut sums = vec![(0.0, 0.0); n_channels];
        let mut of_class = vec![0.0; set.classes().len()];
        let mut of_image = vec![(0.0, 0.0); n_channels];
        for (image, &label) in values.chunks_exact(n).zip(set.labels()) {
            of_image.fill((0.0, 0.0));
            for pixel in image.chunks_exact(n_channels) {
                for (sums, value) in of_image.iter_mut().zip(pixel) {
                    let value = number(value);
                    sums.0 += value;
                    sums.1 += value * value;
                }
            }
            for (all, own) in sums.iter_mut().zip(&of_image) {
                all.0 += own.0;
                all.1 += own.1;
            }
            of_class[label as usize] += brightness(&of_image) / (n / n_channels) as f64;
        }
        let n_values = (values.len() / n_channels) as f64;
        let channel = |&(sum, squares): &(f64, f64)| {
            let mean = sum / n_values;
            let std = (squares / n_values - mean * mean).max(0.0).sqrt();
            Channel { mean: mean / unit, std: std / unit }
        };
        let of_class = set.class_counts().into_iter().zip(of_class);
        Self {
            channels: sums.iter().map(channel).collect(),
            brightness: of_class
                .map(|(count, sum)| (count > 0).then(|| sum / count as f64 / unit))
                .collect(),
        }
    }
}

/// The luma of BT.601, or the mean of channels that are not red, green and blue.
fn brightness(sums: &[(f64, f64)]) -> f64 {
    match sums {
        [red, green, blue] => 0.299 * red.0 + 0.587 * green.0 + 0.114 * blue.0,
        _ => sums.iter().map(|channel| channel.0).sum::<f64>() / sums.len() as f64,
    }
}

/// Images of which every pixel is like the first.
pub(super) fn constant(images: &Images<'_>) -> Vec<ImageRef> {
    let n_channels = images.shape().channels;
    let is_constant = |&i: &usize| match images.content(i) {
        Content::Bytes(bytes) => bytes.iter().zip(&bytes[n_channels..]).all(|(a, b)| a == b),
        Content::Floats(floats) => floats.iter().zip(&floats[n_channels..]).all(|(a, b)| a == b),
    };
    (0..images.len()).filter(is_constant).map(|i| images.at(i)).collect()
}
