"""Nouns of the gateway: what people configure, and the snapshot of it that a gateway process lives from.

They are msgspec structs because they cross processes: a document that people write (YAML or JSON) is checked against
`Configuration` by `msgspec.convert`, a snapshot travels as MessagePack. All are immutable once made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from holdfast.pricing.model import Rates


class Dialect(StrEnum):
    """The protocol that an upstream speaks, or a client."""

    OPENAI = (
        "openai"  # /chat/completions, /responses, /embeddings, … also vLLM, llama.cpp, Azure, Groq, Mistral
    )
    ANTHROPIC = "anthropic"  # /v1/messages
    GEMINI = "gemini"  # models/…:generateContent
    BEDROCK = "bedrock"  # /model/…/converse, signed with SigV4


class Auth(StrEnum):
    """How a credential is sent to an upstream."""

    BEARER = "bearer"  # authorization: Bearer …
    X_API_KEY = "x-api-key"  # Anthropic
    API_KEY = "api-key"  # Azure
    GOOGLE = "x-goog-api-key"  # Gemini
    SIGV4 = "sigv4"  # AWS
    NONE = "none"


class Period(StrEnum):
    """A budget's window, in the workspace's time zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Scope(StrEnum):
    """What a budget or limit may be over. A request counts against each scope that it has a value for."""

    WORKSPACE = "workspace"
    SYSTEM = "system"
    TENANT = "tenant"
    USER = "user"
    KEY = "key"
    ROUTE = "route"
    AGENT = "agent"
    MODEL = "model"
    RUN = "run"


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What people write: an unknown field is an error with its place."""


class Timeouts(_Written, frozen=True, kw_only=True):
    """Seconds that an upstream may take."""

    connect: float = 5.0
    first_byte: float = 120.0
    between_bytes: float = 60.0
    total: float = 900.0


class Upstream(_Written, frozen=True, kw_only=True):
    """Where requests go. `credential` is a reference (`secret:…`; env:, file:, vault: where the operator writes)."""

    dialect: Dialect
    base_url: str  # with the version's path: https://api.openai.com/v1, https://api.anthropic.com/v1
    auth: Auth | None = None  # None: as is usual for the dialect
    credential: str = ""
    provider: str = ""  # gen_ai.provider.name, for prices and records; empty: as is usual for the dialect
    models: tuple[str, ...] = ()  # empty: any
    region: str = ""
    timeouts: Timeouts = Timeouts()
    concurrency: int = 256  # most requests at once; the adaptive limit moves below it
    headers: Mapping[str, str] = {}
    prices: Mapping[str, Mapping[str, Decimal]] = {}
    """Model → bucket (`Usage` field) → amount in USD per million tokens: before the price book and the list."""


class Target(_Written, frozen=True, kw_only=True):
    """One upstream of a chain and the model to ask it for; empty: the model that the client named."""

    upstream: str
    model: str = ""


class Variable(_Written, frozen=True, kw_only=True):
    """A declared variable of a prompt."""

    type: str = "string"  # string | number | boolean | json
    required: bool = True
    default: Any = None


class Prompt(_Written, frozen=True, kw_only=True):
    """A managed prompt: messages whose text may hold `{{name}}`, rendered in the gateway."""

    messages: tuple[Mapping[str, Any], ...]
    variables: Mapping[str, Variable] = {}


class Release(_Written, frozen=True, kw_only=True):
    """One content-hashed way to answer a route: where, and with what laid over the request."""

    chain: tuple[Target, ...]
    parameters: Mapping[str, Any] = {}  # laid over the request's own: temperature, max_completion_tokens, …
    prompt: Prompt | None = None
    continue_on_fallback: bool = False  # a stream that breaks goes on at the next target


class Variant(_Written, frozen=True, kw_only=True):
    """A share of a route's traffic. Shares are weights: they need not sum to anything."""

    release: str
    weight: int = 1


class Shadow(_Written, frozen=True, kw_only=True):
    """A copy of some requests to another release; its answer is dropped, its call recorded."""

    release: str
    percent: float = 1.0
    concurrency: int = 4


class Route(_Written, frozen=True, kw_only=True):
    """What a request is for."""

    release: str = ""  # all traffic; or `variants`
    variants: tuple[Variant, ...] = ()
    sticky: tuple[str, ...] = (
        "session",
        "user",
        "tenant",
    )  # the first that a request has decides its variant
    models: tuple[str, ...] = ()  # model names by which a client asks for this route
    system: str = ""  # empty: the key's
    shadow: Shadow | None = None
    retries: int = 2  # beyond the first try, over all targets of the chain
    max_output_tokens: int | None = None  # given upstream where a client names none
    cache_seconds: int = 0  # exact response cache; 0: none
    cache_tools: bool = False  # also requests with tools
    deadline: float = 0.0  # seconds to wait in a queue for a place at the upstream; 0: 10 s
    priority: int = 0  # higher is shed later
    message: str = ""  # the workspace's own answer when nothing else is left; empty: an error


