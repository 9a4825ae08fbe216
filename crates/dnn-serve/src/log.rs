//! The log: a JSON object a line, of what happened and never of what was sent.

use serde::Serialize;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Lines that may wait to be written.
const MAX_WAITING: usize = 4096;

/// Writes lines without ever making a request wait for it: what a reader of the log is too slow for is
/// dropped and counted.
pub(crate) struct Log {
    lines: SyncSender<Vec<u8>>,
    /// A channel without messages; it is closed when all lines are written.
    ended: Mutex<Receiver<()>>,
    n_dropped: AtomicU64,
}

/// The fields that every line has, before its own.
#[derive(Serialize)]
struct Line<'a, T> {
    /// Seconds since 1970.
    ts: f64,
    level: &'static str,
    event: &'a str,
    #[serde(flatten)]
    fields: T,
}

impl Log {
    /// Starts the thread that writes to `out`.
    pub(crate) fn start(out: impl Write + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel(MAX_WAITING);
        let (ending, ended) = channel();
        std::thread::spawn(move || {
            write(&waiting, out);
            drop(ending);
        });
        Self { lines, ended: Mutex::new(ended), n_dropped: AtomicU64::new(0) }
    }

    /// Waits until everything is written, but not for long: nobody may be reading.
    pub(crate) fn end(&self) {
        // No line at all is the end.
        if self.lines.try_send(Vec::new()).is_ok() {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(Duration::from_secs(1));
        }
    }

    /// Writes a line of the level info.
    pub(crate) fn info(&self, event: &str, fields: impl Serialize) {
        self.line("info", event, fields);
    }

    /// Writes a line of the level warn: somebody should look at it.
    pub(crate) fn warn(&self, event: &str, fields: impl Serialize) {
        self.line("warn", event, fields);
    }

    /// Returns the number of lines that were dropped.
    pub(crate) fn n_dropped(&self) -> u64 {
        self.n_dropped.load(Ordering::Relaxed)
    }

    fn line(&self, level: &'static str, event: &str, fields: impl Serialize) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ts = since.as_millis() as f64 / 1e3;
        let line = serde_json::to_vec(&Line { ts, level, event, fields }).map(|mut line| {
            line.push(b'\n');
            self.lines.try_send(line)
        });
        if !matches!(line, Ok(Ok(()))) {
            self.n_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes what waits, all that is there at once, until an empty line comes. A moment passes in between,
/// so that not every line wakes this thread.
fn write(waiting: &Receiver<Vec<u8>>, mut out: impl Write) {
    const MOMENT: Duration = Duration::from_millis(20);
    let mut is_open = true;
    while is_open && let Ok(mut lines) = waiting.recv() {
        is_open = !lines.is_empty();
        while is_open && let Ok(line) = waiting.try_recv() {
            is_open = !line.is_empty();
            lines.extend(line);
        }
        // When nobody reads the log any more, the server goes on.
        let _ = out.write_all(&lines).and_then(|()| out.flush());
        std::thread::sleep(MOMENT);
    }
}
