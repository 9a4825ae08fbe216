//! A dense layer: the linear half, where it is asked for its normalisation, then the activation; forward
//! and backward.

use crate::Real;
use crate::activation::{Activation, Bias};
use crate::error::NetworkError;
use crate::layer_norm::LayerNorm;
use crate::linear::{Gradients, linear, linear_backward};
use nalgebra::{DMatrix, DVector};

/// The names of a layer's parameters: weights, bias, and the gain and the shift of its
/// [normalisation](crate::layer_norm).
pub const PARAMETER_NAMES: [&str; 4] = ["W", "b", "gamma", "beta"];

/// A dense layer: A = g(W·A_prev + b), or with [layer normalisation](crate::layer_norm) A = g(γ ⊙ Ẑ + β)
/// with Ẑ the normalised Z = W·A_prev + b.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense<F: Real> {
    pub(crate) w: DMatrix<F>,
    pub(crate) b: DVector<F>,
    pub(crate) layer_norm: Option<LayerNorm<F>>,
    pub(crate) activation: Activation,
}

/// The values of the forward pass that [`Dense::backward`] needs: the layer's input and its Z.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache<F: Real> {
    /// A_prev (n_prev, m).
    pub a_prev: DMatrix<F>,
    /// Z (n, m), before it is normalised.
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
        Ok(Self { w, b, layer_norm: None, activation })
    }

    /// Returns the same layer with its sums Z normalised before the activation, or not.
    ///
    /// # Errors
    /// [`NetworkError::LayerNorm`] unless there are a γ and a β for each unit.
    pub fn with_layer_norm(self, layer_norm: Option<LayerNorm<F>>) -> Result<Self, NetworkError> {
        if let Some(LayerNorm { gamma, beta }) = &layer_norm
            && (gamma.len() != self.n() || beta.len() != self.n())
        {
            let (n, gamma, beta) = (self.n(), gamma.len(), beta.len());
            return Err(NetworkError::LayerNorm { n, gamma, beta });
        }
        Ok(Self { layer_norm, ..self })
    }

    /// Returns a layer of the same activation and shapes with other parameters, which are asked for by
    /// their index in [`PARAMETER_NAMES`] and their shape.
    ///
    /// # Errors
    /// What `values` returns.
    /// # Panics
    /// When a matrix that `values` returns has another shape.
    pub fn with_parameters<G: Real, E>(
        &self,
        mut values: impl FnMut(usize, (usize, usize)) -> Result<DMatrix<G>, E>,
    ) -> Result<Dense<G>, E> {
        let mut vector = |index| {
            let values = values(index, (self.n(), 1))?;
            assert_eq!(values.shape(), (self.n(), 1), "{} of a layer", PARAMETER_NAMES[index]);
            Ok(DVector::from_column_slice(values.as_slice()))
        };
        let b = vector(1)?;
        let layer_norm = match &self.layer_norm {
            Some(_) => Some(LayerNorm { gamma: vector(2)?, beta: vector(3)? }),
            None => None,
        };
        let w = values(0, self.w.shape())?;
        assert_eq!(w.shape(), self.w.shape(), "W of a layer");
        Ok(Dense { w, b, layer_norm, activation: self.activation })
    }

    /// Returns the parameters in the order of [`PARAMETER_NAMES`], each column by column; γ and β are empty
    /// where the layer is not normalised.
    pub fn parameters(&self) -> [&[F]; 4] {
        let (gamma, beta) = match &self.layer_norm {
            Some(LayerNorm { gamma, beta }) => (gamma.as_slice(), beta.as_slice()),
            None => (&[][..], &[][..]),
        };
        [self.w.as_slice(), self.b.as_slice(), gamma, beta]
    }

    pub(crate) fn parameters_mut(&mut self) -> [&mut [F]; 4] {
        let (gamma, beta) = match &mut self.layer_norm {
            Some(LayerNorm { gamma, beta }) => (gamma.as_mut_slice(), beta.as_mut_slice()),
            None => (&mut [][..], &mut [][..]),
        };
        [self.w.as_mut_slice(), self.b.as_mut_slice(), gamma, beta]
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

    /// Returns the normalisation of Z, if there is one.
    pub fn layer_norm(&self) -> Option<&LayerNorm<F>> {
        self.layer_norm.as_ref()
    }

    /// Returns the activation g.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Returns the same layer in another precision.
    pub(crate) fn cast<G: Real>(&self) -> Dense<G> {
        let layer = self.with_parameters(|index, (rows, cols)| {
            let values = self.parameters()[index].iter().map(|x| G::of(x.as_f64()));
            Ok::<_, std::convert::Infallible>(DMatrix::from_iterator(rows, cols, values))
        });
        let Ok(layer) = layer;
        layer
    }

    /// Returns the number of units, n.
    pub fn n(&self) -> usize {
        self.w.nrows()
    }

    /// Returns the number of inputs, n_prev.
    pub fn n_prev(&self) -> usize {
        self.w.ncols()
    }

    /// Computes Z = W·A_prev + b, normalises it where the layer does, and A = g(Z). Returns A and the cache for the backward pass.
    ///
    /// # Shapes
    /// `a_prev` (n_prev, m) → A (n, m).
    /// # Panics
    /// When `a_prev` does not have n_prev rows.
    #[doc(alias = "linear_activation_forward")]
    pub fn forward(&self, a_prev: DMatrix<F>) -> (DMatrix<F>, Cache<F>) {
        let z = linear(&self.w, &self.b, &a_prev);
        let mut a = self.normalized(&z);
        self.activation.forward(Bias::None, &mut a.as_view_mut(), None);
        (a, Cache { a_prev, z })
    }

    /// Computes dZ = dA ⊙ g′(Z), through the normalisation where there is one, then the backward pass of the
    /// linear half. Returns dA_prev and the gradients of this layer.
    ///
    /// # Shapes
    /// `da` (n, m) → dA_prev (n_prev, m), dW (n, n_prev), db, dγ, dβ (n), averaged over m.
    /// # Panics
    /// When `da` and the cache are not of this layer.
    #[doc(alias = "linear_activation_backward")]
    pub fn backward(&self, da: DMatrix<F>, cache: &Cache<F>) -> (DMatrix<F>, Gradients<F>) {
        let mut dz = da;
        let y = self.normalized(&cache.z);
        let mut a = y.clone();
        self.activation.forward(Bias::None, &mut a.as_view_mut(), None);
        self.activation.backward(&mut dz.as_view_mut(), &y.as_view(), &a.as_view());
        let of_norm = self.layer_norm.as_ref().map(|norm| norm.backward(&mut dz, &cache.z));
        let (da_prev, mut gradients) = linear_backward(&dz, &cache.a_prev, &self.w);
        if let Some((dgamma, dbeta)) = of_norm {
            (gradients.dgamma, gradients.dbeta) = (dgamma, dbeta);
        }
        (da_prev, gradients)
    }

    /// Returns what the activation is applied to.
    fn normalized(&self, z: &DMatrix<F>) -> DMatrix<F> {
        let mut y = z.clone();
        if let Some(norm) = &self.layer_norm {
            norm.forward(&mut y);
        }
        y
    }
}
