//! From files to pixels in memory: photos against Pillow, rows of HDF5 against h5py.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Outcome;
use super::compare::{Pairs, digits, median, verdict};
use super::side::Bench;
use super::table::Row;

const SCRIPT: &str = "loading.py";
/// Bytes of an image as both sides write it: 64×64 RGB.
const IMAGE_BYTES: usize = 64 * 64 * 3;
/// Ours over Pillow, both on one core.
const ONE_CORE: f64 = 1.4;
/// Ours on all cores over Pillow in one process, which is how it is used.
const ALL_CORES: f64 = 2.5;
/// Levels of 255 by which resized photos may differ on average: two decoders of JPEG round
/// differently, two resizers too.
const PHOTOS_WITHIN: f64 = 1.0;

const FORMATS: &[&str] = &["jpeg-baseline", "jpeg-progressive", "png"];
const SIZES: &[&str] = &["640x480", "1600x1200", "4000x3000"];

/// One side's way of doing a job: what it is asked, the file it leaves, its seconds.
struct Way {
    args: Vec<String>,
    out: PathBuf,
    seconds: Vec<f64>,
}

impl Way {
    fn new(bench: &Bench, name: &str, args: &[&str]) -> Self {
        let out = bench.work.join(format!("loaded-{name}.bin"));
        Self { args: args.iter().map(|&arg| arg.to_owned()).collect(), out, seconds: Vec::new() }
    }
}

/// One row: which way of ours against which of theirs.
struct Comparison {
    against: String,
    ours: usize,
    theirs: usize,
    target: Option<f64>,
}

/// Makes the files, holds what both sides load of them equal, then measures.
///
/// # Errors
/// When our side cannot be run.
pub(super) fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let program = bench.bench_program("dnn-data", "loading_once")?;
    let files = made(bench, &program)?;
    let mut outcome = Outcome::default();
    let threads = bench.threads.to_string();
    for format in FORMATS {
        for size in SIZES {
            let folder = files.join(format!("{format}-{size}"));
            let folder = folder.to_string_lossy();
            let ours = [
                Way::new(bench, "ours-1", &["photos", &folder, "1"]),
                Way::new(bench, "ours-all", &["photos", &folder, &threads]),
            ];
            let mut theirs = vec![
                Way::new(bench, "pillow-1", &["photos", &folder]),
                Way::new(bench, "pillow-all", &["photos", &folder, "--processes", &threads]),
            ];
            let row = |how: String, ours, theirs, target| {
                let against = format!("Pillow, {} {size}, {how}", format.replace('-', " "));
                Comparison { against, ours, theirs, target }
            };
            let mut rows = vec![
                row("one core".into(), 0, 0, Some(ONE_CORE)),
                row(format!("one core against our {threads}"), 1, 0, Some(ALL_CORES)),
                row(format!("{threads} cores"), 1, 1, None),
            ];
            if format.starts_with("jpeg") {
                theirs.push(Way::new(bench, "pillow-draft", &["photos", &folder, "--draft"]));
                rows.push(row("draft, one core".into(), 0, 2, None));
            }
            compare(bench, &program, ours.into(), theirs, &rows, PHOTOS_WITHIN, &mut outcome)?;
        }
    }
    for storage in ["contiguous", "gzip"] {
        let file = files.join(format!("{storage}.h5"));
        let order = file.with_extension("order");
        let (file, order) = (file.to_string_lossy(), order.to_string_lossy());
        let ours = vec![
            Way::new(bench, "ours-whole", &["whole", &file]),
            Way::new(bench, "ours-batches", &["batches", &file, &order]),
        ];
        let theirs = vec![
            Way::new(bench, "h5py-whole", &["whole", &file]),
            Way::new(bench, "h5py-same", &["batches", &file, "--order", &order]),
            Way::new(bench, "h5py-batches", &["batches", &file]),
        ];
        let row = |how: &str, ours, theirs| {
            let against = format!("h5py, {storage}, {how}");
            Comparison { against, ours, theirs, target: None }
        };
        let rows = [
            row("everything", 0, 0),
            row("our batches of 128", 1, 1),
            row("batches of 128 from everywhere", 1, 2),
        ];
        compare(bench, &program, ours, theirs, &rows, 0.0, &mut outcome)?;
    }
    Ok(outcome)
}

