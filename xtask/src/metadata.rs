//! What cargo knows about the workspace.

use std::path::Path;

use anyhow::Context;
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};

/// `cargo metadata` with every feature on, so that optional dependencies are judged as well, and
/// for all platforms.
///
/// # Errors
/// When cargo fails; its own words are in the message.
pub(crate) fn read(root: &Path) -> anyhow::Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .exec()
        .with_context(|| format!("{}: cargo metadata failed", root.display()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fs;

    /// A workspace of empty crates in a temporary folder: name, and what follows `[package]`'s
    /// name and edition in its Cargo.toml. Names starting with `foreign/` are not members.
    pub(crate) fn workspace(crates: &[(&str, &str)]) -> (tempfile::TempDir, Metadata) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        let manifest =
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\nexclude = [\"foreign\"]\n";
        fs::write(root.join("Cargo.toml"), manifest).expect("write the workspace");
        for (name, rest) in crates {
            let (place, name) = match name.strip_prefix("foreign/") {
                Some(name) => (root.join("foreign"), name),
                None => (root.join("crates"), *name),
            };
            let source = place.join(name).join("src");
            fs::create_dir_all(&source).expect("make the crate's folder");
            fs::write(source.join("lib.rs"), "").expect("write lib.rs");
            let text = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{rest}");
            fs::write(place.join(name).join("Cargo.toml"), text).expect("write Cargo.toml");
        }
        let metadata = read(root).expect("cargo metadata");
        (folder, metadata)
    }
}
