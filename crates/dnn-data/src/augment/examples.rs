//! Images that are augmented while a network trains on them.

use super::{AugmentConfig, Augmenter};
use crate::preprocess::Features;
use crate::{DataError, ImageSet};
use dnn_core::{DatasetError, Examples, InputContract, Real};
use nalgebra::DMatrix;

/// A training set whose images look different in every epoch; read otherwise, they are as they are.
pub struct AugmentedExamples<F: Real> {
    set: ImageSet,
    augmenter: Augmenter,
    features: Features<F>,
}

impl<F: Real> AugmentedExamples<F> {
    /// Takes images that have the contract's size.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when the examples are numbers that are no bytes, or the contract does
    /// not go with them.
    pub fn new(
        set: ImageSet,
        contract: &InputContract,
        config: AugmentConfig,
        seed: u64,
    ) -> Result<Self, DataError> {
        let mismatch = |what: &str, expected: &str, got: String| DataError::Mismatch {
            what: what.into(),
            expected: expected.into(),
            got,
        };
        if set.floats().is_some() {
            let got = "numbers that are no bytes".into();
            return Err(mismatch("examples to augment", "images", got));
        }
        if contract.n_features() != set.shape().n_bytes() {
            let got = set.shape().to_string();
            return Err(mismatch("images to augment", "the contract's size", got));
        }
        let features = Features::new(contract)
            .map_err(|e| mismatch("input contract", "one that holds together", e.to_string()))?;
        let augmenter = Augmenter::new(config, set.shape(), seed)
            .map_err(|e| mismatch("images to augment", "pictures", e.to_string()))?;
        Ok(Self { set, augmenter, features })
    }
}

impl<F: Real> Examples<F> for AugmentedExamples<F> {
    fn n_examples(&self) -> usize {
        self.set.len()
    }
    fn n_features(&self) -> usize {
        self.set.shape().n_bytes()
    }
    fn labels(&self) -> &[u32] {
        self.set.labels()
    }
    fn classes(&self) -> &[String] {
        self.set.classes()
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        None
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        assert_eq!(x.shape(), (self.n_features(), indices.len()), "a column for each example");
        for (&i, x) in indices.iter().zip(x.as_mut_slice().chunks_exact_mut(self.n_features())) {
            self.features.of_bytes(self.set.image(i), x);
        }
        Ok(())
    }
    fn is_streamed(&self) -> bool {
        true
    }
    fn read_for_epoch(
        &self,
        indices: &[usize],
        epoch: u64,
        x: &mut DMatrix<F>,
    ) -> Result<(), DatasetError> {
        assert_eq!(x.shape(), (self.n_features(), indices.len()), "a column for each example");
        let mut image = vec![0; self.n_features()];
        for (&i, x) in indices.iter().zip(x.as_mut_slice().chunks_exact_mut(self.n_features())) {
            self.augmenter.apply(self.set.image(i), epoch, i as u64, &mut image);
            self.features.of_bytes(&image, x);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;
    use crate::augment::Strength;

    #[test]
    fn an_epoch_has_its_own_images_and_none_but_the_batch_decides() {
        let shape = ImageShape { height: 8, width: 8, channels: 3 };
        let pixels = (0..4 * shape.n_bytes()).map(|i| (i * 7 % 251) as u8).collect();
        let set = ImageSet::new(pixels, shape, vec![0, 1, 0, 1], vec!["a".into(), "b".into()]);
        let set = set.expect("sound");
        let contract = set.contract().expect("a size");
        let config = AugmentConfig::preset(Strength::Strong);
        let plain = set.to_dataset::<f64>(&contract).expect("sound");
        let examples = AugmentedExamples::<f64>::new(set, &contract, config, 3).expect("images");
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
}
