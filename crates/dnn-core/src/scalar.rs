//! The number type of a network: single or double precision.

use crate::elementary::Elementary;
use crate::kernels::Kernels;
use nalgebra::RealField;
use serde::{Deserialize, Serialize};

/// The two precisions a network can be computed and stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
/// Sealed: the matrix kernels behind [`crate::gemm`] exist for these two types only.
pub trait Real:
    RealField + Elementary + Kernels + Copy + Default + Send + Sync + sealed::Sealed + 'static
{
    /// Which of the two this is.
    const PRECISION: Precision;
    /// The nearest value of this type to `x`.
    fn of(x: f64) -> Self;
    /// This value in double precision, exactly.
    fn as_f64(self) -> f64;
}

impl Real for f32 {
    const PRECISION: Precision = Precision::F32;
    #[inline]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const PRECISION: Precision = Precision::F64;
    #[inline]
    fn of(x: f64) -> Self {
        x
    }
    #[inline]
    fn as_f64(self) -> f64 {
        self
    }
}
