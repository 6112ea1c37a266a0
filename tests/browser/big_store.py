"""Makes a call store of about a million calls: `python big_store.py FOLDER DOUBLINGS`, in a process of its own.

What is stored already is doubled inside the engine, so many times: each copy has ids of its own and is a little earlier.
"""

from __future__ import annotations

import sys

import clickhouse_connect


def hashed(column: str, turn: int, length: int) -> str:
    """SQL for the id that a copy has in place of another; empty stays empty."""
    return f"if({column} = '', '', substring(lower(hex(MD5(concat({column}, '-{turn}')))), 1, {length}))"


def main(folder: str, doublings: int) -> None:
    """Doubles calls and spans."""
    client = clickhouse_connect.get_client(dsn=f"chdb://{folder}")
    old = "toUInt64(1)"  # as if committed long ago: nothing of it is left to count at the next start
    for turn in range(doublings):
        shift = f"started_at - toIntervalSecond({97 * 2**turn}) AS started_at"
        trace = f"{hashed('trace_id', turn, 32)} AS trace_id"
        span = f"{hashed('span_id', turn, 16)} AS span_id"
        parent = f"{hashed('parent_span_id', turn, 16)} AS parent_span_id"
        call = f"{hashed('id', turn, 16)} AS id"
        seen = f"arrayMap(x -> {hashed('x', turn, 16)}, observations) AS observations"
        client.command(
            f"INSERT INTO calls SELECT * REPLACE ({trace}, {span}, {call}, {seen}, {shift}, {old} AS version) FROM calls"
        )
        client.command(
            f"INSERT INTO spans SELECT * REPLACE ({trace}, {span}, {parent}, {shift}, {old} AS sequence) FROM spans"
        )
    client.command("OPTIMIZE TABLE calls FINAL")  # a store at rest, as merges leave it after a while
    print(*client.query("SELECT (SELECT count() FROM calls), (SELECT count() FROM spans)").result_rows[0])
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
