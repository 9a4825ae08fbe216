//! The signals that ask a program to end: finished work is kept, and the exit code says which
//! signal it was.

use anyhow::Context;
use dnn_train::{Flow, IterationEvent};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The signal that was received, or 0.
static RECEIVED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The error of work that was interrupted before it was done.
#[derive(Debug, thiserror::Error)]
#[error("interrupted {0}")]
pub(crate) struct Interrupted(pub(crate) &'static str);

/// Makes the first signal only be recorded, for [`requested`], and the second end the program at once.
/// Called where work begins whose result can be kept; until then, the first signal ends the
/// program.
///
/// # Errors
/// When the operating system does not allow signals to be handled.
pub(crate) fn listen() -> anyhow::Result<()> {
    let again = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        // In this order, so that the first signal finds `again` not set yet.
        flag::register_conditional_shutdown(signal, i32::from(code(signal)), Arc::clone(&again))
            .and_then(|_| flag::register(signal, Arc::clone(&again)))
            .and_then(|_| flag::register_usize(signal, Arc::clone(&RECEIVED), signal as usize))
            .context("cannot handle signals")?;
    }
    Ok(())
}

/// Takes over the signals: those that ask to end are recorded for the returned function, which is to be run on a
/// thread of its own and never returns. It calls `stop` for each of them, and `reload` for each SIGHUP.
///
/// # Errors
/// When the system does not let signals be handled.
#[cfg(feature = "serve")]
pub(crate) fn listener(
    stop: impl Fn() + Send,
    reload: impl Fn() + Send,
) -> anyhow::Result<impl FnOnce() + Send> {
    let context = "cannot handle signals";
    let asked = Arc::new(AtomicBool::new(false));
    let asked_to_reload = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_usize(signal, Arc::clone(&RECEIVED), signal as usize).context(context)?;
        flag::register(signal, Arc::clone(&asked)).context(context)?;
    }
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGHUP, Arc::clone(&asked_to_reload)).context(context)?;
    Ok(move || {
        loop {
            std::thread::sleep(std::time::Duration::from_millis(20));
            if asked_to_reload.swap(false, Ordering::Relaxed) {
                reload();
            }
            if asked.swap(false, Ordering::Relaxed) {
                stop();
            }
        }
    })
}

/// Lets a write beyond the limit of a file's size fail as on a full disk, instead of ending the
/// program with half a file.
pub(crate) fn survive_file_size_limit() {
    #[cfg(unix)]
    // Without a handler the program ends as it would have; nothing else is lost.
    let _ = flag::register(libc::SIGXFSZ, Arc::default());
}

/// An observer that ends training when the program was asked to end.
pub(crate) fn ends_training(_: &IterationEvent<'_>) -> Flow {
    if requested() { Flow::Stop } else { Flow::Continue }
}

/// Returns whether a signal has asked the program to end.
pub(crate) fn requested() -> bool {
    RECEIVED.load(Ordering::Relaxed) != 0
}

/// Returns the exit code of work that a signal ended before it was done: 130 for SIGINT, 143 for
/// SIGTERM.
pub(crate) fn exit_code() -> ExitCode {
    match RECEIVED.load(Ordering::Relaxed) {
        // Rank 0 was asked, and says so.
        0 => ExitCode::SUCCESS,
        signal => ExitCode::from(code(signal as i32)),
    }
}

/// Exit codes follow the convention of shells: 128 plus the number of the signal.
fn code(signal: i32) -> u8 {
    128 + signal as u8
}
