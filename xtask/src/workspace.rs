//! `cargo xtask layers` and `cargo xtask msrv`: what cargo knows about the workspace, held to its
//! rules.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::command;

/// Every crate of the workspace, and which others of them it may import: whatever the kind (normal,
/// dev, build), platform or feature of the dependency.
///
/// To add a crate: give it a row here, add it to the rows of those who may import it (only
/// `dnn-cli`, unless it is a layer), and draw it in ARCHITECTURE.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("dnn-core", &[]),
    ("dnn-data", &["dnn-core"]),
    ("dnn-train", &["dnn-core"]),
    ("dnn-report", &["dnn-core", "dnn-data", "dnn-train"]),
    ("dnn-export", &["dnn-core", "dnn-data"]),
    ("dnn-page", &["dnn-core", "dnn-data"]),
    ("dnn-serve", &["dnn-core", "dnn-data"]),
    (
        "dnn-cli",
        &["dnn-core", "dnn-data", "dnn-train", "dnn-export", "dnn-page", "dnn-report", "dnn-serve"],
    ),
    ("xtask", &[]),
];

/// What must stay out of a crate, however indirectly (dev-dependencies aside): the mathematics
/// knows no files, formats, threads or terminals, and no library prints or speaks anyhow.
const ABSENT: &[(&str, &[&str])] = &[
    ("dnn-core", &["image", "hdf5-pure", "hdf5-metno", "rayon", "clap", "indicatif", "anyhow"]),
    ("dnn-train", &["image", "hdf5-pure", "hdf5-metno", "clap", "indicatif", "anyhow"]),
    ("dnn-data", &["clap", "indicatif", "anyhow"]),
    ("dnn-report", &["clap", "indicatif", "anyhow"]),
    // anyhow is in the macro of prost, which runs while it is compiled.
    ("dnn-export", &["clap", "indicatif"]),
    ("dnn-page", &["clap", "indicatif", "anyhow"]),
    ("dnn-serve", &["clap", "indicatif", "anyhow"]),
];

/// What `cargo metadata` says, as far as it is asked here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    version: String,
    rust_version: Option<String>,
    dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or nothing.
    kind: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    #[serde(default, rename = "required-features")]
    pub(crate) required_features: Vec<String>,
}

impl Metadata {
    /// Asks cargo, with every feature on and for all platforms.
    ///
    /// # Errors
    /// When cargo fails; its own words are in the message.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let printed = cargo(root, &["metadata", "--format-version", "1", "--all-features"])?;
        serde_json::from_str(&printed).context("cargo metadata printed something else")
    }

    /// The crates of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.is_member(package))
    }

    fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
    }
}

impl Package {
    pub(crate) fn is_library(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }
}

/// What cargo prints.
fn cargo(root: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = command(root, "cargo").args(args).output().context("cargo did not start")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {}: {}", args.join(" "), complaint.trim());
    String::from_utf8(output.stdout).context("cargo printed something that is not UTF-8")
}

/// Each forbidden import in the workspace at `root`, with the rule it breaks.
///
/// # Errors
/// When cargo does not say what the workspace looks like.
pub(crate) fn check_layers(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = Metadata::read(root)?;
    let is_ours = |name: &str| metadata.members().any(|package| package.name == name);
    let mut found = Vec::new();
    for package in metadata.members() {
        let name = &package.name;
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            found.push(format!(
                "unknown crate `{name}`: add it to ALLOWED in xtask/src/workspace.rs with the \
                 crates it may import"
            ));
            continue;
        };
        for Dependency { name: imported, kind } in &package.dependencies {
            if is_ours(imported) && !allowed.contains(&imported.as_str()) {
                let kind = kind.as_ref().map(|kind| format!(" ({kind}-dependency)"));
                let allowed = if allowed.is_empty() { "none" } else { &allowed.join(", ") };
                found.push(format!(
                    "forbidden edge {name} → {imported}{}: of ours, {name} may import {allowed} \
                     (ALLOWED in xtask/src/workspace.rs)",
                    kind.unwrap_or_default()
                ));
            }
        }
    }
    for (name, absent) in ABSENT.iter().filter(|(name, _)| is_ours(name)) {
        for path in paths_to(root, name, absent)? {
            found.push(format!("forbidden dependency {path} (ABSENT in xtask/src/workspace.rs)"));
        }
    }
    if found.is_empty() {
        eprintln!("layers: {} crates, no forbidden edge", metadata.workspace_members.len());
    }
    Ok(found)
}

