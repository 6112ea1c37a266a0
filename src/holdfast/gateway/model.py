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

SCOPE = "holdfast.gateway"
"""The instrumentation scope of the spans that gateways record."""


class Dialect(StrEnum):
    """The protocol that an upstream speaks, or a client."""

    OPENAI = (
        "openai"  # /chat/completions, /responses, /embeddings, … also vLLM, llama.cpp, Azure, Groq, Mistral
    )
    ANTHROPIC = "anthropic"  # /v1/messages
    GEMINI = "gemini"  # models/…:generateContent
    BEDROCK = "bedrock"  # Claude at /model/…/invoke, signed with SigV4


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


class GuardrailKind(StrEnum):
    """What a guardrail judges by."""

    PII = "pii"  # personal data, by form and checksum
    SECRETS = "secrets"  # API keys, tokens, private keys, passwords in URLs
    RULES = "rules"  # a list of patterns
    SIZE = "size"
    SCHEMA = "schema"  # whether an answer is JSON of a stated form
    WEBHOOK = "webhook"


class Side(StrEnum):
    """Which way a guardrail looks."""

    INPUT = "input"
    OUTPUT = "output"
    BOTH = "both"


class Action(StrEnum):
    """What a guardrail does about what it finds."""

    FLAG = "flag"  # says so in the record, and changes nothing
    REDACT = "redact"
    BLOCK = "block"


OWN_PRICE = "gateway:"
"""How the price ids begin of prices that an upstream's own configuration states."""


class OnFailure(StrEnum):
    """What becomes of a request or an answer that a guardrail could not judge."""

    OPEN = "open"  # it passes
    CLOSED = "closed"


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What people write: an unknown field is an error with its place."""


class Timeouts(_Written, frozen=True, kw_only=True):
    """Seconds that an upstream may take."""

    connect: float = 5.0
    first_byte: float = 120.0
    between_bytes: float = 60.0
    total: float = 900.0


class Upstream(_Written, frozen=True, kw_only=True):
    """Where requests go. `credential` is a reference (`secret:…`; env:, file:, vault:, workload: from the operator)."""

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


class Rule(_Written, frozen=True, kw_only=True):
    """A pattern in RE2's syntax; what it matches is named after the rule."""

    name: str
    pattern: str


class Guardrail(_Written, frozen=True, kw_only=True):
    """A judge of what is said on the way. Fields that its kind does not use are left out."""

    kind: GuardrailKind
    action: Action
    at: Side = Side.BOTH
    entities: tuple[str, ...] = ()  # pii: email, phone, iban, card; empty: all
    region: str = ""  # pii: ISO 3166 code by which local phone numbers are known
    rules: tuple[Rule, ...] = ()
    max_bytes: int | None = None  # size: UTF-8 bytes of all texts together
    schema: Mapping[str, Any] = {}
    url: str = ""  # webhook
    credential: str = ""  # webhook: a reference; sent as Authorization: Bearer
    timeout_ms: int = 1000
    on_failure: OnFailure | None = None  # None: closed, but open for what only flags
    window: int = 256  # characters of a stream held back; a webhook is asked once for so many
    message: str = ""  # told to the client when it blocks


class AgentStep(_Written, frozen=True, kw_only=True):
    """A step of an agent's graph: what it may call, and which steps may follow it; none: it ends there."""

    name: str
    tools: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


class Agent(_Written, frozen=True, kw_only=True):
    """An agent's graph, which begins with its first step, and the most that one run may take of it.

    It is for the application to keep to: a gateway stops a run by `limits` of the scope run alone.
    """

    steps: tuple[AgentStep, ...] = ()
    step_limit: int | None = None
    cost_limit: Decimal | None = None  # USD for one run


class Retrieval(_Written, frozen=True, kw_only=True):
    """What is looked up before a model is asked, and how; it is for the application to keep to."""

    snapshot: str = ""  # the id of a manifest in the registry (man_…)
    index: Mapping[str, Any] = {}
    chunking: Mapping[str, Any] = {}
    top_k: int | None = None


