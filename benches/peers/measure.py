"""Runs a command and prints, as the last line, its wall-clock time and peak memory as JSON.

Both sides' whole processes are measured by this, from outside. Standard library only: what this
process holds would count as the child's least. `others_cores` is how many cores other work took
meanwhile, as the kernel counted: what disturbed the measurement.
"""

import json
import os
import subprocess
import sys
import time


def worked_seconds():
    """CPU time that the machine has spent, idle and waiting left out; None where it is not told."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _waiting, irq, softirq = map(
                int, file.readline().split()[1:8])
    except OSError:
        return None
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


worked = worked_seconds()
began = time.perf_counter()
child = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(child.pid, 0)
seconds = time.perf_counter() - began
others = None
if worked is not None:
    others = max(worked_seconds() - worked - usage.ru_utime - usage.ru_stime, 0.0) / seconds
code = os.waitstatus_to_exitcode(status)
print(json.dumps({
    "wall_seconds": seconds,
    "peak_rss_bytes": usage.ru_maxrss * 1024,
    "others_cores": others,
}), flush=True)
sys.exit(code if code >= 0 else 1)
