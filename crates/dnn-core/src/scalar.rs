//! The number type of a network: single or double precision.

use crate::elementary::Elementary;
use crate::kernels::Kernels;
use crate::simd::vectorized;
use bytemuck::Pod;
use nalgebra::RealField;
use serde::{Deserialize, Serialize};

/// The two precisions a network can be computed and stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE 754 single precision, 4 bytes a number.
    F32,
    /// IEEE 754 double precision, 8 bytes a number; what the course's numbers were made with.
    F64,
}

impl Precision {
    /// Both, for lists and tests.
    pub const ALL: [Self; 2] = [Self::F32, Self::F64];
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A real number type: `f32` or `f64`. The only type parameter of the public API.
///
/// Sealed: the kernels behind [`crate::gemm`] and the activations exist for these two types only. They
/// are methods of its supertraits, so that they are compiled in this crate, with its optimisation; there
/// is nothing in them to call or implement.
pub trait Real:
    RealField + Elementary + Kernels + Pod + Default + Send + Sync + sealed::Sealed
{
    /// Which of the two this is.
    const PRECISION: Precision;
    /// Returns the nearest value of this type to `x`.
    fn of(x: f64) -> Self;
    /// This value in double precision, exactly.
    fn as_f64(self) -> f64;
    /// Returns where the first NaN or infinite value is.
    ///
    /// Like [`look_up`](Self::look_up) a loop over all the data, and here so that it is compiled
    /// with this crate's optimisation: generic code is compiled in the crate that uses it.
    fn first_not_finite(values: &[Self]) -> Option<usize>;
    /// The values that bytes stand for, a table for each of the interleaved channels: outᵢ =
    /// tables\[i mod channels\]\[bytesᵢ\].
    ///
    /// # Panics
    /// When there is no table, or bytes and values differ in number.
    fn look_up(tables: &[[Self; 256]], bytes: &[u8], out: &mut [Self]);
    /// Finds the whole numbers 0 to 255 of which `values` are the 255th parts, rounding apart. Returns
    /// whether all values are such; otherwise what is in `out` has no meaning.
    ///
    /// # Panics
    /// When values and numbers differ in number.
    fn as_bytes_over_255(values: &[Self], out: &mut [u8]) -> bool;
}

/// Values that a search looks at, all of them, before it asks whether it is over: a loop that may end at each
/// value is not vectorised.
const PIECE: usize = 4096;

macro_rules! real {
    ($number:ident, $precision:ident) => {
        impl Real for $number {
            const PRECISION: Precision = Precision::$precision;
            #[inline]
            fn of(x: f64) -> Self {
                x as $number
            }
            #[inline]
            fn as_f64(self) -> f64 {
                f64::from(self)
            }
            fn first_not_finite(values: &[Self]) -> Option<usize> {
                let is_finite = |piece: &[Self]| {
                    vectorized(
                        #[inline(always)]
                        || piece.iter().fold(true, |all, value| all & value.is_finite()),
                    )
                };
                let start = PIECE * values.chunks(PIECE).position(|piece| !is_finite(piece))?;
                let at = values[start..].iter().position(|value| !value.is_finite())?;
                Some(start + at)
            }
            fn look_up(tables: &[[Self; 256]], bytes: &[u8], out: &mut [Self]) {
                assert_eq!(bytes.len(), out.len(), "a value for each byte");
                if let [table] = tables {
                    for (out, &byte) in out.iter_mut().zip(bytes) {
                        *out = table[usize::from(byte)];
                    }
                    return;
                }
                let channels = tables.len();
                for (out, bytes) in out.chunks_mut(channels).zip(bytes.chunks(channels)) {
                    for ((out, &byte), table) in out.iter_mut().zip(bytes).zip(tables) {
                        *out = table[usize::from(byte)];
                    }
                }
            }
            fn as_bytes_over_255(values: &[Self], out: &mut [u8]) -> bool {
                assert_eq!(values.len(), out.len(), "a number for each value");
                vectorized(
                    #[inline(always)]
                    || {
                        // To add and subtract it rounds to a whole number.
                        let magic = 1.5 / Self::EPSILON;
                        let pieces = values.chunks(PIECE).zip(out.chunks_mut(PIECE));
                        for (values, out) in pieces {
                            let mut all = true;
                            for (out, &value) in out.iter_mut().zip(values) {
                                let scaled = value * 255.0;
                                let whole = ((scaled + magic) - magic).max(0.0).min(255.0);
                                all &= (scaled - whole).abs() <= 2.0 * Self::EPSILON * whole;
                                // SAFETY: from 0 to 255, as it has just been made, NaN as well.
                                *out = unsafe { whole.to_int_unchecked::<i32>() } as u8;
                            }
                            if !all {
                                return false;
                            }
                        }
                        true
                    },
                )
            }
        }
    };
}

real!(f32, F32);
real!(f64, F64);

#[cfg(test)]
mod tests {
    use super::*;

    fn finds_bytes<F: Real>() {
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        let divided = |&b: &u8| F::of(f64::from(b)) / F::of(255.0);
        let multiplied = |&b: &u8| F::of(f64::from(b)) * (F::one() / F::of(255.0));
        for mut values in [
            bytes.iter().map(divided).collect::<Vec<F>>(),
            bytes.iter().map(multiplied).collect(),
            bytes.iter().map(|&b| F::of(f64::from(b) / 255.0)).collect(),
        ] {
            let mut found = vec![7; values.len()];
            assert!(F::as_bytes_over_255(&values, &mut found));
            assert_eq!(found, bytes);
            for other in [0.5, -1.0 / 255.0, 256.0 / 255.0, 1e-9, 1e30, f64::NAN, f64::INFINITY] {
                values[300] = F::of(other);
                assert!(!F::as_bytes_over_255(&values, &mut found), "{other}");
            }
        }
    }

    #[test]
    fn bytes_over_255_are_found_and_nothing_else() {
        finds_bytes::<f32>();
        finds_bytes::<f64>();
    }

    fn finds_the_first_not_finite<F: Real>() {
        let mut values = vec![F::of(-1e30); 3 * PIECE + 5];
        assert_eq!(F::first_not_finite(&values), None);
        for at in [3 * PIECE + 4, 2 * PIECE, 2 * PIECE - 1, 7, 0] {
            for other in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                values[at] = F::of(other);
                assert_eq!(F::first_not_finite(&values), Some(at));
            }
        }
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_found_wherever_it_is() {
        finds_the_first_not_finite::<f32>();
        finds_the_first_not_finite::<f64>();
    }
}
