//! Numbers that describe an image: which colours it has and where, and which small patterns.
//!
//! `docs/images.md` has the formulas. Everything that is counted is decided with whole numbers, so that
//! a description is the same on every machine.

use crate::pixels::luma;
use crate::{FeatureKind, ImageShape};

/// The smallest width and height of an image that can be described, in pixels.
pub(crate) const LEAST_SIDE: u32 = 4;

/// Hues, and saturations of each.
const HUES: usize = 8;
const SATURATIONS: usize = 4;
/// Values, the largest of red, green and blue.
const VALUES: usize = 8;
/// Differences of red and green, and of yellow and blue.
const OPPONENTS: usize = 6;
/// Cells a side whose mean and deviation are taken.
const COLOUR_CELLS: usize = 4;
/// Cells a side whose patterns are counted.
const TEXTURE_CELLS: usize = 2;
/// Uniform patterns by the number of their neighbours, 0 to 8, and all others.
const PATTERNS: usize = 10;
const N_COLOUR: usize =
    HUES * SATURATIONS + VALUES + OPPONENTS * OPPONENTS + 2 * COLOUR_CELLS * COLOUR_CELLS * 3;
const N_TEXTURE: usize = RADII.len() * TEXTURE_CELLS * TEXTURE_CELLS * PATTERNS;

/// Returns how many numbers describe an image.
pub(crate) fn n_features(kind: FeatureKind) -> usize {
    let colour = if kind.has_colour() { N_COLOUR } else { 0 };
    let texture = if kind.has_texture() { N_TEXTURE } else { 0 };
    colour + texture
}

/// Describes an image.
///
/// # Shapes
/// `image` (height, width, channels), row by row; `numbers` as many as [`n_features`].
/// # Panics
/// When one of them has another length, or colour is asked of grey.
pub(crate) fn describe(kind: FeatureKind, shape: ImageShape, image: &[u8], numbers: &mut [f64]) {
    assert_eq!(image.len(), shape.n_bytes(), "bytes of the image");
    assert_eq!(numbers.len(), n_features(kind), "numbers of the description");
    let (of_colour, of_texture) =
        numbers.split_at_mut(if kind.has_colour() { N_COLOUR } else { 0 });
    // With the widest vectors that the machine has; the numbers are the same with all.
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            if kind.has_colour() {
                assert_eq!(shape.channels, 3, "channels of an image with colours");
                colour(image.as_chunks().0, shape, of_colour);
            }
            if kind.has_texture() {
                texture(image, shape, of_texture);
            }
        },
    );
}

/// The pixels from the first of cell `cell` to before the first of the next, of `n` in `cells` cells.
#[inline(always)]
fn cell(cell: usize, n: usize, cells: usize) -> std::ops::Range<usize> {
    cell * n / cells..(cell + 1) * n / cells
}

/// Square roots of shares: histograms that are compared by Hellinger's distance.
#[inline(always)]
fn roots_of_shares(counts: &[u32], n: usize, out: &mut [f64]) {
    for (out, &count) in out.iter_mut().zip(counts) {
        *out = (f64::from(count) / n as f64).sqrt();
    }
}

