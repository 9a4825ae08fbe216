//! Files that are written under a name that the user gives: they replace nothing but files of their kind.

use crate::file::{read_text, write_whole};
use crate::run;
use anyhow::{Context, ensure};
use dnn_data::predictions::{PredictionRow, PredictionWriter, RowColumns, RowFormat};
use dnn_data::{DataError, Shown};
use dnn_report::Chart;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// What a file is that a command writes under a name that the user gives.
///
/// A name of something else is a mistake, which must not cost a model, a configuration or the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputKind {
    Picture,
    Page,
    ModelCard,
    Rows,
    Hdf5,
    Onnx,
    OnnxWeights,
    Npz,
    C,
    Config,
    Trials,
}

impl OutputKind {
    /// Returns the name of the kind, and the bytes that its files begin with.
    fn marks(self) -> (&'static str, &'static [&'static [u8]]) {
        match self {
            Self::Picture => ("picture", &[b"\x89PNG", b"\xff\xd8\xff", b"<svg", b"<?xml"]),
            Self::Page => ("page of HTML", &[b"<!doctype"]),
            Self::ModelCard => ("model card of dnn", &[run::MODEL_CARD_BEGINS]),
            Self::Rows => ("table of predictions", &[b"example,true_class,", b"{\"example\":"]),
            Self::Hdf5 => ("HDF5 file", &[b"\x89HDF\r\n"]),
            // The version of the format, which is the first field of every graph.
            Self::Onnx => ("graph of ONNX", &[b"\x08"]),
            Self::OnnxWeights => ("file of weights", &[b""]),
            Self::Npz => ("archive of NumPy", &[b"PK"]),
            Self::C => ("C source", &[b"/* "]),
            Self::Config => ("configuration", &[b""]),
            Self::Trials => ("file of trials", &[b"{\"version\":"]),
        }
    }

    /// Accepts a name that nothing has, or a file of this kind that no run is recorded in.
    ///
    /// # Errors
    /// What has the name instead.
    pub(crate) fn check(self, path: &Path) -> anyhow::Result<()> {
        const LONGEST_MARK: u64 = 32;
        let failed = || format!("cannot write {}", path.shown());
        let found = dnn_data::atomic::replaceable(path).with_context(failed)?;
        if !found.is_file() {
            return Ok(());
        }
        ensure!(
            !run::is_record(&found),
            "cannot write {}: that file is part of the record of the run in its folder; name another",
            path.shown()
        );
        let mut start = Vec::new();
        File::open(&found)
            .and_then(|file| file.take(LONGEST_MARK).read_to_end(&mut start))
            .with_context(failed)?;
        let (name, marks) = self.marks();
        let begins = |mark: &&[u8]| {
            start.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
        };
        let is_config =
            || read_text(&found).is_ok_and(|text| toml::from_str::<toml::Table>(&text).is_ok());
        ensure!(
            start.is_empty() || marks.iter().any(begins) && (self != Self::Config || is_config()),
            "cannot write {}: there is a file of that name that is no {name}; name another",
            path.shown()
        );
        Ok(())
    }

    /// Writes a file of this kind as [`write_filled`] does.
    ///
    /// # Errors
    /// As [`write_filled`].
    pub(crate) fn write(self, path: &Path, bytes: &[u8], force: bool) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", path.shown());
        write_filled(self, path, force, |file| file.write_all(bytes).with_context(failed))
    }
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

/// Writes a file of this kind, whole or not at all, with what `fill` puts into it; in place of an older
/// one with `force` only.
///
/// # Errors
/// The error of `fill` or of the file system; an older file is then unchanged. When there is an older
/// file without `force`, or one that [may not be replaced](OutputKind::check).
pub(crate) fn write_filled(
    kind: OutputKind,
    path: &Path,
    force: bool,
    fill: impl FnOnce(&mut File) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut failed = None;
    let fill = |file: &mut File| {
        fill(file).map_err(|error| {
            failed = Some(error);
            std::io::Error::other("not all of it is there")
        })
    };
    let written = if force {
        kind.check(path)?;
        dnn_data::atomic::write(path, fill)
    } else {
        dnn_data::atomic::write_new(path, fill)
    };
    match failed {
        Some(error) => Err(error),
        None => written.with_context(|| match path.symlink_metadata() {
            Ok(_) if !force => format!("{} is there already; --force replaces it", path.shown()),
            _ => format!("cannot write {}", path.shown()),
        }),
    }
}

/// A file of predictions that is being written, a row an example.
pub(crate) struct Rows<'a> {
    path: &'a Path,
    writer: PredictionWriter<'a, BufWriter<&'a mut File>>,
}

