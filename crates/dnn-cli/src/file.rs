//! Reading and writing files; a file is written whole or not at all.

use anyhow::{Context, ensure};
use dnn_data::predictions::{PredictionRow, PredictionWriter, RowColumns, RowFormat};
use dnn_data::{DataError, Shown};
use dnn_report::Chart;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Reads a small text, such as a configuration. Its length is limited because a pipe or a device
/// may have no end.
///
/// # Errors
/// The error of the file system; a file of more than 1 MiB, or one that is not text.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    const MAX_BYTES: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= MAX_BYTES, "expected at most {MAX_BYTES} bytes, got more");
    String::from_utf8(bytes).context("expected text in UTF-8")
}

/// Writes `bytes` to the file `path`; an older file is replaced only when all bytes are on the
/// disk.
///
/// # Errors
/// The error of the file system, with the file's name; an older file is then unchanged.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    dnn_data::atomic::write(path, |file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.shown()))
}

/// Writes a file that does not exist yet, [whole or not at all](write_whole).
///
/// # Errors
/// As [`write_whole`]; when something has that name.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = dnn_data::atomic::write_new(path, |file| file.write_all(bytes));
    written.with_context(|| match path.symlink_metadata() {
        Ok(_) => format!("{} is there already; --force replaces it", path.shown()),
        Err(_) => format!("cannot write {}", path.shown()),
    })
}

/// Accepts the name of a file of predictions, whose extension is `.csv` or `.jsonl`.
///
/// # Errors
/// When the extension is another one.
pub(crate) fn rows_name(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match RowFormat::of(&path) {
        Some(_) => Ok(path),
        None => Err("rows are written as .csv or .jsonl".into()),
    }
}

/// A file of predictions that is being written, a row an example.
pub(crate) struct Rows<'a> {
    path: &'a Path,
    writer: PredictionWriter<'a, BufWriter<&'a mut File>>,
}

