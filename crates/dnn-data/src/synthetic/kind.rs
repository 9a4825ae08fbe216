//! The kinds of things that can be drawn.

/// What a drawn image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A cat: class 1. All other kinds are class 0.
    Cat,
    /// A dog: floppy ears, long muzzle, tongue.
    Dog,
    /// A rabbit: long ears.
    Rabbit,
    /// A bear: round ears, small eyes.
    Bear,
    /// A bird on a branch, from the side.
    Bird,
    /// From the side.
    Fish,
    /// A butterfly from above.
    Butterfly,
    /// A flower: one blossom on its stem.
    Flower,
    /// A broad-leaved tree or a conifer.
    Tree,
    /// A landscape: mountains, sun and water.
    Landscape,
    /// A house: gable, door, windows.
    House,
    /// From the side.
    Car,
    /// A boat: hull and sails.
    Boat,
    /// A traffic sign on its pole.
    Sign,
    /// A fruit: apple, pear or orange.
    Fruit,
    /// A mug with a handle and steam.
    Mug,
    /// A ball, striped or spotted.
    Ball,
}

impl Kind {
    /// All kinds; the index here is the number in [`Factors::columns`](super::Factors::columns).
    pub const ALL: [Self; 17] = [
        Self::Cat,
        Self::Dog,
        Self::Rabbit,
        Self::Bear,
        Self::Bird,
        Self::Fish,
        Self::Butterfly,
        Self::Flower,
        Self::Tree,
        Self::Landscape,
        Self::House,
        Self::Car,
        Self::Boat,
        Self::Sign,
        Self::Fruit,
        Self::Mug,
        Self::Ball,
    ];

    /// The kinds of the class "non-cat".
    pub const NON_CATS: &'static [Self] = Self::ALL.split_at(1).1;

    /// Returns the name in lower case: "cat", "dog" …
    pub fn name(self) -> &'static str {
        match self {
            Self::Cat => "cat",
            Self::Dog => "dog",
            Self::Rabbit => "rabbit",
            Self::Bear => "bear",
            Self::Bird => "bird",
            Self::Fish => "fish",
            Self::Butterfly => "butterfly",
            Self::Flower => "flower",
            Self::Tree => "tree",
            Self::Landscape => "landscape",
            Self::House => "house",
            Self::Car => "car",
            Self::Boat => "boat",
            Self::Sign => "sign",
            Self::Fruit => "fruit",
            Self::Mug => "mug",
            Self::Ball => "ball",
        }
    }

    /// Returns the class of the images of this kind: 1 for cats, otherwise 0.
    pub fn label(self) -> u32 {
        u32::from(self == Self::Cat)
    }

    /// Returns whether the kind is drawn with a coat, a head and a posture.
    pub(super) fn is_furry(self) -> bool {
        matches!(self, Self::Cat | Self::Dog | Self::Rabbit | Self::Bear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_kind_is_its_place() {
        assert!(Kind::ALL.iter().enumerate().all(|(i, &kind)| kind as usize == i));
        assert!(Kind::NON_CATS.iter().all(|kind| kind.label() == 0));
        assert_eq!(Kind::Cat.label(), 1);
    }
}
