//! The course, step by step: each of its functions by itself on a small network, with the shapes that
//! come out, then the models that are made of them.
//!
//! `cargo run -p dnn-train --example course`

use dnn_core::layer::Dense;
use dnn_core::linear::{linear, linear_backward};
use dnn_core::nalgebra::DMatrix;
use dnn_core::{Activation, Dataset};
use dnn_train::{TrainConfig, evaluate, textbook, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // XOR. Columns are examples: (0,0) (0,1) (1,0) (1,1).
    let x = DMatrix::<f64>::from_row_slice(2, 4, &[0., 0., 1., 1., 0., 1., 0., 1.]);
    let y = DMatrix::from_row_slice(1, 4, &[0., 1., 1., 0.]);
    println!("X {:?}, Y {:?}", x.shape(), y.shape());

    println!("\n1. initialize_parameters_deep: one W and b for each layer");
    let mut network = textbook::initialize_parameters_deep(&[2, 4, 1], 3)?;
    for (l, layer) in (1..).zip(network.layers()) {
        println!("   W{l} {:?}, b{l} {:?}", layer.weights().shape(), layer.bias().shape());
    }

    println!("\n2. linear_forward, linear_activation_forward: one layer");
    let first = &network.layers()[0];
    let z1 = linear(first.weights(), first.bias(), &x);
    println!("   Z1 = W1·X + b1           {:?}", z1.shape());
    let (a1, cache) = first.forward(x.clone());
    println!("   A1 = relu(Z1)            {:?}, Z1 in the cache: {}", a1.shape(), cache.z == z1);

    println!("\n3. L_model_forward, compute_cost: all layers, then J");
    let (al, caches) = textbook::model_forward(&network, &x);
    println!("   AL                       {:?}, {} caches", al.shape(), caches.len());
    println!("   J = {:.6}", textbook::cost(&al, &y));

    println!("\n4. sigmoid_backward, linear_backward, linear_activation_backward: one layer back");
    let dal = textbook::cost_gradient(&al, &y);
    println!("   dAL                      {:?}", dal.shape());
    let mut dz2 = dal.clone();
    Activation::Sigmoid.backward(&mut dz2.as_view_mut(), &al.as_view(), &al.as_view());
    println!("   dZ2 = dAL ∗ g'(Z2)       {:?}", dz2.shape());
    let last = &network.layers()[1];
    let (da1, of_last) = linear_backward(&dz2, &caches[1].a_prev, last.weights());
    println!("   dA1 = W2ᵀ·dZ2            {:?}", da1.shape());
    println!("   dW2, db2                 {:?}, {:?}", of_last.dw.shape(), of_last.db.shape());
    // The same in one call, of a layer that has the sigmoid itself.
    let with_sigmoid =
        Dense::new(last.weights().clone(), last.bias().clone(), Activation::Sigmoid)?;
    let (_, at_once) = with_sigmoid.backward(dal, &caches[1]);
    println!("   linear_activation_backward gives the same: {}", at_once == of_last);

    println!("\n5. L_model_backward, update_parameters: one step of gradient descent");
    let gradients = textbook::model_backward(&network, &al, &y, &caches);
    textbook::update_parameters(&mut network, &gradients, 0.5);
    let (al, _) = textbook::model_forward(&network, &x);
    println!("   J = {:.6} afterwards", textbook::cost(&al, &y));

    println!("\n6. L_layer_model, two_layer_model: 3000 such steps");
    let print = |iteration: usize, cost: f64| {
        if iteration.is_multiple_of(1000) {
            println!("   Cost after iteration {iteration}: {cost:.6}");
        }
    };
    let deep = textbook::l_layer_model(&x, &y, &[2, 4, 1], 0.5, 3000, 3, print)?;
    println!("   predict: {}", textbook::predict(&deep, &x));
    let two = textbook::two_layer_model(&x, &y, 4, 0.5, 3000, 3, |_, _| {})?;
    println!("   the two-layer network, from smaller weights: {}", textbook::predict(&two, &x));

    println!("7. The same as training does it, from the logits and on all cores");
    let labels = y.iter().map(|&y| y as u32).collect();
    let data = Dataset::new(x, labels, vec!["equal".into(), "different".into()])?;
    let config = TrainConfig::course_deep().with(|c| {
        c.hidden = vec![4];
        (c.learning_rate, c.iterations, c.seed) = (0.5, 3000, 3);
    })?;
    let trained = train(&config, &data, &mut [])?;
    let gap = deep.layers().iter().zip(trained.network.layers());
    let gap = gap.map(|(a, b)| (a.weights() - b.weights()).amax()).fold(0.0, f64::max);
    println!(
        "   {} right, weights apart by {gap:.0e}",
        evaluate(&trained.network, &data)?.score.correct
    );
    Ok(())
}
