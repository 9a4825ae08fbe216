//! Activation functions: each is its value g(z) and its slope g′(z), written once below.
//!
//! Every loop over a matrix, whatever its layout, is generated from these two expressions, and the
//! choice between the activations is made once, outside the loop.

use crate::Real;
use crate::simd::{Vectorized, vectorize};
use nalgebra::{DMatrixView, DMatrixViewMut};
use serde::{Deserialize, Serialize};

/// The two functions of an activation. `FUSED` says whether the machine fuses a·b + c.
trait Function {
    /// g(z).
    fn value<F: Real, const FUSED: bool>(z: F) -> F;
    /// g′(z), where a = g(z) is known already.
    fn slope<F: Real, const FUSED: bool>(z: F, a: F) -> F;
}

/// What else there is to know of an activation.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // a table of yes and no
struct Properties {
    /// Its name in text.
    name: &'static str,
    /// Whether the slope needs z, not just the value.
    needs_z: bool,
    /// Whether the slope jumps at z = 0.
    has_kink: bool,
    /// Whether it cuts off about half of the values, for which He's initialisation makes up.
    rectifies: bool,
    /// Whether a unit can be zero for every example, and then never changes again.
    can_die: bool,
    /// The values that it approaches and does not leave.
    limits: Option<(f64, f64)>,
}

impl Properties {
    const fn of(name: &'static str) -> Self {
        Self {
            name,
            needs_z: false,
            has_kink: false,
            rectifies: false,
            can_die: false,
            limits: None,
        }
    }
}

