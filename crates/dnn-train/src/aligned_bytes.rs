//! Memory for numbers that many threads write, and that goes from rank to rank as it is.

use std::cell::UnsafeCell;
use std::ops::Range;

/// Bytes of a cache line.
pub(crate) const LINE_BYTES: usize = 64;

/// Numbers in one cache line, at its beginning: vectors of the machine's width never straddle two.
#[repr(C, align(64))]
struct Line(UnsafeCell<[u8; LINE_BYTES]>);

/// Bytes in whole cache lines, from the beginning of one.
///
/// The matrices of training lie in buffers, and an [exchange](crate::Communicator) between ranks is
/// handed the buffers themselves, so that what is sent need not be copied together first.
#[derive(Default)]
pub struct AlignedBytes(Vec<Line>);

// SAFETY: bytes are read and written through `&mut`, or through a pointer by those who promise that nobody
// else does meanwhile.
unsafe impl Sync for AlignedBytes {}

impl AlignedBytes {
    /// Returns at least `n_bytes` bytes of zeros: as many as whole lines have.
    pub fn zeros(n_bytes: usize) -> Self {
        let line = || Line(UnsafeCell::new([0; LINE_BYTES]));
        Self((0..n_bytes.div_ceil(LINE_BYTES)).map(|_| line()).collect())
    }

    /// Returns the number of bytes.
    #[allow(clippy::len_without_is_empty)] // nobody asks
    pub fn len(&self) -> usize {
        self.0.len() * LINE_BYTES
    }

    /// Returns all bytes; exclusive, and therefore safe.
    pub fn bytes(&mut self) -> &mut [u8] {
        let (first, n) = (self.first(), self.len());
        // SAFETY: the lines are contiguous and initialised, and `&mut self` excludes everyone else.
        unsafe { std::slice::from_raw_parts_mut(first, n) }
    }

    /// Returns where a range of the bytes begins, for those who may not hold a reference while they read or
    /// write them; moving the buffer leaves the bytes where they are.
    ///
    /// # Panics
    /// When the range is not one of the buffer.
    pub fn pointer(&self, bytes: &Range<usize>) -> *mut u8 {
        assert!(bytes.start <= bytes.end && bytes.end <= self.len(), "a range of the buffer");
        self.first::<u8>().wrapping_add(bytes.start)
    }

    /// Returns where the first of the numbers lies.
    pub(crate) fn first<F>(&self) -> *mut F {
        // To write through it is allowed as it points into cells.
        self.0.as_ptr().cast::<F>().cast_mut()
    }
}

impl From<&[u8]> for AlignedBytes {
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = Self::zeros(bytes.len());
        buffer.bytes()[..bytes.len()].copy_from_slice(bytes);
        buffer
    }
}

impl std::fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBytes({} bytes)", self.len())
    }
}
