//! Parts of a job that processes do apart, each into files of its own, and that `dnn merge` puts together.
//!
//! The shards of a job lie in one folder. That of `--shard 2/5` is `2-of-5.json`, its record, which says
//! what job it is a part of, and a file with what came of it: `2-of-5.csv` for predictions. The record names
//! that file and its SHA-256 once the shard is whole.

use crate::console::{Console, argument, program};
use crate::file::{read_text, write_whole};
use crate::run::Machine;
use crate::run::lines::{self, JsonLines};
use anyhow::{Context, bail, ensure};
use dnn_core::split::Shard;
use dnn_data::Shown;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The flags of a command whose work can be done in shards.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Shards")]
pub(crate) struct ShardArgs {
    /// Do part I of N only, counted from 1, for `dnn merge`; `auto` takes both from Slurm's array or tasks,
    /// or Open MPI's ranks, `auto/N` from those or an indexed job of Kubernetes
    #[arg(long, value_name = "I/N", value_parser = |text: &str| parse(text, &variable))]
    shard: Option<Shard>,
    /// The folder of all shards of the job [default: named after what is written, and .shards]
    #[arg(long, value_name = "DIR", requires = "shard")]
    shards: Option<PathBuf>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the shard that `I/N`, `auto` or `auto/N` names.
fn parse(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let (index, count) = match text.split_once('/') {
        Some((index, count)) => (index, Some(count)),
        None => (text, None),
    };
    let number = |text: &str| text.parse::<usize>().ok().filter(|&n| n > 0);
    let count = count.map(|count| number(count).ok_or("expected I/N, such as 2/5"));
    let count = count.transpose()?;
    if index == "auto" {
        return auto(count, variable);
    }
    let (Some(index), Some(count)) = (number(index), count) else {
        return Err("expected I/N with I from 1 to N, such as 2/5, or auto".into());
    };
    Shard::new(index - 1, count).ok_or_else(|| format!("there is no shard {index} of {count}"))
}

/// Returns the shard that the scheduler which has started this process gives it.
fn auto(asked: Option<usize>, variable: &dyn Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let number = |name: &str| {
        let value = variable(name).map(|text| {
            text.parse::<usize>().map_err(|_| format!("{name} is {text}, and no number"))
        });
        value.transpose()
    };
    // The launcher that has started this very process comes before the one around it.
    let ranks = [
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ];
    let mut found = Vec::new();
    for (rank, size) in ranks {
        if let (Some(index), Some(count), true) = (number(rank)?, number(size)?, found.is_empty())
            && count > 1
        {
            found.push((rank, index, count));
        }
    }
    let task = "SLURM_ARRAY_TASK_ID";
    if let Some(id) = number(task)? {
        let of = |name: &str| {
            let name = format!("SLURM_ARRAY_TASK_{name}");
            number(&name)?.ok_or_else(|| format!("{task} is set, and {name} is not"))
        };
        let (least, most, count) = (of("MIN")?, of("MAX")?, of("COUNT")?);
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        if most.saturating_sub(least) / step + 1 != count || id < least {
            return Err(format!(
                "the array's {count} tasks, {least} to {most}, have gaps: say which with I/N"
            ));
        }
        found.push((task, (id - least) / step, count));
    }
    if found.is_empty() {
        let index = "JOB_COMPLETION_INDEX";
        if let Some(i) = number(index)? {
            let count = asked.ok_or("Kubernetes does not say of how many: --shard auto/N")?;
            found.push((index, i, count));
        }
    }
    let (name, index, count) = match found[..] {
        [one] => one,
        [] => {
            return Err(
                "auto: none of SLURM_ARRAY_TASK_ID, SLURM_PROCID with SLURM_STEP_NUM_TASKS, \
                        OMPI_COMM_WORLD_RANK and JOB_COMPLETION_INDEX is set: say which with I/N"
                    .into(),
            );
        }
        _ => {
            let names: Vec<_> = found.iter().map(|(name, ..)| *name).collect();
            return Err(format!("auto: {} are set: say which with I/N", names.join(" and ")));
        }
    };
    if let Some(asked) = asked.filter(|asked| *asked != count) {
        return Err(format!("auto/{asked}: {name} is one of {count}"));
    }
    Shard::new(index, count).ok_or_else(|| format!("{name} is {index}, of {count} from 0"))
}

/// What shards have to have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Job {
    /// Version of the program.
    version: String,
    /// The arguments, without those that results do not depend on.
    command: Vec<String>,
    /// What else results depend on, by name: the hash of the data, for example.
    settings: BTreeMap<String, String>,
    /// Number of shards.
    shards: usize,
}

