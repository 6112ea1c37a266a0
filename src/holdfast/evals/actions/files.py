"""Files of suites from a folder or by name, as `judge` takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from holdfast.evals.rules.written import IS_CASES, IS_SUITE, MAX_BYTES, referenced
from holdfast.kernel.errors import Invalid


def collected(paths: Iterable[Path]) -> dict[str, bytes]:
    """Path → text: of a folder, every suite and file of cases in it and below; of a suite, the files that it names too.

    Hidden folders are passed over. Raises Invalid for what cannot be read, and above MAX_BYTES together.
    """
    found: dict[str, bytes] = {}
    room = MAX_BYTES
    for path in paths:
        for file in _in(path):
            name = file.as_posix()
            if name not in found:
                found[name] = _read(file, room)
                room -= len(found[name])
        if path.is_file():
            for name in referenced(path.as_posix(), found[path.as_posix()]):
                if name not in found and Path(name).is_file():
                    found[name] = _read(Path(name), room)
                    room -= len(found[name])
    return found


def _in(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.suffix in (*IS_SUITE, IS_CASES) and not hidden and file.is_file():
            yield file


def _read(file: Path, room: int) -> bytes:
    try:
        if file.stat().st_size > room:
            raise Invalid(
                f"these files have more than {MAX_BYTES >> 20} MiB together; apply fewer", where="file"
            )
        return file.read_bytes()
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}", where="file") from error
