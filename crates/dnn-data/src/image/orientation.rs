//! EXIF orientation: how a camera was held.

use super::RgbImage;
use crate::pixels::Reduction;
use exif::{In, Reader, Tag};

/// Returns the orientation in an EXIF block (a TIFF header and what follows), 1 to 8.
///
/// A block that has none, has a value out of range, or is damaged before it, means upright, as
/// viewers take it: the picture itself is sound.
pub(super) fn read(exif: &[u8]) -> u32 {
    let parsed = Reader::new()
        .continue_on_error(true)
        .read_raw(exif.to_vec())
        .or_else(|error| error.distill_partial_result(|_| {}));
    parsed
        .ok()
        .and_then(|fields| fields.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0))
        .filter(|value| (1..=8).contains(value))
        .unwrap_or(1)
}

/// Returns a picture that is stored in orientation 1 to 8 turned upright.
pub(super) fn upright(image: RgbImage, orientation: u32) -> RgbImage {
    if !(2..=8).contains(&orientation) {
        return image;
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let reduction = image.reduction();
    let source = image.into_pixels();
    let swaps = orientation >= 5;
    let (to_width, to_height) = if swaps { (height, width) } else { (width, height) };
    let mut target = vec![0; source.len()];
    // The pixel at (x, y) upright is stored at `from`: EXIF names the sides that row 0 and
    // column 0 of the stored picture are of the scene.
    for (y, row) in target.chunks_exact_mut(to_width * 3).enumerate() {
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (from_x, from_y) = match orientation {
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (y, height - 1 - x),
                7 => (width - 1 - y, height - 1 - x),
                _ => (width - 1 - y, x),
            };
            let from = (from_y * width + from_x) * 3;
            pixel.copy_from_slice(&source[from..from + 3]);
        }
    }
    // What goes beyond the picture at its last column or row is before its first one, where the side is
    // mirrored.
    let reduction = reduction.map(|Reduction { by, of: (width, height), .. }| {
        let of = if swaps { (height, width) } else { (width, height) };
        let (left, top) = (to_width as u32 * by - of.0, to_height as u32 * by - of.1);
        let at = (
            if matches!(orientation, 2 | 3 | 6 | 7) { left } else { 0 },
            if matches!(orientation, 3 | 4 | 7 | 8) { top } else { 0 },
        );
        Reduction { by, of, at }
    });
    RgbImage::new(to_width as u32, to_height as u32, target)
        .expect("as many pixels as before")
        .reduced(reduction)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 3×2 picture whose pixels are 1 2 3 / 4 5 6 in each channel.
    fn picture() -> RgbImage {
        RgbImage::new(3, 2, (1..=6).flat_map(|v| [v; 3]).collect()).expect("3×2")
    }

    #[test]
    fn each_orientation_puts_the_corners_right() {
        // Upright rows by hand: 6 is turned clockwise, 8 counter-clockwise, 5 and 7 transposed.
        let expected: [(u32, u32, [u8; 6]); 8] = [
            (3, 2, [1, 2, 3, 4, 5, 6]),
            (3, 2, [3, 2, 1, 6, 5, 4]),
            (3, 2, [6, 5, 4, 3, 2, 1]),
            (3, 2, [4, 5, 6, 1, 2, 3]),
            (2, 3, [1, 4, 2, 5, 3, 6]),
            (2, 3, [4, 1, 5, 2, 6, 3]),
            (2, 3, [6, 3, 5, 2, 4, 1]),
            (2, 3, [3, 6, 2, 5, 1, 4]),
        ];
        for (orientation, (width, height, values)) in (1..).zip(expected) {
            let turned = upright(picture(), orientation);
            let got: Vec<u8> = turned.pixels().iter().step_by(3).copied().collect();
            assert_eq!((turned.width(), turned.height()), (width, height), "{orientation}");
            assert_eq!(got, values, "orientation {orientation}");
        }
    }

    /// A TIFF block with the one entry orientation, a 16-bit number, in either byte order.
    fn block(little_endian: bool, value: u16) -> Vec<u8> {
        let short = |v: u16| if little_endian { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if little_endian { v.to_le_bytes() } else { v.to_be_bytes() };
        let order: &[u8] = if little_endian { b"II" } else { b"MM" };
        let header = [order, &short(42), &long(8)].concat();
        let entry = [&short(0x0112)[..], &short(3), &long(1), &short(value), &short(0)].concat();
        [&header, &short(1)[..], &entry, &long(0)].concat()
    }

    #[test]
    fn reads_both_byte_orders_and_takes_nonsense_as_upright() {
        for value in 1..=8 {
            assert_eq!(read(&block(true, value)), u32::from(value));
            assert_eq!(read(&block(false, value)), u32::from(value));
        }
        for nonsense in [&block(true, 0)[..], &block(true, 9), b"", b"II", b"not TIFF at all"] {
            assert_eq!(read(nonsense), 1);
        }
    }
}
