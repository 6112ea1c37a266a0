"""What the pages ask, over 1, 10 and 50 million calls: `make bench NAME=query [QUICK=1]`. The last line is one JSON object.

Calls of 30 days are written into an embedded store of its own, 1, 10 and 50 million in turn (QUICK: 0.1 and 1 million),
and stored figures are made of them as in production. Then each question is asked many times while a sender goes on
writing, so that there are always minutes that the stored figures do not know yet:

- today: the figures of the page of the day; changes: the configurations that it tells of (without an aim of its own);
- portfolio: all systems over 30 days; routes: a system with its routes over 7 days; tenants: cost by tenant over 30 days.

Beside each stands the same question put to the calls themselves (the raw scan, as the limit of doing without stored
figures), and MLflow's own metrics query over as many traces as it bears.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import aims, mlflow_query
from holdfast.storage.columns import Columns
from holdfast.telemetry.jobs.rollups import Rollups
from holdfast.telemetry.model import MetricQuery, TimeRange
from holdfast.telemetry.reads import configurations, metrics, standing
from holdfast.telemetry.reads.standing import Chosen
from holdfast.telemetry.store.calls import CallFilter

DAYS = 30
AT_ONCE = 1_000_000
ROUNDS = 40
TURN_SECONDS = 30
SYSTEMS, ROUTES, TENANTS = 5, 6, 200
_COLUMNS = (
    "workspace, id, trace_id, span_id, started_at, duration_ns, kind, system, environment, route, agent, tenant, user,"
    " session, provider, request_model, response_model, operation, status, error_class, ttft_ms, input_uncached_tokens,"
    " input_cache_read_tokens, output_tokens, cost_amount, cost_currency, cost_source, cost_unknown_reason,"
    " finish_reasons, refusal, configuration, version, is_deleted, received_at, expires_at"
)


def calls(first: int, count: int, start_ns: int, step_ns: float, received_ms: int) -> str:
    """A statement that writes calls `first` to `first + count`, evenly over time; everything else follows the number.

    A tenant belongs to one system, and few tenants make most of the calls; durations are log-normal.
    """
    unit = "(sipHash64(n, {0}) % 1000000 + 1) / 1000001."

    def part(salt: int) -> str:
        return unit.format(salt)

    tenant = f"toUInt32({TENANTS} * pow({part(1)}, 3))"
    return f"""INSERT INTO calls ({_COLUMNS}) SELECT
      'ws', lower(hex(sipHash64(n))), lower(hex(sipHash128(intDiv(n, 2)))), lower(hex(sipHash64(n))),
      fromUnixTimestamp64Nano(toInt64({start_ns} + n * {step_ns}), 'UTC') AS at,
      toInt64(exp(6.5 + 0.9 * sqrt(-2 * log({part(2)})) * cos(6.283185 * {part(3)})) * 1e6) AS lasted,
      'inference', concat('system-', toString(tenant_number % {SYSTEMS})) AS its_system,
      if({part(4)} < 0.9, 'production', 'staging'),
      concat(its_system, '/route-', toString(route_number)), concat('agent-', toString(route_number % 3)),
      concat('tenant-', toString(tenant_number)),
      concat('user-', toString(sipHash64(n, 6) % 50000)), concat('session-', toString(intDiv(n, 8))),
      'openai', if(route_number % 3 = 0, 'gpt-4o', 'gpt-4o-mini') AS asked, concat(asked, '-2024-08-06'), 'chat',
      if({part(7)} < 0.02, 'error', 'ok') AS ended,
      if(ended = 'ok', '', if({part(8)} < 0.5, 'timeout', 'rate_limit')), lasted / 5e6,
      sipHash64(n, 9) % 4000 AS sent, if({part(10)} < 0.5, 0, 600), sipHash64(n, 11) % 800 AS said,
      if({part(12)} < 0.01, NULL, toDecimal128(sent * 2.5e-6 + said * 1e-5, 15)) AS amount,
      if(amount IS NULL, '', 'USD'), if(amount IS NULL, '', 'genai-prices'), if(amount IS NULL, 'no price', ''),
      if(ended = 'ok', ['stop'], []), ended = 'ok' AND {part(13)} < 0.01,
      hex(sipHash64(its_system, route_number, intDiv(n * {step_ns}, 86400e9 * 4))), n + 1, 0,
      fromUnixTimestamp64Milli({received_ms}, 'UTC'), toDateTime('2035-01-01 00:00:00', 'UTC')
    FROM (SELECT number AS n, {tenant.replace("n,", "number,")} AS tenant_number,
      sipHash64(number, 5) % {ROUTES} AS route_number FROM numbers({first}, {count}))"""


class Store:
    """A store with so many calls of the last 30 days, and stored figures of them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self.folder = folder
        self.columns = Columns(f"chdb://{folder / 'columns'}")
        start = datetime.now(UTC) - timedelta(days=DAYS)
        self._start_ns, self._step_ns = int(start.timestamp()) * 10**9, DAYS * 86_400e9 / count
        began = time.monotonic()
        old = int(start.timestamp() * 1000)
        for first in range(0, count, AT_ONCE):
            many = min(AT_ONCE, count - first)
            self.columns.upkeep(calls(first, many, self._start_ns, self._step_ns, old))
            say(f"  {first + many:,} calls written")
        self.seconds_to_write = time.monotonic() - began
        self.written = count
        began = time.monotonic()
        self._figures = Rollups(self.columns, lambda: datetime.now(UTC))
        made = self._figures.turn()
        self._turned = time.monotonic()
        self.seconds_to_make = self._turned - began
        say(f"  {made:,} stored buckets in {self.seconds_to_make:.0f} s")

    def go_on(self) -> None:
        """Writes the calls of the time since, and has the stored figures made each half minute, as in production."""
        now = datetime.now(UTC)
        due = int((now.timestamp() * 1e9 - self._start_ns) / self._step_ns) - self.written
        if due > 0:
            self.columns.upkeep(
                calls(self.written, due, self._start_ns, self._step_ns, int(now.timestamp() * 1000))
            )
            self.written += due
        if time.monotonic() - self._turned > TURN_SECONDS:
            self._figures.turn()
            self._turned = time.monotonic()

    def bytes_of(self, *tables: str) -> int:
        """Bytes on disk of some tables."""
        rows = self.columns.everywhere(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table IN {tables:Array(String)}",
            {"tables": list(tables)},
        )
        return int(rows[0][0])


