//! The fonts pictures are set in, and how wide text is in them.

use flate2::read::GzDecoder;
use resvg::usvg::fontdb::{Database, Source};
use std::io::Read;
use std::sync::{Arc, LazyLock};
use ttf_parser::Face;

/// What an SVG viewer is asked for: DejaVu Sans, which the PNG is set in, or Verdana, which has the
/// same widths; then the Han fonts of the usual systems.
pub(crate) const FAMILIES: &str = "DejaVu Sans, Verdana, Noto Sans CJK SC, Noto Sans SC, PingFang SC, \
                                   Microsoft YaHei, Helvetica, Arial, sans-serif";

const ELLIPSIS: &str = "…";

static LATIN: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(dejavu::sans::regular(), 0).expect("the embedded font is valid"));

/// A collection of fonts that is made when it is first needed.
type Fonts = LazyLock<Arc<Database>>;

static WITH_LATIN: Fonts = LazyLock::new(|| {
    let mut database = Database::new();
    database.load_font_source(Source::Binary(Arc::new(dejavu::sans::regular())));
    Arc::new(database)
});

static WITH_HAN: Fonts = LazyLock::new(|| {
    let mut database = Database::clone(&WITH_LATIN);
    let halves: [&[u8]; 2] =
        [include_bytes!("../fonts/han-1.ttf.gz"), include_bytes!("../fonts/han-2.ttf.gz")];
    for half in halves {
        let mut font = Vec::new();
        GzDecoder::new(half).read_to_end(&mut font).expect("the embedded font is sound");
        database.load_font_source(Source::Binary(Arc::new(font)));
    }
    Arc::new(database)
});

static WITH_SYSTEM: Fonts = LazyLock::new(|| {
    let mut database = Database::clone(&WITH_HAN);
    database.load_system_fonts();
    Arc::new(database)
});

/// Returns the smallest collection of fonts that has all characters of `text`, or all fonts there are.
///
/// Reading the system's fonts takes up to a second, which a chart in English need not wait for.
pub(crate) fn covering(text: &str) -> Arc<Database> {
    let all_in = |database: &Database| {
        let has = |c: char| database.faces().any(|face| has_glyph(database, face.id, c));
        text.chars().filter(|c| !is_latin(*c)).all(has)
    };
    let fonts = [&WITH_LATIN, &WITH_HAN].into_iter().find(|fonts| all_in(fonts));
    Arc::clone(fonts.unwrap_or(&WITH_SYSTEM))
}

fn is_latin(c: char) -> bool {
    c.is_ascii() || LATIN.glyph_index(c).is_some()
}

fn has_glyph(database: &Database, id: resvg::usvg::fontdb::ID, c: char) -> bool {
    database
        .with_face_data(id, |data, index| {
            Face::parse(data, index).is_ok_and(|face| face.glyph_index(c).is_some())
        })
        .unwrap_or(false)
}

/// Returns the text without what has no picture: control characters become spaces, invisible and
/// direction-changing ones vanish, and what XML forbids becomes U+FFFD.
pub(crate) fn printable(text: &str) -> String {
    let visible = text.chars().filter(|c| {
        !matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    });
    let replaced = visible.map(|c| match c {
        c if c.is_control() => ' ',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    });
    replaced.collect()
}

/// Returns the width of a character in em; what DejaVu Sans lacks counts as wide as a Han character.
fn advance(c: char) -> f32 {
    let glyph = LATIN.glyph_index(c).and_then(|glyph| LATIN.glyph_hor_advance(glyph));
    glyph.map_or(1.0, |units| f32::from(units) / f32::from(LATIN.units_per_em()))
}

/// Returns the width of the text in pixels at `em` pixels to the em, kerning aside.
pub(crate) fn width(text: &str, em: f32) -> f32 {
    em * text.chars().map(advance).sum::<f32>()
}

/// Returns the [`printable`] text, cut and ended by "…" where it is wider than `max_width` pixels;
/// empty when not even "…" fits.
pub(crate) fn shorten(text: &str, em: f32, max_width: f32) -> String {
    let text = printable(text);
    if width(&text, em) <= max_width {
        return text;
    }
    let room = max_width - width(ELLIPSIS, em);
    if room < 0.0 {
        return String::new();
    }
    let mut used = 0.0;
    let fits = |c: &char| {
        used += em * advance(*c);
        used <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}{ELLIPSIS}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_collection_that_has_the_text_is_taken() {
        let n_faces = |text: &str| covering(text).len();
        assert_eq!((n_faces("Katze, süß, חתול"), n_faces("猫 と 蝴蝶")), (1, 3));
        assert!(Arc::ptr_eq(&covering("\u{10ffff}"), &WITH_SYSTEM));
    }

    #[test]
    fn text_fits_or_ends_in_an_ellipsis() {
        let names = [
            "",
            " ",
            "non-cat",
            "猫",
            "🐈\u{200d}⬛",
            "חתול",
            "e\u{301}\u{301}",
            "a\0b\n\tc\u{ffff}",
        ];
        for name in names.iter().flat_map(|name| [name.to_string(), name.repeat(7)]) {
            for (em, step) in
                [1.0, 9.5, 40.0].into_iter().flat_map(|em| (0..60).map(move |i| (em, i)))
            {
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

    #[test]
    fn what_has_no_picture_is_left_out() {
        assert_eq!(printable("a\u{200b}\u{202e}\u{fe0f}b"), "ab");
        assert_eq!(printable("a\0b\n\u{ffff}"), "a b \u{fffd}");
    }
}
