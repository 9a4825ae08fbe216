//! The factors that make a drawn image easy or hard to recognise, recorded for each image.

use super::SyntheticError;
use super::dice::Dice;
use super::kind::Kind;

/// One of the course's six causes of error on the cat images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The subject is rotated, turned away, or not in portrait.
    Pose,
    /// The background has the subject's colour.
    Background,
    /// The subject has a colour its kind hardly ever has.
    RareColor,
    /// The camera looks at the subject from an angle.
    CameraAngle,
    /// The picture is dark or overexposed.
    Brightness,
    /// The subject is small, or larger than the picture.
    Scale,
}

impl Cause {
    /// All six causes, in the course's order.
    pub const ALL: [Self; 6] = [
        Self::Pose,
        Self::Background,
        Self::RareColor,
        Self::CameraAngle,
        Self::Brightness,
        Self::Scale,
    ];

    /// Returns the name of the cause for tables: "pose", "background", "rare colour" …
    pub fn name(self) -> &'static str {
        match self {
            Self::Pose => "pose",
            Self::Background => "background",
            Self::RareColor => "rare colour",
            Self::CameraAngle => "camera angle",
            Self::Brightness => "brightness",
            Self::Scale => "scale",
        }
    }

    /// One word for it, as in columns and JSON: "pose", "background", "colour", "angle",
    /// "brightness" or "scale".
    pub fn key(self) -> &'static str {
        match self {
            Self::RareColor => "colour",
            Self::CameraAngle => "angle",
            other => other.name(),
        }
    }
}

/// How an animal holds itself; [`Portrait`](Self::Portrait) for everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Posture {
    /// Head and shoulders.
    Portrait,
    /// The whole animal, sitting.
    Sitting,
    /// The whole animal, lying beside its head.
    Lying,
}

/// What an image shows and the factors that make it easy or hard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// The kind of thing that is drawn.
    pub kind: Kind,
    /// Rotation of the subject in the picture, clockwise, −45 to 45.
    pub pose_degrees: f64,
    /// How far the subject is turned to its side, −50 to 50; other things than animals get narrower.
    pub turn_degrees: f64,
    /// How an animal holds itself.
    pub posture: Posture,
    /// How far background and subject are moved towards each other, 0 to 1. At 1, the background has
    /// the subject's colours in patches, with a twelfth of its own left, and half of it shows through
    /// the subject.
    pub background_similarity: f64,
    /// Whether the subject has a colour its kind hardly ever has.
    pub rare_color: bool,
    /// Angle between the camera's axis and the normal of the scene, 0 to 55.
    pub camera_degrees: f64,
    /// Factor on the light of the finished picture, 0.3 to 2.2.
    pub brightness: f64,
    /// Factor on the subject's usual size, 0.45 to 1.5.
    pub scale: f64,
}

/// Range of each numeric factor: name, least, most.
const RANGES: [(&str, f64, f64); 6] = [
    ("pose_degrees", -45.0, 45.0),
    ("turn_degrees", -50.0, 50.0),
    ("background_similarity", 0.0, 1.0),
    ("camera_degrees", 0.0, 55.0),
    ("brightness", 0.3, 2.2),
    ("scale", 0.45, 1.5),
];

/// How often one cause is extreme, at a strength of 0.5 or more; the six are independent.
const EXTREME: f64 = 0.075;
/// How often a subject is rotated and turned far; animals that do not sit for a portrait come on top.
const POSED: f64 = 0.05;

impl Factors {
    /// Returns the factors of the easiest image of a kind: upright, in portrait, on its own
    /// background, of a usual colour, seen straight on, well lit, of the usual size.
    ///
    /// The place to start from when one factor is to be varied: see [`Plan`](super::Plan).
    pub fn usual(kind: Kind) -> Self {
        Self {
            kind,
            pose_degrees: 0.0,
            turn_degrees: 0.0,
            posture: Posture::Portrait,
            background_similarity: 0.0,
            rare_color: false,
            camera_degrees: 0.0,
            brightness: 1.0,
            scale: 1.0,
        }
    }

