//! The first layer in the coordinates of the training set; [`dnn_core::gram`] has the algebra.

use super::first_layer::{FirstLayer, Selection};
use super::interface::EngineOptions;
use super::parameters::{Parameters, Scratch};
use super::shared::{Part, SharedMatrix};
use super::tasks::{cut, example_tasks};
use crate::communicator::{Communicator, SingleProcess, share};
use crate::optimizer::{Optimizer, Step};
use crate::pool::Pool;
use dnn_core::gemm::{ByteColumns, NARROW, Packed, gemm, gemm_packed, line, plain, transposed};
use dnn_core::{Network, Real, gram};
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Columns of G of one task of building it.
const COLUMNS_PER_TASK: usize = ByteColumns::COLUMNS;
/// Columns of W₁ of one task of making it.
const FEATURES_PER_TASK: usize = 1024;
/// Coordinates of one task of an update, about.
const COORDINATES_PER_TASK: usize = 16_384;

/// X of a training set with its Gram matrix G = XᵀX, which does not depend on the network: it is computed
/// by the first training that needs it, and shared by all that are given it.
pub struct GramMatrix<'d, F: Real> {
    x: &'d DMatrix<F>,
    /// G as it is, and packed for products, each where it is needed.
    plain: OnceLock<SharedMatrix<F>>,
    packed: OnceLock<Packed<F>>,
}

impl<'d, F: Real> GramMatrix<'d, F> {
    /// Takes X, of which nothing is computed yet.
    ///
    /// # Shapes
    /// `x` (n₀, m).
    pub fn new(x: &'d DMatrix<F>) -> Self {
        Self { x, plain: OnceLock::new(), packed: OnceLock::new() }
    }

    /// Returns X (n₀, m).
    pub fn x(&self) -> &'d DMatrix<F> {
        self.x
    }

    fn plain(&self, pool: &mut Pool, communicator: &dyn Communicator) -> &SharedMatrix<F> {
        self.plain.get_or_init(|| inner_products(self.x, pool, communicator))
    }

    fn packed(&self, pool: &mut Pool, communicator: &dyn Communicator) -> &Packed<F> {
        self.packed.get_or_init(|| match self.plain.get() {
            Some(g) => Packed::new(plain(&all_of(g))),
            None => Packed::new(plain(&inner_products(self.x, pool, communicator).all_mut())),
        })
    }
}

/// Returns all of G, or of what else nobody writes any more.
fn all_of<F: Real>(matrix: &SharedMatrix<F>) -> DMatrixView<'_, F> {
    // SAFETY: the promise: nobody writes it.
    unsafe { matrix.part(&matrix.whole()) }
}

/// G in the form in which an engine takes it.
enum Products<'d, F> {
    /// For iterations on the whole training set, where a kernel takes it so.
    Packed(&'d Packed<F>),
    Plain(&'d SharedMatrix<F>),
}

/// The first layer of the Gram engine, W₁ = s·W₁⁰ + C·Xᵀ, as combinations of the training examples: an
/// iteration's cost does not depend on the number of features.
pub(super) struct GramLayer<'d, F: Real> {
    x: &'d DMatrix<F>,
    /// W₁⁰ (n₁, n₀).
    w0: DMatrix<F>,
    /// s (1, 1).
    s: Parameters<F>,
    /// Cᵀ (m, n₁).
    c: Parameters<F>,
    g: Products<'d, F>,
    /// (W₁⁰·X)ᵀ (m, n₁).
    p: SharedMatrix<F>,
    /// The gathered batch: its columns of G, (m, batch), and its rows of Pᵀ.
    batch: GramInput<F>,
    /// Made when the first norm is asked for.
    norm: Option<Norm<F>>,
    /// The part of Cᵀ of each task of an update: some of the examples, or in batches some of the units.
    tasks: Vec<Part>,
}

/// What norms of weights and gradients are made with.
struct Norm<F> {
    /// ‖W₁⁰‖².
    squares: f64,
    /// Cᵀ, or its gradient, and C·G: (m, n₁).
    c: DMatrix<F>,
    cg: DMatrix<F>,
}

/// Examples in these coordinates: their inner products with the training set, and W₁⁰·X.
pub(super) struct GramInput<F> {
    /// Xᵀ·X_source (m, m_source).
    g: SharedMatrix<F>,
    /// (W₁⁰·X_source)ᵀ (m_source, n₁).
    p: SharedMatrix<F>,
}

