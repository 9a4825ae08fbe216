//! One door for every kind of data: what lies behind a path is told by its content.

#[cfg(any(feature = "hdf5", feature = "npz"))]
use crate::ImageSet;
#[cfg(feature = "csv")]
use crate::content::Text;
use crate::content::what_it_is;
use crate::file::InputFile;
use crate::{DataError, Limits, Names, Part, Rejected, Splits, Values, Visitor};
use std::path::{Path, PathBuf};

/// What is asked of a source; each kind of data looks at what concerns it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// What a file may ask for.
    pub limits: Limits,
    /// The library that reads HDF5.
    #[cfg(feature = "hdf5")]
    pub backend: crate::hdf5::Backend,
    /// The arrays to read from HDF5 or .npz, when they do not have the usual names; they are the
    /// training set then.
    pub names: Option<Names>,
    /// The column of a table that holds the labels: its name, or its number from 1.
    pub label: Option<String>,
    /// How images in folders are prepared, and what is done about bad ones.
    #[cfg(feature = "folder")]
    pub folder: crate::folder::FolderOptions,
}

/// What is looked for in a folder.
const IN_FOLDERS: &[&str] = &[
    #[cfg(feature = "hdf5")]
    "HDF5 files (.h5, .hdf5)",
    #[cfg(feature = "idx")]
    "idx files (train-images-idx3-ubyte and the like, also .gz)",
    #[cfg(feature = "cifar")]
    "CIFAR-10's binary files (data_batch_1.bin and the like)",
    #[cfg(feature = "folder")]
    "folders of images, one for each class",
];

/// What a file can be.
const IN_FILES: &[&str] = &[
    #[cfg(feature = "hdf5")]
    "HDF5",
    #[cfg(feature = "idx")]
    "idx (also .gz)",
    #[cfg(feature = "npz")]
    "NumPy's .npz",
    #[cfg(feature = "cifar")]
    "CIFAR-10's binary records",
    #[cfg(feature = "csv")]
    "a table (CSV)",
];

#[cfg(feature = "hdf5")]
impl Options {
    fn hdf5(&self) -> crate::hdf5::Options {
        crate::hdf5::Options { limits: self.limits, backend: self.backend }
    }
}

/// What data can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[cfg(feature = "hdf5")]
    Hdf5,
    #[cfg(feature = "idx")]
    Idx,
    #[cfg(feature = "npz")]
    Npz,
    #[cfg(feature = "cifar")]
    Cifar,
    #[cfg(feature = "csv")]
    Csv,
    #[cfg(feature = "folder")]
    Folder,
}

/// Reads what lies behind a path: a folder or a file, whatever its name.
///
/// # Errors
/// What is wrong with the data; [`DataError::NoSource`] when nothing that can be read is there.
pub fn open(path: &Path, options: &Options) -> Result<Splits, DataError> {
    open_watched(path, options, &|_, _| ())
}

/// As [`open`]; where there are many files, `progress` is told how many of how many are done, from
/// any thread.
///
/// # Errors
/// As [`open`].
pub fn open_watched(
    path: &Path,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Splits, DataError> {
    // Nothing else takes long.
    let _ = progress;
    match kind(path, options)? {
        #[cfg(feature = "hdf5")]
        Kind::Hdf5 => match &options.names {
            Some(names) => named(path, crate::hdf5::load_named(path, names, &options.hdf5())),
            None if path.is_dir() => crate::hdf5::load_pair(path, &options.hdf5()),
            None => crate::hdf5::load_file(path, &options.hdf5()),
        },
        #[cfg(feature = "idx")]
        Kind::Idx => crate::idx::load(path, &options.limits),
        #[cfg(feature = "npz")]
        Kind::Npz => match &options.names {
            Some(names) => named(path, crate::npz::load_named(path, names, &options.limits)),
            None => crate::npz::load(path, &options.limits),
        },
        #[cfg(feature = "cifar")]
        Kind::Cifar => crate::cifar::load(path, &options.limits),
        #[cfg(feature = "csv")]
        Kind::Csv => crate::csv::load(path, options.label.as_deref(), &options.limits),
        #[cfg(feature = "folder")]
        Kind::Folder => crate::folder::load(path, &options.folder, progress),
    }
}

/// What is known of a source when all its examples have been passed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Visited {
    /// Names of the classes, of all splits.
    pub classes: Vec<String>,
    /// The image files that were left out.
    pub rejected: Vec<Rejected>,
}

impl Visited {
    /// Of a source of which nothing was left out.
    #[cfg(any(
        feature = "cifar",
        feature = "csv",
        feature = "hdf5",
        feature = "idx",
        feature = "npz"
    ))]
    fn whole(classes: Vec<String>) -> Self {
        Self { classes, rejected: Vec::new() }
    }
}

/// Passes on what [`open`] would read, some examples at a time: neither their number nor the size of
/// a file is limited by memory.
///
/// # Errors
/// As [`open`], and what the visitor gives. Some examples may have been passed on by then.
pub fn visit(
    path: &Path,
    options: &Options,
    visitor: &mut dyn Visitor,
) -> Result<Visited, DataError> {
    // Where no kind of data can be read.
    let _ = &visitor;
    match kind(path, options)? {
        #[cfg(feature = "hdf5")]
        Kind::Hdf5 => {
            let names = options.names.as_ref();
            crate::hdf5::visit(path, names, &options.hdf5(), visitor).map(Visited::whole)
        }
        #[cfg(feature = "idx")]
        Kind::Idx => crate::idx::visit(path, &options.limits, visitor).map(Visited::whole),
        #[cfg(feature = "npz")]
        Kind::Npz => crate::npz::visit(path, options.names.as_ref(), &options.limits, visitor)
            .map(Visited::whole),
        #[cfg(feature = "cifar")]
        Kind::Cifar => crate::cifar::visit(path, visitor).map(Visited::whole),
        #[cfg(feature = "csv")]
        Kind::Csv => crate::csv::visit(path, options.label.as_deref(), &options.limits, visitor)
            .map(Visited::whole),
        #[cfg(feature = "folder")]
        Kind::Folder => crate::folder::visit(path, &options.folder, visitor)
            .map(|(classes, rejected)| Visited { classes, rejected }),
    }
}

