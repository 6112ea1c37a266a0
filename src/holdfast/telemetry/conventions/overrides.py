"""Scopes that count tokens differently from the rule of their convention, as found on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.conventions.convention import ScopeOverride

BY_SCOPE: Final[Mapping[str, ScopeOverride]] = {
    # OpenLIT 1.45 hands on Anthropic's own count, which leaves cache reads and writes out; Bedrock likewise.
    "openlit.instrumentation.anthropic": ScopeOverride(input_includes_cache=False),
    "openlit.instrumentation.bedrock": ScopeOverride(input_includes_cache=False),
}


ROOTS: Final = frozenset(scope.partition(".")[0] for scope in BY_SCOPE)


def override_for(scope: str, overrides: Mapping[str, ScopeOverride] | None) -> ScopeOverride | None:
    """The override of a scope or of the nearest dotted prefix of it; the caller's own go first."""
    if not overrides and scope.partition(".")[0] not in ROOTS:
        return None
    for table in (overrides, BY_SCOPE) if overrides else (BY_SCOPE,):
        name = scope
        while name:
            found = table.get(name)
            if found is not None:
                return found
            name = name.rpartition(".")[0]
    return None


def parse_overrides(text: str) -> dict[str, ScopeOverride]:
    """Overrides from JSON: `{"my.scope": {"input_includes_cache": false}}`. Raises Invalid that names the fault."""
    where = "scope_overrides"
    try:
        given = json.loads(text)
    except ValueError as error:
        raise Invalid(f"HOLDFAST_SCOPE_OVERRIDES is not JSON: {error}", where=where) from error
    if not isinstance(given, dict):
        raise Invalid("HOLDFAST_SCOPE_OVERRIDES is not a JSON object of scopes", where=where)
    known = {"input_includes_cache", "output_includes_reasoning"}
    for scope, fields in given.items():
        if (
            not isinstance(fields, dict)
            or fields.keys() - known
            or {type(v) for v in fields.values()} - {bool}
        ):
            raise Invalid(
                f"the override of {scope!r} holds {' and '.join(sorted(known))}, true or false", where=where
            )
    return {scope: ScopeOverride(**fields) for scope, fields in given.items()}
