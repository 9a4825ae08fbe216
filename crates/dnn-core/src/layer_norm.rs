//! Layer normalisation (Ba, Kiros and Hinton 2016): in each example, the sums Z of a layer are brought
//! to mean 0 and variance 1 over its units, then scaled by a gain γ and shifted by β, both learnt.
//!
//! y = γ ⊙ ẑ + β with ẑ = (z − μ)/√(σ² + ε), μ and σ² the mean and the variance (divided by n) of the n
//! sums of an example, ε = 10⁻⁵. Backwards, with g = γ ⊙ dy: dz = (g − mean(g) − ẑ·mean(g ⊙ ẑ))/√(σ² +
//! ε), dγ = Σ dy ⊙ ẑ and dβ = Σ dy over the examples.
//!
//! The loops take the transposed form of the training engines, columns as units: examples are
//! neighbours there, and each has its own sums, in the order of the units, whatever stands beside it.

use crate::Real;
use crate::simd::vectorized;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut, DVector};

/// ε, which keeps the quotient finite where all units of a layer have the same sum.
pub const EPSILON: f64 = 1e-5;
/// Examples whose sums are taken together.
const BLOCK: usize = 64;

/// The gain γ and the shift β of a layer's units.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm<F: Real> {
    pub(crate) gamma: DVector<F>,
    pub(crate) beta: DVector<F>,
}

/// The values of the forward pass that the backward pass needs, of the examples at hand.
#[derive(Debug)]
pub struct Normalized<'a, F> {
    /// Ẑᵀ (m, n): the sums with mean 0 and variance 1 in each example.
    pub values: DMatrixViewMut<'a, F>,
    /// 1/√(σ² + ε) of each example (m).
    pub inverse_deviations: &'a mut [F],
}

impl<F: Real> LayerNorm<F> {
    /// Makes the normalisation of a layer with this gain γ and shift β.
    ///
    /// # Shapes
    /// `gamma` and `beta` (n); [`Dense::with_layer_norm`](crate::layer::Dense::with_layer_norm) checks that
    /// they are as many as the layer has units.
    pub fn new(gamma: DVector<F>, beta: DVector<F>) -> Self {
        Self { gamma, beta }
    }

    /// Makes the normalisation that training starts from: γ = 1, β = 0.
    pub fn identity(n: usize) -> Self {
        Self { gamma: DVector::from_element(n, F::one()), beta: DVector::zeros(n) }
    }

    /// Returns the gain γ (n).
    pub fn gamma(&self) -> &DVector<F> {
        &self.gamma
    }

    /// Returns the shift β (n).
    pub fn beta(&self) -> &DVector<F> {
        &self.beta
    }

    /// Computes Y = γ ⊙ Ẑ + β in place: `z` becomes Y.
    ///
    /// # Shapes
    /// `z` (n, m).
    /// # Panics
    /// When `z` does not have n rows.
    pub fn forward(&self, z: &mut DMatrix<F>) {
        for example in z.as_mut_slice().chunks_exact_mut(self.gamma.len()) {
            let mut example = DMatrixViewMut::from_slice(example, 1, self.gamma.len());
            forward(self.gamma.as_slice(), self.beta.as_slice(), &mut example, None);
        }
    }

    /// Computes the backward pass: `dy` becomes dZ. Returns dγ and dβ, averaged over m.
    ///
    /// # Shapes
    /// `dy` and `z` (n, m) → dγ (n), dβ (n).
    /// # Panics
    /// When `dy` and `z` do not have n rows or differ in m.
    pub fn backward(&self, dy: &mut DMatrix<F>, z: &DMatrix<F>) -> (DVector<F>, DVector<F>) {
        assert_eq!(dy.shape(), z.shape(), "dY and Z of a layer");
        let (m, n) = (dy.ncols(), self.gamma.len());
        let (mut values, mut inverse_deviations) = (DMatrix::zeros(m, n), vec![F::zero(); m]);
        forward(
            self.gamma.as_slice(),
            self.beta.as_slice(),
            &mut z.transpose().as_view_mut(),
            Some(Normalized {
                values: values.as_view_mut(),
                inverse_deviations: &mut inverse_deviations,
            }),
        );
        let transposed = dy.transpose();
        let (mut dgamma, mut dbeta) = (DVector::zeros(n), DVector::zeros(n));
        let (values, dy_of_units) = (values.as_view(), transposed.as_view());
        gamma_gradient(&dy_of_units, &values, dgamma.as_mut_slice());
        beta_gradient(&dy_of_units, dbeta.as_mut_slice());
        let per_example = F::one() / F::of(m as f64);
        dgamma *= per_example;
        dbeta *= per_example;
        let mut dz = DMatrix::zeros(m, n);
        let gamma = self.gamma.as_slice();
        backward(gamma, &dy_of_units, &values, &inverse_deviations, &mut dz.as_view_mut());
        dy.copy_from(&dz.transpose());
        (dgamma, dbeta)
    }
}

