//! The `dnn` program: trains, judges and applies a deep fully-connected image classifier.

use std::process::ExitCode;

fn main() -> ExitCode {
    dnn_cli::use_huge_pages();
    let matches = dnn_cli::matches(&dnn_cli::command()).unwrap_or_else(|error| error.exit());
    dnn_cli::run_command(&matches, dnn_cli::Ranks::SINGLE)
        .unwrap_or_else(|error| dnn_cli::report(&error))
}
