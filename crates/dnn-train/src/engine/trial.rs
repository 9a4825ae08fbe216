//! Whether small iterations are faster on one thread or on all.

use crate::pool::Pool;
use std::time::{Duration, Instant};

/// Finds out, again and again, whether iterations of a tenth of a millisecond are faster on one
/// thread or on all. On an idle machine a second thread brings something; on a busy one it must be
/// waited for in each iteration, and four times as much is lost. Results depend on neither.
pub(super) struct Trial {
    iteration: usize,
    start: Instant,
    alone: Duration,
}

impl Trial {
    /// Iterations of each kind that are timed.
    const TIMED: usize = 8;
    /// Iterations until the next trial.
    const EVERY: usize = 256;

    pub(super) fn new() -> Self {
        Self { iteration: 0, start: Instant::now(), alone: Duration::ZERO }
    }

    /// To be called before each iteration.
    pub(super) fn tick(&mut self, pool: &mut Pool) {
        match self.iteration % Self::EVERY {
            0 => {
                pool.set_alone(true);
                self.start = Instant::now();
            }
            Self::TIMED => {
                self.alone = self.start.elapsed();
                pool.set_alone(false);
                self.start = Instant::now();
            }
            i if i == 2 * Self::TIMED => pool.set_alone(self.alone <= self.start.elapsed()),
            _ => {}
        }
        self.iteration += 1;
    }
}
