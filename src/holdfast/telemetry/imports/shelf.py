"""The readers by the name that the command line calls them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.imports.anthropic import Anthropic
from holdfast.telemetry.imports.holdfast import Holdfast
from holdfast.telemetry.imports.langfuse import Langfuse
from holdfast.telemetry.imports.litellm import LiteLLM
from holdfast.telemetry.imports.mapped import Mapped, mapping_of
from holdfast.telemetry.imports.openai import OpenAI
from holdfast.telemetry.imports.reader import Item, Reader, Told, Unmapped

FORMATS: Final = ("langfuse", "litellm", "openai", "anthropic", "jsonl")
EXACT: Final = frozenset(("openai", "anthropic"))
"""Formats whose money is a number in JSON, which is read as it is written."""

MISSHAPEN = (ValueError, TypeError, AttributeError, ArithmeticError, LookupError)
"""What reading a record of the wrong shape can raise; Misfit is among them."""


def reader(name: str, told: Told, mapping: Any = None) -> Reader:
    """A fresh reader. `mapping`: the contents of a mapping file, for `jsonl`. Raises Invalid."""
    if mapping is not None and name != "jsonl":
        raise Invalid(f"--mapping is for jsonl; {name} is known as it is", where="mapping")
    if name == "jsonl":
        return Holdfast(told) if mapping is None else Mapped(mapping_of(mapping), told)
    made: dict[str, type[Langfuse] | type[LiteLLM] | type[OpenAI] | type[Anthropic]] = {
        "langfuse": Langfuse,
        "litellm": LiteLLM,
        "openai": OpenAI,
        "anthropic": Anthropic,
    }
    if name not in made:
        raise Invalid(f"there is no format {name[:40]!r}; there are {', '.join(FORMATS)}", where="format")
    return made[name](told)


def items(reading: Reader, record: Any) -> Iterator[Item]:
    """What a record becomes; one of the wrong shape becomes a refusal that says so."""
    try:
        yield from reading.read(record)
    except MISSHAPEN as error:
        known = type(error).__name__ == "Misfit"
        yield Unmapped(
            str(error)[:300] if known else f"it does not have the shape it should: {error!r}"[:300]
        )
