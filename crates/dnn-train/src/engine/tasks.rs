//! How an iteration is cut into tasks, and whether one thread or all do them. The cuts depend on sizes
//! alone, so that results do not depend on the number of threads.

use super::shared::Part;
use crate::pool::Pool;
use dnn_core::gemm::{FactorPrecision, line};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Examples of one task of phase 1, about.
const EXAMPLES_PER_TASK: usize = 64;
/// Weights of one task of phase 2, about: they and their gradients fit the second-level cache.
const WEIGHTS_PER_TASK: usize = 16_384;
/// A layer of at least so many units is cut into larger parts, as the general kernel likes them.
const WIDE: usize = 64;
/// Weights of one task of a wide layer, about: few enough that the optimizer's step finds the
/// gradient in the second-level cache, and so many that the kernel's packing does not count.
const WEIGHTS_PER_WIDE_TASK: usize = 65_536;
/// Inputs of one task of a wide layer, at most. The optimizer's step goes along them: it reads from
/// memory, which is fast where that is long.
const INPUTS_PER_WIDE_TASK: usize = 1024;
/// From so many units on, tasks have as many inputs as units: the kernel copies inputs once for each part by
/// units, and products count for more than the step.
const SQUARE: usize = 1024;
const INPUTS_PER_SQUARE_TASK: usize = 256;
/// From so many weights on, those and these inputs: products are most of the time of such a layer, and
/// the fewer its parts, the less is packed again. The gradient goes through memory then.
const VERY_WIDE: usize = 8_388_608;
const WEIGHTS_PER_VERY_WIDE_TASK: usize = 1_048_576;
const INPUTS_PER_VERY_WIDE_TASK: usize = 2048;

/// Weights from which on a wide layer is gone through one after the other: each of the tasks by
/// examples would read all of them again.
const MANY_WEIGHTS: usize = 131_072;
/// Examples and units of one task of such a layer, about: its weights stay in the second-level cache. The
/// kernel copies the examples of a task, and not its weights.
const BLOCK: (usize, usize) = (128, 128);
/// Examples of such a task where factors are rounded to bf16. The kernel copies the weights of a task then,
/// too, and waits for them to come from memory: the more examples, the fewer times.
const EXAMPLES_PER_BLOCK_IN_BF16: usize = 512;
/// Units of a block, at most, where there are many blocks: the wider, the less packing.
const WIDEST_BLOCK: usize = 1024;
/// Blocks that a layer is cut into before they become wider.
const BLOCKS: usize = 8;

/// `0..n` in `pieces` parts of whole multiples of `unit`, about equal.
pub(super) fn cut(n: usize, pieces: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let pieces = pieces.clamp(1, n.div_ceil(unit).max(1));
    (0..pieces).map(move |i| piece(n, pieces, unit, i))
}

/// Returns the part `i` of `pieces`.
fn piece(n: usize, pieces: usize, unit: usize, i: usize) -> Range<usize> {
    let units = n.div_ceil(unit);
    let at = |i: usize| (i * units / pieces * unit).min(n);
    at(i)..at(i + 1)
}

/// Returns whether a network with these layers (n_prev, n) goes through them one after the other,
/// all tasks on the same layer; otherwise each task takes some examples through all of them.
pub(super) fn layer_by_layer(layers: impl IntoIterator<Item = (usize, usize)>) -> bool {
    layers.into_iter().any(|(n_prev, n)| n >= 2 * BLOCK.1 && n_prev * n >= MANY_WEIGHTS)
}

/// How a layer's values (m, n) are cut when layers are gone through one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    size: (usize, usize),
    pieces: (usize, usize),
    line: usize,
}

impl Blocks {
    pub(super) fn of<F>(m: usize, n: usize, factors: FactorPrecision) -> Self {
        let examples = match factors {
            // Narrow layers have their tasks by examples alone.
            _ if n < 2 * BLOCK.1 => EXAMPLES_PER_TASK,
            FactorPrecision::Full => BLOCK.0,
            FactorPrecision::Bf16 => EXAMPLES_PER_BLOCK_IN_BF16,
        };
        let by_examples = m.div_ceil(examples).max(1);
        let by_units = (n / BLOCK.1).min(BLOCKS.div_ceil(by_examples)).max(n / WIDEST_BLOCK);
        let pieces = (by_examples, by_units.max(1));
        Self { size: (m, n), pieces, line: line::<F>() }
    }

    /// Returns the number of blocks.
    pub(super) fn len(&self) -> usize {
        self.pieces.0 * self.pieces.1
    }

