"""Prompts that were written elsewhere, as the gateway would take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from holdfast.gateway.model import Prompt
from holdfast.gateway.rules import configured_releases


def prompt(messages: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The body of a prompt component with its variables declared from the placeholders, and why the gateway would refuse
    it: place and remedy each, none where it takes it.
    """
    made = Prompt(messages=tuple(messages), variables=configured_releases.variables(messages))
    faults = configured_releases.prompt_faults("prompt", made)
    body: Mapping[str, Any] = msgspec.to_builtins(made)
    return body, tuple(f"{one.where}: {one.what}" for one in faults)