/// The record of a shard.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Number of the shard, from 1.
    shard: usize,
    job: Job,
    /// `None` until the shard is whole.
    result: Option<ShardOutput>,
}

/// The file that a whole shard has written.
#[derive(Debug, Serialize, Deserialize)]
struct ShardOutput {
    /// Name of the file, in the folder of the record.
    file: String,
    sha256: String,
    /// What the merging command has to know of the file.
    notes: serde_json::Value,
}

impl ShardOutput {
    fn is_sound(&self, folder: &Path) -> bool {
        hash_of(&folder.join(&self.file)).is_ok_and(|hash| hash == self.sha256)
    }
}

/// A shard that is being done.
pub(crate) struct OpenShard {
    pub(crate) shard: Shard,
    record: Record,
    folder: PathBuf,
    file: String,
}

impl ShardArgs {
    /// Returns the shard that the flags ask for.
    pub(crate) fn requested(&self) -> Option<Shard> {
        self.shard
    }

    /// Begins a shard, or goes on with it; `None` when it is whole already, which is said. The folder of the
    /// shards is named after `out` unless a flag names it, and `extension` is that of the shard's file.
    ///
    /// # Errors
    /// When the folder has this shard of another job.
    pub(crate) fn begin(
        &self,
        shard: Shard,
        (out, extension): (&Path, &str),
        settings: &[(&str, String)],
        console: Console,
    ) -> anyhow::Result<Option<OpenShard>> {
        let mut name = out.as_os_str().to_owned();
        name.push(".shards");
        let folder = self.shards.clone().unwrap_or_else(|| name.into());
        dnn_data::atomic::create_folder(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.shown()))?;
        let settings = settings.iter().map(|(name, value)| ((*name).into(), value.clone()));
        let command = command(std::env::args_os().skip(1))?;
        let job = Job {
            version: version(),
            command,
            settings: settings.collect(),
            shards: shard.count(),
        };
        let record = Record { shard: shard.index() + 1, job, result: None };
        let name = format!("{}-of-{}", record.shard, shard.count());
        let file = format!("{name}.{extension}");
        let open = OpenShard { shard, record, folder, file };
        let path = open.record_path();
        if path.exists() {
            let old = read_record(&path)?;
            if let Some(difference) = difference(&old.job, &open.record.job) {
                bail!(
                    "{} is a shard of another job, {difference}; --shards names another folder",
                    path.shown()
                );
            }
            if old.result.is_some_and(|product| product.is_sound(&open.folder)) {
                console.note(format!("{} is whole already", path.shown()));
                open.print_state(console)?;
                return Ok(None);
            }
        } else {
            let file = open.path();
            ensure!(!file.exists(), "{} is there without its record; remove it", file.shown());
        }
        open.write()?;
        Ok(Some(open))
    }
}

