//! Everything that the rest of a training run depends on, in one file.
//!
//! A checkpoint is a safetensors file: the tensors are parameters and moments in the engine's own
//! coordinates, and the best parameters so far where they are kept; its metadata holds the
//! [`Progress`] and a checksum over all of it. Orders of batches, learning rates and dropout masks
//! are functions of seed and iteration and need no state.

use crate::config::TrainConfig;
use crate::diagnosis::LayerHealth;
use crate::history::{CostPoint, EpochPoint, ValidationPoint};
use dnn_core::metrics::Score;
use dnn_core::{Precision, Real};
use nalgebra::{DMatrix, DMatrixViewMut};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Version of the format that is written; another one is refused.
const FORMAT: u32 = 2;
const PROGRESS: &str = "progress";
const CHECKSUM: &str = "checksum";

/// The state of a training run, apart from its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Version of the format.
    pub format: u32,
    /// Configuration of the run.
    pub config: TrainConfig,
    /// Identifier of the data, a hash for example; a run resumes only with the same data.
    pub data: String,
    /// Name of the engine, in whose coordinates the tensors are.
    pub engine: String,
    /// Checksum of the network that the run started from; `None` when it was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<String>,
    /// Number of parameter updates made.
    pub iteration: usize,
    /// The costs logged so far.
    pub costs: Vec<CostPoint>,
    /// The results on the validation set so far.
    pub validations: Vec<ValidationPoint>,
    /// Index of the best result in `validations`.
    pub best: Option<usize>,
    /// Number of validations since the best one.
    pub waited: usize,
    /// The lowest validation cost since the last plateau, and validations since it.
    pub plateau: (Option<f64>, usize),
    /// Number of plateaus that the schedule has met.
    pub plateaus: u32,
    /// Sum and number of the batches' costs since the last logged one.
    pub since_log: (f64, usize),
    /// The passes over the training set in mini-batches so far.
    #[serde(default)]
    pub epochs: Vec<EpochPoint>,
    /// Sums over the batches of the present pass.
    #[serde(default)]
    pub since_epoch: EpochSums,
    /// How the hidden layers fared at the last logged iteration.
    pub health: Vec<LayerHealth>,
}

/// Sums over the mini-batches of a pass that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct EpochSums {
    /// Sum of the examples' costs.
    pub cost: f64,
    /// How many examples were right.
    pub correct: usize,
    /// Number of examples.
    pub total: usize,
    /// The learning rate of the last update.
    pub learning_rate: f64,
}

impl EpochSums {
    /// Adds a batch with this mean cost.
    pub(crate) fn add(&mut self, cost: f64, score: Score, learning_rate: f64) {
        self.cost += cost * score.total as f64;
        self.correct += score.correct;
        self.total += score.total;
        self.learning_rate = learning_rate;
    }
}

/// The part of a [`Progress`] that every version of the format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// The state of a training run at one iteration, from which it can be resumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    progress: Progress,
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Debug, Clone, PartialEq)]
struct Tensor {
    precision: Precision,
    /// Rows and columns.
    shape: [usize; 2],
    /// Column by column, little-endian.
    bytes: Vec<u8>,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file is no safetensors file, or is cut off.
    #[error("not a checkpoint, or an incomplete one")]
    Format(#[source] safetensors::SafeTensorError),
    /// The file is a safetensors file of another kind.
    #[error("a safetensors file, but not a checkpoint: {0}")]
    Other(String),
    /// The content has changed since it was written.
    #[error("damaged: its checksum is {got}, expected {expected}")]
    Checksum {
        /// The checksum that the file says it has.
        expected: String,
        /// The checksum of the content that was read.
        got: String,
    },
    /// Another version of this library wrote it.
    #[error(
        "it has version {got} of the checkpoint format, and this program reads version {expected}; \
         finish the run with the program that began it, or train anew from its configuration"
    )]
    Version {
        /// The version that this library reads.
        expected: u32,
        /// The version of the file.
        got: u32,
    },
    /// A tensor is missing or has another shape than the network's.
    #[error("tensor {name}: expected {expected}, got {got}")]
    Tensor {
        /// Its name.
        name: String,
        /// Shape and type that the network needs.
        expected: String,
        /// What is in the checkpoint.
        got: String,
    },
    /// The checkpoint is of another run.
    #[error("it is of another run: {what} was {then}, and is {now}")]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// In the checkpoint.
        then: String,
        /// Now.
        now: String,
    },
}

