//! `cargo xtask fetch-data`: the real data sets, each file verified before it gets its name.

mod manifest;
mod source;
mod verify;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;

use manifest::{DataFile, Manifest, Set};
use source::{Limits, Source};
use verify::{Fault, Verifier};

/// Fetch data sets into data/, each file verified by size and SHA-256.
///
/// The sets, their files and mirrors are listed in data/manifest.toml. Files that are there and
/// right are left alone. A mirror that fails is named with the reason, and the next one is tried.
/// Exit code 2 when a file could not be had; nothing unverified is kept.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The sets: cat (the course's images), mnist (handwritten digits)
    #[arg(value_name = "SET", default_value = "cat")]
    sets: Vec<String>,
    /// Take the files from this folder or base URL, and from nowhere else
    #[arg(long, value_name = "DIR-OR-URL")]
    from: Option<String>,
    /// Fetch even what is there and right
    #[arg(long)]
    force: bool,
    /// The manifest; files land beside it
    #[arg(long, value_name = "FILE", hide = true)]
    manifest: Option<PathBuf>,
    /// Let the manifest name http:// mirrors
    #[arg(long, hide = true)]
    allow_http: bool,
    /// Seconds to wait for a connection
    #[arg(long, value_name = "S", default_value = "10", hide = true, value_parser = seconds)]
    connect_timeout: Duration,
    /// Seconds to wait for the next byte
    #[arg(long, value_name = "S", default_value = "20", hide = true, value_parser = seconds)]
    stall_timeout: Duration,
    /// Seconds to wait for one whole file
    #[arg(long, value_name = "S", default_value = "900", hide = true, value_parser = seconds)]
    file_timeout: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(value).map_err(|error| error.to_string())
}

/// Why a file is not there in the end.
enum Failure {
    /// The source's fault: another one may do better.
    Source(Fault),
    /// Ours: the disk is full, the folder is not writable …
    Disk(anyhow::Error),
}

/// Fetches every set asked for.
///
/// # Errors
/// When a file cannot be had from anywhere or cannot be written.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    let manifest_path =
        args.manifest.clone().unwrap_or_else(|| root.join("data").join("manifest.toml"));
    let manifest = Manifest::load(&manifest_path, args.allow_http)?;
    let sets = args.sets.iter().map(|name| manifest.set(name)).collect::<Result<Vec<_>, _>>()?;
    let from = args.from.as_deref().map(Source::parse).transpose()?;
    let limits = Limits {
        connect: args.connect_timeout,
        stall: args.stall_timeout,
        whole: args.file_timeout,
    };
    // Two runs at once would take each other's unfinished files for leftovers.
    let lock = File::open(&manifest_path)
        .with_context(|| format!("{}: open failed", manifest_path.display()))?;
    if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
        eprintln!("waiting for another fetch-data to end");
        lock.lock().with_context(|| format!("{}: lock failed", manifest_path.display()))?;
    }
    let folder = relative_to_current(manifest_path.parent().unwrap_or(Path::new("")));
    for set in sets {
        let fetch = Fetch { set, folder: folder.join(&set.folder), limits, force: args.force };
        fetch.run(sources(set, from.as_ref()))?;
    }
    Ok(())
}

/// The folder as one would type it here, for shorter messages.
fn relative_to_current(folder: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match folder.strip_prefix(here) {
        Ok(inner) if inner == Path::new("") => PathBuf::from("."),
        Ok(inner) => inner.to_path_buf(),
        Err(_) => folder.to_path_buf(),
    }
}

/// The names of the sets that `folder` has files for.
///
/// # Errors
/// When the manifest cannot be read.
pub(crate) fn sets_in(root: &Path, folder: &Path) -> anyhow::Result<Vec<String>> {
    let manifest = Manifest::load(&root.join("data").join("manifest.toml"), false)?;
    let has = |set: &Set| {
        set.files.iter().any(|file| {
            folder.join(&file.name).exists() || folder.join(&set.folder).join(&file.name).exists()
        })
    };
    Ok(manifest.sets.into_iter().filter(has).map(|set| set.name).collect())
}

/// Who is asked, in order. `--from` may point at the set's own folder or at one that has it.
fn sources(set: &Set, from: Option<&Source>) -> Vec<Source> {
    match from {
        None => set.mirrors.iter().cloned().map(Source::Url).collect(),
        Some(source) if set.folder.is_empty() => vec![source.clone()],
        Some(source) => vec![source.clone(), source.folder(&set.folder)],
    }
}

/// One set on its way into its folder.
struct Fetch<'a> {
    set: &'a Set,
    folder: PathBuf,
    limits: Limits,
    force: bool,
}

