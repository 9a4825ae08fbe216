//! The generated part of docs/performance.md: between two markers, machine first, then the rows.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use super::Job;

const BEGIN: &str = "<!-- bench-peers: begin; written by `cargo xtask bench-peers` -->";
const END: &str = "<!-- bench-peers: end -->";
const HEAD: &str = "| job | against | theirs | ours | ratio | target | | measured |\n\
                    |---|---|---|---|---|---|---|---|\n";

/// One line of the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub job: String,
    pub against: String,
    pub theirs: String,
    pub ours: String,
    pub ratio: String,
    pub target: String,
    pub verdict: String,
    pub runs: String,
}

impl Row {
    /// A peer that gave no ratio, and why.
    pub(super) fn without_ratio(against: &str, why: &str) -> Self {
        Self { against: against.into(), ratio: why.into(), ..Self::default() }
    }

    fn cells(&self) -> [&String; 8] {
        let Self { job, against, theirs, ours, ratio, target, verdict, runs } = self;
        [job, against, theirs, ours, ratio, target, verdict, runs]
    }

    fn parse(line: &str) -> Option<Self> {
        let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<String> = cells.split('|').map(|cell| cell.trim().to_owned()).collect();
        let [job, against, theirs, ours, ratio, target, verdict, runs] = cells.try_into().ok()?;
        Some(Self { job, against, theirs, ours, ratio, target, verdict, runs })
    }
}

/// The rows as a Markdown table.
pub(super) fn render(rows: &[Row]) -> String {
    let mut table = HEAD.to_owned();
    for row in rows {
        for cell in row.cells() {
            // A bar would end the cell.
            let _ = write!(table, "| {} ", cell.replace('|', "/"));
        }
        table.push_str("|\n");
    }
    table
}

/// Whether the document has its markers.
///
/// # Errors
/// When it has not, or has them more than once.
pub(super) fn check(document: &str) -> anyhow::Result<()> {
    parts(document).map(|_| ())
}

/// The document with this job's rows in place of those it had. Rows of other jobs stay when they
/// were measured on the same machine with the same versions, and go otherwise. A package that one of
/// the two Pythons lacks is no other version: each job needs some of them only.
///
/// # Errors
/// When the document has not its markers.
pub(super) fn replace(
    document: &str,
    machine: &str,
    job: &str,
    rows: &[Row],
) -> anyhow::Result<String> {
    let (before, old, after) = parts(document)?;
    let same_machine = old.lines().find_map(|line| united(line, machine));
    let mut all: Vec<Row> = Vec::new();
    if same_machine.is_some() {
        let parsed = old.lines().filter_map(Row::parse);
        all.extend(parsed.filter(|row| turn(&row.job).is_some() && row.job != job));
    }
    all.extend_from_slice(rows);
    all.sort_by_key(|row| turn(&row.job));
    let machine = same_machine.as_deref().unwrap_or(machine);
    Ok(format!("{before}{BEGIN}\n{machine}\n\n{}{END}{after}", render(&all)))
}

/// The line of both, when they say the same of the machine and no package has two versions.
fn united(old: &str, new: &str) -> Option<String> {
    let (old_machine, old) = old.rsplit_once("; ")?;
    let (machine, new) = new.rsplit_once("; ")?;
    let mut packages: BTreeMap<&str, &str> =
        old.split(", ").filter_map(|package| package.split_once(' ')).collect();
    for (name, version) in new.split(", ").filter_map(|package| package.split_once(' ')) {
        if packages.insert(name, version).is_some_and(|other| other != version) {
            return None;
        }
    }
    let packages: Vec<_> = packages.iter().map(|(name, v)| format!("{name} {v}")).collect();
    (machine == old_machine).then(|| format!("{machine}; {}", packages.join(", ")))
}

/// The job's place in the table; nothing when it is no job.
fn turn(name: &str) -> Option<usize> {
    Job::value_variants().iter().position(|job| job.name() == name)
}

fn parts(document: &str) -> anyhow::Result<(&str, &str, &str)> {
    let context = "has no pair of bench-peers markers for the table to go between";
    let (before, rest) = document.split_once(BEGIN).context(context)?;
    let (old, after) = rest.split_once(END).context(context)?;
    ensure!(!after.contains(BEGIN), "has the bench-peers markers twice");
    Ok((before, old, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(job: &str, ratio: &str) -> Row {
        Row { job: job.into(), against: "NumPy".into(), ratio: ratio.into(), ..Row::default() }
    }

    fn empty() -> String {
        format!("# Title\n\n{BEGIN}\n{END}\n\nText after.\n")
    }

    #[test]
    fn rows_survive_being_read_again() {
        let rows = [row("dense-f64", "1.5×"), row("growth", "a|b")];
        let read: Vec<Row> = render(&rows).lines().filter_map(Row::parse).collect();
        assert_eq!(read[0].job, "job");
        assert_eq!(read[2..], [row("dense-f64", "1.5×"), row("growth", "a/b")]);
    }

    #[test]
    fn one_jobs_rows_are_replaced_and_others_stay_in_order() {
        let text = replace(&empty(), "A; numpy 2", "growth", &[row("growth", "1×")]).expect("once");
        let text =
            replace(&text, "A; numpy 2", "dense-f64", &[row("dense-f64", "2×")]).expect("twice");
        let text = replace(&text, "A; numpy 2", "growth", &[row("growth", "3×")]).expect("again");
        assert!(text.starts_with("# Title\n") && text.ends_with("-->\n\nText after.\n"), "{text}");
        let rows: Vec<Row> = text.lines().filter_map(Row::parse).skip(2).collect();
        assert_eq!(rows, [row("dense-f64", "2×"), row("growth", "3×")]);
    }

    #[test]
    fn rows_of_another_machine_go() {
        let text = replace(&empty(), "A; numpy 2", "growth", &[row("growth", "1×")]).expect("once");
        let text =
            replace(&text, "B; numpy 2", "dense-f64", &[row("dense-f64", "2×")]).expect("twice");
        assert!(!text.contains("growth") && !text.contains("A; numpy"), "{text}");
    }

    #[test]
    fn a_package_of_one_python_alone_is_no_other_version() {
        let old = "A, 2 cores; rustc 1; 2 threads; Python 3.11, numpy 2.4, torch 2.1";
        let new = "A, 2 cores; rustc 1; 2 threads; Python 3.11, numpy 2.4, pillow 13";
        let both = "A, 2 cores; rustc 1; 2 threads; Python 3.11, numpy 2.4, pillow 13, torch 2.1";
        assert_eq!(united(old, new).as_deref(), Some(both));
        assert_eq!(united(old, &new.replace("numpy 2.4", "numpy 2.5")), None);
        assert_eq!(united(old, &new.replace("rustc 1", "rustc 2")), None);
        assert_eq!(united("| a row; of the table |", new), None);
    }

    #[test]
    fn a_document_without_markers_is_refused() {
        for text in ["", BEGIN, &format!("{}{}", empty(), empty())] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(check(&empty()).is_ok());
    }
}
