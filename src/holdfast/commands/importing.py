"""`holdfast import`: history from other products' export files, to a running core or straight to the stores."""

from __future__ import annotations

import gc
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from holdfast.commands import CLI, only_workspace, open_database, running
from holdfast.commands.import_doors import Door, Here, Nowhere, Socket, state_of
from holdfast.commands.import_report import Report, as_json, as_text, exit_code
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.kernel.time import parse_instant, utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.telemetry.decode import packed
from holdfast.telemetry.imports import files, shelf
from holdfast.telemetry.imports.reader import Ignored, Reader, Told, Unmapped
from holdfast.telemetry.imports.spans import SCOPE
from holdfast.telemetry.imports.values import nanoseconds
from holdfast.telemetry.ingest.imports import Outcome, Summary
from holdfast.telemetry.model import ImportProgress, Span, VendorUsage

BATCH = 4_000
"""Spans of one batch, and"""
BATCH_BYTES = 8 << 20
"""bytes of the file that it comes from, roughly."""
UNDER_WAY = 3
"""Batches that are stored while the next is read."""
NOTE_SECONDS = 2.0
TELL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    source: str
    paths: tuple[Path, ...]
    told: Told
    mapping: Any = None
    dry_run: bool = False


@dataclass(slots=True)
class Batch:
    """Records since the last batch: what they became, and where in the file they stand."""

    last: int = 0
    spans: list[Span] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    buckets: list[VendorUsage] = field(default_factory=list)
    report: Report = field(default_factory=Report)


