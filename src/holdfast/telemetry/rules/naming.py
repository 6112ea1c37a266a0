"""When two names of a model can mean the same one."""

from __future__ import annotations

import re
from functools import lru_cache

from holdfast.telemetry.model import Facts

DATED = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|\d{6}|latest)(?:[-:].*)?$|[-:]v\d+(?::\d+)?$")
REGION = re.compile(r"^(?:us|eu|apac|global|us-gov)\.")
VENDOR = re.compile(r"^(?:anthropic|amazon|meta|cohere|mistral|ai21)\.")


@lru_cache(maxsize=4096)
def family(model: str) -> str:
    """A model's name without vendor path, region, date and version: what its snapshots have in common."""
    name = model.strip().lower().rpartition("/")[2]
    name = VENDOR.sub("", REGION.sub("", name))
    return DATED.sub("", name) or name


def model_keys(facts: Facts) -> frozenset[str]:
    """The families that a call names, asked for, before a gateway and behind it, or answered by."""
    names = (facts.request_model, facts.response_model, facts.asked_model)
    return frozenset(family(one) for one in names if one)


def compatible_models(one: frozenset[str], two: frozenset[str]) -> bool:
    """Whether they share a family, or one of them names no model at all."""
    return not one or not two or not one.isdisjoint(two)
