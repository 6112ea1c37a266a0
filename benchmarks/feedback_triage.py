"""A backlog of 50,000 feedback items triaged: `make bench NAME=feedback_triage [QUICK=1]`. The last line is a JSON object.

Items ask what CLINC150 asks (150 intents and questions outside of them, ../shared/data/clinc150): each question as it is,
and again with typos, lost words or words of courtesy, until there are enough; Three in four say
what went wrong, in words of a few dozen kinds. The triage runs as in production: items read from a store on disk, embedded
on two threads, grouped, failure modes told, everything kept, progress kept each second.

Quality: adjusted mutual information of the categories with the intents; beside it KMeans on TF-IDF, told the true number of
intents, which the triage is not. Failure modes: the share of remarks that get the mode they were written for.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import aims
from holdfast.feedback.actions import items as item_actions
from holdfast.feedback.actions import triage as actions
from holdfast.feedback.jobs import triaging
from holdfast.feedback.model import Item, Source
from holdfast.feedback.reads import triage as reads
from holdfast.feedback.store import triage as store
from holdfast.kernel.context import Actor, Context
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.migrate import migrate
from holdfast.storage.sql import Database
from holdfast.text.embeddings import Embedder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "clinc150" / "data_full.json"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BEFORE = ("", "hi, ", "hello there, ", "please ", "quick question: ", "can you help, ", "sorry, ")
BEHIND = ("", " please", " thanks", " asap", " today", " if possible")
REMARKS: dict[str, tuple[str, ...]] = {
    "wrong fact": (
        "this is simply not true",
        "wrong amount",
        "the date it gave is incorrect",
        "it invented an answer",
    ),
    "missing info": (
        "did not answer what I asked",
        "half of it is missing",
        "too vague",
        "no steps at all, just a link",
    ),
    "refusal": (
        "it refuses to do this",
        "would not help me",
        "it declined for no reason",
        "says it is not able to",
    ),
    "too long": (
        "too long, I stopped reading",
        "a wall of text",
        "rambling answer",
        "could have been one sentence",
    ),
    "tone": ("quite rude", "talks down to me", "unfriendly tone", "it lectured me like a child"),
    "format": (
        "the table is broken",
        "not valid json",
        "unreadable layout",
        "everything on one line, no bullets",
    ),
    "slow": ("took ages", "so slow", "it timed out twice", "waited two minutes for this"),
}


def items(texts: list[str], count: int, rng: np.random.Generator) -> tuple[list[Item], list[int], list[str]]:
    """Items, the place of the question that each was made from, and the mode that its remark was written for ("": none)."""
    made, origin, modes = [], [], []
    names = list(REMARKS)
    for number in range(count):
        place = number if number < len(texts) else int(rng.integers(len(texts)))
        text = texts[place] if number < len(texts) else altered(texts[place], rng)
        mode = names[int(rng.integers(len(names)))] if rng.random() < 0.75 else ""
        remark = str(rng.choice(REMARKS[mode])) if mode else None
        at = NOW - timedelta(minutes=int(rng.integers(60 * 24 * 70)))
        made.append(
            Item(
                id=f"fb_{number}", workspace="", source=Source.IMPORT, call_id=None, trace_id=None, session=None,
                rating=-1, score=None, label=None, comment=remark, correction=None, used=None, author=None,
                created_at=at, received_at=at, metadata={"question": text},
            )
        )  # fmt: skip
        origin.append(place)
        modes.append(mode)
    return made, origin, modes


def altered(text: str, rng: np.random.Generator) -> str:
    """The question again, as somebody else types it."""
    letters = list(text)
    for _ in range(int(rng.integers(0, 3))):
        at = int(rng.integers(len(letters)))
        kind = int(rng.integers(3))
        if kind == 0 and len(letters) > 8:
            del letters[at]
        elif kind == 1:
            letters.insert(at, letters[at])
        elif at + 1 < len(letters):
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
    words = "".join(letters).split()
    if len(words) > 5 and rng.random() < 0.3:
        del words[int(rng.integers(len(words)))]
    return f"{rng.choice(BEFORE)}{' '.join(words)}{rng.choice(BEHIND)}"


def main(*, quick: bool) -> dict[str, Any]:
    """Runs it; returns the last line's object."""
    wanted = aims.read("feedback_triage")
    if not DATA.exists():
        return aims.last_line(
            "feedback_triage", wanted, {}, {}, {"skipped": "no data: clinc150"}, sound=False
        )
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import adjusted_mutual_info_score

    rng = np.random.default_rng(5)
    rows = [row for part in json.loads(DATA.read_text()).values() for row in part]
    order = rng.permutation(len(rows))
    rows = [rows[int(one)] for one in order]
    count = 5_000 if quick else 50_000
    rows = rows[: count // 2]
    made, origin, modes = items([text for text, _ in rows], count, rng)
    intents = [rows[place][1] for place in origin]
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/control.db")
        migrate(database)
        values: dict[str, Any] = {"data": Path(folder)}
        services = Services(Settings(**values), lambda: NOW, database, None)  # type: ignore[arg-type]  # no call is joined
        actor = Actor("cli", "bench", "Benchmark")
        with database.transaction() as tx:
            workspace = tenancy.create_workspace(Context("", actor, NOW), tx, "bench", "Bench").id
        ctx = Context(workspace, actor, NOW)
        began = time.perf_counter()
        for start in range(0, count, 1000):
            with database.transaction() as tx:
                item_actions.add(ctx, tx, made[start : start + 1000])
        print(f"{count:,} items kept in {time.perf_counter() - began:.0f} s", flush=True)
        seen: list[tuple[str, int, int]] = []
        with database.transaction() as tx:
            triage = actions.ask(ctx, tx)
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(database, ctx, triage.id, seen, over))
        watcher.start()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began, worked = time.perf_counter(), time.process_time()
        triaging.work(services, triage, Embedder())
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
        over.set()
        watcher.join()
        with database.reading() as tx:
            found = reads.summary_of(reads.triage(ctx, tx, triage.id))
            everything = tx.execute(tx.select(store.placed, workspace)).all()
        database.close()
    assert found is not None
    by_item = {row.item: row for row in everything}
    labels = [by_item[one.id].category or "" for one in made]
    ami = float(adjusted_mutual_info_score(intents, labels))
    right = [by_item[one.id].mode == mode for one, mode in zip(made, modes, strict=True) if mode]
    texts = [str(one.metadata["question"]) for one in made]
    began = time.perf_counter()
    matrix = TfidfVectorizer(stop_words="english", min_df=2).fit_transform(texts)
    peer = MiniBatchKMeans(len(set(intents)), random_state=0, n_init=3).fit_predict(matrix)
    peer_seconds = time.perf_counter() - began
    peer_ami = float(adjusted_mutual_info_score(intents, peer))
    figures = {
        "items": count,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(worked, 1),
        "placed_share": len(everything) / count,
        "ami": round(ami, 3),
        "ami_over_peer": round(ami - peer_ami, 3),
        "modes_right": round(float(np.mean(right)), 3),
        "progress_steps": len(seen),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "mb_before": round(before),
        "without_copies": found.distinct,
        "categories": len(found.categories),
        "intents": len(set(intents)),
        "unclustered_share": round(found.unclustered / count, 3),
        "seconds_by_phase": dict(found.seconds),
    }
    peers = {
        "name": "MiniBatchKMeans on TF-IDF, told the number of intents",
        "ami": round(peer_ami, 3),
        "seconds": round(peer_seconds, 1),
    }
    about = {
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "versions": {name: version(name) for name in ("holdfast", "numpy", "onnxruntime", "scikit-learn")},
        "quick": quick,
    }
    return aims.last_line("feedback_triage", wanted, figures, peers, about, sound=True)


def _watch(
    database: Database, ctx: Context, id: str, seen: list[tuple[str, int, int]], over: threading.Event
) -> None:
    while not over.wait(1.0):
        with database.reading() as tx:
            one = reads.triage(ctx, tx, id)
        if not seen or seen[-1] != (one.phase, one.done, one.total):
            seen.append((one.phase, one.done, one.total))
            print(f"  {one.phase} {one.done:,} of {one.total:,}", flush=True)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
