//! Recognising a file while it streams by, and naming what came instead of it.

use sha2::{Digest, Sha256};

use super::manifest::Pin;

/// How much of the beginning is kept to say what came instead.
const HEAD_BYTES: usize = 512;

/// Why a source did not give the file. The next source may.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("not found")]
    NotFound,
    #[error("not a file")]
    NotAFile,
    #[error("HTTP {0}")]
    Status(String),
    #[error("{0}")]
    Connection(String),
    #[error("redirects to {0}, which is not https")]
    Insecure(String),
    #[error("no answer within {waited_s} s")]
    NoAnswer { waited_s: f64 },
    #[error("stalled: no byte for {waited_s} s, after {got} of {expected} bytes")]
    Stalled { waited_s: f64, got: u64, expected: u64 },
    #[error("too slow: {got} of {expected} bytes in {waited_s} s")]
    TooSlow { waited_s: f64, got: u64, expected: u64 },
    #[error("an HTML page instead of the file")]
    Html,
    #[error("a Git LFS pointer instead of the file")]
    LfsPointer,
    #[error("truncated: {got} of {expected} bytes")]
    Truncated { got: u64, expected: u64 },
    #[error("more than the expected {expected} bytes; cut off")]
    TooLong { expected: u64 },
    #[error("the right size, but SHA-256 {got}, expected {expected}")]
    Hash { got: String, expected: String },
}

/// Counts and hashes what streams by.
pub(crate) struct Verifier {
    pins: Vec<Pin>,
    hash: Sha256,
    head: Vec<u8>,
    got: u64,
}

impl Verifier {
    pub(crate) fn new(pins: Vec<Pin>) -> Self {
        Self { pins, hash: Sha256::new(), head: Vec::with_capacity(HEAD_BYTES), got: 0 }
    }

    /// Bytes seen so far.
    pub(crate) fn got(&self) -> u64 {
        self.got
    }

    /// The size of the largest encoding that is right.
    pub(crate) fn expected(&self) -> u64 {
        self.pins.iter().map(|pin| pin.bytes).max().unwrap_or(0)
    }

    /// Takes the next piece, before it is written.
    ///
    /// # Errors
    /// When there is more than the file has.
    pub(crate) fn update(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let n_missing = HEAD_BYTES.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..n_missing]);
        self.got += piece.len() as u64;
        if self.got > self.expected() {
            return Err(self.explain(Fault::TooLong { expected: self.expected() }));
        }
        self.hash.update(piece);
        Ok(())
    }

    /// Judges the whole, after the last piece.
    ///
    /// # Errors
    /// When size or hash is wrong.
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        let Some(pin) = self.pins.iter().find(|pin| pin.bytes == self.got) else {
            let truncated = Fault::Truncated { got: self.got, expected: self.expected() };
            return Err(self.explain(truncated));
        };
        let got = hex(&self.hash.clone().finalize());
        if got == pin.sha256 {
            return Ok(());
        }
        Err(self.explain(Fault::Hash { got, expected: pin.sha256.clone() }))
    }

    /// Names what came, where that is known; else `fault`.
    fn explain(&self, fault: Fault) -> Fault {
        let head = self.head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.head);
        let head = head.trim_ascii_start().to_ascii_lowercase();
        if head.starts_with(b"version https://git-lfs") {
            Fault::LfsPointer
        } else if [&b"<!doctype html"[..], b"<html", b"<head", b"<!--"]
            .iter()
            .any(|tag| head.starts_with(tag))
        {
            Fault::Html
        } else {
            fault
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `body`, in pieces of three bytes, where "abc" is expected.
    ///
    /// The hash is the one of FIPS 180-2, appendix B.1.
    fn judge(body: &[u8]) -> Result<(), Fault> {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        let mut verifier = Verifier::new(vec![Pin { bytes: 3, sha256 }]);
        for piece in body.chunks(3) {
            verifier.update(piece)?;
        }
        verifier.finish()
    }

    #[test]
    fn only_the_right_bytes_pass() {
        assert!(judge(b"abc").is_ok());
        assert!(matches!(judge(b"ab"), Err(Fault::Truncated { got: 2, expected: 3 })));
        assert!(matches!(judge(b""), Err(Fault::Truncated { got: 0, expected: 3 })));
        assert!(matches!(judge(b"abcd"), Err(Fault::TooLong { expected: 3 })));
        assert!(matches!(judge(b"abd"), Err(Fault::Hash { .. })));
    }

    #[test]
    fn another_compression_of_the_same_content_passes() {
        let pins = [(4, "0".repeat(64)), (3, hex(&Sha256::digest(b"abc")))]
            .map(|(bytes, sha256)| Pin { bytes, sha256 });
        let mut verifier = Verifier::new(pins.to_vec());
        assert!(verifier.update(b"abc").is_ok() && verifier.finish().is_ok());
    }

    #[test]
    fn what_came_instead_is_named() {
        let expect_more = |body: &[u8]| {
            let pin = Pin { bytes: 10_000, sha256: "0".repeat(64) };
            let mut verifier = Verifier::new(vec![pin]);
            verifier.update(body).and_then(|()| verifier.finish())
        };
        assert!(matches!(expect_more(b"\n <!DOCTYPE html><html>"), Err(Fault::Html)));
        assert!(matches!(expect_more(b"\xEF\xBB\xBF<HTML>"), Err(Fault::Html)));
        assert!(matches!(
            expect_more(b"version https://git-lfs.github.com/spec/v1\noid sha256:0"),
            Err(Fault::LfsPointer)
        ));
        assert!(matches!(expect_more(b"\x89HDF\r\n\x1a\n"), Err(Fault::Truncated { .. })));
    }
}
