//! How the hidden layers of a network fare.

use dnn_core::{Activation, Real};

/// How a hidden layer fares: what tells whether it still learns.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LayerHealth {
    /// Units.
    pub units: usize,
    /// Units that give the same answer to every example and learn nothing any more: ReLUs that are
    /// above zero for none.
    pub dead: usize,
    /// Share of the values of a sigmoid or tanh that are within 1 % of its limits.
    pub saturated: f64,
    /// Root mean square of dZ, not divided by the number of examples. Not finite when the squares
    /// overflow; JSON has null for it then.
    #[serde(deserialize_with = "null_is_nan")]
    pub gradient_rms: f64,
}

/// serde_json writes numbers that are not finite as null, and does not read them back.
fn null_is_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(<Option<f64> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl LayerHealth {
    /// From the values of each unit, and the gradients' size.
    pub(crate) fn of<F: Real>(
        units: impl Iterator<Item = impl AsRef<[F]>>,
        activation: Activation,
        gradient_rms: f64,
    ) -> Self {
        let (mut n_units, mut dead, mut saturated, mut n_values) = (0, 0, 0, 0);
        for unit in units {
            let unit = unit.as_ref();
            n_units += 1;
            n_values += unit.len();
            let silent = activation.can_die() && unit.iter().all(|&a| a == F::zero());
            dead += usize::from(silent);
            saturated += unit.iter().filter(|a| activation.is_saturated(a.as_f64())).count();
        }
        let saturated = if n_values == 0 { 0.0 } else { saturated as f64 / n_values as f64 };
        Self { units: n_units, dead, saturated, gradient_rms }
    }
}
