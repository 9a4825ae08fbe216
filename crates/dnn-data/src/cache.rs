//! The cache of decoded and prepared images, in HDF5 files.
//!
//! A file in the cache is what [`convert()`](convert::convert) writes. Its name is a hash of the contents
//! of all files of the source, of the options by which they are read, and of the contract: when any of
//! them changes, another file is made.

use crate::convert::{self, convert_with};
use crate::format::folder::{FolderOptions, files_of_splits, rejection};
use crate::format::hdf5::{self, Factor, FactorValues, Factors};
use crate::format::{Options, Source};
use crate::{DataError, ImageShape, Rejected, SplitName, Splits, parallel};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::{self, File, FileTimes, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The version of the cache's files, part of the hash.
const VERSION: u32 = 2;
/// Entries that were not used for so long are deleted when another is added.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The dataset with the index of each image's file in the folder.
const FILE: &str = "file";
/// The compression level: a higher one takes longer than decoding again.
const LEVEL: u32 = 1;

/// Where decoded images are cached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// In the user's cache folder, when the images are many.
    #[default]
    Usual,
    /// In this folder, for any number of images.
    In(PathBuf),
    /// Without a cache.
    Off,
}

impl CachePolicy {
    /// Returns the folder, where there is one.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::In(folder) => Some(folder.clone()),
            Self::Usual => usual_folder(),
        }
    }
}

/// Returns the user's cache folder.
fn usual_folder() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = if cfg!(windows) {
        var("LOCALAPPDATA")
    } else {
        var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")))
    };
    Some(base?.join("dnn"))
}

/// A cache in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// An entry of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file, HDF5 in the course's schema.
    pub path: PathBuf,
    /// Whether the file existed before.
    pub is_old: bool,
}

impl Cache {
    /// Makes a cache in this folder, which is created with the first entry.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// Returns the entry with the prepared images of a source, and writes it when it is missing.
    ///
    /// # Errors
    /// When the source is invalid or the file cannot be written; [`DataError::Stopped`].
    pub fn entry(&self, from: &Path, asked: &convert::Options<'_>) -> Result<Entry, DataError> {
        let asked = convert::Options { level: LEVEL, ..*asked };
        let files = Source::of(from, asked.source)?.files(asked.source)?;
        let path = self.folder.join(format!("{}.h5", key(from, &files, &asked)?));
        let sound = |path: &Path| hdf5::describe(path, &hdf5::Options::default()).is_ok();
        if path.is_file() && !sound(&path) {
            // The entry is damaged: it is written again.
            fs::remove_file(&path).map_err(crate::file::io(&path, "delete"))?;
        }
        if path.is_file() {
            // The time of use decides what is deleted first. The folder may be read-only.
            let _ = File::options()
                .append(true)
                .open(&path)
                .and_then(|file| file.set_times(FileTimes::new().set_accessed(SystemTime::now())));
            return Ok(Entry { path, is_old: true });
        }
        crate::atomic::create_folder(&self.folder)
            .map_err(crate::file::io(&self.folder, "create"))?;
        self.delete_old();
        convert_with(from, &path, &asked, |visited| {
            Ok(which_files(&files_of_splits(from, asked.source)?, &visited.rejected))
        })?;
        Ok(Entry { path, is_old: false })
    }

    /// Reads a source as [`Source::open`] does, decoding its images only when they are not in the
    /// cache, and says whether they were.
    ///
    /// # Errors
    /// As [`entry`](Self::entry).
    pub fn open(
        &self,
        from: &Path,
        asked: &convert::Options<'_>,
    ) -> Result<(Splits, Entry), DataError> {
        let mut entry = self.entry(from, asked)?;
        let splits = match Self::read(from, &entry.path, asked.source) {
            Err(_) if entry.is_old => {
                fs::remove_file(&entry.path).map_err(crate::file::io(&entry.path, "delete"))?;
                entry = self.entry(from, asked)?;
                Self::read(from, &entry.path, asked.source)?
            }
            splits => splits?,
        };
        Ok((splits, entry))
    }

