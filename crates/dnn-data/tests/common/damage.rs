//! What tests of damaged files share: damage that is the same everywhere, and a watch on memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The system's allocator; remembers the largest request.
pub(crate) struct Watched;

pub(crate) static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, n_bytes: usize) -> *mut u8 {
        LARGEST.fetch_max(n_bytes, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, n_bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The largest request is counted for one test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SplitMix64: the same damage with every release of every library.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Damages a place, as text and as binary; pieces of the file wander, too. Returns whether the rest was cut off
/// there.
pub(crate) fn damage_at(bytes: &mut Vec<u8>, at: usize, random: &mut Random) -> bool {
    const INTERESTING: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, u64::MAX];
    let end = (at + 1 + random.below(8)).min(bytes.len());
    match random.below(13) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => bytes[at] = bytes[at].wrapping_add(if random.below(2) == 0 { 1 } else { 255 }),
        3 => {
            let number = INTERESTING[random.below(INTERESTING.len())].to_le_bytes();
            bytes[at..end].copy_from_slice(&number[..end - at]);
        }
        4 => bytes[at..end].fill(0xff),
        5 => bytes[at..end].fill(0),
        6 => bytes[at..end].fill(b'9'),
        7 => bytes[at..end].reverse(),
        8 => drop(bytes.drain(at..end)),
        9 => drop(bytes.splice(at..at, [b'0' + random.below(10) as u8])),
        10 => {
            let from = random.below(bytes.len() - (end - at) + 1);
            bytes.copy_within(from..from + (end - at), at);
        }
        11 => {
            let from = random.below(bytes.len());
            let piece = bytes[from..(from + end - at).min(bytes.len())].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        _ => {
            if random.below(3) == 0 {
                bytes.truncate(at);
                return true;
            }
            bytes[at] = 0xff;
        }
    }
    false
}
