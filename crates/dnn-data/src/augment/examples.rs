//! Images that are augmented while a network trains on them.

use super::{AugmentConfig, Augmenter};
use crate::views::view;
use crate::{DataError, FeatureExamples, Images};
use dnn_core::{Examples, Real, view_of_epoch};

impl<F: Real, I: Images> FeatureExamples<F, I> {
    /// Returns the same examples with images that look different in every epoch of training: another
    /// view, where the contract has several, and changed at random. Read otherwise, they are as they
    /// were.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when the examples are numbers that are no bytes, or no pictures.
    pub fn augmented(self, config: AugmentConfig, seed: u64) -> Result<Self, DataError> {
        let mismatch = |what: &str, expected: &str, got: String| DataError::Mismatch {
            what: what.into(),
            expected: expected.into(),
            got,
        };
        if !self.images().is_bytes() {
            let got = "numbers that are no bytes".into();
            return Err(mismatch("examples to augment", "images", got));
        }
        let augmenter = Augmenter::new(config, self.images().shape(), seed)
            .map_err(|e| mismatch("images to augment", "pictures", e.to_string()))?;
        let n_views = self.n_views();
        Ok(self.changed_by(Box::new(move |image, epoch, index, viewed, after| {
            let number = view_of_epoch(seed, epoch, index as usize, n_views);
            view(image, augmenter.shape(), number as u32, viewed);
            augmenter.apply(viewed, epoch, index, after);
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Strength;
    use crate::loader::examples_to_train_on;
    use crate::{FeatureKind, ImageSet, ImageShape, InputContract};
    use nalgebra::DMatrix;

    #[test]
    fn an_epoch_has_its_own_images_and_none_but_the_batch_decides() {
        let shape = ImageShape { height: 8, width: 8, channels: 3 };
        let pixels = (0..4 * shape.n_bytes()).map(|i| (i * 7 % 251) as u8).collect();
        let set = ImageSet::new(pixels, shape, vec![0, 1, 0, 1], vec!["a".into(), "b".into()]);
        let set = set.expect("sound");
        let contract = set.contract().expect("a size");
        let config = AugmentConfig::preset(Strength::Strong);
        let plain = set.to_dataset::<f64>(&contract).expect("sound");
        let examples = FeatureExamples::<f64, _>::new(set, &contract).expect("of its size");
        let examples = examples.augmented(config, 3).expect("images");
        let read = |epoch, indices: &[usize]| {
            let mut x = DMatrix::zeros(shape.n_bytes(), indices.len());
            examples.read_for_epoch(indices, epoch, &mut x).expect("read");
            x
        };
        let first = read(0, &[0, 1, 2, 3]);
        assert_ne!(first, read(1, &[0, 1, 2, 3]));
        assert_eq!(read(0, &[2]).column(0), first.column(2));
        let mut x = DMatrix::zeros(shape.n_bytes(), 4);
        examples.read(&[0, 1, 2, 3], &mut x).expect("read");
        assert_eq!(&x, plain.x(), "judged as they are");
    }

    #[test]
    fn views_that_are_kept_are_those_that_are_computed() {
        let shape = ImageShape { height: 16, width: 16, channels: 3 };
        let pixels = (0..3 * shape.n_bytes()).map(|i| (i * i * 7 % 251) as u8).collect();
        let set = ImageSet::new(pixels, shape, vec![0, 1, 0], vec!["a".into(), "b".into()]);
        let set = set.expect("sound");
        let (features, views) = (FeatureKind::ColourTexture, 12);
        let contract = InputContract { features, views, ..set.contract().expect("a size") };
        let computed = FeatureExamples::<f32, _>::new(set.clone(), &contract).expect("of its size");
        let computed = computed.augmented(AugmentConfig::default(), 5).expect("images");
        let kept = examples_to_train_on::<f32>(set, &contract, None, 5).expect("few");
        let mut seen = Vec::new();
        for epoch in 0..6 {
            let [mut a, mut b] = [0; 2].map(|_| DMatrix::zeros(kept.n_features(), 2));
            kept.read_for_epoch(&[2, 0], epoch, &mut a).expect("read");
            computed.read_for_epoch(&[2, 0], epoch, &mut b).expect("read");
            assert_eq!(a, b);
            seen.push(a);
        }
        assert_ne!(seen[0], seen[1]);
        let [mut a, mut b] = [0; 2].map(|_| DMatrix::zeros(kept.n_features(), 12));
        kept.read_views(&[1], &mut a).expect("read");
        computed.read_views(&[1], &mut b).expect("read");
        assert_eq!(a, b);
    }
}