/// Makes the enum and the choice between its variants from one entry for each activation: name in
/// text, value, slope, and the [`Properties`] that are not the usual ones.
macro_rules! activations {
    ($(
        $(#[$attribute:meta])*
        $variant:ident($name:literal) {
            value: |$z:pat_param| $value:expr,
            slope: |$slope_z:pat_param, $a:pat_param| $slope:expr
            $(, $property:ident: $setting:expr)* $(,)?
        }
    )*) => {
        /// What a layer applies to Z, element by element.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize,
            schemars::JsonSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum Activation {
            $($(#[$attribute])* $variant,)*
        }

        impl Activation {
            /// All activations, for lists and tests.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            const fn properties(self) -> Properties {
                match self {
                    $(Self::$variant => {
                        Properties { $($property: $setting,)* ..Properties::of($name) }
                    })*
                }
            }
        }

        mod functions {
            $(pub(super) struct $variant;)*
        }

        $(impl Function for functions::$variant {
            #[inline(always)]
            fn value<F: Real, const FUSED: bool>($z: F) -> F {
                $value
            }
            #[inline(always)]
            fn slope<F: Real, const FUSED: bool>($slope_z: F, $a: F) -> F {
                $slope
            }
        })*

        impl<L: Loop> Vectorized for WithActivation<L> {
            type Output = L::Output;

            #[inline(always)]
            fn run<const FUSED: bool>(self) -> L::Output {
                match self.activation {
                    $(Activation::$variant => {
                        self.work.over::<functions::$variant, FUSED>()
                    })*
                }
            }
        }
    };
}

activations! {
    /// g(z) = max(0, z); the slope at 0 is 0, as in the course.
    #[default]
    #[doc(alias = "relu_backward")]
    Relu("ReLU") {
        // NaN stays NaN, so that a broken network shows.
        value: |z| if z < F::zero() { F::zero() } else { z },
        slope: |_, a| if a <= F::zero() { F::zero() } else { F::one() },
        has_kink: true,
        rectifies: true,
        can_die: true,
    }
    /// g(z) = 1 / (1 + e⁻ᶻ).
    #[doc(alias = "sigmoid_backward")]
    Sigmoid("sigmoid") {
        value: |z| z.sigmoid_with::<FUSED>(),
        slope: |_, a| a * (F::one() - a),
        limits: Some((0.0, 1.0)),
    }
    /// g(z) = tanh z.
    Tanh("tanh") {
        value: |z| z.tanh_with::<FUSED>(),
        slope: |_, a| F::one() - a * a,
        limits: Some((-1.0, 1.0)),
    }
    /// g(z) = z where z > 0, otherwise 0.01·z.
    LeakyRelu("leaky ReLU") {
        value: |z| if z > F::zero() { z } else { F::of(0.01) * z },
        slope: |_, a| if a > F::zero() { F::one() } else { F::of(0.01) },
        has_kink: true,
        rectifies: true,
    }
    /// g(z) = z where z > 0, otherwise eᶻ − 1 (Clevert et al. 2016).
    Elu("ELU") {
        value: |z| if z > F::zero() { z } else { z.exp_m1_with::<FUSED>() },
        slope: |_, a| if a > F::zero() { F::one() } else { a + F::one() },
        rectifies: true,
    }
    /// g(z) = z·σ(z), σ the sigmoid (Elfwing et al. 2018); also known as swish.
    #[doc(alias = "swish")]
    Silu("SiLU") {
        value: |z| z * z.sigmoid_with::<FUSED>(),
        // σ + z·σ·(1 − σ), with a = z·σ.
        slope: |z, a| {
            let sigmoid = z.sigmoid_with::<FUSED>();
            sigmoid + a * (F::one() - sigmoid)
        },
        needs_z: true,
        rectifies: true,
    }
    /// g(z) = z·Φ(z), Φ the cumulative distribution of N(0, 1), exactly (Hendrycks and Gimpel
    /// 2016).
    Gelu("GELU") {
        value: |z| z * z.normal_cdf(),
        // Φ + z·φ, with Φ = a/z.
        slope: |z, a| {
            let cdf = if z == F::zero() { F::of(0.5) } else { a / z };
            let density = F::of(FRAC_1_SQRT_TAU) * (z * z * F::of(-0.5)).exp_with::<FUSED>();
            cdf + z * density
        },
        needs_z: true,
        rectifies: true,
    }
    /// g(z) = z: the output layer, whose activation the network applies itself.
    #[schemars(skip)] // no choice for hidden layers: without an activation they are one layer
    Identity("identity") {
        value: |z| z,
        slope: |_, _| F::one(),
    }
}

/// 1/√(2π).
const FRAC_1_SQRT_TAU: f64 = 0.398_942_280_401_432_7;

/// What is done with the two functions of an activation.
trait Loop {
    type Output;
    fn over<A: Function, const FUSED: bool>(self) -> Self::Output;
}

/// A loop, and the activation it is of.
struct WithActivation<L> {
    activation: Activation,
    work: L,
}

/// What is added to Z before the activation: a number for each unit.
#[derive(Debug, Clone, Copy)]
pub enum Bias<'b, F> {
    /// Nothing: the bias is in Z already.
    None,
    /// Rows are units: Z (n, m).
    Rows(&'b [F]),
    /// Columns are units: Zᵀ (m, n), the form of the training engines.
    Columns(&'b [F]),
}

impl Activation {
    /// Returns g(z) of one number.
    pub fn value<F: Real>(self, z: F) -> F {
        vectorize(WithActivation { activation: self, work: Value(z) })
    }

    /// Returns g′(z) of one number, given a = g(z). At the kink of ReLU and leaky ReLU it is the
    /// slope from the left.
    pub fn slope<F: Real>(self, z: F, a: F) -> F {
        vectorize(WithActivation { activation: self, work: Slope(z, a) })
    }

    /// Returns whether the slope is a function of z, so that Z must be kept for the backward pass; of
    /// the others it follows from the value alone.
    pub const fn needs_z(self) -> bool {
        self.properties().needs_z
    }

    /// Returns whether the slope jumps at z = 0.
    pub const fn has_kink(self) -> bool {
        self.properties().has_kink
    }

    /// Returns whether about half of the values are cut off, for which He's initialisation makes
    /// up.
    pub const fn rectifies(self) -> bool {
        self.properties().rectifies
    }

    /// Returns whether a unit can be zero for every example, and then never changes again.
    pub const fn can_die(self) -> bool {
        self.properties().can_die
    }

    /// Returns whether the value `a` is so near a limit of the activation, 1 % of their distance,
    /// that gradients vanish there.
    pub fn is_saturated(self, a: f64) -> bool {
        self.properties().limits.is_some_and(|(low, high)| {
            let margin = 0.01 * (high - low);
            a < low + margin || a > high - margin
        })
    }

    /// Computes A = g(Z + b) in place: `z` becomes A. The sums Z + b are copied to `keep`, if it is
    /// given: the backward pass needs them for some activations ([`needs_z`](Self::needs_z)).
    ///
    /// # Shapes
    /// `z` and `keep` Z (n, m) or Zᵀ (m, n), `bias` (n).
    /// # Panics
    /// When the shapes differ.
    pub fn forward<F: Real>(
        self,
        bias: Bias<'_, F>,
        z: &mut DMatrixViewMut<'_, F>,
        keep: Option<&mut DMatrixViewMut<'_, F>>,
    ) {
        match bias {
            Bias::None => {}
            Bias::Rows(b) => assert_eq!(b.len(), z.nrows(), "a bias for each unit"),
            Bias::Columns(b) => assert_eq!(b.len(), z.ncols(), "a bias for each unit"),
        }
        assert!(keep.as_ref().is_none_or(|keep| keep.shape() == z.shape()), "Z of a layer");
        F::activation_forward(self, bias, z, keep);
    }

    /// Computes dZ = dA ⊙ g′(Z) in place: `da` becomes dZ. Where the slope is zero, dZ is zero even
    /// if dA is infinite or NaN: a dead unit stays dead.
    ///
    /// # Shapes
    /// All (n, m), or all (m, n). `z` is read only where the activation [needs](Self::needs_z) it:
    /// `a` stands in for it otherwise.
    /// # Panics
    /// When the shapes differ.
    pub fn backward<F: Real>(
        self,
        da: &mut DMatrixViewMut<'_, F>,
        z: &DMatrixView<'_, F>,
        a: &DMatrixView<'_, F>,
    ) {
        assert!(da.shape() == a.shape() && z.shape() == a.shape(), "dA, Z and A of a layer");
        F::activation_backward(self, da, z, a);
    }
}

/// [`Activation::forward`], to be compiled in this crate for each number type.
#[inline(always)]
pub(crate) fn forward<F: Real>(
    activation: Activation,
    bias: Bias<'_, F>,
    z: &mut DMatrixViewMut<'_, F>,
    keep: Option<&mut DMatrixViewMut<'_, F>>,
) {
    vectorize(WithActivation { activation, work: Forward { bias, z, keep } });
}

/// [`Activation::backward`], to be compiled in this crate for each number type.
#[inline(always)]
pub(crate) fn backward<F: Real>(
    activation: Activation,
    da: &mut DMatrixViewMut<'_, F>,
    z: &DMatrixView<'_, F>,
    a: &DMatrixView<'_, F>,
) {
    vectorize(WithActivation { activation, work: Backward { da, z, a } });
}

struct Value<F>(F);

impl<F: Real> Loop for Value<F> {
    type Output = F;
    #[inline(always)]
    fn over<A: Function, const FUSED: bool>(self) -> F {
        A::value::<F, FUSED>(self.0)
    }
}

struct Slope<F>(F, F);

impl<F: Real> Loop for Slope<F> {
    type Output = F;
    #[inline(always)]
    fn over<A: Function, const FUSED: bool>(self) -> F {
        A::slope::<F, FUSED>(self.0, self.1)
    }
}

struct Forward<'a, 'z, 'k, F> {
    bias: Bias<'a, F>,
    z: &'a mut DMatrixViewMut<'z, F>,
    keep: Option<&'a mut DMatrixViewMut<'k, F>>,
}

impl<F: Real> Loop for Forward<'_, '_, '_, F> {
    type Output = ();
    #[inline(always)]
    fn over<A: Function, const FUSED: bool>(mut self) {
        for (j, mut z) in self.z.column_iter_mut().enumerate() {
            let z = z.as_mut_slice();
            match (&mut self.keep, self.bias) {
                (None, Bias::None) => z.iter_mut().for_each(|z| *z = A::value::<F, FUSED>(*z)),
                (None, Bias::Rows(b)) => {
                    z.iter_mut().zip(b).for_each(|(z, &b)| *z = A::value::<F, FUSED>(*z + b));
                }
                (None, Bias::Columns(b)) => {
                    let b = b[j];
                    for z in z {
                        *z = A::value::<F, FUSED>(*z + b);
                    }
                }
                (Some(keep), bias) => {
                    match bias {
                        Bias::None => {}
                        Bias::Rows(b) => z.iter_mut().zip(b).for_each(|(z, &b)| *z += b),
                        Bias::Columns(b) => z.iter_mut().for_each(|z| *z += b[j]),
                    }
                    keep.column_mut(j).as_mut_slice().copy_from_slice(z);
                    for z in z {
                        *z = A::value::<F, FUSED>(*z);
                    }
                }
            }
        }
    }
}

struct Backward<'a, 'd, 'z, F> {
    da: &'a mut DMatrixViewMut<'d, F>,
    z: &'a DMatrixView<'z, F>,
    a: &'a DMatrixView<'z, F>,
}

