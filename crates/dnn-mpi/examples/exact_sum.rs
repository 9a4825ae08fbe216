//! Measures the sum of a gradient over the ranks: in the fixed tree, or as MPI adds it up.
//!
//! ```text
//! cargo build --release --manifest-path crates/dnn-mpi/Cargo.toml --example exact_sum
//! mpirun -n 2 crates/dnn-mpi/target/release/examples/exact_sum tree 29401098
//! mpirun -n 2 crates/dnn-mpi/target/release/examples/exact_sum mpi 29401098
//! ```
//!
//! Prints the least time of the repeats in milliseconds. The two are programs of their own, since only one
//! thread of a process may call MPI.

#[path = "../src/mpi_communicator.rs"]
#[allow(dead_code)] // nothing is aborted here
mod mpi_communicator;

use dnn_train::{AlignedBytes, Communicator, MicroShards, TreeSum};
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _};
use mpi_communicator::MpiCommunicator;
use std::time::{Duration, Instant};

const REPEATS: usize = 30;
const MICRO_SHARDS: usize = 8;

fn least(mut sum: impl FnMut()) -> f64 {
    let times = (0..REPEATS).map(|_| {
        let start = Instant::now();
        sum();
        start.elapsed().as_secs_f64()
    });
    1e3 * times.fold(f64::INFINITY, f64::min)
}

fn numbers(rank: usize, n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7919 % 1009 + rank) as f32).collect()
}

fn in_tree(n: usize) -> anyhow::Result<(usize, f64, f32)> {
    let ranks = MpiCommunicator::start(Duration::from_secs(60))?;
    let communicator: &dyn Communicator = &ranks;
    let shards = MicroShards::new(MICRO_SHARDS, communicator);
    let own = numbers(communicator.rank(), n);
    let mut buffer = AlignedBytes::from(bytemuck::cast_slice(&own[..]));
    let mut tree = TreeSum::<f32>::new(shards, &[buffer.len()]);
    // The sum takes the place of the numbers, and is summed up in its turn.
    let mut first_sum = None;
    let time = least(|| {
        tree.start(communicator, [std::mem::take(&mut buffer)]);
        tree.add_up(communicator);
        buffer = tree.finish(communicator).next().unwrap_or_default();
        first_sum.get_or_insert(bytemuck::cast_slice::<u8, f32>(buffer.bytes())[n - 1]);
    });
    ranks.end();
    Ok((ranks.rank(), time, first_sum.unwrap_or_default()))
}

fn as_mpi_adds(n: usize) -> anyhow::Result<(usize, f64, f32)> {
    let universe = mpi::initialize().ok_or_else(|| anyhow::anyhow!("MPI cannot be started"))?;
    let world: SimpleCommunicator = universe.world();
    let rank = world.rank() as usize;
    let (own, mut sum) = (numbers(rank, n), vec![0.0_f32; n]);
    let time = least(|| world.all_reduce_into(&own[..], &mut sum[..], SystemOperation::sum()));
    world.barrier();
    Ok((rank, time, sum[n - 1]))
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [way, n] = &args[..] else { anyhow::bail!("expected tree or mpi, and how many numbers") };
    let n = n.parse()?;
    let (rank, time, last) = match way.as_str() {
        "tree" => in_tree(n)?,
        "mpi" => as_mpi_adds(n)?,
        other => anyhow::bail!("expected tree or mpi, got {other}"),
    };
    if rank == 0 {
        println!("{way}: {time:.3} ms for {n} numbers (the last sum is {last})");
    }
    Ok(())
}
