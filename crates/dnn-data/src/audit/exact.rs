//! Images with the same pixels.

use super::images::AllImages;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The images, in sets of the same pixels; most sets have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Classes {
    /// The images of each class in their order; the classes in that of their first images.
    pub(super) members: Vec<Vec<u32>>,
}

impl Classes {
    /// The image that stands for a class.
    pub(super) fn first(&self, class: usize) -> usize {
        self.members[class][0] as usize
    }
}

/// Hashes each image, and compares those of one hash byte by byte.
pub(super) fn classes(images: &AllImages<'_>) -> Classes {
    let mut class_of: HashMap<_, usize> = HashMap::with_capacity(images.len());
    let mut members: Vec<Vec<u32>> = Vec::new();
    for i in 0..images.len() {
        match class_of.entry(images.content(i)) {
            Entry::Occupied(class) => members[*class.get()].push(i as u32),
            Entry::Vacant(free) => {
                free.insert(members.len());
                members.push(vec![i as u32]);
            }
        }
    }
    Classes { members }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffer, ImageSet, ImageShape, Scale, Splits};

    fn names() -> Vec<String> {
        ["a", "b"].map(String::from).to_vec()
    }

    #[test]
    fn the_same_pixels_are_one_class_across_the_splits() {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        let set = |pixels: &[u8]| {
            ImageSet::new(pixels.to_vec(), shape, vec![0; pixels.len() / 2], names()).ok()
        };
        let splits = Splits::new(set(&[1, 2, 3, 4, 1, 2]), set(&[2, 1, 3, 4])).unwrap();
        let found = classes(&AllImages::of(&splits));
        assert_eq!(found.members, [vec![0, 2], vec![1, 4], vec![3]]);
    }

    #[test]
    fn numbers_are_compared_as_they_are_not_as_they_are_shown() {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        let floats = vec![0.0, 1e-6, -0.0, 1e-6, 0.0, 2e-6, 0.5, 1.0];
        let set =
            ImageSet::from_values(Buffer::F32(floats), shape, vec![0; 4], names(), Scale::Auto)
                .unwrap();
        assert_eq!(set.image(0), set.image(2), "shown alike");
        let splits = Splits::new(Some(set), None).unwrap();
        let found = classes(&AllImages::of(&splits));
        assert_eq!(found.members, [vec![0, 1], vec![2], vec![3]]);
    }
}
