"""Five ways to break the assistant for real, each a switch that is on or off."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from demo.assistant.knobs import OTHER_MODEL, PREAMBLE, Knobs


@dataclass(frozen=True)
class Break:
    """A way to break it: what the button says and what really happens."""

    title: str
    effect: str


BREAKS: Mapping[str, Break] = MappingProxyType(
    {
        "lengthen-prompt": Break(
            "Lengthen the prompt", "a preamble of 174 tokens goes before each system prompt"
        ),
        "model-parameters": Break(
            "Change model parameters", "temperature rises to 1.4 and the token limit doubles"
        ),
        "swap-model": Break(
            "Swap the model", "answers come from another build of the model, while requests name the old one"
        ),
        "slow-upstream": Break("Slow the upstream", "each request waits 3 s before it leaves for the model"),
        "new-topic": Break(
            "Send a new topic", "people ask about pensions abroad and IT security, which no policy covers"
        ),
    }
)


class Switchboard:
    """Which breaks are on. Thread-safe; lives as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: set[str] = set()

    def turn(self, name: str, on: bool) -> None:
        """Turns one on or off; twice is the same as once. Raises KeyError for an unknown name."""
        if name not in BREAKS:
            raise KeyError(name)
        with self._lock:
            if on:
                self._on.add(name)
            else:
                self._on.discard(name)

    def is_on(self, name: str) -> bool:
        """Whether the break is on now."""
        with self._lock:
            return name in self._on

    def knobs(self) -> Knobs:
        """What the assistant does differently now."""
        with self._lock:
            on = frozenset(self._on)
        return Knobs(
            preamble=PREAMBLE if "lengthen-prompt" in on else "",
            temperature=1.4 if "model-parameters" in on else None,
            length=2.0 if "model-parameters" in on else 1.0,
            delay_s=3.0 if "slow-upstream" in on else 0.0,
            served_by=OTHER_MODEL if "swap-model" in on else "",
        )
