//! How the parts of a file are called.

use serde::{Deserialize, Serialize};

/// Which arrays of a file hold the images, the labels and the names of the classes.
///
/// In HDF5, names are paths: `group/x` is the dataset `x` of the group `group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// (m, height, width, 3), (m, height, width, 1) or (m, height, width); or a table, (m, n).
    #[serde(rename = "x")]
    #[schemars(extend("x-example" = "images"))]
    pub images: String,
    /// Class indices, (m), (m, 1) or (1, m).
    #[serde(rename = "y")]
    #[schemars(extend("x-example" = "labels"))]
    pub labels: String,
    /// Strings or integers, one a class. When `None`, `list_classes` is used if the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-example" = "class_names"))]
    pub classes: Option<String>,
}
