"""Runs one function of somebody's own code under limits. A program: started by path, imports nothing of Holdfast.

Arguments: folder, module, function, seconds, megabytes, bytes of a file. On standard input a JSON object with case,
params and answer; on standard output the grade. What the code prints goes to standard error.
"""

import importlib
import json
import math
import os
import resource
import sys


def limit(seconds: float, megabytes: int, written: int) -> None:
    """Processor time, address space, size of files; no core dumps."""
    whole = math.ceil(seconds)
    for kind, most in (
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_AS, megabytes << 20),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def main() -> None:
    """Reads, limits itself, runs, writes."""
    folder, module, function, seconds, megabytes, written = sys.argv[1:]
    asked = json.load(sys.stdin)
    reply = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    limit(float(seconds), int(megabytes), int(written))
    sys.path.insert(0, folder)
    found = getattr(importlib.import_module(module), function)(**asked)
    if isinstance(found, int | float) or found is None:
        found = {"score": found}
    json.dump(found, reply, allow_nan=False)
    reply.close()


if __name__ == "__main__":
    main()
