//! From pixels of any size to those of the input contract, by plain operators.
//!
//! ONNX's own `Resize` gives another picture: it has no Lanczos filter, and rounds otherwise. Here the
//! filter's weights are computed in the graph, from the size of the image, as `fast_image_resize`
//! computes them: in f64, then as whole numbers with a common power of two below. Sums of whole numbers
//! are exact in f64 in any order, so the picture is the same to the bit.

use super::graph::{Element, Value};
use dnn_data::{Aspect, InputContract, ResizeFilter};

/// Red, green and blue in grey, of 65536: `dnn_data::preprocess::prepare`'s luma.
const LUMA: [f64; 3] = [19_595.0, 38_470.0, 7_471.0];

/// Prepares images by the contract, its rules for grey, size and aspect ratio.
///
/// # Shapes
/// `images` (N, H, W, 3) of bytes → (N, height, width, channels) of bytes.
pub(super) fn prepare<'g>(images: Value<'g>, contract: &InputContract) -> Value<'g> {
    let lengths = images.shape().cast(Element::F64);
    let (height, width) = (lengths.at(1), lengths.at(2));
    let filter = contract.resize;
    let wanted =
        [contract.height, contract.width].map(|n| images.graph().number(n.into(), Element::F64));
    let sheet = match contract.aspect {
        Aspect::Stretch => {
            let planes = planes(images, contract.channels);
            resize(planes, [height, width], wanted, filter)
        }
        Aspect::Crop => {
            let kept = inscribed([height, width], wanted);
            let starts = between(kept, [height, width]);
            let ends = [starts[0] + kept[0], starts[1] + kept[1]];
            let cut = images.slice(integers(&starts), integers(&ends), &[1, 2]);
            resize(planes(cut, contract.channels), kept, wanted, filter)
        }
        Aspect::Fit => {
            let inner = inscribed(wanted, [height, width]);
            let picture = resize(planes(images, contract.channels), [height, width], inner, filter);
            let [top, left] = between(inner, wanted);
            let (bottom, right) = (wanted[0] - inner[0] - top, wanted[1] - inner[1] - left);
            let none = height.number(0.0);
            let margins = integers(&[none, none, top, left, none, none, bottom, right]);
            // The margins are zeros, so black is for this moment the colour of the background.
            let background = background(contract, images);
            (picture - background).pad(margins) + background
        }
    };
    sheet.transpose(&[0, 2, 3, 1]).cast(Element::U8)
}

/// (N, H, W, 3) of bytes → (N, channels, H, W) of f64.
fn planes(images: Value<'_>, channels: u32) -> Value<'_> {
    if channels == 3 {
        return images.transpose(&[0, 3, 1, 2]).cast(Element::F64);
    }
    luma(images).transpose(&[0, 3, 1, 2])
}

/// Grey of colour: (N, H, W, 3) of bytes → (N, H, W, 1) of f64.
pub(super) fn luma(images: Value<'_>) -> Value<'_> {
    let weights = images.graph().numbers(&LUMA, &[3, 1], Element::F64);
    ((images.cast(Element::F64).matmul(weights) + 32_768.0) / 65_536.0).floor()
}

/// (channels, 1, 1): what shows in the margins.
fn background<'g>(contract: &InputContract, images: Value<'g>) -> Value<'g> {
    let colour = contract.background.map(f64::from);
    let grey = colour.iter().zip(LUMA).map(|(v, weight)| v * weight).sum::<f64>();
    let grey = [((grey + 32_768.0) / 65_536.0).floor()];
    let colour = if contract.channels == 3 { &colour[..] } else { &grey[..] };
    images.graph().numbers(colour, &[colour.len(), 1, 1], Element::F64)
}

/// The largest size within `outer` that has the proportions of `shape`, both (height, width): rounded,
/// at least 1 and at most `outer`.
fn inscribed<'g>(outer: [Value<'g>; 2], shape: [Value<'g>; 2]) -> [Value<'g>; 2] {
    let part =
        |length: Value<'g>, numerator: Value<'g>, denominator: Value<'g>, most: Value<'g>| {
            let half = (denominator / 2.0).floor();
            let rounded = ((length * numerator + half) / denominator).floor();
            rounded.max(length.number(1.0)).min(most)
        };
    let ([height, width], [to_height, to_width]) = (outer, shape);
    let is_wider = (to_height * width).greater(to_width * height);
    [
        is_wider.select(height, part(width, to_height, to_width, height)),
        is_wider.select(part(height, to_width, to_height, width), width),
    ]
}

