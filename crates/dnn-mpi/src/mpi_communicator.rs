//! Exchanges of messages over MPI, and what is done when a rank is lost.
//!
//! One thread makes all calls of MPI, so that messages travel while the others compute, and so that any
//! MPI will do, whatever it says of threads. Each message is a send and a receive of its own, not one of
//! MPI's collective operations: those may differ between implementations and versions, and do not end when
//! a rank is lost.
//!
//! The thread sends a sign of life to the next rank once in a while, and expects one from the rank before.
//! A rank that was stopped, or whose machine is gone, is so named by the one after it, which ends the job.
//! A rank whose process has ended is noticed by MPI's launcher, which does the same.

use anyhow::{Context, ensure};
use dnn_train::{AlignedBytes, Communicator, Messages, Place};
use mpi::Threading;
use mpi::ffi;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{AsRaw, Communicator as _};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Exit code of an error.
const ERROR: i32 = 2;
/// Bytes of one call of MPI, whose counts are 32-bit numbers.
const BYTES_AT_ONCE: usize = 1 << 30;
/// Pause between two looks at messages that are under way: short beside a layer's gradients, long beside
/// a look.
const LOOK_EVERY: Duration = Duration::from_micros(20);
/// Looks without a pause while this rank waits for a message: most are there within that fraction of
/// a millisecond, and the processor is left to the reader of batches after it.
const LOOKS: usize = 1000;
/// After so many looks another thread may have the processor.
const LOOKS_IN_A_ROW: usize = 64;
const MESSAGE: i32 = 1;
const SIGN_OF_LIFE: i32 = 2;

enum Order {
    Start(Messages),
    /// Wait until every rank has come to its end, and leave.
    End,
    /// End the whole job.
    Abort,
}

/// The ranks of an MPI job.
#[derive(Debug)]
pub(crate) struct MpiCommunicator {
    rank: usize,
    size: usize,
    orders: Sender<Order>,
    done: Mutex<Receiver<Messages>>,
    /// Whether this rank has nothing to do but wait.
    waits: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl MpiCommunicator {
    /// Starts MPI. A rank without a sign of life for `peer_timeout` ends the job.
    ///
    /// # Errors
    /// When MPI cannot be started, or the time is below a second.
    pub(crate) fn start(peer_timeout: Duration) -> anyhow::Result<Self> {
        ensure!(
            peer_timeout >= Duration::from_secs(1),
            "--peer-timeout {peer_timeout:?}: expected a second at least; a busy machine is no lost one"
        );
        let (orders, to_do) = channel();
        let (finished, done) = channel();
        let (ready, started) = channel();
        let waits = Arc::new(AtomicBool::new(false));
        let waiting = Arc::clone(&waits);
        let thread = std::thread::Builder::new()
            .name("mpi".into())
            .spawn(move || {
                let universe = mpi::initialize_with_threading(Threading::Funneled);
                let Some((universe, _)) = universe else { return };
                let world = universe.world();
                let (rank, size) = (world.rank(), world.size());
                if ready.send((rank, size)).is_ok() {
                    let under_way = VecDeque::new();
                    let (heard, told) = (Instant::now(), Instant::now());
                    Exchanges { world, rank, size, under_way, peer_timeout, heard, told, waiting, looks: 0 }
                        .serve(&to_do, &finished);
                }
                // MPI ends here.
                drop(universe);
            })
            .context("cannot start a thread for MPI")?;
        let (rank, size) = started.recv().context("MPI cannot be started")?;
        ensure!(rank >= 0 && size > rank, "MPI says that this is rank {rank} of {size}");
        let done = Mutex::new(done);
        let thread = Mutex::new(Some(thread));
        Ok(Self { rank: rank as usize, size: size as usize, orders, done, waits, thread })
    }

    /// Waits for the other ranks to come to their end, and ends MPI.
    pub(crate) fn end(&self) {
        self.order(Order::End);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It has nothing to say but that it has ended.
        let _ = thread.map(JoinHandle::join);
    }

    /// Ends all ranks of the job; does not return.
    pub(crate) fn abort(&self) {
        self.order(Order::Abort);
        self.await_done();
    }

    fn order(&self, order: Order) {
        // The thread ends the process rather than itself.
        let _ = self.orders.send(order);
    }

    fn await_done(&self) -> Messages {
        self.waits.store(true, Ordering::Relaxed);
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).recv();
        self.waits.store(false, Ordering::Relaxed);
        done.unwrap_or_default()
    }
}

