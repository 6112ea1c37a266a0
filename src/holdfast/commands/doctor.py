"""`holdfast doctor`: what is well, what is doubtful, what is wrong with this machine and data folder, and what mends it."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import httpx2

from holdfast.commands import running
from holdfast.kernel.errors import HoldfastError
from holdfast.platform.settings import Settings
from holdfast.storage.migrate import revisions

NETWORK_FILE_SYSTEMS = frozenset(
    (*("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph"), "glusterfs", "lustre", "fuse.sshfs")
)
OLDEST_PYTHON = (3, 11)
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: how it is, what was looked at, what was found, and what mends it."""

    state: Literal["ok", "warn", "fail"]
    what: str
    found: str
    mend: str = ""

    def line(self) -> str:
        """As it is printed."""
        return f"{self.state:4}  {self.what}: {self.found}" + (f". {self.mend}" if self.mend else "")


def examine(settings: Settings) -> tuple[int, str]:
    """Exit code (1 where anything fails) and the findings, a line each. Changes nothing."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        python,
        clock,
        folder,
        disk,
        control_store,
        call_store,
        keys,
        ports,
        contradictions,
        assets,
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check(settings)
        except (OSError, HoldfastError, sqlite3.Error) as error:
            findings.append(Finding("fail", check.__name__.replace("_", " "), str(error)))
    failed = sum(one.state == "fail" for one in findings)
    doubtful = sum(one.state == "warn" for one in findings)
    last = f"{failed} failed, {doubtful} doubtful, {len(findings) - failed - doubtful} well"
    return (1 if failed else 0), "\n".join([*(one.line() for one in findings), last])


def python(_settings: Settings) -> Iterator[Finding]:
    """The interpreter's version."""
    said = tuple(sys.version_info[:3])
    shown = ".".join(map(str, said))
    if said < OLDEST_PYTHON:
        yield Finding("fail", "python", shown, "Holdfast needs Python 3.11 or newer")
    else:
        yield Finding("ok", "python", shown)


def clock(_settings: Settings) -> Iterator[Finding]:
    """Whether the clock can be right: after this version was made, and ticking evenly."""
    now = datetime.now(UTC)
    if now < EARLIEST:
        yield Finding("fail", "clock", f"says {now:%Y-%m-%d %H:%M} UTC", "Set the clock, by NTP for instance")
        return
    newest = _newest(_settings.data)
    if newest is not None and newest - now.timestamp() > 300:
        yield Finding(
            "warn",
            "clock",
            f"says {now:%Y-%m-%d %H:%M:%S} UTC, but the data folder has files from later than that",
            "Set the clock, by NTP for instance: records would get wrong times",
        )
        return
    resolution = time.get_clock_info("time").resolution
    yield Finding("ok", "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, to {resolution * 1e9:.0f} ns")


def _newest(data: Path) -> float | None:
    times = [one.stat().st_mtime for one in (data, data / "holdfast.db") if one.exists()]
    return max(times, default=None)


def folder(settings: Settings) -> Iterator[Finding]:
    """Whether the data folder, or the folder that it will be made in, can be written."""
    data = settings.data.resolve()
    there = data
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            "fail",
            "data folder",
            f"{there} cannot be written",
            "Choose another --data, or chown it to this user",
        )
    elif there != data:
        yield Finding("ok", "data folder", f"{data} will be made at the first start")
    elif stat.S_IMODE(data.stat().st_mode) & 0o077:
        yield Finding("warn", "data folder", f"{data} is open to other users", f"Run chmod 700 {data}")
    else:
        yield Finding("ok", "data folder", f"{data} is writable, and this user's alone")
    kind = file_system(there)
    if kind in NETWORK_FILE_SYSTEMS:
        yield Finding(
            "warn",
            "file system",
            f"{kind} is on the network: locks and syncs of the embedded stores cannot be relied on there",
            "Use a local disk, or servers (HOLDFAST_SQL_URL, HOLDFAST_COLUMNS_URL)",
        )
    else:
        yield Finding("ok", "file system", kind)


