//! The pool of `dnn-train` under `loom`, which tries every order in which threads can meet, up to a number
//! of interruptions:
//!
//! ```sh
//! cd loom && RUSTFLAGS="--cfg loom" cargo test
//! ```
#![cfg(loom)]

#[allow(dead_code)] // what the tests do not call
#[path = "../../crates/dnn-train/src/pool.rs"]
mod pool;

#[cfg(test)]
mod tests {
    use super::pool::Pool;
    use loom::cell::UnsafeCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Interruptions of a thread by others in one order of events, at most.
    const INTERRUPTIONS: usize = 3;

    fn in_every_order(model: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(INTERRUPTIONS);
        builder.check(model);
    }

    /// Numbers of which each task writes its own, with no lock: loom ends the test when two accesses are
    /// not in an order that the pool made.
    struct Numbers([UnsafeCell<usize>; 2]);

    // SAFETY: what is tested; a violation is found.
    unsafe impl Sync for Numbers {}

    impl Numbers {
        fn new() -> Self {
            Self([UnsafeCell::new(0), UnsafeCell::new(0)])
        }

        fn add(&self, i: usize) {
            // SAFETY: as above.
            self.0[i].with_mut(|n| unsafe { *n += 1 });
        }

        fn get(&self, i: usize) -> usize {
            // SAFETY: as above.
            self.0[i].with(|n| unsafe { *n })
        }
    }

    #[test]
    fn a_run_ends_when_its_tasks_are_done_and_the_next_one_sees_them() {
        in_every_order(|| {
            let (numbers, mut pool) = (Numbers::new(), Pool::new(2));
            pool.run(2, &|i, _| numbers.add(i));
            assert_eq!([numbers.get(0), numbers.get(1)], [1, 1]);
            // Each task reads what the other one wrote in the run before.
            pool.run(2, &|i, _| assert_eq!(numbers.get(1 - i), 1));
            numbers.add(0);
        });
    }

    #[test]
    fn a_pool_that_ends_leaves_no_thread_behind() {
        in_every_order(|| drop(Pool::new(3)));
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_tasks_and_the_pool_lives_on() {
        in_every_order(|| {
            let (numbers, mut pool) = (Numbers::new(), Pool::new(2));
            let run = catch_unwind(AssertUnwindSafe(|| {
                pool.run(2, &|i, _| {
                    numbers.add(i);
                    if i == 1 {
                        // As `panic!`, without its message in every order.
                        std::panic::resume_unwind(Box::new("meant to fail"));
                    }
                });
            }));
            assert!(run.is_err());
            pool.run(2, &|i, _| numbers.add(i));
            assert_eq!([numbers.get(0), numbers.get(1)], [2, 2]);
        });
    }
}