impl Communicator for MpiCommunicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn start(&self, messages: Messages) {
        self.order(Order::Start(messages));
    }

    fn finish(&self) -> Messages {
        self.await_done()
    }
}

/// What the thread of MPI has.
struct Exchanges {
    world: SimpleCommunicator,
    rank: i32,
    size: i32,
    under_way: VecDeque<Exchange>,
    peer_timeout: Duration,
    /// When the rank before gave its last sign of life, and this one its own.
    heard: Instant,
    told: Instant,
    waiting: Arc<AtomicBool>,
    /// Looks without a pause since this rank began to wait.
    looks: usize,
}

/// An exchange whose messages are under way: MPI reads and writes them until its requests are done.
struct Exchange {
    messages: Messages,
    requests: Vec<ffi::MPI_Request>,
}

impl Exchanges {
    fn serve(&mut self, to_do: &Receiver<Order>, finished: &Sender<Messages>) {
        let sign_every = (self.peer_timeout / 5).max(Duration::from_millis(1));
        let mut ending = false;
        loop {
            self.signs_of_life(sign_every);
            while self.under_way.front_mut().is_some_and(Exchange::is_done) {
                let done = self.under_way.pop_front().map(|exchange| exchange.messages);
                if finished.send(done.unwrap_or_default()).is_err() || ending {
                    return;
                }
            }
            if !self.waiting.load(Ordering::Relaxed) {
                self.looks = 0;
            }
            let order = if self.under_way.is_empty() {
                match to_do.recv_timeout(sign_every) {
                    Ok(order) => order,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else {
                match to_do.try_recv() {
                    Ok(order) => order,
                    Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => {
                        self.pause();
                        continue;
                    }
                }
            };
            match order {
                Order::Start(messages) => self.start(messages),
                Order::End => {
                    // Empty messages: whoever has one from each knows that all have come here.
                    let empty = vec![vec![Place { buffer: 0, bytes: 0..0 }]; self.size as usize];
                    let buffers = vec![AlignedBytes::default()];
                    self.start(Messages { buffers, outgoing: empty.clone(), incoming: empty });
                    ending = true;
                }
                Order::Abort => self.world.abort(ERROR),
            }
        }
    }

    /// Looks again at once when this rank began to wait, and leaves the processor to its other threads
    /// later and while it computes.
    fn pause(&mut self) {
        if !self.waiting.load(Ordering::Relaxed) || self.looks == LOOKS {
            return std::thread::sleep(LOOK_EVERY);
        }
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_IN_A_ROW) {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }

    /// Ends the job when MPI refuses a message; as it is set up, it ends the job itself.
    fn check(&self, code: i32, what: &str) {
        if code != ffi::MPI_SUCCESS as i32 {
            eprintln!("error: rank {}: MPI cannot {what} a message: error {code}", self.rank);
            self.world.abort(ERROR);
        }
    }

    fn start(&mut self, messages: Messages) {
        let mut requests = Vec::new();
        let (comm, byte) = (self.world.as_raw(), byte_type());
        // Receives first, so that what comes is put where it belongs.
        for (rank, from, n) in self.pieces(&messages, &messages.incoming) {
            let mut request = no_request();
            // SAFETY: the memory belongs to the exchange until the request is done, and nothing else
            // touches it meanwhile; that the buffers are moved leaves their bytes where they are.
            let code =
                unsafe { ffi::MPI_Irecv(from, n, byte, rank, MESSAGE, comm, &raw mut request) };
            self.check(code, "receive");
            requests.push(request);
        }
        for (rank, to, n) in self.pieces(&messages, &messages.outgoing) {
            let mut request = no_request();
            // SAFETY: as above.
            let code =
                unsafe { ffi::MPI_Isend(to, n, byte, rank, MESSAGE, comm, &raw mut request) };
            self.check(code, "send");
            requests.push(request);
        }
        self.under_way.push_back(Exchange { messages, requests });
    }

    /// The messages with the other ranks, in pieces that a call of MPI can count: the rank, where the
    /// piece lies, and its bytes.
    fn pieces<'m>(
        &self,
        messages: &'m Messages,
        of: &'m [Vec<Place>],
    ) -> impl Iterator<Item = (i32, *mut c_void, i32)> + 'm {
        let own = self.rank;
        let others = (0..).zip(of).filter(move |(rank, _)| *rank != own);
        let places =
            others.flat_map(|(rank, places)| places.iter().map(move |place| (rank, place)));
        places.flat_map(move |(rank, Place { buffer, bytes })| {
            let pieces = (bytes.start..bytes.end.max(bytes.start + 1)).step_by(BYTES_AT_ONCE);
            pieces.map(move |from| {
                let piece = from..bytes.end.min(from + BYTES_AT_ONCE);
                let n = piece.len() as i32;
                (rank, messages.buffers[*buffer].pointer(&piece).cast(), n)
            })
        })
    }

