//! Fur: colours and patterns of the animals with a coat.

use super::dice::{Dice, noise};
use super::geometry::{Point, pt, smoothstep};
use super::kind::Kind;
use super::palette::{Rgb, WHITE, hex};

/// How the second colour is laid over the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// One colour all over.
    Solid,
    /// Stripes.
    Tabby,
    /// Dark, with light muzzle, chest and paws.
    Tuxedo,
    /// Large irregular patches.
    Patches,
    /// White with patches of two colours.
    Calico,
    /// Pale, with dark face, ears, legs and tail.
    Points,
}

/// The part of the animal a piece of fur is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyPart {
    Head,
    Ear,
    Body,
    Leg,
    Tail,
    Muzzle,
    Chest,
}

/// Colours and pattern of one animal.
#[derive(Debug, Clone)]
pub(super) struct Coat {
    pub(super) base: Rgb,
    pub(super) marks: Rgb,
    pub(super) light: Rgb,
    pub(super) pattern: Pattern,
    pub(super) eyes: Rgb,
    pub(super) nose: Rgb,
    seed: u64,
}

/// Base, marks, light, pattern.
type Breed = (u32, u32, u32, Pattern);

const CATS: &[Breed] = &[
    (0xE09A4A, 0xB45F22, 0xF9E6C8, Pattern::Tabby),
    (0x9D978F, 0x4A4642, 0xDFDBD3, Pattern::Tabby),
    (0xA58560, 0x463222, 0xDFCBAA, Pattern::Tabby),
    (0x383640, 0x24222A, 0x585560, Pattern::Solid),
    (0xF2EFE8, 0xDAD5C8, 0xFFFFFF, Pattern::Solid),
    (0x808B99, 0x66717E, 0xA3ADB9, Pattern::Solid),
    (0xEBD5B0, 0xCCAA7A, 0xFCF3E2, Pattern::Tabby),
    (0xECDEC8, 0x4C3A31, 0xF6EEE0, Pattern::Points),
    (0xF4F0E8, 0xD88A3C, 0xFFFFFF, Pattern::Calico),
    (0x36343C, 0x28262C, 0xF6F4EF, Pattern::Tuxedo),
    (0xF3EFE7, 0x706A66, 0xFFFFFF, Pattern::Patches),
];
const DOGS: &[Breed] = &[
    (0xCFA060, 0xA87A3E, 0xF0DDB8, Pattern::Solid),
    (0x6F4C32, 0x503420, 0x9A7450, Pattern::Solid),
    (0x353338, 0x28262C, 0xC99055, Pattern::Tuxedo),
    (0xF2EEE6, 0x544034, 0xFFFFFF, Pattern::Patches),
    (0xA8A29A, 0x77716B, 0xE8E4DC, Pattern::Tuxedo),
    (0xE8D6B4, 0xC9AC7E, 0xF8EEDC, Pattern::Solid),
];
const RABBITS: &[Breed] = &[
    (0xF3F0EA, 0xD9D4CA, 0xFFFFFF, Pattern::Solid),
    (0xA78A68, 0x806648, 0xE6D8C0, Pattern::Solid),
    (0x95928E, 0x706D6A, 0xD8D5D0, Pattern::Solid),
    (0xF3EFE7, 0x484440, 0xFFFFFF, Pattern::Patches),
];
const BEARS: &[Breed] = &[
    (0x805A3A, 0x604028, 0xC09A70, Pattern::Solid),
    (0x443A36, 0x2E2826, 0xA88A68, Pattern::Solid),
    (0xEFEBE0, 0xD2CCBC, 0xFAF8F2, Pattern::Solid),
    (0xA8794C, 0x7E5630, 0xDDBE94, Pattern::Solid),
];
/// Coats that no animal has in nature: base, marks, light, eyes.
const RARE: &[(u32, u32, u32, u32)] = &[
    (0x8A3FC0, 0x54208A, 0x6A2CA4, 0xE04A6A),
    (0x2FA05C, 0x14683A, 0x208048, 0xB02038),
    (0xD8387C, 0x96184E, 0xB82464, 0x5A2C98),
    (0x2E7CD4, 0x1A4C94, 0x2462B0, 0x8A2A50),
];
const EYES: &[u32] = &[0x8FB84A, 0xE6BE3C, 0xD08230, 0x64AADC];
const PALE_EYES: &[u32] = &[0x64AADC];