/// Where a rectangle of the size `inner` begins that stands in the middle of `outer`.
fn between<'g>(inner: [Value<'g>; 2], outer: [Value<'g>; 2]) -> [Value<'g>; 2] {
    std::array::from_fn(|i| ((outer[i] - inner[i]) / 2.0).floor())
}

fn integers<'g>(values: &[Value<'g>]) -> Value<'g> {
    let values: Vec<_> = values.iter().map(|value| value.as_list()).collect();
    Value::concat(&values, 0).cast(Element::I64)
}

/// (N, C, H, W) → (N, C, H', W'), first the rows, then the columns; sizes are (height, width).
fn resize<'g>(
    planes: Value<'g>,
    [height, width]: [Value<'g>; 2],
    [to_height, to_width]: [Value<'g>; 2],
    filter: ResizeFilter,
) -> Value<'g> {
    if filter == ResizeFilter::Nearest {
        // As the library computes positions: those of columns by products, those of rows by sums.
        let step = width / to_width;
        let columns = (step * 0.5 + step * to_width.count_up()).floor().cast(Element::I64);
        let step = height / to_height;
        let first = step * 0.5;
        let is_first = to_height.count_up().equals(height.number(0.0));
        let rows = is_first.select(first, step).running_sum().floor().cast(Element::I64);
        return planes.gather(columns, 3).gather(rows, 2);
    }
    let (weights, divisor) = weights(width, to_width, filter);
    let narrow = bytes(planes.matmul(weights.transpose(&[1, 0])), divisor);
    let (weights, divisor) = self::weights(height, to_height, filter);
    bytes(weights.matmul(narrow), divisor)
}

/// Weighted sums as values of a byte.
fn bytes<'g>(sums: Value<'g>, divisor: Value<'g>) -> Value<'g> {
    ((sums + divisor / 2.0) / divisor).floor().clamp(0.0, 255.0)
}

/// The weights of `n` pixels in each of `n_to` pixels, whole numbers, and what their sums are divided
/// by: a power of two.
///
/// # Shapes
/// (n_to, n), ().
fn weights<'g>(n: Value<'g>, n_to: Value<'g>, filter: ResizeFilter) -> (Value<'g>, Value<'g>) {
    let support = match filter {
        ResizeFilter::Nearest | ResizeFilter::Bilinear => 1.0,
        ResizeFilter::Bicubic => 2.0,
        ResizeFilter::Lanczos3 => 3.0,
    };
    let scale = n / n_to;
    let filter_scale = scale.max(scale.number(1.0));
    let radius = filter_scale * support;
    let centre = ((n_to.count_up() + 0.5) * scale).reshape(&[-1, 1]);
    let start = (centre - radius).floor().max(n.number(0.0));
    let end = (centre + radius).ceil().min(n);
    let x = n.count_up();
    let weight = filter_value((x - (centre - 0.5)) * (1.0 / filter_scale), filter);
    let weight = x.at_least(start).and(x.less(end)).select(weight, n.number(0.0));
    let weight = weight / weight.sum(&[1]);
    // The greatest power of two, up to 2²¹, with which the greatest weight still fits 16 bits.
    let powers: Vec<f64> = (1..=21).map(|k| f64::from(1 << k)).collect();
    let powers = n.graph().numbers(&powers, &[powers.len()], Element::F64);
    let fits = (weight.greatest() * powers).round().less(n.number(32_768.0));
    let divisor = fits.select(powers, n.number(1.0)).greatest();
    ((weight * divisor).round(), divisor)
}

/// The filter's value at a distance, in pixels of the coarser grid.
fn filter_value(x: Value<'_>, filter: ResizeFilter) -> Value<'_> {
    let zero = x.number(0.0);
    match filter {
        ResizeFilter::Nearest | ResizeFilter::Bilinear => (1.0 - x.abs()).max(zero),
        ResizeFilter::Bicubic => {
            const A: f64 = -0.5;
            let x = x.abs();
            let near = (x * (A + 2.0) - (A + 3.0)) * x * x + 1.0;
            let far = (((x - 5.0) * x + 8.0) * x - 4.0) * A;
            let outer = x.less(x.number(2.0)).select(far, zero);
            x.less(x.number(1.0)).select(near, outer)
        }
        ResizeFilter::Lanczos3 => {
            let value = sinc(x) * sinc(x / 3.0);
            x.abs().less(x.number(3.0)).select(value, zero)
        }
    }
}

/// sin(πx) / (πx), 1 at 0.
fn sinc(x: Value<'_>) -> Value<'_> {
    let is_zero = x.equals(x.number(0.0));
    let x = is_zero.select(x.number(1.0), x * std::f64::consts::PI);
    is_zero.select(x.number(1.0), x.sin() / x)
}