impl Checkpoint {
    pub(crate) fn new(mut progress: Progress) -> Self {
        progress.format = FORMAT;
        Self { progress, tensors: BTreeMap::new() }
    }

    /// Returns the state of the run, apart from its tensors.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn put<'a, F: Real>(
        &mut self,
        name: String,
        values: impl ExactSizeIterator<Item = &'a F>,
        shape: [usize; 2],
    ) {
        let mut bytes = Vec::with_capacity(values.len() * size_of::<F>());
        match F::PRECISION {
            Precision::F32 => values
                .for_each(|value| bytes.extend_from_slice(&(value.as_f64() as f32).to_le_bytes())),
            Precision::F64 => {
                values.for_each(|value| bytes.extend_from_slice(&value.as_f64().to_le_bytes()));
            }
        }
        self.tensors.insert(name, Tensor { precision: F::PRECISION, shape, bytes });
    }

    pub(crate) fn get<F: Real>(
        &self,
        name: &str,
        to: &mut DMatrixViewMut<'_, F>,
    ) -> Result<(), CheckpointError> {
        let expected = [to.nrows(), to.ncols()];
        let described =
            |precision: Precision, [rows, cols]: [usize; 2]| format!("{rows}×{cols} {precision}");
        let error = |got: String| CheckpointError::Tensor {
            name: name.into(),
            expected: described(F::PRECISION, expected),
            got,
        };
        let tensor = self.tensors.get(name).ok_or_else(|| error("no such tensor".into()))?;
        if (tensor.precision, tensor.shape) != (F::PRECISION, expected) {
            return Err(error(described(tensor.precision, tensor.shape)));
        }
        for (to, from) in to.iter_mut().zip(tensor.bytes.chunks_exact(size_of::<F>())) {
            *to = match F::PRECISION {
                Precision::F32 => {
                    F::of(f64::from(f32::from_le_bytes(from.try_into().unwrap_or_default())))
                }
                Precision::F64 => F::of(f64::from_le_bytes(from.try_into().unwrap_or_default())),
            };
        }
        Ok(())
    }

    /// A matrix of this shape, if there is one of this name.
    pub(crate) fn matrix<F: Real>(
        &self,
        name: &str,
        (rows, cols): (usize, usize),
    ) -> Result<DMatrix<F>, CheckpointError> {
        let mut matrix = DMatrix::zeros(rows, cols);
        self.get(name, &mut matrix.as_view_mut())?;
        Ok(matrix)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Returns the file's content.
    ///
    /// # Errors
    /// When it would be too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let progress = serde_json::to_string(&self.progress)
            .map_err(|error| CheckpointError::Other(error.to_string()))?;
        let checksum = self.checksum(&progress);
        let views = self.tensors.iter().map(|(name, tensor)| {
            let dtype = match tensor.precision {
                Precision::F32 => Dtype::F32,
                Precision::F64 => Dtype::F64,
            };
            // Row-major, as the format has it: columns first.
            let shape = vec![tensor.shape[1], tensor.shape[0]];
            Ok((name, TensorView::new(dtype, shape, &tensor.bytes)?))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(CheckpointError::Format)?;
        let metadata =
            HashMap::from([(PROGRESS.to_owned(), progress), (CHECKSUM.to_owned(), checksum)]);
        safetensors::serialize(views, Some(metadata)).map_err(CheckpointError::Format)
    }

    /// Reads a checkpoint from the content of its file.
    ///
    /// # Errors
    /// When it is no checkpoint, cut off, damaged, or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(CheckpointError::Format)?;
        let file = SafeTensors::deserialize(bytes).map_err(CheckpointError::Format)?;
        let metadata = header.metadata().as_ref();
        let entry = |name: &str| {
            metadata
                .and_then(|metadata| metadata.get(name))
                .ok_or_else(|| CheckpointError::Other(format!("it has no {name}")))
        };
        let (text, expected) = (entry(PROGRESS)?, entry(CHECKSUM)?);
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let precision = match view.dtype() {
                Dtype::F32 => Precision::F32,
                Dtype::F64 => Precision::F64,
                other => return Err(CheckpointError::Other(format!("tensor {name} is {other:?}"))),
            };
            let &[cols, rows] = view.shape() else {
                return Err(CheckpointError::Other(format!("tensor {name} is no matrix")));
            };
            let tensor = Tensor { precision, shape: [rows, cols], bytes: view.data().to_vec() };
            tensors.insert(name, tensor);
        }
        // The checksum comes before the content is understood: damage is called damage.
        let progress = serde_json::from_str::<Progress>(text);
        let unread = Self { progress: Progress::unread(), tensors };
        let got = unread.checksum(text);
        // Fuzzing is to get past the checksum.
        if got != *expected && !cfg!(fuzzing) {
            return Err(CheckpointError::Checksum { expected: expected.clone(), got });
        }
        let other = |error: serde_json::Error| CheckpointError::Other(error.to_string());
        // The version first: what else another version holds need not be understood.
        let version = serde_json::from_str::<Version>(text).map_err(other)?;
        if version.format != FORMAT {
            return Err(CheckpointError::Version { expected: FORMAT, got: version.format });
        }
        let progress = progress.map_err(other)?;
        if let Some(fault) = progress.fault() {
            return Err(CheckpointError::Other(fault));
        }
        Ok(Self { progress, ..unread })
    }

    /// CRC-32 of the progress and of all tensors with their names and shapes.
    fn checksum(&self, progress: &str) -> String {
        let mut crc = crc32fast::Hasher::new();
        crc.update(progress.as_bytes());
        for (name, tensor) in &self.tensors {
            crc.update(format!("{name} {} {:?}", tensor.precision, tensor.shape).as_bytes());
            crc.update(&tensor.bytes);
        }
        format!("crc32:{:08x}", crc.finalize())
    }
}

