"""Preparing in processes of their own: Python's work on requests then uses more than one core.

A worker is started when several requests are being prepared at once, so that a quiet Holdfast is one process. It holds
no state but what it remembers of shapes, asks no database, and is sent the policies with each request. Whatever goes
wrong with it, the request is prepared in this process instead, and nothing is lost: a worker never answers a sender.

Frames are four bytes of length and then MessagePack, over the standard input and output of the worker.
"""

from __future__ import annotations

import gc
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from struct import Struct
from typing import IO, Any

import msgspec

from holdfast.kernel.errors import HoldfastError, Invalid, TooLarge
from holdfast.platform.tenancy.model import DataPolicy
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.conventions.templates import Templates
from holdfast.telemetry.ingest import prepare
from holdfast.telemetry.ingest.policies import plan
from holdfast.telemetry.ingest.prepare import Form, Prepared
from holdfast.telemetry.rules.admission import Limits

log = logging.getLogger("holdfast.ingest")

_LENGTH = Struct("<I")
_ERRORS: dict[str, type[HoldfastError]] = {one.__name__: one for one in (Invalid, TooLarge)}
ENDING_SECONDS = 5.0
AGAIN_SECONDS = 10.0
"""How long after a failed start the next is tried."""
LOOK_SECONDS = 0.2
"""How often one who waits for a worker looks whether there still is one."""


class Task(msgspec.Struct, array_like=True):
    """A request of spans to prepare; `policies` are those of the workspace, by system."""

    workspace: str
    body: bytes
    form: Form
    limits: Limits
    now: datetime
    policies: dict[str, DataPolicy]


class Answer(msgspec.Struct, array_like=True):
    """What became of it; or the error to raise, by class, detail and place; or neither, where it failed here."""

    prepared: Prepared | None = None
    error: tuple[str, str, str | None] | None = None


class Preparer:
    """Prepares tasks in the process at hand."""

    def __init__(self, overrides: dict[str, ScopeOverride]) -> None:
        self._templates = Templates(overrides)
        self._plan = lru_cache(1_000)(plan)

    def prepare(self, task: Task) -> Prepared:
        """A task's outcome. Raises HoldfastError for a request that is refused as a whole."""
        policies = {system: (policy, self._plan(policy)) for system, policy in task.policies.items()}
        default = policies[""]
        return prepare.traces(
            task.workspace,
            task.body,
            task.form,
            task.limits,
            task.now,
            lambda system: policies.get(system) or default,
            self._templates,
        )


class Workers:
    """The workers of one process: up to `most`, started one after the other when they are wanted."""

    def __init__(self, most: int, overrides: dict[str, ScopeOverride]) -> None:
        self._most = most
        self._overrides = overrides
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._starting = False
        self._closed = False
        self._not_before = 0.0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Answer).decode

    def want(self) -> None:
        """Has one more worker started, unless there are enough. Returns at once."""
        with self._lock:
            if self._starting or self._closed or len(self._running) >= self._most:
                return
            if time.monotonic() < self._not_before:
                return
            self._starting = True
        threading.Thread(target=self.start, name="ingest-worker-start", daemon=True).start()

    @property
    def any(self) -> bool:
        """Whether there is a worker."""
        return bool(self._running)

    @property
    def process_ids(self) -> list[int]:
        """Those of the workers."""
        return [worker.pid for worker in self._running]

    def prepare(self, task: Task) -> Prepared | None:
        """A task's outcome; None where no worker could do it. Waits for a worker that is at work."""
        try:
            request = self._encode(task)
        except (ValueError, TypeError, OverflowError):
            return None
        worker = self._free()
        if worker is None:
            return None
        try:
            _write(_pipe(worker.stdin), request)
            packed = _read(_pipe(worker.stdout))
            if packed is None:
                raise EOFError("it ended")
            answer = self._decode(packed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request is prepared here instead
            log.warning("a process that prepares requests failed (%s); another one takes its place", error)
            self._end(worker)
            return None
        self._idle.put(worker)
        if answer.error is not None:
            name, detail, where = answer.error
            if name in _ERRORS:
                raise _ERRORS[name](detail, where=where)
        return answer.prepared

    def _free(self) -> subprocess.Popen[bytes] | None:
        """A worker without work, when there is one; None when there are no workers any more."""
        while self._running:
            with suppress(queue.Empty):
                return self._idle.get(timeout=LOOK_SECONDS)
        return None

    def close(self) -> None:
        """Ends all workers."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for worker in running:
            self._end(worker)

    def start(self) -> None:
        """Starts a worker, and returns when it is ready or has failed."""
        try:
            worker = subprocess.Popen(
                [sys.executable, "-m", "holdfast.telemetry.ingest.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            _write(_pipe(worker.stdin), self._encode(self._overrides))
            if _read(_pipe(worker.stdout)) is None:
                raise EOFError("it ended")
        except (OSError, EOFError) as error:
            log.warning("a process that prepares requests could not be started: %s", error)
            with self._lock:
                self._starting = False
                self._not_before = time.monotonic() + AGAIN_SECONDS
            return
        with self._lock:
            self._starting = False
            self._running.append(worker)
            closed = self._closed
        if closed:
            self._end(worker)
        else:
            self._idle.put(worker)

    def _end(self, worker: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if worker in self._running:
                self._running.remove(worker)
        with suppress(OSError):  # it is gone, with what was still to be sent
            _pipe(worker.stdin).close()
        try:
            worker.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        _pipe(worker.stdout).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("a worker has pipes")
    return stream


def _write(stream: IO[bytes], message: bytes) -> None:
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """The next message; None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    message = stream.read(size)
    return message if len(message) == size else None


def _answer(preparer: Preparer, task: Task) -> Answer:
    try:
        return Answer(preparer.prepare(task))
    except HoldfastError as error:
        return Answer(error=(type(error).__name__, error.detail, error.where))
    except Exception:
        log.exception("a request could not be prepared")
        return Answer()


def main() -> None:
    """The worker: answers tasks until its input ends, which is also when the process that started it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it
    source = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that is printed gets among the answers
    first = _read(source)
    if first is None:
        return
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # as in the process that started it
    preparer = Preparer(msgspec.msgpack.decode(first, type=dict[str, ScopeOverride]))
    try:
        _write(answers, b"ready")
    except BrokenPipeError:  # whoever started it has ended meanwhile
        os._exit(0)
    decode: Any = msgspec.msgpack.Decoder(Task).decode
    encode = msgspec.msgpack.Encoder().encode
    while (message := _read(source)) is not None:
        answer = _answer(preparer, decode(message))
        try:
            packed = encode(answer)
        except (
            ValueError,
            TypeError,
            OverflowError,
        ):  # such as half a character: it is told by name elsewhere
            packed = encode(Answer())
        _write(answers, packed)


if __name__ == "__main__":
    main()
