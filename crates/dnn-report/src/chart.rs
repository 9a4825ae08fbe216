//! Charts: a picture as SVG, and the same rendered as PNG.

use crate::fonts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dnn_data::ImageShape;
use dnn_data::image::{PngContent, encode_png};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use std::fmt::Write as _;

/// Colours of all charts: inks on white paper, and the series of Okabe and Ito (2008), which people
/// with any kind of colour vision tell apart.
pub(crate) mod colour {
    pub(crate) const PAPER: &str = "#ffffff";
    pub(crate) const INK: &str = "#1c1f24";
    pub(crate) const SOFT: &str = "#5b636e";
    pub(crate) const AXIS: &str = "#9aa1ab";
    pub(crate) const GRID: &str = "#e4e7eb";
    pub(crate) const SERIES: [&str; 6] =
        ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
}

/// Why a chart could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The bytes of an image are not those of its shape.
    #[error("image {index} has {got} bytes, which do not make {shape}")]
    Image {
        /// Which image of the sheet.
        index: usize,
        /// The shape that was given for it.
        shape: ImageShape,
        /// The number of bytes that were given for it.
        got: usize,
    },
    /// What is to be explained is no picture, of whose values bytes are made.
    #[error(
        "{0} numbers, not pictures: causes such as pose and brightness are of pictures, bytes in 1 channel (grey) or 3 (colours)"
    )]
    NoPictures(ImageShape),
    /// The picture would have more pixels than can be drawn.
    #[error("a picture of {width}×{height} pixels is too large to be drawn")]
    TooLarge {
        /// Its width in pixels.
        width: u64,
        /// Its height in pixels.
        height: u64,
    },
    /// An image cannot have the size in which it would be shown.
    #[error("the picture cannot be reduced")]
    Reduce(#[from] dnn_data::ContractError),
    /// The SVG renderer refuses the document.
    #[error("the picture cannot be drawn: {0}")]
    Render(#[from] resvg::usvg::Error),
    /// The PNG encoder fails.
    #[error("the picture cannot be encoded as PNG")]
    Encode(#[source] std::io::Error),
}

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    svg: String,
    width: u32,
    height: u32,
    images: Vec<Placed>,
}

/// An image of a chart, in pixels of the SVG.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed {
    rgb: Vec<u8>,
    shape: ImageShape,
    place: (u32, u32),
    factor: u32,
}

