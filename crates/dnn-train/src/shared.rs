//! A matrix whose columns the tasks of a pool may write at the same time.

use dnn_core::Real;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use std::cell::UnsafeCell;
use std::ops::Range;

/// A matrix with interior mutability, column by column.
///
/// Columns are contiguous, so a range of columns is one slice, and different tasks can have
/// different ranges. The caller keeps them apart: that is the contract of the unsafe methods.
pub(crate) struct SharedMatrix<F> {
    cells: Box<[UnsafeCell<F>]>,
    rows: usize,
    cols: usize,
}

// SAFETY: access through `&self` is unsafe, and its contract excludes a writer beside anyone else.
unsafe impl<F: Send + Sync> Sync for SharedMatrix<F> {}

impl<F: Real> SharedMatrix<F> {
    pub(crate) fn zeros(rows: usize, cols: usize) -> Self {
        let cells = (0..rows * cols).map(|_| UnsafeCell::new(F::zero())).collect();
        Self { cells, rows, cols }
    }

    pub(crate) fn from_slice(values: &[F], rows: usize) -> Self {
        assert!(rows > 0 && values.len().is_multiple_of(rows), "whole columns");
        let cells = values.iter().map(|&v| UnsafeCell::new(v)).collect();
        Self { cells, rows, cols: values.len() / rows }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    /// The columns `range` as one slice, to write.
    ///
    /// # Safety
    /// While the slice lives, nobody else may read or write these columns.
    #[allow(clippy::mut_from_ref)] // the contract above takes the place of `&mut self`
    pub(crate) unsafe fn slice_mut(&self, range: Range<usize>) -> &mut [F] {
        let cells = &self.cells[range.start * self.rows..range.end * self.rows];
        // SAFETY: an `UnsafeCell<F>` is laid out as an F and may be written through a shared
        // reference; nobody else looks, by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(UnsafeCell::raw_get(cells.as_ptr()), cells.len()) }
    }

    /// The columns `range` as a matrix, to write.
    ///
    /// # Safety
    /// As [`slice_mut`](Self::slice_mut).
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn columns_mut(&self, range: Range<usize>) -> DMatrixViewMut<'_, F> {
        let cols = range.len();
        // SAFETY: passed on.
        DMatrixViewMut::from_slice(unsafe { self.slice_mut(range) }, self.rows, cols)
    }

    /// The columns `range` as one slice, to read.
    ///
    /// # Safety
    /// While the slice lives, nobody may write these columns.
    pub(crate) unsafe fn slice(&self, range: Range<usize>) -> &[F] {
        let cells = &self.cells[range.start * self.rows..range.end * self.rows];
        // SAFETY: an `UnsafeCell<F>` is laid out as an F; nobody writes, by the caller's promise.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast::<F>(), cells.len()) }
    }

    /// The columns `range` as a matrix, to read.
    ///
    /// # Safety
    /// As [`slice`](Self::slice).
    pub(crate) unsafe fn columns(&self, range: Range<usize>) -> DMatrixView<'_, F> {
        let cols = range.len();
        // SAFETY: passed on.
        DMatrixView::from_slice(unsafe { self.slice(range) }, self.rows, cols)
    }

    /// The whole matrix, to read.
    ///
    /// # Safety
    /// While the view lives, nobody may write any of it.
    pub(crate) unsafe fn all(&self) -> DMatrixView<'_, F> {
        // SAFETY: passed on.
        unsafe { self.columns(0..self.cols) }
    }

    /// All values, column by column; exclusive, and therefore safe.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [F] {
        // SAFETY: `&mut self` excludes everyone else.
        unsafe { self.slice_mut(0..self.cols) }
    }

    /// A copy as an ordinary matrix.
    pub(crate) fn copied(&mut self) -> DMatrix<F> {
        let (rows, cols) = (self.rows, self.cols);
        DMatrix::from_column_slice(rows, cols, self.as_mut_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;

    #[test]
    fn tasks_fill_their_columns() {
        let mut matrix = SharedMatrix::<f64>::zeros(3, 10);
        Pool::new(3).run(10, &|j| {
            // SAFETY: each task has its own column.
            unsafe { matrix.slice_mut(j..j + 1) }.fill(j as f64);
        });
        assert_eq!(matrix.copied(), DMatrix::from_fn(3, 10, |_, j| j as f64));
    }
}
