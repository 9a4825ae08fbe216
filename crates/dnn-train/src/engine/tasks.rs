//! How an iteration is cut into tasks. The cuts depend on sizes alone, so that results do not depend
//! on the number of threads.

use crate::shared::{Part, line};
use std::ops::Range;

/// Examples of one task of phase 1, about.
const EXAMPLES_PER_TASK: usize = 64;
/// Weights of one task of phase 2, about: they and their gradients fit the second-level cache.
const WEIGHTS_PER_TASK: usize = 16_384;
/// A layer of at least so many units has products by a general kernel, which takes larger parts.
const WIDE: usize = 64;
/// Weights of one task of a wide layer, about: few enough that the optimizer's step finds the
/// gradient in the second-level cache, and so many that the kernel's packing does not count.
const WEIGHTS_PER_WIDE_TASK: usize = 65_536;
/// Inputs of one task of a wide layer, at most. The optimizer's step goes along them: it reads from
/// memory, which is fast where that is long.
const INPUTS_PER_WIDE_TASK: usize = 1024;

/// `0..n` in `pieces` parts of whole multiples of `unit`, about equal.
pub(super) fn cut(n: usize, pieces: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let units = n.div_ceil(unit);
    let pieces = pieces.clamp(1, units.max(1));
    let at = move |i: usize| (i * units / pieces * unit).min(n);
    (0..pieces).map(move |i| at(i)..at(i + 1))
}

/// Few examples in one piece, more in an even number of them, so that cores have equal shares.
pub(super) fn example_tasks<F>(m: usize) -> impl Iterator<Item = Range<usize>> {
    let pieces =
        if m < 2 * EXAMPLES_PER_TASK { 1 } else { (m / EXAMPLES_PER_TASK).next_multiple_of(2) };
    cut(m, pieces, line::<F>())
}

/// The parts of Wᵀ (n_prev, n) that are tasks of their own.
pub(super) fn weight_parts<F>(n_prev: usize, n: usize) -> impl Iterator<Item = Part> {
    let (by_inputs, by_units) = if n < WIDE {
        ((n_prev * n).div_ceil(WEIGHTS_PER_TASK), 1)
    } else {
        let by_inputs = n_prev.div_ceil(INPUTS_PER_WIDE_TASK);
        (by_inputs, (n_prev.div_ceil(by_inputs) * n).div_ceil(WEIGHTS_PER_WIDE_TASK))
    };
    cut(n, by_units, 8).flat_map(move |cols| {
        cut(n_prev, by_inputs, line::<F>()).map(move |rows| Part { rows, cols: cols.clone() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_cover_everything_once_in_whole_lines() {
        for m in [1, 7, 64, 127, 128, 209, 300, 1000] {
            let tasks: Vec<_> = example_tasks::<f64>(m).collect();
            assert!(tasks.len() == 1 || tasks.len() % 2 == 0, "{m}: {tasks:?}");
            let starts: Vec<_> = tasks.iter().map(|task| task.start).collect();
            let ends: Vec<_> = tasks.iter().map(|task| task.end).collect();
            assert_eq!((starts[0], ends[ends.len() - 1]), (0, m));
            assert_eq!(starts[1..], ends[..ends.len() - 1]);
            assert!(starts.iter().all(|start| start % line::<f64>() == 0), "{tasks:?}");
        }
        for (n_prev, n) in [(1, 1), (12_288, 20), (784, 512), (5, 100_000)] {
            let parts: Vec<_> = weight_parts::<f32>(n_prev, n).collect();
            let weights: usize = parts.iter().map(|p| p.rows.len() * p.cols.len()).sum();
            assert_eq!(weights, n_prev * n);
        }
    }
}
