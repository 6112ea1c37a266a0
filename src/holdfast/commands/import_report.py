"""What an import tells: counts, refusals with their places, fields without a place, models without a price."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

MOST_NAMED = 20
"""Refused records that are named; all are counted."""
MOST_REASONS = 200


@dataclass(slots=True)
class Report:
    """What became of the records of one file or of several. Times are Unix nanoseconds; 0: none yet."""

    read: int = 0
    mapped: int = 0  # spans and buckets that the records became
    imported: int = 0
    already_there: int = 0
    buckets_new: int = 0
    buckets_changed: int = 0
    buckets_same: int = 0
    refused: int = 0
    named: list[tuple[str, str]] = field(default_factory=list)  # place, reason
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    warnings: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def refuse(self, place: str, reason: str) -> None:
        """Notes a record that became nothing."""
        self.refused += 1
        if len(self.named) < MOST_NAMED:
            self.named.append((place, reason))
        if reason in self.reasons or len(self.reasons) < MOST_REASONS:
            self.reasons[reason] += 1
        else:
            self.reasons["other reasons"] += 1

    def seen(self, start_ns: int) -> None:
        """Widens the time range."""
        if start_ns < self.first_ns or not self.first_ns:
            self.first_ns = start_ns
        if start_ns > self.last_ns:
            self.last_ns = start_ns

    def add(self, other: Report) -> None:
        """Takes over what another one tells."""
        for name in ("read", "mapped", "imported", "already_there", "refused", "warnings"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("buckets_new", "buckets_changed", "buckets_same"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.named = [*self.named, *other.named][:MOST_NAMED]
        for name in ("reasons", "left_out", "unmapped", "remarks"):
            getattr(self, name).update(getattr(other, name))
        for at in (other.first_ns, other.last_ns):
            if at:
                self.seen(at)

    def state(self) -> dict[str, Any]:
        """As it is kept between two runs."""
        state: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in state.items()}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Report:
        """From what was kept."""
        made = cls(**state)
        for name in ("reasons", "left_out", "unmapped", "remarks"):
            setattr(made, name, Counter(getattr(made, name)))
        made.named = [(place, reason) for place, reason in made.named]
        return made

    @property
    def buckets(self) -> int:
        """Buckets of a vendor's own counting that are kept now."""
        return self.buckets_new + self.buckets_changed + self.buckets_same

    def counts(self) -> dict[str, int]:
        """The numbers alone."""
        names = (
            "read",
            "imported",
            "already_there",
            "refused",
            "buckets_new",
            "buckets_changed",
            "buckets_same",
        )
        return {name: getattr(self, name) for name in names}


def exit_code(report: Report, *, whole: bool, dry_run: bool) -> int:
    """0: every record has its place; 1: nothing was imported; 3: some were."""
    kept = report.mapped if dry_run else report.imported + report.already_there + report.buckets
    if not kept:
        return 0 if whole and report.read and not report.refused else 1
    return 0 if whole and not report.refused else 3


def as_json(
    report: Report, source: str, files: list[str], unpriced: list[tuple[str, str, int]], **more: Any
) -> dict[str, Any]:
    """The report as a file keeps it."""
    return {
        "source": source,
        "files": files,
        **more,
        **report.counts(),
        "mapped": report.mapped,
        "kept_in_part": report.warnings,
        "refusals": [{"place": place, "reason": reason} for place, reason in report.named],
        "reasons": dict(report.reasons.most_common()),
        "left_out": dict(report.left_out.most_common()),
        "unmapped_fields": dict(report.unmapped.most_common()),
        "remarks": dict(report.remarks.most_common()),
        "unpriced": [{"model": model, "reason": reason, "calls": calls} for model, reason, calls in unpriced],
        "first": _instant(report.first_ns),
        "last": _instant(report.last_ns),
    }


def as_text(
    report: Report, source: str, unpriced: list[tuple[str, str, int]], *, dry_run: bool, whole: bool
) -> str:
    """The report for people."""
    lines = [f"{report.read:,} records read from {source}"]
    if dry_run:
        lines.append(f"{report.mapped:,} would be imported (dry run: nothing was stored)")
    else:
        lines += [f"{report.imported:,} imported", f"{report.already_there:,} already there"]
        if report.buckets:
            lines.append(
                f"{report.buckets:,} buckets of the vendor's own counting"
                f" ({report.buckets_new:,} new, {report.buckets_changed:,} changed)"
            )
    lines += [f"{count:,} {what} left out" for what, count in report.left_out.most_common()]
    lines.append(f"{report.refused:,} refused")
    lines += [f"  {place}: {reason}" for place, reason in report.named]
    if report.refused > len(report.named):
        lines.append(f"  and {report.refused - len(report.named):,} more; by reason:")
        lines += [f"  {count:,} x {reason}" for reason, count in report.reasons.most_common(20)]
    lines += [f"{count:,} {remark}" for remark, count in report.remarks.most_common()]
    if report.warnings:
        lines.append(
            f"{report.warnings:,} kept without values that are too large (HOLDFAST_MAX_ATTRIBUTE_BYTES)"
        )
    if report.unmapped:
        shown = ", ".join(f"{name} ({count:,})" for name, count in report.unmapped.most_common(30))
        lines.append(f"fields that have no place here: {shown}")
    for model, reason, calls in unpriced[:20]:
        lines.append(f"not priced: {model or 'no model'}, {calls:,} calls: {reason}")
    if report.first_ns:
        lines.append(f"from {_instant(report.first_ns)} to {_instant(report.last_ns)}")
    if not whole:
        lines.append("not finished: run the same command again, and it goes on where it was")
    return "\n".join(lines)


def _instant(nanoseconds: int) -> str | None:
    if not nanoseconds:
        return None
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).isoformat().replace("+00:00", "Z")