impl<F: Real> Loop for Backward<'_, '_, '_, F> {
    type Output = ();
    #[inline(always)]
    fn over<A: Function, const FUSED: bool>(self) {
        let values = self.z.column_iter().zip(self.a.column_iter());
        for (mut da, (z, a)) in self.da.column_iter_mut().zip(values) {
            let values = z.as_slice().iter().zip(a.as_slice());
            for (da, (&z, &a)) in da.as_mut_slice().iter_mut().zip(values) {
                let slope = A::slope::<F, FUSED>(z, a);
                *da = if slope == F::zero() { F::zero() } else { *da * slope };
            }
        }
    }
}

/// The activation's name in text: "leaky ReLU".
impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.properties().name)
    }
}

/// Returns max(0, z); NaN stays NaN.
pub fn relu<F: Real>(z: F) -> F {
    Activation::Relu.value(z)
}

/// Returns 1 / (1 + e⁻ᶻ), computed from e^−|z| so that nothing overflows.
pub fn sigmoid<F: Real>(z: F) -> F {
    Activation::Sigmoid.value(z)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn slopes_equal_central_differences() {
        for activation in Activation::ALL {
            for z in [-9.0, -3.0_f64, -0.7, 0.3, 2.5, 9.0] {
                let h = 1e-6;
                let numeric = (activation.value(z + h) - activation.value(z - h)) / (2.0 * h);
                let analytic = activation.slope(z, activation.value(z));
                assert!((numeric - analytic).abs() < 1e-9, "{activation} at {z}");
            }
        }
    }

    /// Z, z·Φ(z) and its derivative Φ(z) + z·φ(z), to 40 digits and rounded; what PyTorch's
    /// `torch.nn.functional.gelu(z, approximate="none")` and its gradient are in exact arithmetic:
    /// `python3 -c "from mpmath import *; mp.dps = 40; [print(z, nstr(z*ncdf(z), 17),
    /// nstr(ncdf(z) + z*npdf(z), 17)) for z in map(mpf, (-6, -3, -1, -.5, 0, .5, 1, 3, 6))]"`.
    const GELU: [(f64, f64, f64); 9] = [
        (-6.0, -5.919_525_870_226_188_5e-9, -3.546_870_945_390_201_5e-8),
        (-3.0, -0.004_049_694_094_890_283_5, -0.011_945_647_204_183_927),
        (-1.0, -0.158_655_253_931_457_05, -0.083_315_470_587_686_3),
        (-0.5, -0.154_268_769_362_993_44, 0.132_504_875_343_837_15),
        (0.0, 0.0, 0.5),
        (0.5, 0.345_731_230_637_006_56, 0.867_495_124_656_162_9),
        (1.0, 0.841_344_746_068_542_9, 1.083_315_470_587_686_4),
        (3.0, 2.995_950_305_905_11, 1.011_945_647_204_184),
        (6.0, 5.999_999_994_080_474, 1.000_000_035_468_709_5),
    ];

    #[test]
    fn gelu_is_the_exact_form() {
        for (z, value, slope) in GELU {
            let a = Activation::Gelu.value(z);
            // Relative, also where the value nearly vanishes; there the rounding of z/√2 counts z²
            // times.
            let rounding = value.abs() * (1.0 + z * z);
            assert!((a - value).abs() <= 2e-16 * rounding, "{z}: {a:e} instead of {value:e}");
            let got = Activation::Gelu.slope(z, a);
            assert!((got - slope).abs() <= 1e-15, "{z}: {got:e} instead of {slope:e}");
            let single = Activation::Gelu.value(z as f32);
            assert!((f64::from(single) - value).abs() <= 1e-7 * rounding, "{z}: {single:e}");
        }
    }

    #[test]
    fn values_of_silu_and_elu() {
        // 1/(1 + e⁻¹), −1/(1 + e) and e⁻¹ − 1.
        assert!((Activation::Silu.value(1.0_f64) - 0.731_058_578_630_004_9).abs() < 2e-16);
        assert!((Activation::Silu.value(-1.0_f64) + 0.268_941_421_369_995_1).abs() < 2e-16);
        assert!((Activation::Elu.value(-1.0_f64) + 0.632_120_558_828_557_7).abs() < 2e-16);
        assert_eq!(Activation::Elu.value(-1e-18_f64), -1e-18);
        assert_eq!(Activation::Elu.value(3.5_f64), 3.5);
    }

    /// Rows are units or columns are, with a bias or without, Z kept or not: one function.
    #[test]
    fn every_layout_has_the_same_values_and_slopes() {
        let z = DMatrix::from_fn(13, 3, |j, i| 0.9 * i as f64 - 0.7 * j as f64 + 2.0);
        let (b, none) = ([0.5, -1.0, 0.0], [0.0; 3]);
        for activation in Activation::ALL {
            for (b, bias) in [(b, Bias::Columns(&b)), (none, Bias::None)] {
                let (mut a, mut sums) = (z.clone(), z.clone());
                activation.forward(bias, &mut a.as_view_mut(), Some(&mut sums.as_view_mut()));
                let mut without = z.clone();
                activation.forward(bias, &mut without.as_view_mut(), None);
                let mut rows = z.transpose();
                let by_rows = if let Bias::Columns(b) = bias { Bias::Rows(b) } else { Bias::None };
                activation.forward(by_rows, &mut rows.as_view_mut(), None);
                assert!(a == without && a == rows.transpose(), "{activation}");
                let mut dz = DMatrix::from_element(13, 3, 2.0);
                let stands_in = if activation.needs_z() { &sums } else { &a };
                activation.backward(&mut dz.as_view_mut(), &stands_in.as_view(), &a.as_view());
                for (i, b) in b.iter().enumerate() {
                    for j in 0..13 {
                        let sum = z[(j, i)] + b;
                        assert_eq!(sums[(j, i)], sum);
                        assert_eq!(a[(j, i)], activation.value(sum));
                        assert_eq!(dz[(j, i)], 2.0 * activation.slope(sum, a[(j, i)]));
                    }
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
        let a = DMatrix::zeros(1, 2);
        Activation::Relu.backward(&mut da.as_view_mut(), &a.as_view(), &a.as_view());
        assert_eq!(da, DMatrix::zeros(1, 2));
    }

    #[test]
    fn saturation_is_1_percent_from_the_limits() {
        for (activation, a, expected) in [
            (Activation::Tanh, -0.981, true),
            (Activation::Tanh, 0.979, false),
            (Activation::Sigmoid, 0.009, true),
            (Activation::Sigmoid, 0.98, false),
            (Activation::Relu, 0.0, false),
        ] {
            assert_eq!(activation.is_saturated(a), expected, "{activation} {a}");
        }
    }
}