impl Chart {
    /// Returns the picture as a complete SVG document, with a title and a description for screen
    /// readers.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Returns the picture for a page in HTML: its inks are the variables `--paper`, `--ink`, `--soft`,
    /// `--axis` and `--grid` of the page's style, so that it is dark where the page is, and `id` makes
    /// the references to its title and description unique.
    pub fn inline_svg(&self, id: &str) -> String {
        let inks = [
            (colour::PAPER, "paper"),
            (colour::INK, "ink"),
            (colour::SOFT, "soft"),
            (colour::AXIS, "axis"),
            (colour::GRID, "grid"),
        ];
        let mut svg = self.svg.clone();
        for (ink, name) in inks {
            svg = svg.replace(&format!("\"{ink}\""), &format!("\"var(--{name}, {ink})\""));
        }
        let labelled = format!(r#"role="img" aria-labelledby="{id}-title {id}-desc""#);
        svg.replacen(r#"role="img""#, &labelled, 1)
            .replacen("<title>", &format!("<title id=\"{id}-title\">"), 1)
            .replacen("<desc>", &format!("<desc id=\"{id}-desc\">"), 1)
    }

    /// Returns width and height in pixels of the SVG.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Returns the picture as PNG, each pixel of the SVG as `scale` × `scale` pixels.
    ///
    /// # Errors
    /// [`ReportError::TooLarge`] when that is more than can be drawn.
    pub fn png(&self, scale: u32) -> Result<Vec<u8>, ReportError> {
        let (width, height) = (self.width.saturating_mul(scale), self.height.saturating_mul(scale));
        let mut pixels = Pixmap::new(width, height)
            .ok_or(ReportError::TooLarge { width: width.into(), height: height.into() })?;
        // Images are drawn below, pixel by pixel: a renderer would blend their edges.
        let mut options = Options { fontdb: fonts::covering(&self.svg), ..Options::default() };
        options.image_href_resolver.resolve_data = Box::new(|_, _, _| None);
        let tree = Tree::from_str(&self.svg, &options)?;
        let scaled = Transform::from_scale(scale as f32, scale as f32);
        resvg::render(&tree, scaled, &mut pixels.as_mut());
        // The paper is opaque, so that the fourth of each four bytes goes.
        let mut rgb = pixels.take();
        let n_pixels = rgb.len() / 4;
        for i in 0..n_pixels {
            // All four are moved, at once: the next pixel overwrites the last one.
            let pixel = [rgb[4 * i], rgb[4 * i + 1], rgb[4 * i + 2], rgb[4 * i + 3]];
            rgb[3 * i..][..4].copy_from_slice(&pixel);
        }
        rgb.truncate(3 * n_pixels);
        for image in &self.images {
            image.draw(&mut rgb, width as usize, scale as usize);
        }
        let content = if self.images.is_empty() { PngContent::Drawing } else { PngContent::Photos };
        png(
            &rgb,
            ImageShape { height: height as usize, width: width as usize, channels: 3 },
            content,
        )
    }
}

impl Placed {
    /// Draws each pixel of the image as a square into a picture of `width` pixels.
    fn draw(&self, picture: &mut [u8], width: usize, scale: usize) {
        let side = self.factor as usize * scale;
        let (left, top) = (self.place.0 as usize * scale, self.place.1 as usize * scale);
        for (y, row) in self.rgb.chunks_exact(3 * self.shape.width).enumerate() {
            let wide: Vec<u8> = row
                .chunks_exact(3)
                .flat_map(|pixel| pixel.iter().cycle().take(3 * side))
                .copied()
                .collect();
            for line in 0..side {
                let start = 3 * ((top + y * side + line) * width + left);
                picture[start..start + wide.len()].copy_from_slice(&wide);
            }
        }
    }
}

/// Pixels as a PNG file.
pub(crate) fn png(
    pixels: &[u8],
    shape: ImageShape,
    content: PngContent,
) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    encode_png(&mut bytes, pixels, shape, content).map_err(ReportError::Encode)?;
    Ok(bytes)
}

/// Where a text stands from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG document in the making; lengths are in pixels, y downwards.
#[derive(Debug)]
pub(crate) struct Drawing {
    body: String,
    width: u32,
    height: u32,
    images: Vec<Placed>,
}

impl Drawing {
    /// Starts with an empty sheet of paper.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let mut drawing = Self { body: String::new(), width, height, images: Vec::new() };
        drawing.rect((0.0, 0.0), (width as f32, height as f32), colour::PAPER);
        drawing
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.body, "{element}");
    }

    pub(crate) fn rect(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), fill: &str) {
        let [x, y, width, height] = [x, y, width, height].map(number);
        self.element(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"/>"#
        ));
    }

    /// Lays a colour over a rectangle, `opacity` from 0 to 1.
    pub(crate) fn shade(
        &mut self,
        (x, y): (f32, f32),
        (width, height): (f32, f32),
        fill: &str,
        opacity: f32,
    ) {
        let [x, y, width, height, opacity] = [x, y, width, height, opacity].map(number);
        self.element(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}" fill-opacity="{opacity}"/>"#
        ));
    }

    /// Draws a line through the points with round joins and ends.
    pub(crate) fn line(&mut self, points: &[(f32, f32)], stroke: &str, width: f32) {
        let points: Vec<_> =
            points.iter().map(|&(x, y)| format!("{},{}", number(x), number(y))).collect();
        let (points, width) = (points.join(" "), number(width));
        self.element(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{stroke}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"/>"#
        ));
    }

    pub(crate) fn disc(&mut self, (x, y): (f32, f32), radius: f32, fill: &str) {
        let [x, y, radius] = [x, y, radius].map(number);
        self.element(format_args!(r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}"/>"#));
    }

    /// Writes a line of text at a point of its baseline.
    pub(crate) fn text(
        &mut self,
        text: &str,
        (x, y): (f32, f32),
        anchor: Anchor,
        em: f32,
        fill: &str,
    ) {
        let place = format!(r#"x="{}" y="{}""#, number(x), number(y));
        self.write_text(text, &place, anchor, em, fill);
    }

    /// Writes a line of text upwards, centred on a point of its baseline.
    pub(crate) fn text_upwards(&mut self, text: &str, (x, y): (f32, f32), em: f32, fill: &str) {
        let place = format!(r#"transform="translate({} {}) rotate(-90)""#, number(x), number(y));
        self.write_text(text, &place, Anchor::Middle, em, fill);
    }

    fn write_text(&mut self, text: &str, place: &str, anchor: Anchor, em: f32, fill: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (em, text) = (number(em), escaped(text));
        self.element(format_args!(
            r#"<text {place} text-anchor="{anchor}" font-size="{em}" fill="{fill}">{text}</text>"#
        ));
    }

    /// Places an image, each of its pixels as a square of `factor` pixels a side.
    pub(crate) fn image(
        &mut self,
        rgb: Vec<u8>,
        shape: ImageShape,
        place: (u32, u32),
        factor: u32,
    ) -> Result<(), ReportError> {
        let (x, y) = place;
        let (width, height) = (factor as usize * shape.width, factor as usize * shape.height);
        let png = BASE64_STANDARD.encode(png(&rgb, shape, PngContent::Photos)?);
        self.element(format_args!(
            r#"<image x="{x}" y="{y}" width="{width}" height="{height}" image-rendering="pixelated" href="data:image/png;base64,{png}"/>"#
        ));
        self.images.push(Placed { rgb, shape, place, factor });
        Ok(())
    }

    /// Ends the document. `title` and `description` are what a screen reader says.
    pub(crate) fn finish(self, title: &str, description: &str) -> Chart {
        let Self { body, width, height, images } = self;
        let families = fonts::FAMILIES;
        let (title, description) = (escaped(title), escaped(description));
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" font-family="{families}">
<title>{title}</title>
<desc>{description}</desc>
{body}</svg>
"#
        );
        Chart { svg, width, height, images }
    }
}

/// A length with at most two digits after the point.
fn number(length: f32) -> String {
    let text = format!("{length:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Printable text as it may stand in an SVG file.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in fonts::printable(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns 1234567 as "1,234,567".
pub(crate) fn thousands(number: u64) -> String {
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

/// Returns the chart's PNG at `scale`, decoded.
#[cfg(test)]
pub(crate) fn decoded(chart: &Chart, scale: u32) -> image::RgbImage {
    let png = chart.png(scale).expect("drawn");
    let decoded = image::load_from_memory_with_format(&png, image::ImageFormat::Png);
    decoded.expect("a PNG").into_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_word(word: &str) -> Chart {
        let mut drawing = Drawing::new(60, 40);
        drawing.text(word, (30.0, 28.0), Anchor::Middle, 20.0, colour::INK);
        drawing.finish(word, "")
    }

    #[test]
    fn thousands_are_grouped() {
        let grouped = [0, 999, 1000, 12_345, 1_234_567].map(thousands);
        assert_eq!(grouped, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!([0.0, 2.0, 0.5, 10.0, 1.0 / 3.0].map(number), ["0", "2", "0.5", "10", "0.33"]);
    }

    #[test]
    fn any_text_makes_well_formed_xml_that_says_it() {
        let hostile = "</text><script>&\"'\0\u{b}\u{202e}\u{ffff}]]>";
        let chart = one_word(hostile);
        let document = roxmltree::Document::parse(chart.svg()).expect("XML");
        let said = |tag: &str| {
            let element = document.descendants().find(|node| node.has_tag_name(tag));
            element.and_then(|element| element.text()).expect("text").to_owned()
        };
        let shown = "</text><script>&\"'  \u{fffd}]]>";
        assert_eq!((said("text").as_str(), said("title").as_str()), (shown, shown));
        assert_eq!(document.root_element().attribute("role"), Some("img"));
        assert_eq!(decoded(&chart, 1).dimensions(), (60, 40));
    }

    #[test]
    fn han_characters_show_and_are_not_all_the_same_box() {
        let drawn = ["猫", "狗", "蝴", "鳄", "ネ"].map(|word| decoded(&one_word(word), 2));
        for (i, image) in drawn.iter().enumerate() {
            let ink = image.pixels().filter(|pixel| pixel.0[0] < 128).count();
            assert!((60..1200).contains(&ink), "character {i} has {ink} dark pixels");
            assert!(drawn[..i].iter().all(|other| other != image), "character {i}");
        }
    }

    #[test]
    fn letters_end_where_their_width_says() {
        let mut drawing = Drawing::new(200, 40);
        drawing.text("Hxx", (10.0, 30.0), Anchor::Start, 20.0, "#000000");
        let image = decoded(&drawing.finish("", ""), 1);
        let inked = image.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] < 128);
        let (right, bottom) = inked.fold((0, 0), |(x, y), (px, py, _)| (px.max(x), py.max(y)));
        let end = 10.0 + fonts::width("Hxx", 20.0);
        assert!((end - 3.0..end).contains(&(right as f32)), "{right} of {end}");
        assert_eq!(bottom, 29, "letters without descenders stand on the baseline");
    }

    #[test]
    fn a_picture_beyond_all_bounds_is_refused() {
        let error = one_word("x").png(u32::MAX).expect_err("too large");
        assert!(matches!(error, ReportError::TooLarge { .. }), "{error}");
    }
}