    /// Returns the splits of an entry, with the file names of the source.
    fn read(from: &Path, entry: &Path, options: &Options) -> Result<Splits, DataError> {
        let plain =
            Options { limits: options.limits, backend: options.backend, ..Options::default() };
        let mut splits = Source::of_format(entry, "HDF5", &plain)?.open(&plain, &|_, _| ())?;
        let factors = hdf5::load_factors(entry, &hdf5::Options::default())?;
        let contract = &options.folder.contract;
        let shape = ImageShape::of(contract);
        for (name, files) in files_of_splits(from, options)? {
            let kept: Option<Vec<PathBuf>> = kept(&factors, name)
                .iter()
                .map(|&i| files.get(usize::try_from(i).ok()?).cloned())
                .collect();
            let split = splits.iter_mut().find(|split| split.name.word() == name.word());
            match (split, kept) {
                (Some(split), Some(kept))
                    if kept.len() == split.images.len() && split.images.shape() == shape =>
                {
                    split.images = split.images.clone().read_from(kept, contract.clone());
                    split.name = name;
                }
                _ => {
                    return Err(DataError::File {
                        path: entry.into(),
                        what: "cached images".into(),
                        expected: "those of the folder's files".into(),
                        got: "others".into(),
                    });
                }
            }
        }
        splits.rejected = Self::rejected(from, entry, options)?;
        splits.iter_mut().for_each(|split| split.path = Some(from.to_owned()));
        Ok(splits)
    }

    /// Returns the image files that an entry leaves out, with the error of each.
    ///
    /// # Errors
    /// When the source or the entry cannot be read.
    pub fn rejected(
        from: &Path,
        entry: &Path,
        options: &Options,
    ) -> Result<Vec<Rejected>, DataError> {
        let splits = files_of_splits(from, options)?;
        if splits.is_empty() {
            return Ok(Vec::new());
        }
        let factors = hdf5::load_factors(entry, &hdf5::Options::default())?;
        let mut rejected = Vec::new();
        for (split, files) in splits {
            let kept: HashSet<i64> = kept(&factors, split).iter().copied().collect();
            let bad = (0..).zip(&files).filter(|(i, _)| !kept.contains(i));
            rejected.extend(bad.filter_map(|(_, file)| rejection(file, split, &options.folder)));
        }
        Ok(rejected)
    }

    /// Deletes entries that were not used for long; a failure is ignored.
    fn delete_old(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_hash =
                |stem: &str| stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
            if !name.strip_suffix(".h5").is_some_and(is_hash) {
                continue;
            }
            let used = |data: Metadata| Ok(data.modified()?.max(data.accessed()?));
            let age = entry.metadata().and_then(used).map(|at| at.elapsed());
            if matches!(age, Ok(Ok(age)) if age > MAX_AGE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Returns the source's files of the images of an entry.
fn kept(factors: &Factors, split: SplitName) -> &[i64] {
    match factors.of(split).iter().find(|factor| factor.name == FILE) {
        Some(Factor { values: FactorValues::I64(kept), .. }) => kept,
        _ => &[],
    }
}

/// Returns the index of each image's file in the folder.
fn which_files(splits: &[(SplitName, Vec<PathBuf>)], rejected: &[Rejected]) -> Factors {
    let bad: HashSet<&Path> = rejected.iter().map(|rejected| rejected.path.as_path()).collect();
    let mut factors = Factors::default();
    for (split, files) in splits {
        let kept = (0..).zip(files).filter(|(_, file)| !bad.contains(file.as_path()));
        let values = FactorValues::I64(kept.map(|(i, _)| i).collect());
        factors.of_mut(*split).push(Factor { name: FILE.into(), values });
    }
    factors
}

/// Returns the hash of the source and its options, in hexadecimal digits.
fn key(from: &Path, files: &[PathBuf], asked: &convert::Options<'_>) -> Result<String, DataError> {
    // The number of threads does not change the result.
    let folder = FolderOptions { n_threads: 0, ..asked.source.folder.clone() };
    let source = Options { folder, ..asked.source.clone() };
    let hashes = parallel::map(files, |file| hash(file).map_err(crate::file::io(file, "read")));
    let mut all = Sha256::new();
    all.update(format!("dnn-data cache {VERSION}\n{source:?}\n{:?}\n", asked.contract));
    for (file, hash) in files.iter().zip(hashes) {
        // The path tells split and class.
        let name = if file == from { file.file_name().map(Path::new) } else { None };
        let name = name.or(file.strip_prefix(from).ok()).unwrap_or(file);
        // Ends with a byte that no name contains.
        all.update(name.as_os_str().as_encoded_bytes());
        all.update([0]);
        all.update(hash?);
    }
    Ok(all.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// Returns the hash of all bytes of a file.
fn hash(file: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(file)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}
