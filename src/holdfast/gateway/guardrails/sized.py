"""How much may be said."""

from __future__ import annotations

from holdfast.gateway.guardrails.judging import Finding
from holdfast.kernel.errors import Invalid


class Sized:
    """Finds that there is more than a number of bytes, counted over all texts together."""

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        self._most = most

    def find(self, text: str, said: int) -> list[Finding]:
        """That it is too much."""
        return [Finding(0, 0, "size")] if said > self._most else []


def sized(most: int | None) -> Sized:
    """A judge of size. Raises Invalid."""
    if most is None or most < 1:
        raise Invalid("say how many bytes of text there may be at most, at least 1", where="max_bytes")
    return Sized(most)
