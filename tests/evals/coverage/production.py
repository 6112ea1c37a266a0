"""What production asks in tests: topics, each in many words, sent by OTLP; and a suite that covers some of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from holdfast.evals.actions import suites as suite_actions
from holdfast.evals.model import Answer, Bars, Grade
from holdfast.evals.states import Graded, Run, RunState, Trigger
from holdfast.evals.store import runs as run_store
from holdfast.evals.store import suites as suite_store
from holdfast.kernel.context import Actor, Context
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import utc_now
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.sql import Database
from otlp_made import CHAT, body, span
from running_core import Workspace

TOPICS: Mapping[str, tuple[str, str]] = {
    "refund": (
        "when is the refund for the {} paid",
        "shoes coat shirt skirt jacket scarf gloves hat trousers sweater dress belt",
    ),
    "parcel": (
        "where is my parcel that you sent to {} now",
        "Berlin Paris Rome Madrid Vienna Prague Lisbon Dublin Oslo",
    ),
    "password": (
        "I forgot the password for my {} login, how do I reset it",
        "first second old new private family",
    ),
    "warranty": (
        "how long is the warranty on the {}",
        "oven fridge dishwasher toaster kettle freezer mixer iron blender",
    ),
}
CALLS = {"refund": 24, "parcel": 18, "password": 12, "warranty": 18}
SUITE = """\
system: shop
cases:
- {id: refund-one, prompt: when do you pay the refund for the boots, expect: {contains: days}}
- {id: refund-two, prompt: the refund for the blouse is paid when, expect: {contains: days}}
- {id: parcel-one, prompt: where is the parcel that you sent to London, expect: {contains: link}}
- {id: password-kept, prompt: "I forgot the password for my login, how is it reset", expect: {contains: link}, holdout: true}
- {id: poem, prompt: write a poem about the autumn moon over a quiet lake, expect: {contains: moon}}
"""


def text_of(topic: str, number: int) -> str:
    """One way of asking it; each is asked twice."""
    frame, words = TOPICS[topic]
    return f"{frame.format(words.split()[number // 2])}?"


def call(text: str, **more: Any) -> list[Any]:
    """The span of one call that asks it."""
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}])
    answer = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Soon."}]}])
    told = {**CHAT, "gen_ai.input.messages": said, "gen_ai.output.messages": answer, **more}
    at = time.time_ns() - 5 * 10**9
    return [span(trace=os.urandom(16).hex(), start_ns=at, attributes=told)]


def sent(calls: list[list[Any]], environment: str = "prod", system: str = "shop") -> bytes:
    """One request of some calls."""
    resource = {"service.name": system, "deployment.environment.name": environment}
    return body([one for each in calls for one in each], resource=resource)


def ask_all(workspace: Workspace) -> int:
    """Everything that production asks; how many calls that are. Beside it what must not be counted."""
    calls = [call(text_of(topic, number)) for topic, count in CALLS.items() for number in range(count)]
    assert workspace.post(sent(calls)).status_code == 200
    for apart in ({"environment": "evaluation"}, {"system": "till"}):
        others = [call(f"what is the opening time of shop number {number}?") for number in range(12)]
        assert workspace.post(sent(others, **apart)).status_code == 200
    return len(calls)


def apply(workspace: Workspace) -> None:
    """Puts the suite in force."""
    with Database(workspace.core.settings.sql).transaction() as tx:
        ctx = context(tx, workspace)
        suite_actions.apply(ctx, tx, suite_actions.read_all({"shop.yaml": SUITE.encode()}), holdouts=True)


def context(tx: Any, workspace: Workspace) -> Context:
    """Of whoever is at the command line."""
    actor, now = Actor("cli", "tester", "Tester"), utc_now()
    return Context(
        tenancy.ensure_workspace(Context("instance", actor, now), tx, workspace.slug).id, actor, now
    )


def ran(workspace: Workspace, scores: Mapping[str, float]) -> str:
    """A run of the suite that is over, with these scores; its id."""
    with Database(workspace.core.settings.sql).transaction() as tx:
        ctx = context(tx, workspace)
        suite = suite_store.suite(tx, ctx.workspace, "shop", 1)
        assert suite is not None
        run = Run(
            new_id("run"), ctx.workspace, "shop", 1, suite.hash, "", "", "", "m", "", Bars(), len(suite.cases),
            None, 1, None, True, Trigger.DEMAND, ctx.now, "tester", state=RunState.RUNNING, started_at=ctx.now,
        )  # fmt: skip
        run_store.add(tx, run)
        for case in suite.cases:
            score = scores[case.id]
            grade = Grade("contains", "1", score, score == 1)
            graded = Graded(
                case.id, case.hash, 0, Answer("Soon."), (grade,), score, score == 1, False, ctx.now
            )
            run_store.keep(tx, run, graded, "", None)
        run_store.change(tx, run.id, frozenset(RunState), state=RunState.DONE, finished_at=ctx.now)
        return run.id
