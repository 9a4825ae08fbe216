//! Views and descriptions of prepared images, as `dnn_data` computes them: in whole numbers, which f64
//! holds exactly, so that every count is the same.

use super::graph::{Element, Value};
use super::prepare::luma;
use dnn_data::{ImageShape, InputContract, ViewSource};

/// The views of images, one after the other: all images' first views, then all their second ones.
///
/// # Shapes
/// `pixels` (N, height, width, channels) of bytes → (views·N, height, width, channels) of bytes.
pub(super) fn views<'g>(pixels: Value<'g>, contract: &InputContract) -> Value<'g> {
    let graph = pixels.graph();
    let shape = ImageShape::of(contract);
    // Weighted sums of the two pixels on either side, along an axis.
    let blended = |pixels: Value<'g>, axis: i64, source: &[([usize; 2], u32)], trailing: usize| {
        let at = |i: usize| {
            let at: Vec<i64> = source.iter().map(|(at, _)| at[i] as i64).collect();
            pixels.gather(graph.integers(&at), axis).cast(Element::F64)
        };
        let weights: Vec<f64> = source.iter().map(|(_, weight)| f64::from(*weight)).collect();
        let mut weights_shape = vec![1; trailing];
        weights_shape[0] = weights.len();
        let weight = graph.numbers(&weights, &weights_shape, Element::F64);
        at(0) * (f64::from(ViewSource::WHOLE) - weight) + at(1) * weight
    };
    let view = |view: u32| {
        if view == 0 {
            return pixels;
        }
        let ViewSource { rows, columns } = ViewSource::new(shape, view);
        let sums = blended(blended(pixels, 2, &columns, 2), 1, &rows, 3);
        let whole = f64::from(ViewSource::WHOLE).powi(2);
        ((sums + whole / 2.0) / whole).floor().cast(Element::U8)
    };
    match contract.views {
        1 => pixels,
        n => Value::concat(&(0..n).map(view).collect::<Vec<_>>(), 0),
    }
}

/// Describes images.
///
/// # Shapes
/// `pixels` (N, height, width, channels) of bytes → (N, n₀) of f64.
pub(super) fn describe<'g>(pixels: Value<'g>, contract: &InputContract) -> Value<'g> {
    let shape = ImageShape::of(contract);
    let kind = contract.features;
    let mut parts = Vec::new();
    if kind.has_colour() {
        parts.extend(colour(pixels, shape));
    }
    if kind.has_texture() {
        parts.extend(texture(pixels, shape));
    }
    Value::concat(&parts, 1)
}

/// Square roots of the shares of `n_bins` bins, of which those from `n_bins` on are left out.
///
/// # Shapes
/// `bins` (N, …), each with a bin for a pixel; `totals` one number, or one for each bin → (N, n_bins).
fn roots_of_shares<'g>(bins: Value<'g>, n_bins: usize, totals: Value<'g>) -> Value<'g> {
    let graph = bins.graph();
    let bins = bins.reshape(&[0, -1]);
    // One more, for what is left out.
    let n = bins.shape().at(0).as_list();
    let shape = Value::concat(&[n, graph.integers(&[n_bins as i64 + 1])], 0);
    let zeros = graph.number(0.0, Element::F64).expand(shape);
    let ones = graph.number(1.0, Element::F64).expand(bins.shape());
    let counts = zeros.scatter_add(bins.cast(Element::I64), ones, 1);
    let (from, to) = (graph.integers(&[0]), graph.integers(&[n_bins as i64]));
    (counts.slice(from, to, &[1]) / totals).sqrt()
}

/// The first row or column of each cell, and the end of the last.
fn cell_edges(n: usize, cells: usize) -> Vec<usize> {
    (0..=cells).map(|cell| cell * n / cells).collect()
}