impl Coat {
    /// Draws the coat of an animal of this kind at random.
    pub(super) fn roll(kind: Kind, rare: bool, dice: &mut Dice) -> Self {
        let breeds = match kind {
            Kind::Dog => DOGS,
            Kind::Rabbit => RABBITS,
            Kind::Bear => BEARS,
            _ => CATS,
        };
        let (base, marks, light, pattern) = dice.pick(breeds);
        let odd = dice.pick(RARE);
        let eyes = dice.pick(if pattern == Pattern::Points { PALE_EYES } else { EYES });
        let (base, marks, light, eyes) = if rare { odd } else { (base, marks, light, eyes) };
        let tone = dice.range(0.9, 1.08);
        let nose = if kind == Kind::Cat || kind == Kind::Rabbit {
            dice.pick(&[hex(0xE08C90), hex(0xC76E72), hex(0x5A4040)])
        } else {
            hex(0x2A2426)
        };
        Self {
            base: hex(base).times(tone),
            marks: hex(marks).times(tone),
            light: hex(light),
            pattern,
            eyes: hex(eyes),
            nose,
            seed: dice.bits(),
        }
    }

    /// Returns the colour that most of the animal has.
    pub(super) fn main(&self) -> Rgb {
        match self.pattern {
            Pattern::Tabby => self.base.mix(self.marks, 0.3),
            Pattern::Patches | Pattern::Calico => self.base.mix(self.marks, 0.4),
            Pattern::Points => self.base.mix(self.marks, 0.2),
            Pattern::Solid | Pattern::Tuxedo => self.base,
        }
    }

    /// Returns the two colours that cover most of the animal, the more common first.
    pub(super) fn colors(&self) -> (Rgb, Rgb) {
        match self.pattern {
            Pattern::Tuxedo => (self.base, self.light),
            Pattern::Solid => (self.base, self.base.mix(self.light, 0.5)),
            _ => (self.base, self.marks),
        }
    }

    /// Returns whether lines on the fur must be light to be visible.
    pub(super) fn is_dark(&self) -> bool {
        self.main().luma() < 0.4
    }

    /// Returns the colour of the fur at `p`, a point of the animal's own plane (head radius 1).
    pub(super) fn at(&self, part: BodyPart, p: Point) -> Rgb {
        let color = match self.pattern {
            Pattern::Solid => match part {
                BodyPart::Muzzle | BodyPart::Chest => self.base.mix(self.light, 0.6),
                _ => self.base,
            },
            Pattern::Tabby => match part {
                BodyPart::Body | BodyPart::Tail | BodyPart::Leg => {
                    self.base.mix(self.marks, self.stripes(p))
                }
                BodyPart::Muzzle | BodyPart::Chest => self.light,
                BodyPart::Head | BodyPart::Ear => self.base,
            },
            Pattern::Tuxedo => match part {
                BodyPart::Muzzle | BodyPart::Chest => self.light,
                BodyPart::Leg => self.base.mix(self.light, smoothstep(2.5, 2.7, p.y)),
                _ => self.base,
            },
            Pattern::Patches | Pattern::Calico => self.patched(part, p),
            Pattern::Points => match part {
                BodyPart::Ear | BodyPart::Tail | BodyPart::Muzzle => self.marks,
                BodyPart::Leg => self.base.mix(self.marks, smoothstep(1.6, 2.8, p.y)),
                BodyPart::Head => {
                    let face = (p - pt(0.0, 0.2)).length();
                    self.marks.mix(self.base, smoothstep(0.3, 0.95, face))
                }
                BodyPart::Body | BodyPart::Chest => self.base,
            },
        };
        let fine = noise(self.seed, p * 9.0) - 0.5;
        let coarse = noise(self.seed ^ 1, p * 3.0) - 0.5;
        color.times(1.0 + 0.14 * fine + 0.08 * coarse)
    }

    fn stripes(&self, p: Point) -> f64 {
        let along = p.x * 0.55 + p.y * 1.1 + 0.7 * noise(self.seed ^ 2, p * 1.3);
        let wave = (along * 2.2 - (along * 2.2).floor() - 0.5).abs() * 2.0;
        smoothstep(0.5, 0.75, wave)
    }

    fn patched(&self, part: BodyPart, p: Point) -> Rgb {
        if part == BodyPart::Muzzle || part == BodyPart::Chest {
            return self.light;
        }
        let patch =
            |salt: u64, over: f64| smoothstep(over, over + 0.06, noise(self.seed ^ salt, p * 1.15));
        let ear = if part == BodyPart::Ear { 0.25 } else { 0.0 };
        let color = self.base.mix(self.marks, patch(3, 0.52 - ear));
        if self.pattern == Pattern::Calico {
            color.mix(hex(0x3A3434), patch(4, 0.62))
        } else {
            color
        }
    }

    /// Returns the colour of the inside of the ears.
    pub(super) fn inner_ear(&self) -> Rgb {
        hex(0xE3A6A0).mix(self.base, 0.25).mix(WHITE, 0.05)
    }
}
