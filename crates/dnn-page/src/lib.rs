#![doc = include_str!("../README.md")]
// Beside the crate that links here: whichever of them rustdoc documents first, links work.
#![doc(html_root_url = "../")]

#[cfg(target_arch = "wasm32")]
pub mod wasm;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dnn_data::{Model, ModelError, Normalization};
use std::fmt::Write;

/// Why there is no page for a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// This library was built without the WebAssembly that answers in the file.
    #[error(
        "the page's WebAssembly is {}: run `cargo xtask wasm` in the sources and build again",
        if env!("DNN_PAGE_WASM") == "stale" { "older than the sources" } else { "not built" }
    )]
    NoWasm,
    /// The model's input is no image.
    #[error("the model was trained on numbers that are no pixels: a page has nothing to ask it")]
    NoImages,
    /// The model cannot be written.
    #[error("the model cannot be put into the page")]
    Model(#[from] ModelError),
}

/// Returns the page of a server, which asks `/v1/explain` of where it came from.
pub fn served() -> String {
    let privacy = "Your picture is sent to the program that serves this page, and to nobody else.";
    page(&Parts {
        policy: "connect-src 'self'; script-src 'unsafe-inline'",
        title: "What is in this picture?",
        about: "The program behind this page says what it sees.",
        privacy,
        data: "",
    })
}

/// Returns a page that is one file, with the model inside: it answers by itself, without a network, and
/// forbids the browser to send anything.
///
/// `name` is shown as the page's title.
///
/// # Errors
/// [`PageError`].
pub fn offline(model: &Model, name: &str) -> Result<String, PageError> {
    if model.input().normalization == Normalization::AsIs {
        return Err(PageError::NoImages);
    }
    let wasm = WASM.ok_or(PageError::NoWasm)?;
    let mut bytes = Vec::new();
    model.write(&mut bytes)?;
    let mut data = String::new();
    for (id, bytes) in [("model", bytes.as_slice()), ("wasm", wasm)] {
        let base64 = STANDARD.encode(bytes);
        // A String takes everything.
        let _ = writeln!(data, "<script type=\"text/plain\" id=\"{id}\">{base64}</script>");
    }
    let classes: Vec<_> = model.classes().iter().map(|class| escaped(class)).collect();
    let about = match classes.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) if rest.len() < 20 => format!("{} and {last}", rest.join(", ")),
        _ => format!("{} classes", classes.len()),
    };
    let privacy = "This page works offline. Your picture does not leave this machine, and \
                   the page forbids the browser to send anything.";
    Ok(page(&Parts {
        policy: "connect-src 'none'; form-action 'none'; \
                 script-src 'unsafe-inline' 'wasm-unsafe-eval'",
        title: &escaped(name),
        about: &format!("A network in this file tells apart: {about}."),
        privacy,
        data: &data,
    }))
}

/// The WebAssembly, when it was built before this library was.
#[cfg(wasm_built)]
const WASM: Option<&[u8]> = Some(include_bytes!("../wasm/dnn_page.wasm"));
#[cfg(not(wasm_built))]
const WASM: Option<&[u8]> = None;

/// What differs between the two pages, as HTML.
struct Parts<'a> {
    policy: &'a str,
    title: &'a str,
    about: &'a str,
    privacy: &'a str,
    data: &'a str,
}

fn page(parts: &Parts<'_>) -> String {
    let policy = format!(
        "default-src 'none'; {}; style-src 'unsafe-inline'; img-src blob: data:; media-src blob:; \
         base-uri 'none'",
        parts.policy
    );
    let part = |name: &str| match name {
        "policy" => policy.as_str(),
        "style" => include_str!("page.css"),
        "title" => parts.title,
        "about" => parts.about,
        "privacy" => parts.privacy,
        "data" => parts.data,
        "script" => include_str!("page.js"),
        name => unreachable!("page.html asks for {name}"),
    };
    let mut pieces = include_str!("page.html").split("{{");
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        page += part(name);
        page += rest;
    }
    page
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnn_core::rng::{Generator, RngKind};
    use dnn_core::{Activation, Architecture, Init, Network, OutputActivation};
    use dnn_data::InputContract;

    fn model(input: InputContract, classes: [&str; 2]) -> Model {
        let dims = vec![input.n_features(), 1];
        let shape = Architecture::new(dims, Activation::Relu, OutputActivation::Sigmoid);
        let mut rng = Generator::new(RngKind::Modern, 1).expect("takes every seed");
        let network = Network::<f32>::initialize(&shape, Init::He, &mut rng).expect("a shape");
        Model::new(network, classes.map(String::from).to_vec(), input).expect("a model")
    }

    #[test]
    fn a_servers_page_asks_its_server_and_no_other() {
        let page = served();
        assert!(page.contains("default-src 'none'; connect-src 'self'"));
        assert!(!page.contains("{{") && !page.contains("id=\"model\">"));
    }

    #[test]
    fn names_from_a_model_are_text_and_nothing_else() {
        let model = model(InputContract::rgb(2, 2).expect("a size"), ["<img>", "{{data}}"]);
        match offline(&model, "a<b>&\"c\"") {
            Ok(page) => {
                assert!(page.contains("<title>a&lt;b&gt;&amp;&quot;c&quot;</title>"));
                assert!(page.contains("tells apart: &lt;img&gt; and {{data}}."));
                assert_eq!(page.matches("id=\"model\">").count(), 1);
                assert!(page.contains("connect-src 'none'"));
            }
            Err(error) => {
                assert_ne!(env!("DNN_PAGE_WASM"), "built", "{error}");
                assert!(error.to_string().contains("cargo xtask wasm"), "{error}");
            }
        }
    }

    #[test]
    fn a_model_of_tables_has_no_page() {
        let input =
            InputContract { normalization: Normalization::AsIs, ..InputContract::default() };
        let error = offline(&model(input, ["a", "b"]), "x").expect_err("nothing to show");
        assert!(matches!(error, PageError::NoImages), "{error}");
    }
}
