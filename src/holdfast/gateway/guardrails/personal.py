"""Personal data and secrets, by the detectors of `text`."""

from __future__ import annotations

from holdfast.gateway.guardrails.judging import Finding
from holdfast.kernel.errors import Invalid
from holdfast.text import detectors

SECRETS = ("key",)
ENTITIES = tuple(kind for kind in detectors.KINDS if kind not in SECRETS)


class Personal:
    """Finds what of `kinds` is in a text."""

    __slots__ = ("_kinds", "_region")

    def __init__(self, kinds: tuple[str, ...], region: str = "") -> None:
        self._kinds = kinds
        self._region = region or None

    def find(self, text: str, said: int) -> list[Finding]:
        """Each finding with its kind."""
        return [
            Finding(one.start, one.end, one.kind) for one in detectors.find(text, self._kinds, self._region)
        ]


def personal(entities: tuple[str, ...], region: str) -> Personal:
    """A judge of personal data. Raises Invalid with the field."""
    for entity in entities:
        if entity not in ENTITIES:
            raise Invalid(f"an entity is one of {', '.join(ENTITIES)}", where="entities")
    if region and not (len(region) == 2 and region.isascii() and region.isalpha() and region.isupper()):
        raise Invalid("write the region as its ISO 3166 code, such as DE", where="region")
    return Personal(entities or ENTITIES, region)
