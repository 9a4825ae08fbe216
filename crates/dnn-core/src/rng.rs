//! Random numbers: NumPy's legacy stream, bit for bit, and a modern seeded generator.

use crate::Real;
use nalgebra::DMatrix;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use rand_mt::Mt;
use serde::{Deserialize, Serialize};

/// Which stream of random numbers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RngKind {
    /// `numpy.random.RandomState`: the stream behind the course's published numbers.
    #[default]
    Numpy,
    /// Xoshiro256++ from the `rand` crate: small, fast, and the whole 64-bit range of seeds.
    Modern,
}

impl RngKind {
    /// Both, for lists and tests.
    pub const ALL: [Self; 2] = [Self::Numpy, Self::Modern];
}

impl std::fmt::Display for RngKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Numpy => "numpy",
            Self::Modern => "modern",
        })
    }
}

/// The seed does not fit the generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} for NumPy's generator: expected 0 to {}", u32::MAX)]
pub struct SeedError {
    /// The seed asked for.
    pub seed: u64,
}

#[derive(Debug, Clone)]
enum Algorithm {
    /// Boxed: 2.5 kB of state.
    Numpy(Box<Mt>),
    Modern(Xoshiro256PlusPlus),
}

/// A seeded stream of uniform and normal numbers and permutations.
///
/// With [`RngKind::Numpy`] the methods return, bit for bit, what `numpy.random.RandomState(seed)`
/// returns from `random_sample`, `randn` and `permutation`, in the same order of calls. (The bits
/// of `randn` rest on the platform's natural logarithm, as they do in NumPy.)
///
/// ```
/// use dnn_core::rng::{Generator, RngKind};
///
/// let mut generator = Generator::new(RngKind::Numpy, 1)?;
/// assert_eq!(generator.normal(), 1.6243453636632417); // np.random.seed(1); np.random.randn()
/// # Ok::<(), dnn_core::rng::SeedError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Generator {
    algorithm: Algorithm,
    /// The polar method makes normal numbers in pairs; the second waits here.
    cached_normal: Option<f64>,
}

impl Generator {
    /// Makes a generator that starts from `seed`.
    ///
    /// # Errors
    /// [`SeedError`] when NumPy's generator is asked for and `seed` needs more than 32 bits.
    #[doc(alias = "seed")]
    pub fn new(kind: RngKind, seed: u64) -> Result<Self, SeedError> {
        let algorithm = match kind {
            RngKind::Numpy => {
                let seed = u32::try_from(seed).map_err(|_| SeedError { seed })?;
                Algorithm::Numpy(Box::new(Mt::new(seed)))
            }
            RngKind::Modern => Algorithm::Modern(Xoshiro256PlusPlus::seed_from_u64(seed)),
        };
        Ok(Self { algorithm, cached_normal: None })
    }

    /// Draws a uniform number from [0, 1), with 53 random bits.
    #[doc(alias = "random_sample")]
    pub fn uniform(&mut self) -> f64 {
        let bits = match &mut self.algorithm {
            // NumPy joins the upper 27 and 26 bits of two draws.
            Algorithm::Numpy(mt) => {
                let high = u64::from(mt.next_u32() >> 5);
                (high << 26) | u64::from(mt.next_u32() >> 6)
            }
            Algorithm::Modern(xoshiro) => xoshiro.next_u64() >> 11,
        };
        bits as f64 / (1_u64 << 53) as f64
    }