impl<'d, F: Real> GramLayer<'d, F> {
    /// Returns the first layer of `network`, to train on the X of `gram`; computes P = W₁·X, and G where
    /// it is not known yet, on all threads.
    ///
    /// # Panics
    /// When X does not have n₀ rows, or the optimizer is not linear.
    pub(super) fn new(
        network: &Network<F>,
        optimizer: &dyn Optimizer<F>,
        gram: &'d GramMatrix<'d, F>,
        options: EngineOptions<'_>,
    ) -> Self {
        let x = gram.x;
        assert_eq!(x.nrows(), network.n_features(), "features of the network");
        assert!(optimizer.is_linear(), "an optimizer whose steps are linear in the gradients");
        let (m, w0) = (x.ncols(), network.layers()[0].weights().clone());
        let mut pool = Pool::new(options.n_threads.min(m.div_ceil(COLUMNS_PER_TASK)));
        let n_batch = options.max_batch.min(m);
        let n1 = w0.nrows();
        let communicator = options.communicator;
        // Rows of micro-shards do not begin where its panels do.
        let whole = n_batch == 0 && options.micro_shards == 1;
        let g = if whole && (2..=NARROW).contains(&n1) {
            Products::Packed(gram.packed(&mut pool, communicator))
        } else {
            Products::Plain(gram.plain(&mut pool, communicator))
        };
        let p = projected(&w0, x, &mut pool, communicator);
        let tasks = if n_batch == 0 {
            // The examples of the passes forward and backward, so that threads find their own dZ.
            example_tasks::<F>(m).map(|rows| Part { rows, cols: 0..n1 }).collect()
        } else {
            let pieces = (m * n1).div_ceil(COORDINATES_PER_TASK);
            cut(n1, pieces, 1).map(|cols| Part { rows: 0..m, cols }).collect()
        };
        let (n_moments, decay) = (optimizer.n_moments(), options.ema_decay);
        // Its gradient is 0, and only L2 moves it.
        let mut s = Parameters::new(&DMatrix::from_element(1, 1, F::one()), n_moments, decay);
        s.keep_gradients(1);
        Self {
            x,
            s,
            c: Parameters::new(&DMatrix::zeros(m, n1), n_moments, decay),
            g,
            p,
            batch: GramInput {
                g: SharedMatrix::zeros(m, n_batch),
                p: SharedMatrix::zeros(n_batch, n1),
            },
            norm: None,
            tasks,
            w0,
        }
    }
}

/// G = XᵀX: the lower half in blocks, a part of them on each rank, the upper half mirrored. Images are
/// bytes over a constant, whose products are made in whole numbers.
fn inner_products<F: Real>(
    x: &DMatrix<F>,
    pool: &mut Pool,
    communicator: &dyn Communicator,
) -> SharedMatrix<F> {
    let m = x.ncols();
    let g = SharedMatrix::zeros(m, m);
    let blocks: Vec<_> = cut(m, m.div_ceil(COLUMNS_PER_TASK), 1).collect();
    let n = blocks.len();
    let bytes: Vec<_> = (0..n).map(|_| OnceLock::new()).collect();
    pool.run(n, &|task, _| {
        let block = x.columns(blocks[task].start, blocks[task].len());
        bytes[task].get_or_init(|| ByteColumns::of(&block));
    });
    let bytes: Option<Vec<_>> = bytes.into_iter().map(|bytes| bytes.into_inner()?).collect();
    let pairs: Vec<_> = (0..n).flat_map(|j| (j..n).map(move |i| (i, j))).collect();
    let part = |task: usize| {
        if bytes.is_some() {
            let (i, j) = pairs[task];
            return Part { rows: blocks[i].clone(), cols: blocks[j].clone() };
        }
        // Long blocks and short ones in turn, so that threads and ranks have equal shares.
        let block = &blocks[if task.is_multiple_of(2) { task / 2 } else { n - 1 - task / 2 }];
        Part { rows: block.start..m, cols: block.clone() }
    };
    let n_tasks = if bytes.is_some() { pairs.len() } else { n };
    let tasks = |rank| share(n_tasks, rank, communicator.size());
    let own = tasks(communicator.rank());
    pool.run(own.len(), &|task, _| {
        let task = own.start + task;
        let part = part(task);
        // SAFETY: the promise: tasks have different parts.
        let mut products = unsafe { g.part_mut(&part) };
        match &bytes {
            Some(bytes) => {
                bytes[pairs[task].0].inner_products(&bytes[pairs[task].1], &mut products);
            }
            None => gram::lower_block(x, part.cols, &mut products),
        }
    });
    let mut g = g;
    g.gather(communicator, |rank| tasks(rank).map(part).collect());
    g.all_mut().fill_upper_triangle_with_lower_triangle();
    g
}

