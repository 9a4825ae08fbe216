//! `dnn inspect`.

use crate::console::{Console, of_how_many, printable};
use crate::run::{self, RunConfig, Summary};
use anyhow::{Context, bail};
use dnn_core::{Architecture, InputContract, Model, Precision};
use dnn_data::hdf5::{self, Description, Options};
use dnn_data::image::{DecodeLimits, Rendering, decode_file};
use dnn_train::End;
use serde::Serialize;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Say what is in a model, a data file, an image or a run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file, or the folder of a run
    file: PathBuf,
}

/// What was found, as JSON has it.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Found {
    Model(ModelFacts),
    Hdf5(Description),
    Image { path: PathBuf, width: u32, height: u32 },
    Run { path: PathBuf, summary: Option<Box<Summary>>, config: Box<RunConfig> },
}

#[derive(Serialize)]
struct ModelFacts {
    path: PathBuf,
    file_bytes: u64,
    architecture: Architecture,
    n_parameters: usize,
    precision: Precision,
    classes: Vec<String>,
    input: InputContract,
}

pub(crate) fn run(args: &Args, console: Console) -> anyhow::Result<ExitCode> {
    let found = look(&args.file)?;
    console.json(&found)?;
    if !console.json {
        console.text(describe(&found)?.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn look(path: &Path) -> anyhow::Result<Found> {
    if path.is_dir() {
        return look_at_run(path);
    }
    let failed = || format!("cannot read {}", path.display());
    let mut start = Vec::new();
    File::open(path).with_context(failed)?.take(16).read_to_end(&mut start).with_context(failed)?;
    // A safetensors file starts with the length of its JSON header, which starts with a brace.
    if start.get(8) == Some(&b'{') {
        let (model, path) = run::read_model(path)?;
        return Ok(Found::Model(facts(&model, path).with_context(failed)?));
    }
    if start.starts_with(b"\x89PNG") || start.starts_with(b"\xff\xd8\xff") {
        let image = decode_file(path, &DecodeLimits::default(), Rendering::default())?;
        let (width, height) = (image.width(), image.height());
        return Ok(Found::Image { path: path.into(), width, height });
    }
    // HDF5 may begin after a block of the user's; its reader says what else a file may be.
    Ok(Found::Hdf5(hdf5::describe(path, &Options::default())?))
}

fn facts(model: &Model, path: PathBuf) -> std::io::Result<ModelFacts> {
    let architecture = model.network().architecture();
    Ok(ModelFacts {
        file_bytes: std::fs::metadata(&path)?.len(),
        path,
        n_parameters: architecture.n_parameters(),
        architecture,
        precision: model.network().precision(),
        classes: model.classes().to_vec(),
        input: model.input().clone(),
    })
}

fn look_at_run(path: &Path) -> anyhow::Result<Found> {
    let config = path.join(run::CONFIG);
    if !config.exists() {
        bail!("{}: a folder without {}: not a run", path.display(), run::CONFIG);
    }
    let config = Box::new(RunConfig::read(&config)?);
    let file = path.join(run::SUMMARY);
    let summary = match std::fs::read_to_string(&file) {
        Ok(text) => Some(
            serde_json::from_str(&text)
                .with_context(|| format!("cannot understand {}", file.display()))?,
        ),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
    };
    Ok(Found::Run { path: path.into(), summary, config })
}

fn describe(found: &Found) -> anyhow::Result<String> {
    let mut out = String::new();
    match found {
        Found::Model(model) => {
            let classes: Vec<_> = model.classes.iter().map(|name| printable(name)).collect();
            writeln!(out, "Model:       {}, {} bytes", model.path.display(), model.file_bytes)?;
            let ModelFacts { architecture, precision, n_parameters, input, .. } = model;
            writeln!(out, "Layers:      {architecture}, {n_parameters} parameters in {precision}")?;
            writeln!(out, "Activations: {}", activations(architecture))?;
            writeln!(out, "Classes:     {}", classes.join(", "))?;
            writeln!(out, "Input:       {input}")?;
        }
        Found::Hdf5(file) => {
            writeln!(out, "HDF5 file: {}, {} bytes", file.path.display(), file.file_bytes)?;
            for dataset in &file.datasets {
                let name = printable(&dataset.name);
                if let Some(problem) = &dataset.problem {
                    writeln!(out, "  {name}: damaged: {}", printable(problem))?;
                    continue;
                }
                let shape: Vec<_> = dataset.shape.iter().map(ToString::to_string).collect();
                write!(out, "  {name}: {} ({})", dataset.element, shape.join(", "))?;
                if !dataset.filters.is_empty() {
                    write!(out, ", packed with {}", dataset.filters.join(", "))?;
                }
                writeln!(out)?;
            }
            if file.datasets.is_empty() {
                writeln!(out, "  no datasets")?;
            }
            if file.more {
                writeln!(out, "  … and more")?;
            }
        }
        Found::Image { path, width, height } => {
            writeln!(out, "Image: {}, {width}×{height} pixels", path.display())?;
        }
        Found::Run { path, summary, config } => {
            writeln!(out, "Run:        {}", path.display())?;
            if let Some(summary) = summary {
                write_summary(&mut out, summary)?;
            } else {
                writeln!(out, "Result:     none: it did not finish")?;
            }
            writeln!(out, "\n{}", toml::to_string(config)?.trim_end())?;
        }
    }
    Ok(out)
}

fn activations(architecture: &Architecture) -> String {
    let hidden = architecture.activations.iter().map(ToString::to_string);
    hidden.chain([architecture.loss.to_string()]).collect::<Vec<_>>().join(", ")
}

fn write_summary(out: &mut String, summary: &Summary) -> std::fmt::Result {
    writeln!(out, "Layers:     {}, {}", summary.architecture, summary.precision)?;
    let stopped = match summary.end {
        End::Completed => "",
        End::Asked => ", interrupted",
        End::Early => ", stopped early",
    };
    writeln!(out, "Iterations: {}{stopped}, {} engine", summary.iterations, summary.engine)?;
    writeln!(out, "Cost:       {:.6}", summary.final_cost)?;
    writeln!(out, "Training:   {}", of_how_many(summary.train))?;
    if let Some(test) = summary.test {
        writeln!(out, "Test:       {}", of_how_many(test))?;
    }
    Ok(())
}
