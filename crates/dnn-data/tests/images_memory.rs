//! What decoding allocates, counted: nothing for what is refused, and for the rest what the limit
//! was checked against. One test, since the count is of the whole process.

#![cfg(feature = "image")]

use dnn_data::image::{DecodeError, DecodeLimits, Rendering, decode_bytes, write_png};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came; counting has no part in
// the memory itself. The default `realloc` and `alloc_zeroed` come back to these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above, hence from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was allocated at once while `f` ran, beyond what was before.
fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let value = f();
    (value, PEAK.load(Ordering::Relaxed) - before)
}

#[test]
fn decoding_allocates_what_the_limits_were_checked_against() {
    let limits = DecodeLimits::default();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.png");
    let shape = dnn_data::ImageShape { height: 900, width: 1200, channels: 1 };
    write_png(&path, &vec![77; shape.n_bytes()], shape).expect("written");
    let png = std::fs::read(&path).expect("read back");
    let n_pixels = 900 * 1200;

    // Grey samples and the RGB made of them; buffers of a few rows on top.
    let (image, taken) = peak(|| decode_bytes(&png, &limits, Rendering::default()));
    assert_eq!(image.expect("sound").pixels().len(), 3 * n_pixels);
    assert!((4 * n_pixels..4 * n_pixels + 500_000).contains(&taken), "{taken} bytes");

    // One byte less than that is refused, before the pixels are allocated.
    let narrow = DecodeLimits { max_memory_bytes: 4 * n_pixels as u64 - 1, ..limits };
    let (refused, taken) = peak(|| decode_bytes(&png, &narrow, Rendering::default()));
    assert!(matches!(refused, Err(DecodeError::TooMuchMemory { .. })), "{refused:?}");
    assert!(taken < 200_000, "{taken} bytes for nothing");

    // A progressive JPEG whose header says 8192×8192: its coefficients would be 400 MB, and so
    // would be its pixels; it ends at once, but that shows only after they were allocated.
    let file = ["tests/fixtures/images/progressive.jpg", "progressive.jpg"];
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file[0]);
    let mut jpeg = std::fs::read(path).expect("a fixture");
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc2]).expect("a frame header") + 5;
    jpeg[frame..frame + 4].copy_from_slice(&[0x20, 0, 0x20, 0]);
    let (refused, taken) = peak(|| {
        decode_bytes(
            &jpeg,
            &DecodeLimits { max_memory_bytes: 400 << 20, ..limits },
            Rendering::default(),
        )
    });
    assert!(matches!(refused, Err(DecodeError::TooMuchMemory { .. })), "{refused:?}");
    assert!(taken < 20_000, "{taken} bytes for nothing");

    // A small one of 512×512 is let through, allocates at most what was declared, and is refused.
    jpeg[frame..frame + 4].copy_from_slice(&[2, 0, 2, 0]);
    let declared = 512 * 512 * (3 + 2 * 2);
    let (refused, taken) = peak(|| {
        decode_bytes(
            &jpeg,
            &DecodeLimits { max_memory_bytes: declared, ..limits },
            Rendering::default(),
        )
    });
    assert!(matches!(refused, Err(DecodeError::Corrupt { .. })), "{refused:?}");
    assert!(taken < declared as usize + 500_000, "{taken} bytes of {declared}");
}
