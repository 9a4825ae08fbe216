//! What lies behind a path, looked at once for all formats.

use crate::DataError;
use crate::content::what_it_is;
use crate::file::{InputFile, files_of, listed};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// What lies behind a path.
pub(crate) enum Found {
    /// A regular file that is not empty.
    File(FoundFile),
    /// A folder with its files, sorted, without hidden ones.
    Folder { path: PathBuf, files: Vec<FoundFile> },
}

/// A file, of which the beginning is read when a format asks for it, once.
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    looked: OnceCell<Option<Look>>,
}

/// Length and first bytes of a file.
pub(crate) struct Look {
    pub(crate) n_bytes: u64,
    pub(crate) head: Vec<u8>,
}

impl Look {
    fn at(path: &Path) -> Result<Self, DataError> {
        let mut input = InputFile::open(path)?;
        Ok(Self { n_bytes: input.n_bytes, head: input.head()? })
    }
}

impl FoundFile {
    fn new(path: PathBuf) -> Self {
        Self { path, looked: OnceCell::new() }
    }

    /// Its length and beginning. What may not be opened, or is empty, has none: in a folder it is
    /// somebody else's.
    pub(crate) fn look(&self) -> Option<&Look> {
        self.looked.get_or_init(|| Look::at(&self.path).ok()).as_ref()
    }

    /// Whether its name ends so, whatever the case.
    pub(crate) fn ends_in(&self, endings: &[&str]) -> bool {
        let ending = self.path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        ending.is_some_and(|ending| endings.contains(&ending.as_str()))
    }
}

impl Found {
    /// What is there.
    ///
    /// # Errors
    /// When it cannot be opened, or is an empty file or a device.
    pub(crate) fn at(path: &Path) -> Result<Self, DataError> {
        if path.is_dir() {
            let files = files_of(path)?.into_iter().map(FoundFile::new).collect();
            return Ok(Self::Folder { path: path.into(), files });
        }
        let file = FoundFile::new(path.into());
        let look = Look::at(path)?;
        let _ = file.looked.set(Some(look));
        Ok(Self::File(file))
    }

    /// The file, or the files of the folder.
    pub(crate) fn files(&self) -> &[FoundFile] {
        match self {
            Self::File(file) => std::slice::from_ref(file),
            Self::Folder { files, .. } => files,
        }
    }

    /// What stands where data should.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::File(file) => file
                .look()
                .and_then(|look| what_it_is(&look.head))
                .unwrap_or_else(|| "binary data of no known kind".into()),
            Self::Folder { files, .. } => {
                let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
                format!("a folder with {}", listed(&paths))
            }
        }
    }
}
