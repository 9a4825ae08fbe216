//! Text in DejaVu Sans, which the program carries: the same picture on every machine.
//!
//! Sizes are em in pixels. Glyphs stand in the order of the characters, without kerning or
//! shaping; a character that the font lacks shows as a box.

use super::blend;
use ab_glyph::{Font, FontRef, PxScaleFont, ScaleFont, point};
use image::{Rgb, RgbImage};
use plotters::style::FontTransform;
use std::sync::LazyLock;

/// Height of a lower-case x in DejaVu Sans, in em: the `ex` of a style sheet.
pub(super) const X_HEIGHT: f32 = 0.547;

const ELLIPSIS: &str = "…";

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(dejavu::sans::regular()).expect("the embedded font is valid")
});

/// The font at a size; its own scale is the line height, which is more than an em.
fn sized(em: f32) -> PxScaleFont<&'static FontRef<'static>> {
    let font = &*FONT;
    let units_per_em = font.units_per_em().unwrap_or(2048.0);
    font.into_scaled(em * font.height_unscaled() / units_per_em)
}

/// The text without what has no picture: control characters become spaces, invisible ones vanish.
pub(super) fn printable(text: &str) -> String {
    let visible = text.chars().filter(|c| {
        !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    });
    // U+FFFE and U+FFFF may not stand in an SVG file.
    let replaced = visible.map(|c| match c {
        c if c.is_control() => ' ',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    });
    replaced.collect()
}

/// Width of the text in pixels.
pub(super) fn width(text: &str, em: f32) -> f32 {
    let font = sized(em);
    text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
}

/// The [`printable`] text, cut and ended by "…" where it is wider than `max_width` pixels; empty
/// when not even "…" fits.
pub(super) fn shorten(text: &str, em: f32, max_width: f32) -> String {
    let font = sized(em);
    let advance = |c| font.h_advance(font.glyph_id(c));
    let text = printable(text);
    let room = max_width - width(ELLIPSIS, em);
    let mut used = 0.0;
    let mut cut = 0;
    for (start, c) in text.char_indices() {
        used += advance(c);
        if used <= room {
            cut = start + c.len_utf8();
        }
        if used > max_width {
            let kept = text[..cut].trim_end();
            return if room < 0.0 { String::new() } else { format!("{kept}{ELLIPSIS}") };
        }
    }
    text
}

/// Draws a line of text whose baseline starts at (x, y), turned about that point.
pub(super) fn draw(
    image: &mut RgbImage,
    text: &str,
    em: f32,
    (x, y): (f32, f32),
    colour: Rgb<u8>,
    alpha: f32,
) {
    draw_turned(image, text, em, ((x, y), (0.0, 0.0)), &FontTransform::None, (colour, alpha));
}

