//! `dnn merge`.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run it in the folder in which the shards' commands were run. A shard that is missing, \
    there twice, not whole, damaged or of another job is refused by name."
)]
pub(crate) struct Args {
    /// The folder of the shards, or their records, such as 1-of-5.json
    #[arg(value_name = "SHARDS", required = true)]
    pub(crate) shards: Vec<PathBuf>,
}
