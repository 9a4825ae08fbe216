//! A small pool of threads that stay, for work that comes every few microseconds.
//!
//! Each thread has a share of the tasks, the same one in every iteration, whose data its core may
//! still hold; whoever is done with it takes from the others' shares. Tasks are cut by the caller
//! without looking at the number of threads, so results do not depend on who does them. Waiting
//! threads spin briefly, then park: spinning alone collapses when the machine is busy with something
//! else.

#[cfg(loom)]
use loom::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread::{self, JoinHandle},
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
#[cfg(not(loom))]
use std::{
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread::{self, JoinHandle},
};

/// How often a waiting thread looks again before it parks: some tens of microseconds. `loom`, which tries
/// every order of events (the package in the folder `loom`), is content with one.
const SPINS: usize = if cfg!(loom) { 1 } else { 4_000 };

/// A cell with the interface of `loom`'s, which finds accesses at the same time.
#[cfg(not(loom))]
struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Which task a thread is in: known in unit tests, where those that break the promise of `engine/shared.rs` are
/// found by it.
#[cfg(all(test, not(loom)))]
pub(crate) mod present_task {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    thread_local!(static TASK: Cell<Option<(usize, usize)>> = const { Cell::new(None) });
    static RUNS: AtomicUsize = AtomicUsize::new(0);

    /// Returns the number of a run of a pool, different from those of all others.
    pub(super) fn new_run() -> usize {
        RUNS.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls `f` as the task `task` of a run.
    pub(super) fn within(run: usize, task: usize, f: impl FnOnce()) {
        let outside = TASK.replace(Some((run, task)));
        f();
        TASK.set(outside);
    }

    /// Returns the run and the task that this thread is in.
    pub(crate) fn get() -> Option<(usize, usize)> {
        TASK.get()
    }
}

/// A task list: called with each task's number, and that of the thread.
type Job<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// A pool of threads that wait for tasks; the calling thread is one of them.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Whether the caller does everything for now.
    alone: bool,
}