/// The ways from the crate `from` to those of `absent` that can be reached from it.
fn paths_to(root: &Path, from: &str, absent: &[&str]) -> anyhow::Result<Vec<String>> {
    let tree = "tree --edges normal,build --all-features --target all --prefix depth --package";
    let args: Vec<&str> = tree.split(' ').chain([from]).collect();
    let printed = cargo(root, &args)?;
    let (mut path, mut found) = (Vec::new(), Vec::new());
    // `2clap v4.6.0`: the depth, then the package.
    for line in printed.lines() {
        let package = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let depth = line[..line.len() - package.len()].parse().context("cargo tree changed")?;
        path.truncate(depth);
        path.push(package.split(' ').next().unwrap_or_default());
        if path.last().is_some_and(|name| absent.contains(name)) {
            found.push(path.join(" → "));
        }
    }
    Ok(found)
}

/// What breaks the promise of the workspace's `rust-version`. Cargo's resolver prefers releases that
/// keep it, but takes others when it finds none; our own calls of the standard library are judged by
/// clippy's `incompatible_msrv`.
///
/// # Errors
/// When cargo does not say what the workspace looks like.
pub(crate) fn check_msrv(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = Metadata::read(root)?;
    let needed = |package: &Package| package.rust_version.as_deref().map(version);
    let Some(promised) = metadata.members().filter_map(needed).min() else {
        return Ok(vec!["no crate of the workspace has a rust-version".to_owned()]);
    };
    let mut found = Vec::new();
    for package in &metadata.packages {
        if metadata.is_member(package) {
            if needed(package) != Some(promised) {
                found.push(format!(
                    "{}: write `rust-version.workspace = true`, as the other crates do",
                    package.name
                ));
            }
        } else if needed(package).is_some_and(|needed| needed > promised) {
            found.push(format!(
                "{} {} needs Rust {}, the workspace promises {}.{}: raise rust-version in \
                 Cargo.toml or take an older release",
                package.name,
                package.version,
                package.rust_version.as_deref().unwrap_or_default(),
                promised[0],
                promised[1]
            ));
        }
    }
    Ok(found)
}

