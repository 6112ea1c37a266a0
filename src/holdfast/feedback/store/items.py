"""Table of feedback items, and every query on it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.feedback.model import Item, Joined, Sentiment, Signal, Source, Wanted, Words
from holdfast.storage.sql import Instant, Transaction, metadata

AT_ONCE = 500
"""Values of one query, rows of one step."""

items = sa.Table(
    "feedback_items",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("source", sa.String(20), nullable=False),
    sa.Column("call_id", sa.String(200)),
    sa.Column("trace_id", sa.String(64)),
    sa.Column("session", sa.String(200)),
    sa.Column("rating", sa.Integer),
    sa.Column("score", sa.Float),
    sa.Column("label", sa.String(100)),
    sa.Column("comment", sa.Text),
    sa.Column("correction", sa.Text),
    sa.Column("used", sa.Text),
    sa.Column("author", sa.String(200)),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("metadata", sa.Text, nullable=False),  # JSON
    sa.Column("signal", sa.String(20)),
    sa.Column("confidence", sa.Float),
    sa.Column("words", sa.String(10), nullable=False),
    sa.Column("same_as", sa.String(100)),
    sa.Column("handled", sa.String(400)),
    sa.Column("handled_by", sa.String(200)),
    sa.Column("handled_at", Instant),
    sa.Column("sentiment", sa.String(10), nullable=False),
    sa.Column(
        "digest", sa.String(64), nullable=False
    ),  # of all that the sender said: the same id says the same
    sa.Column("likeness", sa.String(64)),  # of what makes two items the same; null: it is like no other
    sa.Column("look_at", Instant),  # when its call is sought next; null: found, or given up
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("joined_at", Instant),
    sa.Column("joined_call", sa.String(64)),
    sa.Column("joined_trace", sa.String(64)),
    sa.Column("joined_session", sa.String(200)),
    sa.Column("system", sa.String(200)),
    sa.Column("environment", sa.String(200)),
    sa.Column("route", sa.String(200)),
    sa.Column("release", sa.String(200)),
    sa.Column("model", sa.String(300)),
    sa.Column("called_at", Instant),
    sa.Index(None, "workspace", "created_at"),
    sa.Index(None, "workspace", "trace_id"),
    sa.Index(None, "workspace", "joined_trace"),
    sa.Index(None, "workspace", "likeness"),
    sa.Index(None, "look_at"),
)
GONE = ""
"""The digest of an item that was erased: whatever is sent under its id again is not kept."""
_PLAIN = (
    "id", "workspace", "call_id", "trace_id", "session", "rating", "score", "label", "comment", "correction", "used",
    "author", "created_at", "received_at", "confidence", "same_as", "handled", "handled_by", "handled_at",
)  # fmt: skip
_FOUND = ("system", "environment", "route", "release", "model")


def _item(row: Any) -> Item:
    joined = None
    if row.joined_at is not None:
        joined = Joined(
            call_id=row.joined_call,
            trace_id=row.joined_trace,
            session=row.joined_session,
            at=row.called_at,
            **{name: getattr(row, name) for name in _FOUND},
        )
    return Item(
        **{name: getattr(row, name) for name in _PLAIN},
        source=Source(row.source),
        words=Words(row.words),
        signal=Signal(row.signal) if row.signal else None,
        metadata=json.loads(row.metadata),
        joined=joined,
    )


def _values(item: Item) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in _PLAIN},
        "source": item.source.value,
        "words": item.words.value,
        "signal": item.signal.value if item.signal else None,
        "metadata": json.dumps(dict(item.metadata), ensure_ascii=False),
        "sentiment": item.sentiment.value,
    }


def add(tx: Transaction, item: Item, digest: str, likeness: str | None, look_at: datetime | None) -> bool:
    """False where the workspace has an item of this id already; nothing is changed then."""
    more = {"digest": digest, "likeness": likeness, "look_at": look_at, "looks": 0}
    return tx.insert_new(items, _values(item) | more, key=["workspace", "id"])


def revise(tx: Transaction, item: Item, digest: str, likeness: str | None) -> None:
    """Puts what an item says in the place of what it said; what is known of its call stays."""
    values = _values(item) | {"digest": digest, "likeness": likeness}
    for kept in ("id", "workspace", "handled", "handled_by", "handled_at", "received_at"):
        del values[kept]
    tx.execute(items.update().where(_is(item.workspace, item.id)).values(**values))


def digest(tx: Transaction, workspace: str, id: str) -> str | None:
    """The digest of an item; None where there is no such item."""
    statement = tx.select(items, workspace).with_only_columns(items.c.digest).where(items.c.id == id)
    found: str | None = tx.execute(statement).scalar_one_or_none()
    return found


def digests(tx: Transaction, workspace: str, ids: Sequence[str]) -> dict[str, str]:
    """Digests of those of these items that there are."""
    statement = tx.select(items, workspace).with_only_columns(items.c.id, items.c.digest)
    return {row.id: row.digest for row in tx.execute(statement.where(items.c.id.in_(ids)))}


def first_like(tx: Transaction, workspace: str, likeness: str) -> str | None:
    """The first item that says the same; None where none does."""
    statement = tx.select(items, workspace).with_only_columns(items.c.id)
    statement = statement.where(items.c.likeness == likeness, items.c.same_as.is_(None))
    found: str | None = tx.execute(
        statement.order_by(items.c.received_at, items.c.id).limit(1)
    ).scalar_one_or_none()
    return found


def one(tx: Transaction, workspace: str, id: str) -> Item | None:
    """One item."""
    row = tx.execute(tx.select(items, workspace).where(items.c.id == id)).one_or_none()
    return None if row is None else _item(row)


def listed(
    tx: Transaction,
    workspace: str,
    wanted: Wanted,
    limit: int,
    after: tuple[datetime, str] | None = None,
    *,
    oldest_first: bool = False,
) -> list[Item]:
    """Items by (created_at, id), the latest first; `after` is the key of the last one seen."""
    statement = tx.select(items, workspace).where(*matching(wanted))
    key = sa.tuple_(items.c.created_at, items.c.id)
    if after is not None:
        last = sa.tuple_(sa.literal(after[0], Instant), sa.literal(after[1]))
        statement = statement.where(key > last if oldest_first else key < last)
    order = (items.c.created_at, items.c.id)
    statement = statement.order_by(*(order if oldest_first else (one.desc() for one in order)))
    return [_item(row) for row in tx.execute(statement.limit(limit))]


def count(tx: Transaction, workspace: str, wanted: Wanted) -> int:
    """How many there are."""
    statement = tx.select(items, workspace).with_only_columns(sa.func.count()).where(*matching(wanted))
    return int(tx.execute(statement).scalar_one())


def marks(tx: Transaction, workspace: str, wanted: Wanted, limit: int) -> list[tuple[datetime, Sentiment]]:
    """When items were given and which way they point, the latest first."""
    statement = tx.select(items, workspace).with_only_columns(items.c.created_at, items.c.sentiment)
    statement = statement.where(*matching(wanted)).order_by(items.c.created_at.desc()).limit(limit)
    return [(row.created_at, Sentiment(row.sentiment)) for row in tx.execute(statement)]


def tallied(
    tx: Transaction, workspace: str, wanted: Wanted, by: str
) -> list[tuple[str | None, Sentiment, int]]:
    """How many items of each value of a column point which way."""
    column = items.c[by]
    counted = (column.label("value"), items.c.sentiment, sa.func.count().label("n"))
    statement = tx.select(items, workspace).with_only_columns(*counted).where(*matching(wanted))
    rows = tx.execute(statement.group_by(column, items.c.sentiment))
    return [(row.value, Sentiment(row.sentiment), int(row.n)) for row in rows]


def facet(tx: Transaction, workspace: str, wanted: Wanted, by: str, limit: int) -> list[tuple[str, int]]:
    """The commonest values of a column, with their counts; empty text is unknown."""
    column = items.c[by]
    counted = (column.label("value"), sa.func.count().label("n"))
    statement = tx.select(items, workspace).with_only_columns(*counted).where(*matching(wanted))
    statement = statement.group_by(column).order_by(sa.desc("n"), column).limit(limit)
    return [(row.value or "", int(row.n)) for row in tx.execute(statement)]


def opinions(
    tx: Transaction, workspace: str, wanted: Wanted, called: tuple[datetime, datetime]
) -> dict[str, tuple[int, int]]:
    """By release: calls that began in a time range of which somebody said anything good or bad, and those of which bad."""
    c = items.c
    bad = sa.case((c.sentiment == Sentiment.NEGATIVE.value, c.joined_call))
    statement = (
        tx.select(items, workspace)
        .with_only_columns(
            c.release,
            sa.func.count(sa.distinct(c.joined_call)).label("n"),
            sa.func.count(sa.distinct(bad)).label("bad"),
        )
        .where(*matching(wanted), c.joined_call.is_not(None))
        .where(c.called_at >= called[0], c.called_at < called[1])
        .group_by(c.release)
    )
    return {row.release: (int(row.n), int(row.bad)) for row in tx.execute(statement)}


def copies(tx: Transaction, workspace: str, ids: Sequence[str]) -> dict[str, int]:
    """How many later items say the same as each of these."""
    statement = tx.select(items, workspace).with_only_columns(items.c.same_as, sa.func.count().label("n"))
    statement = statement.where(items.c.same_as.in_(ids)).group_by(items.c.same_as)
    return {row.same_as: int(row.n) for row in tx.execute(statement)}


def matching(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """The conditions on items that a filter means."""
    made: list[sa.ColumnElement[bool]] = []
    if wanted.start is not None:
        made.append(items.c.created_at >= wanted.start)
    if wanted.end is not None:
        made.append(items.c.created_at < wanted.end)
    if wanted.trace_id is not None:
        made.append(sa.or_(items.c.trace_id == wanted.trace_id, items.c.joined_trace == wanted.trace_id))
    if wanted.call_id is not None:
        made.append(sa.or_(items.c.call_id == wanted.call_id, items.c.joined_call == wanted.call_id))
    for column, wants_value in (
        (items.c.joined_at, wanted.joined),
        (items.c.handled, None if wanted.open is None else not wanted.open),
        (items.c.same_as, False if wanted.unique else None),
    ):
        if wants_value is not None:
            made.append(column.is_not(None) if wants_value else column.is_(None))
    return [*made, *_among(wanted)]


def _among(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    made: list[sa.ColumnElement[bool]] = []
    for column, values in (
        (items.c.id, wanted.ids),
        (items.c.source, tuple(one.value for one in wanted.sources)),
        (items.c.sentiment, tuple(one.value for one in wanted.sentiments)),
        (items.c.label, wanted.labels),
        (items.c.system, wanted.systems),
        (items.c.environment, wanted.environments),
        (items.c.route, wanted.routes),
        (items.c.release, wanted.releases),
    ):
        if values:
            named = column.in_([one for one in values if one])
            made.append(sa.or_(named, column.is_(None)) if "" in values else named)
    return made


def _is(workspace: str, id: str) -> sa.ColumnElement[bool]:
    return sa.and_(items.c.workspace == workspace, items.c.id == id)


def handle(tx: Transaction, workspace: str, id: str, handled: str | None, by: str, at: datetime) -> None:
    """Notes what became of an item; None: it is open again."""
    values = {
        "handled": handled,
        "handled_by": by if handled else None,
        "handled_at": at if handled else None,
    }
    tx.execute(items.update().where(_is(workspace, id)).values(**values))


def erase(tx: Transaction, workspace: str, id: str) -> None:
    """Takes away what it says in words, and whose it is; its figures stay."""
    gone = ("comment", "correction", "used", "author", "likeness")
    values = {"metadata": "{}", "digest": GONE, "words": Words.ERASED.value, **dict.fromkeys(gone, None)}
    tx.execute(items.update().where(_is(workspace, id)).values(**values))


def about(
    tx: Transaction,
    workspace: str,
    traces: Collection[str],
    sessions: Collection[str],
    authors: Sequence[str],
) -> list[str]:
    """Ids of items on these traces or sessions, or by these authors."""
    found: set[str] = set()
    named = (
        ((items.c.trace_id, items.c.joined_trace), sorted(traces)),
        ((items.c.session, items.c.joined_session), sorted(sessions)),
        ((sa.func.lower(items.c.author),), sorted(one.lower() for one in authors)),
    )
    for columns, values in named:
        for start in range(0, len(values), AT_ONCE):
            some = values[start : start + AT_ONCE]
            either = sa.or_(*(column.in_(some) for column in columns))
            statement = tx.select(items, workspace).with_only_columns(items.c.id).where(either)
            found.update(row.id for row in tx.execute(statement))
    return sorted(found)


def worded(tx: Transaction, workspace: str) -> Iterator[Item]:
    """Every item that says something in words."""
    columns = (items.c.comment, items.c.correction, items.c.used, items.c.label)
    statement = tx.select(items, workspace).where(sa.or_(*(column.is_not(None) for column in columns)))
    for row in tx.execute(statement):
        yield _item(row)


def put_words(tx: Transaction, workspace: str, id: str, words: Mapping[str, str | None]) -> None:
    """Keeps what an item says in words as it now is, by column."""
    tx.execute(items.update().where(_is(workspace, id)).values(**words, likeness=None))


def expire_words(tx: Transaction, workspace: str, systems: Sequence[str | None], before: datetime) -> int:
    """Takes away what items that came before an instant said in words, and whose they are; how many, AT_ONCE at most.

    `systems` are those of their calls; None: of no call that is known.
    """
    known = items.c.system.in_([one for one in systems if one is not None])
    of = sa.or_(known, items.c.system.is_(None)) if None in systems else known
    told = sa.or_(
        *(
            column.is_not(None)
            for column in (items.c.comment, items.c.correction, items.c.used, items.c.author)
        ),
        items.c.metadata != "{}",
    )
    old = tx.select(items, workspace).with_only_columns(items.c.id).where(of, told)
    old = old.where(items.c.received_at < before, items.c.words != Words.ERASED.value)
    ids = [row.id for row in tx.execute(old.limit(AT_ONCE))]
    for id in ids:
        erase(tx, workspace, id)
    return len(ids)


def used_since(
    tx: Transaction, workspace: str, after: datetime | None, limit: int
) -> list[tuple[Item, datetime]]:
    """Items with a text that was used in place of the answer, joined after an instant, in order of that."""
    statement = tx.select(items, workspace).where(
        items.c.joined_at.is_not(None), sa.or_(items.c.used.is_not(None), items.c.correction.is_not(None))
    )
    if after is not None:
        statement = statement.where(items.c.joined_at > after)
    rows = list(tx.execute(statement.order_by(items.c.joined_at, items.c.id).limit(limit)))
    if len(rows) == limit and rows[0].joined_at != rows[-1].joined_at:  # those of one instant go together
        rows = [row for row in rows if row.joined_at != rows[-1].joined_at]
    return [(_item(row), row.joined_at) for row in rows]


def waiting(tx: Transaction, now: datetime, limit: int) -> list[tuple[Item, int]]:
    """Items of every workspace whose call is to be sought now, with how often it was sought."""
    statement = sa.select(items).where(items.c.look_at <= now).order_by(items.c.look_at).limit(limit)
    return [(_item(row), row.looks) for row in tx.execute(statement)]


def look_again(tx: Transaction, item: Item, looks: int, at: datetime | None) -> None:
    """Its call is not there yet: when it is sought next, None where no more."""
    tx.execute(items.update().where(_is(item.workspace, item.id)).values(look_at=at, looks=looks))


def join(
    tx: Transaction, item: Item, joined: Joined, at: datetime, looks: int, look_at: datetime | None
) -> None:
    """Keeps what is known of its call; `look_at`: when it is looked at once more."""
    found = {name: getattr(joined, name) for name in _FOUND}
    tx.execute(
        items.update()
        .where(_is(item.workspace, item.id))
        .values(
            **found,
            joined_at=at,
            joined_call=joined.call_id,
            joined_trace=joined.trace_id,
            joined_session=joined.session,
            called_at=joined.at,
            looks=looks,
            look_at=look_at,
        )
    )
