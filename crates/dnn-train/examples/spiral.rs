//! dnn-train alone: a small network tells the two arms of a spiral apart.
//!
//! `cargo run -p dnn-train --example spiral`

use dnn_core::{Activation, Dataset, Examples, Init};
use dnn_train::{Flow, IterationEvent, TrainConfig, evaluate, train};
use nalgebra::DMatrix;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let m = 200;
    let labels: Vec<u32> = (0..m).map(|j| j % 2).collect();
    let x = DMatrix::<f64>::from_fn(2, m as usize, |row, j| {
        let radius = 0.1 + j as f64 / f64::from(m);
        let angle = 4.0 * radius + std::f64::consts::PI * f64::from(labels[j]);
        radius * if row == 0 { angle.cos() } else { angle.sin() }
    });
    let data = Dataset::new(x, labels, vec!["one arm".into(), "the other".into()])?;

    let config = TrainConfig::course_deep().with(|c| {
        c.hidden = vec![16, 8];
        c.activation = Activation::Tanh;
        c.init = Init::Glorot;
        c.learning_rate = 0.5;
        c.iterations = 4000;
        c.log_every = 500;
    })?;
    let mut log = |event: &IterationEvent| {
        if event.log {
            println!("Cost after iteration {}: {:.6}", event.iteration, event.cost);
        }
        Flow::Continue
    };
    let trained = train(&config, &data, &mut [&mut log])?;
    let evaluation = evaluate(&trained.network, &data)?;
    println!("{} of {} right", evaluation.score.correct, data.n_examples());
    Ok(())
}
