"""A vendor that answers as one model and judges as another, with errors of its own; judges and suites to ask it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.evals.runs.desk import Desk
from tests.gateway.vendor import Vendor

from holdfast.commands import suites as suite_commands

_ANSWER = re.compile(r"<<ANSWER(?: ([AB]))? [0-9a-f]{16}>>\n(.*?)\n<<END", re.DOTALL)


class Referee(Vendor):
    """Model m answers question N rightly unless N % 3 is 2. Model late judges: it lets every wrong answer N % 4 == 0 pass.

    Of two answers it prefers the right one, and of two alike the first.
    """

    raw: str | None = None
    """What the judge says instead, where it is to say something strange."""

    def _answer(self, path: str, body: dict[str, Any], how: str) -> dict[str, Any]:
        made = super()._answer(path, body, how)
        last = body["messages"][-1]["content"]
        if body.get("model") == "late":
            found = dict(_ANSWER.findall(last))
            said = self.raw or json.dumps({"reason": "as it reads", "verdict": verdict(found)})
        else:
            said = answer(number(last))
        made["choices"][0]["message"]["content"] = said
        return made


def verdict(found: dict[str, str]) -> str:
    if "" in found:
        return "pass" if "right" in found[""] or number(found[""]) % 4 == 0 else "fail"
    first, second = "right" in found["A"], "right" in found["B"]
    return "B" if second and not first else "A"


def number(text: str) -> int:
    return int(re.findall(r"\d+", text)[0])


def answer(which: int) -> str:
    return f"{which} is {'wrong' if which % 3 == 2 else 'right'}, I think"


def labels(count: int = 24) -> list[dict[str, Any]]:
    """What people say: whether the answer says right."""
    return [
        {"input": f"question {n}", "answer": answer(n), "label": "fail" if n % 3 == 2 else "pass"}
        for n in range(count)
    ]


def pairs(count: int = 24) -> list[dict[str, Any]]:
    return [
        {
            "input": f"question {n}",
            "answers": [f"{n} is right", f"{n} is wrong and long-winded"][:: 1 if n % 2 else -1],
            "label": "first" if n % 2 else "second",
        }
        for n in range(count)
    ]


def judge(name: str = "truth", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "rubric": "Good answers are right.",
        "release": "late",
        "labeller": "Ann",
        "date": "2026-01-05",
        "labels": labels(),
        **more,
    }


def asking(count: int, **expect: Any) -> list[dict[str, Any]]:
    """Cases that a judge grades."""
    expected = expect or {"judge": "truth"}
    return [{"id": f"c{n:03}", "prompt": f"question {n}", "expect": [expected]} for n in range(count)]


def apply(at: Desk, name: str, *judges: dict[str, Any], **suite: Any) -> str:
    """Applies judges and a suite from two files, together."""
    files = []
    if judges:
        files.append(_written(at.folder / f"{name}-judges.yaml", {"judges": list(judges)}))
    if suite:
        files.append(_written(at.folder / f"{name}.yaml", {"name": name, "route": "r", **suite}))
    return suite_commands.apply(at.core.settings, files, at.workspace.slug, "", dry_run=False)


def _written(file: Path, what: Any) -> Path:
    file.write_text(json.dumps(what))
    return file
