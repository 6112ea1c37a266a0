"""A ClickHouse call store by its address: one server, or shards with a Distributed table over each table of theirs.

`clickhouse://user:pass@host1:8123[,host2:8123…]/database[?cluster=NAME][&secure=true]`; `clickhouses://` is `secure`.
With a cluster, a table X is `X_local` on every node, and X on every node is Distributed over them: any node answers
for all. The hosts named are the shards, one replica each; statements that make or change tables go to each of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, unquote

from holdfast.kernel.errors import Invalid

BY_TRACE = "cityHash64(workspace, trace_id)"
_BY_TRACE_OR_KEY = "cityHash64(workspace, if(trace_id = '', toString(key), trace_id))"
_BY_BUCKET = "cityHash64(workspace, cuboid, bucket)"
SHARDED_BY: Mapping[str, str] = MappingProxyType(
    {
        "metric_points": "cityHash64(workspace, toString(key))",
        "log_records": _BY_TRACE_OR_KEY,
        "evaluations": _BY_TRACE_OR_KEY,
        "rollups": _BY_BUCKET,
        "rollup_superseded": _BY_BUCKET,
        "rollup_state": "cityHash64(version)",
    }
)
"""Which shard holds a row, by table; all others go by BY_TRACE. What replaces or joins each other has to lie together."""

SETTINGS: Mapping[str, Any] = MappingProxyType({"async_insert": 0})
"""An insert returns when its rows are on disk."""
CLUSTER_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        **SETTINGS,
        "distributed_foreground_insert": 1,  # returns when every shard has its rows
        "skip_unavailable_shards": 0,  # an answer is whole, or an error
        "distributed_product_mode": "global",  # IN (SELECT …) looks through all shards
        "parallel_distributed_insert_select": 0,  # INSERT … SELECT reads all shards and sends rows where they belong
        "optimize_injective_functions_in_group_by": 0,  # with it, shards do not know the keys of GROUPING SETS
    }
)
SCHEMES = {"clickhouse": 8123, "clickhouses": 8443}
LOCAL = "_local"


@dataclass(frozen=True, slots=True)
class Node:
    """One server."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a call store is, as its URL says. `cluster` is empty for a plain server."""

    nodes: tuple[Node, ...]
    user: str
    password: str
    database: str
    secure: bool
    cluster: str


def parse(url: str) -> Address:
    """Reads the URL of a call store on ClickHouse. Raises Invalid."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        raise _invalid("it begins with chdb://, clickhouse:// or clickhouses://")
    rest, _, query = rest.partition("?")
    place, _, database = rest.partition("/")
    login, _, hosts = place.rpartition("@")
    user, _, password = login.partition(":")
    options = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    unknown = set(options) - {"cluster", "secure"}
    if unknown:
        raise _invalid(f"it has no option {', '.join(sorted(unknown))}; there are cluster and secure")
    secure = scheme == "clickhouses" or options.get("secure", "").lower() in ("1", "true", "yes")
    nodes = tuple(_node(one, SCHEMES["clickhouses" if secure else "clickhouse"]) for one in hosts.split(","))
    cluster = options.get("cluster", "")
    if len(nodes) > 1 and not cluster:
        raise _invalid("several hosts are shards of a cluster: name it with ?cluster=NAME")
    if len(set(nodes)) < len(nodes):
        raise _invalid("a host is named twice")
    names = {"database": database or "default", "cluster": cluster or "none"}
    for what, name in names.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise _invalid(f"the name of the {what} has letters, digits and _ only")
    return Address(
        nodes,
        unquote(user) or "default",
        unquote(password),
        names["database"],
        secure,
        options.get("cluster", ""),
    )


def _node(text: str, port: int) -> Node:
    host, colon, given = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, given = text, str(port)
    if not host or not given.isdecimal() or not 0 < int(given) < 65536:
        raise _invalid(f"'{text}' is not a host and a port")
    return Node(host, int(given))


def _invalid(reason: str) -> Invalid:
    return Invalid(
        f"HOLDFAST_COLUMNS_URL does not say where the call store is: {reason}", where="HOLDFAST_COLUMNS_URL"
    )


_NAMED = re.compile(r"\b(ALTER TABLE|OPTIMIZE TABLE|FROM|JOIN|INTO) (\w+)(?![\w.(])")
_ABOUT = re.compile(r"(CREATE|ALTER|DROP) TABLE (?:IF (?:NOT )?EXISTS )?(\w+)")
_ONCE = (
    (re.compile(r"^CREATE TABLE (?!IF NOT EXISTS)"), "CREATE TABLE IF NOT EXISTS "),
    (re.compile(r"^DROP TABLE (?!IF EXISTS)"), "DROP TABLE IF EXISTS "),
    (re.compile(r"\bADD (COLUMN|INDEX|PROJECTION) (?!IF NOT EXISTS)"), r"ADD \1 IF NOT EXISTS "),
    (re.compile(r"\bDROP (COLUMN|INDEX|PROJECTION) (?!IF EXISTS)"), r"DROP \1 IF EXISTS "),
)


def localised(statement: str) -> str:
    """A statement on a node's own tables: every table it names is the local one."""
    return _NAMED.sub(lambda found: f"{found[1]} {found[2]}{LOCAL}", statement)


def steps(text: str, address: Address | None) -> list[str]:
    """What one file of migrations does on one node, statement by statement; each may be done again and changes nothing then.

    With a cluster, tables become local ones, and what is read over all shards is made anew. Raises ValueError for a
    statement that cannot be done shard by shard.
    """
    done: list[str] = []
    for part in text.split(";\n"):
        lines = [line for line in part.splitlines() if not line.lstrip().startswith("--")]
        statement = "\n".join(lines).strip().rstrip(";")
        if not statement:
            continue
        for pattern, made in _ONCE:
            statement = pattern.sub(made, statement)
        done += [statement] if address is None or not address.cluster else _sharded(statement, address)
    return done


def _sharded(statement: str, address: Address) -> list[str]:
    about = _ABOUT.match(statement)
    if about is None:
        raise ValueError(f"a migration makes, alters or drops tables, one a statement: {statement[:60]}")
    kind, table = about.groups()
    start, end = about.span(2)
    local = f"{statement[:start]}{table}{LOCAL}{statement[end:]}"
    if kind == "DROP":
        return [statement, local]
    made = "CREATE TABLE IF NOT EXISTS" if kind == "CREATE" else "CREATE OR REPLACE TABLE"
    key = SHARDED_BY.get(table, BY_TRACE)
    where = f"'{address.cluster}', '{address.database}', '{table}{LOCAL}'"
    return [local, f"{made} {table} AS {table}{LOCAL} ENGINE = Distributed({where}, {key})"]
