"""How the demo's processes begin and end together: a child dies with its parent, a signal ends each one
cleanly.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int | None = None) -> None:
    """Asks Linux to send this process SIGTERM when its parent ends; elsewhere it does nothing.

    `parent` is the process id that should be the parent: where it has gone already, the process ends at once
    (the request to the kernel only covers an end that is still to come).
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        raise SystemExit(0)


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set. Must be called from the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def say(text: str) -> None:
    """Prints one line about a change of state, at once."""
    print(f"demo: {text}", flush=True)
