//! The command line, and which subcommand does what it asks for.

#[cfg(feature = "serve")]
use crate::commands::serve;
use crate::commands::{
    audit, compare, config, convert, draw, evaluate, explain, export, gradcheck, inspect, lr_find,
    merge, predict, preview, report, sweep, train, tune,
};
use crate::console::Console;
use crate::ranks;
use crate::shard::Shards;
use anyhow::{Context, bail};
use clap::builder::Resettable;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use std::io::{self, Write};
use std::process::ExitCode;

/// Train, judge and apply a deep fully-connected image classifier.
///
/// Without a subcommand: trains the course's deep network on the cat images in data/, or on drawn
/// ones when those are not there.
#[derive(Debug, Parser)]
#[command(name = "dnn", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Print the result only: no progress, no hints
    #[arg(long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network and keep it, with everything needed to repeat the run
    Train(Deferred<train::Args>),
    /// Train a grid of configurations side by side, and tell their results with what they are worth
    Sweep(Deferred<sweep::Args>),
    /// Choose among a handful of recipes by nested cross-validation, and write the one that is best
    Tune(Deferred<tune::Args>),
    /// Find a learning rate to begin with: train for some iterations with one that grows, and see where the
    /// cost falls most
    LrFind(Deferred<lr_find::Args>),
    /// Judge a model on labelled images
    Evaluate(Deferred<evaluate::Args>),
    /// Say whether one of two models is better, or whether chance explains the difference
    Compare(Deferred<compare::Args>),
    /// Say why a model fails: which causes of error it is sensitive to, where it looks, which labels are suspect
    Explain(Deferred<explain::Args>),
    /// Write a page about a run: how good it is, why it fails, how it was made
    Report(Deferred<report::Args>),
    /// Say what is on images, or of which class the rows of a table are
    Predict(Deferred<predict::Args>),
    /// Put the shards of a command together to what it writes and says without --shard
    Merge(Deferred<merge::Args>),
    /// Write a model for other programs: as ONNX, as arrays for NumPy, as C, as a page
    Export(Deferred<export::Args>),
    /// Answer over HTTP: predictions, the Open Inference Protocol, metrics, and a page
    #[cfg(feature = "serve")]
    Serve(Deferred<serve::Args>),
    /// Say what is in a model, a data file or folder, an image or a run
    Inspect(Deferred<inspect::Args>),
    /// Compare the gradients that training goes by with central differences, layer by layer
    ///
    /// Those of both engines, dense and gram: of each W and b the worse is shown. Without MODEL: on a
    /// network and examples drawn from normal distributions. Always in double precision. Exits with 1
    /// when they do not agree.
    Gradcheck(Deferred<gradcheck::Args>),
    /// Draw, convert, audit or preview data
    Data {
        #[command(subcommand)]
        command: DataCommand,
    },
    /// Write or check a training configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a script that completes `dnn` commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Write a configuration in which every key is explained
    Init(Deferred<config::InitArgs>),
    /// Say whether a configuration is sound, or what is wrong with it
    Check(Deferred<config::CheckArgs>),
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Draw cats and other things, and keep them as HDF5, as a picture, or both
    Draw(Deferred<draw::Args>),
    /// Write any data set as one HDF5 file in the course's schema, without holding it in memory
    Convert(Deferred<convert::Args>),
    /// Say what is wrong with a data set: duplicates, test images in the training set, two labels
    Audit(Deferred<audit::Args>),
    /// Draw a picture of some images of a data set, and of what augmentation makes of them
    Preview(Deferred<preview::Args>),
}

/// The arguments of a subcommand, described to clap when it is the one that is called: the flags of all
/// settings of all subcommands together take longer to describe than to answer for one image.
#[derive(Debug)]
struct Deferred<A>(Box<A>);