/// `1.89` and `1.89.0` as numbers; 0 for what is no number.
fn version(text: &str) -> [u32; 3] {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A workspace of empty crates in a temporary folder: name, and what follows `[package]`'s
    /// name and edition in its Cargo.toml. Names starting with `foreign/` are not members.
    fn workspace(crates: &[(&str, &str)]) -> tempfile::TempDir {
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
        folder
    }

    const CORE: &str = "[dependencies]\ndnn-core = { path = \"../dnn-core\" }\n";

    /// What is found in a sound workspace with `rest` appended to the crate `name`.
    fn layers_with(name: &str, rest: &str) -> Vec<String> {
        let crates = [
            ("foreign/clap", String::new()),
            ("foreign/middle", "[dependencies]\nclap = { path = \"../clap\" }\n".to_owned()),
            ("dnn-core", String::new()),
            ("dnn-data", CORE.to_owned()),
            ("dnn-train", CORE.to_owned()),
            (
                "dnn-cli",
                format!(
                    "{CORE}dnn-data = {{ path = \"../dnn-data\" }}\n\
                     dnn-train = {{ path = \"../dnn-train\" }}\n\
                     clap = {{ path = \"../../foreign/clap\" }}\n"
                ),
            ),
        ];
        let crates = crates.map(|(n, text)| (n, if n == name { text + rest } else { text }));
        let crates: Vec<_> = crates.iter().map(|(n, text)| (*n, text.as_str())).collect();
        check_layers(workspace(&crates).path()).expect("cargo metadata")
    }

    #[test]
    fn a_sound_workspace_passes() {
        assert_eq!(layers_with("", ""), Vec::<String>::new());
    }

    #[test]
    fn this_workspace_passes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(check_layers(&root).expect("cargo metadata"), Vec::<String>::new());
        assert_eq!(check_msrv(&root).expect("cargo metadata"), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_found_whatever_its_kind() {
        for (section, shown) in [
            ("dev-dependencies", " (dev-dependency)"),
            ("build-dependencies", " (build-dependency)"),
            ("target.'cfg(windows)'.dev-dependencies", " (dev-dependency)"),
        ] {
            let rest = format!("[{section}]\ndnn-train = {{ path = \"../dnn-train\" }}\n");
            let found = layers_with("dnn-data", &rest);
            let start = format!(
                "forbidden edge dnn-data → dnn-train{shown}: of ours, dnn-data may import dnn-core "
            );
            assert!(found.len() == 1 && found[0].starts_with(&start), "{section}: {found:?}");
        }
    }

    #[test]
    fn a_renamed_optional_edge_is_found() {
        let rest = "other = { package = \"dnn-data\", path = \"../dnn-data\", optional = true }\n";
        let found = layers_with("dnn-train", rest);
        assert!(found[0].starts_with("forbidden edge dnn-train → dnn-data:"), "{found:?}");
    }

    #[test]
    fn what_must_be_absent_is_found_however_indirect() {
        let rest = "[dependencies]\nmiddle = { path = \"../../foreign/middle\" }\n";
        let found = layers_with("dnn-core", rest);
        assert_eq!(found.len(), 3, "dnn-core, and with it dnn-train and dnn-data: {found:?}");
        let start = "forbidden dependency dnn-core → middle → clap (ABSENT";
        assert!(found[0].starts_with(start), "{found:?}");
    }

    #[test]
    fn dev_dependencies_may_have_what_must_be_absent() {
        let rest = "[dev-dependencies]\nclap = { path = \"../../foreign/clap\" }\n";
        assert_eq!(layers_with("dnn-core", rest), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_crate_is_an_error_that_says_what_to_do() {
        let found = check_layers(workspace(&[("dnn-new", "")]).path()).expect("cargo metadata");
        assert!(found[0].starts_with("unknown crate `dnn-new`: add it to ALLOWED"), "{found:?}");
    }

    #[test]
    fn a_dependency_may_need_what_is_promised_and_no_more() {
        let check = |promised: &str, needed: &str| {
            let member = format!(
                "rust-version = \"{promised}\"\n\
                 [dev-dependencies]\nfar = {{ path = \"../../foreign/far\" }}\n"
            );
            let foreign = format!("rust-version = \"{needed}\"\n");
            let folder = workspace(&[("foreign/far", &foreign), ("near", &member)]);
            check_msrv(folder.path()).expect("cargo metadata")
        };
        assert_eq!(check("1.89", "1.89.0"), Vec::<String>::new());
        assert_eq!(check("1.89", "1.85"), Vec::<String>::new());
        let found = check("1.89", "1.90");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("far 0.0.0 needs Rust 1.90, the workspace promises 1.89:"));
    }

    #[test]
    fn every_member_makes_the_same_promise() {
        let folder = workspace(&[("one", "rust-version = \"1.89\"\n"), ("two", "")]);
        let found = check_msrv(folder.path()).expect("cargo metadata");
        assert!(found.len() == 1 && found[0].starts_with("two: write"), "{found:?}");
    }

    /// A pinned version would have to be downloaded, and components are in the default profile.
    #[test]
    fn the_toolchain_file_names_the_channel_only() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust-toolchain.toml");
        let text = fs::read_to_string(path).expect("rust-toolchain.toml");
        let expected = toml::toml! { [toolchain] channel = "stable" };
        assert_eq!(toml::from_str::<toml::Table>(&text), Ok(expected));
    }
}