impl<'a> Rows<'a> {
    /// Writes the rows that `fill` adds to a file, in the format that the name of the path says.
    ///
    /// # Errors
    /// What `fill` gives, or the file system refuses.
    pub(crate) fn write(
        (path, file): (&'a Path, &'a mut File),
        columns: RowColumns<'a>,
        fill: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", path.shown());
        let format = Self::format(path)?;
        let writer = PredictionWriter::new(BufWriter::new(file), format, columns);
        let mut rows = Rows { path, writer: writer.with_context(failed)? };
        fill(&mut rows)?;
        rows.writer.finish().with_context(failed)
    }

    fn format(path: &Path) -> anyhow::Result<RowFormat> {
        RowFormat::of(path).context("rows are written as .csv or .jsonl")
    }

    /// Returns what comes before the rows.
    ///
    /// # Errors
    /// When the name of the path says no format.
    pub(crate) fn header(path: &Path, columns: RowColumns<'_>) -> anyhow::Result<Vec<u8>> {
        let mut header = Vec::new();
        PredictionWriter::new(&mut header, Self::format(path)?, columns)?.finish()?;
        Ok(header)
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
    OutputKind::Picture.check(path)?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg")) {
        return write_whole(path, chart.svg().as_bytes());
    }
    let png = chart.png(scale).with_context(|| format!("cannot draw {}", path.shown()))?;
    write_whole(path, &png)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::names;

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

    #[test]
    fn each_kind_replaces_its_own_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let ours: [(OutputKind, &[u8]); 9] = [
            (OutputKind::Picture, b"\x89PNG\r\n"),
            (OutputKind::Page, b"<!DOCTYPE html>"),
            (OutputKind::ModelCard, run::MODEL_CARD_BEGINS),
            (OutputKind::Rows, b"example,true_class,class,probability\n"),
            (OutputKind::Hdf5, b"\x89HDF\r\n\x1a\n"),
            (OutputKind::Npz, b"PK\x03\x04"),
            (OutputKind::C, b"/* A model */"),
            (OutputKind::Config, b"[training]\nseed = 1\n"),
            (OutputKind::Trials, b"{\"version\":\"1\"}\n"),
        ];
        for (kind, own) in ours {
            kind.check(&path).expect("nothing has the name");
            for (other, bytes) in ours.iter().chain(&[(kind, &b"a,b,label\n1,2,x\n"[..])]) {
                std::fs::write(&path, bytes).expect("writable");
                let written = kind.write(&path, b"new", true);
                if *bytes == own {
                    written.unwrap_or_else(|error| panic!("{kind:?}: {error:#}"));
                } else {
                    let error = written.expect_err("another kind").to_string();
                    let is_named = error.contains(kind.marks().0) && error.contains("x: there is");
                    assert!(is_named, "{kind:?} over {other:?}: {error}");
                    assert_eq!(std::fs::read(&path).expect("there"), *bytes);
                }
            }
            std::fs::write(&path, own).expect("writable");
            let error = kind.write(&path, b"new", false).expect_err("not forced").to_string();
            assert!(error.contains("--force"), "{error}");
            std::fs::remove_file(&path).expect("removed");
        }
    }
}
