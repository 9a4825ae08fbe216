//! A cost and an optimizer of one's own: the focal loss, whose gradient is checked first, and steps by
//! the gradient's sign; with `Training`, then with an engine and a loop of one's own.
//!
//! `cargo run -p dnn-train --example own_parts`

use dnn_core::nalgebra::{DMatrix, DMatrixViewMut};
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{Activation, Architecture, Dataset, Init, Network, OutputActivation, Real};
use dnn_train::engine::{EngineInput, EngineOptions, Pass};
use dnn_train::gradcheck::{self, Options};
use dnn_train::optimizer::{Optimizer, Step};
use dnn_train::{Cost, TrainConfig, Training, build_engine, evaluate};

/// The focal loss −(1 − p)^γ·ln p of the label's probability p (Lin et al. 2017): examples that are
/// right already count less. For a network with a sigmoid.
struct FocalLoss {
    gamma: f64,
}

impl<F: Real> Cost<F> for FocalLoss {
    fn value_and_gradient(
        &self,
        z: &mut DMatrixViewMut<'_, F>,
        labels: &[u32],
        weights: &[F],
    ) -> f64 {
        let (one, gamma) = (F::one(), F::of(self.gamma));
        let mut sum = 0.0;
        for ((z, &label), &weight) in z.iter_mut().zip(labels).zip(weights) {
            // p = σ(t), t the logit for the label: −ln p = ln(1 + e^−t), without overflow.
            let sign = if label == 1 { one } else { -one };
            let t = sign * *z;
            let minus_ln_p = (-t).max(F::zero()) + (-t.abs()).exp().ln_1p();
            let p = Activation::Sigmoid.value(t);
            let q = Activation::Sigmoid.value(-t);
            sum += (weight * q.powf(gamma) * minus_ln_p).as_f64();
            *z = -sign * weight * q.powf(gamma) * (gamma * p * minus_ln_p + q);
        }
        sum
    }
}

/// θ ← θ − α·sign(g).
struct SignDescent;

impl<F: Real> Optimizer<F> for SignDescent {
    fn n_moments(&self) -> usize {
        0
    }

    fn update(&self, step: &Step, parameters: &mut [F], gradients: &[F], _: &mut [&mut [F]]) {
        let (rate, gradient) = (F::of(step.learning_rate), step.gradient());
        for (p, &g) in parameters.iter_mut().zip(gradients) {
            *p -= rate * gradient(g, *p).signum();
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two rings.
    let mut rng = Generator::new(RngKind::Modern, 1)?;
    let labels: Vec<u32> = (0..200).map(|j| j % 2).collect();
    let x = DMatrix::<f64>::from_fn(2, 200, |row, j| {
        let angle = j as f64 * 0.1;
        let radius = 1.0 + f64::from(labels[j]) + 0.1 * rng.normal();
        radius * if row == 0 { angle.cos() } else { angle.sin() }
    });
    let shape = Architecture::new(vec![2, 16, 1], Activation::Gelu, OutputActivation::Sigmoid);
    let network = Network::initialize(&shape, Init::Auto, &mut rng)?;
    let cost = FocalLoss { gamma: 2.0 };

    for check in gradcheck::check(&network, &x, &labels, &cost, &Options::default()) {
        let (name, engine, gap) = (&check.name, check.engine, check.relative_gap());
        println!("{name} of the {engine} engine: apart from central differences by {gap:.1e}");
    }

    // With `Training`: batches, logs, validation, checkpoints and all.
    let data = Dataset::new(x.clone(), labels.clone(), vec!["inner".into(), "outer".into()])?;
    let config = TrainConfig::course_deep().with(|c| {
        c.hidden = vec![16];
        c.activation = Activation::Gelu;
        (c.init, c.learning_rate, c.iterations) = (Init::Auto, 0.003, 500);
    })?;
    let training = Training::new(&config, &data).cost(&cost).optimizer(&SignDescent);
    let trained = training.run(&mut [])?;
    let score = evaluate(&trained.network, &data)?.score;
    println!("Training: {} of {} right", score.correct, score.total);

    // With an engine alone.
    let options = EngineOptions::default();
    let mut engine =
        build_engine(&network, &cost, &SignDescent, EngineInput::Dense(&x), &labels, options);
    for iteration in 0..500 {
        let cost = engine.cost(Pass::all(iteration));
        if iteration % 100 == 0 {
            println!("Cost after iteration {iteration}: {cost:.6}");
        }
        engine.update(&SignDescent, Step::new(iteration as u64 + 1, 0.003), None);
    }
    let score = evaluate(&engine.network(), &data)?.score;
    println!("An engine and a loop: {} of {} right", score.correct, score.total);
    Ok(())
}