/// What [`open`] would read, without the examples.
///
/// # Errors
/// As [`open`], where it shows without them.
pub fn parts(path: &Path, options: &Options) -> Result<(Vec<Part>, Vec<String>), DataError> {
    struct Count(Vec<Part>);
    impl Visitor for Count {
        fn begin(&mut self, part: Part) -> Result<bool, DataError> {
            self.0.push(part);
            Ok(false)
        }
        fn examples(&mut self, _: Values<'_>, _: &[u32]) -> Result<(), DataError> {
            Ok(())
        }
    }
    let mut count = Count(Vec::new());
    let Visited { classes, .. } = visit(path, options, &mut count)?;
    Ok((count.0, classes))
}

/// Whether what lies behind a path is a folder of images.
///
/// # Errors
/// As [`open`].
#[cfg(feature = "folder")]
pub fn is_image_folder(path: &Path, options: &Options) -> Result<bool, DataError> {
    Ok(kind(path, options)? == Kind::Folder)
}

/// Whether a path is that of one HDF5 file.
///
/// # Errors
/// When it cannot be read.
#[cfg(feature = "hdf5")]
pub fn is_hdf5(path: &Path) -> Result<bool, DataError> {
    Ok(!path.is_dir() && crate::hdf5::is_hdf5(path)?)
}

/// The files that [`open`] would read for the examples.
///
/// # Errors
/// As [`open`].
pub fn files(path: &Path, options: &Options) -> Result<Vec<PathBuf>, DataError> {
    match kind(path, options)? {
        #[cfg(feature = "hdf5")]
        Kind::Hdf5 => crate::hdf5::files(path, &options.hdf5()),
        #[cfg(feature = "idx")]
        Kind::Idx => crate::idx::files(path),
        #[cfg(feature = "npz")]
        Kind::Npz => Ok(vec![path.into()]),
        #[cfg(feature = "cifar")]
        Kind::Cifar => crate::cifar::files(path),
        #[cfg(feature = "csv")]
        Kind::Csv => Ok(vec![path.into()]),
        #[cfg(feature = "folder")]
        Kind::Folder => {
            let splits = crate::folder::files(path, &options.folder)?;
            Ok(splits.into_iter().flat_map(|(_, files)| files).collect())
        }
    }
}

/// What lies behind a path, by its content.
fn kind(path: &Path, options: &Options) -> Result<Kind, DataError> {
    if path.is_dir() { kind_of_folder(path, options) } else { kind_of_file(path, options) }
}

fn kind_of_folder(path: &Path, options: &Options) -> Result<Kind, DataError> {
    if options.names.is_some() {
        return Err(DataError::File {
            path: path.into(),
            what: "arrays to read by their names".into(),
            expected: "a file that holds them".into(),
            got: "a folder".into(),
        });
    }
    #[cfg(feature = "hdf5")]
    if crate::hdf5::is_in(path)? {
        return Ok(Kind::Hdf5);
    }
    #[cfg(feature = "idx")]
    if crate::idx::is_in(path)? {
        return Ok(Kind::Idx);
    }
    #[cfg(feature = "cifar")]
    if crate::cifar::is_in(path)? {
        return Ok(Kind::Cifar);
    }
    #[cfg(feature = "folder")]
    if crate::folder::is_image_folder(path) {
        return Ok(Kind::Folder);
    }
    let files = crate::file::files_of(path)?;
    Err(DataError::NoSource {
        path: path.into(),
        found: format!("a folder with {}", crate::file::listed(&files)),
        looked_for: IN_FOLDERS.join(", "),
    })
}

fn kind_of_file(path: &Path, options: &Options) -> Result<Kind, DataError> {
    #[cfg(feature = "hdf5")]
    if crate::hdf5::is_hdf5(path)? {
        return Ok(Kind::Hdf5);
    }
    let head = InputFile::open(path)?.head()?;
    #[cfg(feature = "npz")]
    if crate::npz::is_zip(&head) {
        return Ok(Kind::Npz);
    }
    if options.names.is_some() {
        return Err(DataError::File {
            path: path.into(),
            what: "arrays to read by their names".into(),
            expected: "HDF5 or .npz".into(),
            got: found(&head),
        });
    }
    #[cfg(feature = "idx")]
    if crate::idx::is_idx(path)? {
        return Ok(Kind::Idx);
    }
    #[cfg(feature = "cifar")]
    if crate::cifar::is_cifar(path)? {
        return Ok(Kind::Cifar);
    }
    #[cfg(feature = "csv")]
    if let Some(Text::Other(_)) = Text::of(&head) {
        return Ok(Kind::Csv);
    }
    Err(DataError::NoSource {
        path: path.into(),
        found: found(&head),
        looked_for: IN_FILES.join(", "),
    })
}

/// What stands where data should.
fn found(head: &[u8]) -> String {
    what_it_is(head).unwrap_or_else(|| "binary data of no known kind".into())
}

/// A set that was asked for by the names of its arrays is to train on.
#[cfg(any(feature = "hdf5", feature = "npz"))]
fn named(path: &Path, set: Result<ImageSet, DataError>) -> Result<Splits, DataError> {
    Ok(Splits { train: Some(set?), train_path: Some(path.into()), ..Splits::default() })
}
