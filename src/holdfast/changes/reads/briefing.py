"""The brief of a change: what its gate found, gathered from the runs of its suites."""

from __future__ import annotations

from typing import Any

from holdfast.changes.model import Change, GateRun
from holdfast.changes.reads import listing
from holdfast.changes.rules.brief import Brief, SuiteBrief
from holdfast.evals.reads import behaviour
from holdfast.evals.reads import runs as run_reads
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.registry import reads as registry
from holdfast.registry.model import Kind
from holdfast.storage.sql import Transaction


def brief(ctx: Context, tx: Transaction, id: str) -> Brief:
    """Of one change, as far as its gate is. Raises NotFound."""
    whole = listing.change(ctx, tx, id)
    change = whole.change
    models = (_models(ctx, tx, change.baseline), _models(ctx, tx, change.candidate))
    return Brief(change, models, tuple(_suite(ctx, tx, change, one) for one in whole.gate))


def _suite(ctx: Context, tx: Transaction, change: Change, gate: GateRun) -> SuiteBrief:
    try:
        after = run_reads.run(ctx, tx, gate.candidate_run).run
        before = run_reads.run(ctx, tx, gate.baseline_run).run if gate.baseline_run else None
    except NotFound:
        return SuiteBrief(gate, None, None)
    found = run_reads.verdict_of(after)
    if found is None or before is None:
        return SuiteBrief(gate, found, None)
    style = behaviour.between(ctx, tx, after, before)
    return SuiteBrief(gate, found, tuple(one.text for one in style.named))


def _models(ctx: Context, tx: Transaction, release: str) -> str:
    """What answers by a release: `vendor/model, else …`, with its parameters."""
    if not release:
        return "nothing"
    try:
        _, parts = registry.release(ctx, tx, release)
    except NotFound:
        return "unknown: the registry does not have it"
    said: dict[str, Any] = next((dict(one.body) for one in parts if one.kind is Kind.MODEL), {})
    chain = [f"{one.get('upstream', '')}/{one.get('model') or 'as asked'}" for one in said.get("chain", [])]
    parameters = said.get("parameters") or {}
    told = ", ".join(f"{name} {value}" for name, value in sorted(parameters.items()))
    return ", else ".join(chain) + (f" ({told})" if told else "")