impl OpenShard {
    /// The file for what comes of the shard.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.file)
    }

    fn record_path(&self) -> PathBuf {
        self.path().with_extension("json")
    }

    fn write(&self) -> anyhow::Result<()> {
        let mut json = serde_json::to_vec_pretty(&self.record).context("cannot write JSON")?;
        json.push(b'\n');
        write_whole(&self.record_path(), &json)
    }

    /// Opens the shard's file of JSON lines at its end, without lines that are damaged; returns it with the
    /// lines that are there.
    ///
    /// # Errors
    /// When it cannot be read or written, or another process does this shard.
    pub(crate) fn lines<T: DeserializeOwned>(&self) -> anyhow::Result<(JsonLines, Vec<T>)> {
        let path = self.path();
        let before = JsonLines::open(&path)?.locked()?;
        let (texts, found): (Vec<_>, Vec<_>) = lines::read(&path)?.into_iter().unzip();
        write_whole(&path, texts.concat().as_bytes())?;
        drop(before);
        Ok((JsonLines::open(&path)?.locked()?, found))
    }

    /// Records that the shard is whole, and says what to do next.
    ///
    /// # Errors
    /// When its file cannot be read, or the record not be written.
    pub(crate) fn finish(
        mut self,
        notes: &impl Serialize,
        console: Console,
    ) -> anyhow::Result<ExitCode> {
        let sha256 = hash_of(&self.path())
            .with_context(|| format!("cannot read {}", self.path().shown()))?;
        let notes = serde_json::to_value(notes).context("cannot write JSON")?;
        self.record.result = Some(ShardOutput { file: self.file.clone(), sha256, notes });
        self.write()?;
        self.print_state(console)?;
        Ok(ExitCode::SUCCESS)
    }

    fn print_state(&self, console: Console) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct ShardReport<'a> {
            shard: usize,
            shards: usize,
            file: &'a Path,
        }
        let (shard, shards) = (self.record.shard, self.shard.count());
        console.json(&ShardReport { shard, shards, file: &self.path() })?;
        console.text(format!("Shard {shard} of {shards}: {}", self.path().shown()))?;
        let (program, folder) = (program(), argument(&self.folder));
        console.note(format!("When all are there: {program} merge {folder}"));
        Ok(())
    }
}

/// All shards of a job, whole, in their order.
pub(crate) struct Shards {
    /// The arguments of the job's command.
    pub(crate) command: Vec<String>,
    settings: BTreeMap<String, String>,
    products: Vec<(PathBuf, serde_json::Value)>,
}

