"""Prints the versions of what requirements.txt names as one JSON object; null where it is absent."""

import json
import pathlib
import platform
from importlib import metadata


def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


lines = (pathlib.Path(__file__).parent / "requirements.txt").read_text().splitlines()
names = [line.split("==")[0] for line in lines if line and not line.startswith("#")]
print(json.dumps({"Python": platform.python_version(), **{name: version(name) for name in names}}))
