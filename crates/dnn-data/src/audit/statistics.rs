//! Counts and colours.

use super::images::AllImages;
use super::report::{Channel, ImageRef, Imbalance, SplitAudit};
use crate::{ImageSet, Split, Splits};
use std::cmp::Reverse;

/// Each set that is there.
pub(super) fn splits(splits: &Splits, max_class_ratio: f64) -> Vec<SplitAudit> {
    let mut audits = Vec::new();
    for Split { name, images: set, path } in splits.iter() {
        let class_counts = set.class_counts();
        let colours = Colours::of(set);
        audits.push(SplitAudit {
            split: *name,
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
        let unit = if set.is_bytes() { 255.0 } else { 1.0 };
        let values = set.values();
        let (n_channels, n) = (set.shape().channels, set.shape().n_bytes());
        let mut sums = vec![(0.0, 0.0); n_channels];
        let mut of_class = vec![0.0; set.classes().len()];
        let mut of_image = vec![(0.0, 0.0); n_channels];
        for (i, &label) in set.labels().iter().enumerate() {
            of_image.fill((0.0, 0.0));
            let mut channel = 0;
            values.slice(i * n..(i + 1) * n).for_each(|value| {
                let sums = &mut of_image[channel];
                sums.0 += value;
                sums.1 += value * value;
                channel = (channel + 1) % n_channels;
            });
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
pub(super) fn constant(images: &AllImages<'_>) -> Vec<ImageRef> {
    let n_channels = images.shape().channels;
    let is_constant = |&i: &usize| {
        let mut first = Vec::new();
        let mut at = 0;
        let mut same = true;
        images.content(i).0.for_each(|value| {
            match first.get(at % n_channels) {
                Some(own) => same &= *own == value,
                None => first.push(value),
            }
            at += 1;
        });
        same
    };
    (0..images.len()).filter(is_constant).map(|i| images.at(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffer, ImageShape, Scale, SplitName};

    const PAIR: ImageShape = ImageShape { height: 1, width: 2, channels: 1 };

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn colours_are_features_of_channels_and_classes() {
        let shape = ImageShape { height: 1, width: 2, channels: 3 };
        let pixels = vec![255, 0, 51, 0, 0, 51, 255, 0, 51, 0, 0, 51, 0, 0, 0, 0, 0, 0];
        let set = ImageSet::new(pixels, shape, vec![1, 1, 0], names(3)).unwrap();
        let found = &splits(&Splits::new(Some(set), None).unwrap(), 10.0)[0];
        let channels = [
            (1.0 / 3.0, (2.0_f64 / 9.0).sqrt()),
            (0.0, 0.0),
            (2.0 / 15.0, 0.2 * (2.0_f64 / 9.0).sqrt()),
        ];
        for (channel, (mean, std)) in found.channels.iter().zip(channels) {
            assert!((channel.mean - mean).abs() < 1e-9 && (channel.std - std).abs() < 1e-9);
        }
        let bright = 0.299 / 2.0 + 0.114 / 5.0;
        assert_eq!((found.brightness[0], found.brightness[2]), (Some(0.0), None));
        assert!((found.brightness[1].unwrap() - bright).abs() < 1e-9);
        assert_eq!(
            (&found.class_counts[..], &found.without_images[..]),
            (&[1, 2, 0][..], &[2][..])
        );
    }

    #[test]
    fn numbers_are_taken_as_they_are() {
        let floats = vec![-3.0, 1.0, 5.0, 1.0];
        let set =
            ImageSet::from_values(Buffer::F32(floats), PAIR, vec![0, 1], names(2), Scale::Auto)
                .unwrap();
        let splits = Splits::new(None, Some(set)).unwrap();
        let found = &super::splits(&splits, 10.0)[0];
        assert_eq!(found.split, SplitName::Test);
        assert_eq!(found.channels, [Channel { mean: 1.0, std: 8.0_f64.sqrt() }]);
        assert_eq!(found.brightness, [Some(-1.0), Some(3.0)]);
    }

    #[test]
    fn the_largest_class_is_set_against_the_smallest_that_is_there() {
        let found = imbalance(&[30, 0, 3, 30, 4], 10.0);
        let expected = Imbalance { largest: 0, smallest: 2, ratio: 10.0, flagged: false };
        assert_eq!(found, expected);
        assert!(imbalance(&[31, 3], 10.0).flagged);
        let one = Imbalance { largest: 1, smallest: 1, ratio: 1.0, flagged: false };
        assert_eq!(imbalance(&[0, 5], 10.0), one);
    }

    #[test]
    fn an_image_of_one_colour_is_constant_however_colourful_it_is() {
        let shape = ImageShape { height: 1, width: 2, channels: 3 };
        let pixels = vec![9, 8, 7, 9, 8, 7, 5, 5, 5, 5, 5, 6];
        let set = ImageSet::new(pixels, shape, vec![1, 0], names(2)).unwrap();
        let splits = Splits::new(None, Some(set)).unwrap();
        let found = constant(&AllImages::of(&splits));
        assert_eq!(found, [ImageRef { split: SplitName::Test, index: 0, label: 1 }]);
    }
}
