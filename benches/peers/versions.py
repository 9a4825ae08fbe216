"""Prints the versions of what requirements.txt names as one JSON object, and the library that does
NumPy's products with the kernels it chose; null where it is absent."""

import json
import pathlib
import platform
from importlib import metadata


def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def blas():
    try:
        import numpy  # noqa: F401: loads the library that is asked for
        import threadpoolctl
    except ImportError:
        return None
    libraries = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    # No commas: they divide the packages where the table names them.
    return " ".join(str(libraries[0].get(fact)) for fact in ["internal_api", "version", "architecture"]
                    if libraries[0].get(fact)) if libraries else None


lines = (pathlib.Path(__file__).parent / "requirements.txt").read_text().splitlines()
names = [line.split("==")[0] for line in lines if line and not line.startswith("#")]
print(json.dumps({"Python": platform.python_version(), "BLAS": blas(),
                  **{name: version(name) for name in names}}))
