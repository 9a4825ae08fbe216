//! The mathematics of the deep fully-connected network, and nothing else.

mod contract;
mod dataset;
mod scalar;

pub use contract::{ContractError, InputContract, Normalization, ResizeFilter};
pub use dataset::{Dataset, DatasetError, Examples};
pub use scalar::{Precision, Real};
