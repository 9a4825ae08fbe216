//! The memory that the program takes from the system.

/// Lets the C library take memory in huge pages, where the system has them for those who ask: the first touch of
/// 4 KiB takes microseconds, and a training of a tenth of a second touches thousands. Called first in a program;
/// without huge pages, or another C library, everything is as it would be without it.
pub fn use_huge_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use libc::{M_MMAP_THRESHOLD, M_TOP_PAD, M_TRIM_THRESHOLD, MADV_HUGEPAGE, c_int};
        /// Smaller blocks come from the heap, and are given out again when they are free. The library raises its
        /// limit to this by itself, as blocks are freed, and the next one to twice as much.
        const LARGEST_IN_HEAP: c_int = 32 << 20;
        /// Also a multiple of every size of small pages.
        const HUGE_PAGE: usize = 2 << 20;
        // SAFETY: the library's own settings, and advice on memory that leaves what is in it. Nobody else moves
        // the heap's end while there is one thread.
        unsafe {
            libc::mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP);
            libc::mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_IN_HEAP);
            libc::mallopt(M_TOP_PAD, 2 * LARGEST_IN_HEAP);
            // More than is left of the heap as it is: it grows by the padding, which no page is taken for yet.
            let first = std::hint::black_box(Vec::<u8>::with_capacity(HUGE_PAGE));
            let start = first.as_ptr().addr().next_multiple_of(HUGE_PAGE);
            let end = libc::sbrk(0);
            // A block that the heap had no room for lies elsewhere.
            let n_bytes = end.addr().saturating_sub(start);
            if n_bytes <= 4 * LARGEST_IN_HEAP as usize {
                libc::madvise(end.with_addr(start), n_bytes, MADV_HUGEPAGE);
            }
        }
    }
}
