//! A layer in training, and the pieces in which its parameters change.

use super::LayerHealth;
use super::dropout::Dropout;
use super::input::Input;
use super::parameters::{Parameters, Scratch};
use crate::optimizer::{Optimizer, Step};
use crate::shared::{Part, SharedMatrix};
use dnn_core::{Activation, Real};

/// One layer with all that training keeps beside it; the first one's weights are the input's.
pub(super) struct Layer<F> {
    /// Wᵀ (n_prev, n).
    pub(super) w: Option<Parameters<F>>,
    /// b (n, 1).
    pub(super) b: Parameters<F>,
    pub(super) activation: Activation,
    /// Aᵀ (m, n); of the output layer Zᵀ.
    pub(super) a: SharedMatrix<F>,
    /// dZᵀ (m, n).
    pub(super) dz: SharedMatrix<F>,
    pub(super) dropout: Option<Dropout<F>>,
}

/// What one task of phase 2 changes.
pub(super) struct Piece<'a, F, I> {
    pub(super) task: usize,
    pub(super) layer: usize,
    pub(super) layers: &'a [Layer<F>],
    pub(super) input: &'a I,
    /// Of W; `None` in the first layer, whose weights are the input's.
    pub(super) part: Option<&'a Part>,
    /// Whether the layer's bias goes with it.
    pub(super) has_bias: bool,
}

impl<'a, F: Real, I: Input<F>> Piece<'a, F, I> {
    pub(super) fn of(
        task: usize,
        n_first: usize,
        weight_tasks: &'a [(usize, Part)],
        layers: &'a [Layer<F>],
        input: &'a I,
    ) -> Self {
        if task < n_first {
            return Self { task, layer: 0, layers, input, part: None, has_bias: task == 0 };
        }
        let (layer, ref part) = weight_tasks[task - n_first];
        let has_bias = part.rows.start == 0 && part.cols.start == 0;
        Self { task, layer, layers, input, part: Some(part), has_bias }
    }

    /// The optimizer's step on it, and what the next iteration can have of it at once.
    ///
    /// # Safety
    /// Nobody else may use this piece's parameters, or `scratch`, meanwhile.
    pub(super) unsafe fn step(
        &self,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        scratch: &Scratch<F>,
    ) {
        let layer = &self.layers[self.layer];
        // SAFETY: the caller's promise.
        unsafe {
            if let (Some(part), Some(w)) = (self.part, &layer.w) {
                w.step(optimizer, step, part, scratch);
            } else {
                self.input.step(self.task, optimizer, step, scratch);
                self.input.look_ahead(self.task);
            }
            if self.has_bias {
                let step = Step { l2: 0.0, ..*step };
                layer.b.step(optimizer, &step, &layer.b.values.whole(), scratch);
            }
        }
    }
}

/// See [`LayerHealth`]; `share` is the mean weight of an example, by which dZ is multiplied.
pub(super) fn layer_health<F: Real>(layer: &mut Layer<F>, m: usize, share: f64) -> LayerHealth {
    let (a, dz) = (layer.a.all_mut(), layer.dz.all_mut());
    let squares: f64 = dz.rows(0, m).iter().map(|dz| dz.as_f64().powi(2)).sum();
    let gradient_rms = (squares / (m * dz.ncols()) as f64).sqrt() / share;
    let a = a.rows(0, m);
    let units = a.column_iter().map(|unit| unit.as_slice().to_vec());
    LayerHealth::of(units, layer.activation, gradient_rms)
}
