"""Two workspaces in one running core, each full of marks of its own; one of them with two systems apart."""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import sqlalchemy as sa
from tests.scenarios.announced import announced_of
from tests.scenarios.boards import keep_boards
from tests.scenarios.changed import change_of
from tests.scenarios.gate import crossed, gate_of
from tests.scenarios.judged import evals_of
from tests.scenarios.spoken import feedback_of
from tests.scenarios.watching import alert_of, channel_of
from tests.scenarios.wire import attributes, spoken

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import utc_now
from holdfast.platform.access.actions import keys, passwords, sessions
from holdfast.platform.access.model import Grant, Member, NewSession, Role, Scope
from holdfast.platform.access.store import members as members_store
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy
from holdfast.pricing import actions as pricing
from holdfast.storage.sql import Database, Transaction, metadata
from holdfast.telemetry.store.control import saved_views
from otlp_made import CHAT, MILLISECOND
from running_core import CoreProcess

MINE, THEIRS = "zqamineownxa", "zqbneighbourxb"
OTHER = "zqsothersysxs"  # my other system
SAID, SAID_OTHER, SAID_THEIRS = "zqcspokenonexc", "zqdspokentwoxd", "zqespokenfarxe"
PASSWORD = "four words make one"
CLI = Actor("cli", "tester", "Tester")
READ, CONTENT = Scope.READ, Scope.CONTENT


@dataclass
class Place:
    """A workspace: its short name, its systems, and the ids of its records by the name that routes give them."""

    slug: str
    id: str
    mark: str
    ids: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)  # by dimension: what one of its calls says
    unmarked: dict[str, str] = field(default_factory=dict)  # names of its records that bear no mark


@dataclass(frozen=True)
class Credential:
    """A key, or a member who signs in anew for each request that changes something. `hidden` must never be seen."""

    name: str
    place: str
    scopes: frozenset[Scope]
    hidden: tuple[str, ...]
    key: str = ""
    member: str = ""
    whole: bool = True  # holds what it holds in the whole workspace

    @property
    def is_key(self) -> bool:
        return bool(self.key)


