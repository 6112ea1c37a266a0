"""The OpenMP runtime that the model's engine is linked with, on machines that do not have it."""

from __future__ import annotations

import ctypes
import os
import pathlib
import sys
import sysconfig
from collections.abc import Mapping

LIBRARY = "libgomp.so.1"
SEARCH = "LD_LIBRARY_PATH"


def bundled() -> pathlib.Path:
    """Where the package `cmeel-libomp` puts LLVM's runtime, which answers to the GNU one's name too."""
    return pathlib.Path(sysconfig.get_path("purelib")) / "cmeel.prefix" / "lib"


def with_bundled(environment: Mapping[str, str], folder: pathlib.Path) -> dict[str, str] | None:
    """The environment in which the loader looks into the folder; None where it already does, or there is none."""
    paths = [path for path in environment.get(SEARCH, "").split(":") if path]
    if str(folder) in paths or not (folder / LIBRARY).exists():
        return None
    return {**environment, SEARCH: ":".join([*paths, str(folder)])}


def provide() -> None:
    """Starts this process anew, under the same id, where the engine would miss its OpenMP runtime.

    A minimal Debian has no libgomp. Loaders read their search path only as a process starts. Where nothing
    helps the process goes on, and the import of the engine says what is missing.
    """
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        environment = with_bundled(os.environ, bundled())
        if environment is not None:
            sys.stdout.flush()
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
