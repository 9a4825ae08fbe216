//! A matrix of which the tasks of a pool may write different parts at the same time.
//!
//! # The promise
//! The unsafe methods of [`SharedMatrix`], and every unsafe function of the engines, rest on one
//! promise: **what a task writes, no other task of the same run of the pool reads or writes.** Runs
//! follow each other, so a task may read all that earlier runs have written. Which parts a task
//! writes is said where the task is: some examples of A and dZ in the forward and the backward step,
//! a piece of the parameters, with their gradient and moments, in the update, and its own thread's
//! scratch anywhere. A `# Safety` section that says "the promise" means this, for the part given.

use crate::aligned_bytes::AlignedBytes;
use crate::communicator::Communicator;
use dnn_core::Real;
use dnn_core::gemm::line;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut, Dyn, U1, ViewStorage, ViewStorageMut};
use std::marker::PhantomData;
use std::ops::Range;

/// Distance of columns of `rows` numbers: an odd number of lines.
pub(super) const fn stride<F>(rows: usize) -> usize {
    (rows.div_ceil(line::<F>()) | 1) * line::<F>()
}

/// Part of a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
}

/// A matrix with interior mutability, each column in whole cache lines and padded with zeros.
///
/// Columns lie an odd number of lines apart, so that walking along a row spreads over the sets of
/// the cache, and vector code needs no special case at a column's end.
pub(super) struct SharedMatrix<F> {
    buffer: AlignedBytes,
    numbers: PhantomData<F>,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<F: Real> SharedMatrix<F> {
    pub(super) fn zeros(rows: usize, cols: usize) -> Self {
        let stride = stride::<F>(rows);
        // Zero is all bits zero in both number types.
        let buffer = AlignedBytes::zeros(stride * cols * size_of::<F>());
        Self { buffer, numbers: PhantomData, rows, cols, stride }
    }

    /// A copy of `matrix`.
    pub(super) fn of(matrix: &DMatrix<F>) -> Self {
        let mut copy = Self::zeros(matrix.nrows(), matrix.ncols());
        copy.all_mut().copy_from(matrix);
        copy
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    /// All of it.
    pub(super) fn whole(&self) -> Part {
        Part { rows: 0..self.rows, cols: 0..self.cols }
    }

    fn pointer(&self, part: &Part) -> *mut F {
        // The buffer is shorter than the columns while it is lent.
        assert!(
            part.rows.end <= self.rows && part.cols.end * self.stride <= self.room(),
            "a part of the matrix"
        );
        let at = part.cols.start * self.stride + part.rows.start;
        self.buffer.first::<F>().wrapping_add(at)
    }

    /// Numbers that the buffer has room for.
    fn room(&self) -> usize {
        self.buffer.len() / size_of::<F>()
    }

    /// Hands out the numbers, column by column with their padding, until [`take_back`](Self::take_back);
    /// meanwhile the matrix has none.
    pub(super) fn lend(&mut self) -> AlignedBytes {
        std::mem::take(&mut self.buffer)
    }

    /// Takes back what [`lend`](Self::lend) has handed out.
    ///
    /// # Panics
    /// When it is of another length.
    pub(super) fn take_back(&mut self, buffer: AlignedBytes) {
        assert_eq!(buffer.len(), self.n_bytes(), "the buffer that was lent");
        self.buffer = buffer;
    }

    /// Bytes that the columns take up with their padding.
    pub(super) fn n_bytes(&self) -> usize {
        self.stride * self.cols * size_of::<F>()
    }

    /// A part, to write.
    ///
    /// # Safety
    /// The promise: while the view lives, nobody else reads or writes this part.
    #[allow(clippy::mut_from_ref)] // the promise takes the place of `&mut self`
    pub(super) unsafe fn part_mut(&self, part: &Part) -> DMatrixViewMut<'_, F> {
        let shape = (Dyn(part.rows.len()), Dyn(part.cols.len()));
        // SAFETY: the part lies within the cells, as `pointer` checked, and nobody else looks, by
        // the promise.
        let storage = unsafe {
            ViewStorageMut::from_raw_parts(self.pointer(part), shape, (U1, Dyn(self.stride)))
        };
        DMatrixViewMut::from_data(storage)
    }

    /// A view of another shape on the same memory, to write; its columns begin where lines do.
    ///
    /// # Safety
    /// As [`part_mut`](Self::part_mut), of all of it.
    /// # Panics
    /// When there is less memory than that.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn shaped_mut(&self, rows: usize, cols: usize) -> DMatrixViewMut<'_, F> {
        let stride = stride::<F>(rows);
        assert!(stride * cols <= self.room(), "room for {rows}×{cols}");
        let shape = (Dyn(rows), Dyn(cols));
        let pointer = self.buffer.first();
        // SAFETY: as above; the shape has room.
        let storage = unsafe { ViewStorageMut::from_raw_parts(pointer, shape, (U1, Dyn(stride))) };
        DMatrixViewMut::from_data(storage)
    }

