//! How numbers are stored in a file, and how they are read.

use crate::{Buffer, Number};
use std::fmt;

/// How one number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ElementType {
    pub(crate) kind: ElementKind,
    /// 1, 2, 4 or 8; of floats 4 or 8, of booleans 1.
    pub(crate) bytes: u8,
    pub(crate) big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElementKind {
    Unsigned,
    Signed,
    Float,
    /// Zero is false. Of the formats read here, only .npz has them.
    Bool,
}

impl ElementType {
    /// Returns the numbers stored in `bytes` in the type that they are kept in.
    pub(crate) fn numbers(self, bytes: &[u8], number: Number) -> Buffer {
        let number_of = |bits: u64| match (self.kind, self.bytes) {
            (ElementKind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (ElementKind::Float, _) => f64::from_bits(bits),
            _ => self.integer(bits) as f64,
        };
        let numbers = self.bits(bytes).map(number_of);
        match number {
            Number::Byte => Buffer::Bytes(numbers.map(|v| v as u8).collect()),
            Number::F32 => Buffer::F32(numbers.map(|v| v as f32).collect()),
            Number::F64 => Buffer::F64(numbers.collect()),
        }
    }

    /// Returns the integers or booleans stored in `bytes`.
    pub(crate) fn integers(self, bytes: &[u8]) -> impl Iterator<Item = i128> + '_ {
        self.bits(bytes).map(move |bits| self.integer(bits))
    }

    fn integer(self, bits: u64) -> i128 {
        match self.kind {
            ElementKind::Bool => i128::from(bits != 0),
            ElementKind::Signed => {
                let unused = 64 - 8 * u32::from(self.bytes);
                i128::from((bits << unused) as i64 >> unused)
            }
            ElementKind::Unsigned | ElementKind::Float => i128::from(bits),
        }
    }

    fn bits(self, bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
        let append = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        bytes.chunks_exact(usize::from(self.bytes)).map(move |number| {
            if self.big_endian {
                number.iter().fold(0, append)
            } else {
                number.iter().rev().fold(0, append)
            }
        })
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * u32::from(self.bytes);
        match self.kind {
            ElementKind::Unsigned => write!(f, "uint{bits}"),
            ElementKind::Signed => write!(f, "int{bits}"),
            ElementKind::Float => write!(f, "float{bits}"),
            ElementKind::Bool => write!(f, "bool"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(kind: ElementKind, bytes: u8, big_endian: bool) -> ElementType {
        ElementType { kind, bytes, big_endian }
    }

    #[test]
    fn numbers_are_what_the_machine_makes_of_them() {
        for value in [-3_i16, 0, 300, i16::MIN] {
            for big in [true, false] {
                let bytes = if big { value.to_be_bytes() } else { value.to_le_bytes() };
                let element = element(ElementKind::Signed, 2, big);
                assert_eq!(element.integers(&bytes).collect::<Vec<_>>(), [i128::from(value)]);
                assert_eq!(
                    element.numbers(&bytes, Number::F32),
                    Buffer::F32(vec![f32::from(value)])
                );
            }
        }
        let all = [1.5_f64, -0.1].map(f64::to_be_bytes).concat();
        let numbers = element(ElementKind::Float, 8, true).numbers(&all, Number::F64);
        assert_eq!(numbers, Buffer::F64(vec![1.5, -0.1]));
        let all = [1.5_f32, -0.1].map(f32::to_le_bytes).concat();
        let numbers = element(ElementKind::Float, 4, false).numbers(&all, Number::F32);
        assert_eq!(numbers, Buffer::F32(vec![1.5, -0.1]));
        let most = u64::MAX.to_le_bytes();
        let read: Vec<_> = element(ElementKind::Unsigned, 8, false).integers(&most).collect();
        assert_eq!(read, [i128::from(u64::MAX)]);
        let numbers = element(ElementKind::Bool, 1, false).numbers(&[0, 1, 7], Number::F32);
        assert_eq!(numbers, Buffer::F32(vec![0.0, 1.0, 1.0]));
    }
}
