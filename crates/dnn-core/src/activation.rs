//! Activation functions, forward beside backward.

use crate::Real;
use crate::simd::{arch, fuses};
use nalgebra::{DMatrixView, DMatrixViewMut, Dim, Dyn, Matrix, RawStorage, StorageMut};
use pulp::{Simd, WithSimd};
use serde::{Deserialize, Serialize};

/// What a layer applies to Z, element by element.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// g(z) = max(0, z).
    #[default]
    Relu,
    /// g(z) = 1 / (1 + e⁻ᶻ).
    Sigmoid,
    /// g(z) = tanh z.
    Tanh,
    /// g(z) = z where z > 0, otherwise 0.01·z.
    LeakyRelu,
    /// g(z) = z: the output layer, whose activation belongs to the loss.
    #[schemars(skip)] // no choice for hidden layers: without an activation they are one layer
    Identity,
}

impl Activation {
    /// Slope of the leaky ReLU below zero.
    pub const LEAKY_SLOPE: f64 = 0.01;

    /// All of them, for lists and tests.
    pub const ALL: [Self; 5] =
        [Self::Relu, Self::Sigmoid, Self::Tanh, Self::LeakyRelu, Self::Identity];

    /// g(z) of one number.
    #[inline]
    pub fn value<F: Real>(self, z: F) -> F {
        match self {
            Self::Relu => relu(z),
            Self::Sigmoid => sigmoid(z),
            Self::Tanh => z.tanh(),
            Self::LeakyRelu => {
                if z > F::zero() {
                    z
                } else {
                    F::of(Self::LEAKY_SLOPE) * z
                }
            }
            Self::Identity => z,
        }
    }

    /// g′(z), given a = g(z): every activation here knows its slope from its value, so Z need not
    /// be kept. At the kink of ReLU and leaky ReLU it is the slope from the left, as in the course.
    #[inline]
    pub fn slope_at_value<F: Real>(self, a: F) -> F {
        match self {
            Self::Relu => {
                if a > F::zero() {
                    F::one()
                } else {
                    F::zero()
                }
            }
            Self::Sigmoid => a * (F::one() - a),
            Self::Tanh => F::one() - a * a,
            Self::LeakyRelu => {
                if a > F::zero() {
                    F::one()
                } else {
                    F::of(Self::LEAKY_SLOPE)
                }
            }
            Self::Identity => F::one(),
        }
    }

    /// `A = g(Z)`, in place: `z` becomes A.
    ///
    /// # Shapes
    /// `z` any.
    pub fn forward_in_place<F: Real, R: Dim, C: Dim, S: StorageMut<F, R, C>>(
        self,
        z: &mut Matrix<F, R, C, S>,
    ) {
        // One loop per activation, so that the choice is made once and the loop can be vectorised.
        match self {
            Self::Relu => z.apply(|z| *z = relu(*z)),
            Self::Identity => {}
            Self::LeakyRelu => z.apply(|z| *z = Self::LeakyRelu.value(*z)),
            Self::Sigmoid | Self::Tanh => z.apply(|z| *z = self.value(*z)),
        }
    }

    /// `A = g(Z + b)`, in place, in one pass: `z` becomes A.
    ///
    /// # Shapes
    /// `b` (n), `z` (n, m), a view allowed.
    /// # Panics
    /// When `b` and the rows of `z` differ in number.
    pub fn add_bias_and_activate<F: Real, C: Dim, S: StorageMut<F, Dyn, C>>(
        self,
        b: &[F],
        z: &mut Matrix<F, Dyn, C, S>,
    ) {
        assert_eq!(b.len(), z.nrows(), "a bias for each unit");
        for mut column in z.column_iter_mut() {
            let pairs = column.iter_mut().zip(b);
            // The choice is made outside the loop over the units, so that it can be vectorised.
            match self {
                Self::Relu => pairs.for_each(|(z, &b)| *z = relu(*z + b)),
                Self::Identity => pairs.for_each(|(z, &b)| *z += b),
                _ => pairs.for_each(|(z, &b)| *z = self.value(*z + b)),
            }
        }
    }

