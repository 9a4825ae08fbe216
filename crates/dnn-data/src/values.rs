//! The numbers that examples consist of: bytes of pixels, or numbers in the precision of their
//! source.

use crate::{DataError, Normalization};
use dnn_core::Real;
#[cfg(target_os = "linux")]
use rustix::mm::{Advice, madvise};
use std::ops::Range;

/// The type of the numbers that examples consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// A byte of a pixel, 0 to 255.
    Byte,
    /// A number in single precision.
    F32,
    /// A number in double precision.
    F64,
}

impl Number {
    /// Returns how many bytes one number takes.
    pub fn n_bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::F32 => size_of::<f32>(),
            Self::F64 => size_of::<f64>(),
        }
    }
}

/// The numbers of some examples, one example after the other, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// Bytes of pixels.
    Bytes(&'a [u8]),
    /// Numbers in single precision.
    F32(&'a [f32]),
    /// Numbers in double precision.
    F64(&'a [f64]),
}

/// Evaluates the same expression for the slice or vector of each type of number.
macro_rules! each {
    ($values:expr, $kind:ident($all:ident) => $do:expr) => {
        match $values {
            $kind::Bytes($all) => $do,
            $kind::F32($all) => $do,
            $kind::F64($all) => $do,
        }
    };
}

impl<'a> Values<'a> {
    /// Returns the number of values.
    pub fn len(&self) -> usize {
        each!(self, Self(all) => all.len())
    }

    /// Returns whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the type of the numbers.
    pub fn number(&self) -> Number {
        match self {
            Self::Bytes(_) => Number::Byte,
            Self::F32(_) => Number::F32,
            Self::F64(_) => Number::F64,
        }
    }

    /// Returns the numbers of a range.
    ///
    /// # Panics
    /// When the range reaches beyond the last number.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Values<'a> {
        match self {
            Self::Bytes(all) => Values::Bytes(&all[range]),
            Self::F32(all) => Values::F32(&all[range]),
            Self::F64(all) => Values::F64(&all[range]),
        }
    }

    /// Returns the bytes, when the numbers are bytes of pixels.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// Calls `take` with each number, in order.
    #[allow(clippy::useless_conversion)] // of the doubles only
    pub fn for_each(&self, mut take: impl FnMut(f64)) {
        each!(self, Self(all) => all.iter().for_each(|&value| take(f64::from(value))));
    }

    /// Returns the numbers in double precision.
    #[allow(clippy::useless_conversion)] // of the doubles only
    pub fn to_f64(&self) -> Vec<f64> {
        each!(self, Self(all) => all.iter().map(|&value| f64::from(value)).collect())
    }

    /// Appends the numbers as they lie in a file of little-endian numbers.
    pub(crate) fn write_le(&self, out: &mut Vec<u8>) {
        if let Self::Bytes(all) = self {
            return out.extend_from_slice(all);
        }
        each!(self, Self(all) => all.iter().for_each(|value| out.extend(value.to_le_bytes())));
    }

    /// Returns the numbers as bytes, when each is a whole number from 0 to 255.
    pub(crate) fn to_bytes(self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.len());
        let mut all = true;
        self.for_each(|v| {
            all &= (0.0..=255.0).contains(&v) && v.fract() == 0.0;
            bytes.push(v as u8);
        });
        all.then_some(bytes)
    }
}

/// The numbers of some examples, one example after the other, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Buffer {
    /// Bytes of pixels.
    Bytes(Vec<u8>),
    /// Numbers in single precision.
    F32(Vec<f32>),
    /// Numbers in double precision.
    F64(Vec<f64>),
}

impl Buffer {
    /// Makes an empty buffer with room for `n` numbers.
    pub fn with_capacity(number: Number, n: usize) -> Self {
        match number {
            Number::Byte => Self::Bytes(room(n)),
            Number::F32 => Self::F32(room(n)),
            Number::F64 => Self::F64(room(n)),
        }
    }

    /// Returns all numbers.
    pub fn values(&self) -> Values<'_> {
        match self {
            Self::Bytes(all) => Values::Bytes(all),
            Self::F32(all) => Values::F32(all),
            Self::F64(all) => Values::F64(all),
        }
    }

    /// Empties the buffer and keeps its memory.
    pub fn clear(&mut self) {
        each!(self, Self(all) => all.clear());
    }

    /// Appends numbers of the buffer's own type.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] when they are of another type.
    pub fn extend(&mut self, values: Values<'_>) -> Result<(), DataError> {
        match (self, values) {
            (Self::Bytes(all), Values::Bytes(more)) => all.extend_from_slice(more),
            (Self::F32(all), Values::F32(more)) => all.extend_from_slice(more),
            (Self::F64(all), Values::F64(more)) => all.extend_from_slice(more),
            (own, more) => {
                return Err(DataError::Mismatch {
                    what: "type of the numbers".into(),
                    expected: format!("{:?}, as those before", own.values().number()),
                    got: format!("{:?}", more.number()),
                });
            }
        }
        Ok(())
    }
}