    /// Draws a number from N(0, 1), by Marsaglia's polar method.
    #[doc(alias = "randn")]
    pub fn normal(&mut self) -> f64 {
        if let Some(normal) = self.cached_normal.take() {
            return normal;
        }
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let r2 = x * x + y * y;
            if r2 < 1.0 && r2 != 0.0 {
                let factor = polar_factor(r2);
                // NumPy hands out the second coordinate first.
                self.cached_normal = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// Fills `out` with what as many calls of [`normal`](Self::normal) return. Many pairs are drawn before the
    /// logarithms are taken, so that neither waits for the other.
    fn fill_normal(&mut self, out: &mut [f64]) {
        /// Pairs that are drawn together.
        const PAIRS: usize = 64;
        let mut pairs = [[0.0; 3]; PAIRS];
        // A number that waits comes first, and of an odd rest the last one waits.
        let first = usize::from(self.cached_normal.is_some()).min(out.len());
        out[..first].fill_with(|| self.normal());
        let (all, last) = out[first..].as_chunks_mut::<2>();
        for out in all.chunks_mut(PAIRS) {
            let mut n = 0;
            while n < out.len() {
                let x = 2.0 * self.uniform() - 1.0;
                let y = 2.0 * self.uniform() - 1.0;
                let r2 = x * x + y * y;
                // Kept only where it is counted: a branch here would be foretold wrongly one time in five.
                pairs[n] = [x, y, r2];
                n += usize::from(r2 < 1.0 && r2 != 0.0);
            }
            for (out, [x, y, r2]) in out.iter_mut().zip(pairs) {
                let factor = polar_factor(r2);
                *out = [factor * y, factor * x];
            }
        }
        last.fill_with(|| self.normal());
    }

    /// Draws a matrix of numbers from N(0, 1), filled row by row as NumPy does.
    ///
    /// # Shapes
    /// → (rows, cols).
    pub fn normal_matrix<F: Real>(&mut self, rows: usize, cols: usize) -> DMatrix<F> {
        self.matrix_of_normal(rows, cols, F::of)
    }

    /// Draws a matrix row by row, as [`normal_matrix`](Self::normal_matrix) does, of what `value` makes of each
    /// number from N(0, 1).
    ///
    /// # Shapes
    /// → (rows, cols).
    pub(crate) fn matrix_of_normal<F: Real>(
        &mut self,
        rows: usize,
        cols: usize,
        value: impl Fn(f64) -> F,
    ) -> DMatrix<F> {
        let (mut matrix, mut drawn) = (DMatrix::zeros(rows, cols), vec![0.0; cols]);
        for mut row in matrix.row_iter_mut() {
            self.fill_normal(&mut drawn);
            row.iter_mut().zip(&drawn).for_each(|(to, &drawn)| *to = value(drawn));
        }
        matrix
    }

    /// Draws a random permutation of 0..n: Fisher–Yates from the end, as NumPy does.
    ///
    /// # Panics
    /// When `n` needs more than 32 bits.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// Shuffles `items` in place, in the order that [`permutation`](Self::permutation) draws.
    ///
    /// # Panics
    /// When there are more items than 32 bits count.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let last = u32::try_from(i).expect("fewer than 2³² items");
            let j = self.below_or_equal(last);
            items.swap(i, j as usize);
        }
    }

    /// Uniform on 0..=last: draws masked to the bits of `last`, rejected when above it.
    fn below_or_equal(&mut self, last: u32) -> u32 {
        let mask = u32::MAX.checked_shr(last.leading_zeros()).unwrap_or(0);
        loop {
            let value = mask
                & match &mut self.algorithm {
                    Algorithm::Numpy(mt) => mt.next_u32(),
                    Algorithm::Modern(xoshiro) => xoshiro.next_u32(),
                };
            if value <= last {
                return value;
            }
        }
    }
}

/// Returns what the coordinates of a point in the unit circle, at the distance √`r2` from its middle, are
/// multiplied by to be normal numbers.
fn polar_factor(r2: f64) -> f64 {
    (-2.0 * r2.ln() / r2).sqrt()
}

/// Returns a number every bit of which depends on every bit of `z`: the finaliser of SplitMix64 (Steele,
/// Lea and Flood 2014). With it, what is drawn can be a function of seed, epoch and index.
#[inline]
pub fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns a seed made of two others.
pub fn hash(a: u64, b: u64) -> u64 {
    scramble(
        scramble(a.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ b.wrapping_mul(0xd134_2543_de82_ef95),
    )
}