def file_system(path: Path) -> str:
    """The type of the file system that holds a path, by /proc/mounts; `unknown` where that does not tell."""
    best, kind = -1, "unknown"
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            parts = line.split()
            mount = Path(parts[1].replace("\\040", " "))
            if (path == mount or mount in path.parents) and len(mount.parts) >= best:
                best, kind = len(mount.parts), parts[2]
    return kind


def disk(settings: Settings) -> Iterator[Finding]:
    """Free room, against the watermark below which telemetry is refused."""
    there = settings.data.resolve()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    said = f"{free / 1e9:.1f} GB free; telemetry is refused below {settings.min_free_bytes / 1e9:.1f} GB"
    if free < settings.min_free_bytes:
        yield Finding(
            "fail", "disk", said, "Free some room, shorten retention, or lower HOLDFAST_MIN_FREE_BYTES"
        )
    elif free < 4 * settings.min_free_bytes:
        yield Finding("warn", "disk", said, "Free some room soon")
    else:
        yield Finding("ok", "disk", said)


def control_store(settings: Settings) -> Iterator[Finding]:
    """Whether the control store opens, is sound, and has all migrations."""
    if not settings.sql.startswith("sqlite:"):
        yield _server("control store", settings.sql)
        return
    path = settings.data / "holdfast.db"
    if not path.exists():
        yield Finding("ok", "control store", "none yet; it is made at the first start")
        return
    try:
        with closing(sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True, timeout=5)) as connection:
            broken = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            at = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        yield Finding("fail", "control store", f"{path} does not open: {error}", "Restore a backup")
        return
    if broken != "ok":
        yield Finding("fail", "control store", f"{path} is damaged: {broken}", "Restore a backup")
        return
    known = revisions()
    stands = "" if at is None else str(at[0])
    if stands == known[0]:
        yield Finding("ok", "control store", f"sound; all {len(known)} migrations are done")
    elif stands in known:
        yield Finding(
            "warn",
            "control store",
            f"sound; {known.index(stands)} migrations are pending",
            "The next start does them; back up first",
        )
    else:
        yield Finding(
            "fail",
            "control store",
            f"stands at migration {stands!r}, which this version does not know",
            "It was used by a newer Holdfast: install that one",
        )


