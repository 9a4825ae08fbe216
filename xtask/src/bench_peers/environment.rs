//! The Python that the peers run in: given, or a virtual environment under target/.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

/// Versions of the packages in requirements.txt, `None` for what is absent.
pub(super) type Versions = BTreeMap<String, Option<String>>;

/// Without these no peer runs.
const NEEDED: &[&str] = &["h5py", "numpy"];

/// The interpreter, checked, and what it has.
///
/// # Errors
/// When there is none, when packages cannot be installed, or when the needed ones are absent.
pub(super) fn find(
    given: Option<&Path>,
    peers: &Path,
    target: &Path,
) -> anyhow::Result<(PathBuf, Versions)> {
    let python = match given {
        Some(path) => std::path::absolute(path)?,
        None => virtual_environment(peers, target)?,
    };
    let output = Command::new(&python)
        .arg(peers.join("versions.py"))
        .output()
        .with_context(|| format!("{}: did not start", python.display()))?;
    ensure!(
        output.status.success(),
        "{}: versions.py failed: {}",
        python.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let versions: Versions = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: versions.py printed no JSON", python.display()))?;
    check(&versions).with_context(|| python.display().to_string())?;
    Ok((python, versions))
}

fn check(versions: &Versions) -> anyhow::Result<()> {
    let absent: Vec<&str> = NEEDED
        .iter()
        .copied()
        .filter(|name| !matches!(versions.get(*name), Some(Some(_))))
        .collect();
    ensure!(absent.is_empty(), "has no {}: no peer can run", absent.join(" and no "));
    Ok(())
}

/// Made once; made again when the requirements change.
fn virtual_environment(peers: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let requirements = peers.join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("{}: read failed", requirements.display()))?;
    let folder = target.join("venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && python.exists() {
        return Ok(python);
    }
    let system = ["python3", "python"]
        .into_iter()
        .find(|name| {
            Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
        })
        .context("no python3 here: install Python 3.11 or later, or name one with --python")?;
    eprintln!("making {} with {system}", folder.display());
    step(Command::new(system).args(["-m", "venv", "--clear"]).arg(&folder))
        .context("no virtual environment could be made (Debian: apt-get install python3-venv)")?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--disable-pip-version-check", "--requirement"]);
    step(install.arg(&requirements)).context(
        "the peers' packages could not be installed: is there a network? \
         With --python, a Python that has them is used as it is",
    )?;
    fs::write(&stamp, wanted).with_context(|| format!("{}: write failed", stamp.display()))?;
    Ok(python)
}

fn step(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} did not start"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_peer_can_do_without_is_named() {
        let some = |version: &str| Some(version.to_owned());
        let mut versions: Versions = [("numpy".to_owned(), some("2.4.6"))].into();
        versions.insert("torch".into(), None);
        let error = check(&versions).expect_err("no h5py");
        assert_eq!(error.to_string(), "has no h5py: no peer can run");
        versions.insert("h5py".into(), some("3.16.0"));
        assert!(check(&versions).is_ok(), "torch is for its own jobs to miss");
    }

    #[test]
    fn a_python_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let python = folder.path().join("no-python");
        let error = find(Some(&python), folder.path(), folder.path()).expect_err("no Python");
        assert!(format!("{error:#}").contains("no-python: did not start"), "{error:#}");
    }
}
