"""Coverage of a suite, where the truth is known: `make bench NAME=coverage [QUICK=1]`. The last line is a JSON object.

Of CLINC150 (../shared/data/clinc150) 30 of 150 intents are left out of a suite that has 1, 3 or 10 cases for each of the
others; production asks all 150, some of them far more often. Which calls are uncovered is known by their intent. Beside it
the naive rule: a call is uncovered where no case is as near as a cosine of .6. Recall: the share of calls of intents without
a case that are found; false alarms: the share of other calls taken for such. Calls in no group count as neither.

The post-stratified score is held against what it stands for: each intent has a chance to be answered well, lower for what is
asked often; the truth is the mean chance of the calls whose intent has cases.
"""

from __future__ import annotations

import json
import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import aims
from holdfast.evals.rules import coverage as rules
from holdfast.evals.rules.coverage import HeldCase, Ref
from holdfast.text import clusters
from holdfast.text.embeddings import Embedder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "clinc150" / "data_full.json"
LEFT_OUT = 30
NAIVE = 0.6
FIRST_SEED = 300
"""Seeds below were used to choose the rule."""


def one(
    vectors: rules.Vectors, intents: np.ndarray[Any, Any], per: int, calls: int, seed: int
) -> dict[str, float]:
    """The figures of one suite and one production."""
    rng = np.random.default_rng(seed)
    names = np.unique(intents)
    out = set(rng.choice(names, LEFT_OUT, replace=False))
    suite = np.concatenate(
        [rng.choice(np.flatnonzero(intents == name), per, replace=False) for name in names if name not in out]
    )
    rest = np.setdiff1d(np.arange(len(intents)), suite)
    often = {name: rng.random() ** 2 + 0.02 for name in names}
    chance = {name: float(np.clip(0.98 - 0.6 * often[name] + rng.normal(0, 0.05), 0, 1)) for name in names}
    p = np.array([often[name] for name in intents[rest]])
    asked = rng.choice(rest, min(calls, len(rest) // 2), replace=False, p=p / p.sum())
    x, cases = vectors[asked], vectors[suite]
    grouping = rules.grouped(x, [1] * len(x), cases, rng)
    held = [HeldCase(str(at), "") for at in suite]
    found = rules.told(
        grouping,
        x,
        np.arange(len(x)),
        [Ref(str(at), str(at)) for at in asked],
        np.ones(len(x)),
        [()] * len(grouping.clusters),
        held,
        traffic=len(x),
        drawn=len(x),
        blind=0.0,
    )
    labels = grouping.labels
    covered = np.isin(labels, grouping.owner[grouping.owner >= 0])
    uncovered = (labels >= 0) & ~covered
    new = np.isin(intents[asked], list(out))
    naive = (x @ cases.T).max(axis=1) < NAIVE
    passed = {str(at): float(rng.random() < chance[intents[at]]) for at in suite}
    scores = {group.number: [(case.id, passed[case.id]) for case in group.cases] for group in found.groups}
    plain = float(np.mean(list(passed.values())))
    head = rules.headline(scores, found, plain)
    truth = float(np.mean([chance[name] for name in intents[asked][~new]]))
    told = {
        "recall": float(uncovered[new].mean()),
        "false_alarms": float(uncovered[~new].mean()),
        "unclustered": float((labels < 0).mean()),
        "naive_recall": float(naive[new].mean()),
        "naive_false_alarms": float(naive[~new].mean()),
        "share": float(found.uncovered.value or 0),
        "true_share": float(new.mean()),
        "groups": float(len(found.groups)),
        "unseen": float(found.unseen or 0),
    }
    if head is not None:
        told |= {
            "error": abs(head.value - truth),
            "plain_error": abs(plain - truth),
            "covers": float(head.low <= truth <= head.high),
            "unknown": head.unknown,
        }
    return told


def main(*, quick: bool) -> dict[str, Any]:
    """Runs it; returns the last line's object."""
    wanted = aims.read("coverage")
    if not DATA.exists():
        return aims.last_line("coverage", wanted, {}, {}, {"skipped": "no data: clinc150"}, sound=False)
    rng = np.random.default_rng(9)
    rows = [row for name, part in json.loads(DATA.read_text()).items() for row in part if "oos" not in name]
    by_intent: dict[str, list[str]] = {}
    for place in rng.permutation(len(rows)):
        text, intent = rows[int(place)]
        by_intent.setdefault(intent, []).append(text)
    each, calls, seeds = (40, 2000, 3) if quick else (100, 5000, 8)
    texts = [text for some in by_intent.values() for text in some[:each]]
    intents = np.array([intent for intent, some in by_intent.items() for _ in some[:each]])
    began = time.perf_counter()
    vectors = clusters.embedded(Embedder(), texts)
    embedding = time.perf_counter() - began
    began = time.perf_counter()
    tables: dict[int, dict[str, float]] = {}
    for per in (1, 3, 10):
        told = [one(vectors, intents, per, calls, FIRST_SEED + seed) for seed in range(seeds)]
        tables[per] = {name: float(np.mean([row[name] for row in told])) for name in told[0]}
        print(per, {name: round(value, 3) for name, value in tables[per].items()}, flush=True)
    grouping = (time.perf_counter() - began) / (3 * seeds)
    three = tables[3]
    youden = three["recall"] - three["false_alarms"]
    figures = {
        "youden_at_3": youden,
        "recall_at_3": three["recall"],
        "false_alarms_at_3": three["false_alarms"],
        "youden_over_naive_at_3": youden - (three["naive_recall"] - three["naive_false_alarms"]),
        "headline_error_ratio": three["error"] / three["plain_error"],
        "headline_covers": float(np.mean([table["covers"] for table in tables.values()])),
        "seconds_per_1000_calls": 1000 * (embedding / len(texts) + grouping / calls),
    }
    rounded = {name: round(value, 3) for name, value in figures.items()}
    more = {
        f"per_{per}": {name: round(value, 3) for name, value in table.items()}
        for per, table in tables.items()
    }
    about = {
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "versions": {name: version(name) for name in ("holdfast", "numpy", "onnxruntime")},
        "quick": quick,
    }
    peer = {
        "name": f"no case as near as a cosine of {NAIVE}; the plain mean of the cases",
        "recall_at_3": round(three["naive_recall"], 3),
        "false_alarms_at_3": round(three["naive_false_alarms"], 3),
        "headline_error": round(three["plain_error"], 3),
    }
    return aims.last_line("coverage", wanted, rounded | more, peer, about, sound=True)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
