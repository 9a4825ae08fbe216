"""Measures this project against the peers beside it. Standard library only: it runs in any Python
3.11 or later."""

import sys


def report_progress(text):
    """Progress and complaints go to standard error; standard output has results alone."""
    print(text, file=sys.stderr, flush=True)
