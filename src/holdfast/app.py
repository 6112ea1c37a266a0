"""The only place where everything is put together: stores, rooms, doors, and the core process that serves them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from holdfast import __version__, backups, local, sharing
from holdfast.applications import wiring as applications_wiring
from holdfast.changes import wiring as changes_wiring
from holdfast.evals import wiring as evals_wiring
from holdfast.feedback import wiring as feedback_wiring
from holdfast.gateway import wiring as gateway_wiring
from holdfast.kernel.time import Clock, utc_now
from holdfast.platform.access import wiring as access_wiring
from holdfast.platform.access.guard import LOCAL
from holdfast.platform.audit import wiring as audit_wiring
from holdfast.platform.frame import Frame
from holdfast.platform.leases.actions import Leases
from holdfast.platform.notify import wiring as notify_wiring
from holdfast.platform.services import Job, Services
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import wiring as tenancy_wiring
from holdfast.platform.vitals import JobRuns
from holdfast.pricing import wiring as pricing_wiring
from holdfast.registry import wiring as registry_wiring
from holdfast.signals import wiring as signals_wiring
from holdfast.storage.columns import Columns
from holdfast.storage.migrate import migrate
from holdfast.storage.sql import Database
from holdfast.telemetry import wiring as telemetry_wiring
from holdfast.telemetry.ingest.imports import Imports
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.ingest.service import start as start_ingest
from holdfast.telemetry.receiver import grpc as grpc_door
from holdfast.telemetry.receiver.http import PATHS, OtlpHttp
from holdfast.telemetry.receiver.keys import Keys
from holdfast.web import problems
from holdfast.web.assets import Assets
from holdfast.web.render import Renderer

log = logging.getLogger("holdfast")

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Core:
    """Everything of one core process, open."""

    services: Services
    ingest: Ingest
    keys: Keys
    app: Asgi
    link: gateway_wiring.Link
    jobs: tuple[Job, ...]
    leases: Leases | None = None

    def close(self) -> None:
        """Writes and counts what waits, then closes the stores."""
        self.ingest.stop()
        if self.leases is not None:
            self.leases.close()
        self.services.columns.close()
        self.services.database.close()


def open_services(settings: Settings, clock: Clock = utc_now) -> Services:
    """Opens and migrates both stores. Raises Conflict where another process owns an embedded one."""
    os.umask(0o077)
    settings.data.mkdir(parents=True, exist_ok=True)
    columns = Columns(settings.columns)
    backups.clear(settings.data)
    database = Database(settings.sql)
    migrate(database)
    return Services(settings, clock, database, columns)


def build(settings: Settings, clock: Clock = utc_now, role: str = "serve") -> Core:
    """Opens everything and starts its threads. `role` tells processes on one data folder apart."""
    services = open_services(settings, clock)
    place = sharing.place(settings, role)
    try:
        leases = sharing.open_leases(services, place)
    except BaseException:
        services.columns.close()
        services.database.close()
        raise
    ingest = start_ingest(settings, clock, services.database, services.columns, place)
    keys = Keys(services.database, clock)
    runs = JobRuns()
    api = make_api(services, ingest, runs)
    otlp = OtlpHttp(ingest.intake, keys)
    link = gateway_wiring.link_of(api, services, otlp.take, ingest.prices.pricer)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] in PATHS:
            await otlp(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(gateway_wiring.PREFIX):
            await link(scope, receive, send)
        else:
            await api(scope, receive, send)

    jobs = _jobs(services, ingest, leases, runs) if settings.jobs or role == "worker" else ()
    return Core(services, ingest, keys, app, link, jobs, leases)


def _jobs(services: Services, ingest: Ingest, leases: Leases | None, runs: JobRuns) -> tuple[Job, ...]:
    """All jobs; on shared stores, each runs in one process at a time."""
    settings = services.settings
    streams = audit_wiring.stream_configs(settings)
    audit_job = audit_wiring.open_job(services.database, settings.data / "keys", streams, services.clock)
    audit = (
        Job("sign checkpoints", 3, audit_job.sign_once),
        Job("stream the audit log", 2, audit_job.deliver_once),
    )
    rooms = (
        *notify_wiring.jobs(services),
        *telemetry_wiring.jobs(services, ingest),
        *signals_wiring.jobs(services),
        *gateway_wiring.jobs(services, ingest.prices.pricer),
        *evals_wiring.jobs(services),
        *feedback_wiring.jobs(services),
        *changes_wiring.jobs(services),
        *applications_wiring.jobs(services),
    )
    jobs = tuple(replace(job, run=runs.noted(job.name, job.run)) for job in (*audit, *rooms))
    if leases is None:
        return jobs
    return tuple(
        replace(job, run=leases.alone(f"job:{job.name}", job.run)) if job.alone else job for job in jobs
    )


def make_api(services: Services, ingest: Ingest, runs: JobRuns | None = None) -> FastAPI:
    """Pages and the JSON API."""
    api = FastAPI(
        title="Holdfast",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.services = services
    api.state.ingest = ingest
    api.state.job_runs = runs or JobRuns()
    api.state.imports = Imports(services, ingest)
    assets = Assets()
    templates = {
        "telemetry": telemetry_wiring.TEMPLATES,
        "access": access_wiring.TEMPLATES,
        "notify": notify_wiring.TEMPLATES,
        "signals": signals_wiring.TEMPLATES,
        "gateway": gateway_wiring.TEMPLATES,
        "evals": evals_wiring.TEMPLATES,
        "feedback": feedback_wiring.TEMPLATES,
        "changes": changes_wiring.TEMPLATES,
        "applications": applications_wiring.TEMPLATES,
    }
    frame = Frame(Renderer(templates, assets, services.clock))
    api.state.frame = frame
    api.mount(assets.mount, assets)
    problems.install(api, lambda _, problem: frame.renderer.render("problem.html", problem=problem, home="/"))

    @api.get("/healthz", tags=["health"])
    def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok", "version": __version__}

    @api.get("/readyz", tags=["health"], responses={503: {"description": "A store does not answer."}})
    def readyz() -> dict[str, str]:
        """Both stores are open and answer."""
        return telemetry_wiring.ready(services)

    api.include_router(local.router)
    access_wiring.install(api, frame, services)
    tenancy_wiring.install(api)
    notify_wiring.install(api, frame, services)
    pricing_wiring.install(api, frame)
    registry_wiring.install(api)
    telemetry_wiring.install(api, frame, services)
    signals_wiring.install(api, frame, services)
    gateway_wiring.install(api, frame, services)
    evals_wiring.install(api, frame, services)
    feedback_wiring.install(api, frame, services)
    changes_wiring.install(api, frame, services)
    applications_wiring.install(api, frame)
    return api


class Clockwork:
    """Runs each job in a thread of its own, every so many seconds, until stopped: a slow one holds up no other."""

    def __init__(self, jobs: tuple[Job, ...]) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=[job], name=job.name, daemon=True) for job in jobs
        ]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends every thread after the turn that it is in."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=20)

    def _run(self, job: Job) -> None:
        while not self._stop.wait(job.every_seconds):
            try:
                job.run()
            except Exception:
                log.exception("the job %s failed; it is tried again", job.name)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises SystemExit with a clear message where the port cannot be had."""
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise SystemExit(
            f"holdfast: port {port} on {host} cannot be had ({error.strerror}); choose another with --port"
        ) from error


