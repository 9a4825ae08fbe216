//! Where a file may come from: a local folder or a base URL.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

use super::verify::Fault;

/// How long a server may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// To look up its name, and then to be connected to.
    pub(crate) connect: Duration,
    /// To send the next byte.
    pub(crate) stall: Duration,
    /// For one whole file.
    pub(crate) whole: Duration,
}

/// One place that may have the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Folder(PathBuf),
    /// Ends in `/`.
    Url(String),
}

impl Source {
    /// What `--from` says: a URL if it has a scheme, else a folder.
    ///
    /// # Errors
    /// When the scheme is neither http nor https, or the folder does not exist.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        if let Some((scheme, _)) = text.split_once("://") {
            if !matches!(scheme, "http" | "https") {
                bail!(
                    "--from {text}: {scheme} is not supported; give a folder, http:// or https://"
                );
            }
            return Ok(Self::Url(format!("{}/", text.trim_end_matches('/'))));
        }
        let folder = PathBuf::from(text);
        if !folder.is_dir() {
            bail!("--from {text}: no such folder");
        }
        Ok(Self::Folder(folder))
    }

    /// The file or folder of that name in there, for people and for `open`.
    pub(crate) fn join(&self, name: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(name).display().to_string(),
            Self::Url(base) => format!("{base}{name}"),
        }
    }

    /// The folder of that name in there.
    pub(crate) fn folder(&self, name: &str) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.join(name)),
            Self::Url(base) => Self::Url(format!("{base}{name}/")),
        }
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// When it is not there or does not answer.
    pub(crate) fn open(&self, name: &str, limits: Limits) -> Result<Box<dyn Read>, Fault> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                // Asked before opening: to open a pipe is to wait for a writer.
                match path.metadata() {
                    Ok(metadata) if metadata.is_file() => {}
                    Ok(_) => return Err(Fault::NotAFile),
                    Err(error) => return Err(local_fault(&error)),
                }
                match File::open(&path) {
                    Ok(file) => Ok(Box::new(file)),
                    Err(error) => Err(local_fault(&error)),
                }
            }
            Self::Url(base) => get(&format!("{base}{name}"), limits),
        }
    }
}

fn local_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NotFound,
        _ => Fault::Connection(error.to_string()),
    }
}

/// Asks for `url`; from https, redirects lead only to https.
fn get(url: &str, limits: Limits) -> Result<Box<dyn Read>, Fault> {
    let agent = ureq::Agent::config_builder()
        .https_only(url.starts_with("https://"))
        .http_status_as_error(false)
        .max_redirects(5)
        .timeout_resolve(Some(limits.connect))
        .timeout_connect(Some(limits.connect))
        .timeout_per_read(Some(limits.stall))
        .timeout_per_write(Some(limits.stall))
        .timeout_global(Some(limits.whole))
        .user_agent("dnn-xtask")
        .build()
        .new_agent();
    let response = agent.get(url).call().map_err(|error| call_fault(&error, limits))?;
    let status = response.status();
    if status != 200 {
        return Err(Fault::Status(status.to_string()));
    }
    Ok(Box::new(response.into_body().into_reader()))
}

/// Names what went wrong while the body was read, after `got` bytes.
pub(crate) fn read_fault(error: &io::Error, limits: Limits, got: u64, expected: u64) -> Fault {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Fault::Truncated { got, expected };
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(ureq::Error::Timeout(ureq::Timeout::Global)) => {
            Fault::TooSlow { waited_s: limits.whole.as_secs_f64(), got, expected }
        }
        Some(ureq::Error::Timeout(_)) => {
            Fault::Stalled { waited_s: limits.stall.as_secs_f64(), got, expected }
        }
        _ => Fault::Connection(error.to_string()),
    }
}

/// Names why there was no answer.
fn call_fault(error: &ureq::Error, limits: Limits) -> Fault {
    use ureq::Timeout;
    let no_answer = |waited: Duration| Fault::NoAnswer { waited_s: waited.as_secs_f64() };
    match error {
        ureq::Error::RequireHttpsOnly(url) => Fault::Insecure(url.clone()),
        ureq::Error::Timeout(Timeout::Global) => no_answer(limits.whole),
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => no_answer(limits.connect),
        ureq::Error::Timeout(_) => no_answer(limits.stall),
        other => Fault::Connection(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_is_a_url_when_it_has_a_scheme() {
        for url in ["http://127.0.0.1:80/a", "http://127.0.0.1:80/a//"] {
            let source = Source::parse(url).expect("a URL");
            assert_eq!(source.join("b.h5"), "http://127.0.0.1:80/a/b.h5");
            assert_eq!(source.folder("c").join("b.h5"), "http://127.0.0.1:80/a/c/b.h5");
        }
        let error = Source::parse("ftp://example.org/").expect_err("ftp");
        assert!(error.to_string().contains("ftp is not supported"), "{error}");
    }

    #[test]
    fn from_is_a_folder_otherwise_and_must_exist() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = folder.path().to_str().expect("UTF-8");
        assert_eq!(Source::parse(text).expect("a folder"), Source::Folder(folder.path().into()));
        let error = Source::parse(&format!("{text}/absent")).expect_err("no folder");
        assert!(error.to_string().contains("no such folder"), "{error}");
    }

    #[test]
    fn an_https_mirror_that_leads_to_http_is_named() {
        let limits = Limits {
            connect: Duration::from_secs(1),
            stall: Duration::from_secs(1),
            whole: Duration::from_secs(1),
        };
        let error = ureq::Error::RequireHttpsOnly("http://example.org/".to_owned());
        let fault = call_fault(&error, limits);
        assert_eq!(fault.to_string(), "redirects to http://example.org/, which is not https");
    }
}