/// (W·X)ᵀ, by examples, a part of them on each rank.
fn projected<F: Real>(
    w: &DMatrix<F>,
    x: &DMatrix<F>,
    pool: &mut Pool,
    communicator: &dyn Communicator,
) -> SharedMatrix<F> {
    let (m, n1) = (x.ncols(), w.nrows());
    let p = SharedMatrix::zeros(m, n1);
    // Few units have a kernel that wants their weights side by side.
    let turned = (n1 <= NARROW).then(|| SharedMatrix::of(&w.transpose()));
    let blocks: Vec<_> = cut(m, m.div_ceil(COLUMNS_PER_TASK), line::<F>()).collect();
    let tasks = |rank| share(blocks.len(), rank, communicator.size());
    let own = tasks(communicator.rank());
    pool.run(own.len(), &|task, _| {
        let block = &blocks[own.start + task];
        let x = x.columns(block.start, block.len());
        // SAFETY: the promise: blocks have different rows; nobody writes W.
        let (mut p, turned) = unsafe {
            let p = p.part_mut(&Part { rows: block.clone(), cols: 0..n1 });
            (p, turned.as_ref().map(|w| w.part(&w.whole())))
        };
        let w = turned.as_ref().map_or_else(|| transposed(w), plain);
        gemm(F::one(), transposed(&x), w, F::zero(), &mut p);
    });
    let mut p = p;
    let rows = |block: &Range<usize>| Part { rows: block.clone(), cols: 0..n1 };
    p.gather(communicator, |rank| blocks[tasks(rank)].iter().map(rows).collect());
    p
}

impl<F: Real> GramLayer<'_, F> {
    /// ‖s·W₁⁰ + C·Xᵀ‖² = s²·‖W₁⁰‖² + 2·s·⟨P, C⟩ + ⟨C·G, C⟩, of the C in `norm`, which is kept.
    fn squared_norm(&mut self, s: f64, mut norm: Norm<F>) -> f64 {
        let Norm { squares, c, cg } = &mut norm;
        match self.g {
            Products::Packed(g) => {
                gemm_packed((g, 0..c.nrows()), plain(c), None, cg);
            }
            Products::Plain(g) => gemm(F::one(), plain(&all_of(g)), plain(c), F::zero(), cg),
        }
        let with = |a: DMatrixView<'_, F>| -> f64 {
            a.iter().zip(c.iter()).map(|(&a, &c)| a.as_f64() * c.as_f64()).sum()
        };
        // Rounding may leave a sum of squares below 0.
        let squared = s * s * *squares + 2.0 * s * with(all_of(&self.p)) + with(cg.as_view());
        self.norm = Some(norm);
        squared.max(0.0)
    }

    fn norm(&mut self) -> Norm<F> {
        self.norm.take().unwrap_or_else(|| {
            let room = || DMatrix::zeros(self.c.values.rows(), self.c.values.cols());
            let squares = self.w0.iter().map(|w| w.as_f64().powi(2)).sum();
            Norm { squares, c: room(), cg: room() }
        })
    }

    fn scale(&self) -> F {
        // SAFETY: the promise: only `step` writes s, in runs without a reader.
        unsafe { self.s.values.slice(0..1, 0)[0] }
    }
}