/// 172 numbers: hue and saturation, value, opponents, means of the cells, deviations of the cells.
#[inline(always)]
fn colour(pixels: &[[u8; 3]], ImageShape { height, width, .. }: ImageShape, out: &mut [f64]) {
    const SIDE: usize = OPPONENTS + 1;
    let mut hues = [0_u32; HUES * SATURATIONS];
    let mut values = [0_u32; 256];
    let mut opponents = [0_u32; SIDE * SIDE];
    let (histograms, cells) = out.split_at_mut(N_COLOUR - 2 * COLOUR_CELLS * COLOUR_CELLS * 3);
    let (means, deviations) = cells.split_at_mut(COLOUR_CELLS * COLOUR_CELLS * 3);
    // Of a row: each channel, and where each pixel is counted.
    let mut room = vec![0; 6 * width];
    let (channels, places) = room.split_at_mut(3 * width);
    // Of each channel of a column in a row of cells the sum and that of the squares.
    let mut columns = vec![(0_u32, 0_u32); 3 * width];
    for y in 0..COLOUR_CELLS {
        let rows = cell(y, height, COLOUR_CELLS);
        columns.fill((0, 0));
        for row in pixels[rows.start * width..rows.end * width].chunks_exact(width) {
            for (channel, to) in channels.chunks_exact_mut(width).enumerate() {
                to.iter_mut().zip(row).for_each(|(to, pixel)| *to = i16::from(pixel[channel]));
            }
            find_places(channels, places, width);
            let (of_hue, rest) = places.split_at(width);
            let (of_value, of_opponent) = rest.split_at(width);
            for ((&hue, &value), &opponent) in of_hue.iter().zip(of_value).zip(of_opponent) {
                hues[hue as usize] += 1;
                values[value as usize] += 1;
                opponents[opponent as usize] += 1;
            }
            for ((sum, squares), &v) in columns.iter_mut().zip(&*channels) {
                *sum += v as u32;
                *squares += (i32::from(v) * i32::from(v)) as u32;
            }
        }
        for x in 0..COLOUR_CELLS {
            let of_cell = cell(x, width, COLOUR_CELLS);
            let n = (rows.len() * of_cell.len()) as u64;
            for (channel, columns) in columns.chunks_exact(width).enumerate() {
                let columns = columns[of_cell.clone()].iter();
                let (sum, squares) = columns.fold((0, 0), |(sum, squares), of_column| {
                    (sum + u64::from(of_column.0), squares + u64::from(of_column.1))
                });
                let at = (y * COLOUR_CELLS + x) * 3 + channel;
                means[at] = sum as f64 / (255 * n) as f64;
                // In whole numbers, so that nothing cancels.
                deviations[at] = ((n * squares - sum * sum) as f64).sqrt() / (255 * n) as f64;
            }
        }
    }
    let n = height * width;
    let (of_hues, rest) = histograms.split_at_mut(hues.len());
    let (of_values, of_opponents) = rest.split_at_mut(VALUES);
    roots_of_shares(&hues, n, of_hues);
    let mut parts = [0; VALUES];
    for (value, count) in values.into_iter().enumerate() {
        parts[(value * VALUES / 255).min(VALUES - 1)] += count;
    }
    roots_of_shares(&parts, n, of_values);
    let rows = opponents.chunks_exact(SIDE).zip(of_opponents.chunks_exact_mut(OPPONENTS));
    rows.for_each(|(counts, out)| roots_of_shares(counts, n, out));
}

/// Of each pixel the place in the histogram of hue and saturation, the value, and the place in the
/// histogram of the opponents, which has a row and a column for what is outside.
///
/// Parts are told by comparing: sixteen bits are enough for that, and it takes no division.
///
/// # Shapes
/// `channels` and `places` (3, n).
#[inline(always)]
fn find_places(channels: &[i16], places: &mut [i16], n: usize) {
    // How many of the edges 1·part, 2·part … before the last part a number has reached.
    #[inline(always)]
    fn part_of(number: i16, part: i16, parts: i16) -> i16 {
        (1..parts).map(|k| i16::from(number >= k * part)).sum()
    }
    #[inline(always)]
    fn opponent(number: i16, part: i16) -> i16 {
        const PARTS: i16 = OPPONENTS as i16;
        let is_outside = number < 0 || number > PARTS * part;
        if is_outside { PARTS } else { part_of(number, part, PARTS) }
    }
    let [red, green, blue] = [0, 1, 2].map(|channel| &channels[channel * n..][..n]);
    let (hues, rest) = places.split_at_mut(n);
    let (values, opponents) = rest.split_at_mut(n);
    let (hues, values, opponents) = (&mut hues[..n], &mut values[..n], &mut opponents[..n]);
    for i in 0..n {
        let (r, g, b) = (red[i], green[i], blue[i]);
        let value = r.max(g).max(b);
        let spread = value - r.min(g).min(b);
        // The hue is sixths / spread sixths of the circle.
        let of_red = g - b + if g < b { 6 * spread } else { 0 };
        let of_green = b - r + 2 * spread;
        let of_blue = r - g + 4 * spread;
        let of_others = if value == g { of_green } else { of_blue };
        let sixths = if value == r { of_red } else { of_others };
        let hue = part_of(4 * sixths, 3 * spread.max(1), HUES as i16);
        let saturation = part_of(4 * spread, value.max(1), SATURATIONS as i16);
        hues[i] = hue * SATURATIONS as i16 + saturation;
        values[i] = value;
        // ±0.6 are ±153 of 255; the second sum is twice (r + g)/2 − b.
        let (red_green, yellow_blue) =
            (opponent(r - g + 153, 51), opponent(r + g - 2 * b + 306, 102));
        opponents[i] = red_green * (OPPONENTS as i16 + 1) + yellow_blue;
    }
}