    /// Gives a sign of life to the rank after this one, and ends the job when the one before has given none
    /// for too long.
    fn signs_of_life(&mut self, every: Duration) {
        static SIGN: [u8; 1] = [0];
        let now = Instant::now();
        if self.size == 1 || now.duration_since(self.told) < every {
            return;
        }
        // This process itself may have been stopped, and the others with it: their signs come first.
        let was_stopped = now.duration_since(self.told) > self.peer_timeout / 2;
        self.told = now;
        let (before, after) =
            ((self.rank + self.size - 1) % self.size, (self.rank + 1) % self.size);
        let (comm, byte) = (self.world.as_raw(), byte_type());
        let (mut request, mut came) = (no_request(), 0);
        // SAFETY: what is sent is never freed or changed, so its request need not be waited for; what is
        // received has been announced, and is one byte.
        unsafe {
            let sign = SIGN.as_ptr().cast();
            ffi::MPI_Isend(sign, 1, byte, after, SIGN_OF_LIFE, comm, &raw mut request);
            ffi::MPI_Request_free(&raw mut request);
            loop {
                let ignored = ffi::RSMPI_STATUS_IGNORE;
                ffi::MPI_Iprobe(before, SIGN_OF_LIFE, comm, &raw mut came, ignored);
                if came == 0 {
                    break;
                }
                let mut sign = [0_u8; 1];
                let sign = sign.as_mut_ptr().cast();
                ffi::MPI_Recv(sign, 1, byte, before, SIGN_OF_LIFE, comm, ignored);
                self.heard = now;
            }
        }
        if was_stopped {
            self.heard = now;
        }
        let silent = now.duration_since(self.heard);
        if silent > self.peer_timeout {
            eprintln!(
                "error: rank {before} of {} has given no sign of life for {:.0} s (rank {} says so): it was \
                 stopped, or its machine is lost; the last checkpoint stays, and train --resume goes on from \
                 it on any number of ranks",
                self.size,
                silent.as_secs_f64(),
                self.rank
            );
            self.world.abort(ERROR);
        }
    }
}

/// The type of what is sent.
fn byte_type() -> ffi::MPI_Datatype {
    // SAFETY: a constant of MPI.
    unsafe { ffi::RSMPI_UINT8_T }
}

/// A request that is none yet.
fn no_request() -> ffi::MPI_Request {
    // SAFETY: a constant of MPI.
    unsafe { ffi::RSMPI_REQUEST_NULL }
}

impl Exchange {
    /// Whether all of its messages have come and gone.
    fn is_done(&mut self) -> bool {
        while let Some(request) = self.requests.last_mut() {
            let mut done = 0;
            // SAFETY: a request that was started, and is dropped when it is done.
            unsafe { ffi::MPI_Test(request, &raw mut done, ffi::RSMPI_STATUS_IGNORE) };
            if done == 0 {
                return false;
            }
            self.requests.pop();
        }
        true
    }
}
