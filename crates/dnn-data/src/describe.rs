//! Numbers that describe an image: which colours it has and where, and which small patterns.
//!
//! `docs/images.md` has the formulas. Everything that is counted is decided with whole numbers, so that
//! a description is the same on every machine.

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
    if kind.has_colour() {
        assert_eq!(shape.channels, 3, "channels of an image with colours");
        colour(image.as_chunks().0, shape, of_colour);
    }
    if kind.has_texture() {
        texture(image, shape, of_texture);
    }
}

/// The pixels from the first of cell `cell` to before the first of the next, of `n` in `cells` cells.
fn cell(cell: usize, n: usize, cells: usize) -> std::ops::Range<usize> {
    cell * n / cells..(cell + 1) * n / cells
}

/// Square roots of shares: histograms that are compared by Hellinger's distance.
fn roots_of_shares(counts: &[u32], n: usize, out: &mut [f64]) {
    for (out, &count) in out.iter_mut().zip(counts) {
        *out = (f64::from(count) / n as f64).sqrt();
    }
}

/// ⌊n / d⌋ as (n · `RECIPROCAL[d]`) / 2³²: exact, since n·d is below 2³².
const RECIPROCAL: [u64; 766] = {
    let mut table = [0; 766];
    let mut d = 1;
    while d < table.len() {
        table[d] = (1_u64 << 32).div_ceil(d as u64);
        d += 1;
    }
    table
};

/// Where a sum s, moved to begin at 0, falls in `OPPONENTS` equal parts of 0..=6·part; one row beyond
/// the last part for what is outside.
const fn opponent(sum: i32, part: i32) -> usize {
    if sum < 0 || sum > OPPONENTS as i32 * part {
        OPPONENTS
    } else if sum == OPPONENTS as i32 * part {
        OPPONENTS - 1
    } else {
        (sum / part) as usize
    }
}

/// The place in the opponents' histogram of (r − g) + 255 and of (r + g − 2b) + 510: ±0.6 are ±153 of
/// 255, and the second sum is twice (r + g)/2 − b.
const RED_GREEN: [u8; 511] = {
    let mut table = [0; 511];
    let mut i = 0;
    while i < table.len() {
        table[i] = opponent(i as i32 - 255 + 153, 51) as u8;
        i += 1;
    }
    table
};
const YELLOW_BLUE: [u8; 1021] = {
    let mut table = [0; 1021];
    let mut i = 0;
    while i < table.len() {
        table[i] = opponent(i as i32 - 510 + 306, 102) as u8;
        i += 1;
    }
    table
};

