"""Every format that suites are imported from, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from holdfast.evals.imports.datasets import langfuse, langsmith, openai, tabular
from holdfast.evals.imports.drafts import Format
from holdfast.evals.imports.promptfoo import promptfoo

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "promptfoo": promptfoo,
        "openai": openai,
        "langfuse": langfuse,
        "langsmith": langsmith,
        "csv": tabular,
        "jsonl": tabular,
    }
)
