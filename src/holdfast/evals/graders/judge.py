"""The grader of a judge: a language model, asked through the gateway, whose verdict is read strictly."""

from __future__ import annotations

import msgspec

from holdfast.evals.graders.grading import Bench, Finding, Made, Outside, Reply
from holdfast.evals.model import Answer, Case
from holdfast.evals.rules.judging import Judge, Kind, Said, both_orders, messages, place, question, read

_MOST = 100_000
"""Characters of an answer that a judge is shown."""


class _Judge(msgspec.Struct, forbid_unknown_fields=True):
    judge: str
    reference: str = ""
    """A good answer: what a judge of kind reference holds against, and one of pairs compares with."""
    criterion: str = ""
    """What the rubric is to be applied to in this case."""


def _look(case: Case, params: _Judge, answer: Answer, outside: Outside) -> Finding:
    bench = outside.bench
    if bench is None:
        return Finding(None, "judges are not asked here")
    judge = bench.judge(params.judge)
    if judge is None:
        return Finding(None, f"there is no judge {params.judge!r} in this workspace")
    if len(answer.text) > _MOST:
        return Finding(None, f"the answer is longer than {_MOST:,} characters, which no judge is shown")
    if not answer.text.strip():
        return Finding(None, "the answer has no text that a judge could read")
    if judge.kind is Kind.PAIRWISE:
        return _pair(bench, judge, case, params, answer)
    if judge.kind is Kind.REFERENCE and not params.reference:
        return Finding(None, f"the judge {judge.name} needs a reference, and the case has none")
    sent = messages(
        judge, question(case), answer.text, reference=params.reference, criterion=params.criterion
    )
    reply = bench.ask(judge, sent, "once")
    said = _said(judge, reply)
    return Finding(said.score, said.reason, _details(judge, reply), reply.cost)


def _pair(bench: Bench, judge: Judge, case: Case, params: _Judge, answer: Answer) -> Finding:
    other = params.reference or bench.against(case)
    if other is None:
        return Finding(
            None, "there is nothing to compare with: name a baseline, or give the case a reference"
        )
    asked = question(case)
    forth = bench.ask(
        judge, messages(judge, asked, answer.text, other=other, criterion=params.criterion), "forth"
    )
    first = _said(judge, forth)
    if first.score is None:
        return Finding(None, first.reason, _details(judge, forth), forth.cost)
    back = bench.ask(
        judge, messages(judge, asked, other, other=answer.text, criterion=params.criterion), "back"
    )
    second = _said(judge, back)
    both = both_orders(first, second)
    details = {**_details(judge, forth, back), "first": place(first.score)}
    if second.score is not None:
        details["second"] = place(second.score)
    cost = None if forth.cost is None or back.cost is None else forth.cost + back.cost
    return Finding(both.score, both.reason, details, cost)


def _said(judge: Judge, reply: Reply) -> Said:
    return Said(None, reply.error) if reply.error else read(judge, reply.text)


def _details(judge: Judge, *replies: Reply) -> dict[str, object]:
    asked = [one for one in replies if one.call_id]
    return {
        "judge": judge.name,
        "version": judge.version,
        "calls": [one.call_id for one in asked],
        "unpriced": any(one.cost is None for one in asked),
    }


def _under(params: _Judge, outside: Outside) -> str:
    judge = None if outside.bench is None else outside.bench.judge(params.judge)
    if judge is None or outside.bench is None:
        return f"{params.judge}@unknown"
    pair = judge.kind is Kind.PAIRWISE and not params.reference
    return f"{judge.edition}/{outside.bench.baseline}" if pair else judge.edition


JUDGE = Made("judge", "1", _Judge, _look, bar=0.5, under=_under)