/// The folder of the files, made once: photos as PNG and rows by our side, JPEG by theirs.
fn made(bench: &Bench, program: &Path) -> anyhow::Result<PathBuf> {
    let files = bench.work.join("loading");
    if files.exists() {
        return Ok(files);
    }
    let unfinished = bench.work.join("loading.part");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| unfinished.display().to_string())?;
    }
    let args = ["make".to_owned(), unfinished.to_string_lossy().into_owned()];
    bench.program(program, &args)?;
    bench.python_once(SCRIPT, &args)?;
    fs::rename(&unfinished, &files).with_context(|| files.display().to_string())?;
    Ok(files)
}

/// Runs every way in turn, as often as asked, and adds a row for each comparison.
fn compare(
    bench: &Bench,
    program: &Path,
    mut ours: Vec<Way>,
    mut theirs: Vec<Way>,
    rows: &[Comparison],
    within: f64,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    bench.runs();
    let mut failures = vec![None; theirs.len()];
    for _ in 0..bench.repeat {
        for way in &mut ours {
            let out = way.out.to_string_lossy().into_owned();
            let (json, _) = bench.program(program, &[&way.args[..], &[out]].concat())?;
            way.seconds.push(json["seconds"].as_f64().context("our side gave no seconds")?);
        }
        for (way, failure) in theirs.iter_mut().zip(&mut failures) {
            let out = ["--out".to_owned(), way.out.to_string_lossy().into_owned()];
            match bench.python(SCRIPT, &[&way.args[..], &out].concat()) {
                Ok((json, _)) => way.seconds.push(json["seconds"].as_f64().unwrap_or(f64::NAN)),
                Err(error) => *failure = Some(format!("{error:#}")),
            }
        }
    }
    let runs = bench.runs();
    for row in rows {
        let (ours, theirs, against) = (&ours[row.ours], &theirs[row.theirs], &row.against);
        if let Some(error) = &failures[row.theirs] {
            eprintln!("{against}: {error}");
            outcome.rows.push(Row::without_ratio(against, "could not be run"));
            continue;
        }
        let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
        let loaded = read(&ours.out)?;
        match equal(&loaded, &read(&theirs.out)?, within) {
            Err(difference) => {
                outcome.disagreements.push(format!("{against}: {difference}"));
                outcome.rows.push(Row::without_ratio(against, "results differ"));
            }
            Ok(how) => {
                eprintln!("{against}: equal: {how}");
                let pairs = Pairs { ours: ours.seconds.clone(), theirs: theirs.seconds.clone() };
                let n = (loaded.len() / IMAGE_BYTES) as f64;
                let shown = |seconds: &[f64]| format!("{} images/s", digits(n / median(seconds)));
                outcome.rows.push(Row {
                    against: against.clone(),
                    theirs: shown(&pairs.theirs),
                    ours: shown(&pairs.ours),
                    ratio: pairs.shown(),
                    target: row.target.map(|target| format!("≥ {target}×")).unwrap_or_default(),
                    verdict: verdict(pairs.ratio(), row.target),
                    runs: runs.clone(),
                    ..Row::default()
                });
            }
        }
    }
    Ok(())
}

/// How equal the bytes are, which differ by no more than this on average.
fn equal(ours: &[u8], theirs: &[u8], within: f64) -> Result<String, String> {
    let n = ours.len();
    if n == 0 || n != theirs.len() || !n.is_multiple_of(IMAGE_BYTES) {
        return Err(format!("ours {n} bytes, theirs {}", theirs.len()));
    }
    let gaps = ours.iter().zip(theirs).map(|(ours, theirs)| ours.abs_diff(*theirs));
    let (sum, most) = gaps.fold((0, 0), |(sum, most), gap| (sum + u64::from(gap), gap.max(most)));
    let mean = sum as f64 / n as f64;
    let how = format!("{mean:.4} levels apart on average, {most} at most");
    if mean > within { Err(how) } else { Ok(how) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_equal_within_what_is_allowed() {
        let ours = vec![100; IMAGE_BYTES];
        let mut theirs = ours.clone();
        assert!(equal(&ours, &theirs, 0.0).is_ok());
        theirs[7] = 98;
        let said = equal(&ours, &theirs, 0.0).expect_err("one differs");
        assert_eq!(said, "0.0002 levels apart on average, 2 at most");
        assert!(equal(&ours, &theirs, 0.5).is_ok());
        assert!(equal(&ours, &vec![102; IMAGE_BYTES], 1.0).is_err());
    }

    #[test]
    fn another_number_of_images_is_not_equal() {
        let one = vec![0; IMAGE_BYTES];
        for other in [vec![], vec![0; 2 * IMAGE_BYTES]] {
            assert!(equal(&one, &other, 255.0).is_err());
        }
        assert!(equal(&[], &[], 255.0).is_err());
        assert!(equal(&[0; 5], &[0; 5], 255.0).is_err());
    }
}