/// Computes Yᵀ = γ ⊙ Ẑᵀ + β in place: `z` becomes Yᵀ. What the backward pass needs goes to `keep`, if
/// it is given.
///
/// # Shapes
/// `z` (m, n), `gamma` and `beta` (n), `keep` of the same m and n.
/// # Panics
/// When the shapes differ.
pub fn forward<F: Real>(
    gamma: &[F],
    beta: &[F],
    z: &mut DMatrixViewMut<'_, F>,
    keep: Option<Normalized<'_, F>>,
) {
    assert!(gamma.len() == z.ncols() && beta.len() == z.ncols(), "γ and β for each unit");
    if let Some(keep) = &keep {
        assert_eq!(keep.values.shape(), z.shape(), "Ẑ of a layer");
        assert_eq!(keep.inverse_deviations.len(), z.nrows(), "a deviation for each example");
    }
    F::layer_norm_forward(gamma, beta, z, keep);
}

/// Computes dZᵀ from dYᵀ and what the forward pass has kept.
///
/// # Shapes
/// `dy`, `values` (m, n), `gamma` (n), `inverse_deviations` (m) → `dz` (m, n).
/// # Panics
/// When the shapes differ.
pub fn backward<F: Real>(
    gamma: &[F],
    dy: &DMatrixView<'_, F>,
    values: &DMatrixView<'_, F>,
    inverse_deviations: &[F],
    dz: &mut DMatrixViewMut<'_, F>,
) {
    assert!(dy.shape() == values.shape() && dy.shape() == dz.shape(), "dY, Ẑ and dZ of a layer");
    assert_eq!((inverse_deviations.len(), gamma.len()), dy.shape(), "deviations and γ of a layer");
    F::layer_norm_backward(gamma, dy, values, inverse_deviations, dz);
}

/// Computes dγ = Σ dY ⊙ Ẑ, summed over the examples.
///
/// # Shapes
/// `dy`, `values` (m, n) → `dgamma` (n).
/// # Panics
/// When the shapes differ.
pub fn gamma_gradient<F: Real>(
    dy: &DMatrixView<'_, F>,
    values: &DMatrixView<'_, F>,
    dgamma: &mut [F],
) {
    assert_eq!(dy.shape(), values.shape(), "dY and Ẑ of a layer");
    assert_eq!(dgamma.len(), dy.ncols(), "dγ for each unit");
    for ((dy, values), dgamma) in dy.column_iter().zip(values.column_iter()).zip(dgamma) {
        *dgamma = dy.dot(&values);
    }
}

/// Computes dβ = Σ dY, summed over the examples.
///
/// # Shapes
/// `dy` (m, n) → `dbeta` (n).
/// # Panics
/// When the shapes differ.
pub fn beta_gradient<F: Real>(dy: &DMatrixView<'_, F>, dbeta: &mut [F]) {
    assert_eq!(dbeta.len(), dy.ncols(), "dβ for each unit");
    for (dy, dbeta) in dy.column_iter().zip(dbeta) {
        *dbeta = dy.sum();
    }
}

