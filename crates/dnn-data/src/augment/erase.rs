//! Random erasing (Zhong et al., 2017): a rectangle of the image is covered.

use super::{Fill, colour};
use crate::ImageShape;
use crate::chance::Dice;
use std::ops::Range;

/// Least and greatest share of the image that is erased.
const AREA: (f64, f64) = (0.02, 0.2);
/// Least ratio of the shorter side to the longer one.
const ASPECT: f64 = 0.3;

/// Covers a rectangle at a random place, which may be empty in images of few pixels.
pub(super) fn erase(image: &mut [u8], shape: ImageShape, fill: Fill, dice: &mut Dice) {
    let (rows, columns) = rectangle(shape, dice);
    let n = shape.channels;
    let mean = colour::mean_bytes(image, n);
    for y in rows {
        let row = &mut image[y * shape.width * n..][..shape.width * n];
        let covered = &mut row[columns.start * n..columns.end * n];
        match fill {
            Fill::Mean => covered.chunks_exact_mut(n).for_each(|to| to.copy_from_slice(&mean[..n])),
            Fill::Noise => covered.fill_with(|| (dice.bits() >> 56) as u8),
        }
    }
}

/// Draws the rows and columns of the rectangle; every place where it fits is as likely as any
/// other.
fn rectangle(shape: ImageShape, dice: &mut Dice) -> (Range<usize>, Range<usize>) {
    let area = dice.range(AREA.0, AREA.1) * (shape.height * shape.width) as f64;
    let aspect = dice.range(ASPECT, 1.0);
    let (long, short) = ((area / aspect).sqrt(), (area * aspect).sqrt());
    let (height, width) = if dice.chance(0.5) { (long, short) } else { (short, long) };
    let mut place = |side: f64, n: usize| {
        let side = (side.round() as usize).min(n);
        let start = dice.below(n - side + 1);
        start..start + side
    };
    (place(height, shape.height), place(width, shape.width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_are_inside_and_of_the_promised_area() {
        let shape = ImageShape { height: 64, width: 48, channels: 3 };
        let mut dice = Dice::new(3);
        let (mut total, mut seen) = (0.0, [false; 4]);
        for _ in 0..2000 {
            let (rows, columns) = rectangle(shape, &mut dice);
            assert!(rows.end <= 64 && columns.end <= 48);
            let area = (rows.len() * columns.len()) as f64 / (64.0 * 48.0);
            // Sides are whole pixels.
            assert!((0.015..0.22).contains(&area), "{area}");
            total += area / 2000.0;
            let corners = [rows.start == 0, rows.end == 64, columns.start == 0, columns.end == 48];
            seen.iter_mut().zip(corners).for_each(|(seen, now)| *seen |= now);
        }
        assert!((total - 0.11).abs() < 0.006, "{total}");
        assert_eq!(seen, [true; 4], "every edge is reached");
    }

    #[test]
    fn the_rectangle_is_the_mean_colour_and_the_rest_stays() {
        let shape = ImageShape { height: 10, width: 10, channels: 3 };
        let before: Vec<u8> =
            (0..300).map(|i| [10, 100, 200][i % 3] + (i / 150) as u8 * 2).collect();
        let mut image = before.clone();
        erase(&mut image, shape, Fill::Mean, &mut Dice::new(5));
        let changed = before.iter().zip(&image).filter(|(a, b)| a != b).count();
        assert!((6..=66).contains(&changed), "{changed}");
        for (before, after) in before.chunks(3).zip(image.chunks(3)) {
            assert!(after == before || after == [11, 101, 201], "{after:?}");
        }
    }

    #[test]
    fn noise_fills_it_with_everything() {
        let shape = ImageShape { height: 40, width: 40, channels: 1 };
        let mut image = vec![0; 1600];
        erase(&mut image, shape, Fill::Noise, &mut Dice::new(5));
        let covered: Vec<_> = image.iter().filter(|v| **v > 0).collect();
        assert!(covered.len() > 30 && covered.iter().any(|v| **v > 200), "{covered:?}");
    }
}