def questions(store: Store) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """By name: what a page asks, and the same put to the calls themselves."""
    columns = store.columns
    every = Chosen({}, ())
    month = timedelta(days=30)

    def tenants() -> object:
        now = datetime.now(UTC)
        asked = MetricQuery(("calls", "cost"), TimeRange(now - month, now), None, ("tenant",))
        return metrics.query(columns, "ws", asked)

    def portfolio() -> object:
        now = datetime.now(UTC)
        return standing.portfolio(columns, "ws", every, TimeRange(now - month, now), now, ())

    def routes() -> object:
        now = datetime.now(UTC)
        of = Chosen({"system": ("system-1",)}, ())
        return standing.course(columns, "ws", of, TimeRange(now - timedelta(days=7), now))

    def raw(days: int, by: str, where: str = "1") -> Callable[[], object]:
        return lambda: columns.everywhere(
            f"SELECT {by}, count(), countIf(status = 'error'), sum(cost_amount), quantileTDigest(0.95)(duration_ns)"
            f" FROM calls FINAL WHERE workspace = 'ws' AND {where} AND started_at > now() - INTERVAL {days} DAY"
            f" GROUP BY {by} SETTINGS do_not_merge_across_partitions_select_final = 1"
        )

    def changes() -> object:
        now = datetime.now(UTC)
        filters = CallFilter(TimeRange(now - timedelta(days=8), now), {})
        return configurations.lives(columns, "ws", filters, metrics.moment(columns, "ws"))

    return {
        "changes": (changes, raw(8, "configuration")),
        "today": (lambda: standing.today(columns, "ws", every, datetime.now(UTC)), raw(8, "system")),
        "portfolio": (portfolio, raw(30, "system")),
        "routes": (routes, raw(7, "route", "system = 'system-1'")),
        "tenants": (tenants, raw(30, "tenant")),
    }