    /// Draws the factors of an image of this kind at random.
    pub(super) fn roll(kind: Kind, dice: &mut Dice) -> Self {
        let posed = dice.chance(POSED);
        let (pose, turn) = if posed { (22.5, 45.0) } else { (0.0, 8.0) };
        let pose_degrees = dice.sign() * dice.range(pose, turn);
        let turned = if posed { dice.range(25.0, 50.0) } else { dice.range(0.0, 15.0) };
        let turn_degrees = dice.sign() * turned;
        let posture = match dice.unit() {
            u if !kind.is_furry() || u < 0.94 => Posture::Portrait,
            u if u < 0.97 => Posture::Sitting,
            _ => Posture::Lying,
        };
        let similar = dice.chance(EXTREME);
        let background_similarity =
            if similar { dice.range(0.7, 1.0) } else { dice.range(0.0, 0.3) };
        let rare_color = dice.chance(EXTREME);
        let tipped = dice.chance(EXTREME);
        let camera_degrees = if tipped { dice.range(35.0, 55.0) } else { dice.range(0.0, 12.0) };
        let brightness = match (dice.chance(EXTREME), dice.chance(0.5)) {
            (false, _) => dice.range(0.85, 1.15),
            (true, false) => dice.range(0.3, 0.45),
            (true, true) => dice.range(1.6, 2.2),
        };
        let scale = match (dice.chance(EXTREME), dice.chance(0.6)) {
            (false, _) => dice.range(0.88, 1.12),
            (true, true) => dice.range(0.45, 0.72),
            (true, false) => dice.range(1.25, 1.5),
        };
        Self {
            kind,
            pose_degrees,
            turn_degrees,
            posture,
            background_similarity,
            rare_color,
            camera_degrees,
            brightness,
            scale,
        }
    }

    /// Checks that each factor is in its range.
    ///
    /// # Errors
    /// [`SyntheticError::Factor`] names the first that is not.
    pub fn check(&self) -> Result<(), SyntheticError> {
        let values = [
            self.pose_degrees,
            self.turn_degrees,
            self.background_similarity,
            self.camera_degrees,
            self.brightness,
            self.scale,
        ];
        for ((name, least, most), got) in RANGES.into_iter().zip(values) {
            if !(least..=most).contains(&got) {
                return Err(SyntheticError::Factor { name, least, most, got });
            }
        }
        Ok(())
    }

    /// Returns how strongly a cause of error is at work: 0 (none) to 1 (extreme).
    ///
    /// The distance of the factor from its usual value over the greatest such distance; for the
    /// pose, the greatest of rotation, turn and posture (sitting 0.5, lying 0.75).
    pub fn strength(&self, cause: Cause) -> f64 {
        match cause {
            Cause::Pose => {
                let posture: f64 = match self.posture {
                    Posture::Portrait => 0.0,
                    Posture::Sitting => 0.5,
                    Posture::Lying => 0.75,
                };
                posture.max(self.pose_degrees.abs() / 45.0).max(self.turn_degrees.abs() / 50.0)
            }
            Cause::Background => self.background_similarity,
            Cause::RareColor => f64::from(u8::from(self.rare_color)),
            Cause::CameraAngle => self.camera_degrees / 55.0,
            Cause::Brightness => {
                let reach = if self.brightness < 1.0 { 0.7 } else { 1.2 };
                (self.brightness - 1.0).abs() / reach
            }
            Cause::Scale => {
                let reach = if self.scale < 1.0 { 0.55 } else { 0.5 };
                (self.scale - 1.0).abs() / reach
            }
        }
    }

    /// Returns these factors with one cause of error at this [strength](Self::strength), 0 to 1, and the
    /// others as they are. `positive` is its direction: turned to the right or to the left, brighter or
    /// darker, larger or smaller. A rare colour is there from 0.5 on; the posture stays.
    #[must_use]
    pub fn with_strength(mut self, cause: Cause, strength: f64, positive: bool) -> Self {
        let sign = if positive { 1.0 } else { -1.0 };
        // At 1 the limit itself, to the last bit.
        let from_one = |most: f64, least: f64| {
            (1.0 - strength) + strength * if positive { most } else { least }
        };
        match cause {
            Cause::Pose => {
                self.pose_degrees = 45.0 * sign * strength;
                self.turn_degrees = 50.0 * sign * strength;
            }
            Cause::Background => self.background_similarity = strength,
            Cause::RareColor => self.rare_color = strength >= 0.5,
            Cause::CameraAngle => self.camera_degrees = 55.0 * strength,
            Cause::Brightness => self.brightness = from_one(2.2, 0.3),
            Cause::Scale => self.scale = from_one(1.5, 0.45),
        }
        self
    }

