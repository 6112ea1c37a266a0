"""The doors for Prometheus: Holdfast about itself, and a workspace's calls."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from holdfast.kernel.errors import HoldfastError, Unauthenticated
from holdfast.platform.access.guard import LOCAL, caller, key_text, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.vitals import JobRuns
from holdfast.telemetry.ingest import vitals
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.outward.shelf import read_configs
from holdfast.telemetry.reads.outward import Meters, lags
from holdfast.telemetry.rules.exposition import OPEN, PLAIN, Family, wants_open, written
from holdfast.telemetry.rules.outward import families

router = APIRouter(tags=["metrics"], include_in_schema=False)
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@router.get("/metrics")
def own_metrics(request: Request) -> Response:
    """Holdfast about its process: with the token of the setting; where none is set, to this machine alone."""
    _check(request)
    found = services(request)
    runs: JobRuns = request.app.state.job_runs
    names = {one.name for one in read_configs(found.settings.metrics_export)}
    try:
        behind = lags(found.database, found.clock(), names) if names else {}
    except HoldfastError:
        behind = {}  # a store that is away says so in `holdfast_store_up`
    return _answer(request, vitals.families(found, ingest(request), runs.all, behind))


@router.get("/metrics/calls")
def call_metrics(request: Request, found: Reader) -> Response:
    """Counters and histograms of the calls of a workspace since the process started."""
    complete = ingest(request).counter.wait()
    meters: Meters = request.app.state.meters
    total, since, more = meters.of(found.ctx.workspace)
    return _answer(request, families(total, since, complete=complete, more=more))


def _answer(request: Request, made: list[Family]) -> Response:
    openmetrics = wants_open(request.headers.get("accept", ""))
    text = written(made, openmetrics=openmetrics)
    headers = {"content-type": OPEN if openmetrics else PLAIN, "cache-control": "no-store", "vary": "accept"}
    return Response(text.encode(), headers=headers)


def _check(request: Request) -> None:
    """Raises Unauthenticated. A request that came through a proxy of this machine is not of this machine."""
    settings = services(request).settings
    token = settings.metrics_token.get_secret_value()
    if token:
        wanted = secrets.operator_secret(settings, token)
        given = key_text(request) or ""
        if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Unauthenticated("send the token of HOLDFAST_METRICS_TOKEN: 'authorization: Bearer …'")
        return
    if request.scope.get(LOCAL) is True:
        return
    if not _loopback(request) or any(name in request.headers for name in FORWARDED):
        raise Unauthenticated(
            "from another machine this needs the token of HOLDFAST_METRICS_TOKEN, which is not set"
        )


def _loopback(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
