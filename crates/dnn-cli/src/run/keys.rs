//! What every key of a configuration file means, for the people who write one.
//!
//! Values, defaults and names to choose from are not here: they come from the code that reads the
//! file. A key without an entry fails a test of [`super::template`].

/// A key, or the table of that name.
pub(crate) struct Key {
    /// Where it stands: the tables' names and its own, with dots.
    pub(crate) path: &'static str,
    /// Meaning, unit and range; one sentence or two.
    pub(crate) text: &'static str,
    /// A value to show where the configuration has none.
    pub(crate) example: Option<&'static str>,
}

/// The entry of a key.
pub(crate) fn find(path: &[&str]) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path.split('.').eq(path.iter().copied()))
}

const fn key(path: &'static str, text: &'static str) -> Key {
    Key { path, text, example: None }
}

const fn shown(path: &'static str, text: &'static str, example: &'static str) -> Key {
    Key { path, text, example: Some(example) }
}

/// All of them.
pub(crate) const KEYS: &[Key] = &[
    shown(
        "checkpoint_every",
        "How often a checkpoint is kept to go on from: iterations (\"100\"), epochs (\"1epochs\") or \
         seconds (\"30s\"); without it only when training is interrupted.",
        "\"100\"",
    ),
    key("training", "The network and how it is trained."),
    key(
        "training.hidden",
        "Units of each hidden layer, first to last; [] for logistic regression. The sizes of input \
         and output come with the data.",
    ),
    key("training.activation", "What hidden layers apply to Z."),
    shown(
        "training.activations",
        "The activation of each hidden layer, where they differ; as many as there are hidden layers.",
        "[\"relu\", \"relu\", \"tanh\"]",
    ),
    key(
        "training.loss",
        "The output layer and its cross-entropy; auto: the sigmoid for two classes, the softmax for \
         more.",
    ),
    key(
        "training.init",
        "How the weights are drawn (biases start at 0); auto: he for ReLUs, glorot for the others.",
    ),
    key("training.rng", "Generator of all random numbers: NumPy's legacy stream, or Xoshiro256++."),
    key("training.seed", "Where the generator starts, a whole number; numpy takes 32 bits."),
    key("training.learning_rate", "Learning rate α, the length of a step; above 0."),
    key(
        "training.iterations",
        "Updates of the parameters, a whole number; not when `epochs` counts.",
    ),
    key("training.epochs", "Passes over the training set; 0: `iterations` counts instead."),
    key("training.batch_size", "Examples of an update; 0: all of them."),
    key(
        "training.l2",
        "λ of the penalty λ/2m·Σ‖W‖² in the cost, m the examples of the batch; at least 0.",
    ),
    key(
        "training.dropout",
        "Share of the hidden layers' values dropped in training, 1 − keep_prob; at least 0, below 1.",
    ),
    key("training.clip_norm", "Norm of all gradients together at most; 0: no limit."),
    key(
        "training.class_weights",
        "What the examples of each class count in the cost: \"none\" (all 1), \"balanced\" (every class \
         the same), or a list with a number for each class.",
    ),
    key(
        "training.validation",
        "Share of the training set kept to judge by, of each class alike; at least 0, below 1. Not \
         used when the data have a validation set.",
    ),
    key(
        "training.validate_every",
        "Updates between two validations; 0: an epoch, or `log_every` when an update takes all \
         examples.",
    ),
    key(
        "training.patience",
        "Validations without improvement until training stops; 0: it never does.",
    ),
    key("training.monitor", "What has to improve for `patience` and `restore_best`."),
    key("training.restore_best", "Whether to end with the parameters of the best validation."),
    key("training.log_every", "The cost is logged every so many iterations, from 0; at least 1."),
    key("training.precision", "Numbers of 4 bytes or of 8, in training and in the model file."),
    key(
        "training.engine",
        "How the first layer is computed; a matter of speed, the weights are the same apart from \
         rounding.",
    ),
    key(
        "training.threads",
        "Threads at most, 0 for as many as the machine has; the result does not depend on it.",
    ),
    key("training.optimizer", "How gradients become steps."),
    key("training.optimizer.name", "The optimizer."),
    key("training.optimizer.momentum", "momentum μ, at least 0 and below 1."),
    key("training.optimizer.decay", "decay ρ of the mean square, at least 0 and below 1."),
    key("training.optimizer.epsilon", "ε in the denominator, at least 0."),
    key("training.optimizer.beta1", "decay β₁ of the mean, at least 0 and below 1."),
    key("training.optimizer.beta2", "decay β₂ of the mean square, at least 0 and below 1."),
    key("training.optimizer.weight_decay", "decay of the weights beside the gradient, at least 0."),
    key("training.schedule", "How the learning rate changes."),
    key(
        "training.schedule.name",
        "The schedule. Epochs are iterations when an update takes all examples.",
    ),
    shown("training.schedule.every", "epochs between two changes, at least 1.", "10"),
    shown("training.schedule.factor", "what α is multiplied by, above 0.", "0.5"),
    shown("training.schedule.decay", "α = α₀ / (1 + decay·epoch), at least 0.", "1.0"),
    key("training.schedule.warmup", "iterations in which α rises from 0."),
    key("training.schedule.minimum", "the smallest α, at least 0."),
    shown(
        "training.schedule.patience",
        "validations without a lower cost until α is multiplied.",
        "10",
    ),
    key(
        "source",
        "Where the images come from. Without this table the command line says it, or data/ is \
         taken when the cat images are there, and drawn ones when not.",
    ),
    key(
        "source.data",
        "A folder or file of labelled images or numbers, or \"drawn\". A relative path starts from \
         the folder of this file.",
    ),
    shown(
        "source.test",
        "A file or folder with the test images, when they are elsewhere.",
        "\"test.h5\"",
    ),
    shown(
        "source.validation",
        "A file or folder with images to judge by while training.",
        "\"validation.h5\"",
    ),
    key(
        "source.names",
        "Datasets (HDF5) or arrays (.npz) of the training images, when they do not have usual names.",
    ),
    shown("source.names.x", "Images, (m, height, width, channels).", "\"images\""),
    shown("source.names.y", "Labels, (m), from 0.", "\"labels\""),
    shown("source.names.classes", "Names of the classes.", "\"class_names\""),
    key("source.test_names", "Datasets of the test images, in `test` or else in `data`."),
    shown("source.test_names.x", "Images, (m, height, width, channels).", "\"test_images\""),
    shown("source.test_names.y", "Labels, (m), from 0.", "\"test_labels\""),
    shown("source.test_names.classes", "Names of the classes.", "\"class_names\""),
    shown(
        "source.label",
        "The column of the labels in a table (CSV), by its name or its number from 1.",
        "\"species\"",
    ),
    key(
        "source.scale",
        "What numbers that are no bytes become: auto divides whole ones from 0 to 255 by 255.",
    ),
    shown(
        "source.class_map",
        "Other names for the classes of the data, each with its new one.",
        "{ cats = \"cat\", dogs = \"non-cat\" }",
    ),
    key("source.drawn", "Which images are drawn, when `data` is \"drawn\"."),
    key("source.drawn.train", "Training images, a number."),
    key("source.drawn.test", "Test images, a number."),
    key("source.drawn.seed", "Another seed, other images; a whole number."),
    key("source.drawn.size", "Pixels a side."),
    key("source.input", "How the images are prepared, where it is not as the data have them."),
    shown(
        "source.input.size",
        "Pixels of the network's input, \"64\" or \"64x48\"; as the data when left out, 64 for files.",
        "\"64\"",
    ),
    shown("source.input.colors", "Colours of the input, as the data when left out.", "\"rgb\""),
    key("source.input.resize", "The filter images are resized with."),
    key(
        "source.input.aspect",
        "Images of another aspect ratio: stretched, fitted in with margins, or cropped.",
    ),
    key("source.input.background", "What shows through transparency and in margins, \"#rrggbb\"."),
    key("source.input.exif_orientation", "Whether photos are turned as their EXIF data say."),
    key(
        "source.input.standardize",
        "Whether each channel (of numbers that are no images, each feature) comes to mean 0 and \
         deviation 1.",
    ),
    key(
        "source.input.on_bad_image",
        "Image files that cannot be used: an error that lists them all, or left out.",
    ),
    key(
        "source.input.test_share",
        "Of a folder without train and test, the share of each class to test on; at least 0, below 1.",
    ),
    key("source.input.split_seed", "Seed of the drawing of that share, a whole number."),
    shown(
        "source.memory_limit",
        "Bytes for the images in memory; with more of them they stay in their HDF5 file and are read \
         while training goes on.",
        "536870912",
    ),
    key(
        "augment",
        "How the training images are changed at random in every epoch; `dnn data preview` shows it. \
         Without this table they stay as they are.",
    ),
    key("augment.flip", "Probability of a horizontal flip, 0 to 1."),
    key("augment.shift", "Shift at most, as a fraction of each side."),
    key("augment.rotation", "Rotation at most, in degrees, either way."),
    key("augment.zoom", "Zoom at most; 0.1 scales by 0.9 to 1.1."),
    key("augment.padding", "What shows where a shifted, rotated or shrunk image ends."),
    key("augment.brightness", "Brightness at most; 0.2 multiplies by 0.8 to 1.2."),
    key("augment.contrast", "Contrast at most; 0.2 makes it 0.8 to 1.2 times as large."),
    key("augment.saturation", "Saturation at most, as contrast; not for grey images."),
    key("augment.hue", "Hue at most, as a fraction of the colour circle; not for grey images."),
    key("augment.noise", "Deviation of Gaussian noise, as a fraction of 255."),
    key("augment.erasing", "Probability that a rectangle is erased, 0 to 1."),
    key("augment.erasing_fill", "What an erased rectangle shows."),
];
