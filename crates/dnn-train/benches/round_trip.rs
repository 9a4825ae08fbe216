//! What a number takes from one core to another and back, as JSON in seconds: what threads that meet after
//! every product wait for. On some machines it changes by a factor of five, for minutes at a time, so
//! `cargo xtask bench-peers` says it beside what it measures.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A number on a cache line of its own, and on no line that is fetched with another.
#[repr(align(128))]
#[derive(Default)]
struct Line(AtomicU64);

/// Said to the other thread in place of a number.
const END: u64 = u64::MAX;
/// Stretches, and their length. The shortest round trip counts: in the others a thread waited for its core.
const STRETCHES: usize = 40;
const LENGTH: Duration = Duration::from_millis(2);

fn main() {
    let (there, back) = (Line::default(), Line::default());
    let seconds = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = 0;
            while last != END {
                match there.0.load(Ordering::Acquire) {
                    same if same == last => spin_loop(),
                    new => {
                        back.0.store(new, Ordering::Release);
                        last = new;
                    }
                }
            }
        });
        let mut n = 0;
        let mut stretch = || {
            let (start, before) = (Instant::now(), n);
            while start.elapsed() < LENGTH {
                for _ in 0..100 {
                    n += 1;
                    there.0.store(n, Ordering::Release);
                    while back.0.load(Ordering::Acquire) != n {
                        spin_loop();
                    }
                }
            }
            start.elapsed().as_secs_f64() / (n - before) as f64
        };
        let seconds = (0..STRETCHES).map(|_| stretch()).fold(f64::INFINITY, f64::min);
        there.0.store(END, Ordering::Release);
        seconds
    });
    println!("{{\"round_trip\": {seconds}}}");
}
