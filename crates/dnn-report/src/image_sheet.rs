//! Sheets of captioned images: those a model gets wrong, or all of a data set.

use crate::chart::{Anchor, Chart, Drawing, ReportError, colour, thousands};
use crate::fonts;
use dnn_data::image::RgbImage;
use dnn_data::preprocess::prepare;
use dnn_data::{ImageShape, InputContract, ResizeFilter};

const TITLE_EM: f32 = 20.0;
const TEXT_EM: f32 = 13.0;
/// From one line of a caption to the next.
const LINE: u32 = 18;
const MARGIN: u32 = 24;
/// Between two cells, across and down.
const GAP: (u32, u32) = (16, 20);
/// Images are enlarged by a whole number to about this side, so that pixels stay squares.
const SIDE: u32 = 128;
/// Larger images are reduced to this side.
const MAX_SIDE: u32 = 256;
/// A caption may widen its cell to this; beyond it is shortened.
const MAX_CAPTION: u32 = 208;
/// Width to height of a screen, which the grid of images comes near to.
const ASPECT: f32 = 1.8;
/// Grids grow downwards from this width on.
const MAX_WIDTH: u32 = 2400;
/// A title widens a narrow sheet to this at most.
const MAX_TITLE: u32 = 900;
/// All cells together have at most this many pixels, of four bytes each while the PNG is drawn.
const MAX_PIXELS: u64 = 100_000_000;

/// Between the two images of a pair, and more than [`GAP`] between two pairs.
const PAIR_GAPS: (u32, u32) = (6, 24);

/// An image of a sheet.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// The bytes of the image, row by row.
    pub pixels: &'a [u8],
    /// Height, width and channels of the image. One or two channels show the first as grey, more than
    /// two the first three as red, green and blue.
    pub shape: ImageShape,
    /// Lines below the image, each shortened to its cell.
    pub caption: &'a [String],
}

/// How the images of a sheet are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// In rows that come near to the shape of a screen.
    Grid,
    /// In pairs: the first and the second image stand close together, the third and the fourth, and
    /// so on.
    Pairs,
    /// In rows of this many images.
    Columns(u32),
}

