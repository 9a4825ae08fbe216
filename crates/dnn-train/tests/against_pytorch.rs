//! What PyTorch 2.15 computes in float64, on examples small enough to stand here; above the numbers
//! the program that printed them.
#![allow(clippy::unwrap_used, clippy::unreadable_literal)] // golden numbers

use dnn_core::layer::Dense;
use dnn_core::{Activation, Network, OutputActivation};
use dnn_train::engine::{EngineInput, EngineOptions, Pass};
use dnn_train::optimizer::{GradientDescent, Step};
use dnn_train::{CrossEntropy, build_engine};
use nalgebra::{DMatrix, DVector};

fn close(got: &[f64], golden: &[f64]) {
    assert_eq!(got.len(), golden.len());
    for (got, golden) in got.iter().zip(golden) {
        assert!((got - golden).abs() < 1e-14, "{got} is not {golden}");
    }
}

/// ```python
/// import torch
/// torch.set_default_dtype(torch.float64)
/// x = torch.tensor([[1., 2.], [-1., .5], [.5, -1.5], [2., 1.]]); y = torch.tensor([0., 1., 1., 0.])
/// net = torch.nn.Linear(2, 1)
/// net.weight.data = torch.tensor([[.3, -.2]]); net.bias.data = torch.tensor([.1])
/// average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.6)
/// ema = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average)
/// sgd = torch.optim.SGD(net.parameters(), lr=0.5)
/// for _ in range(4):
///     sgd.zero_grad()
///     torch.nn.functional.binary_cross_entropy_with_logits(net(x)[:, 0], y).backward()
///     sgd.step(); ema.update_parameters(net)
/// print([p.tolist() for p in ema.module.parameters()], [p.tolist() for p in net.parameters()])
/// ```
#[test]
fn the_average_of_the_weights() {
    let x = DMatrix::from_column_slice(2, 4, &[1.0, 2.0, -1.0, 0.5, 0.5, -1.5, 2.0, 1.0]);
    let labels = [0, 1, 1, 0];
    let (w, b) = (DMatrix::from_row_slice(1, 2, &[0.3, -0.2]), DVector::from_element(1, 0.1));
    let layer = Dense::new(w, b, Activation::Identity).unwrap();
    let network = Network::new(vec![layer], OutputActivation::Sigmoid).unwrap();
    let cost = CrossEntropy::new(OutputActivation::Sigmoid);
    let options = EngineOptions { ema_decay: 0.6, ..EngineOptions::default() };
    for mut engine in [
        build_engine(&network, &cost, &GradientDescent, EngineInput::Dense(&x), &labels, options),
        build_engine(&network, &cost, &GradientDescent, EngineInput::Gram(&x), &labels, options),
    ] {
        for number in 1..=4 {
            engine.cost(Pass::all(0));
            engine.update(&GradientDescent, Step::new(number, 0.5), None);
        }
        let (raw, ()) = (engine.network(), engine.exchange_average());
        let average = engine.network();
        let [layer] = average.layers() else { panic!("one layer") };
        close(layer.weights().as_slice(), &[-0.2641016198780087, -0.6702409660974951]);
        close(layer.bias().as_slice(), &[0.1279567560877739]);
        close(raw.layers()[0].weights().as_slice(), &[-0.4332026134518707, -0.8000721363618059]);
        engine.exchange_average();
        assert_eq!(engine.network(), raw);
    }
}

/// ```python
/// import torch
/// torch.set_default_dtype(torch.float64)
/// share, partners = 0.6655760558665472, [2, 3, 1, 0]  # drawn with seed 1 for iteration 1
/// x = torch.tensor([[1., 2.], [-1., .5], [.5, -1.5], [2., 1.], [0., -1.]])
/// y = torch.tensor([0, 1, 2, 0, 1]); weights = torch.tensor([1., 2., .5])
/// batch = torch.tensor([4, 0, 2, 3])
/// x, y = x[batch], y[batch]
/// w = torch.tensor([[.3, -.2], [.1, .4], [-.5, .2]], requires_grad=True)
/// b = torch.tensor([.1, 0., -.1], requires_grad=True)
/// z = (share * x + (1 - share) * x[partners]) @ w.T + b
/// def loss(y):
///     each = torch.nn.functional.cross_entropy(z, y, reduction="none")
///     return (weights[y] * each).mean()
/// j = share * loss(y) + (1 - share) * loss(y[partners])
/// j.backward(); print(j.item(), w.grad.T.flatten().tolist(), b.grad.tolist())
/// ```
#[test]
fn mixed_examples() {
    let x = [1.0, 2.0, -1.0, 0.5, 0.5, -1.5, 2.0, 1.0, 0.0, -1.0];
    let (x, labels) = (DMatrix::from_column_slice(2, 5, &x), [0, 1, 2, 0, 1]);
    let w = DMatrix::from_row_slice(3, 2, &[0.3, -0.2, 0.1, 0.4, -0.5, 0.2]);
    let layer = Dense::new(w, DVector::from_vec(vec![0.1, 0.0, -0.1]), Activation::Identity);
    let network = Network::new(vec![layer.unwrap()], OutputActivation::Softmax).unwrap();
    let options = EngineOptions {
        max_batch: 4,
        class_weights: Some(&[1.0, 2.0, 0.5]),
        mixup: 0.8,
        seed: 1,
        ..EngineOptions::default()
    };
    let cost = CrossEntropy::new(OutputActivation::Softmax);
    let batch = [4, 0, 2, 3];
    let build = |input| build_engine(&network, &cost, &GradientDescent, input, &labels, options);
    let mut fed = build(EngineInput::Fed);
    fed.feed(&mut x.select_columns(&batch), 0);
    for mut engine in [build(EngineInput::Dense(&x)), build(EngineInput::Gram(&x)), fed] {
        let j = engine.cost(Pass { batch: Some(&batch), iteration: 1 });
        close(&[j], &[1.3358311067012383]);
        let gradients = &engine.gradients()[0];
        close(
            gradients.dw.as_slice(),
            &[
                -0.22179098757608995,
                0.12743008975611073,
                0.09436089781997925,
                -0.5302909383048232,
                0.48654255988786804,
                0.04374837841695528,
            ],
        );
        close(
            gradients.db.as_slice(),
            &[0.006203032220234737, -0.09394026762503213, 0.08773723540479739],
        );
    }
}
