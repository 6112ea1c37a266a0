"""Static files under addresses that change with their content, so that a browser may keep them for ever."""

from __future__ import annotations

import hashlib
from os import PathLike, stat_result
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
_FOREVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """One folder of files, served at `mount`/<digest of the whole folder>/<path>: `app.mount(a.mount, a)`.

    The digest is of the whole folder, so files may name one another by relative addresses. An address with an
    old digest (a page that was open during an upgrade) is answered with today's file, not to be kept.
    """

    def __init__(self, folder: Path = STATIC, mount: str = "/static") -> None:
        super().__init__(directory=folder)
        self.mount = mount
        self.digest = _digest(folder)

    def url(self, path: str) -> str:
        """The address of one file, to be used in templates as `asset("holdfast.js")`."""
        return f"{self.mount}/{self.digest}/{path}"

    def get_path(self, scope: Scope) -> str:
        """The path below the digest."""
        _, _, path = super().get_path(scope).partition("/")
        return path

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, with how long it may be kept."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        asked = super().get_path(scope).partition("/")[0]
        response.headers["cache-control"] = _FOREVER if asked == self.digest else "no-cache"
        response.headers["x-content-type-options"] = "nosniff"
        return response


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]
