#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]

mod body;
mod guard;
mod inference;
mod log;
mod metrics;
mod models;
mod predict;
mod problem;
mod queue;
mod server;

pub use models::ModelsError;
pub use server::{Control, Ending, Load, LoadError, Options, ServeError, Server};
