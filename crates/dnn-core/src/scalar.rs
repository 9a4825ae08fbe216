//! The number type of a network: single or double precision.

use crate::elementary::Elementary;
use crate::kernels::Kernels;
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
}

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
                values.iter().position(|value| !value.is_finite())
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
        }
    };
}

real!(f32, F32);
real!(f64, F64);
