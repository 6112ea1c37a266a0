"""What the demo finds in the control store: its AI systems, and a gateway that leads to its model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from holdfast.commands import CLI, open_database
from holdfast.evals.actions import judges, suites
from holdfast.evals.actions.files import collected
from holdfast.evals.reads import suites as kept
from holdfast.gateway import actions as gateway
from holdfast.gateway.reads import applied
from holdfast.kernel.context import Context
from holdfast.kernel.time import utc_now
from holdfast.platform import outbound
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.sql import Transaction

WORKSPACE = "demo"
MODEL = "smollm2-135m-instruct"
UPSTREAM = "demo-model"
NOTE = "what the demo begins with"
SYSTEMS = (
    (
        "hr-assistant",
        "HR assistant",
        "Answers employees' questions about HR policies and takes leave requests.",
    ),
    ("claims-triage", "Claims triage", "Sorts incoming claims for the people who decide them."),
    ("support-chat", "Support chat", "Answers customers' questions before a person takes over."),
)
ROUTES = ("policy-question", "leave-request", "summarise-ticket")
ASK = "ask-hr"
PROMPT = {
    "messages": [
        {
            "role": "system",
            "content": "You are Northwind HR. Answer the question in one short sentence, using the policy text.",
        },
        {"role": "user", "content": "Policy: {{policy}}\n\nQuestion: {{question}}"},
    ],
    "variables": {"policy": {}, "question": {}},
}
"""What the sample assistant says to its model, as a prompt that the gateway renders: its suite of cases asks by it."""
INVENTED_PRICE = {"input_uncached": "0.05", "input_cache_read": "0.005", "output": "0.20"}
"""USD per million tokens, so that the local model's calls have a cost; it is of the size that small models cost."""


def register(settings: Settings) -> None:
    """Registers the demo's AI systems and environments, with owners that are plainly examples."""
    with closing(open_database(settings)) as database, database.transaction() as tx:
        ctx = _context(tx)
        for slug, name, purpose in SYSTEMS:
            tenancy.register_system(
                ctx,
                tx,
                slug=slug,
                name=name,
                purpose=purpose,
                owner="Olivia Owner (example)",
                sponsor="Sam Sponsor (example)",
                escalation_contact="oncall@example.com",
                regions=("EU",),
            )
        for environment in ("production", "staging"):
            tenancy.ensure_environment(ctx, tx, environment)


def judge(settings: Settings, folder: Path) -> None:
    """Keeps the demo's suites of that folder where the workspace has none of their names yet. Raises Invalid."""
    read = suites.read_whole(collected([folder]), {})
    with closing(open_database(settings)) as database, database.transaction() as tx:
        ctx = _context(tx)
        judged = judges.kinds(ctx, tx)
        judges.apply(ctx, tx, [one for one in read.judges if one.name not in judged], note=NOTE)
        known = {one.name for one in kept.latest(ctx, tx)}
        suites.apply(ctx, tx, [one for one in read.suites if one.name not in known], holdouts=True, note=NOTE)


def host(settings: Settings) -> str:
    """Where the demo's model is, which its gateway must be allowed to reach."""
    return outbound.host_of(settings.demo_base_url) or "127.0.0.1"


def lead(settings: Settings, model_port: int) -> bool:
    """Leads the workspace's gateway to the demo's model: applies its configuration where there is none yet.

    Of one that somebody has applied since, only the demo's own upstream is set; False where it has no such upstream: then
    the gateway is theirs alone. Raises Invalid where the model's address cannot be used.
    """
    allowing = ",".join(filter(None, (settings.outbound_allow, host(settings))))
    allowed = settings.model_copy(update={"outbound_allow": allowing})
    with closing(open_database(settings)) as database:
        with database.transaction() as tx:
            ctx = _context(tx)
            current = applied.current(ctx, tx)
        made, note = _document(settings, model_port), NOTE
        if current is not None and current.note != NOTE:
            theirs = current.document.get("upstreams", {})
            if UPSTREAM not in theirs:
                return False
            upstreams = {**theirs, UPSTREAM: made["upstreams"][UPSTREAM]}
            made, note = {**current.document, "upstreams": upstreams}, "where the demo's model is now"
        judged = gateway.judge(allowed, made)  # asks where upstreams lead: not within a transaction
        with database.transaction() as tx:
            expected = current.version if current else 0
            gateway.apply(_context(tx), tx, judged, expected_version=expected, note=note)
    return True


def _context(tx: Transaction) -> Context:
    now = utc_now()
    return Context(tenancy.ensure_workspace(Context("", CLI, now), tx, WORKSPACE).id, CLI, now)


def _document(settings: Settings, model_port: int) -> dict[str, Any]:
    """One upstream, one release, a route for each kind of request."""
    own = bool(settings.demo_base_url)
    model = settings.demo_model if own else MODEL
    upstream: dict[str, Any] = {"dialect": "openai", "base_url": f"http://127.0.0.1:{model_port}/v1"}
    if own:
        upstream["base_url"] = settings.demo_base_url
        if settings.demo_api_key.get_secret_value():
            upstream["credential"] = "env:HOLDFAST_DEMO_API_KEY"
    else:
        upstream |= {"provider": "llama.cpp", "prices": {MODEL: INVENTED_PRICE}}
    route = {"release": "hr-assistant", "system": "hr-assistant", "max_output_tokens": 256}
    chain = [{"upstream": UPSTREAM, "model": model}]
    return {
        "upstreams": {UPSTREAM: {**upstream, "models": [model]}},
        "releases": {
            "hr-assistant": {"chain": chain},
            ASK: {"chain": chain, "parameters": {"temperature": 0.2, "max_tokens": 64}, "prompt": PROMPT},
        },
        "routes": {name: {**route, "models": [name]} for name in ROUTES}
        | {ASK: {**route, "release": ASK, "models": [ASK]}},
    }