    /// A part, to read.
    ///
    /// # Safety
    /// The promise: while the view lives, nobody writes this part.
    pub(super) unsafe fn part(&self, part: &Part) -> DMatrixView<'_, F> {
        let shape = (Dyn(part.rows.len()), Dyn(part.cols.len()));
        // SAFETY: as above; nobody writes.
        let storage = unsafe {
            ViewStorage::from_raw_parts(
                self.pointer(part).cast_const(),
                shape,
                (U1, Dyn(self.stride)),
            )
        };
        DMatrixView::from_data(storage)
    }

    /// Returns the rows `rows` of one column, to write.
    ///
    /// # Safety
    /// As [`part_mut`](Self::part_mut).
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn slice_mut(&self, rows: Range<usize>, col: usize) -> &mut [F] {
        let n = rows.len();
        // SAFETY: as above; a column's rows are contiguous.
        unsafe {
            std::slice::from_raw_parts_mut(self.pointer(&Part { rows, cols: col..col + 1 }), n)
        }
    }

    /// Returns the rows `rows` of one column, to read.
    ///
    /// # Safety
    /// As [`part`](Self::part).
    pub(super) unsafe fn slice(&self, rows: Range<usize>, col: usize) -> &[F] {
        let n = rows.len();
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.pointer(&Part { rows, cols: col..col + 1 }), n) }
    }

    /// Fills the matrix with what each rank has of it: rank r the parts `of(r)`.
    pub(super) fn gather(
        &mut self,
        communicator: &dyn Communicator,
        of: impl Fn(usize) -> Vec<Part>,
    ) {
        let n = communicator.size();
        if n == 1 {
            return;
        }
        let (mut all, mut bounds) = (Vec::new(), vec![0]);
        for rank in 0..n {
            for part in of(rank) {
                // SAFETY: `&mut self` excludes everyone else.
                all.extend(unsafe { self.part(&part) }.iter());
            }
            bounds.push(all.len());
        }
        communicator.gather(&mut all, |rank| bounds[rank]..bounds[rank + 1]);
        let mut values = all.into_iter();
        for part in (0..n).flat_map(of) {
            // SAFETY: as above.
            let mut part = unsafe { self.part_mut(&part) };
            part.iter_mut().zip(&mut values).for_each(|(to, from)| *to = from);
        }
    }

    /// Fills the matrix with what each rank has of it: rank r the rows `of(r)`.
    pub(super) fn gather_rows(
        &mut self,
        communicator: &dyn Communicator,
        of: impl Fn(usize) -> Range<usize>,
    ) {
        let cols = self.cols;
        self.gather(communicator, |rank| vec![Part { rows: of(rank), cols: 0..cols }]);
    }

    /// All of it, to write; exclusive, and therefore safe.
    pub(super) fn all_mut(&mut self) -> DMatrixViewMut<'_, F> {
        // SAFETY: `&mut self` excludes everyone else.
        unsafe { self.part_mut(&self.whole()) }
    }

    /// A copy as an ordinary matrix.
    pub(super) fn copied(&mut self) -> DMatrix<F> {
        self.all_mut().clone_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aligned_bytes::LINE_BYTES;
    use crate::pool::Pool;

    #[test]
    fn tasks_fill_their_parts() {
        let mut matrix = SharedMatrix::<f64>::zeros(20, 6);
        Pool::new(3).run(10, &|i, _| {
            // SAFETY: each task has its own rows.
            unsafe { matrix.part_mut(&Part { rows: 2 * i..2 * i + 2, cols: 1..6 }) }.fill(i as f64);
        });
        let expected = DMatrix::from_fn(20, 6, |i, j| if j == 0 { 0.0 } else { (i / 2) as f64 });
        assert_eq!(matrix.copied(), expected);
    }

    #[test]
    fn columns_are_an_odd_number_of_lines_apart() {
        for rows in [0, 1, 8, 9, 200, 209, 784, 12_288] {
            let matrix = SharedMatrix::<f64>::zeros(rows, 2);
            let lines = matrix.stride / line::<f64>();
            assert!(matrix.stride >= rows && lines % 2 == 1, "{rows}: {}", matrix.stride);
            assert!(matrix.buffer.first::<u8>().addr().is_multiple_of(LINE_BYTES));
        }
    }
}
