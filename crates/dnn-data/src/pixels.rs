//! Pixels of 8 bits: a decoded picture in RGB, and the luma of a colour.

/// A picture in 8-bit RGB, rows from the top, each side 1 to [`MAX_SIDE`](Self::MAX_SIDE).
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    reduction: Option<Reduction>,
}

/// How a picture was decoded smaller than its file has it. Where a side is no multiple of the divisor,
/// pixels of the last row or column go beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reduction {
    /// The divisor of both sides.
    pub(crate) by: u32,
    /// Width and height in the file.
    pub(crate) of: (u32, u32),
    /// Pixels of the file by which the picture begins after the left and the upper edge.
    pub(crate) at: (u32, u32),
}

impl RgbImage {
    /// The longest side, in pixels: what JPEG can hold. It also bounds the memory of resizing,
    /// which goes with a side and not with the area.
    pub const MAX_SIDE: u32 = 65_535;

    /// Makes a picture of its pixels; `None` when a side is out of range or the pixels are not
    /// width · height · 3 bytes.
    ///
    /// # Shapes
    /// `pixels` (height, width, 3), row by row.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let side = 1..=Self::MAX_SIDE;
        let n_bytes = u64::from(width) * u64::from(height) * 3;
        (side.contains(&width) && side.contains(&height) && pixels.len() as u64 == n_bytes)
            .then_some(Self { width, height, pixels, reduction: None })
    }

    /// Returns how the picture was decoded smaller, if it was.
    pub(crate) fn reduction(&self) -> Option<Reduction> {
        self.reduction
    }

    /// Says that the picture was decoded smaller.
    #[cfg(feature = "image")]
    pub(crate) fn reduced(self, reduction: Option<Reduction>) -> Self {
        Self { reduction, ..self }
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns the width and height that the picture has in its file, upright: its own, unless it was decoded
    /// smaller ([`Decode::Fast`](crate::Decode::Fast)).
    pub fn size_in_file(&self) -> (u32, u32) {
        self.reduction.map_or((self.width, self.height), |reduction| reduction.of)
    }

    /// Returns red, green and blue of each pixel, (height, width, 3), row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Returns the pixels as [`pixels`](Self::pixels) does, without copying them.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

impl std::fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbImage({}×{})", self.width, self.height)
    }
}

/// Returns the luma of BT.601 (0.299, 0.587, 0.114) in fixed point.
#[inline(always)]
pub(crate) fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 32_768) >> 16) as u8
}

/// Lays a sample over a background: (a·v + (255 − a)·b) / 255, rounded.
pub(crate) fn over(background: u8, value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((alpha * value + (255 - alpha) * u32::from(background) + 127) / 255) as u8
}

/// Returns a 16-bit sample in 8 bits: v·255/65535 = v/257, rounded.
pub(crate) fn round_to_8_bits([high, low]: [u8; 2]) -> u8 {
    ((u32::from(u16::from_be_bytes([high, low])) + 128) / 257) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_what_fits() {
        assert!(RgbImage::new(2, 1, vec![0; 6]).is_some());
        assert!(RgbImage::new(2, 1, vec![0; 5]).is_none());
        assert!(RgbImage::new(0, 1, vec![]).is_none());
        assert!(RgbImage::new(RgbImage::MAX_SIDE + 1, 1, vec![0; 3 * 65_536]).is_none());
    }

    #[test]
    fn opaque_stays_and_transparent_is_the_background() {
        for v in 0..=255 {
            assert_eq!(over(255, v, 255), v);
            assert_eq!(over(255, v, 0), 255);
            assert_eq!(over(v, 7, 0), v);
        }
        assert_eq!(over(255, 0, 128), 127);
    }

    #[test]
    fn eight_bits_widened_to_sixteen_come_back() {
        for v in 0..=255_u8 {
            assert_eq!(round_to_8_bits([v, v]), v);
        }
        assert_eq!(round_to_8_bits([0, 128]), 0);
        assert_eq!(round_to_8_bits([0, 129]), 1);
    }
}
