//! Images decoded and prepared once, kept as HDF5.
//!
//! A file in the cache is what [`convert()`](convert::convert) writes. Its name is a hash of the contents
//! of all files of the source, of how they are read, and of the contract: whatever changes, another
//! file is made.

use crate::convert::{self, convert_with};
use crate::format::folder::{FolderOptions, files_of_splits, rejection};
use crate::format::hdf5::{self, Factor, FactorValues, Factors};
use crate::format::{Options, Source};
use crate::{DataError, ImageShape, Rejected, SplitName, Splits, parallel};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Grows when the files change in a way that their hash does not show.
const VERSION: u32 = 2;
/// What was not used for so long is deleted when something is added.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The numbers beside each image: which of the folder's files it was.
const FILE: &str = "file";
/// Packing hard takes longer than decoding again.
const LEVEL: u32 = 1;

/// Where decoded images are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// In the user's cache folder, when there are many.
    #[default]
    Usual,
    /// In this folder, however few.
    In(PathBuf),
    /// Nowhere.
    Off,
}

impl CachePolicy {
    /// The folder, where there is one.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::In(folder) => Some(folder.clone()),
            Self::Usual => usual_folder(),
        }
    }
}

/// Where a user's programs keep what they can make again.
fn usual_folder() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = if cfg!(windows) {
        var("LOCALAPPDATA")
    } else {
        var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")))
    };
    Some(base?.join("dnn"))
}

/// A folder of prepared images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// A file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file, HDF5 in the course's schema.
    pub path: PathBuf,
    /// Whether it was there already.
    pub is_old: bool,
}

impl Cache {
    /// In this folder, which is made when something is added.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// The file with the images of a source, prepared as asked; it is made when it is not there.
    ///
    /// # Errors
    /// What is wrong with the source, or keeps the file from being written; [`DataError::Stopped`].
    pub fn entry(&self, from: &Path, asked: &convert::Options<'_>) -> Result<Entry, DataError> {
        let asked = convert::Options { level: LEVEL, ..*asked };
        let files = Source::of(from, asked.source)?.files(asked.source)?;
        let path = self.folder.join(format!("{}.h5", key(from, &files, &asked)?));
        let sound = |path: &Path| hdf5::describe(path, &hdf5::Options::default()).is_ok();
        if path.is_file() && !sound(&path) {
            // Damaged: it is made anew.
            fs::remove_file(&path).map_err(crate::file::io(&path, "delete"))?;
        }
        if path.is_file() {
            // For what was used last to be deleted last. It may lie where nothing may be changed.
            let _ = File::options()
                .append(true)
                .open(&path)
                .and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(Entry { path, is_old: true });
        }
        fs::create_dir_all(&self.folder).map_err(crate::file::io(&self.folder, "create"))?;
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

    /// What an entry holds, as the source has it.
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

    /// The image files that an entry leaves out, with what is wrong with each.
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
            rejected.extend(bad.filter_map(|(_, file)| rejection(file, &options.folder)));
        }
        Ok(rejected)
    }

    /// What was not used for long. That nothing can be deleted is no reason to stop.
    fn delete_old(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_hash =
                |stem: &str| stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
            let may_stay = match name.strip_suffix(".h5") {
                Some(stem) if is_hash(stem) => MAX_AGE,
                // Of a conversion that was killed.
                None if name.starts_with(".dnn-") => DAY,
                _ => continue,
            };
            let age = entry.metadata().and_then(|data| data.modified()).map(|at| at.elapsed());
            if matches!(age, Ok(Ok(age)) if age > may_stay) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Which of the source's files the images of an entry are.
fn kept(factors: &Factors, split: SplitName) -> &[i64] {
    match factors.of(split).iter().find(|factor| factor.name == FILE) {
        Some(Factor { values: FactorValues::I64(kept), .. }) => kept,
        _ => &[],
    }
}

/// Which of a folder's files each image is.
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

/// What stands for the source, in hexadecimal digits.
fn key(from: &Path, files: &[PathBuf], asked: &convert::Options<'_>) -> Result<String, DataError> {
    // How many threads work makes no difference to what they make.
    let folder = FolderOptions { n_threads: 0, ..asked.source.folder.clone() };
    let source = Options { folder, ..asked.source.clone() };
    let hashes = parallel::map(files, |file| hash(file).map_err(crate::file::io(file, "read")));
    let mut all = Sha256::new();
    all.update(format!("dnn-data cache {VERSION}\n{source:?}\n{:?}\n", asked.contract));
    for (file, hash) in files.iter().zip(hashes) {
        // A file's own name says what it is for, and what its classes are.
        let name = if file == from { file.file_name().map(Path::new) } else { None };
        let name = name.or(file.strip_prefix(from).ok()).unwrap_or(file);
        // Ends with what no name has.
        all.update(name.as_os_str().as_encoded_bytes());
        all.update([0]);
        all.update(hash?);
    }
    Ok(all.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// Of all bytes of a file.
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