class Budget(_Written, frozen=True, kw_only=True):
    """Money that may be spent in a window, over each value of a scope, or over those that `only` names."""

    scope: Scope
    amount: Decimal
    period: Period = Period.MONTH
    only: tuple[str, ...] = ()
    hard: bool = True
    currency: str = "USD"


class Limit(_Written, frozen=True, kw_only=True):
    """Rates, concurrency and ceilings of a run, over each value of a scope, or over those that `only` names."""

    scope: Scope
    only: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    run_cost: Decimal | None = None  # USD, for scope run
    run_steps: int | None = None
    same_tool_calls: int | None = (
        None  # a run that repeats one tool call with the same arguments more often is stopped
    )


class KeyUse(_Written, frozen=True, kw_only=True):
    """What a client key stands for beyond its workspace."""

    system: str = ""
    environment: str = ""
    route: str = ""  # where a request names none
    routes: tuple[str, ...] = ()  # allowed; empty: all
    models: tuple[str, ...] = ()  # allowed; empty: all
    agent: str = ""
    tenant: str = ""


class Configuration(_Written, frozen=True, kw_only=True):
    """The gateway of one workspace, as written and applied whole."""

    upstreams: Mapping[str, Upstream] = {}
    releases: Mapping[str, Release] = {}
    routes: Mapping[str, Route] = {}
    keys: Mapping[str, KeyUse] = {}  # by key id
    budgets: tuple[Budget, ...] = ()
    limits: tuple[Limit, ...] = ()
    regions: Mapping[
        str, tuple[str, ...]
    ] = {}  # system → regions that may see its traffic; `*` for all systems


class Sealed(msgspec.Struct, frozen=True):
    """A secret of a workspace as it is kept: opened with the master key, in the gateway alone."""

    id: str
    text: str
    data_key: str
    wrapped: bytes
    master: str


class ClientKey(msgspec.Struct, frozen=True):
    """A key at the door; the snapshot holds it under the SHA-256 of its text."""

    id: str
    workspace: str
    expires_at: datetime | None = None


class Workspace(msgspec.Struct, frozen=True):
    """One workspace in a snapshot: what was applied, and what the core worked out from it."""

    id: str
    slug: str
    time_zone: str
    version: int
    configuration: Configuration
    release_ids: Mapping[str, str] = {}  # name → content-hashed id
    rates: Mapping[str, Mapping[str, Rates]] = {}  # upstream → model → what its tokens cost now
    sealed: Mapping[str, Sealed] = {}  # by reference
    content: bool = True  # whether what was said goes into the records; telemetry's own policy then decides


class Snapshot(msgspec.Struct, frozen=True):
    """All that a gateway knows. A later epoch replaces an earlier one whole."""

    epoch: int
    made_at: datetime
    workspaces: Mapping[str, Workspace] = {}  # by id
    keys: Mapping[str, ClientKey] = {}  # by SHA-256 in hex


class Signed(msgspec.Struct, frozen=True):
    """A snapshot on its way: MessagePack of it, and the core's Ed25519 signature over exactly these bytes."""

    body: bytes
    signature: bytes


class Dimensions(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of itself, or its key does; empty: not said."""

    system: str = ""
    environment: str = ""
    route: str = ""
    agent: str = ""
    tenant: str = ""
    user: str = ""
    session: str = ""
    feature: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a workspace's configuration as it was applied. `release_ids`: name → id in the registry."""

    workspace: str
    version: int
    document: Mapping[str, Any]
    release_ids: Mapping[str, str]
    applied_at: datetime
    applied_by: str
    note: str = ""

    @property
    def configuration(self) -> Configuration:
        """What it says."""
        return msgspec.convert(self.document, Configuration)


class UpstreamState(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream and model are doing in one gateway; what is not known is None."""

    workspace: str
    upstream: str
    model: str = ""
    breaker: str = "closed"  # closed | open | half-open
    reason: str = ""  # why it is not closed
    since: datetime | None = None  # when the breaker last changed
    limit: int | None = None  # requests that may be in flight now
    in_flight: int = 0
    waiting: int = 0
    requests: int = 0  # of the last minute
    failures: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None


class LiveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that a gateway is serving; no content of it."""

    workspace: str
    call_id: str
    started_at: datetime
    route: str = ""
    release: str = ""
    upstream: str = ""
    model: str = ""
    key: str = ""
    system: str = ""
    streaming: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway process says of itself every few seconds."""

    id: str
    epoch: int
    version: str
    started_at: datetime
    at: datetime
    upstreams: tuple[UpstreamState, ...] = ()
    live: tuple[LiveRequest, ...] = ()
    spool_records: int = 0
    spool_bytes: int = 0
    spool_since: datetime | None = None  # of the oldest record that waits