impl<F: Real> FirstLayer<F> for GramLayer<'_, F> {
    type Input = GramInput<F>;

    fn name(&self) -> &'static str {
        "gram"
    }

    fn held_out(&self, x: &DMatrix<F>, pool: &mut Pool) -> GramInput<F> {
        assert_eq!(x.nrows(), self.x.nrows(), "features of the held-out examples");
        let g = SharedMatrix::zeros(self.x.ncols(), x.ncols());
        let blocks: Vec<_> = cut(x.ncols(), x.ncols().div_ceil(COLUMNS_PER_TASK), 1).collect();
        pool.run(blocks.len(), &|task, _| {
            let block = &blocks[task];
            let columns = x.columns(block.start, block.len());
            // SAFETY: the promise: blocks have different columns.
            unsafe {
                let mut g = g.part_mut(&Part { rows: 0..g.rows(), cols: block.clone() });
                gemm(F::one(), transposed(self.x), plain(&columns), F::zero(), &mut g);
            }
        });
        GramInput { g, p: projected(&self.w0, x, pool, &SingleProcess) }
    }

    fn feed(&mut self, _: &mut DMatrix<F>, _: usize) {
        panic!("the coordinates are those of examples in memory");
    }

    unsafe fn gather(&self, batch: Selection<'_>, examples: Range<usize>) {
        let Products::Plain(g) = self.g else {
            unreachable!("batches are gathered from G as it is")
        };
        let p = &self.p;
        let rows = |at: usize| Part { rows: at..at + 1, cols: 0..p.cols() };
        for place in examples {
            // SAFETY: the promise; nobody writes the training set's.
            unsafe {
                let example = self.batch.g.slice_mut(0..g.rows(), place);
                let products = |place: usize| g.slice(0..g.rows(), batch.indices[place]);
                batch.put_together(place, example, products);
                let mut example = self.batch.p.part_mut(&rows(place));
                let projected = |place: usize| p.part(&rows(batch.indices[place]));
                example.copy_from(&projected(place));
                if let Some(mixup) = batch.mixup {
                    let (share, rest) = mixup.shares::<F>();
                    let partner = projected(mixup.partners[place]);
                    example.zip_apply(&partner, |p, partner| *p = share * *p + rest * partner);
                }
            }
        }
    }

    fn forward(
        &self,
        input: Option<&GramInput<F>>,
        all: bool,
        part: &Part,
        z: &mut DMatrixViewMut<'_, F>,
    ) {
        let examples = part.rows.clone();
        let s = self.scale();
        let columns = input.unwrap_or(&self.batch);
        let of_all = all && input.is_none();
        let p = if of_all { &self.p } else { &columns.p };
        // SAFETY: the promise: only `step` writes C, in other runs, and nobody a input.
        unsafe {
            let p = p.part(&Part { rows: examples.clone(), cols: part.cols.clone() });
            let c = Part { rows: 0..self.c.values.rows(), cols: part.cols.clone() };
            let c = self.c.values.part(&c);
            match self.g {
                Products::Packed(g) if of_all => {
                    gemm_packed((g, examples), plain(&c), Some((s, plain(&p))), z);
                }
                Products::Plain(g) if of_all => {
                    z.copy_from(&p);
                    // G is symmetric: its rows stand for its columns, and are contiguous the right way.
                    let rows = Part { rows: examples, cols: 0..g.cols() };
                    gemm(F::one(), plain(&g.part(&rows)), plain(&c), s, z);
                }
                _ => {
                    z.copy_from(&p);
                    let g = &columns.g;
                    let columns = g.part(&Part { rows: 0..g.rows(), cols: examples });
                    gemm(F::one(), transposed(&columns), plain(&c), s, z);
                }
            }
        }
    }

    fn parts(&self) -> &[Part] {
        &self.tasks
    }

    fn parameters(&self) -> &Parameters<F> {
        &self.c
    }

    fn parameters_mut(&mut self) -> &mut Parameters<F> {
        &mut self.c
    }

    fn gradient_is_a_sum(&self) -> bool {
        false
    }

    unsafe fn gradient(
        &self,
        task: usize,
        batch: Option<Selection<'_>>,
        _: &Range<usize>,
        dz: &DMatrixView<'_, F>,
        gradient: &mut DMatrixViewMut<'_, F>,
    ) {
        let part = &self.tasks[task];
        let dz = dz.columns(part.cols.start, part.cols.len());
        match batch {
            None => {
                let dz = dz.rows(part.rows.start, part.rows.len());
                for (mut gradient, dz) in gradient.column_iter_mut().zip(dz.column_iter()) {
                    gradient.as_mut_slice().copy_from_slice(dz.as_slice());
                }
            }
            // Examples outside the batch have no gradient; moments and L2 move them all the same.
            Some(batch) => {
                gradient.fill(F::zero());
                for (mut gradient, dz) in gradient.column_iter_mut().zip(dz.column_iter()) {
                    for (place, &dz) in dz.as_slice().iter().enumerate() {
                        let own = batch.indices[place];
                        if let Some(mixup) = batch.mixup {
                            let (share, rest) = mixup.shares::<F>();
                            gradient[own] += share * dz;
                            gradient[batch.indices[mixup.partners[place]]] += rest * dz;
                        } else {
                            gradient[own] += dz;
                        }
                    }
                }
            }
        }
    }

    unsafe fn step(
        &self,
        task: usize,
        optimizer: &dyn Optimizer<F>,
        step: &Step,
        scratch: &Scratch<F>,
    ) {
        // SAFETY: the promise; s goes with the first task.
        unsafe {
            self.c.step(optimizer, step, &self.tasks[task], scratch);
            if task == 0 {
                self.s.step(optimizer, step, &self.s.values.whole(), scratch);
            }
        }
    }

    fn squared_gradient(&mut self, l2: f64) -> f64 {
        // dW₁ + λ·W₁ in coordinates: (λ·s, dC + λ·C).
        let (mut norm, l2) = (self.norm(), F::of(l2));
        norm.c.copy_from(&self.c.gradient());
        norm.c.zip_apply(&self.c.values.all_mut(), |gradient, c| *gradient += l2 * c);
        self.squared_norm((l2 * self.scale()).as_f64(), norm)
    }

    fn squared_weights(&mut self) -> f64 {
        let mut norm = self.norm();
        norm.c.copy_from(&self.c.values.all_mut());
        self.squared_norm(self.scale().as_f64(), norm)
    }

    fn state(&mut self) -> Vec<(String, DMatrixViewMut<'_, F>)> {
        self.c.state("C1").chain(self.s.state("s1")).collect()
    }

    fn exchange_average(&mut self) {
        // W₁ is linear in s and C, so their averages are those of W₁.
        self.s.exchange_average();
        self.c.exchange_average();
    }

    fn weight_gradient(&mut self) -> DMatrix<F> {
        // dW₁ = dZ₁·Xᵀ, and the gradient in C is dZ₁; that in s is 0.
        let (mut dw, dc) = (DMatrix::zeros(self.w0.nrows(), self.w0.ncols()), self.c.gradient());
        let dc = dc.clone_owned();
        gram::add_columns(F::zero(), &dc, self.x, 0..self.x.nrows(), &mut dw.as_view_mut());
        dw
    }

    fn weights(&mut self, pool: &mut Pool) -> DMatrix<F> {
        let (mut w, s, c) = (self.w0.clone(), self.scale(), self.c.values.copied());
        let n1 = w.nrows();
        let blocks = w.as_mut_slice().chunks_mut(n1 * FEATURES_PER_TASK).map(Mutex::new);
        let blocks: Vec<_> = blocks.collect();
        pool.run(blocks.len(), &|task, _| {
            let mut block = blocks[task].lock().unwrap_or_else(PoisonError::into_inner);
            let first = task * FEATURES_PER_TASK;
            let features = first..first + block.len() / n1;
            let n_features = features.len();
            let mut w = DMatrixViewMut::from_slice(&mut block, n1, n_features);
            gram::add_columns(s, &c, self.x, features, &mut w);
        });
        drop(blocks);
        w
    }

    fn flops(&self, m: usize) -> usize {
        let (n_coordinates, n1) = (self.c.values.rows(), self.c.values.cols());
        2 * m * n_coordinates * n1 + 4 * n_coordinates * n1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::GradientDescent;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_core::{Activation, Architecture, Init, OutputActivation};

    #[test]
    fn engines_share_one_gram_matrix() {
        let mut rng = Generator::new(RngKind::Modern, 4).unwrap();
        let x = rng.normal_matrix::<f64>(30, 41);
        let shape = Architecture::new(vec![30, 4, 1], Activation::Relu, OutputActivation::Sigmoid);
        let mut network = || Network::<f64>::initialize(&shape, Init::He, &mut rng).unwrap();
        let gram = GramMatrix::new(&x);
        let layer = |network, max_batch| {
            let options = EngineOptions { max_batch, ..EngineOptions::default() };
            GramLayer::new(network, &GradientDescent, &gram, options)
        };
        let networks = [network(), network()];
        let packed = [layer(&networks[0], 0), layer(&networks[1], 0)].map(|layer| match layer.g {
            Products::Packed(g) => std::ptr::from_ref(g),
            Products::Plain(_) => panic!("all of four units is packed"),
        });
        assert_eq!(packed[0], packed[1]);
        let in_batches =
            [layer(&networks[0], 8), layer(&networks[1], 7)].map(|layer| match layer.g {
                Products::Plain(g) => std::ptr::from_ref(g),
                Products::Packed(_) => panic!("batches are gathered"),
            });
        assert_eq!(in_batches[0], in_batches[1]);
        let mut expected = DMatrix::zeros(41, 41);
        gemm(1.0, transposed(&x), plain(&x), 0.0, &mut expected);
        assert!((all_of(gram.plain.get().unwrap()) - expected).amax() < 1e-12);
    }
}
