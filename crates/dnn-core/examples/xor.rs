//! dnn-core alone: a 2-4-1 network learns XOR by gradient descent, its gradient is checked first.
//!
//! `cargo run -p dnn-core --example xor`

use dnn_core::network::Workspace;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Init, Loss, Network, gradcheck};
use nalgebra::DMatrix;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Columns are examples: (0,0) (0,1) (1,0) (1,1).
    let x = DMatrix::<f64>::from_row_slice(2, 4, &[0., 0., 1., 1., 0., 1., 0., 1.]);
    let labels = [0, 1, 1, 0];

    let shape = Architecture::new(vec![2, 4, 1], Activation::Tanh, Loss::BinaryCrossEntropy);
    let mut rng = Generator::new(RngKind::Numpy, 1)?;
    let mut network = Network::initialize(&shape, Init::Glorot, &mut rng)?;

    for check in gradcheck::check(&network, &x, &labels, &gradcheck::Options::default()) {
        println!("{}: backward against differences {:.1e}", check.name, check.relative_gap());
    }

    let mut workspace = Workspace::new(&network, x.ncols());
    let mut gradients = network.zero_gradients();
    for iteration in 0..=2000 {
        let cost = network.cost_and_gradients(&x, &labels, &mut workspace, &mut gradients);
        network.update(&gradients, 0.5);
        if iteration % 500 == 0 {
            println!("Cost after iteration {iteration}: {cost:.6}");
        }
    }
    let p = network.probabilities(&x);
    for j in 0..4 {
        println!("{} xor {} = {:.3}", x[(0, j)], x[(1, j)], p[(1, j)]);
    }
    Ok(())
}
