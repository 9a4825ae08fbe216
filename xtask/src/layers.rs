//! `cargo xtask layers`: who may import whom.
//!
//! Declared dependencies count, whatever their kind (normal, dev, build), platform or feature.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, PackageId};

use crate::metadata;

/// Every crate of the workspace, and which others of them it may import.
///
/// To add a crate: give it a row here with what it may import, add it to the rows of those who may
/// import it (only `dnn-cli`, unless it is a layer), and draw it in ARCHITECTURE.md. Leaves that
/// may come: `dnn-serve` (dnn-core, dnn-data), `dnn-mpi` (dnn-core,
/// dnn-train).
const ALLOWED: &[(&str, &[&str])] = &[
    ("dnn-core", &[]),
    ("dnn-data", &["dnn-core"]),
    ("dnn-train", &["dnn-core"]),
    ("dnn-report", &["dnn-core", "dnn-data", "dnn-train"]),
    ("dnn-cli", &["dnn-core", "dnn-data", "dnn-report", "dnn-train"]),
    ("xtask", &[]),
];

/// What must stay out of a crate, however indirectly (dev-dependencies aside): the mathematics
/// knows no files, formats, threads or terminals, and no library prints or speaks anyhow.
const ABSENT: &[(&str, &[&str])] = &[
    ("dnn-core", &["image", "hdf5-pure", "hdf5-metno", "rayon", "clap", "indicatif", "anyhow"]),
    ("dnn-train", &["image", "hdf5-pure", "hdf5-metno", "clap", "indicatif", "anyhow"]),
    ("dnn-data", &["clap", "indicatif", "anyhow"]),
    ("dnn-report", &["clap", "indicatif", "anyhow"]),
];

/// Each forbidden edge of the workspace at `root`, with the rule it breaks.
///
/// # Errors
/// When cargo does not say what the workspace looks like.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = metadata::read(root)?;
    let violations = violations(&metadata);
    if violations.is_empty() {
        eprintln!("layers: {} crates, no forbidden edge", metadata.workspace_members.len());
    }
    Ok(violations)
}

fn violations(metadata: &Metadata) -> Vec<String> {
    let mut found = forbidden_edges(metadata);
    for (name, absent) in ABSENT {
        for path in paths_to(metadata, name, absent) {
            let foreign = path.last().copied().unwrap_or_default();
            found.push(format!(
                "forbidden dependency {}: `{foreign}` must stay out of {name} \
                 (ABSENT in xtask/src/layers.rs)",
                path.join(" → ")
            ));
        }
    }
    found
}

/// Edges between our own crates that are not in `ALLOWED`.
fn forbidden_edges(metadata: &Metadata) -> Vec<String> {
    let ours = metadata.workspace_packages();
    let mut found = Vec::new();
    for package in &ours {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *package.name == *name) else {
            found.push(format!(
                "unknown crate `{}`: add it to ALLOWED in xtask/src/layers.rs with the crates it \
                 may import",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let is_ours = ours.iter().any(|other| *other.name == dependency.name);
            if !is_ours || allowed.contains(&dependency.name.as_str()) {
                continue;
            }
            let kind = match dependency.kind {
                DependencyKind::Development => " (dev-dependency)",
                DependencyKind::Build => " (build-dependency)",
                _ => "",
            };
            let rule = match allowed {
                [] => "none of ours".to_owned(),
                some => format!("only {} of ours", some.join(", ")),
            };
            found.push(format!(
                "forbidden edge {} → {}{kind}: {} may import {rule} (ALLOWED in \
                 xtask/src/layers.rs)",
                package.name, dependency.name, package.name
            ));
        }
    }
    found
}

/// A shortest path from the crate `from` to each of `absent` that can be reached from it.
fn paths_to<'a>(metadata: &'a Metadata, from: &str, absent: &[&str]) -> Vec<Vec<&'a str>> {
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes: BTreeMap<_, _> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| (&node.id, node))
        .collect();
    let start = metadata.workspace_packages().into_iter().find(|package| *package.name == from);
    let mut queue: VecDeque<_> = start.iter().map(|package| &package.id).collect();
    // Who led to whom; also marks what was seen.
    let mut parents: BTreeMap<&PackageId, Option<&PackageId>> =
        queue.iter().map(|id| (*id, None)).collect();
    let mut paths = Vec::new();
    while let Some(id) = queue.pop_front() {
        if absent.contains(&names[id]) {
            let mut path: Vec<&str> =
                std::iter::successors(Some(id), |id| parents[id]).map(|id| names[id]).collect();
            path.reverse();
            paths.push(path);
            continue;
        }
        for dependency in nodes.get(id).iter().flat_map(|node| &node.deps) {
            let is_dev_only = !dependency.dep_kinds.is_empty()
                && dependency.dep_kinds.iter().all(|k| k.kind == DependencyKind::Development);
            if !is_dev_only && !parents.contains_key(&dependency.pkg) {
                parents.insert(&dependency.pkg, Some(id));
                queue.push_back(&dependency.pkg);
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::workspace;

    const CORE: &str = "[dependencies]\ndnn-core = { path = \"../dnn-core\" }\n";

    /// A sound workspace with `rest` appended to the crate `name`.
    fn violations_with(name: &str, rest: &str) -> Vec<String> {
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
        violations(&workspace(&crates).1)
    }

    #[test]
    fn a_sound_workspace_passes() {
        assert_eq!(violations_with("", ""), Vec::<String>::new());
    }

    #[test]
    fn this_workspace_passes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(check(&root).expect("cargo metadata"), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_found_whatever_its_kind() {
        for (section, shown) in [
            ("dev-dependencies", " (dev-dependency)"),
            ("build-dependencies", " (build-dependency)"),
            ("target.'cfg(windows)'.dev-dependencies", " (dev-dependency)"),
        ] {
            let rest = format!("[{section}]\ndnn-train = {{ path = \"../dnn-train\" }}\n");
            let found = violations_with("dnn-data", &rest);
            let start = format!(
                "forbidden edge dnn-data → dnn-train{shown}: dnn-data may import only dnn-core"
            );
            assert!(found.len() == 1 && found[0].starts_with(&start), "{section}: {found:?}");
        }
    }

    #[test]
    fn a_renamed_optional_edge_is_found() {
        let rest = "other = { package = \"dnn-data\", path = \"../dnn-data\", optional = true }\n";
        let found = violations_with("dnn-train", rest);
        assert!(found[0].starts_with("forbidden edge dnn-train → dnn-data:"), "{found:?}");
    }

    #[test]
    fn what_must_be_absent_is_found_however_indirect() {
        let rest = "[dependencies]\nmiddle = { path = \"../../foreign/middle\" }\n";
        let found = violations_with("dnn-core", rest);
        assert_eq!(found.len(), 3, "dnn-core, and with it dnn-train and dnn-data: {found:?}");
        assert!(found[0].contains("dnn-core → middle → clap: `clap` must stay out"), "{found:?}");
    }

    #[test]
    fn dev_dependencies_may_have_what_must_be_absent() {
        let rest = "[dev-dependencies]\nclap = { path = \"../../foreign/clap\" }\n";
        assert_eq!(violations_with("dnn-core", rest), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_crate_is_an_error_that_says_what_to_do() {
        let (_folder, metadata) = workspace(&[("dnn-new", "")]);
        let found = violations(&metadata);
        assert!(found[0].starts_with("unknown crate `dnn-new`: add it to ALLOWED"), "{found:?}");
    }
}
