//! Runs the program as its users do.
#![allow(dead_code)] // each test file uses its own share

use dnn_data::hdf5::Factors;
use dnn_data::image::write_png;
use dnn_data::synthetic::{DrawOptions, draw};
use dnn_data::{ImageSet, ImageShape, Splits};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A small drawn data set.
pub(crate) const DATA: [&str; 7] =
    ["drawn", "--draw-train", "30", "--draw-test", "12", "--draw-size", "24"];

/// A short training on it, for tests that need any run.
pub(crate) fn quick() -> Vec<&'static str> {
    [&["train"], &DATA[..], &["--iterations", "40", "--log-every", "10", "--threads=1"]].concat()
}

/// Writes images of three classes, red, green and blue under much noise, as HDF5.
pub(crate) fn write_colours(path: &Path) {
    let set = |n: usize, seed: u64| {
        let shape = ImageShape { height: 6, width: 6, channels: 3 };
        let mut state = seed;
        let mut noise = || {
            // Knuth's linear congruential generator.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 57) as u8
        };
        let labels: Vec<u32> = (0..n).map(|i| [0, 1, 2, 2][i % 4]).collect();
        let byte =
            |(label, at): (u32, usize)| noise() + if at % 3 == label as usize { 20 } else { 0 };
        let bytes =
            labels.iter().flat_map(|&label| (0..shape.n_bytes()).map(move |at| (label, at)));
        let pixels = bytes.map(byte).collect();
        let classes = ["red", "green", "blue"].map(String::from).to_vec();
        ImageSet::new(pixels, shape, labels, classes).expect("a valid set")
    };
    let splits = Splits::new(Some(set(60, 1)), Some(set(40, 2))).expect("alike");
    dnn_data::hdf5::write_splits(path, &splits, &Factors::default()).expect("written");
}

/// Drawn images as a folder of files, and as they were drawn.
pub(crate) fn draw_folder(root: &Path, n_train: usize, n_test: usize) -> ImageSet {
    let options = DrawOptions { n_train, n_test, size: 24, ..DrawOptions::default() };
    let drawn = draw(&options).expect("a place to write to");
    for (split, set) in [("train", &drawn.train), ("test", &drawn.test)] {
        for i in 0..set.len() {
            let class = &set.classes()[set.labels()[i] as usize];
            let folder = root.join(split).join(class);
            fs::create_dir_all(&folder).expect("a place to write to");
            write_png(&folder.join(format!("{i:03}.png")), set.image(i), set.shape())
                .expect("a place to write to");
        }
    }
    drawn.test
}

/// An empty folder to work in.
pub(crate) struct Place(TempDir, Presets);

/// How `dnn train` is called when a test does not say how it is to train.
#[derive(PartialEq)]
enum Presets {
    /// As the course does, whatever the data.
    OfTheCourse,
    /// As users call it: the program chooses by the data.
    Chosen,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"), Presets::OfTheCourse)
    }

    /// A folder in which `dnn train` chooses its preset by the data.
    pub(crate) fn with_chosen_presets() -> Self {
        Self(tempfile::tempdir().expect("a folder"), Presets::Chosen)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    /// `dnn` with these arguments, in this folder.
    pub(crate) fn dnn(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("dnn"));
        command.current_dir(self.0.path()).args(args);
        let says_how = |arg: &&str| ["--preset", "--config", "--resume"].contains(arg);
        if args.first() == Some(&"train")
            && self.1 == Presets::OfTheCourse
            && !args.iter().any(says_how)
        {
            command.args(["--preset", "course-deep"]);
        }
        // As when it is installed, not run by cargo.
        command.env_remove("CARGO_PKG_NAME");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.dnn(args).output().expect("the program starts")
    }

    /// Runs it; it must succeed. Gives standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// Runs it with `--json`; it must succeed.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&text).expect("one JSON object")
    }

    /// Runs it; it must fail with 2, say why and where, and not panic. Gives standard error.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.starts_with("error: "), "{args:?}: {error}");
        assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{error}");
        error
    }

    /// A quick run in `r`.
    pub(crate) fn trained(&self) -> Value {
        self.trained_as("r")
    }

    /// A quick run in a folder of this name.
    pub(crate) fn trained_as(&self, name: &str) -> Value {
        self.json(&[&quick()[..], &["--out", name]].concat())
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("readable").file_name().into_string().expect("Unicode")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// Every file below a folder, with its content.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(name);
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("readable");
            all.insert(path, bytes);
        }
    }
    all
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
