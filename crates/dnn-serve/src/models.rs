//! The models that are served, each under its name.

use crate::problem::Problem;
use dnn_data::{Model, Normalization, Predictor};

/// The most images or rows that one request may ask for.
pub(crate) const MAX_EXAMPLES: usize = 1024;

/// A model under the name that clients ask for it by.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) predictor: Predictor,
    n_parameters: u64,
}

/// All models of a server; the first is the one that is asked when no name is given.
pub(crate) struct Models(Vec<Served>);

/// Why models cannot be served together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelsError {
    /// There is none.
    #[error("expected at least one model to serve")]
    None,
    /// A name that cannot stand in an address.
    #[error("model name {0:?}: expected 1 to 100 letters, digits, `.`, `_` or `-`")]
    Name(String),
    /// Two models of one name.
    #[error("two models are called {0:?}: each needs a name of its own")]
    Twice(String),
    /// The contract of a model is not one.
    #[error("model {name}: it cannot answer")]
    Contract {
        /// The model's name.
        name: String,
        /// What is wrong.
        source: dnn_data::ContractError,
    },
}

impl Models {
    pub(crate) fn new(models: Vec<(String, Model)>) -> Result<Self, ModelsError> {
        let mut served: Vec<Served> = Vec::with_capacity(models.len());
        for (name, model) in models {
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if !(1..=100).contains(&name.len()) || !name.chars().all(fits) {
                return Err(ModelsError::Name(name));
            }
            if served.iter().any(|other| other.name == name) {
                return Err(ModelsError::Twice(name));
            }
            let predictor = Predictor::new(model)
                .map_err(|source| ModelsError::Contract { name: name.clone(), source })?
                .packed();
            let network = predictor.model().network().architecture();
            served.push(Served { name, predictor, n_parameters: network.n_parameters() as u64 });
        }
        if served.is_empty() { Err(ModelsError::None) } else { Ok(Self(served)) }
    }

    /// Returns the model of this name, or the first one when there is no name.
    pub(crate) fn get(&self, name: Option<&str>) -> Result<&Served, Problem> {
        let found = self.0.iter().find(|served| name.is_none_or(|name| name == served.name));
        found.ok_or_else(|| Problem::not_found("no model of this name; /v1/models has the names"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.0.iter()
    }
}

impl Served {
    /// Whether an image whose decoding takes this much memory is answered for in a fraction of a
    /// millisecond.
    pub(crate) fn is_quick(&self, decoding_bytes: u64) -> bool {
        const MAX_DECODING_BYTES: u64 = 256 << 10;
        const MAX_PRODUCTS: u64 = 1 << 20;
        /// What describing a value costs, roughly.
        const PRODUCTS_A_VALUE: u64 = 16;
        let input = self.predictor.input();
        let products = self.n_parameters + PRODUCTS_A_VALUE * input.n_values() as u64;
        decoding_bytes <= MAX_DECODING_BYTES
            && products.saturating_mul(input.views.into()) <= MAX_PRODUCTS
    }

    /// Whether images can be its input.
    pub(crate) fn takes_images(&self) -> bool {
        self.predictor.input().normalization == Normalization::DivideBy255
    }
}