/// 172 numbers: hue and saturation, value, opponents, means of the cells, deviations of the cells.
fn colour(pixels: &[[u8; 3]], ImageShape { height, width, .. }: ImageShape, out: &mut [f64]) {
    const SIDE: usize = OPPONENTS + 1;
    let mut hues = [0_u32; HUES * SATURATIONS];
    let mut values = [0_u32; 256];
    let mut opponents = [0_u32; SIDE * SIDE];
    let (histograms, cells) = out.split_at_mut(N_COLOUR - 2 * COLOUR_CELLS * COLOUR_CELLS * 3);
    let (means, deviations) = cells.split_at_mut(COLOUR_CELLS * COLOUR_CELLS * 3);
    let places = (0..COLOUR_CELLS).flat_map(|y| (0..COLOUR_CELLS).map(move |x| (y, x)));
    let moments = means.chunks_exact_mut(3).zip(deviations.chunks_exact_mut(3));
    for ((y, x), (means, deviations)) in places.zip(moments) {
        let (rows, columns) = (cell(y, height, COLOUR_CELLS), cell(x, width, COLOUR_CELLS));
        let n = rows.len() as u64 * columns.len() as u64;
        let (mut sums, mut squares) = ([0_u64; 3], [0_u64; 3]);
        for row in rows {
            for pixel in &pixels[row * width..][columns.clone()] {
                let (hue, value) = hue_and_value(*pixel);
                hues[hue] += 1;
                values[value] += 1;
                let [r, g, b] = pixel.map(i32::from);
                let red_green = RED_GREEN[(r - g + 255) as usize] as usize;
                let yellow_blue = YELLOW_BLUE[(r + g - 2 * b + 510) as usize] as usize;
                opponents[red_green * SIDE + yellow_blue] += 1;
                for (channel, v) in pixel.map(u64::from).into_iter().enumerate() {
                    sums[channel] += v;
                    squares[channel] += v * v;
                }
            }
        }
        let moments = means.iter_mut().zip(deviations).zip(sums.into_iter().zip(squares));
        for ((mean, deviation), (sum, square)) in moments {
            *mean = sum as f64 / (255 * n) as f64;
            // In whole numbers, so that nothing cancels.
            *deviation = ((n * square - sum * sum) as f64).sqrt() / (255 * n) as f64;
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

/// The place of a pixel in the histogram of hue and saturation, and its value.
#[inline(always)]
fn hue_and_value([r, g, b]: [u8; 3]) -> (usize, usize) {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let [r, g, b] = [r, g, b].map(i32::from);
    let (value, spread) = (i32::from(max), i32::from(max - min));
    // The hue is sixths / spread sixths of the circle.
    let (from, to, sixths) = if value == r {
        (b, g, if g < b { 6 } else { 0 })
    } else if value == g {
        (r, b, 2)
    } else {
        (g, r, 4)
    };
    let sixths = (to - from + sixths * spread) as u64;
    let quotient = |n: u64, d: i32| ((n * RECIPROCAL[d as usize]) >> 32) as usize;
    let hue = quotient(4 * sixths, 3 * spread);
    let saturation = quotient(4 * spread as u64, value).min(SATURATIONS - 1);
    (hue * SATURATIONS + saturation, usize::from(max))
}

/// The weights, in units of 10⁻¹⁰, of the four pixels about a neighbour that lies diagonally: the one
/// next to the centre, the two beside it, the far one. The neighbour is at R·√½ either way, rounded to
/// five digits as scikit-image does, and bilinear between the four.
struct Diagonal {
    /// Steps from the centre to the near pixel; one more leads to the far one.
    near: usize,
    weights: [f64; 3],
}

impl Diagonal {
    const fn new(near: usize, beyond: u64) -> Self {
        let before = 100_000 - beyond;
        let weights =
            [(before * before) as f64, (before * beyond) as f64, (beyond * beyond) as f64];
        Self { near, weights }
    }
}

/// All weights together.
const WHOLE: f64 = 1e10;

/// Both radii: of 1, the diagonals are at 0.70711, of 2 at 1.41421.
const RADII: [Diagonal; 2] = [Diagonal::new(0, 70_711), Diagonal::new(1, 41_421)];

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
fn texture(image: &[u8], shape @ ImageShape { height, width, .. }: ImageShape, out: &mut [f64]) {
    /// Black beyond the edges.
    const MARGIN: usize = 2;
    let stride = width + 2 * MARGIN;
    let mut grey = vec![0.0; stride * (height + 2 * MARGIN)];
    for (row, to) in
        image.chunks_exact(width * shape.channels).zip(grey.chunks_exact_mut(stride).skip(MARGIN))
    {
        let to = &mut to[MARGIN..MARGIN + width];
        match shape.channels {
            1 => to.iter_mut().zip(row).for_each(|(to, &v)| *to = f64::from(v)),
            _ => to
                .iter_mut()
                .zip(row.as_chunks().0)
                .for_each(|(to, &pixel)| *to = f64::from(crate::preprocess::luma(pixel))),
        }
    }
    let mut codes = vec![0_u64; width];
    for ((radius, diagonal), out) in
        (1..).zip(&RADII).zip(out.chunks_exact_mut(TEXTURE_CELLS * TEXTURE_CELLS * PATTERNS))
    {
        for (y, out) in out.chunks_exact_mut(TEXTURE_CELLS * PATTERNS).enumerate() {
            let mut counts = [[0_u32; PATTERNS]; TEXTURE_CELLS];
            let rows = cell(y, height, TEXTURE_CELLS);
            for row in rows.clone() {
                let at = (row + MARGIN) * stride + MARGIN;
                neighbours(&grey, at, stride, radius, diagonal, &mut codes);
                for (x, counts) in counts.iter_mut().enumerate() {
                    for &code in &codes[cell(x, width, TEXTURE_CELLS)] {
                        counts[usize::from(PATTERN[code as usize])] += 1;
                    }
                }
            }
            for ((x, counts), out) in counts.iter().enumerate().zip(out.chunks_exact_mut(PATTERNS))
            {
                let n = rows.len() * cell(x, width, TEXTURE_CELLS).len();
                roots_of_shares(counts, n, out);
            }
        }
    }
}

/// Which neighbours of each pixel of a row are at least as light as it: a bit each, counter-clockwise
/// from the right.
fn neighbours(
    grey: &[f64],
    at: usize,
    stride: usize,
    radius: usize,
    &Diagonal { near, weights: [of_near, of_side, of_far] }: &Diagonal,
    codes: &mut [u64],
) {
    let n = codes.len();
    let row = |up: isize, right: isize| {
        let from = at as isize - up * stride as isize + right;
        &grey[from as usize..][..n]
    };
    let centre = row(0, 0);
    let (far, near, radius) = (near as isize + 1, near as isize, radius as isize);
    codes.fill(0);
    for (bit, (up, right)) in [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
        .into_iter()
        .enumerate()
    {
        if up == 0 || right == 0 {
            let there = row(up * radius, right * radius);
            for ((code, &v), &c) in codes.iter_mut().zip(there).zip(centre) {
                *code |= u64::from(v >= c) << bit;
            }
        } else {
            let near_row = row(up * near, right * near);
            let (above, beside) = (row(up * far, right * near), row(up * near, right * far));
            let far_row = row(up * far, right * far);
            for (i, code) in codes.iter_mut().enumerate() {
                // Whole numbers below 2⁵³ all the way: exact.
                let v =
                    of_near * near_row[i] + of_side * (above[i] + beside[i]) + of_far * far_row[i];
                *code |= u64::from(v >= WHOLE * centre[i]) << bit;
            }
        }
    }
}

#[cfg(test)]
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
