"""Copies of requests to another release: never answered to anybody, never waited for, never more than a few at once."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.dialects.speech import Asked, Body, Speech
from holdfast.gateway.proxy import headers as heads
from holdfast.gateway.proxy.call import Call
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.rules import resolving
from holdfast.gateway.rules.resolving import Decision
from holdfast.kernel.errors import HoldfastError

log = logging.getLogger("holdfast.gateway")


def copy(
    gateway: Gateway,
    speech: Speech,
    asked: Asked,
    body: Body,
    headers: Mapping[str, str],
    query: str,
    decision: Decision,
    record: Record,
    variables: Mapping[str, Any],
) -> None:
    """Sends a copy on its way, where the route's share says so and a place is free. It has a trace of its own."""
    shadow = decision.route.shadow
    if shadow is None or gateway.draining:
        return
    if int.from_bytes(record.span_id[:4]) / 2**32 * 100 >= shadow.percent:
        return
    under_way = gateway.shadows.setdefault((record.workspace, record.dimensions.route), set())
    if len(under_way) >= shadow.concurrency:
        return
    ids = os.urandom(24)
    try:
        where = _guarded_alike(
            resolving.resolve(
                decision.workspace,
                decision.key,
                record.dimensions,
                asked.model,
                speech.dialect,
                ids[16:].hex(),
                release=shadow.release,
            ),
            decision,
        )
    except HoldfastError as error:
        log.warning("no shadow copy of route %s: %s", record.dimensions.route, error.detail)
        return
    made = Record(
        workspace=record.workspace,
        trace_id=ids[:16],
        span_id=ids[16:],
        parent_id=b"",
        started_ns=time.time_ns(),
        operation=record.operation,
        dialect=record.dialect,
        dimensions=record.dimensions,
        key=record.key,
        request_model=record.request_model,
        stream=record.stream,
        release=where.release_id,
        request=record.request,
        shadow_of=record.span_id,
    )
    try:
        trace = heads.Trace(made.trace_id, b"", "01")
        call = Call(gateway, _nowhere, speech, asked, body, headers, query, where, trace, made, variables)
    except HoldfastError as error:
        log.warning("no shadow copy of route %s: %s", record.dimensions.route, error.detail)
        return
    task = asyncio.create_task(_serve(call))
    under_way.add(task)
    task.add_done_callback(under_way.discard)


def _guarded_alike(where: Decision, of: Decision) -> Decision:
    """A copy goes nowhere by less than what judges its original: the guardrails of both releases hold for it."""
    both = tuple(dict.fromkeys((*of.release.guardrails, *where.release.guardrails)))
    if both == where.release.guardrails:
        return where
    return where._replace(release=msgspec.structs.replace(where.release, guardrails=both))


async def _serve(call: Call) -> None:
    try:
        await call.serve(anew=True)
    except HoldfastError as error:
        log.debug("a shadow copy failed: %s", error.detail)


async def _nowhere(message: dict[str, Any]) -> None:
    """Nobody waits for the answer."""