impl Shards {
    /// Finds the shards in these folders and records, and checks that they are all of one job.
    ///
    /// # Errors
    /// What is missing, there twice, not whole, damaged, or of another job.
    pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut records = Vec::new();
        for path in paths {
            for path in records_at(path)? {
                records.push((read_record(&path)?, path));
            }
        }
        records.sort_by_key(|(record, _)| record.shard);
        let [(Record { job, .. }, first), ..] = &records[..] else {
            bail!("no shards are there: expected records such as 1-of-5.json");
        };
        for (record, path) in &records {
            if let Some(difference) = difference(&record.job, job) {
                bail!("{} and {} are of two jobs: {difference}", path.shown(), first.shown());
            }
        }
        let version = version();
        ensure!(
            job.version == version,
            "the shards are of dnn {}, and this is {version}: merge with the same program",
            job.version
        );
        if let Some(twice) = records.windows(2).find(|pair| pair[0].0.shard == pair[1].0.shard) {
            let (n, a, b) = (twice[0].0.shard, twice[0].1.shown(), twice[1].1.shown());
            bail!("shard {n} of {} is there twice: {a} and {b}", job.shards);
        }
        let is_there = |n: &usize| records.iter().any(|(record, _)| record.shard == *n);
        let missing: Vec<_> = (1..=job.shards).filter(|n| !is_there(n)).collect();
        ensure!(missing.is_empty(), "of {} shards {} missing", job.shards, with_verb(&missing));
        let not_whole = records.iter().filter(|(record, _)| record.result.is_none());
        let not_whole: Vec<_> = not_whole.map(|(record, _)| record.shard).collect();
        ensure!(
            not_whole.is_empty(),
            "of {} shards {} not whole: the same command with that --shard goes on with it",
            job.shards,
            with_verb(&not_whole)
        );
        let (command, settings) = (job.command.clone(), job.settings.clone());
        let mut products = Vec::new();
        for (record, path) in records {
            let folder = path.parent().unwrap_or(Path::new(""));
            let Some(product) = record.result else { continue };
            let file = folder.join(&product.file);
            ensure!(
                product.is_sound(folder),
                "{} is not what shard {} has written: missing or damaged; do that shard again",
                file.shown(),
                record.shard
            );
            products.push((file, product.notes));
        }
        Ok(Self { command, settings, products })
    }

    /// Returns what the shards were told of the job under a name.
    ///
    /// # Errors
    /// When they were told nothing.
    pub(crate) fn setting(&self, name: &str) -> anyhow::Result<&str> {
        self.settings
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("no {name} is recorded"))
    }

    /// Returns the file of each shard, with its notes.
    ///
    /// # Errors
    /// When the notes are others.
    pub(crate) fn files<T: DeserializeOwned>(&self) -> anyhow::Result<Vec<(PathBuf, T)>> {
        let read = |(file, notes): &(PathBuf, serde_json::Value)| {
            let notes = T::deserialize(notes);
            Ok((file.clone(), notes.with_context(|| format!("the record of {}", file.shown()))?))
        };
        self.products.iter().map(read).collect()
    }

    /// Returns the lines of all shards, each as text and as what it says.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn lines<T: DeserializeOwned>(&self) -> anyhow::Result<Vec<(String, T)>> {
        let read = self.products.iter().map(|(file, _)| lines::read(file));
        Ok(read.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

/// Returns the numbers with their verb: "3 is", "3 and 4 are".
fn with_verb(numbers: &[usize]) -> String {
    let texts: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    match texts.split_last() {
        Some((last, before)) if !before.is_empty() => {
            format!("{} and {last} are", before.join(", "))
        }
        _ => format!("{} is", texts.concat()),
    }
}

/// Returns the records in a folder, or the one that a file is, or belongs to.
fn records_at(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        let record = path.with_extension("json");
        ensure!(
            record.is_file(),
            "{}: expected a folder with the results of shards, or a file with its record {} beside it, which \
             is not there",
            path.shown(),
            record.shown()
        );
        return Ok(vec![record]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.shown()))? {
        let file = entry.with_context(|| format!("cannot read {}", path.shown()))?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_record = name.strip_suffix(".json").and_then(|name| name.split_once("-of-"));
        if is_record.is_some_and(|(i, n)| [i, n].iter().all(|n| n.parse::<usize>().is_ok())) {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

fn read_record(path: &Path) -> anyhow::Result<Record> {
    let read = || -> anyhow::Result<Record> {
        let record: Record = serde_json::from_str(&read_text(path)?)?;
        let is_one = Shard::new(record.shard.wrapping_sub(1), record.job.shards).is_some();
        ensure!(is_one, "there is no shard {} of {}", record.shard, record.job.shards);
        Ok(record)
    };
    read().with_context(|| format!("{}: cannot read it as the record of a shard", path.shown()))
}

/// Returns in what the first job differs from the second.
fn difference(one: &Job, other: &Job) -> Option<String> {
    let differ = |what: &str, one: &str, other: &str| {
        (one != other).then(|| format!("{what} is {}, and here {}", one.shown(), other.shown()))
    };
    let words = |job: &Job| {
        job.command.iter().map(|word| argument(word.as_ref())).collect::<Vec<_>>().join(" ")
    };
    let of = |job: &Job, name: &str| job.settings.get(name).cloned().unwrap_or_default();
    let names = one.settings.keys().chain(other.settings.keys());
    differ("its command", &words(one), &words(other))
        .or_else(|| {
            differ("its number of shards", &one.shards.to_string(), &other.shards.to_string())
        })
        .or_else(|| differ("its version of dnn", &one.version, &other.version))
        .or_else(|| {
            names
                .map(|name| (name, of(one, name), of(other, name)))
                .find_map(|(name, one, other)| differ(&format!("its {name}"), &one, &other))
        })
}

/// Returns the arguments of a command without those that results do not depend on.
fn command(args: impl Iterator<Item = OsString>) -> anyhow::Result<Vec<String>> {
    const WITH_VALUE: [&str; 4] = ["--shard", "--shards", "--threads", "--jobs"];
    const WITHOUT_VALUE: [&str; 2] = ["--json", "--quiet"];
    let mut kept = Vec::new();
    let mut is_value = false;
    for arg in args {
        let arg = arg.into_string().ok().context("--shard: expected arguments in UTF-8")?;
        let name = arg.split('=').next().unwrap_or_default();
        if std::mem::take(&mut is_value) || WITHOUT_VALUE.contains(&arg.as_str()) {
            continue;
        }
        if WITH_VALUE.contains(&name) {
            is_value = !arg.contains('=');
        } else {
            kept.push(arg);
        }
    }
    Ok(kept)
}

/// Returns the version of this program, and what it was built from.
fn version() -> String {
    let revision = Machine::here().git_revision.unwrap_or_default();
    format!("{} {revision}", env!("CARGO_PKG_VERSION")).trim_end().into()
}

/// Returns what the bits of products depend on.
pub(crate) fn processor() -> String {
    let Machine { arch, cpu_features, .. } = Machine::here();
    format!("{arch} with {}", cpu_features.join(", "))
}

/// Returns a hash of files: of their paths and lengths and, where all are less than 1 GiB, of their contents.
/// Each of many shards would read all of what is larger.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn fingerprint(files: &[PathBuf]) -> anyhow::Result<String> {
    const MAX_BYTES: u64 = 1 << 30;
    let failed = |file: &PathBuf| format!("cannot read {}", file.shown());
    let length = |file: &PathBuf| Ok(file.metadata().with_context(|| failed(file))?.len());
    let lengths = files.iter().map(length).collect::<anyhow::Result<Vec<_>>>()?;
    let with_contents = lengths.iter().sum::<u64>() < MAX_BYTES;
    let mut hash = Sha256::new();
    for (file, length) in files.iter().zip(lengths) {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(format!("\0{length}\n"));
        if with_contents {
            hash.update(hash_of(file).with_context(|| failed(file))?);
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Returns the SHA-256 of a file.
fn hash_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, variables: &str) -> Result<(usize, usize), String> {
        let variables: BTreeMap<_, _> =
            variables.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        parse(text, &variable).map(|shard| (shard.index(), shard.count()))
    }

    #[test]
    fn a_shard_is_named_or_given_by_the_scheduler() {
        assert_eq!(of("2/5", ""), Ok((1, 5)));
        let array = "SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=9 \
                     SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=4 SLURM_PROCID=0 SLURM_NTASKS=1";
        assert_eq!(of("auto", array), Ok((2, 4)));
        let tasks = "SLURM_PROCID=3 SLURM_STEP_NUM_TASKS=4";
        assert_eq!(of("auto", tasks), Ok((3, 4)));
        let mpi = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2";
        assert_eq!(of("auto", mpi), Ok((1, 2)));
        assert_eq!(of("auto", &format!("{mpi} {tasks}")), Ok((1, 2)));
        assert_eq!(of("auto/8", "JOB_COMPLETION_INDEX=0"), Ok((0, 8)));
        for (text, variables, says) in [
            ("0/5", "", "I from 1 to N"),
            ("6/5", "", "no shard 6 of 5"),
            ("1", "", "expected I/N"),
            ("1/0", "", "expected I/N"),
            ("1/x", "", "expected I/N"),
            ("auto", "", "none of SLURM_ARRAY_TASK_ID"),
            ("auto", "JOB_COMPLETION_INDEX=0", "auto/N"),
            ("auto/2", "JOB_COMPLETION_INDEX=2", "JOB_COMPLETION_INDEX is 2, of 2"),
            ("auto/3", tasks, "auto/3: SLURM_PROCID is one of 4"),
            ("auto", &format!("{array} {tasks}"), "SLURM_PROCID and SLURM_ARRAY_TASK_ID are set"),
            ("auto", &array.replace("COUNT=4", "COUNT=3"), "have gaps"),
            ("auto", "SLURM_PROCID=x SLURM_STEP_NUM_TASKS=2", "SLURM_PROCID is x"),
        ] {
            let error = of(text, variables).expect_err(says);
            assert!(error.contains(says), "{text} {variables}: {error}");
        }
    }

    #[test]
    fn what_results_do_not_depend_on_is_no_part_of_the_job() {
        let of = |text: &str| command(text.split_whitespace().map(OsString::from)).expect("UTF-8");
        assert_eq!(
            of("--json predict m.safetensors --shard 1/2 a --shards=x --threads 3 --out o.csv"),
            ["predict", "m.safetensors", "a", "--out", "o.csv"]
        );
    }

    #[test]
    fn numbers_in_a_sentence() {
        assert_eq!(
            [with_verb(&[3]), with_verb(&[3, 4]), with_verb(&[1, 3, 4])],
            ["3 is", "3 and 4 are", "1, 3 and 4 are"]
        );
    }
}