impl Fetch<'_> {
    fn run(&self, mut sources: Vec<Source>) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("{}: create folder failed", self.folder.display()))?;
        self.remove_leftovers()?;
        for file in &self.set.files {
            let path = self.folder.join(&file.name);
            if !self.force && self.is_right(file, &path)? {
                say(&format!("{}: already there, verified", path.display()))?;
                continue;
            }
            let chosen = self.try_all(file, &path, &sources)?;
            say(&format!("{}: {} bytes, verified", path.display(), path.metadata()?.len()))?;
            // What worked goes first for the next file.
            sources[..=chosen].rotate_right(1);
        }
        Ok(())
    }

    /// Removes what an interrupted run left behind.
    fn remove_leftovers(&self) -> anyhow::Result<()> {
        let context = || format!("{}: cleaning up failed", self.folder.display());
        for entry in fs::read_dir(&self.folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_leftover = name.ends_with(PART_SUFFIX)
                && self.set.files.iter().any(|file| name.starts_with(&part_prefix(file)));
            if is_leftover {
                fs::remove_file(entry.path()).with_context(context)?;
                eprintln!("{}: left by an interrupted run, removed", entry.path().display());
            }
        }
        Ok(())
    }

    /// Whether the file is there and right; says so when it is there and wrong.
    fn is_right(&self, file: &DataFile, path: &Path) -> anyhow::Result<bool> {
        if !path.try_exists().with_context(|| format!("{}: look-up failed", path.display()))? {
            return Ok(false);
        }
        let here = Source::Folder(self.folder.clone());
        match self.transfer(&here, file, &mut io::sink(), &ProgressBar::hidden()) {
            Ok(()) => Ok(true),
            Err(Failure::Source(fault)) => {
                eprintln!("{}: there, but wrong ({fault}): fetching it anew", path.display());
                Ok(false)
            }
            Err(Failure::Disk(error)) => Err(error),
        }
    }

    /// Tries one source after the other; gives the place of the one that had the file.
    fn try_all(&self, file: &DataFile, path: &Path, sources: &[Source]) -> anyhow::Result<usize> {
        let mut faults = Vec::new();
        for (i, source) in sources.iter().enumerate() {
            let place = source.join(&file.name);
            eprintln!("fetching {place}");
            match self.try_one(file, path, source) {
                Ok(()) => return Ok(i),
                Err(Failure::Source(fault)) => {
                    let more = if i + 1 < sources.len() { "; trying the next source" } else { "" };
                    eprintln!("  failed: {fault}{more}");
                    faults.push(format!("\n  {place}: {fault}"));
                }
                Err(Failure::Disk(error)) => return Err(error),
            }
        }
        let kept = if path.exists() { "; the file that is there was left as it is" } else { "" };
        bail!(
            "{}: no source has it{kept}{}\n\
             with a copy at hand, or another server that has it: \
             cargo xtask fetch-data {} --from DIR-OR-URL",
            file.name,
            faults.concat(),
            self.set.name
        )
    }

    /// Writes to a temporary file, verifies, renames. Every failure removes the temporary file.
    fn try_one(&self, file: &DataFile, path: &Path, source: &Source) -> Result<(), Failure> {
        let disk = |error: io::Error, operation: &str| {
            let context = format!("{}: {operation} failed", path.display());
            Failure::Disk(anyhow::Error::new(error).context(context))
        };
        let mut part = part_file(file, &self.folder).map_err(|e| disk(e, "create"))?;
        let bar = progress_bar(file);
        let transferred = self.transfer(source, file, part.as_file_mut(), &bar);
        bar.finish_and_clear();
        transferred?;
        part.as_file().sync_all().map_err(|e| disk(e, "sync"))?;
        part.persist(path).map_err(|e| disk(e.error, "rename"))?;
        sync_folder(&self.folder).map_err(|e| disk(e, "sync folder"))
    }

    /// Streams the file from `source` to `out` and judges it.
    fn transfer(
        &self,
        source: &Source,
        file: &DataFile,
        out: &mut dyn Write,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut verifier = Verifier::new(file.pins());
        let mut reader = source.open(&file.name, self.limits).map_err(Failure::Source)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n_read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n_read) => n_read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let (got, expected) = (verifier.got(), verifier.expected());
                    let fault = source::read_fault(&error, self.limits, got, expected);
                    return Err(Failure::Source(fault));
                }
            };
            let piece = &buffer[..n_read];
            verifier.update(piece).map_err(Failure::Source)?;
            out.write_all(piece).map_err(|error| {
                let context = format!("{}: write failed", self.folder.join(&file.name).display());
                Failure::Disk(anyhow::Error::new(error).context(context))
            })?;
            bar.set_position(verifier.got());
        }
        verifier.finish().map_err(Failure::Source)
    }
}

const PART_SUFFIX: &str = ".part";

fn part_prefix(file: &DataFile) -> String {
    format!(".{}.", file.name)
}

/// An unfinished file: removed when dropped, found again by its name when killed.
fn part_file(file: &DataFile, folder: &Path) -> io::Result<NamedTempFile> {
    let prefix = part_prefix(file);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(PART_SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Readable as any other file, not only by its owner; the umask still applies.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Makes the rename last through a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A bar on stderr; nothing when that is not a terminal.
fn progress_bar(file: &DataFile) -> ProgressBar {
    let n_bytes = file.pins().first().map_or(0, |pin| pin.bytes);
    let bar = ProgressBar::new(n_bytes);
    if let Ok(style) = ProgressStyle::with_template(
        "  [{bar:40}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    ) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// A line of result on stdout. That nobody reads it any more is no error.
fn say(line: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to stdout failed")
        }
        _ => Ok(()),
    }
}
