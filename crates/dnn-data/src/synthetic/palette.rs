//! Usual and rare colours of everything without fur.

use super::dice::Dice;

/// Red, green and blue, 0 to 1 each; larger while a picture is being lit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rgb(pub(super) [f64; 3]);

pub(super) const BLACK: Rgb = Rgb([0.0; 3]);
pub(super) const WHITE: Rgb = Rgb([1.0; 3]);

/// Returns a colour written as in a web page: 0xRRGGBB.
pub(super) const fn hex(code: u32) -> Rgb {
    Rgb([
        (code >> 16 & 255) as f64 / 255.0,
        (code >> 8 & 255) as f64 / 255.0,
        (code & 255) as f64 / 255.0,
    ])
}

impl Rgb {
    /// Returns the colour between `self` (0) and `other` (1).
    pub(super) fn mix(self, other: Self, t: f64) -> Self {
        Self(std::array::from_fn(|c| self.0[c] + (other.0[c] - self.0[c]) * t))
    }

    /// Returns the colour made brighter (above 1) or darker (below 1).
    pub(super) fn times(self, factor: f64) -> Self {
        Self(self.0.map(|v| v * factor))
    }

    /// Returns how light the colour is, by the weights of Rec. 601.
    pub(super) fn luma(self) -> f64 {
        0.299 * self.0[0] + 0.587 * self.0[1] + 0.114 * self.0[2]
    }
}
use super::kind::Kind;

/// The two colours of a subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    pub(super) main: Rgb,
    pub(super) accent: Rgb,
}

type Pairs = &'static [(u32, u32)];

impl Palette {
    pub(super) fn roll(kind: Kind, rare: bool, dice: &mut Dice) -> Self {
        let (usual, odd) = pairs(kind);
        let (common, strange) = (dice.pick(usual), dice.pick(odd));
        let (main, accent) = if rare { strange } else { common };
        let tone = dice.range(0.88, 1.1);
        Self { main: hex(main).times(tone), accent: hex(accent) }
    }
}

/// Usual and rare pairs of main colour and accent.
fn pairs(kind: Kind) -> (Pairs, Pairs) {
    match kind {
        Kind::Bird => (
            &[
                (0x8A6A4C, 0xE08A4A),
                (0x486FA0, 0xE8D8B8),
                (0x303034, 0xE0B030),
                (0xB84A3A, 0x503830),
                (0xE0C040, 0x606A40),
                (0x909498, 0xE4E4E0),
            ],
            &[(0xD070B0, 0x703A70), (0x50C0B0, 0xF0F0D0)],
        ),
        Kind::Fish => (
            &[
                (0xF08A30, 0xFFF4E0),
                (0xE8C83C, 0x385A8A),
                (0x5888B8, 0xC8DCEA),
                (0x909CA4, 0xD8E0E4),
            ],
            &[(0xB068C8, 0xF0D0F4), (0x60B860, 0xE8F4B0)],
        ),
        Kind::Butterfly => (
            &[
                (0xE88A2C, 0xF4D890),
                (0x4880C8, 0xB0D8F0),
                (0xF0DC6C, 0xE09830),
                (0xB05A3C, 0xE8C070),
                (0xF0F0E8, 0xC8C0A8),
            ],
            &[(0xD858A0, 0xF8C8E0), (0x60C090, 0xD8F4E0)],
        ),
        Kind::Flower => (
            &[
                (0xE04848, 0xF4CC40),
                (0xF0C83C, 0x8A5A28),
                (0xF4F0EA, 0xF0C438),
                (0xE888B0, 0xF4DC70),
                (0x9068C0, 0xF4E070),
                (0xF09038, 0x704424),
            ],
            &[(0x40A8B0, 0xF8F0D0), (0x383440, 0xE0C060)],
        ),
        Kind::Tree => (
            &[
                (0x488A3C, 0x745034),
                (0x6AA040, 0x805C3C),
                (0x306844, 0x604430),
                (0xD08A30, 0x704C30),
            ],
            &[(0xC878A8, 0x604848), (0x7080C8, 0x504850)],
        ),
        Kind::Landscape => (
            &[(0x607C98, 0x7AA050), (0x886A58, 0xC0A060), (0x4C7058, 0x5890B8)],
            &[(0xB06898, 0xD098B0), (0x58A0A0, 0xC8E0C8)],
        ),
        Kind::House => (
            &[
                (0xE8DCC4, 0xA84A38),
                (0xC87050, 0x504848),
                (0xF0EEE8, 0x586878),
                (0xD8B878, 0x804830),
                (0x98A8B4, 0x484C58),
            ],
            &[(0xD890C0, 0x704890), (0x70C8A8, 0x306858)],
        ),
        Kind::Car => (
            &[
                (0xC83838, 0xB8D4E4),
                (0x3860A8, 0xC0D8E8),
                (0xE8E8E8, 0x80A0B4),
                (0x404248, 0x98B4C4),
                (0x9CA2A8, 0xB8D0DC),
            ],
            &[(0xE880B8, 0xD8E8F0), (0x90C838, 0xD0E8E8)],
        ),
        Kind::Boat => (
            &[
                (0x845030, 0xF6F2E8),
                (0xF0F0F0, 0xE8E4DC),
                (0xB03838, 0xF4F0E4),
                (0x304C78, 0xF4E4C8),
            ],
            &[(0x70B890, 0xC890C8), (0x603870, 0xE070A0)],
        ),
        Kind::Sign => (
            &[(0xC82C30, 0xF8F8F4), (0x2858A8, 0xF8F8F4), (0xF0C028, 0x302C2C)],
            &[(0x9048A8, 0xF8F0F8), (0x589858, 0xF4F8E8)],
        ),
        Kind::Fruit => (
            &[
                (0xC83430, 0x588038),
                (0x88B03C, 0x507830),
                (0xF09828, 0x488034),
                (0xE8CC40, 0x608838),
            ],
            &[(0x5870C0, 0x508060), (0x9050A0, 0x588048)],
        ),
        Kind::Mug => (
            &[
                (0xF4F2EC, 0x406898),
                (0xC84840, 0xF4ECE0),
                (0x5080B0, 0xF0F0E8),
                (0x604C40, 0xD8B890),
                (0xE0C070, 0x805030),
            ],
            &[(0xA8E058, 0x603080), (0xE070C8, 0x70E0E0)],
        ),
        _ => (
            &[
                (0xE04840, 0xF8F4EC),
                (0x3878C0, 0xF4D848),
                (0xF4F4F0, 0x343438),
                (0xD87830, 0x402C20),
                (0xC8D848, 0xF8F8F0),
            ],
            &[(0x807060, 0x584C40), (0xB080D0, 0x70E0B0)],
        ),
    }
}
