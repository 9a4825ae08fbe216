//! `cargo xtask msrv`: the `rust-version` that the workspace promises is honest.
//!
//! Dependencies are judged by what they declare; our own calls of the standard library by clippy's
//! `incompatible_msrv`.

use std::path::Path;

use anyhow::Context;
use cargo_metadata::Metadata;
use cargo_metadata::semver::Version;

use crate::metadata;

/// What breaks the promise in the workspace at `root`.
///
/// # Errors
/// When cargo or rust-toolchain.toml cannot be read.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = metadata::read(root)?;
    let path = root.join("rust-toolchain.toml");
    let toolchain = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: read failed", path.display()))?;
    let mut found = violations(&metadata);
    found.extend(toolchain_violation(&toolchain));
    if found.is_empty()
        && let Some(promised) = promised(&metadata)
        && let Some((needed, by)) = greatest(&metadata)
    {
        eprintln!("msrv: {promised} promised, {needed} needed by {by}");
    }
    Ok(found)
}

/// What our crates promise: the least of their `rust-version`s.
fn promised(metadata: &Metadata) -> Option<&Version> {
    metadata.workspace_packages().iter().filter_map(|package| package.rust_version.as_ref()).min()
}

/// The greatest `rust-version` among the dependencies, and whose it is.
fn greatest(metadata: &Metadata) -> Option<(&Version, String)> {
    let foreign = metadata.packages.iter().filter(|p| !metadata.workspace_members.contains(&p.id));
    let needs = foreign.filter_map(|package| Some((package.rust_version.as_ref()?, package)));
    let (needed, _) = needs.clone().max_by_key(|(version, _)| *version)?;
    let by: Vec<String> = needs
        .filter(|(version, _)| *version == needed)
        .map(|(_, package)| format!("{} {}", package.name, package.version))
        .collect();
    Some((needed, by.join(", ")))
}

fn violations(metadata: &Metadata) -> Vec<String> {
    let mut found = Vec::new();
    let Some(promised) = promised(metadata) else {
        return vec!["no crate of the workspace has a rust-version".to_owned()];
    };
    for package in metadata.workspace_packages() {
        if package.rust_version.as_ref() != Some(promised) {
            found.push(format!(
                "{} does not have the workspace's rust-version {promised}: write \
                 `rust-version.workspace = true`",
                package.name
            ));
        }
    }
    for package in &metadata.packages {
        let is_ours = metadata.workspace_members.contains(&package.id);
        if let Some(needed) = package.rust_version.as_ref()
            && !is_ours
            && needed > promised
        {
            found.push(format!(
                "{} {} needs Rust {needed}, the workspace promises {promised}: raise rust-version \
                 in Cargo.toml or take an older release",
                package.name, package.version
            ));
        }
    }
    found
}

/// A pinned version would have to be downloaded, and components are in the default profile.
fn toolchain_violation(text: &str) -> Option<String> {
    let expected = toml::toml! { [toolchain] channel = "stable" };
    let got: Result<toml::Table, _> = toml::from_str(text);
    (got.as_ref() != Ok(&expected)).then(|| {
        "rust-toolchain.toml must have `channel = \"stable\"` under [toolchain], and nothing else"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::workspace;

    /// A workspace promising `ours`, with one dependency that needs `theirs`.
    fn violations_of(ours: &str, theirs: &str) -> Vec<String> {
        let member = format!(
            "rust-version = \"{ours}\"\n\
             [dev-dependencies]\nfar = {{ path = \"../../foreign/far\" }}\n"
        );
        let foreign = format!("rust-version = \"{theirs}\"\n");
        violations(&workspace(&[("foreign/far", &foreign), ("near", &member)]).1)
    }

    #[test]
    fn a_dependency_may_need_what_is_promised_and_no_more() {
        assert_eq!(violations_of("1.89", "1.89.0"), Vec::<String>::new());
        assert_eq!(violations_of("1.89", "1.85"), Vec::<String>::new());
        let found = violations_of("1.89", "1.90");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("far 0.0.0 needs Rust 1.90.0, the workspace promises 1.89.0"));
    }

    #[test]
    fn every_member_makes_the_same_promise() {
        let members = [("one", "rust-version = \"1.89\"\n"), ("two", "")];
        let found = violations(&workspace(&members).1);
        assert!(found.len() == 1 && found[0].starts_with("two does not have"), "{found:?}");
    }

    #[test]
    fn the_toolchain_file_names_the_channel_only() {
        assert_eq!(toolchain_violation("# why\n[toolchain]\nchannel = \"stable\"\n"), None);
        for other in [
            "[toolchain]\nchannel = \"1.89\"\n",
            "[toolchain]\nchannel = \"stable\"\ncomponents = [\"rustfmt\"]\n",
            "[toolchain]\n",
            "stable",
        ] {
            assert!(toolchain_violation(other).is_some(), "{other}");
        }
    }

    #[test]
    fn this_workspace_passes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(check(&root).expect("cargo metadata"), Vec::<String>::new());
    }
}
