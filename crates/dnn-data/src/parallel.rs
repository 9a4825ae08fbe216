//! The same work on many items, on all cores.

use std::sync::{Mutex, PoisonError};

/// Does `work` on each item, begun in order, on `n_threads` threads; 0 for as many as there are
/// cores.
pub(crate) fn for_each<T: Send>(
    items: impl ExactSizeIterator<Item = T> + Send,
    n_threads: usize,
    work: impl Fn(T) + Sync,
) {
    let n_threads = match n_threads {
        // How many cores this process may use stands in several files.
        0 if items.len() < 2 => 1,
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let n_threads = n_threads.min(items.len());
    let items = Mutex::new(items);
    let work = || {
        loop {
            let next = items.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(item) = next else { return };
            work(item);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..n_threads {
            scope.spawn(work);
        }
        work();
    });
}

/// Returns what `work` makes of each item, in their order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    for_each(items.iter().zip(&mut results), 0, |(item, place)| *place = Some(work(item)));
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn every_item_is_worked_on_once() {
        for n_threads in [0, 1, 3, 200] {
            let mut counts: Vec<AtomicU32> = (0..100).map(|_| AtomicU32::new(0)).collect();
            for_each(counts.iter(), n_threads, |count| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter_mut().all(|count| *count.get_mut() == 1));
        }
        for_each(std::iter::empty::<()>(), 2, |()| unreachable!("there is none"));
    }

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(map(&items, |n| n * n), items.iter().map(|n| n * n).collect::<Vec<_>>());
    }
}
