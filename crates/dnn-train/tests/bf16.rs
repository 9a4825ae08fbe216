//! Training in bf16: what is rounded, and that it ends with the same bits however it is run.
#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{Keep, everything, three_classes};
use dnn_core::gemm::{Factor, FactorPrecision, plain, transposed};
use dnn_core::linear::Gradients;
use dnn_core::rng::{Generator, RngKind};
use dnn_core::{
    Activation, Architecture, Dataset, Examples, Init, Network, OutputActivation, Precision,
};
use dnn_train::engine::{EngineInput, EngineKind, EngineOptions, Pass};
use dnn_train::optimizer::{Adam, GradientDescent, Momentum};
use dnn_train::{
    Checkpoint, CrossEntropy, TrainConfig, TrainError, TrainingPrecision, build_engine, train,
};
use nalgebra::DMatrix;

fn product(a: Factor<'_, f32>, b: Factor<'_, f32>) -> DMatrix<f32> {
    let mut c = DMatrix::zeros(a.shape().0, b.shape().1);
    FactorPrecision::Bf16.multiply(a, b, &mut c);
    c
}

/// Cost and gradients by the formulas, with each of the layers' products in bf16.
fn by_formula(
    network: &Network<f32>,
    x: &DMatrix<f32>,
    labels: &[u32],
) -> (f64, Vec<Gradients<f32>>) {
    let (m, layers) = (x.ncols(), network.layers());
    let mut a = vec![x.clone()];
    for (l, layer) in layers.iter().enumerate() {
        let mut z = product(plain(layer.weights()), plain(&a[l]));
        z.column_iter_mut().for_each(|mut z| z += layer.bias());
        a.push(if l + 1 < layers.len() { z.map(|z| z.max(0.0)) } else { z });
    }
    let mut dz = network.output().probabilities(a.pop().unwrap());
    let cost = (0..m).map(|j| -f64::from(dz[(labels[j] as usize, j)]).ln()).sum::<f64>() / m as f64;
    (0..m).for_each(|j| dz[(labels[j] as usize, j)] -= 1.0);
    dz /= m as f32;
    let mut gradients = Vec::new();
    for (layer, a_prev) in layers.iter().zip(&a).rev() {
        let dw = product(plain(&dz), transposed(a_prev));
        gradients.insert(0, Gradients::new(dw, dz.column_sum()));
        let da = product(transposed(layer.weights()), plain(&dz));
        dz = da.zip_map(a_prev, |da, a| if a > 0.0 { da } else { 0.0 });
    }
    (cost, gradients)
}

#[test]
fn the_products_of_the_layers_are_rounded_and_nothing_else() {
    // Of few units, of many, where tasks are on one layer at a time, and of none.
    for hidden in [vec![20, 7], vec![300, 500], vec![]] {
        let dims = [vec![600], hidden.clone(), vec![4]].concat();
        let shape = Architecture::new(dims, Activation::Relu, OutputActivation::Softmax);
        let mut rng = Generator::new(RngKind::Modern, 7).unwrap();
        let network = Network::<f32>::initialize(&shape, Init::He, &mut rng).unwrap();
        let m = 150;
        let x = rng.normal_matrix(600, m);
        let labels: Vec<u32> = (0..m as u32).map(|j| j % 4).collect();
        let cost = CrossEntropy::new(OutputActivation::Softmax);
        let (expected_cost, expected) = by_formula(&network, &x, &labels);
        let worst = |factors, max_batch| {
            let options =
                EngineOptions { factors, max_batch, n_threads: 2, ..EngineOptions::default() };
            let input = EngineInput::Dense(&x);
            let mut engine =
                build_engine(&network, &cost, &GradientDescent, input, &labels, options);
            let batch: Vec<_> = (0..m).collect();
            let batch = (max_batch > 0).then_some(&batch[..]);
            let cost = engine.cost(Pass { batch, iteration: 0 });
            let norm = |of: &[f32]| of.iter().map(|x| x * x).sum::<f32>().sqrt();
            let gaps = engine.gradients().into_iter().zip(&expected).flat_map(|(got, expected)| {
                [
                    (got.dw - &expected.dw, norm(expected.dw.as_slice())),
                    (DMatrix::from_columns(&[got.db - &expected.db]), norm(expected.db.as_slice())),
                ]
            });
            let gaps = gaps.map(|(gap, of)| f64::from(norm(gap.as_slice()) / of));
            gaps.fold((cost - expected_cost).abs() / expected_cost, f64::max)
        };
        for max_batch in [0, m] {
            let (bf16, full) =
                (worst(FactorPrecision::Bf16, max_batch), worst(FactorPrecision::Full, max_batch));
            // Where a sum of another order is rounded to the other neighbour in the next product, a
            // bit is one of 256.
            assert!(bf16 < 2e-4 && full > 2e-3, "{hidden:?}: {bf16} {full}");
        }
    }
}

