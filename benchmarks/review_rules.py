"""What the online rules cost per call: `make bench NAME=review_rules [QUICK=1]`. The last line is one JSON object.

Real answers, read from ../shared/data (alpaca_eval, and the sensitive questions of LLMDrift); what is not there is skipped,
and then nothing holds. Measured is what every live call pays in this room: every bundled rule, and beside them a list of
100 patterns of a workspace's own, held against each answer; CPU time of the process, not the clock. Each round looks at
every answer once; the figure is the median of the rounds. `with_documents` has four retrieved documents beside each answer,
whose numbers are compared. Reading calls from the store is not in it.

Beside it: the same patterns one after another with Python's `re`, and with RE2; and an alternation of all of them in `re`.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import re2

from benchmarks import aims
from holdfast.evals.rules.online import Answer, OnlineRules, in_force
from holdfast.evals.rules.review import Dimension, Policy, Rule

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = ("gpt4_0613", "gpt-3.5-turbo-1106", "claude-2")
ROUNDS = 7
OWN = Rule(
    "own-words",
    Dimension.POLICY,
    patterns=tuple(
        rf"\bproduct {chr(97 + n % 26)}{n} (?:is|was) (?:cheaper|better) than\b" for n in range(100)
    ),
)


def answers(quick: bool) -> list[tuple[str, str]]:
    """Pairs of question and answer."""
    found: list[tuple[str, str]] = []
    for name in SETS:
        rows = json.loads((DATA / "alpaca_eval" / f"{name}.json").read_text())
        found += [(row["instruction"], row["output"]) for row in rows]
    with (DATA / "llmdrift" / "SENSITIVEQ_EVAL.csv").open(newline="", encoding="utf-8") as file:
        found += [
            (row.get("query") or row.get("question") or "", row["answer"]) for row in csv.DictReader(file)
        ]
    return found[:: 8 if quick else 1]


def per_call(look: Callable[[str, str], object], pairs: Sequence[tuple[str, str]], rounds: int) -> float:
    """CPU milliseconds of one call: the median of some rounds over all answers, after one that is not counted."""
    spent = []
    for _ in range(rounds + 1):
        began = time.process_time()
        for question, answer in pairs:
            look(question, answer)
        spent.append((time.process_time() - began) / len(pairs) * 1000)
    return statistics.median(spent[1:])


def main(*, quick: bool) -> dict[str, Any]:
    """Measures; returns the last line's object."""
    wanted = aims.read("review_rules")
    missing = [name for name in ("alpaca_eval", "llmdrift") if not (DATA / name).is_dir()]
    figures: dict[str, Any] = {}
    peer: dict[str, Any] = {"name": "the same patterns one by one"}
    if not missing:
        pairs, rounds = answers(quick), 3 if quick else ROUNDS
        rules = OnlineRules(in_force(Policy(rules=(OWN,))))
        bundled = OnlineRules(in_force(Policy()))
        patterns = [pattern for rule in rules.rules for pattern in rule.patterns]
        lengths = sorted(len(answer) for _, answer in pairs)
        others = [answer for _, answer in pairs]

        def retrieved(question: str, answer: str) -> object:
            """With four documents of answers' size beside it."""
            at = len(answer) * 7 % (len(others) - 4)
            return rules.look(Answer(answer, question, tuple(others[at : at + 4])), "")

        found = [rules.look(Answer(answer, question), "") for question, answer in pairs]
        figures = {
            "cpu_ms_per_call": round(per_call(lambda q, a: rules.look(Answer(a, q), ""), pairs, rounds), 4),
            "with_documents_cpu_ms_per_call": round(per_call(retrieved, pairs, rounds), 4),
            "bundled_cpu_ms_per_call": round(
                per_call(lambda q, a: bundled.look(Answer(a, q), ""), pairs, rounds), 4
            ),
            "answers": len(pairs),
            "patterns": len(patterns),
            "median_characters": lengths[len(lengths) // 2],
            "p95_characters": lengths[int(len(lengths) * 0.95)],
            "flagged_share": round(sum(bool(one.found) for one in found) / len(found), 4),
        }
        some = pairs[:: 1 if quick else 8]
        plain = [re.compile(one, re.IGNORECASE) for one in patterns]
        options = re2.Options()
        options.case_sensitive = False
        linear = [re2.compile(one, options) for one in patterns]
        joined = re.compile("|".join(f"(?:{one})" for one in patterns), re.IGNORECASE)
        peer |= {
            "re_one_by_one_cpu_ms": round(per_call(lambda _, a: [p.search(a) for p in plain], some, 1), 4),
            "re_joined_cpu_ms": round(per_call(lambda _, a: joined.search(a), some, 1), 4),
            "re2_one_by_one_cpu_ms": round(per_call(lambda _, a: [p.search(a) for p in linear], some, 1), 4),
        }
    about = {
        "skipped": {name: "not in ../shared/data" for name in missing},
        "versions": {name: version(name) for name in ("holdfast", "google-re2")}
        | {"python": platform.python_version()},
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "quick": quick,
    }
    return aims.last_line("review_rules", wanted, figures, peer, about, sound=not missing)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
