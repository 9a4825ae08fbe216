//! `data/manifest.toml`: which files a set has, how they are recognised, who serves them.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

/// The whole manifest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    #[serde(rename = "set")]
    pub(crate) sets: Vec<Set>,
}

/// Files that belong together and are served together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    pub(crate) name: String,
    /// One line for people.
    pub(crate) about: String,
    /// The folder beside the manifest that the files land in; the manifest's own without it.
    #[serde(default)]
    pub(crate) folder: String,
    /// Base URLs: the file's name is appended.
    pub(crate) mirrors: Vec<String>,
    #[serde(rename = "file")]
    pub(crate) files: Vec<DataFile>,
}

/// One file and how it is recognised.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataFile {
    pub(crate) name: String,
    bytes: u64,
    sha256: String,
    /// Other compressions of the same content.
    #[serde(default)]
    also: Vec<Pin>,
}

/// A size and a hash.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl DataFile {
    /// Every size and hash that is right, the mirrors' own first.
    pub(crate) fn pins(&self) -> Vec<Pin> {
        let own = Pin { bytes: self.bytes, sha256: self.sha256.clone() };
        std::iter::once(own).chain(self.also.iter().cloned()).collect()
    }
}

impl Manifest {
    /// Reads and checks a manifest. Mirrors must be https unless `allow_http`.
    ///
    /// # Errors
    /// When the file cannot be read, is not a manifest, or names something outside its folder.
    pub(crate) fn load(path: &Path, allow_http: bool) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: read failed", path.display()))?;
        let manifest: Self =
            toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        for set in &manifest.sets {
            set.check(allow_http)
                .with_context(|| format!("{}: set `{}`", path.display(), set.name))?;
        }
        Ok(manifest)
    }

    /// The set of that name.
    ///
    /// # Errors
    /// When there is none: names the nearest one and all of them.
    pub(crate) fn set(&self, name: &str) -> anyhow::Result<&Set> {
        if let Some(set) = self.sets.iter().find(|set| set.name == name) {
            return Ok(set);
        }
        let known: Vec<String> =
            self.sets.iter().map(|set| format!("\n  {:8} {}", set.name, set.about)).collect();
        let nearest = self
            .sets
            .iter()
            .map(|set| (strsim::osa_distance(name, &set.name), &set.name))
            .min()
            .filter(|(n_edits, nearest)| *n_edits <= 2 && *n_edits < nearest.len())
            .map(|(_, nearest)| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        bail!("no data set is called `{name}`{nearest}\nthe sets are:{}", known.concat())
    }
}

impl Set {
    fn check(&self, allow_http: bool) -> anyhow::Result<()> {
        ensure!(!self.files.is_empty(), "has no files");
        ensure!(!self.mirrors.is_empty(), "has no mirrors");
        ensure!(
            self.folder.is_empty() || is_plain_name(&self.folder),
            "folder `{}` must be a plain name",
            self.folder
        );
        for mirror in &self.mirrors {
            let scheme =
                mirror.starts_with("https://") || (allow_http && mirror.starts_with("http://"));
            ensure!(scheme && mirror.ends_with('/'), "mirror {mirror}: must be https://…/");
        }
        for file in &self.files {
            ensure!(is_plain_name(&file.name), "file `{}` must be a plain name", file.name);
            for pin in file.pins() {
                let is_hash = pin.sha256.len() == 64
                    && pin.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                ensure!(is_hash, "file `{}`: sha256 must be 64 lower-case hex digits", file.name);
                ensure!(pin.bytes > 0, "file `{}`: bytes must be above 0", file.name);
            }
        }
        Ok(())
    }
}

/// Letters, digits, `-`, `_` and inner dots: safe in a path and in a URL as it is.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads a one-set manifest with these fields.
    fn load(folder: &str, mirror: &str, file: &str, sha256: &str) -> anyhow::Result<Manifest> {
        let folder_of_manifest = tempfile::tempdir().expect("a temporary folder");
        let path = folder_of_manifest.path().join("manifest.toml");
        let text = format!(
            "[[set]]\nname = \"cat\"\nabout = \"cats\"\nfolder = \"{folder}\"\n\
             mirrors = [\"{mirror}\"]\n\
             [[set.file]]\nname = \"{file}\"\nbytes = 1\nsha256 = \"{sha256}\"\n"
        );
        std::fs::write(&path, text).expect("write the manifest");
        Manifest::load(&path, false)
    }

    #[test]
    fn a_sound_manifest_loads() {
        load("", "https://example.org/", "a.h5", &"0".repeat(64)).expect("a sound manifest");
    }

    #[test]
    fn a_manifest_cannot_point_outside_its_folder_or_leave_https() {
        let hash = "0".repeat(64);
        for (folder, mirror, file, sha256, complaint) in [
            ("..", "https://example.org/", "a.h5", &hash, "folder `..`"),
            ("", "http://example.org/", "a.h5", &hash, "must be https://…/"),
            ("", "https://example.org", "a.h5", &hash, "must be https://…/"),
            ("", "https://example.org/", "../a.h5", &hash, "file `../a.h5`"),
            ("", "https://example.org/", ".a.part", &hash, "file `.a.part`"),
            ("", "https://example.org/", "a.h5", &"0".repeat(63), "64 lower-case hex digits"),
            ("", "https://example.org/", "a.h5", &"F".repeat(64), "64 lower-case hex digits"),
        ] {
            let error = load(folder, mirror, file, sha256).expect_err(complaint);
            assert!(format!("{error:#}").contains(complaint), "{error:#}");
        }
    }

    #[test]
    fn the_manifest_of_this_repository_loads_and_pins_every_github_mirror() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/manifest.toml");
        let manifest = Manifest::load(&path, false).expect("data/manifest.toml");
        assert!(manifest.set("mnist").is_ok());
        for mirror in &manifest.set("cat").expect("the course's images").mirrors {
            let path = mirror.strip_prefix("https://raw.githubusercontent.com/").expect(mirror);
            let commit = path.split('/').nth(2).expect(mirror);
            assert!(
                commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                "{mirror}"
            );
            assert!(mirror.is_ascii() && !mirror.contains(' '), "{mirror} is not percent-encoded");
        }
    }
}
