"""A suite of evals in a workspace, marked in all that it says; one case of it is a holdout. And two runs of it,
answered, a map of what covers it, and a judge that was checked."""

from __future__ import annotations

import msgspec
from tests.scenarios.reviewed import review_of

from holdfast.evals.actions import coverage, judges, runs, suites, triggers
from holdfast.evals.model import Answer, Bars, Grade, Suite
from holdfast.evals.rules.coverage import Found, Group, HeldCase, Ref, Share
from holdfast.evals.rules.judging import Judge, Kind, Label, hashed
from holdfast.evals.states import Graded, MapState, Run, RunState, Trigger
from holdfast.evals.store import coverage as coverage_store
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import runs as run_store
from holdfast.evals.store import suites as suite_store
from holdfast.kernel.context import Context
from holdfast.kernel.ids import new_id
from holdfast.storage.sql import Transaction

SUITE = """\
description: what {mark} must know
system: shop-{mark}
route: route-{mark}
cases:
- id: first-{mark}
  prompt: asked by {mark}
  expect: {{exact: "said {mark}"}}
  segments: {{topic: "{mark}"}}
  provenance: {{author: "author {mark}", review_on: 2027-01-31}}
- id: kept-{mark}
  prompt: hidden by {mark}
  expect: {{exact: "hidden {mark}"}}
  holdout: true
"""


def suite_of(ctx: Context, tx: Transaction, mark: str) -> str:
    """Its name; it has two versions."""
    name = f"suite-{mark}".lower()
    for text in (SUITE, SUITE.replace("asked by", "asked anew by")):
        read = suites.read_all({f"{name}.yaml": text.format(mark=mark).encode()})
        suites.apply(ctx, tx, read, holdouts=True, note=f"because {mark}")
    return name


def evals_of(ctx: Context, tx: Transaction, mark: str) -> dict[str, str]:
    """The suite's name, and ids of an item under review, a trigger, and two runs of it that are over: in one both cases
    failed, held against the other."""
    name = suite_of(ctx, tx, mark)
    suite = suite_store.suite(tx, ctx.workspace, name, 2)
    assert suite is not None
    other = _run_of(ctx, tx, suite, mark, "")
    run = _run_of(ctx, tx, suite, mark, other)
    wanted = triggers.Wanted(name, Trigger.SCHEDULE, "0 3 * * *", "Europe/Berlin", f"release-{mark}", other)
    trigger = triggers.make(ctx, tx, wanted).id
    judge, check = judge_of(ctx, tx, mark)
    item = review_of(ctx, tx, mark)
    mapped(ctx, tx, name, mark)
    made = {"suite": name, "run": run, "other": other, "trigger": trigger}
    return made | {"judge": judge, "check": check, "item": item}


def mapped(ctx: Context, tx: Transaction, suite: str, mark: str) -> None:
    """A map of the suite's coverage that is done: one group, told by the mark."""
    made = coverage.ask(ctx, tx, suite)
    cases = (HeldCase(f"first-{mark}", ""), HeldCase(f"kept-{mark}", ""))
    group = Group(0, 5, 1.0, (f"keyword-{mark}",), (Ref("ef" * 16, "ef" * 8),), cases, 0.0, 0.0)
    found = Found(5, 5, 5, 0.0, 2, Share(0.0, 0.0, 0.5), Share(0.0, 0.0, 0.5), 0.0, 0.1, (group,), ())
    values = {"note": f"noted by {mark}", "found": msgspec.json.encode(found).decode()}
    coverage_store.change(tx, made.id, state=MapState.DONE, version=2, finished_at=ctx.now, **values)


def judge_of(ctx: Context, tx: Transaction, mark: str) -> tuple[str, str]:
    """A judge's name, and the id of a check of it that is over."""
    name = f"judge-{mark}".lower()
    day = ctx.now.date()
    labels = tuple(
        Label(
            f"{number}-{mark}",
            f"asked by {mark}",
            f"said {mark} {number}",
            float(number % 2),
            f"labeller {mark}",
            day,
        )
        for number in range(20)
    )
    judge = hashed(Judge(name, Kind.RUBRIC, f"good is what {mark} says", labels, model=f"model-{mark}"))
    judges.apply(ctx, tx, [judge], note=f"because {mark}")
    check = judges.check(ctx, tx, name)
    for label in labels:
        judge_store.keep_item(tx, check, judge_store.Item(label.id, 1.0, None, None, f"so says {mark}", None))
    judges.finish_check(ctx, tx, check, "")
    return name, check.id


def _run_of(ctx: Context, tx: Transaction, suite: Suite, mark: str, baseline: str) -> str:
    run = Run(
        new_id("run"), ctx.workspace, suite.name, 2, suite.hash, suite.route, f"release-{mark}", f"rel_{mark}", "",
        baseline, Bars(), len(suite.cases), None, 1, None, True, Trigger.DEMAND, ctx.now, f"made by {mark}",
        f"because of {mark}", RunState.RUNNING, f"waits for {mark}", ctx.now,
    )  # fmt: skip
    run_store.add(tx, run)
    good = not baseline
    for case in suite.cases:
        said = f"hidden {mark}" if case.holdout else f"answered {mark}"
        grade = Grade("exact", "1", float(good), good, f"not as {mark} expects")
        graded = Graded(case.id, case.hash, 0, Answer(said), (grade,), float(good), good, False, ctx.now)
        run_store.keep(tx, run, graded, "", None)
    runs.finish(ctx, tx, run, runs.verdict_of(ctx, tx, run, suite), "")
    return run.id
