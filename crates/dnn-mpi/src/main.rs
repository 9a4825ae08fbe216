//! `dnn-mpi`: `dnn train`, `evaluate` and `predict` by all ranks of an MPI job, with the bytes of one process.
//!
//! ```text
//! mpirun -n 4 dnn-mpi train DATA --out RUN
//! ```
//!
//! It takes the flags of `dnn`, and cuts batches into 8 micro-shards unless told otherwise. When a rank is
//! lost, the job ends with a message that names it, and `dnn-mpi train --resume RUN` on any number of
//! ranks, or `dnn train --resume RUN`, goes on from the last checkpoint.

mod mpi_communicator;

use clap::{Arg, ArgMatches, Command};
use dnn_cli::Ranks;
use mpi_communicator::MpiCommunicator;
use std::process::ExitCode;
use std::time::Duration;

/// Micro-shards of a training that is not told how many.
const MICRO_SHARDS: usize = 8;
/// How long the other ranks wait for one with an error of its own, in case rank 0 has the same one and
/// says it.
const GRACE: Duration = Duration::from_millis(300);
const PEER_TIMEOUT: &str = "10s";

fn command() -> Command {
    dnn_cli::command().name("dnn-mpi").arg(
        Arg::new("peer-timeout")
            .long("peer-timeout")
            .value_name("TIME")
            .default_value(PEER_TIMEOUT)
            .value_parser(humantime::parse_duration)
            .global(true)
            .help("Time without a sign of life after which a rank is given up and the job ends"),
    )
}

/// The command line; `Err` with the exit code when there is nothing to do. Before MPI is started, rank 0
/// is known from the environment alone.
fn parse() -> Result<ArgMatches, ExitCode> {
    dnn_cli::matches(&command()).map_err(|error| {
        let of_launcher = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"];
        let rank = of_launcher.iter().find_map(|name| std::env::var(name).ok());
        if rank.is_none_or(|rank| rank == "0") {
            // Nothing is left to be done when standard error is closed.
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

fn main() -> ExitCode {
    dnn_cli::use_huge_pages();
    let matches = match parse() {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let timeout = matches.get_one::<Duration>("peer-timeout").copied().unwrap_or_default();
    let communicator = match MpiCommunicator::start(timeout) {
        Ok(communicator) => &*Box::leak(Box::new(communicator)),
        Err(error) => return dnn_cli::report(&error),
    };
    let ranks = Ranks { communicator, micro_shards: Some(MICRO_SHARDS) };
    match dnn_cli::run_command(&matches, ranks) {
        Ok(code) => {
            communicator.end();
            code
        }
        Err(error) => {
            if dnn_train::Communicator::rank(communicator) > 0 {
                std::thread::sleep(GRACE);
            }
            let code = dnn_cli::report(&error);
            communicator.abort();
            code
        }
    }
}