    /// Returns the factors of many images as named columns, for a table or an HDF5 file.
    ///
    /// `kind` is the place in [`Kind::ALL`]; `posture` is 0 (portrait), 1 (sitting) or 2 (lying);
    /// `rare_color` is 0 or 1.
    pub fn columns(factors: &[Self]) -> Vec<(&'static str, Vec<f64>)> {
        let column = |name, of: fn(&Self) -> f64| (name, factors.iter().map(of).collect());
        vec![
            column("kind", |f| f64::from(f.kind as u8)),
            column("pose_degrees", |f| f.pose_degrees),
            column("turn_degrees", |f| f.turn_degrees),
            column("posture", |f| f64::from(f.posture as u8)),
            column("background_similarity", |f| f.background_similarity),
            column("rare_color", |f| f64::from(u8::from(f.rare_color))),
            column("camera_degrees", |f| f.camera_degrees),
            column("brightness", |f| f.brightness),
            column("scale", |f| f.scale),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{DrawnSet, Plan};
    use super::*;

    fn many() -> Vec<Factors> {
        (0..3000).map(|i| Plan::new(5, DrawnSet::Train, i).factors).collect()
    }

    #[test]
    fn every_rolled_factor_is_in_its_range_and_every_strength_in_0_to_1() {
        for factors in many() {
            factors.check().expect("a rolled factor");
            for cause in Cause::ALL {
                let strength = factors.strength(cause);
                assert!((0.0..=1.0).contains(&strength), "{cause:?}: {strength} of {factors:?}");
            }
        }
    }

    #[test]
    fn each_cause_is_extreme_in_a_small_share_of_the_images() {
        let all = many();
        for cause in Cause::ALL {
            let strengths = all.iter().map(|f| f.strength(cause));
            let n_extreme = strengths.clone().filter(|&strength| strength >= 0.5).count();
            let share = n_extreme as f64 / all.len() as f64;
            assert!((0.05..0.1).contains(&share), "{cause:?}: {share}");
            // Nothing between: an image either has the cause or has it not.
            assert_eq!(strengths.filter(|&strength| strength > 0.3).count(), n_extreme);
        }
    }

    #[test]
    fn one_cause_is_brought_to_a_strength_and_the_others_stay() {
        for factors in many().into_iter().filter(|f| f.posture == Posture::Portrait).take(200) {
            for cause in Cause::ALL {
                for (strength, positive) in [(0.0, true), (0.6, true), (0.6, false), (1.0, false)] {
                    let changed = factors.with_strength(cause, strength, positive);
                    changed.check().expect("in its range");
                    for other in Cause::ALL {
                        let expected = match other {
                            Cause::RareColor if other == cause => strength.round(),
                            _ if other == cause => strength,
                            _ => factors.strength(other),
                        };
                        let got = changed.strength(other);
                        assert!((got - expected).abs() < 1e-12, "{cause:?}, {other:?}: {got}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_factor_out_of_its_range_is_named() {
        let usual = Factors::usual(Kind::Cat);
        assert!(Cause::ALL.iter().all(|&cause| usual.strength(cause) == 0.0));
        usual.check().expect("the usual factors");
        let error = Factors { scale: 2.0, ..usual }.check().expect_err("too large");
        assert_eq!(error.to_string(), "drawn images: scale is 2; must be 0.45 to 1.5");
        let not_a_number = Factors { brightness: f64::NAN, ..usual };
        assert!(not_a_number.check().is_err());
    }

    #[test]
    fn columns_hold_every_factor_of_every_image() {
        let all = many();
        let columns = Factors::columns(&all);
        assert!(columns.iter().all(|(_, values)| values.len() == all.len()));
        let at = |name: &str, i: usize| {
            columns.iter().find(|column| column.0 == name).expect("a column").1[i]
        };
        for (i, factors) in all.iter().enumerate().take(100) {
            assert_eq!(Kind::ALL[at("kind", i) as usize], factors.kind);
            assert_eq!(at("pose_degrees", i), factors.pose_degrees);
            assert_eq!(at("rare_color", i) == 1.0, factors.rare_color);
            assert_eq!(at("scale", i), factors.scale);
        }
    }
}
