#![doc = include_str!("../README.md")]

mod axis;
mod chart;
mod cost_plot;
mod fonts;
mod image_sheet;

pub use chart::{Chart, ReportError};
pub use cost_plot::{Series, cost_plot};
pub use image_sheet::{Arrangement, Tile, image_sheet};