impl Progress {
    /// In the place of one that has not been read yet.
    fn unread() -> Self {
        Self::start(TrainConfig::course_deep(), String::new(), String::new())
    }

    /// Before the first iteration.
    pub(crate) fn start(config: TrainConfig, data: String, engine: String) -> Self {
        Self {
            format: FORMAT,
            config,
            data,
            engine,
            started_from: None,
            iteration: 0,
            costs: Vec::new(),
            validations: Vec::new(),
            best: None,
            waited: 0,
            plateau: (None, 0),
            plateaus: 0,
            since_log: (0.0, 0),
            epochs: Vec::new(),
            since_epoch: EpochSums::default(),
            health: Vec::new(),
        }
    }

    /// What cannot be: the checksum is right for whoever computes it, too.
    fn fault(&self) -> Option<String> {
        let n = self.validations.len();
        if let Some(best) = self.best.filter(|&best| best >= n) {
            return Some(format!("its best validation is number {best}, from 0, of {n}"));
        }
        for (what, got, most) in [
            ("validations waited for", self.waited, n),
            ("validations since a plateau", self.plateau.1, n),
            ("plateaus", self.plateaus as usize, n),
            ("costs since the last log", self.since_log.1, self.iteration),
            ("right examples of an epoch", self.since_epoch.correct, self.since_epoch.total),
            // No memory holds the labels of more.
            ("examples of an epoch", self.since_epoch.total, isize::MAX as usize / 4),
        ] {
            if got > most {
                return Some(format!("{got} {what}, expected at most {most}"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Checkpoint {
        let mut progress = Progress::start(TrainConfig::course_deep(), "d".into(), "dense".into());
        progress.iteration = 7;
        progress.costs = vec![CostPoint { iteration: 0, cost: 0.1 + 0.2, score: None }];
        let mut checkpoint = Checkpoint::new(progress);
        checkpoint.put(
            "W1".into(),
            [0.1_f64, -0.0, f64::MIN_POSITIVE, 3.0, 4.0, 5.0].iter(),
            [3, 2],
        );
        checkpoint.put("b1".into(), [1.5_f32].iter(), [1, 1]);
        checkpoint
    }

    #[test]
    fn survives_its_bytes_to_the_last_bit() {
        let checkpoint = example();
        let read = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
        assert_eq!(read, checkpoint);
        let w = read.matrix::<f64>("W1", (3, 2)).unwrap();
        assert_eq!(w[(1, 0)].to_bits(), (-0.0_f64).to_bits());
        let error = read.matrix::<f32>("W1", (3, 2)).unwrap_err().to_string();
        assert_eq!(error, "tensor W1: expected 3×2 f32, got 3×2 f64");
        let error = read.matrix::<f64>("W2", (1, 1)).unwrap_err().to_string();
        assert!(error.contains("no such tensor"), "{error}");
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let bytes = example().to_bytes().unwrap();
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 0x10;
            if let Ok(read) = Checkpoint::from_bytes(&damaged) {
                assert_eq!(read, example(), "byte {i} changed what is read");
            }
            assert!(Checkpoint::from_bytes(&bytes[..i]).is_err(), "cut at {i}");
        }
    }

    #[test]
    fn counters_that_cannot_be_are_refused() {
        // With a checksum that is right: `best` would lead beyond the list of validations, others
        // past the largest number there is.
        let refused = |change: fn(&mut Progress)| {
            let mut checkpoint = example();
            change(&mut checkpoint.progress);
            let bytes = checkpoint.to_bytes().unwrap();
            Checkpoint::from_bytes(&bytes).expect_err("refused").to_string()
        };
        let error = refused(|p| p.best = Some(0));
        assert!(error.ends_with("its best validation is number 0, from 0, of 0"), "{error}");
        let error = refused(|p| p.waited = usize::MAX);
        assert!(error.ends_with("validations waited for, expected at most 0"), "{error}");
        let error = refused(|p| p.plateau.1 = usize::MAX);
        assert!(error.ends_with("validations since a plateau, expected at most 0"), "{error}");
        assert!(refused(|p| p.plateaus = 1).ends_with("1 plateaus, expected at most 0"));
        let error = refused(|p| p.since_log.1 = 8);
        assert!(error.ends_with("8 costs since the last log, expected at most 7"), "{error}");
    }

    #[test]
    fn another_version_is_named_whatever_else_it_holds() {
        let other = r#"{"format":1,"what":"ever"}"#.to_owned();
        let tensors = BTreeMap::new();
        let checksum = Checkpoint { progress: Progress::unread(), tensors }.checksum(&other);
        let metadata = HashMap::from([(PROGRESS.into(), other), (CHECKSUM.into(), checksum)]);
        let none = Vec::<(String, TensorView<'_>)>::new();
        let bytes = safetensors::serialize(none, Some(metadata)).unwrap();
        let error = Checkpoint::from_bytes(&bytes).unwrap_err();
        let is_version = matches!(error, CheckpointError::Version { expected: FORMAT, got: 1 });
        assert!(is_version, "{error}");
    }

    #[test]
    fn a_gradient_that_overflowed_is_read_back() {
        let mut checkpoint = example();
        let health = LayerHealth { units: 3, dead: 1, saturated: 0.0, gradient_rms: f64::INFINITY };
        checkpoint.progress.health = vec![health];
        let read = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
        assert!(!read.progress.health[0].gradient_rms.is_finite());
    }

    #[test]
    fn a_model_is_not_taken_for_a_checkpoint() {
        let empty = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        let error = Checkpoint::from_bytes(&empty).unwrap_err().to_string();
        assert!(error.contains("not a checkpoint: it has no progress"), "{error}");
        assert!(Checkpoint::from_bytes(b"hello").is_err());
    }
}
