//! All that a program needs of the three libraries: a file of images, training, a model file, and
//! what the model says of a picture.
//!
//! `cargo run -p dnn-cli --example library -- [DATA]`: DATA is a file or folder of labelled images.
//! Without it, drawn images are written as HDF5, and that file is read.

use dnn_data::hdf5::{self, Factors};
use dnn_data::image::{DecodeLimits, write_png};
use dnn_data::loader::{DataConfig, Hooks, Loader};
use dnn_data::synthetic::{DrawOptions, draw};
use dnn_data::{Model, Predictor, SplitName, Splits};
use dnn_train::{Flow, IterationEvent, TrainConfig, evaluate, train};
use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let data = if let Some(path) = std::env::args_os().nth(1) {
        PathBuf::from(path)
    } else {
        let drawn = draw(&DrawOptions::default())?;
        let path = folder.path().join("drawn.h5");
        let splits = Splits::new(Some(drawn.train), Some(drawn.test))?;
        hdf5::write_splits(&path, &splits, &Factors::default())?;
        path
    };

    // File → examples, one a column.
    let config = DataConfig::of(data);
    let mut splits = Loader::new(&config, Hooks::default()).splits()?;
    let images = splits.take(SplitName::Train).ok_or("no training images")?;
    let contract = images.contract()?;
    let examples = images.to_dataset::<f32>(&contract)?;
    println!("{} images of {}", images.len(), images.shape());

    // Examples → network.
    let config = TrainConfig::course_deep().with(|config| config.iterations = 1000)?;
    let mut log = |event: &IterationEvent<'_>| {
        if event.log {
            println!("Cost after iteration {}: {:.6}", event.iteration, event.cost);
        }
        Flow::Continue
    };
    let trained = train(&config, &examples, &mut [&mut log])?;
    if let Some(test) = splits.take(SplitName::Test) {
        let score = evaluate(&trained.network, &test.to_dataset(&contract)?)?.score;
        println!("Test accuracy: {} of {}", score.correct, score.total);
    }

    // Network → model file, with its classes and how an image becomes its input → network.
    let path = folder.path().join("model.safetensors");
    let classes = images.classes().to_vec();
    Model::new(trained.network, classes, contract)?.write(File::create(&path)?)?;
    let model = Model::read(File::open(&path)?)?;

    // Picture → class.
    let picture = folder.path().join("picture.png");
    write_png(&picture, images.image(0), images.shape())?;
    let predictor = Predictor::new(model)?;
    let probabilities = predictor.image_file(&picture, &DecodeLimits::default())?;
    for (class, probability) in predictor.classes().iter().zip(probabilities) {
        println!("{class}: {probability:.4}");
    }
    println!("It is {}", predictor.classes()[images.labels()[0] as usize]);
    Ok(())
}