fn in_bf16(config: TrainConfig) -> TrainConfig {
    config.with(|c| c.precision = TrainingPrecision::Bf16).unwrap()
}

#[test]
fn any_number_of_threads_and_any_checkpoint_end_with_the_same_bits() {
    let data: Dataset<f32> = three_classes(600, 183);
    // Of few units, and so many that all threads have work.
    for hidden in [vec![12, 7], vec![300, 500]] {
        for batch_size in [0, 70] {
            let config = everything(Adam::default(), batch_size, EngineKind::Auto);
            let config =
                in_bf16(config).with(|c| (c.hidden, c.iterations) = (hidden.clone(), 7)).unwrap();
            let mut keep = Keep::default();
            let whole = train(&config, &data, &mut [&mut keep]).unwrap();
            assert_eq!((whole.engine, keep.0.len()), ("dense", 7));
            for threads in [2, 3] {
                let config = config.clone().with(|c| c.threads = threads).unwrap();
                let again = train(&config, &data, &mut []).unwrap();
                assert!(
                    (again.network, again.costs) == (whole.network.clone(), whole.costs.clone())
                );
            }
            for bytes in &keep.0 {
                let checkpoint = Checkpoint::from_bytes(bytes).unwrap();
                let training = dnn_train::Training::new(&config, &data);
                let resumed = training.resume_from(Some(&checkpoint)).run(&mut []).unwrap();
                assert!(
                    (resumed.network, resumed.costs)
                        == (whole.network.clone(), whole.costs.clone())
                );
                assert_eq!(resumed.validations, whole.validations);
            }
            let in_f32 = config.with(|c| c.precision = TrainingPrecision::F32).unwrap();
            let in_f32 = train(&in_f32, &data, &mut []).unwrap();
            let [first, other] = [&whole, &in_f32].map(|trained| trained.costs[0].cost);
            assert!(first != other && (first / other - 1.0).abs() < 0.01, "{first} {other}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_precision_is_refused() {
    let data: Dataset<f32> = three_classes(20, 40);
    let config = everything(Momentum::default(), 0, EngineKind::Dense);
    let config = config.with(|c| c.precision = TrainingPrecision::F32).unwrap();
    let mut keep = Keep::default();
    train(&config, &data, &mut [&mut keep]).unwrap();
    let checkpoint = Checkpoint::from_bytes(&keep.0[3]).unwrap();
    let config = in_bf16(config);
    let training = dnn_train::Training::new(&config, &data).resume_from(Some(&checkpoint));
    let error = training.run(&mut []).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("the precision was f32"), "{cause}");
}

#[test]
fn only_the_dense_engine_trains_so_and_only_numbers_in_f32() {
    let gram = everything(GradientDescent, 0, EngineKind::Gram);
    let error = gram.clone().with(|c| c.precision = TrainingPrecision::Bf16).unwrap_err();
    assert_eq!(error.key(), "engine");
    assert!(error.to_string().starts_with("engine gram with precision bf16"), "{error}");
    // Where in f32 the other engine is cheaper.
    let auto = gram.with(|c| (c.engine, c.iterations) = (EngineKind::Auto, 2000)).unwrap();
    let auto = auto.with(|c| c.patience = 1).unwrap();
    let data: Dataset<f32> = three_classes(600, 30);
    let trained = |precision| {
        let config = auto.clone().with(|c| c.precision = precision).unwrap();
        train(&config, &data, &mut []).unwrap()
    };
    assert_eq!(trained(TrainingPrecision::F32).engine, "gram");
    assert_eq!(trained(TrainingPrecision::Bf16).engine, "dense");

    let double: Dataset<f64> = three_classes(600, 30);
    assert_eq!(double.n_examples(), 30);
    let error = train(&in_bf16(auto), &double, &mut []).unwrap_err();
    assert!(matches!(error, TrainError::DoubleInBf16), "{error}");
}

#[test]
fn precisions_are_known_by_their_names() {
    for precision in TrainingPrecision::ALL {
        let config = TrainConfig::course_deep().with(|c| c.precision = precision).unwrap();
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains(&format!("precision = \"{precision}\"")), "{text}");
        assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config);
    }
    for numbers in Precision::ALL {
        let precision = TrainingPrecision::from(numbers);
        assert_eq!((precision.numbers(), precision.factors()), (numbers, FactorPrecision::Full));
    }
}
