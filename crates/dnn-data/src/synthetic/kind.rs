//! What can be drawn.

/// What an image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The class 1; everything below is the class 0.
    Cat,
    /// Floppy ears, long muzzle, tongue.
    Dog,
    /// Long ears.
    Rabbit,
    /// Round ears, small eyes.
    Bear,
    /// On a branch, from the side.
    Bird,
    /// From the side.
    Fish,
    /// From above.
    Butterfly,
    /// One blossom on its stem.
    Flower,
    /// Broad-leaved or conifer.
    Tree,
    /// Mountains, sun and water.
    Landscape,
    /// Gable, door, windows.
    House,
    /// From the side.
    Car,
    /// Hull and sails.
    Boat,
    /// A traffic sign on its pole.
    Sign,
    /// Apple, pear or orange.
    Fruit,
    /// With a handle and steam.
    Mug,
    /// Striped or spotted.
    Ball,
}

impl Kind {
    /// All kinds; the place here is the code in [`Factors::columns`](super::Factors::columns).
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

    /// Name in lower case: "cat", "dog" …
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

    /// Class of its images: 1 for cats, else 0.
    pub fn label(self) -> u32 {
        u32::from(self == Self::Cat)
    }

    /// Whether it is drawn with a coat, a head and a posture.
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