/// Draws a line of text that starts at `start` from `pivot`, both then turned about `pivot`.
///
/// Baselines and pivots lie on whole pixels, which keeps letters sharp; along the line, letters
/// stand where they fall, which keeps their distances even.
pub(super) fn draw_turned(
    image: &mut RgbImage,
    text: &str,
    em: f32,
    (pivot, start): ((f32, f32), (f32, f32)),
    turn: &FontTransform,
    (colour, alpha): (Rgb<u8>, f32),
) {
    let font = sized(em);
    // What of the pivot is not a whole pixel moves along the line or is rounded across it.
    let along_x = matches!(turn, FontTransform::None);
    let origin_x = if along_x { pivot.0.floor() } else { pivot.0.round() };
    let (origin_x, origin_y) = (origin_x as i32, pivot.1.round() as i32);
    let mut pen = start.0 + if along_x { pivot.0 - pivot.0.floor() } else { 0.0 };
    let baseline = start.1.round();
    for c in text.chars() {
        let id = font.glyph_id(c);
        let glyph = id.with_scale_and_position(font.scale(), point(pen, baseline));
        pen += font.h_advance(id);
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let bounds = outline.px_bounds();
        let (left, top) = (bounds.min.x as i32, bounds.min.y as i32);
        outline.draw(|i, j, coverage| {
            let (x, y) = (left + i as i32, top + j as i32);
            let (x, y) = match turn {
                FontTransform::None => (x, y),
                FontTransform::Rotate90 => (-y - 1, x),
                FontTransform::Rotate180 => (-x - 1, -y - 1),
                FontTransform::Rotate270 => (y, -x - 1),
            };
            let place = (origin_x.saturating_add(x), origin_y.saturating_add(y));
            blend(image, place, colour, coverage * alpha);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::colour::{INK, PAPER};
    use super::*;

    /// What could be a class name somewhere.
    const NAMES: [&str; 9] = [
        "",
        " ",
        "cat",
        "non-cat",
        "猫",
        "🐈\u{200d}⬛",
        "חתול",
        "e\u{301}\u{301}\u{301}",
        "a\0b\n\tc\u{ffff}",
    ];

    fn ink_box(text: &str, turn: &FontTransform) -> Option<(u32, u32, u32, u32)> {
        let mut image = RgbImage::from_pixel(200, 200, PAPER);
        draw_turned(&mut image, text, 20.0, ((100.0, 100.0), (0.0, 0.0)), turn, (INK, 1.0));
        let inked = image.enumerate_pixels().filter(|(_, _, pixel)| **pixel != PAPER);
        inked.fold(None, |bounds, (x, y, _)| {
            let (x0, y0, x1, y1) = bounds.unwrap_or((x, y, x, y));
            Some((x0.min(x), y0.min(y), x1.max(x), y1.max(y)))
        })
    }

    #[test]
    fn ink_stands_on_the_baseline_and_ends_within_the_width() {
        let (x0, y0, x1, y1) = ink_box("Hxx", &FontTransform::None).expect("ink");
        assert_eq!(y1, 99, "letters without descenders end above the baseline");
        // DejaVu's capitals are 0.729 em high.
        assert!((84..=86).contains(&y0), "{y0}");
        assert!(x0 >= 100 && (x1 as f32) <= 100.0 + width("Hxx", 20.0), "{x0} {x1}");
    }

    #[test]
    fn turns_move_the_ink_about_the_pivot() {
        let (x0, y0, x1, y1) = ink_box("Hxx", &FontTransform::None).expect("ink");
        let mirror = |v: u32| 199 - v;
        let expected = [
            (FontTransform::Rotate90, (mirror(y1), x0, mirror(y0), x1)),
            (FontTransform::Rotate180, (mirror(x1), mirror(y1), mirror(x0), mirror(y0))),
            (FontTransform::Rotate270, (y0, mirror(x1), y1, mirror(x0))),
        ];
        for (turn, bounds) in expected {
            assert_eq!(ink_box("Hxx", &turn), Some(bounds));
        }
    }

    #[test]
    fn a_missing_glyph_shows_as_a_box() {
        assert!(ink_box("猫", &FontTransform::None).is_some());
        assert_eq!(printable("a\u{200b}\u{fe0f}b"), "ab");
        assert_eq!(printable("a\0b\n\u{ffff}"), "a b \u{fffd}");
    }

    #[test]
    fn text_fits_or_ends_in_an_ellipsis() {
        for name in NAMES.iter().map(|name| name.repeat(7)).chain(NAMES.map(String::from)) {
            for em in [1.0, 9.5, 13.0, 40.0] {
                for step in 0..60 {
                    let room = step as f32 * em / 4.0;
                    let short = shorten(&name, em, room);
                    assert!(width(&short, em) <= room, "{name:?} in {room}: {short:?}");
                    if short != printable(&name) {
                        assert!(short.is_empty() || short.ends_with(ELLIPSIS), "{short:?}");
                        assert!(width(&printable(&name), em) > room, "{name:?} fits {room}");
                    }
                }
            }
        }
        assert_eq!(shorten("predicted: non-cat", 13.0, 1e6), "predicted: non-cat");
    }

    #[test]
    fn any_text_is_drawn_anywhere() {
        let mut image = RgbImage::from_pixel(20, 10, PAPER);
        for name in NAMES {
            for place in
                [(0.0, 0.0), (-30.0, 5.0), (19.5, 9.5), (1e9, -1e9), (f32::NAN, f32::INFINITY)]
            {
                draw(&mut image, name, 13.0, place, INK, 1.0);
            }
        }
    }
}
