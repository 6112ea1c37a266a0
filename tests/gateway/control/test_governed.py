"""Governed routes: what changes decide lies over what was applied, and nothing else can move their traffic."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.gateway.control.desk import Desk, document

from holdfast.gateway import actions, governing
from holdfast.gateway.model import ClientKey, Configuration, Dialect, Dimensions, Shadow, Traffic, Variant
from holdfast.gateway.reads import applied, traffic
from holdfast.gateway.rules import resolving
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.registry import actions as registry
from holdfast.registry import reads as registered
from holdfast.registry.model import Document, Kind

JUDGE = {"kind": "pii", "action": "block", "at": "output"}


@pytest.fixture
def ctx(desk: Desk) -> Context:
    made = desk.ctx()
    desk.apply(made, with_judge())
    return made


def with_judge(**judge: Any) -> dict[str, Any]:
    made = document(guardrails={"pii": {**JUDGE, **judge}})
    made["releases"]["one"]["guardrails"] = ["pii"]
    return made


def ids(desk: Desk, ctx: Context) -> dict[str, str]:
    with desk.database.reading() as tx:
        found = applied.current(ctx, tx)
    assert found is not None
    return dict(found.release_ids)


def put(desk: Desk, ctx: Context, route: str, *variants: tuple[str, int], **more: Any) -> Any:
    split = tuple(Variant(release=name, weight=weight) for name, weight in variants)
    with desk.database.transaction() as tx:
        return actions.put_traffic(ctx, tx, route, Traffic(variants=split, **more), "chg_1")


def register(desk: Desk, ctx: Context, written: dict[str, Any], baseline: str = "") -> str:
    with desk.database.transaction() as tx:
        return actions.register_release(ctx, tx, written, baseline).id


def lived(desk: Desk, ctx: Context) -> Configuration:
    with desk.database.reading() as tx:
        found = applied.in_force(ctx, tx)
    assert found is not None
    return found.configuration


def test_what_is_decided_is_what_gateways_serve(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    before = desk.epoch()
    made = put(desk, ctx, "chat", (known["one"], 90), (known["two"], 10))
    assert (made.number, made.epoch, desk.epoch()) == (1, before + 1, before + 1)
    taken = desk.snapshot().workspaces[ctx.workspace]
    route = taken.configuration.routes["chat"]
    assert route.release == "" and [(one.release, one.weight) for one in route.variants] == [
        (known["one"], 90),
        (known["two"], 10),
    ]
    assert taken.release_ids[known["two"]] == known["two"]
    assert taken.configuration.releases[known["one"]].guardrails == ("pii",)
    found = resolving.resolve(
        taken,
        ClientKey("k", ctx.workspace),
        Dimensions(route="chat", user="ann"),
        "chat",
        Dialect.OPENAI,
        "c",
        translates=True,
    )
    assert found.release_id in (known["one"], known["two"])
    others = taken.configuration.routes["split"].variants
    assert [one.release for one in others] == ["one", "two"], "other routes are as they were applied"


def test_the_same_decision_again_is_none(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    put(desk, ctx, "chat", (known["one"], 1))
    epoch = desk.epoch()
    assert put(desk, ctx, "chat", (known["one"], 1)).number == 1
    assert desk.epoch() == epoch
    assert put(desk, ctx, "chat", (known["two"], 1)).number == 2


def test_what_was_in_force_is_known_for_every_instant(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    began = desk.clock()
    put(desk, ctx, "chat", (known["one"], 1))
    desk.clock.move(hours=1)
    later = Context(ctx.workspace, ctx.actor, desk.clock())
    put(desk, later, "chat", (known["two"], 1))
    with desk.database.reading() as tx:
        first = traffic.decided_at(ctx, tx, "chat", began + timedelta(minutes=59))
        last = traffic.decided_at(ctx, tx, "chat", began + timedelta(minutes=60))
        assert traffic.decided_at(ctx, tx, "chat", began - timedelta(seconds=1)) is None
        assert [one.number for one in traffic.decided(ctx, tx, "chat")] == [2, 1]
    assert first is not None and first.traffic.variants[0].release == known["one"]
    assert last is not None and last.traffic.variants[0].release == known["two"]
    assert [details["epoch"] for action, details in desk.audit(ctx) if action == "gateway.traffic"] == [
        first.epoch,
        last.epoch,
    ]


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"routes": {"chat": {"release": "two", "models": ["chat"]}}}, "routes.chat.release"),
        ({"routes": {"chat": {"variants": [{"release": "two"}]}}}, "routes.chat.variants"),
        ({"routes": {"chat": {"release": "one", "shadow": {"release": "two"}}}}, "routes.chat.shadow"),
        ({"routes": {"split": {"release": "one"}}}, "routes.chat"),
    ],
)
def test_a_document_cannot_move_governed_traffic(
    desk: Desk, ctx: Context, changed: dict[str, Any], where: str
) -> None:
    put(desk, ctx, "chat", (ids(desk, ctx)["one"], 1))
    with pytest.raises(Invalid) as refused:
        desk.apply(ctx, {**with_judge(), **changed})
    assert where in [at for at, _ in refused.value.errors]


def test_a_document_cannot_take_the_upstream_away(desk: Desk, ctx: Context) -> None:
    put(desk, ctx, "chat", (ids(desk, ctx)["one"], 1))
    made = with_judge()
    del made["upstreams"]["main"]
    made["releases"] = {"two": {"chain": [{"upstream": "other", "model": "claude-sonnet-4-5"}]}}
    made["routes"] = {"chat": {"release": "two", "models": ["chat"]}}
    with pytest.raises(Invalid) as refused:
        desk.apply(ctx, made)
    assert "upstreams.main" in [at for at, _ in refused.value.errors]


def test_what_a_document_says_of_other_things_is_applied(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    put(desk, ctx, "chat", (known["one"], 1))
    made = with_judge(action="flag")
    made["routes"]["chat"]["retries"] = 0
    desk.apply(ctx, made)
    now = lived(desk, ctx)
    assert now.routes["chat"].retries == 0
    assert now.guardrails["pii"].action == "flag", "for releases of the document"
    (kept,) = now.releases[known["one"]].guardrails
    assert kept.startswith("pii@") and now.guardrails[kept].action == "block", "as was decided on"


def test_a_proposed_release_is_asked_for_by_its_id_before_it_serves(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    written = {
        "chain": [{"upstream": "main", "model": "gpt-4o-mini"}],
        "parameters": {"temperature": 0.1},
        "guardrails": ["pii"],
    }
    candidate = register(desk, ctx, written, known["one"])
    assert candidate not in known.values()
    put(desk, ctx, "chat", (known["one"], 1), known=(candidate,), shadow=Shadow(release=candidate))
    now = lived(desk, ctx)
    assert now.releases[candidate].parameters == {"temperature": 0.1}
    assert now.routes["chat"].shadow == Shadow(release=candidate)
    assert register(desk, ctx, written, known["one"]) == candidate, "the same content is the same release"


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ({"chain": []}, "chain"),
        ({"chain": [{"upstream": "nobody"}]}, "chain[0].upstream"),
        ({"chain": [{"upstream": "main"}], "guardrails": ["nothing"]}, "guardrails[0]"),
        ({"chain": [{"upstream": "main"}], "colour": "red"}, "release"),
    ],
)
def test_a_release_that_cannot_serve_is_refused(
    desk: Desk, ctx: Context, written: dict[str, Any], where: str
) -> None:
    with pytest.raises(Invalid) as refused:
        register(desk, ctx, written)
    assert refused.value.where == where


def test_what_cannot_be_decided(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    with pytest.raises(NotFound, match="no route"):
        put(desk, ctx, "nowhere", (known["one"], 1))
    with pytest.raises(NotFound, match="release"):
        put(desk, ctx, "chat", ("rel_none", 1))
    with pytest.raises(Invalid, match="weight"):
        put(desk, ctx, "chat", (known["one"], 0))
    with pytest.raises(Invalid, match="once"):
        put(desk, ctx, "chat", (known["one"], 1), (known["one"], 1))
    other = desk.ctx("globex")
    desk.apply(other, document())
    with pytest.raises(NotFound, match="release"):
        put(desk, other, "chat", (known["one"], 1))


def test_two_that_decide_at_once_are_not_both_kept(desk: Desk, ctx: Context, monkeypatch: Any) -> None:
    known = ids(desk, ctx)
    put(desk, ctx, "chat", (known["one"], 1))
    from holdfast.gateway import store

    stale = store.governed
    with desk.database.reading() as tx:
        seen = stale(tx, ctx.workspace)
    put(desk, ctx, "chat", (known["two"], 1))
    monkeypatch.setattr(store, "governed", lambda tx, workspace: seen)
    with pytest.raises(Conflict):
        put(desk, ctx, "chat", (known["one"], 2))


def test_a_gateway_that_hears_nothing_serves_the_stable_release(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    put(desk, ctx, "chat", (known["one"], 0), (known["two"], 1), stable=known["one"], stale_seconds=60.0)
    taken = desk.snapshot().workspaces[ctx.workspace]

    def served(unheard: float) -> str:
        key = ClientKey("k", ctx.workspace)
        asks = Dimensions(route="chat")
        return resolving.resolve(
            taken, key, asks, "chat", Dialect.OPENAI, "c", translates=True, unheard=unheard
        ).release_id

    assert served(60.0) == known["two"]
    assert served(60.1) == known["one"]


def test_a_conversation_stays_where_it_began_while_that_keeps_it(desk: Desk, ctx: Context) -> None:
    known = ids(desk, ctx)
    for keeps, expected in ((True, "one"), (False, "two")):
        split = (
            Variant(release=known["one"], weight=0, keeps=keeps),
            Variant(release=known["two"], weight=1),
        )
        with desk.database.transaction() as tx:
            actions.put_traffic(ctx, tx, "chat", Traffic(variants=split), "chg_1")
        taken = desk.snapshot().workspaces[ctx.workspace]
        key, asks = ClientKey("k", ctx.workspace), Dimensions(route="chat", session="s")
        found = resolving.resolve(
            taken, key, asks, "chat", Dialect.OPENAI, "c", translates=True, began=known["one"]
        )
        assert found.release_id == known[expected]


TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
AGENT = {
    "steps": [{"name": "plan", "tools": ["look_up"], "next": ["answer"]}, {"name": "answer"}],
    "step_limit": 8,
    "cost_limit": "0.50",
}


def retrieving(snapshot: str, **agent: Any) -> dict[str, Any]:
    return {
        "chain": [{"upstream": "main", "model": "gpt-4o-mini"}],
        "parameters": {"tools": [TOOL]},
        "agent": {**AGENT, **agent},
        "retrieval": {"snapshot": snapshot, "chunking": {"size": 400}, "index": {"kind": "hnsw"}, "top_k": 5},
    }


def pushed(desk: Desk, ctx: Context) -> str:
    with desk.database.transaction() as tx:
        return registry.add_manifest(ctx, tx, name="kb", documents=[Document("a", "1")]).id


def test_a_release_binds_retrieval_and_agent_and_is_read_back_as_it_was_written(
    desk: Desk, ctx: Context
) -> None:
    snapshot = pushed(desk, ctx)
    made = register(desk, ctx, retrieving(snapshot))
    with desk.database.reading() as tx:
        found, parts = registered.release(ctx, tx, made)
        release, _ = governing.content(ctx, tx, made)
    said = {one.kind: one.body for one in parts}
    assert set(found.components) == {Kind.MODEL, Kind.TOOLS, Kind.RETRIEVAL}
    assert said[Kind.RETRIEVAL]["snapshot"] == snapshot and said[Kind.TOOLS]["agent"]["step_limit"] == 8
    assert release.retrieval is not None and (release.retrieval.snapshot, release.retrieval.top_k) == (
        snapshot,
        5,
    )
    assert release.agent is not None and release.agent.cost_limit == Decimal("0.5")
    assert [one.next for one in release.agent.steps] == [("answer",), ()]
    assert release.parameters["tools"] == [TOOL] and "agent" not in release.parameters
    assert register(desk, ctx, retrieving(snapshot, cost_limit="0.5")) == made, "the same amount"
    other = register(desk, ctx, retrieving(snapshot, step_limit=9))
    with desk.database.reading() as tx:
        found_difference = registered.difference(ctx, tx, made, other)
    assert [one.path for part in found_difference.parts for one in part.changes] == ["/agent/step_limit"]


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"retrieval": {"snapshot": "man_none"}}, "retrieval.snapshot"),
        ({"retrieval": {"top_k": 0}}, "retrieval.top_k"),
        ({"agent": {"steps": [{"name": "a", "next": ["b"]}]}}, "agent.steps[0].next[0]"),
        ({"agent": {"steps": [{"name": "a"}, {"name": "a"}]}}, "agent.steps[1].name"),
        ({"agent": {"steps": [{"name": "a", "tools": ["delete"]}]}}, "agent.steps[0].tools[0]"),
        ({"agent": {"step_limit": 0}}, "agent.step_limit"),
        ({"agent": {"cost_limit": "-1"}}, "agent.cost_limit"),
    ],
)
def test_what_is_wrong_with_retrieval_and_agent_is_told_with_its_place(
    desk: Desk, ctx: Context, changed: dict[str, Any], where: str
) -> None:
    with pytest.raises(Invalid) as refused:
        register(desk, ctx, {**retrieving(pushed(desk, ctx)), **changed})
    assert [place for place, _ in refused.value.errors] == [where]


def test_a_neighbours_manifest_is_no_snapshot_of_ours(desk: Desk, ctx: Context) -> None:
    theirs = pushed(desk, desk.ctx("birch"))
    with pytest.raises(Invalid, match="no manifest"):
        register(desk, ctx, retrieving(theirs))
    made = with_judge()
    made["releases"]["two"]["retrieval"] = {"snapshot": theirs}
    assert [one.where for one in desk.check(ctx, made).faults] == ["releases.two.retrieval.snapshot"]