/// The weights of the four pixels about a neighbour that lies diagonally: the one next to the centre,
/// the two beside it, the far one. The neighbour is at R·√½ either way, rounded to five digits as
/// scikit-image does, and bilinear between the four.
struct Diagonal {
    /// Steps from the centre to the near pixel; one more leads to the far one.
    near: usize,
    /// Hundred-thousandths of a pixel from the near pixel to the neighbour, either way.
    beyond: u64,
}

impl Diagonal {
    /// In units of 10⁻¹⁰.
    const fn weights(&self) -> [u64; 3] {
        let before = 100_000 - self.beyond;
        [before * before, before * self.beyond, self.beyond * self.beyond]
    }

    /// How much lighter the neighbour is than the centre, given how much lighter the near pixel is,
    /// the two beside it together, and the far one.
    ///
    /// The sign is exact for all pixels that there can be, and a test goes through them.
    #[inline(always)]
    fn lighter(weights: [f32; 3], near: f32, beside: f32, far: f32) -> f32 {
        weights[2] * far + weights[1] * beside + weights[0] * near
    }
}

/// Both radii: of 1, the diagonals are at 0.70711, of 2 at 1.41421.
const RADII: [Diagonal; 2] =
    [Diagonal { near: 0, beyond: 70_711 }, Diagonal { near: 1, beyond: 41_421 }];

/// The pattern of each set of neighbours, a bit each in the order of the circle: how many there are
/// when they are side by side, else the last.
const PATTERN: [u8; 256] = {
    let mut table = [0; 256];
    let mut bits = 0;
    while bits < 256 {
        let code = bits as u8;
        let changes = (code ^ code.rotate_left(1)).count_ones();
        table[bits] = if changes <= 2 { code.count_ones() as u8 } else { PATTERNS as u8 - 1 };
        bits += 1;
    }
    table
};

/// 80 numbers: of radius 1, then 2, the patterns of each cell.
#[inline(always)]
fn texture(image: &[u8], shape @ ImageShape { height, width, .. }: ImageShape, out: &mut [f64]) {
    /// Black beyond the edges.
    const MARGIN: usize = 2;
    let stride = width + 2 * MARGIN;
    let mut grey = vec![0.0; stride * (height + 2 * MARGIN)];
    let rows = grey.chunks_exact_mut(stride).skip(MARGIN);
    for (row, to) in image.chunks_exact(width * shape.channels).zip(rows) {
        let to = to[MARGIN..].iter_mut();
        match shape.channels {
            1 => to.zip(row).for_each(|(to, &v)| *to = f32::from(v)),
            _ => to.zip(row.as_chunks().0).for_each(|(to, &rgb)| *to = f32::from(luma(rgb))),
        }
    }
    let mut codes = vec![0_u32; width];
    for (diagonal, out) in RADII.iter().zip(out.chunks_exact_mut(N_TEXTURE / RADII.len())) {
        for (y, out) in out.chunks_exact_mut(TEXTURE_CELLS * PATTERNS).enumerate() {
            let mut counts = [[0_u32; 256]; TEXTURE_CELLS];
            let rows = cell(y, height, TEXTURE_CELLS);
            for row in rows.clone() {
                neighbours(&grey, (row + MARGIN) * stride + MARGIN, stride, diagonal, &mut codes);
                for (x, counts) in counts.iter_mut().enumerate() {
                    for &code in &codes[cell(x, width, TEXTURE_CELLS)] {
                        counts[code as usize] += 1;
                    }
                }
            }
            for ((x, counts), out) in counts.iter().enumerate().zip(out.chunks_exact_mut(PATTERNS))
            {
                let mut of_patterns = [0; PATTERNS];
                for (&pattern, count) in PATTERN.iter().zip(counts) {
                    of_patterns[usize::from(pattern)] += count;
                }
                let n = rows.len() * cell(x, width, TEXTURE_CELLS).len();
                roots_of_shares(&of_patterns, n, out);
            }
        }
    }
}