/// Draws images with captions under a title. Where there are more images than a picture can hold
/// (thousands), it shows the first ones and says so; where there are none, it says "none".
///
/// # Errors
/// [`ReportError::Image`] for a tile whose bytes do not match its shape.
#[doc(alias = "print_mislabeled_images")]
pub fn image_sheet(
    title: &str,
    tiles: &[Tile<'_>],
    arrangement: Arrangement,
) -> Result<Chart, ReportError> {
    for (index, Tile { pixels, shape, .. }) in tiles.iter().enumerate() {
        let ImageShape { height, width, channels } = *shape;
        let expected = height.checked_mul(width).and_then(|n| n.checked_mul(channels));
        if pixels.is_empty() || expected != Some(pixels.len()) {
            return Err(ReportError::Image { index, shape: *shape, got: pixels.len() });
        }
    }
    let layout = Layout::of(tiles, arrangement);
    let shown = &tiles[..layout.n_shown];
    let note = note(shown.len(), tiles.len());

    let (grid_width, grid_height) = layout.size();
    let title_width = (fonts::width(title, TITLE_EM).ceil() as u32).min(MAX_TITLE);
    let width = grid_width.max(title_width).max(2 * MAX_CAPTION) + 2 * MARGIN;
    let mut top = MARGIN;
    let mut heading = Vec::new();
    for (line, em, ink) in [(title, TITLE_EM, colour::INK), (&note, TEXT_EM, colour::SOFT)] {
        let line = fonts::shorten(line, em, (width - 2 * MARGIN) as f32);
        if !line.trim().is_empty() {
            heading.push((line, em, ink, top as f32 + em));
            top += (1.5 * em) as u32;
        }
    }
    if !heading.is_empty() && !shown.is_empty() {
        top += GAP.1 / 2;
    }
    let mut drawing = Drawing::new(width, top + grid_height + MARGIN);
    for (line, em, ink, baseline) in heading {
        drawing.text(&line, (width as f32 / 2.0, baseline), Anchor::Middle, em, ink);
    }
    let left = (width - grid_width) / 2;
    for (i, tile) in shown.iter().enumerate() {
        let (column, row) = (i as u32 % layout.n_columns, i as u32 / layout.n_columns);
        let place = (left + layout.x(column), top + row * (layout.cell.1 + GAP.1));
        draw_tile(&mut drawing, tile, place, &layout)?;
    }
    let captions: Vec<_> = shown.iter().map(|tile| tile.caption.join(", ")).collect();
    Ok(drawing.finish(title, &format!("{} images. {}", tiles.len(), captions.join("; "))))
}

/// What the title does not say about the number of images.
fn note(n_shown: usize, n: usize) -> String {
    match n {
        0 => "none".to_owned(),
        n if n_shown < n => {
            format!("the first {} of {}", thousands(n_shown as u64), thousands(n as u64))
        }
        _ => String::new(),
    }
}

/// Where the images stand.
#[derive(Debug, Clone, PartialEq)]
struct Layout {
    /// Width and height of an image with its caption.
    cell: (u32, u32),
    /// Height of the highest image; the captions start below it.
    image_height: u32,
    n_columns: u32,
    n_shown: usize,
    /// How many images stand close together: 1, or 2 of a pair.
    together: u32,
}

impl Layout {
    fn of(tiles: &[Tile<'_>], arrangement: Arrangement) -> Self {
        let together = if arrangement == Arrangement::Pairs { 2 } else { 1 };
        let sizes = tiles.iter().map(|tile| shown_size(tile.shape));
        let (image_width, image_height) =
            sizes.fold((0, 0), |most, size| (most.0.max(size.0), most.1.max(size.1)));
        let lines = tiles.iter().flat_map(|tile| tile.caption);
        let widest = lines.map(|line| fonts::width(line, TEXT_EM).ceil() as u32);
        let width = widest.max().unwrap_or(0).min(MAX_CAPTION).max(image_width);
        let n_lines = tiles.iter().map(|tile| tile.caption.len()).max().unwrap_or(0);
        let caption_height = if n_lines == 0 { 0 } else { 4 + LINE * n_lines as u32 };
        let cell = (width, image_height + caption_height);
        let area = u64::from(cell.0 + GAP.0) * u64::from(cell.1 + GAP.1);
        let fitting = (MAX_PIXELS / area).max(u64::from(together)) as usize;
        let n_shown = tiles.len().min(fitting / together as usize * together as usize);
        // A pair is laid out like an image of its width.
        let group = (together * (cell.0 + GAP.0) - GAP.0, cell.1);
        let n_groups = (n_shown as u32).div_ceil(together);
        let n_columns = match arrangement {
            Arrangement::Columns(n) => n.max(1),
            _ => together * n_columns(n_groups, group),
        };
        Self { cell, image_height, n_columns, n_shown, together }
    }

    /// Where a column starts.
    fn x(&self, column: u32) -> u32 {
        let (within, between) = if self.together > 1 { PAIR_GAPS } else { (0, GAP.0) };
        let group = column / self.together;
        column * self.cell.0 + group * between + (column - group) * within
    }

    fn n_rows(&self) -> u32 {
        (self.n_shown as u32).div_ceil(self.n_columns)
    }

    /// Width and height of all rows.
    fn size(&self) -> (u32, u32) {
        let n_columns = self.n_columns.min(self.n_shown as u32);
        let width = n_columns.checked_sub(1).map_or(0, |last| self.x(last) + self.cell.0);
        (width, (self.n_rows() * (self.cell.1 + GAP.1)).saturating_sub(GAP.1))
    }
}

/// The number of columns that fills its rows and gives the shape of a screen, as far as both go.
fn n_columns(n: u32, cell: (u32, u32)) -> u32 {
    let widest = (MAX_WIDTH / (cell.0 + GAP.0)).clamp(1, n.max(1));
    let badness = |columns: &u32| {
        let rows = n.div_ceil(*columns).max(1);
        let aspect = (columns * (cell.0 + GAP.0)) as f32 / (rows * (cell.1 + GAP.1)) as f32;
        let empty = (columns * rows).saturating_sub(n) as f32 / (columns * rows) as f32;
        (aspect / ASPECT).ln().abs() + 1.5 * empty
    };
    (1..=widest).min_by(|a, b| badness(a).total_cmp(&badness(b))).unwrap_or(1)
}

/// The size in which an image is shown: a whole multiple of its own, or reduced to [`MAX_SIDE`].
fn shown_size(ImageShape { width, height, .. }: ImageShape) -> (u32, u32) {
    let side = width.max(height).max(1);
    if side > MAX_SIDE as usize {
        let scale = f64::from(MAX_SIDE) / side as f64;
        return ((width as f64 * scale).max(1.0) as u32, (height as f64 * scale).max(1.0) as u32);
    }
    let factor = ((SIDE as f32 / side as f32).round() as u32).max(1);
    (width as u32 * factor, height as u32 * factor)
}

/// Draws an image, in the middle of its cell and standing on its caption.
fn draw_tile(
    drawing: &mut Drawing,
    tile: &Tile<'_>,
    (x, y): (u32, u32),
    layout: &Layout,
) -> Result<(), ReportError> {
    let (width, height) = shown_size(tile.shape);
    let (left, top) = (x + (layout.cell.0 - width) / 2, y + layout.image_height - height);
    // A thin edge, so that white images have one on the white paper.
    let edge = ((left - 1) as f32, (top - 1) as f32);
    drawing.rect(edge, ((width + 2) as f32, (height + 2) as f32), colour::GRID);
    let mut shape = ImageShape { channels: 3, ..tile.shape };
    let mut pixels = rgb(tile);
    if shape.width > width as usize || shape.height > height as usize {
        pixels = reduced(pixels, shape, (width, height))?;
        shape = ImageShape { height: height as usize, width: width as usize, channels: 3 };
    }
    drawing.image(pixels, shape, (left, top), width / shape.width as u32)?;
    let middle = x as f32 + layout.cell.0 as f32 / 2.0;
    for (i, line) in (0..).zip(tile.caption) {
        let line = fonts::shorten(line, TEXT_EM, layout.cell.0 as f32);
        let baseline = y + layout.image_height + LINE * (i + 1);
        let ink = if i == 0 { colour::INK } else { colour::SOFT };
        drawing.text(&line, (middle, baseline as f32), Anchor::Middle, TEXT_EM, ink);
    }
    Ok(())
}

/// The image as red, green and blue.
fn rgb(tile: &Tile<'_>) -> Vec<u8> {
    match tile.shape.channels {
        3 => tile.pixels.to_vec(),
        n @ ..3 => tile.pixels.chunks(n).flat_map(|pixel| [pixel[0]; 3]).collect(),
        n => tile.pixels.chunks(n).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    }
}

/// Red, green and blue in fewer pixels, by the one implementation of resizing.
fn reduced(rgb: Vec<u8>, shape: ImageShape, size: (u32, u32)) -> Result<Vec<u8>, ReportError> {
    let (width, height) = (shape.width as u64, shape.height as u64);
    let image = RgbImage::new(shape.width as u32, shape.height as u32, rgb);
    let contract =
        InputContract { resize: ResizeFilter::Lanczos3, ..InputContract::rgb(size.0, size.1)? };
    Ok(prepare(image.ok_or(ReportError::TooLarge { width, height })?, &contract)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::decoded;
    use image::RgbImage;
    use std::collections::HashMap;

    fn solid(colour: [u8; 3], width: usize, height: usize) -> Vec<u8> {
        colour.repeat(width * height)
    }

    fn shape(height: usize, width: usize) -> ImageShape {
        ImageShape { height, width, channels: 3 }
    }

    fn drawn(title: &str, tiles: &[Tile<'_>], arrangement: Arrangement) -> RgbImage {
        decoded(&image_sheet(title, tiles, arrangement).expect("drawn"), 1)
    }

    fn count(image: &RgbImage, colour: [u8; 3]) -> usize {
        image.pixels().filter(|pixel| pixel.0 == colour).count()
    }

    /// The smallest and the largest column and row of a colour: left, top, right, bottom.
    fn bounds(image: &RgbImage, colour: [u8; 3]) -> (u32, u32, u32, u32) {
        all_bounds(image)[&colour]
    }

    /// Left, top, right and bottom of every colour there is, in one pass over the image.
    fn all_bounds(image: &RgbImage) -> HashMap<[u8; 3], (u32, u32, u32, u32)> {
        let mut all = HashMap::new();
        for (y, row) in (0..).zip(image.as_raw().chunks_exact(3 * image.width() as usize)) {
            let mut x = 0;
            for run in row.as_chunks::<3>().0.chunk_by(|a, b| a == b) {
                let end = x + run.len() as u32;
                let (left, top, right, bottom) = all.entry(run[0]).or_insert((x, y, end - 1, y));
                (*left, *top) = (x.min(*left), y.min(*top));
                (*right, *bottom) = ((end - 1).max(*right), y.max(*bottom));
                x = end;
            }
        }
        all
    }

    #[test]
    fn ten_images_stand_in_two_rows_untouched_by_their_captions() {
        let colours: Vec<[u8; 3]> = (0..10).map(|i| [10 * i, 255, 0]).collect();
        let pixels: Vec<_> = colours.iter().map(|colour| solid(*colour, 64, 64)).collect();
        let caption = ["index 5", "true cat", "predicted non-cat 0.31"].map(String::from);
        let tile = |pixels| Tile { pixels, shape: shape(64, 64), caption: &caption };
        let tiles: Vec<_> = pixels.iter().map(|pixels| tile(pixels)).collect();
        let image = drawn("10 of 50 misclassified", &tiles, Arrangement::Grid);
        let places: Vec<_> = colours.iter().map(|colour| bounds(&image, *colour)).collect();
        for (colour, (left, top, right, bottom)) in colours.iter().zip(&places) {
            assert_eq!(count(&image, *colour), 128 * 128);
            assert_eq!((right - left, bottom - top), (127, 127));
        }
        for (i, place) in places.iter().enumerate() {
            if i >= 5 {
                let above = places[i - 5];
                assert_eq!(place.0, above.0);
                assert!(place.1 > above.3 + 3 * LINE, "captions need room");
            }
            if i % 5 > 0 {
                let before = places[i - 1];
                assert_eq!(place.1, before.1);
                assert!(place.0 > before.2 + GAP.0, "images need room");
            }
        }
    }

    #[test]
    fn pairs_stand_close_together_and_are_never_parted() {
        for n_pairs in 1..40 {
            let colours: Vec<[u8; 3]> = (0..2 * n_pairs).map(|i| [2 * i, 255, 0]).collect();
            let pixels: Vec<_> = colours.iter().map(|colour| solid(*colour, 64, 64)).collect();
            let tiles: Vec<_> = (pixels.iter())
                .map(|pixels| Tile { pixels, shape: shape(64, 64), caption: &[] })
                .collect();
            let image = drawn("", &tiles, Arrangement::Pairs);
            let bounds = all_bounds(&image);
            let places: Vec<_> = colours.iter().map(|colour| bounds[colour]).collect();
            for (i, pair) in places.chunks(2).enumerate() {
                assert_eq!(pair[0].1, pair[1].1, "one row");
                assert_eq!(pair[1].0 - pair[0].2 - 1, PAIR_GAPS.0);
                if let Some(next) = places.get(2 * i + 2).filter(|next| next.1 == pair[0].1) {
                    assert_eq!(next.0 - pair[1].2 - 1, PAIR_GAPS.1);
                }
            }
        }
    }

    #[test]
    fn pixels_become_squares() {
        let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]];
        let pixels = colours.concat();
        let tile = Tile { pixels: &pixels, shape: shape(2, 2), caption: &[] };
        let image = drawn("", &[tile], Arrangement::Grid);
        let (left, top, ..) = bounds(&image, colours[0]);
        for (i, colour) in (0..).zip(colours) {
            let (x, y) = (left + i % 2 * 64, top + i / 2 * 64);
            assert_eq!(bounds(&image, colour), (x, y, x + 63, y + 63));
            assert_eq!(count(&image, colour), 64 * 64);
        }
    }

    #[test]
    fn images_of_any_size_keep_their_shape_and_a_sensible_size() {
        assert_eq!(shown_size(shape(64, 64)), (128, 128));
        assert_eq!(shown_size(shape(28, 28)), (140, 140));
        assert_eq!(shown_size(shape(1, 1)), (128, 128));
        assert_eq!(shown_size(shape(100, 200)), (200, 100));
        assert_eq!(shown_size(shape(3000, 4000)), (256, 192));
        assert_eq!(shown_size(shape(1, 1_000_000)), (256, 1));
        let large = solid([1, 2, 3], 700, 300);
        let tile = Tile { pixels: &large, shape: shape(300, 700), caption: &[] };
        let image = drawn("", &[tile], Arrangement::Grid);
        assert_eq!(count(&image, [1, 2, 3]), 256 * 109);
    }

    #[test]
    fn grids_hold_all_without_an_empty_row_and_within_the_width() {
        for cell in [(128, 150), (208, 186), (256, 256)] {
            for n in 0..600 {
                let columns = n_columns(n, cell);
                let rows = n.div_ceil(columns);
                assert!(columns <= n.max(1) && columns * (cell.0 + GAP.0) <= MAX_WIDTH);
                assert!(n == 0 || columns * (rows - 1) < n, "{n}: {columns} columns");
            }
        }
        assert_eq!(n_columns(10, (160, 186)), 5);
    }

    #[test]
    fn rows_are_as_long_as_they_are_asked_to_be() {
        let (first, other) = (solid([0, 255, 0], 8, 8), solid([0, 0, 255], 8, 8));
        let tile = |pixels| Tile { pixels, shape: shape(8, 8), caption: &[] };
        let tiles = [tile(&first), tile(&other), tile(&first), tile(&other)];
        let image = drawn("", &tiles, Arrangement::Columns(2));
        let (left, _, right, _) = bounds(&image, [0, 255, 0]);
        assert_eq!((right - left, count(&image, [0, 255, 0])), (127, 2 * 128 * 128));
    }

    #[test]
    fn a_long_caption_stays_in_its_cell() {
        let pixels = solid([0, 255, 0], 8, 8);
        let caption = [format!("true {}", "a-long-class-name".repeat(9)), "second".into()];
        let tile = Tile { pixels: &pixels, shape: shape(8, 8), caption: &caption };
        let image = drawn("", &[tile, tile, tile], Arrangement::Grid);
        let layout = Layout::of(&[tile, tile, tile], Arrangement::Grid);
        assert_eq!((layout.cell.0, layout.n_columns), (MAX_CAPTION, 3));
        for gap in 0..2 {
            let left = MARGIN + (gap + 1) * MAX_CAPTION + gap * GAP.0;
            for x in left..left + GAP.0 {
                assert!((0..image.height()).all(|y| image.get_pixel(x, y).0 == [255; 3]));
            }
        }
        let line = MARGIN + layout.image_height + LINE - 4;
        let mut columns = MARGIN..MARGIN + MAX_CAPTION;
        assert!(columns.any(|x| image.get_pixel(x, line).0 != [255; 3]), "no caption");
    }

    #[test]
    fn no_images_give_a_picture_that_says_so() {
        let sheet = image_sheet("0 of 50 misclassified", &[], Arrangement::Grid).expect("drawn");
        assert!(sheet.svg().contains(">none</text>"), "{}", sheet.svg());
        let title_end = MARGIN + (1.5 * TITLE_EM) as u32;
        let image = decoded(&sheet, 1);
        assert!(image.enumerate_pixels().any(|(_, y, pixel)| y > title_end && pixel.0 != [255; 3]));
    }

    #[test]
    fn images_of_any_number_of_channels_are_shown() {
        for (channels, shown) in
            [(1, [10; 3]), (2, [10; 3]), (3, [10, 90, 200]), (5, [10, 90, 200])]
        {
            let pixels = [10, 90, 200, 0, 0][..channels].repeat(16);
            let shape = ImageShape { height: 4, width: 4, channels };
            let image =
                drawn("", &[Tile { pixels: &pixels, shape, caption: &[] }], Arrangement::Grid);
            assert_eq!(count(&image, shown), 128 * 128, "{channels} channels");
        }
    }

    #[test]
    fn what_a_picture_cannot_hold_is_left_out_and_said() {
        let pixels = solid([0; 3], 64, 64);
        let tiles = vec![Tile { pixels: &pixels, shape: shape(64, 64), caption: &[] }; 10_000];
        let layout = Layout::of(&tiles, Arrangement::Grid);
        let (width, height) = layout.size();
        assert!(u64::from(width) * u64::from(height) <= MAX_PIXELS);
        assert!((4000..10_000).contains(&layout.n_shown), "{layout:?}");
        assert_eq!(note(4_692, 10_000), "the first 4,692 of 10,000");
        assert_eq!(note(259, 259), "");
    }

    #[test]
    fn a_wrong_image_is_named() {
        let pixels = [0; 12];
        let good = Tile { pixels: &pixels, shape: shape(2, 2), caption: &[] };
        let wrong = [
            Tile { shape: shape(3, 2), ..good },
            Tile { pixels: &[], shape: shape(2, 0), ..good },
            Tile { shape: shape(2, usize::MAX), ..good },
        ];
        for bad in wrong {
            let error = image_sheet("", &[good, bad], Arrangement::Grid).expect_err("wrong size");
            assert!(error.to_string().starts_with("image 1 has "), "{error}");
        }
    }
}
