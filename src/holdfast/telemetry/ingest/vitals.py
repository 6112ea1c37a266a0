"""What Holdfast says about its own process, as Prometheus reads it: no workspace, no system, no user in it."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast import __version__
from holdfast.platform.services import Services
from holdfast.platform.vitals import JobRun
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.rules.exposition import Family, Labels, Number


def families(
    services: Services, ingest: Ingest, jobs: Sequence[JobRun], lags: Mapping[str, float]
) -> list[Family]:
    """Everything of one process. `lags`: how far exports are behind, by target, in seconds."""
    return [
        *_doors(ingest),
        *_jobs(jobs),
        Family(
            "holdfast_store_up",
            "gauge",
            "1 where a store answers, else 0.",
            [
                ((("store", "calls"),), int(services.columns.ping())),
                ((("store", "control"),), int(services.database.ping())),
            ],
        ),
        Family(
            "holdfast_metrics_export_lag_seconds",
            "gauge",
            "Age of the last step that a target was told of, in the workspace that is furthest behind.",
            [((("target", name),), seconds) for name, seconds in sorted(lags.items())],
        ),
        Family("holdfast_build_info", "gauge", "The version that runs.", [((("version", __version__),), 1)]),
        *process(),
    ]


def _doors(ingest: Ingest) -> list[Family]:
    committer, counter, tally = ingest.committer, ingest.counter, ingest.intake.tally
    waiting = committer.waiting

    def by(counts: Mapping[tuple[str, str], int]) -> list[tuple[Labels, Number]]:
        return [
            ((("signal", signal), ("outcome", outcome)), n) for (signal, outcome), n in sorted(counts.items())
        ]

    return [
        Family(
            "holdfast_ingest_requests",
            "counter",
            "Telemetry requests of known senders, by signal and outcome; refused ones whole.",
            by(tally.requests),
        ),
        Family(
            "holdfast_ingest_records",
            "counter",
            "Spans, metric points and log records of accepted requests, by signal and outcome.",
            by(tally.records),
        ),
        Family("holdfast_ingest_queue_bytes", "gauge", "Requests in memory.", [((), waiting.bytes)]),
        Family(
            "holdfast_ingest_queue_limit_bytes",
            "gauge",
            "Above this, senders get 503.",
            [((), committer.queue_bytes)],
        ),
        Family(
            "holdfast_commit_waiting_requests",
            "gauge",
            "Requests that wait for the disk.",
            [((), waiting.requests)],
        ),
        Family(
            "holdfast_commit_lag_seconds",
            "gauge",
            "How long the oldest of them has waited.",
            [((), waiting.seconds)],
        ),
        Family(
            "holdfast_count_waiting_spans",
            "gauge",
            "Stored spans that are not counted yet.",
            [((), counter.waiting_rows)],
        ),
        Family(
            "holdfast_count_lag_seconds",
            "gauge",
            "How long the oldest of them has been stored.",
            [((), counter.lag_seconds)],
        ),
    ]


def _jobs(jobs: Sequence[JobRun]) -> list[Family]:
    def each(value: str) -> list[tuple[Labels, Number]]:
        return [((("job", one.name),), getattr(one, value)) for one in jobs]

    return [
        Family("holdfast_job_runs", "counter", "Turns of a job in this process.", each("runs")),
        Family("holdfast_job_failures", "counter", "Turns that failed.", each("failures")),
        Family("holdfast_job_seconds", "counter", "Time that turns took.", each("seconds")),
        Family(
            "holdfast_job_last_success_timestamp_seconds",
            "gauge",
            "When a turn last ended well.",
            [((("job", one.name),), one.last_end) for one in jobs if one.last_end is not None],
        ),
    ]


def process() -> list[Family]:
    """The process, under the names that Prometheus' clients use."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    made = [
        Family("process_cpu_seconds", "counter", "Processor time.", [((), used.ru_utime + used.ru_stime)]),
    ]
    if not sys.platform.startswith("linux"):
        return made
    ticks = os.sysconf("SC_CLK_TCK")
    page = os.sysconf("SC_PAGE_SIZE")
    stat = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    boot = next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()
        if line.startswith("btime ")
    )
    return [
        *made,
        Family("process_resident_memory_bytes", "gauge", "Resident memory.", [((), int(stat[21]) * page)]),
        Family(
            "process_start_time_seconds",
            "gauge",
            "When the process started (Unix seconds).",
            [((), boot + int(stat[19]) / ticks)],
        ),
        Family("process_open_fds", "gauge", "Open files.", [((), len(os.listdir("/proc/self/fd")))]),
    ]
