//! Charts of training and of images: [`cost_plot`] and [`image_sheet`] each return a [`Chart`], which
//! is an SVG document and can be had as PNG as well.
//!
//! ```
//! use dnn_report::{Series, cost_plot};
//!
//! let points = [(0, 0.772), (500, 0.540), (1000, 0.315)];
//! let chart = cost_plot("Learning rate = 0.0075", "12288-20-7-5-1", &[Series {
//!     name: "training",
//!     points: &points,
//! }]);
//! assert!(chart.svg().starts_with("<svg"));
//! assert!(chart.png(2)?.starts_with(b"\x89PNG"));
//! # Ok::<(), dnn_report::ReportError>(())
//! ```
//!
//! Every figure draws into one SVG; the PNG is that SVG, rendered. Text is set in DejaVu Sans, and in
//! a Han font for Chinese and Japanese, which the crate carries: a picture is the same on every
//! machine. What neither has is taken from the system's fonts.

mod axis;
mod chart;
mod cost_plot;
mod fonts;
mod image_sheet;

pub use chart::{Chart, ReportError};
pub use cost_plot::{Series, cost_plot};
pub use image_sheet::{Arrangement, Tile, image_sheet};