/// [`forward`], to be compiled in this crate for each number type.
#[inline(always)]
pub(crate) fn forward_loop<F: Real>(
    gamma: &[F],
    beta: &[F],
    z: &mut DMatrixViewMut<'_, F>,
    mut keep: Option<Normalized<'_, F>>,
) {
    let (m, n) = z.shape();
    let share = F::of(1.0 / n as f64);
    vectorized(
        #[inline(always)]
        || {
            for from in (0..m).step_by(BLOCK) {
                let examples = from..m.min(from + BLOCK);
                let mut z = z.rows_range_mut(examples.clone());
                let (mut means, mut inverse) = ([F::zero(); BLOCK], [F::zero(); BLOCK]);
                let (means, inverse) =
                    (&mut means[..examples.len()], &mut inverse[..examples.len()]);
                for unit in z.column_iter() {
                    for (mean, &z) in means.iter_mut().zip(unit.as_slice()) {
                        *mean += z;
                    }
                }
                for mean in means.iter_mut() {
                    *mean *= share;
                }
                for unit in z.column_iter() {
                    let sums = inverse.iter_mut().zip(&*means);
                    for ((sum, &mean), &z) in sums.zip(unit.as_slice()) {
                        *sum += (z - mean) * (z - mean);
                    }
                }
                for variance in inverse.iter_mut() {
                    *variance = F::one() / (*variance * share + F::of(EPSILON)).sqrt();
                }
                for (j, mut unit) in z.column_iter_mut().enumerate() {
                    let unit = unit.as_mut_slice();
                    for ((z, &mean), &inverse) in unit.iter_mut().zip(&*means).zip(&*inverse) {
                        *z = (*z - mean) * inverse;
                    }
                    if let Some(keep) = &mut keep {
                        let mut values = keep.values.column_mut(j);
                        values.as_mut_slice()[examples.clone()].copy_from_slice(unit);
                    }
                    let (gamma, beta) = (gamma[j], beta[j]);
                    for z in unit {
                        *z = gamma * *z + beta;
                    }
                }
                if let Some(keep) = &mut keep {
                    keep.inverse_deviations[examples].copy_from_slice(inverse);
                }
            }
        },
    );
}

/// [`backward`], to be compiled in this crate for each number type.
#[inline(always)]
pub(crate) fn backward_loop<F: Real>(
    gamma: &[F],
    dy: &DMatrixView<'_, F>,
    values: &DMatrixView<'_, F>,
    inverse_deviations: &[F],
    dz: &mut DMatrixViewMut<'_, F>,
) {
    let (m, n) = dy.shape();
    let share = F::of(1.0 / n as f64);
    vectorized(
        #[inline(always)]
        || {
            for from in (0..m).step_by(BLOCK) {
                let examples = from..m.min(from + BLOCK);
                let (dy, values) =
                    (dy.rows_range(examples.clone()), values.rows_range(examples.clone()));
                let mut dz = dz.rows_range_mut(examples.clone());
                // The means of g = γ ⊙ dy and of g ⊙ ẑ over the units.
                let (mut means, mut slopes) = ([F::zero(); BLOCK], [F::zero(); BLOCK]);
                let (means, slopes) = (&mut means[..examples.len()], &mut slopes[..examples.len()]);
                for ((dy, values), &gamma) in dy.column_iter().zip(values.column_iter()).zip(gamma)
                {
                    let sums = means.iter_mut().zip(&mut *slopes);
                    let unit = dy.as_slice().iter().zip(values.as_slice());
                    for ((mean, slope), (&dy, &value)) in sums.zip(unit) {
                        let g = gamma * dy;
                        *mean += g;
                        *slope += g * value;
                    }
                }
                for sum in means.iter_mut().chain(&mut *slopes) {
                    *sum *= share;
                }
                let units = dy.column_iter().zip(values.column_iter()).zip(dz.column_iter_mut());
                for (((dy, values), mut dz), &gamma) in units.zip(gamma) {
                    let unit = dz.as_mut_slice().iter_mut().zip(dy.as_slice());
                    let unit = unit.zip(values.as_slice());
                    let of_examples = means.iter().zip(&*slopes);
                    let of_examples = of_examples.zip(&inverse_deviations[examples.clone()]);
                    for (((dz, &dy), &value), ((&mean, &slope), &inverse)) in unit.zip(of_examples)
                    {
                        *dz = (gamma * dy - mean - value * slope) * inverse;
                    }
                }
            }
        },
    );
}
