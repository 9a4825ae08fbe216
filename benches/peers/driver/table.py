"""The generated part of docs/performance.md: between two markers, the machine, then the rows."""

import os
import tempfile
from dataclasses import astuple, dataclass, field

from . import report_progress
from .compare import verdict

BEGIN = "<!-- bench-peers: begin; written by `cargo xtask bench-peers` -->"
END = "<!-- bench-peers: end -->"
HEAD = ("| job | against | theirs | ours | ratio | target | | measured |\n"
        "|---|---|---|---|---|---|---|---|\n")


class BadDocument(Exception):
    """The document has no place for the table."""


@dataclass
class Row:
    """One line of the table."""

    job: str = ""
    against: str = ""
    theirs: str = ""
    ours: str = ""
    ratio: str = ""
    target: str = ""
    verdict: str = ""
    runs: str = ""

    @classmethod
    def of_pairs(cls, against, pairs, show, target, runs):
        """Both sides' medians as `show` writes them, the ratio, and what became of the target."""
        return cls(against=against, theirs=show(pairs.their_median()), ours=show(pairs.our_median()),
                   ratio=pairs.show_ratio(), target=f"≥ {target:g}×" if target else "",
                   verdict=verdict(pairs.ratio(), target), runs=runs)


@dataclass
class Outcome:
    """What a job has come to: its rows, and the peers whose results differ from ours."""

    rows: list[Row] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)

    def add(self, against, pairs, show, target, runs):
        self.rows.append(Row.of_pairs(against, pairs, show, target, runs))

    def failed(self, against, error):
        report_progress(f"{against}: {error}")
        self.rows.append(Row(against=against, ratio="could not be run"))

    def disagreed(self, against, difference):
        self.disagreements.append(f"{against}: {difference}")
        self.rows.append(Row(against=against, ratio="results differ"))


def judge_fastest(candidates, target, whose):
    """The target counts against the fastest of the peers: `candidates` are rows and their pairs."""
    if candidates:
        row, pairs = min(candidates, key=lambda candidate: candidate[1].their_median())
        row.target, row.verdict = f"≥ {target:g}× ({whose})", verdict(pairs.ratio(), target)


def render(rows):
    """The rows as a Markdown table. A bar would end a cell."""
    lines = ["".join(f"| {cell.replace('|', '/')} " for cell in astuple(row)) for row in rows]
    return HEAD + "".join(f"{line}|\n" for line in lines)


def parse(line):
    """The row in a line of the table, or None."""
    line = line.strip()
    if len(line) < 2 or line[0] != "|" or line[-1] != "|":
        return None
    cells = [cell.strip() for cell in line[1:-1].split("|")]
    return Row(*cells) if len(cells) == 8 else None


def divide(document):
    """The text before the table, the table, and the text after it."""
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise BadDocument("has not one pair of bench-peers markers for the table to go between")
    before, rest = document.split(BEGIN)
    if END not in rest:
        raise BadDocument("has its bench-peers markers in the wrong order")
    return before, *rest.split(END)


def replace_rows(document, machine, job, rows, jobs):
    """The document with this job's rows in place of those it had, in the order of `jobs`.

    Rows of other jobs stay when they were measured on the same machine with the same versions, and
    go otherwise. A package that one of two Pythons lacks is no other version: each job needs some
    of them only.
    """
    before, old, after = divide(document)
    same_machine = next(filter(None, (unite(line, machine) for line in old.splitlines())), None)
    kept = []
    if same_machine:
        parsed = filter(None, map(parse, old.splitlines()))
        kept = [row for row in parsed if row.job in jobs and row.job != job]
    everything = sorted(kept + rows, key=lambda row: jobs.index(row.job))
    return f"{before}{BEGIN}\n{same_machine or machine}\n\n{render(everything)}{END}{after}"


def unite(old, new):
    """The line of both, when they say the same of the machine and no package has two versions."""
    old_machine, _, old_packages = old.rpartition("; ")
    machine, _, new_packages = new.rpartition("; ")
    if not machine or machine != old_machine:
        return None
    packages = {}
    for package in f"{old_packages}, {new_packages}".split(", "):
        name, _, version = package.partition(" ")
        if packages.setdefault(name, version) != version:
            return None
    united = ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))
    return f"{machine}; {united}"


def write_whole(path, text):
    """Replaces a file by another, never by half of it."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as part:
        try:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
            os.chmod(part.name, 0o644)
            os.replace(part.name, path)
        except BaseException:
            os.unlink(part.name)
            raise