class Release(_Written, frozen=True, kw_only=True):
    """One content-hashed way to answer a route: where, and with what laid over the request."""

    chain: tuple[Target, ...]
    parameters: Mapping[str, Any] = {}  # laid over the request's own: temperature, max_completion_tokens, …
    prompt: Prompt | None = None
    continue_on_fallback: bool = False  # a stream that breaks goes on at the next target
    guardrails: tuple[str, ...] = ()  # names; what they say is part of the release's content
    agent: Agent | None = None
    retrieval: Retrieval | None = None


class Variant(_Written, frozen=True, kw_only=True):
    """A share of a route's traffic. Shares are weights: they need not sum to anything.

    `keeps`: conversations that began on it stay on it also where its weight is 0.
    """

    release: str
    weight: int = 1
    keeps: bool = False


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
    hedge_seconds: float = 0.0  # without an answer for so long the next target is asked too; 0: never
    message: str = ""  # the workspace's own answer when nothing else is left; empty: an error


class Traffic(_Written, frozen=True, kw_only=True):
    """What a governed route serves, in place of what its configuration says. Releases are named by their registry ids.

    `known` are further releases that may be asked for by name, though they have no share: a candidate while it is judged.
    `stable` is the last one that was wholly decided on: a gateway that has not heard of its core for `stale_seconds` serves
    it alone (0: it keeps the shares however old they are).
    """

    variants: tuple[Variant, ...]
    shadow: Shadow | None = None
    known: tuple[str, ...] = ()
    stable: str = ""
    stale_seconds: float = 0.0


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


class Lifted(StrEnum):
    """What a break-glass lift is of."""

    BUDGET = "budget"
    LIMIT = "limit"


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """Break-glass: the hard budgets or the limits over a scope give way until an instant, and somebody answers for it."""

    id: str
    workspace: str
    what: Lifted
    scope: Scope
    value: str = ""  # of the scope; empty: every value
    until: datetime
    extra: Decimal | None = (
        None  # what a budget has more of, in its own currency; None: it stands against nothing
    )
    person: str
    reason: str
    made_at: datetime
    made_by: str
    ended_at: datetime | None = None  # before its time
    ended_by: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether it is in force."""
        return at < self.until and self.ended_at is None


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
    guardrails: Mapping[str, Guardrail] = {}
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


INNER_KEYS = frozenset({"evals", "judges", "try-it"})
"""What Holdfast's own rooms ask as: names that no client key has, which budgets and limits may name like keys."""


class Pass(msgspec.Struct, frozen=True):
    """Lets the core itself ask a gateway for a workspace, as one of its keys (`key`: its id) would, for a short while.

    `release`: the one by name that answers, whatever the route's split says. `once`: the name under which this is asked, so
    that asking again costs nothing: see `proxy.once`. Such a request is never answered from the response cache, nor copied.
    """

    workspace: str
    key: str
    expires_at: datetime
    release: str = ""
    once: str = ""


class Workspace(msgspec.Struct, frozen=True):
    """One workspace in a snapshot: what was applied, and what the core worked out from it."""

    id: str
    slug: str
    time_zone: str
    version: int
    configuration: Configuration
    release_ids: Mapping[str, str] = {}  # name → content-hashed id
    rates: Mapping[str, Mapping[str, Rates]] = {}  # upstream → model → what its tokens cost now
    batch_rates: Mapping[
        str, Mapping[str, Rates]
    ] = {}  # the same in a batch, where that has a price of its own
    sealed: Mapping[str, Sealed] = {}  # by reference
    lifts: tuple[Lift, ...] = ()
    governed: Mapping[str, Traffic] = {}  # route → what was decided for it; it is in `configuration` already
    content: bool = True  # whether what was said goes into the records; telemetry's own policy then decides

    def rates_of(self, upstream: str, model: str) -> Rates | None:
        """What a model's tokens cost at an upstream; None where it has no price."""
        return self.rates.get(upstream, {}).get(model)

    def batch_rates_of(self, upstream: str) -> Mapping[str, Rates]:
        """By model, what its tokens cost in a batch: its own price there, else the usual one."""
        return {**self.rates.get(upstream, {}), **self.batch_rates.get(upstream, {})}


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
class Governed:
    """What a governed route serves since an instant, who or what decided it, and with which epoch gateways hear of it."""

    workspace: str
    route: str
    number: int  # counts per route from 1
    traffic: Traffic
    change: str  # the id of the change that decided it
    made_at: datetime
    made_by: str
    epoch: int


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