    /// [`add_bias_and_activate`](Self::add_bias_and_activate) on the transposed matrix, vectorised:
    /// the form of the training engines, in which the examples of a unit are contiguous.
    ///
    /// # Shapes
    /// `b` (n), `z` Zᵀ (m, n).
    /// # Panics
    /// When `b` and the columns of `z` differ in number.
    pub fn add_bias_and_activate_units<F: Real>(self, b: &[F], z: &mut DMatrixViewMut<'_, F>) {
        assert_eq!(b.len(), z.ncols(), "a bias for each unit");
        F::forward_units(self, b, z);
    }

    /// [`backward_in_place`](Self::backward_in_place) on the transposed matrices, vectorised.
    ///
    /// # Shapes
    /// `da` dAᵀ, becomes dZᵀ, and `a` Aᵀ: (m, n).
    /// # Panics
    /// When the shapes differ.
    pub fn backward_units_in_place<F: Real>(
        self,
        da: &mut DMatrixViewMut<'_, F>,
        a: &DMatrixView<'_, F>,
    ) {
        assert_eq!(da.shape(), a.shape(), "dA and A of a layer");
        F::backward_units(self, da, a);
    }

    /// `dZ = dA ∗ g′(Z)`, in place: `da` becomes dZ. The layer's output `a` stands in for Z.
    ///
    /// # Shapes
    /// `da` and `a` (n, m).
    /// # Panics
    /// When the shapes differ.
    #[doc(alias = "relu_backward")]
    #[doc(alias = "sigmoid_backward")]
    pub fn backward_in_place<F: Real, R: Dim, C: Dim, S, T>(
        self,
        da: &mut Matrix<F, R, C, S>,
        a: &Matrix<F, R, C, T>,
    ) where
        S: StorageMut<F, R, C>,
        T: RawStorage<F, R, C>,
    {
        assert_eq!(da.shape(), a.shape(), "dA and A of a layer");
        match self {
            // Not a product with 0: an infinite or NaN dA must not turn a dead unit into NaN.
            Self::Relu => da.zip_apply(a, |da, a| {
                if a <= F::zero() {
                    *da = F::zero();
                }
            }),
            Self::Identity => {}
            Self::LeakyRelu | Self::Sigmoid | Self::Tanh => {
                da.zip_apply(a, |da, a| *da *= self.slope_at_value(a));
            }
        }
    }
}

/// [`Activation::add_bias_and_activate_units`] for this machine.
#[inline(always)]
pub(crate) fn forward_units<F: Real>(
    activation: Activation,
    b: &[F],
    z: &mut DMatrixViewMut<'_, F>,
) {
    arch().dispatch(ForwardUnits { activation, b, z });
}

/// [`Activation::backward_units_in_place`] for this machine.
#[inline(always)]
pub(crate) fn backward_units<F: Real>(
    activation: Activation,
    da: &mut DMatrixViewMut<'_, F>,
    a: &DMatrixView<'_, F>,
) {
    arch().dispatch(BackwardUnits { activation, da, a });
}

struct ForwardUnits<'a, 'z, F> {
    activation: Activation,
    b: &'a [F],
    z: &'a mut DMatrixViewMut<'z, F>,
}

impl<F: Real> WithSimd for ForwardUnits<'_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if fuses::<S>() { self.run::<true>() } else { self.run::<false>() }
    }
}

impl<F: Real> ForwardUnits<'_, '_, F> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for (mut z, &b) in self.z.column_iter_mut().zip(self.b) {
            let z = z.as_mut_slice();
            // The choice is made outside the loop over the examples, so that it is vectorised.
            match self.activation {
                Activation::Relu => each(z, |z| relu(z + b)),
                Activation::Identity => each(z, |z| z + b),
                Activation::LeakyRelu => each(z, |z| Activation::LeakyRelu.value(z + b)),
                Activation::Sigmoid => each(z, |z| (z + b).sigmoid_with::<FUSED>()),
                Activation::Tanh => each(z, |z| (z + b).tanh_with::<FUSED>()),
            }
        }
    }
}

#[inline(always)]
fn each<F: Copy>(values: &mut [F], f: impl Fn(F) -> F) {
    for value in values {
        *value = f(*value);
    }
}

struct BackwardUnits<'a, 'd, 'z, F> {
    activation: Activation,
    da: &'a mut DMatrixViewMut<'d, F>,
    a: &'a DMatrixView<'z, F>,
}