struct Shared {
    n_threads: usize,
    /// Counts the jobs; a change starts the workers.
    generation: AtomicUsize,
    /// The present job and its number of tasks. Written by the caller while no worker runs.
    job: UnsafeCell<Option<(*const Job<'static>, usize)>>,
    /// The next task of each thread's share.
    next: Vec<Next>,
    /// Workers that have not finished the present job.
    busy: AtomicUsize,
    /// Whether each worker sleeps and must be woken.
    parked: Vec<AtomicBool>,
    panicked: AtomicBool,
    closing: AtomicBool,
}

/// On a cache line of its own, as others look at theirs all the time.
#[repr(align(64))]
struct Next(AtomicUsize);

// SAFETY: `job` is written only by `Pool::run`, which holds the pool exclusively and returns after
// every worker has finished with it; the generation's release and acquire order the accesses.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer in `job` is to a `Sync` closure.
unsafe impl Send for Shared {}

impl Pool {
    /// Makes a pool of `n_threads`, including the calling one; 0 is taken as 1.
    pub fn new(n_threads: usize) -> Self {
        let n_threads = n_threads.max(1);
        let shared = Arc::new(Shared {
            n_threads,
            generation: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            next: (0..n_threads).map(|_| Next(AtomicUsize::new(0))).collect(),
            busy: AtomicUsize::new(0),
            parked: (1..n_threads).map(|_| AtomicBool::new(false)).collect(),
            panicked: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        // A thread that cannot be had is a thread less: its share would never be done, so the
        // pool is cut to those that came up.
        let workers: Vec<_> = (1..n_threads)
            .map_while(|id| {
                let shared = Arc::clone(&shared);
                let name = format!("dnn-{id}");
                thread::Builder::new().name(name).spawn(move || shared.serve(id)).ok()
            })
            .collect();
        if workers.len() + 1 == n_threads {
            Self { shared, workers, alone: false }
        } else {
            drop(Self { shared, workers, alone: false });
            Self::new(1)
        }
    }

    /// Returns the number of threads, the caller's included.
    pub fn n_threads(&self) -> usize {
        self.shared.n_threads
    }

    /// Lets the calling thread do all tasks from now on, or no longer.
    pub fn set_alone(&mut self, alone: bool) {
        self.alone = alone;
    }

    /// Calls `task(0, _)` … `task(n_tasks − 1, _)`, each once, and returns when all are done. The
    /// second number is the thread's, below [`n_threads`](Self::n_threads): no two calls at the same
    /// time have the same.
    ///
    /// # Panics
    /// When a task panics.
    pub fn run(&mut self, n_tasks: usize, task: &Job<'_>) {
        #[cfg(all(test, not(loom)))]
        let run = present_task::new_run();
        #[cfg(all(test, not(loom)))]
        let task: &Job<'_> = &|i, thread| present_task::within(run, i, || task(i, thread));
        if self.alone || self.workers.is_empty() || n_tasks < 2 {
            (0..n_tasks).for_each(|i| task(i, 0));
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. The pointer is used by workers between here and the
        // wait below, and `task` outlives this call.
        let job = unsafe { std::mem::transmute::<&Job<'_>, &'static Job<'static>>(task) };
        // SAFETY: `&mut self` and the wait below mean that no worker runs now.
        shared.job.with_mut(|to| unsafe { *to = Some((std::ptr::from_ref(job), n_tasks)) });
        for (id, next) in shared.next.iter().enumerate() {
            next.0.store(shared.share(id, n_tasks).start, Ordering::Relaxed);
        }
        shared.busy.store(self.workers.len(), Ordering::Relaxed);
        shared.generation.fetch_add(1, Ordering::AcqRel);
        for (worker, parked) in self.workers.iter().zip(&shared.parked) {
            if parked.swap(false, Ordering::AcqRel) {
                worker.thread().unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(|| shared.work(0, n_tasks, task)));
        let mut looked = 0;
        while shared.busy.load(Ordering::Acquire) > 0 {
            looked += 1;
            if looked < SPINS { spin_loop() } else { thread::yield_now() }
        }
        let others_panicked = shared.panicked.swap(false, Ordering::Relaxed);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!others_panicked, "a task of the pool panicked");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches its tasks' panics, so it ends in order.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("n_threads", &self.n_threads()).finish()
    }
}

impl Shared {
    /// Returns the tasks of thread `id`.
    fn share(&self, id: usize, n_tasks: usize) -> std::ops::Range<usize> {
        id * n_tasks / self.n_threads..(id + 1) * n_tasks / self.n_threads
    }

    /// Does the tasks of thread `id`, then what is left of the others'.
    fn work(&self, id: usize, n_tasks: usize, task: &Job<'_>) {
        for whose in (id..self.n_threads).chain(0..id) {
            let end = self.share(whose, n_tasks).end;
            loop {
                // Only who does a task is decided here; what tasks read and write is ordered by the
                // job's start and end.
                let i = self.next[whose].0.fetch_add(1, Ordering::Relaxed);
                if i >= end {
                    break;
                }
                task(i, id);
            }
        }
    }

    fn serve(&self, id: usize) {
        let mut seen = 0;
        loop {
            seen = self.wait(id, seen);
            if self.closing.load(Ordering::Relaxed) {
                return;
            }
            // SAFETY: the caller wrote the job before it raised the generation and waits for
            // `busy` to fall before it writes again or lets go of the closure.
            let job = self.job.with(|job| unsafe { *job });
            if let Some((task, n_tasks)) = job {
                // SAFETY: as above.
                let task = unsafe { &*task };
                let done = catch_unwind(AssertUnwindSafe(|| self.work(id, n_tasks, task)));
                if done.is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits until the generation is not `seen`, and returns it.
    fn wait(&self, id: usize, seen: usize) -> usize {
        for _ in 0..SPINS {
            let generation = self.generation.load(Ordering::Acquire);
            if generation != seen {
                return generation;
            }
            spin_loop();
        }
        let parked = &self.parked[id - 1];
        loop {
            // Said before looking again, as the caller raises the generation before looking here. Both
            // exchange this value: whoever comes second sees what the other one did before.
            parked.swap(true, Ordering::AcqRel);
            let generation = self.generation.load(Ordering::Acquire);
            if generation != seen {
                parked.store(false, Ordering::Relaxed);
                return generation;
            }
            thread::park();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_whatever_the_numbers() {
        for n_threads in [1, 2, 3, 7] {
            let mut pool = Pool::new(n_threads);
            for n_tasks in [0, 1, 2, 5, 64] {
                let counts: Vec<_> = (0..n_tasks).map(|_| AtomicUsize::new(0)).collect();
                for _ in 0..50 {
                    pool.run(n_tasks, &|i, _| {
                        counts[i].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 50));
            }
        }
    }

    #[test]
    fn a_slow_task_does_not_keep_the_others_waiting() {
        let (left, mut pool) = (AtomicUsize::new(7), Pool::new(2));
        // All are the first thread's or the second's; whichever has the slow one, the other does
        // the rest meanwhile.
        pool.run(8, &|i, _| {
            if i == 0 {
                let start = std::time::Instant::now();
                while left.load(Ordering::Relaxed) > 0 && start.elapsed().as_secs() < 20 {
                    thread::yield_now();
                }
                assert_eq!(left.load(Ordering::Relaxed), 0, "tasks wait for the slow one");
            } else {
                left.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }

    #[test]
    fn wakes_after_a_long_pause() {
        let mut pool = Pool::new(2);
        let count = AtomicUsize::new(0);
        for _ in 0..5 {
            thread::sleep(std::time::Duration::from_millis(20));
            pool.run(2, &|_, _| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(count.into_inner(), 10);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let mut pool = Pool::new(2);
        for bad in [0, 1] {
            let run = catch_unwind(AssertUnwindSafe(|| {
                pool.run(2, &|i, _| assert_ne!(i, bad, "meant to fail"));
            }));
            assert!(run.is_err());
        }
        // Of two panics one is passed on, and the other is not left for the next job.
        let run = catch_unwind(AssertUnwindSafe(|| {
            pool.run(64, &|i, _| {
                thread::sleep(std::time::Duration::from_millis(1));
                assert!(i > 64, "meant to fail");
            });
        }));
        assert!(run.is_err());
        let count = AtomicUsize::new(0);
        pool.run(2, &|_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 2);
    }
}