/// 172 numbers: hue and saturation, value, opponents, means of the cells, deviations of the cells.
fn colour<'g>(pixels: Value<'g>, ImageShape { height, width, .. }: ImageShape) -> Vec<Value<'g>> {
    const CELLS: usize = 4;
    let graph = pixels.graph();
    let real = |value: f64| graph.number(value, Element::F64);
    let planes = pixels.transpose(&[0, 3, 1, 2]).cast(Element::F64);
    let [r, g, b] = [0.0, 1.0, 2.0].map(|c| planes.gather(graph.number(c, Element::I64), 1));
    let total = real((height * width) as f64);
    let value = r.max(g).max(b);
    let spread = value - r.min(g).min(b);
    let of_red = g - b + g.less(b).select(spread * 6.0, real(0.0));
    let of_green = b - r + spread * 2.0;
    let of_blue = r - g + spread * 4.0;
    let sixths = value.equals(r).select(of_red, value.equals(g).select(of_green, of_blue));
    let one = real(1.0);
    let hue = (sixths * 4.0 / (spread * 3.0).max(one)).floor();
    let saturation = (spread * 4.0 / value.max(one)).floor().min(real(3.0));
    let of_value = (value * 8.0 / 255.0).floor().min(real(7.0));
    // 6 is beyond the last of six equal parts.
    let part = |sum: Value<'g>, length: f64| {
        let is_within = sum.at_least(sum.number(0.0)).and(sum.number(6.0 * length).at_least(sum));
        let parts = (sum / length).floor().min(sum.number(5.0));
        (is_within, parts)
    };
    let (has_red_green, red_green) = part(r - g + 153.0, 51.0);
    let (has_yellow_blue, yellow_blue) = part(r + g - b * 2.0 + 306.0, 102.0);
    let opponents =
        has_red_green.and(has_yellow_blue).select(red_green * 6.0 + yellow_blue, real(36.0));
    // Sums over cells as products with matrices of zeros and ones.
    let cells = |n: usize| {
        let edges = cell_edges(n, CELLS);
        let is_in = |cell: usize, i: usize| (edges[cell]..edges[cell + 1]).contains(&i);
        let ones = (0..CELLS).flat_map(|cell| (0..n).map(move |i| (cell, i)));
        let ones: Vec<f64> = ones.map(|(cell, i)| f64::from(is_in(cell, i))).collect();
        graph.numbers(&ones, &[CELLS, n], Element::F64)
    };
    let (rows, columns) = (cells(height), cells(width).transpose(&[1, 0]));
    let sum = |of: Value<'g>| rows.matmul(of.matmul(columns));
    let lengths = |n: usize| {
        cell_edges(n, CELLS).windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    let sizes: Vec<f64> = lengths(height)
        .iter()
        .flat_map(|h| lengths(width).into_iter().map(move |w| (h * w) as f64))
        .collect();
    let n = graph.numbers(&sizes, &[CELLS, CELLS], Element::F64);
    let (sums, squares) = (sum(planes), sum(planes * planes));
    let means = sums / (n * 255.0);
    let deviations = (n * squares - sums * sums).sqrt() / (n * 255.0);
    let by_cell = |moments: Value<'g>| moments.transpose(&[0, 2, 3, 1]).reshape(&[0, -1]);
    vec![
        roots_of_shares(hue * 4.0 + saturation, 32, total),
        roots_of_shares(of_value, 8, total),
        roots_of_shares(opponents, 36, total),
        by_cell(means),
        by_cell(deviations),
    ]
}

/// 80 numbers: of radius 1, then 2, the patterns of each of 2 × 2 cells.
fn texture(pixels: Value<'_>, shape: ImageShape) -> Vec<Value<'_>> {
    const CELLS: usize = 2;
    const PATTERNS: usize = 10;
    /// Black beyond the edges.
    const MARGIN: i64 = 2;
    let ImageShape { height, width, channels } = shape;
    let graph = pixels.graph();
    let grey = if channels == 1 { pixels.cast(Element::F64) } else { luma(pixels) };
    let grey = grey.reshape(&[0, height as i64, width as i64]);
    let around = graph.integers(&[0, MARGIN, MARGIN, 0, MARGIN, MARGIN]);
    let grey = grey.pad(around);
    // The grey that lies so far up and to the right of each pixel.
    let there = |up: i64, right: i64| {
        let (top, left) = (MARGIN - up, MARGIN + right);
        let ends = [top + height as i64, left + width as i64];
        grey.slice(graph.integers(&[top, left]), graph.integers(&ends), &[1, 2])
    };
    // A pattern is the number of neighbours where those are side by side, else the last.
    let pattern = |code: u8| {
        let changes = (code ^ code.rotate_left(1)).count_ones();
        if changes <= 2 { f64::from(code.count_ones()) } else { PATTERNS as f64 - 1.0 }
    };
    let patterns: Vec<f64> = (0..=u8::MAX).map(pattern).collect();
    let patterns = graph.numbers(&patterns, &[256], Element::F64);
    let (rows, columns) = (cell_edges(height, CELLS), cell_edges(width, CELLS));
    let cell =
        |y: usize, x: usize| CELLS * usize::from(y >= rows[1]) + usize::from(x >= columns[1]);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let firsts: Vec<f64> = places.map(|(y, x)| (PATTERNS * cell(y, x)) as f64).collect();
    let first_bins = graph.numbers(&firsts, &[height, width], Element::F64);
    let totals: Vec<f64> = (0..CELLS * CELLS * PATTERNS)
        .map(|bin| {
            let (y, x) = (bin / PATTERNS / CELLS, bin / PATTERNS % CELLS);
            ((rows[y + 1] - rows[y]) * (columns[x + 1] - columns[x])) as f64
        })
        .collect();
    let totals = graph.numbers(&totals, &[totals.len()], Element::F64);
    // Radius, steps to the near pixel of the four about a diagonal neighbour, how far beyond it is.
    [(1, 0, 70_711.0), (2, 1, 41_421.0)]
        .map(|(radius, near, beyond)| {
            let (before, far) = (100_000.0 - beyond, near + 1);
            let centre = there(0, 0);
            let mut code = centre * 0.0;
            let directions = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)];
            for (bit, (up, right)) in directions.into_iter().enumerate() {
                let is_as_light = if up == 0 || right == 0 {
                    there(up * radius, right * radius).at_least(centre)
                } else {
                    let beside = there(up * far, right * near) + there(up * near, right * far);
                    let value = there(up * near, right * near) * (before * before)
                        + beside * (before * beyond)
                        + there(up * far, right * far) * (beyond * beyond);
                    value.at_least(centre * 1e10)
                };
                code = code + is_as_light.cast(Element::F64) * f64::from(1 << bit);
            }
            let bins = patterns.gather(code.cast(Element::I64), 0) + first_bins;
            roots_of_shares(bins, CELLS * CELLS * PATTERNS, totals)
        })
        .to_vec()
}