class World:
    """The running core, who is in it, and what they have."""

    def __init__(self, core: CoreProcess) -> None:
        self.core = core
        self.settings = Settings(data=core.data)
        self.database = Database(self.settings.sql)
        self.places: dict[str, Place] = {}
        self.credentials: dict[str, Credential] = {}
        self.secrets: list[str] = []
        self._number = 0
        self._sessions: dict[str, NewSession] = {}
        self._tls = ssl.create_default_context()  # made once: it is what costs time in a client

    def number(self) -> int:
        """A new number each time."""
        self._number += 1
        return self._number

    def context(self, place: str) -> Context:
        return Context(place, CLI, utc_now())

    def add_place(self, name: str, mark: str) -> Place:
        """A workspace with a system, an environment, a policy, a price, a key and a member, all marked."""
        with self.database.transaction() as tx:
            made = tenancy.ensure_workspace(self.context(""), tx, f"w-{mark}")
            ctx = self.context(made.id)
            tenancy.rename_workspace(ctx, tx, f"Workspace {mark}", "UTC")
            place = self.places[name] = Place(made.slug, made.id, mark)
            self._system(ctx, tx, f"shop-{mark}", mark)
            self._system(ctx, tx, f"till-{len(mark)}{name}", mark)
            environment = tenancy.ensure_environment(ctx, tx, f"prod-{mark}", f"Production {mark}")
            tenancy.ensure_environment(ctx, tx, f"stage-{len(mark)}{name}", f"Stage {mark}")
            policy = DataPolicy(made.id, capture=CaptureMode.ON, dlp_webhook="")
            tenancy.set_policy(ctx, tx, policy)
            tenancy.set_policy(ctx, tx, replace(policy, system=f"shop-{mark}"))
            price = pricing.add_entry(
                ctx,
                tx,
                provider="openai",
                model_pattern=f"model-{mark}",
                rates={"input_uncached": "1.5", "output": "7.5"},
                effective_from=datetime(2026, 1, 1, tzinfo=UTC),
                note=f"agreed by {mark}",
            )
            key, text = keys.create_key(ctx, tx, f"key of {mark}", frozenset({READ, Scope.GATEWAY}))
            place.ids |= {
                "environment": environment.id,
                "price": price.id,
                "key": key.id,
                "workspace": made.slug,
            }
            channel, secret = channel_of(ctx, tx, self.settings, mark)
            self.secrets += [text, secret]
            place.ids["channel"] = place.values["channel"] = channel
            place.values |= gate_of(ctx, tx, self.settings, mark, key.id)
            place.ids["lift"] = place.values.pop("lift")
            place.ids |= evals_of(ctx, tx, mark) | feedback_of(ctx, tx, mark) | change_of(ctx, tx, mark)
            place.ids |= announced_of(ctx, tx, mark)
            place.values["label"] = f"label-{mark}"
            place.ids["rule"] = alert_of(ctx, tx, f"shop-{mark}", mark)
            place.ids["member"], place.ids["grant"] = self._member(tx, place, Role.VIEWER, mark)
        crossed(self.settings, self.database, made.id, mark)
        place.values |= {"system": f"shop-{mark}", "environment": f"prod-{mark}", "tool": f"tool-{mark}"}
        place.unmarked = {"system": f"till-{len(mark)}{name}", "environment": f"stage-{len(mark)}{name}"}
        return place

    def _system(self, ctx: Context, tx: Transaction, slug: str, mark: str) -> None:
        tenancy.register_system(
            ctx,
            tx,
            slug=slug,
            name=f"System {mark}",
            purpose=f"Sells {mark}",
            owner=f"owner-{mark}@x.test",
            sponsor=f"sponsor {mark}",
            escalation_contact=f"call {mark}",
            regions=(f"region-{mark}",),
        )

    def add_other_system(self, place: Place) -> None:
        """A second system, with a policy and a mark of its own."""
        with self.database.transaction() as tx:
            ctx = self.context(place.id)
            self._system(ctx, tx, f"other-{OTHER}", f"{place.mark} {OTHER}")
            tenancy.set_policy(ctx, tx, DataPolicy(place.id, f"other-{OTHER}", CaptureMode.ON))
            alert_of(ctx, tx, f"other-{OTHER}", OTHER)

    def _member(
        self, tx: Transaction, place: Place, role: Role, mark: str, system: str = "", content: bool = False
    ) -> tuple[str, str]:
        member = Member(
            new_id("mem"),
            f"m{self.number()}-{mark}@x.test",
            f"Member {mark}",
            passwords.hash_password(PASSWORD),
            None,
            utc_now(),
            None,
        )
        members_store.add_member(tx, member)
        return member.id, self._grant(tx, place, member.id, role, system, content)

    def _grant(
        self, tx: Transaction, place: Place, member: str, role: Role, system: str, content: bool
    ) -> str:
        system, _, environment = system.partition(" in ")
        grant = Grant(new_id("grant"), place.id, member, role, system, environment, content)
        members_store.put_grant(tx, grant)
        return grant.id

    def add_key(self, name: str, place: str, scopes: str, hidden: tuple[str, ...]) -> Credential:
        """A key, by the scopes' initial words."""
        held = frozenset(Scope(one) for one in scopes.split())
        with self.database.transaction() as tx:
            _, text = keys.create_key(self.context(self.places[place].id), tx, f"the {name}", held)
        self.secrets.append(text)
        full = held | (frozenset(Scope) - {CONTENT} if Scope.ADMIN in held else frozenset())
        made = Credential(name, place, full, hidden, key=text)
        self.credentials[name] = made
        return made

    def add_member(
        self, name: str, place: str, grants: list[tuple[Role, str, bool]], hidden: tuple[str, ...]
    ) -> Credential:
        """A member with roles: each with its place, and whether content may be read there.

        The place is a system, a system in an environment (`one in there`), or empty: all.
        """
        where = self.places[place]
        with self.database.transaction() as tx:
            first, *rest = grants
            member, _ = self._member(tx, where, first[0], f"{where.mark}-{name}", first[1], first[2])
            for role, system, content in rest:
                self._grant(tx, where, member, role, system, content)
        scopes = {READ} | {CONTENT for _, _, content in grants if content}
        if any(role is Role.ADMIN for role, _, _ in grants):
            scopes |= {Scope.ADMIN, Scope.OPERATE}
        whole = any(not system for _, system, _ in grants)
        made = Credential(name, place, frozenset(scopes), hidden, member=member, whole=whole)
        self.credentials[name] = made
        return made

    def session(self, credential: Credential) -> NewSession:
        """A new session of a member."""
        with self.database.transaction() as tx:
            member = members_store.member(tx, credential.member)
            assert member is not None
            made = sessions.start(self.context("instance"), tx, self.settings, member)
        self.secrets += [made.token, made.session.csrf]
        return made

    def client(self, credential: Credential | None) -> tuple[httpx2.Client, str]:
        """A client that carries the credential, and the token for its forms."""
        client = httpx2.Client(base_url=f"http://127.0.0.1:{self.core.port}", timeout=60, verify=self._tls)
        if credential is None:
            return client, ""
        if credential.is_key:
            client.headers["authorization"] = f"Bearer {credential.key}"
            return client, ""
        made = self._sessions.get(credential.name) or self.session(credential)
        self._sessions[credential.name] = made
        client.cookies.set("holdfast_session", made.token)
        client.headers["x-csrf-token"] = made.session.csrf
        return client, made.session.csrf

    def send(self, key: str, signal: str, body: dict[str, Any]) -> None:
        """One OTLP/JSON request, which must be taken whole."""
        sent = {"authorization": f"Bearer {key}"}
        answer = self.core.client.post(f"/v1/{signal}", json=body, headers=sent)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {}, answer.text

    def tell(self, key: str, system: str, environment: str, mark: str, said: str, trace: str = "") -> str:
        """Telemetry of every kind from one system: a call with its surroundings, logs, metrics, evaluations."""
        trace, call, root = trace or os.urandom(16).hex(), os.urandom(8).hex(), os.urandom(8).hex()
        at = time.time_ns() - 90 * 10**9
        resource = {
            "attributes": attributes(
                {
                    "service.name": system,
                    "deployment.environment.name": environment,
                    "host.name": f"host-{mark}",
                }
            )
        }
        named = {
            f"holdfast.{name}": f"{name}-{mark}"
            for name in ("route", "agent", "tenant", "user", "session", "release", "feature")
        }
        told = {
            **CHAT,
            **named,
            **spoken(said),
            "gen_ai.request.model": f"model-{mark}",
            "gen_ai.response.model": f"model-{mark}",
            "gen_ai.response.id": f"resp-{mark}-{call}",
            "error.type": f"error-{mark}",
            "gen_ai.data_source.id": f"source-{mark}",
            "custom.attribute": f"custom {mark}",
        }
        events = [
            {
                "name": "gen_ai.user.message",
                "timeUnixNano": str(at),
                "attributes": attributes({"content": said}),
            },
            {
                "name": f"plain-{mark}",
                "timeUnixNano": str(at),
                "attributes": attributes({"gen_ai.prompt": said, "note": mark}),
            },
        ]
        link = {
            "traceId": trace,
            "spanId": root,
            "attributes": attributes({"gen_ai.prompt": said, "x": mark}),
        }
        spans = [
            {
                "traceId": trace,
                "spanId": root,
                "name": f"POST /{mark}",
                "kind": 2,
                "startTimeUnixNano": str(at),
                "endTimeUnixNano": str(at + 900 * MILLISECOND),
                "attributes": attributes({"http.route": f"/{mark}"}),
            },
            {
                "traceId": trace,
                "spanId": call,
                "parentSpanId": root,
                "name": f"chat {mark}",
                "kind": 3,
                "startTimeUnixNano": str(at + MILLISECOND),
                "endTimeUnixNano": str(at + 800 * MILLISECOND),
                "attributes": attributes(told),
                "events": events,
                "links": [link],
                "status": {"code": 2, "message": f"failed for {mark}"},
            },
        ]
        for operation in ("invoke_agent", "execute_tool", "retrieval"):
            one = attributes({**told, "gen_ai.operation.name": operation, "gen_ai.tool.name": f"tool-{mark}"})
            spans.append({**spans[1], "spanId": os.urandom(8).hex(), "attributes": one})
        self.send(
            key,
            "traces",
            {
                "resourceSpans": [
                    {
                        "resource": resource,
                        "scopeSpans": [{"scope": {"name": f"scope-{mark}"}, "spans": spans}],
                    }
                ]
            },
        )
        evaluation = {
            "event.name": "gen_ai.evaluation.result",
            "gen_ai.evaluation.name": f"judge-{mark}",
            "gen_ai.evaluation.score.value": 0.5,
            "gen_ai.evaluation.score.label": f"label-{mark}",
            "gen_ai.evaluation.explanation": f"because {said}",
        }
        logs = [
            {
                "timeUnixNano": str(at),
                "traceId": trace,
                "spanId": call,
                "eventName": "gen_ai.evaluation.result",
                "attributes": attributes(evaluation),
            },
            {
                "timeUnixNano": str(at + 1),
                "eventName": f"event-{mark}",
                "body": {"stringValue": f"log {said}"},
                "attributes": attributes({"user.id": f"user-{mark}"}),
            },
        ]
        self.send(
            key, "logs", {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": logs}]}]}
        )
        point = {
            "timeUnixNano": str(at),
            "asDouble": 1.5,
            "attributes": attributes({"kind": f"point-{mark}"}),
        }
        metric = {"name": f"metric.{mark}", "unit": "1", "gauge": {"dataPoints": [point]}}
        self.send(
            key,
            "metrics",
            {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]},
        )
        return trace

    def telemetry_of(self, place: Place) -> dict[str, str]:
        """Everything that the call store holds of a workspace, as its own full key exports it."""
        credential = self.credentials["full key" if place.mark == MINE else "their key"]
        client, _ = self.client(credential)
        with client:
            kinds = ("calls", "operations", "spans", "metrics", "logs", "evaluations")
            return {kind: client.get(f"/api/v1/exports/{kind}").text for kind in kinds}

    def rows_of(self, place: Place) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that the control store holds of a workspace, but what signs by itself and how far jobs are."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        with self.database.reading() as tx:
            for table in metadata.sorted_tables:
                if table.name in PLACES_OF_JOBS:
                    continue
                if "workspace" in table.c and "checkpoint" not in table.name:
                    rows = tx.execute(sa.select(table).where(table.c.workspace == place.id))
                elif table.name in ("workspaces", "members"):
                    rows = tx.execute(sa.select(table).where(_is_of(table, place)))
                else:
                    continue
                found[table.name] = sorted((tuple(map(str, row)) for row in rows), key=repr)
        return found