async def serve(core: Core, started: Callable[[], None], *, grpc_required: bool = False) -> None:
    """Serves until SIGINT or SIGTERM: TCP, the data folder's own socket, and gRPC."""
    settings = core.services.settings
    public = listen(settings.host, settings.port)
    own_path = settings.data.resolve() / "core.sock"
    own = _own_socket(own_path)

    async def local(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope[LOCAL] = True
        await core.app(scope, receive, send)

    common: dict[str, Any] = {"log_level": "warning", "lifespan": "off", "timeout_graceful_shutdown": 5}
    server = uvicorn.Server(uvicorn.Config(core.app, loop="uvloop", server_header=False, **common))
    core.link.closing = lambda: server.should_exit
    inner = uvicorn.Server(uvicorn.Config(local, server_header=False, **common))
    inner.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]  # one of the two listens to signals
    grpc_server = None
    if settings.grpc_port:
        try:
            grpc_server = await grpc_door.serve(
                settings.host, settings.grpc_port, core.ingest.intake, core.keys
            )
        except RuntimeError as error:
            if grpc_required:
                raise SystemExit(
                    f"holdfast: {error}; choose another with --grpc-port, or 0 for none"
                ) from error
            log.warning("%s: OTLP/gRPC is off (choose another with --grpc-port)", error)
    clockwork = Clockwork(core.jobs)
    clockwork.start()
    inner_task = asyncio.create_task(inner.serve(sockets=[own]))
    ready = asyncio.create_task(_announce(server, started))
    try:
        await server.serve(sockets=[public])
    finally:
        ready.cancel()
        inner.should_exit = True
        await inner_task
        if grpc_server is not None:
            await grpc_server.stop(grace=5)
        clockwork.stop()
        own_path.unlink(missing_ok=True)


async def _announce(server: uvicorn.Server, started: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    started()


def _own_socket(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    path.chmod(0o600)
    made.listen()
    return made


def run(settings: Settings, started: Callable[[Core], None], *, grpc_required: bool = False) -> None:
    """The core process: opens, serves until told to stop, closes in order."""
    with sharing.owned(settings.data):
        _run(settings, started, grpc_required=grpc_required)


def work(settings: Settings, started: Callable[[], None]) -> None:
    """The worker: runs the jobs until told to stop, without a door. Raises Invalid on an embedded call store."""
    sharing.check_worker(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    core = build(settings, role="worker")
    clockwork = Clockwork(core.jobs)
    try:
        clockwork.start()
        started()
        stop.wait()
        clockwork.stop()
    finally:
        core.close()


def _run(settings: Settings, started: Callable[[Core], None], *, grpc_required: bool) -> None:
    core = build(settings)
    gc.freeze()  # what is open stays open: the collector need not look at it again and again
    gc.set_threshold(50_000, 20, 50)  # telemetry makes many objects and no circles
    try:
        uvicorn_loop = asyncio.Runner(loop_factory=_uvloop)
        with uvicorn_loop:
            uvicorn_loop.run(serve(core, lambda: started(core), grpc_required=grpc_required))
    finally:
        core.close()


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()
