#![doc = include_str!("../README.md")]

mod axis;
pub mod causes;
mod chart;
pub mod explanation;
pub mod factors;
pub mod figures;
mod fonts;
mod heat;
mod image_sheet;
mod line_plot;
mod model_card;
pub mod page;
pub mod report;
pub mod statistics;
pub mod suspects;
pub mod words;

pub use chart::{Chart, ReportError};
pub use image_sheet::{Arrangement, Tile, image_sheet};
pub use line_plot::{Series, cost_plot, rate_plot};
pub use model_card::{ModelCard, model_card};