PLACES_OF_JOBS = {"review_places", "review_seen", "review_tallies", "feedback_walks"}


def _is_of(table: sa.Table, place: Place) -> sa.ColumnElement[bool]:
    if table.name == "workspaces":
        return table.c.id == place.id
    return table.c.email.contains(place.mark)


def furnish(core: CoreProcess) -> World:
    """Two workspaces, everything in them, and everybody who may try."""
    world = World(core)
    mine, theirs = world.add_place("mine", MINE), world.add_place("theirs", THEIRS)
    world.add_other_system(mine)
    unspoken = (SAID, SAID_OTHER, SAID_THEIRS, THEIRS)
    far = (THEIRS, SAID_THEIRS)
    for name, scopes in (
        ("ingest key", "ingest"),
        ("gateway key", "gateway"),
        ("read key", "read"),
        ("operate key", "operate"),
        ("admin key", "admin"),
    ):
        world.add_key(name, "mine", scopes, unspoken)
    world.add_key("content key", "mine", "read content", far)
    world.add_key("full key", "mine", "ingest gateway read content operate admin", far)
    own = f"shop-{MINE}"
    world.add_member("admin", "mine", [(Role.ADMIN, "", False)], unspoken)
    world.add_member("full admin", "mine", [(Role.ADMIN, "", True)], far)
    world.add_member("viewer", "mine", [(Role.VIEWER, "", False)], unspoken)
    world.add_member("limited", "mine", [(Role.VIEWER, own, False)], (*unspoken, OTHER))
    world.add_member("limited reader", "mine", [(Role.VIEWER, own, True)], (*far, SAID_OTHER, OTHER))
    world.add_member(
        "half reader", "mine", [(Role.VIEWER, "", False), (Role.VIEWER, own, True)], (*far, SAID_OTHER)
    )
    crossed = [
        (Role.VIEWER, f"{own} in stage-{OTHER}", False),
        (Role.VIEWER, f"other-{OTHER} in prod-{MINE}", False),
    ]
    world.add_member("crossed", "mine", crossed, (*unspoken, f"scope-{OTHER}"))
    neighbour = world.add_key(
        "their key", "theirs", "ingest gateway read content operate admin", (MINE, SAID, SAID_OTHER)
    )
    world.add_member("their admin", "theirs", [(Role.ADMIN, "", True)], (MINE, SAID, SAID_OTHER))
    key = world.credentials["full key"].key
    mine.ids["trace_id"] = world.tell(key, own, f"prod-{MINE}", MINE, f"{MINE} {SAID}")
    mixed = mine.ids["trace_id"]
    for trace in (mixed, ""):
        made = world.tell(key, f"other-{OTHER}", f"stage-{OTHER}", OTHER, f"{OTHER} {SAID_OTHER}", trace)
        mine.values["other trace"] = made
    theirs.ids["trace_id"] = world.tell(
        neighbour.key, f"shop-{THEIRS}", f"prod-{THEIRS}", THEIRS, f"{THEIRS} {SAID_THEIRS}"
    )
    # a trace of the same id in both: each sees its own half
    same = os.urandom(16).hex()
    world.tell(key, own, f"prod-{MINE}", MINE, f"{MINE} {SAID}", same)
    world.tell(neighbour.key, f"shop-{THEIRS}", f"prod-{THEIRS}", THEIRS, f"{THEIRS} {SAID_THEIRS}", same)
    mine.values["same trace"] = theirs.values["same trace"] = same
    _holds(world)
    _views(world)
    keep_boards(world, {"full admin": OTHER, "their admin": THEIRS})
    for place, name in ((mine, "full key"), (theirs, "their key")):
        client, _ = world.client(world.credentials[name])
        with client:
            listed = client.get("/api/v1/calls", params={"limit": 1}).json()
            call = client.get("/api/v1/calls", params={"system": f"shop-{place.mark}"}).json()["calls"][0]
        place.values |= {key: str(value) for key, value in call.items() if isinstance(value, str) and value}
        place.values |= {"cursor": listed["next_cursor"], "text": place.mark, "model": call["response_model"]}
        place.values |= {"span": call["span_id"], "trace_id": place.ids["trace_id"]}
        place.ids["configuration"] = call["configuration"]
    return world


def _holds(world: World) -> None:
    for name in ("full key", "their key"):
        credential = world.credentials[name]
        place = world.places[credential.place]
        place.values["subject"] = f"nobody-{place.mark}"
        client, _ = world.client(credential)
        body = {"reason": f"asked for by {place.mark}", "system": "none", "user": f"nobody-{place.mark}"}
        with client:
            answer = client.post("/api/v1/holds", json=body)
        assert answer.status_code == 201, answer.text
        place.ids["hold"] = answer.json()["id"]


def _views(world: World) -> None:
    said = {
        "full admin": (f"view {OTHER} {MINE}", f"system=other-{OTHER}"),
        "their admin": (f"view {THEIRS}", f"system=shop-{THEIRS}"),
    }
    for name, (title, query) in said.items():
        credential = world.credentials[name]
        place = world.places[credential.place]
        client, csrf = world.client(credential)
        with client:
            form = {"name": title, "query": query, "csrf": csrf}
            assert client.post(f"/w/{place.slug}/calls/views", data=form).status_code == 303
        with world.database.reading() as tx:
            mine = sa.select(saved_views.c.id).where(saved_views.c.workspace == place.id)
            place.ids["view"] = str(tx.execute(mine).scalar())
