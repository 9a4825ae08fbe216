//! What lies behind a path, looked at once for all formats.

use crate::DataError;
use crate::content::in_place_of_data;
use crate::file::{InputFile, files_of, io, listed};
use std::cell::OnceCell;
use std::io::Seek;
use std::path::{Path, PathBuf};

/// What lies behind a path.
pub(crate) enum Found {
    /// A regular file that is not empty.
    File(FoundFile),
    /// A folder with its files, sorted, without hidden ones.
    Folder { path: PathBuf, files: Vec<FoundFile> },
}

/// A file, of which the beginning is read once, when a format asks for it first.
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    start: OnceCell<Option<FileStart>>,
    /// The open file; none in a folder, which may hold more files than can be open at once.
    open: Option<InputFile>,
}

/// Length and first bytes of a file.
pub(crate) struct FileStart {
    pub(crate) n_bytes: u64,
    pub(crate) head: Vec<u8>,
}

impl FileStart {
    fn read(input: &mut InputFile) -> Result<Self, DataError> {
        Ok(Self { n_bytes: input.n_bytes, head: input.head()? })
    }
}

impl FoundFile {
    /// Returns the length and the beginning of the file. A file that may not be opened, or is empty,
    /// has none: in a folder it belongs to something else.
    pub(crate) fn start(&self) -> Option<&FileStart> {
        let read = || FileStart::read(&mut InputFile::open(&self.path).ok()?).ok();
        self.start.get_or_init(read).as_ref()
    }

    /// Whether the first bytes are such that `is_kind` says so.
    pub(crate) fn begins(&self, is_kind: impl FnOnce(&[u8]) -> bool) -> bool {
        self.start().is_some_and(|start| is_kind(&start.head))
    }

    /// Returns the file open at its beginning, for a format that its first bytes do not tell.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn input(&self) -> Result<InputFile, DataError> {
        let Some(InputFile { path, n_bytes, file }) = &self.open else {
            return InputFile::open(&self.path);
        };
        let file = file.try_clone().and_then(|mut file| file.rewind().map(|()| file));
        let file = file.map_err(io(path, "read"))?;
        Ok(InputFile { path: path.clone(), n_bytes: *n_bytes, file })
    }

    /// Whether the file's extension is one of these, whatever the case.
    pub(crate) fn ends_in(&self, extensions: &[&str]) -> bool {
        let own = self.path.extension().map(|own| own.to_string_lossy().to_lowercase());
        own.is_some_and(|own| extensions.contains(&own.as_str()))
    }
}

impl Found {
    /// Returns what lies behind a path.
    ///
    /// # Errors
    /// When it cannot be opened, or is an empty file or a device.
    pub(crate) fn at(path: &Path) -> Result<Self, DataError> {
        if path.is_dir() {
            let closed = |path| FoundFile { path, start: OnceCell::new(), open: None };
            let files = files_of(path)?.into_iter().map(closed).collect();
            return Ok(Self::Folder { path: path.into(), files });
        }
        let mut input = InputFile::open(path)?;
        let start = OnceCell::from(Some(FileStart::read(&mut input)?));
        Ok(Self::File(FoundFile { path: path.into(), start, open: Some(input) }))
    }

    /// Returns the file, when this is one.
    pub(crate) fn file(&self) -> Option<&FoundFile> {
        if let Self::File(file) = self { Some(file) } else { None }
    }

    /// Returns the file, or the files of the folder.
    pub(crate) fn files(&self) -> &[FoundFile] {
        match self {
            Self::File(file) => std::slice::from_ref(file),
            Self::Folder { files, .. } => files,
        }
    }

    /// Says what stands where data should.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::File(file) => file
                .start()
                .and_then(|start| in_place_of_data(&start.head))
                .unwrap_or_else(|| "binary data of no known kind".into()),
            Self::Folder { files, .. } => {
                let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
                format!("a folder with {}", listed(&paths))
            }
        }
    }
}
