//! Images that are augmented while a network trains on them.

use super::{AugmentConfig, Augmenter};
use crate::chance::{Dice, hash};
use crate::images::{FeatureExamples, Images};
use crate::views::view as view_of;
use crate::{DataError, ImageSet, InputContract};
use dnn_core::{DatasetError, Examples, Real, ShuffleBlocks};
use nalgebra::DMatrix;
use std::sync::{Mutex, PoisonError};

/// A training set whose images look different in every epoch: another view, where the contract has
/// several, and changed at random. Read otherwise, they are as they are.
pub struct AugmentedExamples<F: Real, I = ImageSet> {
    examples: FeatureExamples<F, I>,
    augmenter: Augmenter,
    /// Decides which view an epoch shows.
    seed: u64,
    /// Room for the bytes of a batch.
    room: Mutex<Vec<u8>>,
}

impl<F: Real, I: Images> AugmentedExamples<F, I> {
    /// Takes images that have the contract's size.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when the examples are numbers that are no bytes, or the contract does
    /// not go with them.
    pub fn new(
        images: I,
        contract: &InputContract,
        config: AugmentConfig,
        seed: u64,
    ) -> Result<Self, DataError> {
        let mismatch = |what: &str, expected: &str, got: String| DataError::Mismatch {
            what: what.into(),
            expected: expected.into(),
            got,
        };
        if !images.is_bytes() {
            let got = "numbers that are no bytes".into();
            return Err(mismatch("examples to augment", "images", got));
        }
        let shape = images.shape();
        let examples = FeatureExamples::new(images, contract)?;
        let augmenter = Augmenter::new(config, shape, seed)
            .map_err(|e| mismatch("images to augment", "pictures", e.to_string()))?;
        // A stream of its own: the other changes are the same with and without views.
        let seed = hash(seed, u64::from(InputContract::MAX_VIEWS));
        Ok(Self { examples, augmenter, seed, room: Mutex::new(Vec::new()) })
    }
}

impl<F: Real, I: Images> Examples<F> for AugmentedExamples<F, I> {
    fn n_examples(&self) -> usize {
        self.examples.n_examples()
    }
    fn n_features(&self) -> usize {
        self.examples.n_features()
    }
    fn labels(&self) -> &[u32] {
        self.examples.labels()
    }
    fn classes(&self) -> &[String] {
        self.examples.classes()
    }
    fn matrix(&self) -> Option<&DMatrix<F>> {
        None
    }
    fn read(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        self.examples.read(indices, x)
    }
    fn n_views(&self) -> usize {
        self.examples.n_views()
    }
    fn read_views(&self, indices: &[usize], x: &mut DMatrix<F>) -> Result<(), DatasetError> {
        self.examples.read_views(indices, x)
    }
    fn is_streamed(&self) -> bool {
        true
    }
    fn blocks(&self) -> Option<ShuffleBlocks> {
        self.examples.blocks()
    }
    fn read_for_epoch(
        &self,
        indices: &[usize],
        epoch: u64,
        x: &mut DMatrix<F>,
    ) -> Result<(), DatasetError> {
        let FeatureExamples { images, features, views } = &self.examples;
        assert_eq!(x.shape(), (features.n_features(), indices.len()), "a column for each example");
        let n = features.n_values();
        // Taken out, so that nobody waits for it.
        let room = || self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pixels = std::mem::take(&mut *room());
        pixels.resize(indices.len() * n, 0);
        let mut drawn = vec![0; n];
        let read = images.each(indices, &mut |at, image| {
            let Some(image) = image.bytes() else { return };
            let index = indices[at] as u64;
            let view = Dice::new(hash(hash(self.seed, epoch), index)).below(*views as usize);
            view_of(image, self.augmenter.shape(), view as u32, &mut drawn);
            self.augmenter.apply(&drawn, epoch, index, &mut pixels[at * n..(at + 1) * n]);
        });
        if read.is_ok() {
            features.of_bytes(&pixels, x.as_mut_slice());
        }
        *room() = pixels;
        read.map_err(|e| DatasetError::Read(e.into()))
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