/// Makes an empty vector with room for `n` elements.
fn room<T>(n: usize) -> Vec<T> {
    let room = Vec::with_capacity(n);
    ask_for_huge_pages(&room);
    room
}

/// Makes a vector of `n` zeros, whose memory the system clears when it is first touched.
pub(crate) fn zeros<F: Real>(n: usize) -> Vec<F> {
    let zeros = vec![F::zero(); n];
    ask_for_huge_pages(&zeros);
    zeros
}

/// Asks for huge pages for the memory of a vector, where the system has them for who asks: the first touch
/// of every 4 KiB is most of the time of filling a large one.
#[cfg_attr(not(target_os = "linux"), allow(unused_variables, clippy::ptr_arg))]
fn ask_for_huge_pages<T>(room: &Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        /// Also a multiple of every size of small pages.
        const HUGE_PAGE: usize = 2 << 20;
        let start = room.as_ptr().addr();
        let end = (start + room.capacity() * size_of::<T>()) / HUGE_PAGE * HUGE_PAGE;
        let start = start.next_multiple_of(HUGE_PAGE);
        if start < end {
            let address = room.as_ptr().cast_mut().with_addr(start).cast();
            // SAFETY: the pages are the vector's own, and the advice leaves what is in them.
            // Without huge pages it fails, and everything is as it would be without it.
            let _ = unsafe { madvise(address, end - start, Advice::LinuxHugepage) };
        }
    }
}

/// The least and the greatest of some numbers, and whether all are whole: enough to tell bytes of
/// pixels from numbers in [0, 1], and both from other numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberRange {
    pub(crate) least: f64,
    pub(crate) most: f64,
    whole: bool,
}

impl Default for NumberRange {
    fn default() -> Self {
        Self { least: f64::INFINITY, most: f64::NEG_INFINITY, whole: true }
    }
}

impl NumberRange {
    /// Takes in the numbers of examples that have `n` numbers each; the first of them is example
    /// `first`.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] at a number that is not finite.
    pub(crate) fn add(
        &mut self,
        values: Values<'_>,
        first: usize,
        n: usize,
    ) -> Result<(), DataError> {
        let mut at = 0;
        let mut bad = None;
        values.for_each(|value| {
            if !value.is_finite() && bad.is_none() {
                bad = Some((at, value));
            }
            self.least = self.least.min(value);
            self.most = self.most.max(value);
            self.whole &= value.fract() == 0.0;
            at += 1;
        });
        match bad {
            None => Ok(()),
            Some((at, value)) => Err(DataError::Mismatch {
                what: format!("feature {} of example {}", at % n.max(1), first + at / n.max(1)),
                expected: "a finite number".into(),
                got: value.to_string(),
            }),
        }
    }

    /// Returns whether the numbers are bytes: whole numbers from 0 to 255, of which some are above
    /// 1.
    pub(crate) fn is_bytes(&self) -> bool {
        self.whole && self.least >= 0.0 && (2.0..=255.0).contains(&self.most)
    }

    /// Returns whether all numbers are in [0, 1].
    pub(crate) fn is_share(&self) -> bool {
        self.least >= 0.0 && self.most <= 1.0
    }

    /// Returns how numbers in this range that are no bytes become features.
    pub(crate) fn normalization(&self) -> Normalization {
        if self.is_share() { Normalization::DivideBy255 } else { Normalization::AsIs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_keeps_the_type_of_its_numbers() {
        let mut buffer = Buffer::with_capacity(Number::F64, 2);
        buffer.extend(Values::F64(&[0.1, 2.0])).expect("of its type");
        assert!(buffer.extend(Values::F32(&[0.1])).is_err());
        assert_eq!(buffer.values().slice(0..1), Values::F64(&[0.1]));
        assert_eq!(Values::F32(&[3.0, 255.0]).to_bytes(), Some(vec![3, 255]));
        assert_eq!(Values::F32(&[3.5]).to_bytes(), None);
        let mut bytes = Vec::new();
        Values::F32(&[1.0]).write_le(&mut bytes);
        assert_eq!(bytes, 1.0_f32.to_le_bytes());
    }
}
