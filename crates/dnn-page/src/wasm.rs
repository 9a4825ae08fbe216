//! The functions that the page calls: the libraries as WebAssembly, with nothing imported from the page.
//!
//! The page writes bytes where [`input_buffer`] says, calls [`load`] with a model or [`ask`] with an
//! image file there, and reads as many bytes of JSON at [`output`] as the call returned.

use dnn_data::image::DecodeLimits;
use dnn_data::{Answer, Details, Model, Predictor};
use serde_json::{Value, json};
use std::cell::RefCell;

/// What a browser gives a page without complaint.
const LIMITS: DecodeLimits =
    DecodeLimits { max_file_bytes: 64 << 20, max_pixels: 1 << 26, max_memory_bytes: 512 << 20 };

#[derive(Default)]
struct Machine {
    input: Vec<u8>,
    output: String,
    predictor: Option<Predictor>,
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

/// Returns where `n_bytes` of input are to be written.
// SAFETY: no other function of this name is linked.
#[unsafe(no_mangle)]
pub extern "C" fn input_buffer(n_bytes: usize) -> *mut u8 {
    MACHINE.with_borrow_mut(|machine| {
        machine.input = vec![0; n_bytes];
        machine.input.as_mut_ptr()
    })
}

/// Returns where the last answer begins.
// SAFETY: no other function of this name is linked.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    MACHINE.with_borrow(|machine| machine.output.as_ptr())
}

/// Takes the input as a model file: `{}`, or `detail` with what is wrong.
// SAFETY: no other function of this name is linked.
#[unsafe(no_mangle)]
pub extern "C" fn load() -> usize {
    answered(|machine| {
        let model = Model::read(machine.input.as_slice()).map_err(|error| error.to_string())?;
        machine.predictor = Some(Predictor::new(model).map_err(|error| error.to_string())?);
        Ok(json!({}))
    })
}

/// Takes the input as an image file: the answer as a server's `/v1/explain` has it, or `detail`.
// SAFETY: no other function of this name is linked.
#[unsafe(no_mangle)]
pub extern "C" fn ask() -> usize {
    answered(|machine| {
        let predictor = machine.predictor.as_ref().ok_or("no model was loaded")?;
        let details = Details { prepared: true, saliency: true };
        let answer = Answer::new(predictor, &machine.input, &LIMITS, details);
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(json!({ "classes": predictor.classes(), "predictions": [answer] }))
    })
}

fn answered(work: impl FnOnce(&mut Machine) -> Result<Value, String>) -> usize {
    MACHINE.with_borrow_mut(|machine| {
        let answer = work(machine).unwrap_or_else(|detail| json!({ "detail": detail }));
        machine.input = Vec::new();
        machine.output = answer.to_string();
        machine.output.len()
    })
}
