"""Measures arrival, burst and token shapes on public traces and prints them as TOML.

    python -m demo.history.measure ../shared/data > demo/history/shapes.toml

Only these figures are committed, never the traces. Where the traces cannot tell (they last about an hour, so
they say nothing of a day or a week), the figure stands under [assumptions] and is labelled so.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0)
BLOCK_TOKENS = 512  # Mooncake hashes prefixes in blocks of 512 tokens
AZURE_SOURCE = "Azure LLM inference trace 2023 (Azure/AzurePublicDataset @b469a11), CC-BY-4.0"
MOONCAKE_SOURCE = "Mooncake FAST25 traces (kvcache-ai/Mooncake @3b5a594), Apache-2.0"

ASSUMPTIONS = """
[assumptions]
# Not measured: the traces last about an hour. Factors for a European office day in UTC, and a quiet weekend.
hour_of_day = [
  0.15, 0.12, 0.10, 0.10, 0.14, 0.25, 0.50, 0.90, 1.40, 1.80, 2.00, 1.95,
  1.60, 1.70, 1.90, 1.85, 1.60, 1.20, 0.85, 0.65, 0.50, 0.40, 0.30, 0.20,
]
weekday = [1.15, 1.20, 1.20, 1.15, 1.05, 0.65, 0.60]
# Not measured: seconds to the first token, seconds per output token, spread of both (sigma of a log-normal).
first_token_s = 0.45
per_token_s = 0.012
latency_sigma = 0.35
# Not measured: shares of calls that fail or are refused on an ordinary day.
rate_limited = 0.004
timed_out = 0.002
refused = 0.006
"""


@dataclass(frozen=True)
class Trace:
    """One trace: seconds since its first request (ascending), tokens in and out, per request."""

    name: str
    source: str
    at: NDArray[np.float64]
    tokens_in: NDArray[np.float64]
    tokens_out: NDArray[np.float64]


def read_azure(path: pathlib.Path, name: str) -> Trace:
    """Reads one of the two Azure files: TIMESTAMP (7 decimals), ContextTokens, GeneratedTokens."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    stamps = [dt.datetime.fromisoformat(row["TIMESTAMP"][:26] + "+00:00").timestamp() for row in rows]
    return _trace(
        name,
        AZURE_SOURCE,
        stamps,
        [int(row["ContextTokens"]) for row in rows],
        [int(row["GeneratedTokens"]) for row in rows],
    )


def read_mooncake(path: pathlib.Path, name: str) -> tuple[Trace, list[float]]:
    """Reads a Mooncake file: the trace, and per request its share of prefix seen before (0 … 1)."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows.sort(key=lambda row: row["timestamp"])
    trace = _trace(
        name,
        MOONCAKE_SOURCE,
        [row["timestamp"] / 1000 for row in rows],
        [row["input_length"] for row in rows],
        [row["output_length"] for row in rows],
    )
    return trace, prefix_shares([row["hash_ids"] for row in rows])


def prefix_shares(requests: Iterable[Sequence[int]]) -> list[float]:
    """Per request, the leading blocks that an endless cache would hold already, as a share of its blocks.

    A block's id stands for the whole prefix up to it, so a block is a hit as long as all before it were.
    """
    seen: set[int] = set()
    shares = []
    for blocks in requests:
        hits = 0
        for block in blocks:
            if block not in seen:
                break
            hits += 1
        seen.update(blocks)
        shares.append(hits / len(blocks) if blocks else 0.0)
    return shares


def minute_variation(at: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean requests per whole minute, index of dispersion (variance / mean), and the rate's own variation.

    For a Poisson stream whose rate changes from minute to minute, variance = mean + (cv * mean)^2 (law of
    total variance); so cv = sqrt((dispersion - 1) / mean). It does not depend on how many requests there are
    and can be carried over to a quieter system.
    """
    counts = np.bincount((at // 60).astype(np.int64))[: int(at[-1] // 60)]
    mean = float(counts.mean())
    dispersion = float(counts.var(ddof=1) / mean)
    return mean, dispersion, float(np.sqrt(max(0.0, dispersion - 1.0) / mean))


def describe(trace: Trace) -> str:
    """The shape of one trace as a TOML table."""
    mean, dispersion, variation = minute_variation(trace.at)
    gaps = np.diff(trace.at)
    lines = [
        f"[{trace.name}]",
        f'source = "{trace.source}"',
        f"requests = {len(trace.at)}",
        f"seconds = {trace.at[-1]:.0f}",
        f"requests_per_minute = {mean:.2f}",
        f"dispersion_per_minute = {dispersion:.2f}",
        f"rate_variation = {variation:.4f}",
        f"gap_variation = {float(gaps.std(ddof=1) / gaps.mean()):.3f}",
        *_table("input_tokens", trace.tokens_in),
        *_table("output_tokens", trace.tokens_out),
        f"rank_correlation = {_rank_correlation(trace.tokens_in, trace.tokens_out):.3f}",
    ]
    return "\n".join(lines)


def shapes(data: pathlib.Path) -> str:
    """Everything, as the text of shapes.toml. `data` holds azure-llm-2023 and mooncake-traces."""
    azure = data / "azure-llm-2023"
    mooncake = data / "mooncake-traces/FAST25-release/traces"
    chat, chat_prefix = read_mooncake(mooncake / "conversation_trace.jsonl", "mooncake_conversation")
    parts = [
        "# Printed by `python -m demo.history.measure`. Figures measured on public traces; no trace data.\n"
        f"quantiles = [{', '.join(f'{q:g}' for q in QUANTILES)}]",
        describe(read_azure(azure / "AzureLLMInferenceTrace_conv.csv", "azure_conversation")),
        describe(read_azure(azure / "AzureLLMInferenceTrace_code.csv", "azure_code")),
        "\n".join([describe(chat), _shares(chat_prefix)]),
    ]
    return "\n\n".join(parts) + "\n" + ASSUMPTIONS


def _trace(name: str, source: str, at: list[float], tokens_in: list[int], tokens_out: list[int]) -> Trace:
    times = np.asarray(at, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    return Trace(
        name,
        source,
        times[order] - times.min(),
        np.asarray(tokens_in, dtype=np.float64)[order],
        np.asarray(tokens_out, dtype=np.float64)[order],
    )


def _table(name: str, values: NDArray[np.float64]) -> list[str]:
    logs = np.log(np.maximum(values, 1.0))
    table = ", ".join(f"{value:.0f}" for value in np.quantile(values, QUANTILES))
    return [f"{name} = [{table}]", f"{name}_log = [{logs.mean():.3f}, {logs.std(ddof=1):.3f}]  # mean, sigma"]


def _shares(shares: list[float]) -> str:
    table = ", ".join(f"{value:.3f}" for value in np.quantile(np.asarray(shares), QUANTILES))
    return f"cached_prefix = [{table}]\ncached_prefix_mean = {float(np.mean(shares)):.3f}"


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rho with ranks by order of appearance among equals."""
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


if __name__ == "__main__":
    sys.stdout.write(shapes(pathlib.Path(sys.argv[1])))
