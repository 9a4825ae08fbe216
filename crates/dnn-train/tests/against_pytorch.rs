//! What PyTorch 2.15 computes in float64, on examples small enough to stand here; above the numbers
//! the program that printed them.
#![allow(clippy::unwrap_used, clippy::unreadable_literal)] // golden numbers

use dnn_core::layer::Dense;
use dnn_core::layer_norm::LayerNorm;
use dnn_core::{Activation, Network, OutputActivation};
use dnn_train::engine::{EngineInput, EngineOptions, GramMatrix, Pass};
use dnn_train::optimizer::{AdamW, GradientDescent, Optimizer, Step};
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
    let gram = GramMatrix::new(&x);
    for mut engine in [
        build_engine(&network, &cost, &GradientDescent, EngineInput::Dense(&x), &labels, options),
        build_engine(&network, &cost, &GradientDescent, EngineInput::Gram(&gram), &labels, options),
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
    let gram = GramMatrix::new(&x);
    let mut fed = build(EngineInput::Fed);
    fed.feed(&mut x.select_columns(&batch), 0);
    for mut engine in [build(EngineInput::Dense(&x)), build(EngineInput::Gram(&gram)), fed] {
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

/// ```python
/// import torch
/// torch.set_default_dtype(torch.float64)
/// X = torch.tensor([[0.5, -1.2, 0.3], [1.5, 0.7, -0.4], [-0.6, 0.9, 2.0], [-1.1, -0.8, 0.1], [0.2, 1.3, -1.7]])
/// Y = torch.tensor([0, 2, 1, 0, 1])
/// net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4), torch.nn.GELU(), torch.nn.Linear(4, 3))
/// start = [[[0.4, -0.3, 0.8], [-0.5, 0.9, 0.1], [0.7, 0.2, -0.6], [0.1, -0.8, 0.3]], [0.1, -0.2, 0.3, 0.05],
///     [1.2, 0.8, -0.5, 1.0], [0.1, 0.0, -0.3, 0.2],
///     [[0.6, -0.2, 0.5, -0.7], [-0.4, 0.3, 0.8, 0.2], [0.9, 0.1, -0.3, 0.4]], [0.0, 0.1, -0.1]]
/// with torch.no_grad():
///     for p, values in zip(net.parameters(), start): p.copy_(torch.tensor(values))
/// norm = list(net[1].parameters()); rest = [*net[0].parameters(), *net[3].parameters()]
/// adamw = torch.optim.AdamW([{"params": rest, "weight_decay": 0.1}, {"params": norm, "weight_decay": 0}], lr=0.05)
/// print(net(X).tolist())
/// for i in range(20):
///     adamw.zero_grad(); cost = torch.nn.CrossEntropyLoss()(net(X), Y); cost.backward()
///     if i in (0, 19): print(cost.item())
///     if i == 0: print([p.grad.T.flatten().tolist() for p in net.parameters()])
///     adamw.step()
/// print([p.T.flatten().tolist() for p in net.parameters()])
/// ```
#[test]
fn layer_normalisation_forward_backward_and_twenty_steps() {
    let x = [0.5, -1.2, 0.3, 1.5, 0.7, -0.4, -0.6, 0.9, 2.0, -1.1, -0.8, 0.1, 0.2, 1.3, -1.7];
    let (x, labels) = (DMatrix::from_column_slice(3, 5, &x), [0, 2, 1, 0, 1]);
    let w = [0.4, -0.3, 0.8, -0.5, 0.9, 0.1, 0.7, 0.2, -0.6, 0.1, -0.8, 0.3];
    let vector = |values: &[f64]| DVector::from_column_slice(values);
    let w = DMatrix::from_row_slice(4, 3, &w);
    let norm = LayerNorm::new(vector(&[1.2, 0.8, -0.5, 1.0]), vector(&[0.1, 0.0, -0.3, 0.2]));
    let hidden = Dense::new(w, vector(&[0.1, -0.2, 0.3, 0.05]), Activation::Gelu).unwrap();
    let w = [0.6, -0.2, 0.5, -0.7, -0.4, 0.3, 0.8, 0.2, 0.9, 0.1, -0.3, 0.4];
    let w = DMatrix::from_row_slice(3, 4, &w);
    let last = Dense::new(w, vector(&[0.0, 0.1, -0.1]), Activation::Identity).unwrap();
    let layers = vec![hidden.with_layer_norm(Some(norm)).unwrap(), last];
    let network = Network::new(layers, OutputActivation::Softmax).unwrap();
    close(network.logits(&x).as_slice(), &LOGITS);
    let cost = CrossEntropy::new(OutputActivation::Softmax);
    let optimizer = AdamW { weight_decay: 0.1, ..AdamW::default() };
    let options = EngineOptions::default();
    let mut engine =
        build_engine(&network, &cost, &optimizer, EngineInput::Dense(&x), &labels, options);
    let costs: Vec<_> = (1..=20)
        .map(|number| {
            let cost = engine.cost(Pass::all(0));
            if number == 1 {
                let all = engine.gradients();
                let all: Vec<_> = all.iter().flat_map(|g| g.slices().concat()).collect();
                close(&all, &GRADIENTS);
            }
            let step = Optimizer::<f64>::prepare(&optimizer, &Step::new(number, 0.05));
            engine.update(&optimizer, step, None);
            cost
        })
        .collect();
    close(&[costs[0], costs[19]], &[1.563390654304818, 0.17987362511761987]);
    let trained = engine.network();
    let all: Vec<_> = trained.layers().iter().flat_map(|l| l.parameters().concat()).collect();
    close(&all, &TRAINED);
}

const LOGITS: [f64; 15] = [
    -0.2661189031406314,
    -0.13854841466083995,
    0.9913023259860011,
    0.0680146728690568,
    -0.09295151179153399,
    -0.15235602508287735,
    0.7734539351101444,
    0.018570424727610974,
    0.8546266173428978,
    -0.8952038784464236,
    0.44648977128430234,
    0.67561298273561,
    -0.11802265879222187,
    0.09638953156489724,
    -0.22071051992903357,
];
const GRADIENTS: [f64; 39] = [
    0.02312333779992164,
    0.12955371238614735,
    -0.1424234950866556,
    -0.010253555099413395,
    0.3793801266281988,
    -0.14881971050731493,
    0.01505841586567677,
    -0.2456188319865607,
    0.31243528091832107,
    -0.26617643429466464,
    0.06552763573546641,
    -0.11178648235912278,
    -0.18932864472265762,
    -0.11738834394515801,
    0.1366027894747429,
    0.17011419919307275,
    0.2158535827137829,
    -0.06561802443641818,
    0.17190235336753956,
    0.49320013168297416,
    0.10657271214140238,
    -0.08700956036848276,
    -0.16740310294594288,
    0.3704500522791564,
    -0.08399870677479844,
    -0.12058258796254667,
    0.20458129473734504,
    0.09669326183872384,
    -0.15481120717193173,
    0.05811794533320787,
    -0.012394678915125086,
    -0.02629808769933923,
    0.03869276661446431,
    -0.48338476544322373,
    0.1925835749915222,
    0.29080119045170155,
    -0.12653816549807365,
    -0.10054972404378287,
    0.2270878895418565,
];
const TRAINED: [f64; 39] = [
    0.006900705690634012,
    -0.6123995494513103,
    0.5678690391541382,
    0.6842088436799344,
    -0.9338742043172171,
    1.4735225070439255,
    -0.24370352203472417,
    -0.0854948452441924,
    0.22267888431634597,
    0.44304855986670083,
    -0.172379765859337,
    0.5228253016509415,
    0.6848117132718827,
    0.08923332998525123,
    -0.23870573939753456,
    -0.4345246719832684,
    1.4505447083428042,
    1.6833284679985954,
    -0.805507768957733,
    0.5102626017641552,
    0.4641479332344091,
    0.7527502442455467,
    0.5587449207777855,
    -0.34665104994727297,
    1.3895882395045756,
    -0.6869667691786457,
    0.04568315493016305,
    -0.9232332048718196,
    1.0680172150582747,
    -0.765482424924092,
    1.2710227579607885,
    1.3978486030177912,
    -1.1105195026194152,
    -0.12457701840977985,
    -0.24892117498559585,
    -0.1984319566136047,
    0.16474978579281657,
    -0.1061964193219149,
    -0.07512451781600482,
];
