"""What a reader of export files is: records in, spans, vendors' buckets and honest refusals out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from holdfast.telemetry.model import Attributes, Span, VendorUsage


class Misfit(ValueError):
    """A record that cannot be read: what is wrong, and how to mend it."""


class Unmapped(NamedTuple):
    """A record that becomes nothing, and why."""

    reason: str


class Ignored(NamedTuple):
    """A record that is known and left out on purpose: what it is, in the plural."""

    what: str


Item = Span | VendorUsage | Unmapped | Ignored
"""What a record becomes; one record may become several."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the one who imports says of all records. Empty: the records say it themselves, or nobody knows.

    `at_ns` is the time of records that state none, in Unix nanoseconds; 0: they are refused.
    """

    system: str = ""
    environment: str = ""
    at_ns: int = 0

    @property
    def resource(self) -> Attributes:
        """As OpenTelemetry says it."""
        named = {"service.name": self.system, "deployment.environment.name": self.environment}
        return {name: value for name, value in named.items() if value}


@dataclass(slots=True)
class Tally:
    """What a reader meets by the way: fields that it has no place for, and remarks, each with its number."""

    fields: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)


class Reader(Protocol):
    """Reads the records of one product's exports. Asks nobody; keeps only its tally and what records share."""

    @property
    def tally(self) -> Tally:
        """What was met so far."""

    def read(self, record: Any) -> Iterator[Item]:
        """What a record becomes. Raises Misfit where it cannot be read; what came before stays."""


def texts(record: dict[str, Any]) -> Iterator[str]:
    """The names of fields that hold something."""
    return (name for name, value in record.items() if value not in (None, "", [], {}))