def timed(
    ask: Callable[[], object], rounds: int, between: Callable[[], object] = lambda: None
) -> list[float]:
    """Milliseconds of each round, in order of length; the first two rounds do not count."""
    found = []
    for number in range(rounds + 2):
        between()
        began = time.perf_counter()
        ask()
        if number > 1:
            found.append((time.perf_counter() - began) * 1e3)
    return sorted(found)


def measured(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """One store: each question's times beside the raw scan's, and what a million calls take."""
    say(f"{count:,} calls")
    store = Store(folder, count)
    made: dict[str, Any] = {"calls": count, "seconds_to_make_figures": round(store.seconds_to_make, 1)}
    for name, (ask, raw) in questions(store).items():
        times = timed(ask, rounds, store.go_on)
        scans = timed(raw, max(rounds // 8, 3))
        made[name] = {
            "p50_ms": round(statistics.median(times), 1),
            "p95_ms": round(times[int(len(times) * 0.95)], 1),
            "raw_scan_ms": round(statistics.median(scans), 1),
        }
        say(f"  {name:10} p50 {made[name]['p50_ms']:8.1f} ms  p95 {made[name]['p95_ms']:8.1f} ms"
            f"  raw scan {made[name]['raw_scan_ms']:8.1f} ms")  # fmt: skip
    millions = count / 1e6
    made["calls_mb_per_million"] = round(store.bytes_of("calls") / 1e6 / millions, 1)
    made["figures_mb_per_million"] = round(store.bytes_of("rollups", "rollup_superseded") / 1e6 / millions, 1)
    made["rss_mb"] = round(_resident() / 1e6)
    store.columns.close()
    return made


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def one(count: int, rounds: int) -> None:
    """Measures one store and prints it as JSON; a process of its own, because a process opens one folder."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-query-", dir=os.environ.get("BENCH_DIR")))
    try:
        print(json.dumps(measured(folder, count, rounds)), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(count: int, rounds: int) -> dict[str, Any]:
    """`one` in a process of its own; its last line."""
    import subprocess

    command = [sys.executable, "-m", "benchmarks.query", str(count), str(rounds)]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                last = line
            else:
                print(line, end="", flush=True)
    if process.returncode:
        raise SystemExit(f"the run over {count:,} calls failed")
    found: dict[str, Any] = json.loads(last)
    return found


def main() -> None:
    """Prints the figures; the last line is one JSON object."""
    quick = bool(os.environ.get("QUICK"))
    sizes = (100_000, 1_000_000) if quick else (1_000_000, 10_000_000, 50_000_000)
    runs = [run(size, 15 if quick else ROUNDS) for size in sizes]
    names = ("today", "portfolio", "routes", "tenants")
    middle, large = runs[-2], runs[-1]
    figures: dict[str, Any] = {f"{name}_p95_ms": middle[name]["p95_ms"] for name in names}
    growth = {name: large[name]["p95_ms"] / middle[name]["p95_ms"] for name in names}
    figures["slowest_p95_ms"] = max(figures.values())
    figures["growth"] = round(max(growth.values()), 2)
    figures["fastest_gain_over_raw_scan"] = round(
        max(large[name]["raw_scan_ms"] / large[name]["p50_ms"] for name in names), 1
    )
    about = {
        "runs": runs,
        "quick": quick,
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
    }
    peer = mlflow_query.measure(4000 if quick else mlflow_query.SPANS)
    say(f"{peer['name']}: {json.dumps(peer)}")
    wanted = aims.read("query")
    print(json.dumps(aims.last_line("query", wanted, figures, peer, about, sound=True)))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        one(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
