//! Admission of requests: memory and places are given out before anything is read or computed, and a
//! request is refused at once when there are none left.

use crate::problem::Problem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::task::AbortHandle;

/// The unit in which memory is given out, in bytes.
const UNIT: u64 = 1024;

/// Room for requests: memory for their bodies and their decoded images, and places to wait for a
/// thread.
pub(crate) struct Queue {
    memory: Arc<Semaphore>,
    memory_bytes: u64,
    places: Arc<Semaphore>,
    /// The longest that a request waits and computes.
    limit: Duration,
}

/// Memory that a request holds until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

impl Room {
    /// Adds the memory of another reservation to this one.
    pub(crate) fn add(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Some(room), Some(more)) => room.merge(more),
            (room, more) => *room = room.take().or(more),
        }
    }
}

impl Queue {
    pub(crate) fn new(memory_bytes: u64, n_places: usize, limit: Duration) -> Self {
        let n_units = usize::try_from(memory_bytes / UNIT).unwrap_or(usize::MAX);
        let n_units = n_units.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self {
            memory: Arc::new(Semaphore::new(n_units)),
            memory_bytes: n_units as u64 * UNIT,
            places: Arc::new(Semaphore::new(n_places)),
            limit,
        }
    }

    /// Returns how much memory is taken.
    pub(crate) fn in_use_bytes(&self) -> u64 {
        self.memory_bytes - self.memory.available_permits() as u64 * UNIT
    }

    /// Reserves memory.
    ///
    /// # Errors
    /// 413 when there is never so much, 503 when there is not at the moment.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<Room, Problem> {
        if bytes > self.memory_bytes {
            return Err(Problem::too_large(format!(
                "this takes {} MiB of memory, the server has {} MiB for all requests together",
                bytes >> 20,
                self.memory_bytes >> 20
            )));
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        match Arc::clone(&self.memory).try_acquire_many_owned(units) {
            Ok(permit) => Ok(Room(Some(permit))),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                Err(Problem::busy("the memory for requests is taken; try again in a second"))
            }
        }
    }

    /// Computes on one of the threads for it, as soon as one is free; what is quick at once, on the
    /// thread that asks, since waking another one would take as long. Who goes away meanwhile leaves
    /// the queue; what runs already keeps its room until it is done.
    ///
    /// # Errors
    /// 503 when all places are taken or it took too long, 500 when the work panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        room: Room,
        is_quick: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let failed = || Problem::internal("computing the answer failed");
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Problem::busy("all places are taken; try again in a second"))?;
        if is_quick {
            return catch_unwind(AssertUnwindSafe(work)).map_err(|_| failed());
        }
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((room, place));
            result
        });
        let _leaving = Leaving(task.abort_handle());
        match tokio::time::timeout(self.limit, task).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(failed()),
            Err(_) => Err(Problem::busy("the answer took too long; try again in a second")),
        }
    }
}

/// Takes work that has not begun out of the queue when its request is given up.
struct Leaving(AbortHandle);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(1).enable_time().build().expect("threads")
    }

    #[test]
    fn memory_is_given_out_once_and_comes_back() {
        let queue = Queue::new(10 * UNIT, 1, Duration::from_secs(1));
        assert_eq!(queue.reserve(11 * UNIT).unwrap_err().status, 413);
        let mut room = queue.reserve(6 * UNIT - 1).expect("room");
        assert_eq!(queue.in_use_bytes(), 6 * UNIT);
        assert_eq!(queue.reserve(5 * UNIT).unwrap_err().status, 503);
        room.add(queue.reserve(4 * UNIT).expect("the rest"));
        assert_eq!(queue.in_use_bytes(), 10 * UNIT);
        drop(room);
        assert_eq!(queue.in_use_bytes(), 0);
    }

    #[test]
    fn who_goes_away_leaves_the_queue_and_a_full_one_refuses() {
        static DONE: AtomicU32 = AtomicU32::new(0);
        let runtime = runtime();
        let queue = Arc::new(Queue::new(1 << 20, 2, Duration::from_secs(20)));
        let (begun, begins) = channel();
        let (go, wait) = channel::<()>();
        let run = |work: Box<dyn FnOnce() + Send>| {
            let queue = Arc::clone(&queue);
            let room = queue.reserve(1).expect("room");
            runtime.spawn(async move { queue.run(room, false, work).await })
        };
        let first = run(Box::new(move || {
            begun.send(()).expect("heard");
            let _ = wait.recv();
        }));
        begins.recv().expect("the first runs");
        let second = run(Box::new(|| {
            DONE.fetch_add(1, Ordering::Relaxed);
        }));
        while queue.places.available_permits() > 0 {
            std::thread::yield_now();
        }
        let third = run(Box::new(|| ()));
        assert_eq!(runtime.block_on(third).expect("ran").unwrap_err().status, 503);
        second.abort();
        assert!(runtime.block_on(second).expect_err("given up").is_cancelled());
        go.send(()).expect("heard");
        runtime.block_on(first).expect("ran").expect("done");
        // The only thread is free again, and does not do what was given up.
        runtime.block_on(run(Box::new(|| ()))).expect("ran").expect("done");
        assert_eq!(DONE.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_panics_or_takes_too_long_is_a_problem() {
        let runtime = runtime();
        let run = |limit_ms: u64, is_quick, work: fn()| {
            let queue = Queue::new(1 << 20, 2, Duration::from_millis(limit_ms));
            runtime.block_on(queue.run(Room::default(), is_quick, work)).unwrap_err().status
        };
        assert_eq!(run(60_000, false, || panic!("a bug")), 500);
        assert_eq!(run(60_000, true, || panic!("a bug")), 500);
        assert_eq!(run(20, false, || std::thread::sleep(Duration::from_millis(200))), 503);
    }
}
