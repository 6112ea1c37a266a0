"""What a change does to guardrails: whether any of them sees, finds or stops less than before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from holdfast.changes.model import ChangeClass
from holdfast.gateway.model import Action, Guardrail, GuardrailKind, OnFailure, Side

Found = tuple[ChangeClass, str, str]
"""Class, place below the component, what."""
_MAJOR, _MODERATE = ChangeClass.MAJOR, ChangeClass.MODERATE
_ACTIONS = (Action.FLAG, Action.REDACT, Action.BLOCK)
_SIDES = {side: {side} for side in (Side.INPUT, Side.OUTPUT)} | {Side.BOTH: {Side.INPUT, Side.OUTPUT}}
_UNTOLD = ("region", "schema", "url", "credential")
"""Of a change in these nobody can tell whether it weakens."""


def judged(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Found]:
    """Each change of the guardrails of a release, as registered; None: it has none."""
    ours, theirs = _read(old), _read(new)
    if ours is None or theirs is None:
        return [(_MAJOR, "", "these guardrails are not of a form that can be judged")]
    found = list(_judged(ours, theirs))
    if not found:
        same = [_plain(one) for one in ours.values()] == [_plain(one) for one in theirs.values()]
        what = "written otherwise; they judge the same" if same else "changed in a way that no rule knows"
        found.append((ChangeClass.MINOR if same else _MAJOR, "", what))
    return found


def _judged(ours: Mapping[str, Guardrail], theirs: Mapping[str, Guardrail]) -> Iterator[Found]:
    kept = [name for name in theirs if name in ours]
    if [name for name in ours if name in theirs] != kept:
        yield _MAJOR, "/guardrails", "guardrails stand in another order"
    for name in ours:
        if name not in theirs:
            yield _MAJOR, f"/guardrails/{name}", "guardrail removed"
    last = max((place for place, name in enumerate(theirs) if name in ours), default=-1)
    for place, (name, one) in enumerate(theirs.items()):
        at = f"/guardrails/{name}"
        before = ours.get(name)
        if place < last and _alters(one) and (before is None or not _alters(before)):
            yield _MAJOR, at, "it alters what the guardrails after it get to see"
        if before is None:
            yield _MODERATE, at, "guardrail added"
        else:
            for change, field, what in _changed(before, one):
                yield change, f"{at}/{field}", what


def _read(body: Mapping[str, Any] | None) -> dict[str, Guardrail] | None:
    """By name, in their order; None where it is not as the gateway registers them."""
    if body is None:
        return {}
    listed = body.get("guardrails")
    if set(body) != {"guardrails"} or not isinstance(listed, list | tuple):
        return None
    found: dict[str, Guardrail] = {}
    for one in listed:
        said = dict(one) if isinstance(one, Mapping) else {}
        name = said.pop("name", None)
        if not isinstance(name, str) or name in found:
            return None
        try:
            found[name] = msgspec.convert(said, Guardrail)
        except msgspec.ValidationError:
            return None
    return found


def _alters(one: Guardrail) -> bool:
    """Whether what passes it may be another text than what came: a webhook says itself what to redact."""
    return one.action is Action.REDACT or (
        one.kind is GuardrailKind.WEBHOOK and one.action is not Action.FLAG
    )


def _plain(one: Guardrail) -> bytes:
    """What it comes to, however it is written."""
    entities = tuple(sorted(set(one.entities)))
    return _json(msgspec.structs.replace(one, entities=entities, on_failure=_fails(one)))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _fails(one: Guardrail) -> OnFailure:
    return one.on_failure or (OnFailure.OPEN if one.action is Action.FLAG else OnFailure.CLOSED)


def _changed(old: Guardrail, new: Guardrail) -> Iterator[Found]:
    if old.kind is not new.kind:
        yield _MAJOR, "kind", f"judges by {new.kind} and no longer by {old.kind}"
        return
    if old.action is not new.action:
        weaker = _ACTIONS.index(new.action) < _ACTIONS.index(old.action)
        yield _class(weaker), "action", f"{new.action} where it was {old.action}"
    if old.at is not new.at:
        weaker = not _SIDES[new.at] >= _SIDES[old.at]
        yield _class(weaker), "at", f"judges {_sides(new.at)} where it judged {_sides(old.at)}"
    if _fails(old) is not _fails(new):
        weaker = _fails(new) is OnFailure.OPEN
        yield _class(weaker), "on_failure", f"when it cannot judge, {_fails(new)} where it was {_fails(old)}"
    yield from _entities(old, new)
    yield from _rules(old, new)
    yield from _sizes(old, new)
    for field in _UNTOLD:
        if _json(getattr(old, field)) != _json(getattr(new, field)):
            yield _MAJOR, field, "changed; whether it finds as much cannot be told"
    if old.message != new.message:
        yield _MODERATE, "message", "what is told when it blocks"


def _entities(old: Guardrail, new: Guardrail) -> Iterator[Found]:
    if set(old.entities) != set(new.entities):
        gone = sorted({*old.entities} - {*new.entities})
        weaker = bool(new.entities) and (not old.entities or bool(gone))
        what = f"no longer looks for {', '.join(gone)}" if gone else "looks for some, no longer for all"
        yield _class(weaker), "entities", what if weaker else "looks for more"


def _rules(old: Guardrail, new: Guardrail) -> Iterator[Found]:
    ours, theirs = ([(one.name, one.pattern) for one in some.rules] for some in (old, new))
    gone = sorted({name for name, _ in {*ours} - {*theirs}})
    if gone:
        yield _MAJOR, "rules", f"patterns removed or changed: {', '.join(gone)}"
    elif [one for one in theirs if one in ours] != ours:
        yield _MAJOR, "rules", "patterns stand in another order"
    elif ours != theirs:
        yield _MODERATE, "rules", f"{len(theirs) - len(ours)} patterns added"


def _sizes(old: Guardrail, new: Guardrail) -> Iterator[Found]:
    if old.max_bytes != new.max_bytes:
        weaker = new.max_bytes is None or (old.max_bytes is not None and new.max_bytes > old.max_bytes)
        yield _class(weaker), "max_bytes", f"{new.max_bytes} where it was {old.max_bytes}"
    if old.window != new.window:
        yield _class(new.window < old.window), "window", f"{new.window} characters, not {old.window}"
    if old.timeout_ms != new.timeout_ms:
        weaker = new.timeout_ms < old.timeout_ms and _fails(new) is OnFailure.OPEN
        yield _class(weaker), "timeout_ms", f"{new.timeout_ms} milliseconds, not {old.timeout_ms}"


def _class(weaker: bool) -> ChangeClass:
    return _MAJOR if weaker else _MODERATE


def _sides(side: Side) -> str:
    return "requests and answers" if side is Side.BOTH else "requests" if side is Side.INPUT else "answers"