impl<F: Real> WithSimd for BackwardUnits<'_, '_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (mut da, a) in self.da.column_iter_mut().zip(self.a.column_iter()) {
            let pairs = da.as_mut_slice().iter_mut().zip(a.as_slice());
            match self.activation {
                // Not a product with 0: an infinite or NaN dA must not turn a dead unit into NaN.
                Activation::Relu => {
                    pairs.for_each(|(da, &a)| *da = if a <= F::zero() { F::zero() } else { *da });
                }
                Activation::Identity => {}
                Activation::LeakyRelu => {
                    pairs.for_each(|(da, &a)| *da *= Activation::LeakyRelu.slope_at_value(a));
                }
                Activation::Sigmoid => pairs.for_each(|(da, &a)| *da *= a * (F::one() - a)),
                Activation::Tanh => pairs.for_each(|(da, &a)| *da *= F::one() - a * a),
            }
        }
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Relu => "ReLU",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::LeakyRelu => "leaky ReLU",
            Self::Identity => "identity",
        })
    }
}

/// max(0, z); NaN stays NaN, so that a broken network shows.
#[inline]
pub fn relu<F: Real>(z: F) -> F {
    if z < F::zero() { F::zero() } else { z }
}

/// 1 / (1 + e⁻ᶻ), computed from e^−|z| so that nothing overflows.
#[inline]
pub fn sigmoid<F: Real>(z: F) -> F {
    let e = (-z.abs()).exp();
    let p = F::one() / (F::one() + e);
    if z < F::zero() { e * p } else { p }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn slopes_equal_central_differences() {
        for activation in Activation::ALL {
            for z in [-3.0_f64, -0.7, 0.3, 2.5] {
                let h = 1e-6;
                let numeric = (activation.value(z + h) - activation.value(z - h)) / (2.0 * h);
                let analytic = activation.slope_at_value(activation.value(z));
                assert!((numeric - analytic).abs() < 1e-9, "{activation} at {z}");
            }
        }
    }

    #[test]
    fn in_place_forms_agree_with_the_scalar_ones() {
        let z = DMatrix::from_fn(3, 4, |i, j| i as f64 - 0.7 * j as f64);
        for activation in Activation::ALL {
            let mut a = z.clone();
            activation.forward_in_place(&mut a);
            assert_eq!(a, z.map(|z| activation.value(z)));
            let mut dz = DMatrix::from_element(3, 4, 2.0);
            activation.backward_in_place(&mut dz, &a);
            assert_eq!(dz, a.map(|a| 2.0 * activation.slope_at_value(a)));
        }
    }

    #[test]
    fn transposed_forms_agree_with_the_scalar_ones() {
        let z = DMatrix::from_fn(13, 3, |j, i| 0.9 * i as f64 - 0.7 * j as f64 + 2.0);
        let b = [0.5, -1.0, 0.0];
        for activation in Activation::ALL {
            let (mut a, mut dz) = (z.clone(), DMatrix::from_element(13, 3, 2.0));
            activation.add_bias_and_activate_units(&b, &mut a.as_view_mut());
            activation.backward_units_in_place(&mut dz.as_view_mut(), &a.as_view());
            for (i, b) in b.iter().enumerate() {
                for j in 0..13 {
                    let expected = activation.value(z[(j, i)] + b);
                    assert!((a[(j, i)] - expected).abs() <= 3.0 * f64::EPSILON * expected.abs());
                    assert_eq!(dz[(j, i)], 2.0 * activation.slope_at_value(a[(j, i)]));
                }
            }
        }
    }

    #[test]
    fn sigmoid_survives_the_whole_range() {
        assert_eq!(sigmoid(f64::INFINITY), 1.0);
        assert_eq!(sigmoid(f64::NEG_INFINITY), 0.0);
        assert_eq!(sigmoid(0.0_f32), 0.5);
        assert!(sigmoid(f64::NAN).is_nan() && relu(f64::NAN).is_nan());
        assert!(sigmoid(-745.0_f64) > 0.0, "still a subnormal, not zero");
    }

    #[test]
    fn a_dead_unit_stops_even_an_infinite_gradient() {
        let mut da = DMatrix::from_row_slice(1, 2, &[f64::INFINITY, f64::NAN]);
        Activation::Relu.backward_in_place(&mut da, &DMatrix::zeros(1, 2));
        assert_eq!(da, DMatrix::zeros(1, 2));
    }
}
