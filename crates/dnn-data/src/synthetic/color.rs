//! Colours as three numbers, 0 to 1 each, beyond while a picture is being lit.

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rgb(pub(super) [f64; 3]);

pub(super) const BLACK: Rgb = Rgb([0.0; 3]);
pub(super) const WHITE: Rgb = Rgb([1.0; 3]);

/// A colour written as in a web page: 0xRRGGBB.
pub(super) const fn hex(code: u32) -> Rgb {
    Rgb([
        (code >> 16 & 255) as f64 / 255.0,
        (code >> 8 & 255) as f64 / 255.0,
        (code & 255) as f64 / 255.0,
    ])
}

impl Rgb {
    /// The way from `self` (0) to `other` (1).
    pub(super) fn mix(self, other: Self, t: f64) -> Self {
        Self(std::array::from_fn(|c| self.0[c] + (other.0[c] - self.0[c]) * t))
    }

    /// Brighter (above 1) or darker (below 1).
    pub(super) fn times(self, factor: f64) -> Self {
        Self(self.0.map(|v| v * factor))
    }

    /// How light the colour is, by the weights of Rec. 601.
    pub(super) fn luma(self) -> f64 {
        0.299 * self.0[0] + 0.587 * self.0[1] + 0.114 * self.0[2]
    }
}