impl<A: clap::Args> clap::Args for Deferred<A> {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.defer(|command| {
            // Arguments that are described in a struct of their own bring its description with them.
            let about = command.get_about().cloned();
            let long_about = command.get_long_about().cloned();
            let (about, long_about) = (Resettable::from(about), Resettable::from(long_about));
            A::augment_args(command).about(about).long_about(long_about)
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command.defer(A::augment_args_for_update)
    }
}

impl<A: FromArgMatches> FromArgMatches for Deferred<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        A::from_arg_matches(matches).map(|args| Self(Box::new(args)))
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        A::from_arg_matches_mut(matches).map(|args| Self(Box::new(args)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<A> std::ops::Deref for Deferred<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.0
    }
}

/// Returns the command line, to be parsed.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the command line asks for.
///
/// # Errors
/// Whatever keeps the subcommand from its work; the exit code is then 2.
pub(crate) fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let console = Console { json: cli.json, quiet: cli.quiet || !ranks::is_first() };
    if !matches!(cli.command, Some(Command::Train(_) | Command::Evaluate(_) | Command::Predict(_)))
    {
        ranks::only_one("this subcommand")?;
    }
    match &cli.command {
        None => train::run_default(console),
        Some(Command::Train(args)) => train::run(args, console),
        Some(Command::Sweep(args)) => sweep::run(args, console),
        Some(Command::Tune(args)) => tune::run(args, console),
        Some(Command::LrFind(args)) => lr_find::run(args, console),
        Some(Command::Evaluate(args)) => evaluate::run(args, console),
        Some(Command::Compare(args)) => compare::run(args, console),
        Some(Command::Explain(args)) => explain::run(args, console),
        Some(Command::Report(args)) => report::run(args, console),
        Some(Command::Predict(args)) => predict::run(args, console),
        Some(Command::Merge(args)) => merge_shards(args, console),
        Some(Command::Export(args)) => export::run(args, console),
        #[cfg(feature = "serve")]
        Some(Command::Serve(args)) => serve::run(args, console),
        Some(Command::Inspect(args)) => inspect::run(args, console),
        Some(Command::Gradcheck(args)) => gradcheck::run(args, console),
        Some(Command::Data { command: DataCommand::Draw(args) }) => draw::run(args, console),
        Some(Command::Data { command: DataCommand::Convert(args) }) => convert::run(args, console),
        Some(Command::Data { command: DataCommand::Audit(args) }) => audit::run(args, console),
        Some(Command::Data { command: DataCommand::Preview(args) }) => preview::run(args, console),
        Some(Command::Config { command: ConfigCommand::Init(args) }) => config::init(args, console),
        Some(Command::Config { command: ConfigCommand::Check(args) }) => {
            config::check(args, console)
        }
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "dnn", &mut script);
            io::stdout().lock().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Does what the command of these shards does once all its work is done.
fn merge_shards(args: &merge::Args, console: Console) -> anyhow::Result<ExitCode> {
    let shards = Shards::read(&args.shards)?;
    let words = ["dnn"].into_iter().chain(shards.command.iter().map(String::as_str));
    match Cli::try_parse_from(words).context("the command of the shards")?.command {
        Some(Command::Sweep(args)) => sweep::merge(&args, &shards, console),
        Some(Command::Tune(args)) => tune::merge(&args, &shards, console),
        Some(Command::Predict(args)) => predict::merge(&args, &shards, console),
        Some(Command::Data { command: DataCommand::Convert(args) }) => {
            convert::merge(&args, &shards, console)
        }
        Some(Command::Data { command: DataCommand::Audit(args) }) => {
            audit::merge(&args, &shards, console)
        }
        _ => bail!("the command of the shards has no shards: dnn {}", shards.command.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_subcommand_keeps_its_description_when_its_arguments_are_described() {
        let mut command = Cli::command();
        let of = |command: &clap::Command| {
            let all = command.get_subcommands().filter(|command| command.get_name() != "help");
            let about = |command: &clap::Command| {
                (command.get_name().to_owned(), command.get_about().cloned())
            };
            all.map(about).collect::<Vec<_>>()
        };
        let before = of(&command);
        assert!(before.len() > 10 && before.iter().all(|(_, about)| about.is_some()));
        command.build();
        assert_eq!(of(&command), before);
    }

    #[test]
    fn a_wrong_flag_is_answered_with_the_nearest() {
        let error = Cli::try_parse_from(["dnn", "train", "--iteratons", "5"]).unwrap_err();
        assert!(error.to_string().contains("--iterations"), "{error}");
        let error = Cli::try_parse_from(["dnn", "trian"]).unwrap_err();
        assert!(error.to_string().contains("'train'"), "{error}");
    }
}
