//! Ctrl-C and the signals that ask a program to end.

use anyhow::Context;
use dnn_train::{Flow, IterationEvent};
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
/// Exit code of a program that was interrupted, by the shells' convention.
const INTERRUPTED: i32 = 130;

/// From now on the first signal is noted, for [`asked`]; the second ends the program at once.
///
/// # Errors
/// When the system does not let signals be handled.
pub(crate) fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    })
    .context("cannot handle Ctrl-C")
}

/// An observer that ends training when the program was asked to end.
pub(crate) fn ends_training(_: &IterationEvent<'_>) -> Flow {
    if asked() { Flow::Stop } else { Flow::Continue }
}

/// Whether the program was asked to end.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
