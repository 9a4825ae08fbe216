//! `cargo xtask doc-paths`: documents name only files that exist.
//!
//! In ARCHITECTURE.md every path in backticks counts, in all documents every relative link.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::command;

/// Each name in the documents at `root` that leads nowhere.
///
/// # Errors
/// When there is no ARCHITECTURE.md, or git does not answer.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let tracked = git(root, &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let read = |name: &str| {
        std::fs::read_to_string(root.join(name)).with_context(|| format!("{name}: read failed"))
    };
    let mut found = Vec::new();
    for name in paths_in(&read("ARCHITECTURE.md")?) {
        // From the root, or the end of a path, as in `engine/dense.rs`, or made by a run or download.
        let inner = format!("/{}/", name.trim_end_matches('/'));
        let exists = root.join(&name).exists()
            || tracked.lines().any(|path| format!("/{path}/").contains(&inner))
            || git(root, &["check-ignore", "--quiet", "--no-index", &name]).is_ok();
        if !exists {
            found.push(format!("ARCHITECTURE.md names `{name}`, which does not exist"));
        }
    }
    for document in
        tracked.lines().filter(|name| Path::new(name).extension() == Some("md".as_ref()))
    {
        let folder = root.join(document).parent().unwrap_or(root).to_path_buf();
        for link in
            links_in(&read(document)?).into_iter().filter(|link| !folder.join(link).exists())
        {
            found.push(format!("{document} links to {link}, which does not exist"));
        }
    }
    Ok(found)
}

fn git(root: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = command(root, "git").args(args).output().context("git did not start")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", args.join(" "), complaint.trim());
    String::from_utf8(output.stdout).context("git printed something that is not UTF-8")
}

/// What stands in backticks and looks like a path: begins with a folder of ours, or ends as a file.
fn paths_in(text: &str) -> Vec<String> {
    const FOLDERS: &[&str] =
        &["crates/", "xtask/", "benches/", "data/", "docs/", ".ci/", ".cargo/"];
    const ENDINGS: &[&str] = &[".md", ".rs", ".toml", ".py"];
    let is_path = |span: &&str| {
        !span.starts_with('/')
            && span.chars().all(|c| c.is_ascii_alphanumeric() || "._-/{,}".contains(c))
            && (FOLDERS.iter().any(|folder| span.starts_with(folder))
                || ENDINGS.iter().any(|ending| span.ends_with(ending) && span != ending))
    };
    prose(text).split('`').skip(1).step_by(2).filter(is_path).flat_map(expand).collect()
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
fn links_in(text: &str) -> Vec<String> {
    prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.split('#').next()?.to_owned()))
        .filter(|target| {
            !target.is_empty() && !target.contains([':', ' ']) && !target.starts_with('/')
        })
        .collect()
}

/// The text outside of fenced blocks.
fn prose(text: &str) -> String {
    let mut in_fence = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_fence ^= is_fence;
        !in_fence && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
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
        assert_eq!(
            paths_in(text),
            ["crates/dnn-core", "src/a.rs", "src/b.rs", "README.md", "docs/"]
        );
    }

    #[test]
    fn links_are_relative_targets() {
        let text = "[a](docs/a.md#part) [b](https://example.org/b.md) [c](#c) ![d](../d.png)";
        assert_eq!(links_in(text), ["docs/a.md", "../d.png"]);
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
