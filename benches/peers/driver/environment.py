"""Where a measurement is made: the peers' Python with its packages, the processor, the compiler."""

import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

from . import report_progress

PEERS = Path(__file__).resolve().parent.parent
# Without these no peer runs.
NEEDED = ["h5py", "numpy"]
# Instruction sets that decide the speed of products, as Linux names them.
INSTRUCTION_SETS = {"avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512", "asimd": "NEON", "sve": "SVE"}
# What would have a peer's products run by kernels for another processor, or in blocks for another
# cache, than its library takes by itself.
DISTORTING = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]


class NoEnvironment(Exception):
    """There is no Python with the peers' packages."""


def measured_environment(threads):
    """The environment of every measured process: this many threads, and each library's own choice
    of kernels."""
    ours = {name: value for name, value in os.environ.items() if name not in DISTORTING}
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
        ours[name] = str(threads)
    return ours


def find_python(given, work):
    """The interpreter the peers run in, and the versions of what it has (None for what is absent)."""
    python = Path(given).absolute() if given else virtual_environment(work)
    try:
        answer = subprocess.run([python, PEERS / "versions.py"], capture_output=True, text=True,
                                env=measured_environment(1))
    except OSError as error:
        raise NoEnvironment(f"{python}: did not start: {error}") from error
    if answer.returncode:
        raise NoEnvironment(f"{python}: versions.py failed: {answer.stderr.strip()}")
    versions = json.loads(answer.stdout)
    check_needed(python, versions)
    return python, versions


def check_needed(python, versions):
    absent = [name for name in NEEDED if not versions.get(name)]
    if absent:
        raise NoEnvironment(f"{python}: has no {' and no '.join(absent)}: no peer can run")


def virtual_environment(work):
    """Made once; made again when the requirements change."""
    requirements = PEERS / "requirements.txt"
    folder = work / "venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed.txt"
    wanted = requirements.read_text()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    report_progress(f"making {folder} with Python {platform.python_version()}")
    try:
        venv.create(folder, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoEnvironment(f"no virtual environment could be made: {error} "
                            "(Debian: apt-get install python3-venv)") from error
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--requirement", requirements], stdout=sys.stderr).returncode:
        raise NoEnvironment("the peers' packages could not be installed: is there a network? "
                            "With --python, a Python that has them is used as it is")
    stamp.write_text(wanted)
    return python


def describe(threads, versions):
    """The table's line about the machine: no names, no paths."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpuinfo = ""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True,
                           cwd=PEERS).stdout.split(" (")[0].strip()
    has_affinity = hasattr(os, "sched_getaffinity")
    n_cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    packages = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if version)
    return f"{processor(cpuinfo)}, {n_cores} cores; {rustc}; {threads} threads; {packages}"


def processor(cpuinfo):
    """The processor's model and what it can do, from Linux's description."""
    facts = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            facts.setdefault(key.strip(), value.strip())
    generation = ""
    if "cpu family" in facts and "model" in facts:
        generation = f" (family {facts['cpu family']}, model {facts['model']})"
    flags = facts.get("flags", facts.get("Features", "")).split()
    sets = " ".join(name for flag, name in INSTRUCTION_SETS.items() if flag in flags)
    return f"{facts.get('model name', platform.machine())}{generation} with {sets or '?'}"