def call_store(settings: Settings) -> Iterator[Finding]:
    """Whether the call store is free, or whose it is."""
    if not settings.columns.startswith("chdb://"):
        yield _server("call store", settings.columns)
        return
    lock = settings.data / "columns.lock"
    client = running(settings)
    if client is not None:
        with closing(client):
            ready = client.get("/readyz").status_code == 200
        if ready:
            yield Finding("ok", "call store", "open in the running core, and answers")
        else:
            yield Finding(
                "fail", "call store", "the running core says that a store does not answer", "See its log"
            )
        return
    if not lock.exists():
        yield Finding("ok", "call store", "none yet; it is made at the first start")
        return
    with lock.open("r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = handle.read().strip() or "unknown"
            yield Finding(
                "fail",
                "call store",
                f"process {owner} has it, and does not answer on {settings.data / 'core.sock'}",
                "Wait until it has started or stopped, or end it",
            )
            return
    yield Finding("ok", "call store", "closed; no process has it")


def _server(what: str, url: str) -> Finding:
    head, _, tail = url.rpartition("@")
    host, _, port = tail.partition("/")[0].rpartition(":") if head else ("", "", "")
    try:
        number = int(port)
    except ValueError:
        return Finding("ok", what, "a server; its own tools tell more")
    try:
        with socket.create_connection((host, number), timeout=5):
            return Finding("ok", what, f"a server at {host}:{number}, which can be reached")
    except OSError as error:
        return Finding(
            "fail",
            what,
            f"{host}:{number} cannot be reached: {error.strerror or error}",
            "Start it, or mend the URL",
        )


def keys(settings: Settings) -> Iterator[Finding]:
    """Whether secret files are their owner's alone."""
    where = settings.data / "keys"
    if not where.is_dir():
        yield Finding("ok", "keys", "none yet; they are made at the first start")
        return
    bad = 0
    for path in sorted(where.iterdir()):
        if path.suffix != ".vkey" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            bad += 1
            mode = stat.S_IMODE(path.stat().st_mode)
            yield Finding(
                "fail", "keys", f"{path.name} has mode {mode:04o}, open to others", f"Run chmod 600 {path}"
            )
    if not bad:
        yield Finding("ok", "keys", "readable by their owner alone")


def ports(settings: Settings) -> Iterator[Finding]:
    """Whether each port is free, or answered by Holdfast."""
    named = [("port", settings.port), ("gateway port", settings.gateway_port)]
    if settings.grpc_port:
        named.append(("OTLP/gRPC port", settings.grpc_port))
    ours = answers(settings.host, settings.port)
    for name, port in named:
        if not taken(settings.host, port):
            yield Finding("ok", name, f"{port} is free")
        elif ours:
            yield Finding("ok", name, f"{port} is in use, and Holdfast answers on {settings.port}")
        else:
            yield Finding(
                "fail" if name == "port" else "warn",
                name,
                f"{port} is in use by something else",
                f"Stop that, or choose another with --{name.split()[0].lower().replace('otlp/grpc', 'grpc-port')}"
                if name != "port"
                else "Stop that, or choose another with --port",
            )


def taken(host: str, port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def answers(host: str, port: int) -> bool:
    """Whether Holdfast answers there."""
    try:
        with httpx2.Client(trust_env=False, timeout=3) as client:
            return str(client.get(f"http://{host}:{port}/healthz").json().get("status")) == "ok"
    except (httpx2.HTTPError, ValueError, AttributeError):
        return False


def contradictions(settings: Settings) -> Iterator[Finding]:
    """Settings that cannot all be meant."""
    found: list[tuple[str, str]] = []
    loopback = settings.host in ("127.0.0.1", "::1", "localhost")
    public = settings.public_url.lower()
    if not loopback and not public.startswith("https:") and settings.cookie_secure != "always":
        found.append(
            (f"HOLDFAST_HOST is {settings.host}, without TLS in front", "Set HOLDFAST_PUBLIC_URL=https://…")
        )
    if not settings.local_sign_in and not settings.oidc_issuer:
        found.append(
            ("nobody can sign in: HOLDFAST_LOCAL_SIGN_IN is off", "Set HOLDFAST_OIDC_ISSUER, or switch it on")
        )
    if settings.oidc_issuer and not settings.oidc_client_id:
        found.append(("HOLDFAST_OIDC_ISSUER is set without a client", "Set HOLDFAST_OIDC_CLIENT_ID"))
    if settings.client_key and not settings.client_cert:
        found.append(("HOLDFAST_CLIENT_KEY is set without a certificate", "Set HOLDFAST_CLIENT_CERT"))
    if settings.cookie_secure == "always" and public.startswith("http:"):
        found.append(("cookies go over HTTPS only, but HOLDFAST_PUBLIC_URL is http", "Make it https"))
    used = [settings.port, settings.gateway_port, settings.grpc_port]
    if len({port for port in used if port}) != len([port for port in used if port]):
        found.append(("two listeners have the same port", "Give each its own"))
    if settings.columns_url and not settings.sql_url:
        found.append(
            ("the call store is a server, the control store a local file", "Set HOLDFAST_SQL_URL as well")
        )
    for name, path in (
        ("HOLDFAST_CA_BUNDLE", settings.ca_bundle),
        ("HOLDFAST_CLIENT_CERT", settings.client_cert),
    ):
        if path is not None and not os.access(path, os.R_OK):
            found.append((f"{name} cannot be read: {path}", "Mend the path or its mode"))
    for said, mend in found:
        yield Finding("warn", "settings", said, mend)
    if not found:
        yield Finding("ok", "settings", "no two contradict each other")


def assets(_settings: Settings) -> Iterator[Finding]:
    """Whether what pages need was fetched at set-up."""
    package = Path(__file__).resolve().parent.parent
    missing = [
        name
        for name, path in (
            ("scripts of pages", package / "web" / "static" / "vendor"),
            ("vocabulary of embeddings", package / "text" / "vocabulary.txt"),
        )
        if not path.exists() or (path.is_dir() and not any(path.iterdir()))
    ]
    if missing:
        yield Finding("fail", "assets", f"missing: {', '.join(missing)}", "Run make setup")
    else:
        yield Finding("ok", "assets", "all there")