def import_history(
    settings: Settings,
    wanted: Wanted,
    workspace: str,
    report_path: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[int, str]:
    """Imports files. Returns the exit code and what to tell. `tell` gets a line of progress now and then.

    Raises Invalid, NotFound, Conflict, Unavailable; what was stored until then stays, and the same command goes on.
    """
    gc.set_threshold(50_000, 20, 50)  # records are many objects and no circles
    reading = shelf.reader(wanted.source, wanted.told, wanted.mapping)
    sizes = [_size(path) for path in wanted.paths]
    door = _door(settings, workspace, dry_run=wanted.dry_run)
    whole = Report()
    unpriced: list[tuple[str, str, int]] = []
    complete = True
    progress = Progress(tell, sum(sizes))
    began = time.time()
    try:
        for path in _ordered(wanted):
            run = FileRun(wanted, path, reading, door, progress)
            complete = run.through()
            whole.add(run.report)
            counts = run.report.counts()
            scope = SCOPE + (
                str((wanted.mapping or {}).get("source") or "jsonl") if wanted.mapping else wanted.source
            )
            summary = Summary(run.digest, wanted.source, scope, [path.name], counts, began)
            unpriced = door.end(summary, complete=complete) or unpriced
            if not complete:
                break
    except Unavailable as error:
        raise Unavailable(
            f"{error.detail}; what was stored stays: run the same command again, and it goes on where it was"
        ) from error
    finally:
        door.close()
        progress.end()
    more = {"workspace": workspace, "dry_run": wanted.dry_run, "finished": complete}
    if report_path is not None:
        told = as_json(whole, wanted.source, [str(path) for path in wanted.paths], unpriced, **more)
        _write(report_path, json.dumps(told, indent=2) + "\n")
    text = as_text(whole, wanted.source, unpriced, dry_run=wanted.dry_run, whole=complete)
    return exit_code(whole, whole=complete, dry_run=wanted.dry_run), text


class FileRun:
    """One file on its way in."""

    def __init__(self, wanted: Wanted, path: Path, reading: Reader, door: Door, progress: Progress) -> None:
        self._wanted, self._path, self._reading = wanted, path, reading
        self._door, self._progress = door, progress
        self.report = Report()
        self.digest = _digest(wanted, path)
        self._under_way: deque[tuple[Batch, Future[Outcome | None]]] = deque()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="import")
        self._noted = time.monotonic()
        self._counted = "record"
        self._position = 0

    def through(self) -> bool:
        """Imports it; False where Ctrl-C ended that early. What is under way is waited for either way."""
        before = self._door.begin(self.digest)
        skip = before.position if before else 0
        if before:
            self.report = Report.of(before.state)
        done = True
        with self._pool, _opened(self._path) as raw:
            try:
                self._read(raw, skip)
            except KeyboardInterrupt:
                done = False
            finally:
                while self._under_way:
                    self._fold()
        if not done and not self._wanted.dry_run:
            self._note()
        return done

    def _read(self, raw: IO[bytes], skip: int) -> None:
        exact = self._wanted.source in shelf.EXACT
        opened = files.open_file(raw, self._path.name, exact=exact)
        self._counted = opened.counted
        batch, flushed = Batch(), 0
        for number, value in opened.records:
            if number <= skip:
                if not isinstance(value, files.Broken):
                    for _ in shelf.items(self._reading, value):  # it may say something of records that follow
                        pass
                continue
            self._sort(batch, number, value)
            if len(batch.spans) >= BATCH or (number % 64 == 0 and opened.position() - flushed > BATCH_BYTES):
                flushed = opened.position()
                self._flush(batch)
                batch = Batch()
                self._progress.told(self._path, flushed, number)
        self._flush(batch)
        self._progress.file_done(self._path, batch.last)

    def _sort(self, batch: Batch, number: int, value: Any) -> None:
        batch.last = number
        report = batch.report
        report.read += 1
        if isinstance(value, files.Broken):
            report.refuse(self._place(number), value.reason)
            return
        for item in shelf.items(self._reading, value):
            if isinstance(item, Span):
                batch.spans.append(item)
                batch.places.append(number)
                report.mapped += 1
                report.seen(item.start_ns)
            elif isinstance(item, VendorUsage):
                batch.buckets.append(item)
                report.mapped += 1
            elif isinstance(item, Unmapped):
                report.refuse(self._place(number), item.reason)
            elif isinstance(item, Ignored):
                report.left_out[item.what] += 1

    def _place(self, number: int) -> str:
        return f"{self._path} {self._counted} {number}"

    def _flush(self, batch: Batch) -> None:
        tally = self._reading.tally
        batch.report.unmapped.update(tally.fields)
        batch.report.remarks.update(tally.remarks)
        tally.fields.clear()
        tally.remarks.clear()
        self._under_way.append((batch, self._pool.submit(self._send, batch)))
        while len(self._under_way) > UNDER_WAY:
            self._fold()

    def _send(self, batch: Batch) -> Outcome | None:
        if batch.buckets:
            unique = len({_bucket_key(one) for one in batch.buckets})
            new, changed = self._door.usage(batch.buckets)
            batch.report.buckets_new, batch.report.buckets_changed = new, changed
            batch.report.buckets_same = 0 if self._wanted.dry_run else unique - new - changed
        if not batch.spans:
            return None
        return self._door.calls(self._packed(batch))

    def _packed(self, batch: Batch) -> bytes:
        try:
            return packed.pack(batch.spans)
        except packed.UNPACKABLE:
            fit: list[Span] = []
            places: list[int] = []
            for span, place in zip(batch.spans, batch.places, strict=True):
                try:
                    packed.pack([span])
                except packed.UNPACKABLE as error:
                    batch.report.refuse(self._place(place), f"a value of it cannot be stored: {error}"[:300])
                    continue
                fit.append(span)
                places.append(place)
            batch.spans, batch.places = fit, places
            return packed.pack(fit)

    def _fold(self) -> None:
        """Takes over what became of the oldest batch under way. A second Ctrl-C does not lose what is done."""
        batch, future = self._under_way[0]
        outcome = future.result()
        self._under_way.popleft()
        if outcome is not None:
            batch.report.imported += outcome.stored
            batch.report.already_there += outcome.known
            batch.report.warnings += len(outcome.warnings)
            for place, reason in self._refusals(batch, outcome):
                batch.report.refuse(place, reason)
        self.report.add(batch.report)
        self._position = batch.last
        if time.monotonic() - self._noted > NOTE_SECONDS and not self._wanted.dry_run:
            self._note()

    def _refusals(self, batch: Batch, outcome: Outcome) -> list[tuple[str, str]]:
        if not outcome.rejected:
            return []
        pairs = zip(batch.spans, batch.places, strict=True)
        places = {
            f"span {span.span_id} of trace {span.trace_id}": self._place(place) for span, place in pairs
        }
        return [(places.get(where, where), reason) for where, reason in outcome.rejected]

    def _note(self) -> None:
        if self._position:
            self._noted = time.monotonic()
            self._door.note(ImportProgress(self.digest, self._position, state_of(self.report)))