impl Rows<'_> {
    /// Writes the rows that `fill` adds, in place of what is there once all are on the disk.
    ///
    /// # Errors
    /// What `fill` gives, or the file system refuses; an older file is then still as it was.
    pub(crate) fn write(
        path: &Path,
        columns: RowColumns<'_>,
        fill: impl FnOnce(&mut Rows<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let format = RowFormat::of(path).context("rows are written as .csv or .jsonl")?;
        let mut failed = None;
        let written = dnn_data::atomic::write(path, |file| {
            let writer = PredictionWriter::new(BufWriter::new(file), format, columns)?;
            let mut rows = Rows { path, writer };
            if let Err(error) = fill(&mut rows) {
                failed = Some(error);
                return Err(std::io::Error::other("not all rows are there"));
            }
            rows.writer.finish()
        });
        match failed {
            Some(error) => Err(error),
            None => written.with_context(|| format!("cannot write {}", path.shown())),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn add(&mut self, row: &PredictionRow<'_>) -> Result<(), DataError> {
        self.writer.write(row).map_err(|source| DataError::Io {
            path: self.path.into(),
            operation: "write",
            source,
        })
    }
}

/// Accepts the name of a picture whose extension is `.png` or `.svg`, or that has none.
///
/// # Errors
/// When the extension is another one.
pub(crate) fn picture_name(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match path.extension().map(|extension| extension.to_string_lossy().to_lowercase()) {
        None => Ok(path),
        Some(format) if format == "png" || format == "svg" => Ok(path),
        Some(format) => {
            Err(format!("pictures are written as .png or .svg, not as .{}", format.shown()))
        }
    }
}

/// Writes a chart, [whole or not at all](write_whole), as SVG where the name says so, else as PNG, in
/// which a pixel of the SVG has `scale` × `scale` pixels.
///
/// # Errors
/// As [`write_whole`]; when there is a file of that name that is not a picture.
pub(crate) fn write_chart(path: &Path, chart: &Chart, scale: u32) -> anyhow::Result<()> {
    let failed = || format!("cannot draw {}", path.shown());
    check_replaceable(path).with_context(failed)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg")) {
        return write_whole(path, chart.svg().as_bytes());
    }
    write_whole(path, &chart.png(scale).with_context(failed)?)
}

/// Writes charts into a folder, each as SVG and PNG under its name; returns the files. The folder is made
/// when it is not there.
///
/// # Errors
/// As [`write_chart`], of the first that cannot be written.
pub(crate) fn write_charts(
    folder: &Path,
    charts: &[(impl std::fmt::Display, Chart)],
) -> anyhow::Result<Vec<PathBuf>> {
    dnn_data::atomic::create_folder(folder)
        .with_context(|| format!("cannot make the folder {}", folder.shown()))?;
    let mut written = Vec::new();
    for (name, chart) in charts {
        for extension in ["svg", "png"] {
            let path = folder.join(format!("{name}.{extension}"));
            write_chart(&path, chart, 2)?;
            written.push(path);
        }
    }
    Ok(written)
}

/// Writes a page of HTML, [whole or not at all](write_whole).
///
/// # Errors
/// As [`write_whole`]; when there is a file of that name that is no page.
pub(crate) fn write_page(path: &Path, html: &[u8]) -> anyhow::Result<()> {
    if path.is_file() {
        let mut start = Vec::new();
        File::open(path)?.take(9).read_to_end(&mut start)?;
        ensure!(
            start.is_empty() || start.eq_ignore_ascii_case(b"<!doctype"),
            "cannot write {}: there is a file of that name that is no page of HTML",
            path.shown()
        );
    }
    write_whole(path, html)
}

/// Refuses to replace anything but a picture: the name of a model after `--mislabeled` is a
/// mistake.
fn check_replaceable(path: &Path) -> anyhow::Result<()> {
    const PICTURES: [&[u8]; 4] = [b"\x89PNG", b"\xff\xd8\xff", b"<svg", b"<?xml"];
    // Anything else than a file is refused when it is written.
    if path.is_file() {
        let mut start = Vec::new();
        File::open(path)?.take(8).read_to_end(&mut start)?;
        let is_picture = PICTURES.iter().any(|picture| start.starts_with(picture));
        ensure!(start.is_empty() || is_picture, "there is a file of that name that is no picture");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("the folder was just made");
        entries
            .map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII"))
            .collect()
    }

    #[test]
    fn a_picture_replaces_pictures_only_and_is_what_its_name_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let chart = dnn_report::cost_plot("title", "", "iterations", &[]);
        for (name, start) in [("a.png", &b"\x89PNG"[..]), ("b.SVG", b"<svg"), ("c", b"\x89PNG")] {
            let path = folder.path().join(name);
            for old in [&b""[..], b"\x89PNG old", b"<svg/>"] {
                std::fs::write(&path, old).expect("writable");
                write_chart(&path, &chart, 1).expect("written");
                assert!(std::fs::read(&path).expect("there").starts_with(start), "{name}");
            }
            std::fs::write(&path, "seed = 1").expect("writable");
            let error = format!("{:#}", write_chart(&path, &chart, 1).expect_err("no picture"));
            assert!(error.contains(name) && error.contains("no picture"), "{error}");
            assert_eq!(std::fs::read(&path).expect("there"), b"seed = 1");
        }
        assert_eq!(names(folder.path()).len(), 3);
        for (name, taken) in [
            ("a.png", true),
            ("b.SVG", true),
            ("c", true),
            ("prev.jpg", false),
            ("model.safetensors", false),
            ("config.toml", false),
        ] {
            assert_eq!(picture_name(name).is_ok(), taken, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        write_whole(&ours, b"x").expect("written");
        std::fs::write(&theirs, b"x").expect("written");
        let mode = |path| std::fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode(ours), mode(theirs));
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).expect("a folder");
        std::fs::write(taken.join("inside"), "x").expect("writable");
        let error = write_whole(&taken, b"x").expect_err("a full folder cannot be replaced");
        assert!(format!("{error:#}").contains("taken"), "{error:#}");
        assert_eq!(names(folder.path()), ["taken"]);
        let missing = folder.path().join("no-such-folder").join("a.png");
        let error = write_whole(&missing, b"x").expect_err("no folder");
        assert!(format!("{error:#}").contains("a.png"), "{error:#}");
    }
}
