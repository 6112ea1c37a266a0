"""A process that sends what is due until it is killed: `python -m tests.platform.notify.courier <url> <data> <t0>`.

Its clock runs sixty times as fast as the wall's from `t0` on, so that leases and waits end within seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.platform.notify.actions.outbox import Post
from holdfast.platform.notify.jobs import Courier
from holdfast.platform.notify.senders.shelf import senders
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database

SPEED = 60
BEGAN = datetime(2026, 11, 20, 12, tzinfo=UTC)


def fast_clock(t0: float) -> datetime:
    """The time on the fast clock."""
    return BEGAN + timedelta(seconds=(time.time() - t0) * SPEED)


def main(url: str, data: str, t0: float) -> None:
    """Runs for ever."""
    database = Database(url)
    settings = Settings(data=Path(data), outbound_allow="127.0.0.1")
    courier = Courier(Post(database, settings, senders(settings), lambda: fast_clock(t0)))
    pause = threading.Event()
    print("ready", flush=True)
    while True:
        courier.deliver_due()
        pause.wait(0.02)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
