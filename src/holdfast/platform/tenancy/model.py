"""Nouns of tenancy: workspaces, AI systems, environments, and what may be captured and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RiskTier(StrEnum):
    """Risk tiers in the words of the EU AI Act; unassessed until somebody decides."""

    UNASSESSED = "unassessed"
    MINIMAL = "minimal"
    LIMITED = "limited"
    HIGH = "high"


class CaptureMode(StrEnum):
    """What happens to captured content before it is stored."""

    ON = "on"
    OFF = "off"
    SAMPLED = "sampled"
    REDACTED = "redacted"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A client boundary. `zone` is the IANA time zone of its days and months."""

    id: str
    slug: str
    name: str
    zone: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class System:
    """One AI system in scope. `slug` is what telemetry calls it (`service.name`)."""

    id: str
    workspace: str
    slug: str
    name: str
    purpose: str
    owner: str
    sponsor: str
    escalation_contact: str
    risk_tier: RiskTier
    regions: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a system runs: production, staging, …"""

    id: str
    workspace: str
    slug: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DataPolicy:
    """What is captured and how long it is kept, for a workspace or (with `system`) one system of it.

    `sample_rate` is a share from 0 to 1, used by mode SAMPLED. Days count from the record's own time.
    """

    workspace: str
    system: str = ""
    capture: CaptureMode = CaptureMode.REDACTED
    sample_rate: float = 1.0
    redact_kinds: tuple[str, ...] = ("email", "phone", "iban", "card", "key")
    dlp_webhook: str = ""
    content_days: int = 30
    span_days: int = 400
    call_days: int = 800
