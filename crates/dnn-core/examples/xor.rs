//! dnn-core alone: two layers learn XOR by gradient descent, each forward and backward by itself.
//!
//! `cargo run -p dnn-core --example xor`

use dnn_core::layer::Dense;
use dnn_core::linear::Gradients;
use dnn_core::nalgebra::{DMatrix, DVector};
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Init, NetworkError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Columns are examples: (0,0) (0,1) (1,0) (1,1).
    let x = DMatrix::<f64>::from_row_slice(2, 4, &[0., 0., 1., 1., 0., 1., 0., 1.]);
    let y = DMatrix::from_row_slice(1, 4, &[0., 1., 1., 0.]);

    let mut rng = Generator::new(RngKind::Numpy, 1)?;
    let mut layer = |n: usize, n_prev: usize, activation| {
        Dense::new(Init::Glorot.weights(n, n_prev, &mut rng), DVector::zeros(n), activation)
    };
    let (mut first, mut last) = (layer(4, 2, Activation::Tanh)?, layer(1, 4, Activation::Sigmoid)?);
    for iteration in 0..=2000 {
        let (a1, cache1) = first.forward(x.clone());
        let (a2, cache2) = last.forward(a1);
        let da2 = a2.zip_map(&y, |a, y| -(y / a - (1.0 - y) / (1.0 - a)));
        let (da1, of_last) = last.backward(da2, &cache2);
        let (_, of_first) = first.backward(da1, &cache1);
        (first, last) = (stepped(&first, &of_first)?, stepped(&last, &of_last)?);
        if iteration % 500 == 0 {
            let sum =
                a2.zip_fold(&y, 0.0, |sum, a, y| sum + y * a.ln() + (1.0 - y) * (1.0 - a).ln());
            println!("Cost after iteration {iteration}: {:.6}", -sum / 4.0);
        }
    }
    let a = last.forward(first.forward(x.clone()).0).0;
    for j in 0..4 {
        println!("{} xor {} = {:.3}", x[(0, j)], x[(1, j)], a[(0, j)]);
    }
    Ok(())
}

/// W − α·dW, b − α·db with α = 0.5.
fn stepped(layer: &Dense<f64>, gradients: &Gradients<f64>) -> Result<Dense<f64>, NetworkError> {
    let w = layer.weights() - &gradients.dw * 0.5;
    Dense::new(w, layer.bias() - &gradients.db * 0.5, layer.activation())
}