/// Which neighbours of each pixel of a row are at least as light as it: a bit each, counter-clockwise
/// from the right. The first pixel is `grey[at]`.
#[inline(always)]
fn neighbours(grey: &[f32], at: usize, stride: usize, diagonal: &Diagonal, codes: &mut [u32]) {
    let n = codes.len();
    let [near, far] = [0, 1].map(|beyond| (diagonal.near + beyond) as isize);
    let weights = diagonal.weights().map(|weight| weight as f32 / 1e10);
    let row = |up: isize, right: isize| {
        let from = at as isize - up * stride as isize + right;
        &grey[from as usize..][..n]
    };
    let centre = row(0, 0);
    let straight = [(0, 1), (1, 0), (0, -1), (-1, 0)].map(|(up, right)| row(up * far, right * far));
    let corners = [(1, 1), (1, -1), (-1, -1), (-1, 1)].map(|(up, right)| {
        let (near_up, near_right, far_up, far_right) =
            (up * near, right * near, up * far, right * far);
        let beside = [row(far_up, near_right), row(near_up, far_right)];
        (row(near_up, near_right), beside, row(far_up, far_right))
    });
    codes.fill(0);
    for (bit, there) in straight.into_iter().enumerate() {
        for ((code, c), v) in codes.iter_mut().zip(centre).zip(there) {
            *code |= u32::from(v >= c) << (2 * bit);
        }
    }
    for (bit, (near, [one, other], far)) in corners.into_iter().enumerate() {
        // All are n long; said here, where the loop is made of it.
        let (near, one, other, far) = (&near[..n], &one[..n], &other[..n], &far[..n]);
        let (centre, codes) = (&centre[..n], &mut codes[..n]);
        for i in 0..n {
            let c = centre[i];
            let beside = (one[i] - c) + (other[i] - c);
            let lighter = Diagonal::lighter(weights, near[i] - c, beside, far[i] - c);
            codes[i] |= u32::from(lighter >= 0.0) << (2 * bit + 1);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unreadable_literal)] // golden numbers
mod tests {
    use super::*;

    fn picture(height: usize, width: usize) -> (ImageShape, Vec<u8>) {
        let value = |y: usize, x: usize, c: usize| {
            let wave = y * y * 7 + x * x * (3 + c) + y * x * 5 + c * 40;
            ((wave + (y * 31 + x * 17 + c * 101).pow(2) % 61) % 256) as u8
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let image = places.flat_map(|(y, x)| [0, 1, 2].map(|c| value(y, x, c))).collect();
        (ImageShape { height, width, channels: 3 }, image)
    }

    fn described(kind: FeatureKind, shape: ImageShape, image: &[u8]) -> Vec<f64> {
        let mut numbers = vec![f64::NAN; n_features(kind)];
        describe(kind, shape, image, &mut numbers);
        numbers
    }

    /// NumPy 2.4.6 and scikit-image 0.26.0, `image` being the formula of `picture` as (h, w, 3) bytes:
    ///
    /// ```python
    /// def cells(n, k): return [slice(i*n//k, (i+1)*n//k) for i in range(k)]
    /// v = image; h, w, _ = v.shape; n = h*w
    /// hsv = skimage.color.rgb2hsv(v.astype(float))
    /// r, g, b = (v[..., c].astype(float).ravel() for c in range(3))
    /// hs = np.histogram2d(hsv[..., 0].ravel(), hsv[..., 1].ravel(), (8, 4), ((0, 1), (0, 1)))[0].ravel()
    /// val = np.histogram(hsv[..., 2]/255, 8, (0, 1))[0]
    /// opp = np.histogram2d(r-g, r+g-2*b, 6, ((-153, 153), (-306, 306)))[0].ravel()
    /// c = [v[y, x].reshape(-1, 3)/255 for y in cells(h, 4) for x in cells(w, 4)]
    /// d = [np.sqrt(hs/n), np.sqrt(val/n), np.sqrt(opp/n), *[k.mean(0) for k in c], *[k.std(0) for k in c]]
    /// grey = ((v.astype(int) @ [19595, 38470, 7471] + 32768) >> 16).astype(np.uint8)
    /// for R in (1, 2):
    ///     l = skimage.feature.local_binary_pattern(grey, 8, R, 'uniform').astype(int)
    ///     for k in (l[y, x].ravel() for y in cells(h, 2) for x in cells(w, 2)):
    ///         d.append(np.sqrt(np.bincount(k, minlength=10)/k.size))
    /// d = np.concatenate(d); k = np.arange(1, 253)
    /// print(d[[0, 1, 5, 31, …]], d.sum(), (d*k).sum(), (d*d*k).sum())
    /// ```
    #[test]
    fn all_252_numbers_are_those_of_numpy_and_scikit_image() {
        const SOME: [usize; 24] = [
            0, 1, 5, 31, 32, 35, 39, 40, 58, 61, 75, 76, 80, 123, 124, 171, 172, 175, 181, 190,
            211, 212, 220, 251,
        ];
        for ((height, width), some, sums) in [
            (
                (64, 64),
                [
                    0.071602745234,
                    0.173289632913,
                    0.108253175473,
                    0.257694101601,
                    0.046875,
                    0.247052942201,
                    0.578758099295,
                    0.10004881621,
                    0.081189881605,
                    0.206107905598,
                    0.101261573413,
                    0.47902879902,
                    0.519378063725,
                    0.529181985294,
                    0.282891670424,
                    0.297347676441,
                    0.438614651488,
                    0.165359456942,
                    0.49509310993,
                    0.40625,
                    0.508713143628,
                    0.414578098794,
                    0.392806409062,
                    0.591277747763,
                ],
                [73.32789545087068, 9790.00356496064, 3610.6325235786717],
            ),
            (
                (13, 22),
                [
                    0.0,
                    0.144841364876,
                    0.1024183113,
                    0.283583462881,
                    0.0,
                    0.229014306207,
                    0.545163092297,
                    0.083624201001,
                    0.083624201001,
                    0.213200716356,
                    0.1024183113,
                    0.26091503268,
                    0.527233115468,
                    0.549019607843,
                    0.122026266318,
                    0.365278207197,
                    0.389249472081,
                    0.369274472938,
                    0.460566186472,
                    0.389249472081,
                    0.455842305839,
                    0.426401432711,
                    0.325669473639,
                    0.469871493899,
                ],
                [72.3652051393972, 9740.127393564657, 3553.1528388874485],
            ),
        ] {
            let (shape, image) = picture(height, width);
            let numbers = described(FeatureKind::ColourTexture, shape, &image);
            for (i, expected) in SOME.into_iter().zip(some) {
                assert!((numbers[i] - expected).abs() < 1e-12, "{i}: {} {expected}", numbers[i]);
            }
            let weighted = |power: i32, weight: fn(usize) -> f64| -> f64 {
                numbers.iter().enumerate().map(|(i, d)| d.powi(power) * weight(i + 1)).sum()
            };
            let got = [weighted(1, |_| 1.0), weighted(1, |k| k as f64), weighted(2, |k| k as f64)];
            for (got, expected) in got.into_iter().zip(sums) {
                assert!((got - expected).abs() < 1e-9, "{height}×{width}: {got} {expected}");
            }
            let halves = [FeatureKind::Colour, FeatureKind::Texture]
                .map(|kind| described(kind, shape, &image));
            assert_eq!(halves.concat(), numbers, "colour, then texture");
        }
    }

    /// `local_binary_pattern(np.full((8, 8), 77, np.uint8), 8, R, 'uniform')`: 8 inside, 5 at the
    /// edges and 3 at the corners, of one pixel and of two.
    #[test]
    fn flat_grey_has_all_neighbours_inside_and_black_beyond_the_edge() {
        let shape = ImageShape { height: 8, width: 8, channels: 1 };
        let numbers = described(FeatureKind::Texture, shape, &[77; 64]);
        for (cell, shares) in numbers.chunks(PATTERNS).enumerate() {
            let beyond = if cell < 4 { 1.0 } else { 2.0 };
            let (inside, corner): (f64, f64) = (4.0 - beyond, beyond * beyond);
            let expected: [f64; PATTERNS] = std::array::from_fn(|pattern| match pattern {
                3 => (corner / 16.0).sqrt(),
                5 => ((16.0 - corner - inside * inside) / 16.0).sqrt(),
                8 => inside / 4.0,
                _ => 0.0,
            });
            assert_eq!(shares, expected, "cell {cell}");
        }
        // Grey is what grey pixels of three channels are.
        let three = ImageShape { channels: 3, ..shape };
        assert_eq!(described(FeatureKind::Texture, three, &[77; 192]), numbers);
    }

    #[test]
    fn single_precision_tells_exactly_whether_a_neighbour_is_lighter() {
        for diagonal in &RADII {
            let exact = diagonal.weights().map(|weight| weight as i64);
            let weights = exact.map(|weight| weight as f32 / 1e10);
            for (near, far) in
                (-255..=255).flat_map(|near| (-255..=255).map(move |far| (near, far)))
            {
                // The centre of radius 1 is its own near pixel.
                let centres = 0.max(-near).max(-far)..=255.min(255 - near).min(255 - far);
                if centres.is_empty() || (diagonal.near == 0 && near != 0) {
                    continue;
                }
                // Both grow with the two pixels beside: where the sign changes is all there is to see.
                let rest = exact[2] * far + exact[0] * near;
                for beside in [-1, 0, 1].map(|step| (-rest).div_euclid(exact[1]) + step) {
                    if (-2 * centres.end()..=510 - 2 * centres.start()).contains(&beside) {
                        let is_lighter = rest + exact[1] * beside >= 0;
                        let [near, beside, far] = [near, beside, far].map(|v| v as f32);
                        let got = Diagonal::lighter(weights, near, beside, far);
                        assert_eq!(got >= 0.0, is_lighter, "{near} {beside} {far}");
                    }
                }
            }
        }
    }

    #[test]
    fn shares_of_each_histogram_add_up() {
        let (shape, image) = picture(64, 64);
        let numbers = described(FeatureKind::ColourTexture, shape, &image);
        let total =
            |from: usize, n: usize| numbers[from..from + n].iter().map(|x| x * x).sum::<f64>();
        for (from, n) in [(0, 32), (32, 8)].into_iter().chain((0..8).map(|i| (172 + 10 * i, 10))) {
            assert!((total(from, n) - 1.0).abs() < 1e-12, "{from}");
        }
        // Beyond ±0.6 no opponent is counted.
        assert!(total(40, 36) < 1.0);
        let red = described(
            FeatureKind::Colour,
            ImageShape { height: 4, width: 4, channels: 3 },
            &[255, 0, 0].repeat(16),
        );
        assert_eq!((red[3], red[39]), (1.0, 1.0), "hue 0, fully saturated, of full value");
        assert!(red[40..76].iter().all(|&x| x == 0.0) && red[76] == 1.0 && red[77] == 0.0);
    }
}
