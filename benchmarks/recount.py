"""An independent reader: a fresh process that opens what a killed server left behind, with nothing of Holdfast's code.

`python -m benchmarks.recount FOLDER` opens the chDB folder through clickhouse-connect and prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def recount(folder: Path) -> dict[str, int]:
    """Counts in a process of its own. Raises CalledProcessError."""
    command = [sys.executable, "-m", "benchmarks.recount", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300)
    counted: dict[str, int] = json.loads(ran.stdout.splitlines()[-1])
    return counted


def main(folder: str) -> dict[str, Any]:
    """Rows and distinct spans; distinct calls that are not deleted."""
    import clickhouse_connect

    client = clickhouse_connect.get_client(dsn=f"chdb://{folder}")
    rows, spans = client.query("SELECT count(), uniqExact(trace_id, span_id) FROM spans").result_rows[0]
    calls = client.query("SELECT uniqExact(trace_id, id) FROM calls FINAL WHERE is_deleted = 0").result_rows[
        0
    ][0]
    return {"rows": rows, "spans": spans, "calls": calls}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
