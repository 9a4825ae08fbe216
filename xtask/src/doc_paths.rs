//! `cargo xtask doc-paths`: documents name only files that exist.
//!
//! In ARCHITECTURE.md every path in backticks counts, in all documents every relative link.

use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Endings by which a name in backticks is taken for a file.
const ENDINGS: &[&str] = &[".md", ".rs", ".toml"];

/// Each name in the documents at `root` that leads nowhere.
///
/// # Errors
/// When there is no ARCHITECTURE.md, or git does not answer.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let tracked = git(root, &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let tracked: Vec<&str> = tracked.lines().collect();
    let read = |name: &str| {
        std::fs::read_to_string(root.join(name)).with_context(|| format!("{name}: read failed"))
    };

    let mut found = Vec::new();
    let mut n_names = 0;
    for name in names_in(&read("ARCHITECTURE.md")?) {
        n_names += 1;
        if !exists(root, &tracked, &name) && !is_ignored(root, &name) {
            found.push(format!("ARCHITECTURE.md names `{name}`, which does not exist"));
        }
    }
    for document in tracked.iter().filter(|name| Path::new(name).extension() == Some("md".as_ref()))
    {
        let folder = root.join(document).parent().unwrap_or(root).to_path_buf();
        for link in links_in(&read(document)?) {
            n_names += 1;
            if !folder.join(&link).exists() {
                found.push(format!("{document} links to {}, which does not exist", link.display()));
            }
        }
    }
    if found.is_empty() {
        eprintln!("doc-paths: {n_names} names, all exist");
    }
    Ok(found)
}

/// Whether `name` is a path from the root, or ends the path of a tracked file or folder, as
/// `engine/dense.rs` does.
fn exists(root: &Path, tracked: &[&str], name: &str) -> bool {
    let name = name.trim_end_matches('/');
    let as_folder = format!("{name}/");
    root.join(name).exists()
        || tracked.iter().any(|path| {
            path.ends_with(&format!("/{name}"))
                || format!("/{path}").contains(&format!("/{as_folder}"))
        })
}

/// Whether git ignores it: made by a run or a download, so it may be absent.
fn is_ignored(root: &Path, name: &str) -> bool {
    git(root, &["check-ignore", "--quiet", "--no-index", name]).is_ok()
}

fn git(root: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output =
        Command::new("git").args(args).current_dir(root).output().context("git did not start")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", args.join(" "), complaint.trim());
    String::from_utf8(output.stdout).context("git printed something that is not UTF-8")
}

/// What stands in backticks outside of fenced blocks and looks like a path: has a `/` and a file
/// ending or a leading folder of ours, or a file ending alone.
fn names_in(text: &str) -> Vec<String> {
    let prose = without_fences(text);
    let spans = prose.split('`').skip(1).step_by(2);
    spans.filter(|span| is_path(span)).flat_map(expand).collect()
}

fn is_path(span: &str) -> bool {
    const FOLDERS: &[&str] = &["crates/", "xtask/", "data/", "docs/", ".ci/", ".cargo/"];
    let is_written_out = span.bytes().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b'{' | b',' | b'}')
    });
    let has_ending = ENDINGS.iter().any(|ending| span.ends_with(ending) && span != *ending);
    is_written_out
        && !span.starts_with('/')
        && (has_ending || FOLDERS.iter().any(|folder| span.starts_with(folder)))
}

/// `a/{b,c}.rs` → `a/b.rs`, `a/c.rs`.
fn expand(span: &str) -> Vec<String> {
    match span.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        None => vec![span.to_owned()],
        Some((before, (choices, after))) => choices
            .split(',')
            .flat_map(|choice| expand(&format!("{before}{choice}{after}")))
            .collect(),
    }
}

/// Targets of relative links, without their `#anchor`.
fn links_in(text: &str) -> Vec<PathBuf> {
    let prose = without_fences(text);
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or(target))
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
        .map(PathBuf::from)
        .filter(|path| !path.components().any(|part| part == Component::RootDir))
        .collect()
}

fn without_fences(text: &str) -> String {
    let mut in_fence = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            prose += line;
            prose.push('\n');
        }
    }
    prose
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn paths_are_told_from_other_words_in_backticks() {
        let text = "`crates/dnn-core` `src/{a,b}.rs` `README.md` `f32/f64` `0/1/2` `.toml` \
                    `cargo xtask ci` `dnn_core::Dataset` `https://example.org/a.md` \
                    `runs/<name>/config.toml`\n```\n`in/a/fence.rs`\n```\n`docs/`";
        let names = ["crates/dnn-core", "src/a.rs", "src/b.rs", "README.md", "docs/"];
        assert_eq!(names_in(text), names);
    }

    #[test]
    fn links_are_relative_targets() {
        let text = "[a](docs/a.md#part) [b](https://example.org/b.md) [c](#c) ![d](../d.png)";
        assert_eq!(links_in(text), [PathBuf::from("docs/a.md"), PathBuf::from("../d.png")]);
    }

    /// A repository with these files, and what is wrong with its documents.
    fn check_files(files: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        git(folder.path(), &["init", "--quiet"]).expect("git init");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("make a folder");
            fs::write(path, text).expect("write a file");
        }
        check(folder.path())
    }

    #[test]
    fn names_that_lead_nowhere_are_found() {
        let architecture = "`docs/here.md` `docs/gone.md` `engine/dense.rs` `gram.rs` `crates/a/` \
                            `data/cats.toml` [link](docs/lost.md)";
        let found = check_files(&[
            ("ARCHITECTURE.md", architecture),
            ("docs/here.md", "[sound](../ARCHITECTURE.md) [broken](other.md)"),
            ("crates/a/src/engine/dense.rs", ""),
            (".gitignore", "/data/*\n"),
        ])
        .expect("the check runs");
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md names `docs/gone.md`, which does not exist",
                "ARCHITECTURE.md names `gram.rs`, which does not exist",
                "ARCHITECTURE.md links to docs/lost.md, which does not exist",
                "docs/here.md links to other.md, which does not exist",
            ]
        );
    }

    #[test]
    fn architecture_must_be_there() {
        let error = check_files(&[("README.md", "")]).expect_err("no ARCHITECTURE.md");
        assert!(format!("{error:#}").starts_with("ARCHITECTURE.md: read failed"), "{error:#}");
    }
}