    /// Returns the block `i`: those that follow each other have the same examples when there are
    /// more of these than units, whose values before are at hand then, and otherwise the same
    /// units, whose weights are.
    pub(super) fn get(&self, i: usize) -> Part {
        let ((m, n), (by_examples, by_units)) = (self.size, self.pieces);
        let (row, col) =
            if m > n { (i / by_units, i % by_units) } else { (i % by_examples, i / by_examples) };
        Part { rows: piece(m, by_examples, self.line, row), cols: piece(n, by_units, 8, col) }
    }
}

/// Few examples in one piece, more in an even number of them, so that cores have equal shares.
pub(super) fn example_tasks<F>(m: usize) -> impl Iterator<Item = Range<usize>> {
    let pieces =
        if m < 2 * EXAMPLES_PER_TASK { 1 } else { (m / EXAMPLES_PER_TASK).next_multiple_of(2) };
    cut(m, pieces, line::<F>())
}

/// Returns the parts of Wᵀ (n_prev, n) that are tasks of their own.
pub(super) fn weight_parts<F>(n_prev: usize, n: usize) -> impl Iterator<Item = Part> {
    let (by_inputs, by_units) = if n < WIDE {
        ((n_prev * n).div_ceil(WEIGHTS_PER_TASK), 1)
    } else {
        let (inputs, weights) = if n_prev * n >= VERY_WIDE {
            (INPUTS_PER_VERY_WIDE_TASK, WEIGHTS_PER_VERY_WIDE_TASK)
        } else if n >= SQUARE {
            (INPUTS_PER_SQUARE_TASK, WEIGHTS_PER_WIDE_TASK)
        } else {
            (INPUTS_PER_WIDE_TASK, WEIGHTS_PER_WIDE_TASK)
        };
        let by_inputs = n_prev.div_ceil(inputs);
        (by_inputs, (n_prev.div_ceil(by_inputs) * n).div_ceil(weights))
    };
    cut(n, by_units, 8).flat_map(move |cols| {
        cut(n_prev, by_inputs, line::<F>()).map(move |rows| Part { rows, cols: cols.clone() })
    })
}

/// Returns the parts of Wᵀ (n_prev, n) with `inputs` inputs each.
pub(super) fn narrow_parts(n_prev: usize, n: usize, inputs: usize) -> impl Iterator<Item = Part> {
    (0..n_prev)
        .step_by(inputs)
        .map(move |from| Part { rows: from..n_prev.min(from + inputs), cols: 0..n })
}

/// Finds out, again and again, whether iterations of a tenth of a millisecond are faster on one
/// thread or on all. On an idle machine a second thread brings something; on a busy one it must be
/// waited for in each iteration, and four times as much is lost. Results depend on neither.
pub(super) struct Trial {
    iteration: usize,
    start: Instant,
    alone: Duration,
}

impl Trial {
    /// Iterations of each kind that are timed.
    const TIMED: usize = 8;
    /// Iterations until the next trial.
    const EVERY: usize = 256;

    pub(super) fn new() -> Self {
        Self { iteration: 0, start: Instant::now(), alone: Duration::ZERO }
    }

    /// To be called before each iteration.
    pub(super) fn tick(&mut self, pool: &mut Pool) {
        match self.iteration % Self::EVERY {
            0 => {
                pool.set_alone(true);
                self.start = Instant::now();
            }
            Self::TIMED => {
                self.alone = self.start.elapsed();
                pool.set_alone(false);
                self.start = Instant::now();
            }
            i if i == 2 * Self::TIMED => pool.set_alone(self.alone <= self.start.elapsed()),
            _ => {}
        }
        self.iteration += 1;
    }
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
        for (m, n) in [(1, 1), (128, 512), (37, 1000), (1000, 10), (300, 260), (512, 4096)] {
            for factors in [FactorPrecision::Full, FactorPrecision::Bf16] {
                let blocks = Blocks::of::<f32>(m, n, factors);
                let mut seen = vec![0; m * n];
                for block in (0..blocks.len()).map(|i| blocks.get(i)) {
                    for row in block.rows {
                        block.cols.clone().for_each(|col| seen[row * n + col] += 1);
                    }
                }
                assert!(seen.iter().all(|&times| times == 1), "{m}×{n}");
            }
        }
        for (n_prev, n) in [(1, 1), (12_288, 20), (784, 512), (5, 100_000), (3072, 4096)] {
            let parts: Vec<_> = weight_parts::<f32>(n_prev, n).collect();
            let weights: usize = parts.iter().map(|p| p.rows.len() * p.cols.len()).sum();
            assert_eq!(weights, n_prev * n);
        }
    }
}
