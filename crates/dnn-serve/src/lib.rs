#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]
// What answers a request is async, whether or not it waits for anything.
#![allow(clippy::unused_async)]

mod app;
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

pub use app::{Load, LoadError, Options, ServeError};
pub use models::ModelsError;
pub use server::{Control, Ending, Server};