class Progress:
    """The line that says how far it is: rate, share of all bytes, time that is left."""

    def __init__(self, tell: Callable[[str], None], total: int) -> None:
        self._tell, self._total = tell, max(total, 1)
        self._began = time.monotonic()
        self._before = 0
        self._said = 0.0
        self._records = 0
        self.shown = False

    def told(self, path: Path, position: int, records: int) -> None:
        """Says how far it is, unless that was said a moment ago."""
        now = time.monotonic()
        if now - self._said < TELL_SECONDS:
            return
        self._said = now
        done = min(self._before + position, self._total)
        spent = now - self._began
        left = spent * (self._total - done) / done if done else 0.0
        rate = (self._records + records) / spent if spent else 0.0
        self.shown = True
        self._tell(
            f"{path.name}: {self._records + records:,} records, {done / self._total:.0%} of {_bytes(self._total)},"
            f" {rate:,.0f}/s, {_lasting(left)} left"
        )

    def file_done(self, path: Path, records: int) -> None:
        """A file is through."""
        self._before += _size(path)
        self._records += records

    def end(self) -> None:
        """All is said."""
        if self.shown:
            self._tell("")


def line_teller(stream: IO[str]) -> Callable[[str], None]:
    """Tells on a stream: over and over on one line of a terminal, else a line every ten seconds."""
    last = [0.0]

    def tell(text: str) -> None:
        if stream.isatty():
            stream.write(f"\r\x1b[K{text}")
            stream.flush()
        elif text and time.monotonic() - last[0] > 10:
            last[0] = time.monotonic()
            stream.write(f"holdfast: {text}\n")
            stream.flush()

    return tell


def wanted_of(
    source: str,
    paths: Sequence[Path],
    system: str,
    environment: str,
    at: str,
    mapping: Path | None,
    *,
    dry_run: bool,
) -> Wanted:
    """What the options say. Raises Invalid."""
    at_ns = 0
    if at:
        at_ns = nanoseconds(parse_instant(at, "at").isoformat(), "at") or 0
    return Wanted(source, tuple(paths), Told(system, environment, at_ns), _mapping(mapping), dry_run)


def _mapping(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", where="mapping") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is no YAML: {error}", where="mapping") from error
    return found if found is not None else {}


def _door(settings: Settings, workspace: str, *, dry_run: bool) -> Door:
    if dry_run:
        return Nowhere()
    slug = only_workspace(settings, workspace)
    database = open_database(settings)
    try:
        with database.transaction() as tx:
            tenancy.ensure_workspace(Context("", CLI, utc_now()), tx, slug)
    finally:
        database.close()
    client = running(settings)
    return Here(settings, slug) if client is None else Socket(client, slug)


def _ordered(wanted: Wanted) -> list[Path]:
    """Files of traces before those of observations, which they say the user and the session of."""
    if wanted.source != "langfuse" or len(wanted.paths) < 2:
        return list(wanted.paths)
    return sorted(wanted.paths, key=lambda path: not _is_of_traces(path))


def _is_of_traces(path: Path) -> bool:
    with _opened(path) as raw:
        for _, value in files.open_file(raw, path.name).records:
            return isinstance(value, dict) and "type" not in value and "timestamp" in value
    return False


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", where="file") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", where="file") from error


def _digest(wanted: Wanted, path: Path) -> str:
    """Names a file's contents and what was told of them: the same import, whatever the file is called."""
    found = hashlib.sha256()
    with _opened(path) as raw:
        while piece := raw.read(1 << 20):
            found.update(piece)
    told = [wanted.source, wanted.told.system, wanted.told.environment, wanted.told.at_ns, wanted.mapping]
    found.update(json.dumps(told, default=str, sort_keys=True).encode())
    return found.hexdigest()


def _bucket_key(one: VendorUsage) -> Any:
    return (one.provider, one.kind, one.start, one.end, tuple(sorted(one.dimensions.items())), one.currency)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}", where="report") from error


def _bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{size / 1e6:.1f} MB"


def _lasting(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
