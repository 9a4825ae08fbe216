//! What a file may ask for.

/// What a file may ask for. A damaged extent can ask for any amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one array in memory; 4 GiB by default. The images of a split are one array.
    pub max_bytes: u64,
    /// Number of classes; 4096 by default.
    pub max_classes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 4 << 30, max_classes: 4096 }
    }
}
