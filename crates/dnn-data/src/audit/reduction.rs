//! Images made small by averaging.

/// Averages an image down to a few cells; pixels on the edge of a cell count by their share in it.
#[derive(Debug, Clone)]
pub(super) struct Reduction {
    rows: Vec<Cell>,
    columns: Vec<Cell>,
    width: usize,
    /// The source with its rows reduced: (height, columns).
    narrow: Vec<f32>,
}

/// The pixels of a cell along one side, and how much each counts.
#[derive(Debug, Clone)]
struct Cell {
    start: usize,
    weights: Vec<f32>,
}

impl Reduction {
    /// From `height` × `width` to `n_rows` × `n_columns`.
    pub(super) fn new(
        (height, width): (usize, usize),
        (n_rows, n_columns): (usize, usize),
    ) -> Self {
        Self {
            rows: cells(height, n_rows),
            columns: cells(width, n_columns),
            width,
            narrow: vec![0.0; height * n_columns],
        }
    }

    /// # Shapes
    /// `image` (height, width) → `out` (n_rows, n_columns), row by row.
    pub(super) fn apply(&mut self, image: &[f32], out: &mut [f32]) {
        let n_columns = self.columns.len();
        for (row, narrow) in
            image.chunks_exact(self.width).zip(self.narrow.chunks_exact_mut(n_columns))
        {
            for (cell, out) in self.columns.iter().zip(narrow) {
                let pixels = &row[cell.start..][..cell.weights.len()];
                *out = pixels.iter().zip(&cell.weights).map(|(pixel, weight)| pixel * weight).sum();
            }
        }
        out.fill(0.0);
        for (cell, out) in self.rows.iter().zip(out.chunks_exact_mut(n_columns)) {
            let rows = self.narrow.chunks_exact(n_columns).skip(cell.start);
            for (row, weight) in rows.zip(&cell.weights) {
                for (out, pixel) in out.iter_mut().zip(row) {
                    *out += pixel * weight;
                }
            }
        }
    }
}

/// Cuts `n` pixels into `n_cells` equal parts.
fn cells(n: usize, n_cells: usize) -> Vec<Cell> {
    (0..n_cells)
        .map(|i| {
            // The cell in units of 1/n_cells pixels, so that nothing is rounded before the end.
            let (from, to) = (i * n, (i + 1) * n);
            let start = from / n_cells;
            let weights = (start..to.div_ceil(n_cells))
                .map(|pixel| {
                    let covered = to.min((pixel + 1) * n_cells) - from.max(pixel * n_cells);
                    covered as f32 / n as f32
                })
                .collect();
            Cell { start, weights }
        })
        .collect()
}

/// The brightness of each pixel: BT.601's luma of red, green, blue; of other channels the mean.
pub(super) fn luma(pixels: &[u8], n_channels: usize, out: &mut Vec<f32>) {
    out.clear();
    match n_channels {
        1 => out.extend(pixels.iter().map(|&grey| f32::from(grey))),
        3 => out.extend(pixels.as_chunks::<3>().0.iter().map(|&[red, green, blue]| {
            0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)
        })),
        n => out.extend(
            pixels
                .chunks_exact(n)
                .map(|pixel| pixel.iter().map(|&value| f32::from(value)).sum::<f32>() / n as f32),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pixels_across_an_edge_count_by_their_share() {
        let mut reduction = Reduction::new((1, 3), (1, 2));
        let mut out = [0.0; 2];
        reduction.apply(&[0.0, 30.0, 90.0], &mut out);
        // (0 + 30/2) / 1.5 and (30/2 + 90) / 1.5.
        assert!((out[0] - 10.0).abs() < 1e-4 && (out[1] - 70.0).abs() < 1e-4, "{out:?}");
    }

    proptest! {
        /// Cells are equally large, so the mean of the cells is the mean of the pixels.
        #[test]
        fn the_mean_stays(
            (height, width) in (1..40usize, 1..40usize),
            (rows, columns) in (1..17usize, 1..17usize),
            seed in any::<u32>(),
        ) {
            let image: Vec<f32> = (0..height * width)
                .map(|i| ((i as u32).wrapping_mul(2_654_435_761) ^ seed) as f32 % 256.0)
                .collect();
            let mut out = vec![0.0; rows * columns];
            Reduction::new((height, width), (rows, columns)).apply(&image, &mut out);
            let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
            prop_assert!((mean(&image) - mean(&out)).abs() < 0.05);
        }
    }
}
