//! How the parts of a file are called.

/// Which arrays of a file hold the images, the labels and the names of the classes.
///
/// In HDF5, names are paths: `group/x` is the dataset `x` of the group `group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// (m, height, width, 3), (m, height, width, 1) or (m, height, width); or a table, (m, n).
    pub images: String,
    /// Class indices, (m), (m, 1) or (1, m).
    pub labels: String,
    /// Strings or integers, one a class. When `None`, `list_classes` is used if the file has it.
    pub classes: Option<String>,
}
