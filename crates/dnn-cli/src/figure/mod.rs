//! The pictures the program draws: the cost over the iterations, and sheets of captioned images.
//!
//! [`cost_plot`] and [`image_sheet`] take plain numbers and bytes and know nothing of training;
//! both write text with [`text`], the plot through the pixel surface of [`canvas`]. Every picture
//! is written through [`crate::file`]: whole, or not at all.

mod axis;
mod canvas;
pub(crate) mod cost_plot;
pub(crate) mod image_sheet;
mod text;

use image::{Rgb, RgbImage};

/// Colours of all pictures; the first two series have the colours of the course's plots.
pub(crate) mod colour {
    use image::Rgb;

    pub(crate) const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
    pub(crate) const INK: Rgb<u8> = Rgb([0x1c, 0x1f, 0x24]);
    pub(crate) const SOFT: Rgb<u8> = Rgb([0x5b, 0x63, 0x6e]);
    pub(crate) const AXIS: Rgb<u8> = Rgb([0x9a, 0xa1, 0xab]);
    pub(crate) const GRID: Rgb<u8> = Rgb([0xe4, 0xe7, 0xeb]);
    pub(crate) const BLUE: Rgb<u8> = Rgb([0x1f, 0x77, 0xb4]);
    pub(crate) const ORANGE: Rgb<u8> = Rgb([0xff, 0x7f, 0x0e]);
    pub(crate) const GREEN: Rgb<u8> = Rgb([0x2c, 0xa0, 0x2c]);
    pub(crate) const RED: Rgb<u8> = Rgb([0xd6, 0x27, 0x28]);
}

/// Lays `colour` over a pixel, which it covers to `coverage` (0 to 1); outside the image, nothing.
fn blend(image: &mut RgbImage, (x, y): (i32, i32), colour: Rgb<u8>, coverage: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    if let Some(pixel) = image.get_pixel_mut_checked(x, y) {
        // Nearly all that is drawn, and dev builds take their time over the rest.
        if coverage >= 1.0 {
            *pixel = colour;
            return;
        }
        let coverage = coverage.max(0.0);
        for (under, over) in pixel.0.iter_mut().zip(colour.0) {
            let (below, above) = (f32::from(*under), f32::from(over));
            *under = (below + (above - below) * coverage).round() as u8;
        }
    }
}

/// Fills the rectangle from (x0, y0) up to, not including, (x1, y1), clipped to the image.
fn fill(
    image: &mut RgbImage,
    (x0, y0): (i32, i32),
    (x1, y1): (i32, i32),
    colour: Rgb<u8>,
    alpha: f32,
) {
    let (right, bottom) = (x1.min(image.width() as i32), y1.min(image.height() as i32));
    for y in y0.max(0)..bottom {
        for x in x0.max(0)..right {
            blend(image, (x, y), colour, alpha);
        }
    }
}

/// 1234567 as 1,234,567.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let grouped = [0, 999, 1000, 12_345, 1_234_567].map(thousands);
        assert_eq!(grouped, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn fill_is_clipped_and_half_open() {
        let mut image = RgbImage::from_pixel(4, 3, colour::PAPER);
        fill(&mut image, (-5, -5), (2, 1), colour::RED, 1.0);
        fill(&mut image, (3, 2), (99, 99), colour::BLUE, 1.0);
        let red = image.pixels().filter(|pixel| **pixel == colour::RED).count();
        let blue = image.pixels().filter(|pixel| **pixel == colour::BLUE).count();
        assert_eq!((red, blue), (2, 1));
    }
}
