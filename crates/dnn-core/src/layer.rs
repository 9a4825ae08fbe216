//! A dense layer: the linear half, then the activation; forward and backward.

use crate::Real;
use crate::activation::{Activation, Bias};
use crate::error::NetworkError;
use crate::linear::{Gradients, linear, linear_backward};
use nalgebra::{DMatrix, DVector};

/// A dense layer: A = g(W·A_prev + b).
#[derive(Debug, Clone, PartialEq)]
pub struct Dense<F: Real> {
    pub(crate) w: DMatrix<F>,
    pub(crate) b: DVector<F>,
    pub(crate) activation: Activation,
}

/// The values of the forward pass that [`Dense::backward`] needs: the layer's input and its Z.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache<F: Real> {
    /// A_prev (n_prev, m).
    pub a_prev: DMatrix<F>,
    /// Z (n, m).
    pub z: DMatrix<F>,
}

impl<F: Real> Dense<F> {
    /// Makes a layer of n units with n_prev inputs each.
    ///
    /// # Shapes
    /// `w` (n, n_prev), `b` (n), none of them 0.
    /// # Errors
    /// [`NetworkError::EmptyLayer`] or [`NetworkError::Bias`].
    pub fn new(w: DMatrix<F>, b: DVector<F>, activation: Activation) -> Result<Self, NetworkError> {
        if w.is_empty() {
            return Err(NetworkError::EmptyLayer { n: w.nrows(), n_prev: w.ncols() });
        }
        if b.len() != w.nrows() {
            return Err(NetworkError::Bias { n: w.nrows(), bias: b.len() });
        }
        Ok(Self { w, b, activation })
    }

    /// Returns the weights W (n, n_prev).
    #[doc(alias = "W")]
    pub fn weights(&self) -> &DMatrix<F> {
        &self.w
    }

    /// Returns the bias b (n).
    pub fn bias(&self) -> &DVector<F> {
        &self.b
    }

    /// Returns the activation g.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Returns the same layer in another precision.
    pub(crate) fn cast<G: Real>(&self) -> Dense<G> {
        let number = |x: F| G::of(x.as_f64());
        Dense { w: self.w.map(number), b: self.b.map(number), activation: self.activation }
    }

    /// Returns the number of units, n.
    pub fn n(&self) -> usize {
        self.w.nrows()
    }

    /// Returns the number of inputs, n_prev.
    pub fn n_prev(&self) -> usize {
        self.w.ncols()
    }

    /// Computes Z = W·A_prev + b and A = g(Z). Returns A and the cache for the backward pass.
    ///
    /// # Shapes
    /// `a_prev` (n_prev, m) → A (n, m).
    /// # Panics
    /// When `a_prev` does not have n_prev rows.
    #[doc(alias = "linear_activation_forward")]
    pub fn forward(&self, a_prev: DMatrix<F>) -> (DMatrix<F>, Cache<F>) {
        let z = linear(&self.w, &self.b, &a_prev);
        let mut a = z.clone();
        self.activation.forward(Bias::None, &mut a.as_view_mut(), None);
        (a, Cache { a_prev, z })
    }

    /// Computes dZ = dA ⊙ g′(Z), then the backward pass of the linear half. Returns dA_prev and the
    /// gradients of this layer.
    ///
    /// # Shapes
    /// `da` (n, m) → dA_prev (n_prev, m), dW (n, n_prev), db (n), averaged over m.
    /// # Panics
    /// When `da` and the cache are not of this layer.
    #[doc(alias = "linear_activation_backward")]
    pub fn backward(&self, da: DMatrix<F>, cache: &Cache<F>) -> (DMatrix<F>, Gradients<F>) {
        let mut dz = da;
        let mut a = cache.z.clone();
        self.activation.forward(Bias::None, &mut a.as_view_mut(), None);
        self.activation.backward(&mut dz.as_view_mut(), &cache.z.as_view(), &a.as_view());
        linear_backward(&dz, &cache.a_prev, &self.w)
    }
}
