"""The grader of tool calls: which tools the answer calls, with what arguments, in what order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from holdfast.evals.graders.grading import Bounds, Fault, Finding, Made, Outside
from holdfast.evals.graders.json_texts import Likeness
from holdfast.evals.graders.numbers import tolerance_faults
from holdfast.evals.model import Answer, Case, ToolCall

MOST_CALLS = 200


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    """A call that is expected. `subset`: the arguments named here are there, others may be."""

    name: str
    arguments: dict[str, Any] = {}
    match: Literal["exact", "subset", "ignored"] = "exact"


class _Tools(msgspec.Struct, forbid_unknown_fields=True):
    expected: list[Expected] = []
    order: Literal["strict", "any"] = "any"
    forbidden: list[str] = []
    extra: bool = False
    """Whether calls beside those expected are no fault."""
    count: Bounds | None = None
    absolute: float = 0.0
    relative: float = 0.0
    normalised: bool = False


def _faults(params: _Tools) -> Iterator[Fault]:
    if len(params.expected) > MOST_CALLS:
        yield "expected", f"list {MOST_CALLS} calls at most"
    for index, one in enumerate(params.expected):
        if one.name in params.forbidden:
            yield f"expected[{index}].name", f"{one.name} is forbidden as well"
    if params.count is not None:
        yield from params.count.faults("count")
        if params.count.most is not None and params.count.most < len(params.expected):
            yield "count.most", f"{len(params.expected)} calls are expected"
    yield from tolerance_faults(params.absolute, params.relative)
    if params.extra and not (params.expected or params.forbidden or params.count):
        yield "", "say what to look for in expected, forbidden or count"


def arguments_of(call: ToolCall) -> Any:
    """The arguments of a call; None where they are no JSON. A tool without any may be called with an empty text."""
    if call.parsed is not None or not call.arguments.strip():
        return call.parsed if call.parsed is not None else {}
    try:
        return msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _fits(call: ToolCall, arguments: Any, expected: Expected, like: Likeness) -> bool:
    if call.name != expected.name:
        return False
    if expected.match == "ignored":
        return True
    if expected.match == "exact":
        return like.same(arguments, expected.arguments)
    return isinstance(arguments, Mapping) and all(
        name in arguments and like.same(arguments[name], value) for name, value in expected.arguments.items()
    )


def in_order(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """For each expected call, the call that fulfils it, both in the same order; as many as can be.

    `fits[i][j]`: whether call j fulfils expectation i. The longest common subsequence.
    """
    calls = len(fits[0]) if fits else 0
    best = [[0] * (calls + 1) for _ in range(len(fits) + 1)]
    for i in range(len(fits) - 1, -1, -1):
        for j in range(calls - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + 1 if fits[i][j] else 0)
    paired: list[int | None] = [None] * len(fits)
    i = j = 0
    while i < len(fits) and j < calls:
        if fits[i][j] and best[i][j] == best[i + 1][j + 1] + 1:
            paired[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return paired


def in_any_order(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """As `in_order`, in whatever order: a maximum matching (Kuhn's augmenting paths)."""
    taken: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j, fit in enumerate(fits[i]):
            if fit and j not in seen:
                seen.add(j)
                if j not in taken or place(taken[j], seen):
                    taken[j] = i
                    return True
        return False

    for i in range(len(fits)):
        place(i, set())
    by_expected = {i: j for j, i in taken.items()}
    return [by_expected.get(i) for i in range(len(fits))]


def _look(_: Case, params: _Tools, answer: Answer, __: Outside) -> Finding:
    calls = answer.tool_calls
    if len(calls) > MOST_CALLS:
        return Finding(None, f"the answer has {len(calls)} tool calls; {MOST_CALLS} are judged at most")
    forbidden = sorted({call.name for call in calls} & set(params.forbidden))
    if forbidden:
        return Finding(0.0, f"it calls {', '.join(forbidden)}, which is forbidden", {"forbidden": forbidden})
    if params.count is not None and not params.count.hold(len(calls)):
        return Finding(0.0, f"{len(calls)} calls; {params.count} are asked for", {"count": len(calls)})
    like = Likeness(Decimal(str(params.absolute)), Decimal(str(params.relative)), params.normalised)
    read = [(call, arguments_of(call)) for call in calls]
    fits = [[_fits(call, arguments, one, like) for call, arguments in read] for one in params.expected]
    paired = in_order(fits) if params.order == "strict" else in_any_order(fits)
    missing = [one.name for one, call in zip(params.expected, paired, strict=True) if call is None]
    matched = len(params.expected) - len(missing)
    extra = [] if params.extra else [call.name for j, call in enumerate(calls) if j not in set(paired)]
    whole = matched + max(len(missing), len(extra))
    said = [f"no call of {name} as expected" for name in missing] + [
        f"{name} is called beside" for name in extra
    ]
    unread = [call.name for call, arguments in read if arguments is None]
    details = {
        name: names
        for name, names in (("missing", missing), ("extra", extra), ("unreadable", unread))
        if names
    }
    return Finding(matched / whole if whole else 1.0, "; ".join(said)[:500], details)


TOOL_CALLS = Made("tool_calls", "1", _Tools, _look, _faults)
