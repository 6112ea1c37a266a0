"""Couriers killed again and again while channels fail for a while: every message arrives, each once by its id."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.platform.notify.courier import fast_clock
from tests.platform.notify.desk import Desk
from tests.platform.notify.receivers import mail_server, web_server

from holdfast.platform.notify.model import ChannelKind
from holdfast.platform.notify.store import OPEN, deliveries
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database
from running_core import PAUSE, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KILLS = 25
EACH = 6  # messages between two kills
COURIERS = 2
ROOT = Path(__file__).resolve().parents[3]


def test_every_message_arrives_once(database: Database, tmp_path: Path) -> None:
    rng = random.Random(9)
    t0 = time.time()
    settings = Settings(data=tmp_path, outbound_allow="127.0.0.1")
    desk = Desk(database, settings, lambda: fast_clock(t0))
    away = {"mail": 0.0, "web": 0.0}  # until when a server is out of order
    command = [sys.executable, "-m", "tests.platform.notify.courier"]
    command += [database.url.render_as_string(hide_password=False), str(tmp_path), str(t0)]

    def start() -> subprocess.Popen[bytes]:
        made = subprocess.Popen(
            command, cwd=ROOT, env={"PYTHONPATH": f"{ROOT}/tests:{ROOT}"}, stdout=subprocess.PIPE
        )
        assert made.stdout is not None and made.stdout.readline() == b"ready\n"
        return made

    with mail_server() as mail, web_server() as web:
        mail.refuses = lambda: time.monotonic() < away["mail"]
        web.refuses = lambda: time.monotonic() < away["web"]
        desk.mail(mail.port)
        desk.hook(web.url("/hook"))
        desk.channel(ChannelKind.TEAMS, "teams", web.url("/teams"))
        couriers = [start() for _ in range(COURIERS)]
        sent: list[str] = []
        try:
            for number in range(KILLS):
                for part in range(EACH):
                    made = desk.send(desk.message(f"m{number}.{part}", about=f"a{number}"))
                    sent += [one.id for one in made]
                    PAUSE.wait(rng.uniform(0, 0.03))
                if rng.random() < 0.4:
                    away[rng.choice(["mail", "web"])] = time.monotonic() + rng.uniform(0.1, 1.0)
                victim = couriers.pop(rng.randrange(COURIERS))
                victim.kill()
                victim.wait(timeout=30)
                couriers.append(start())
            until(lambda: unfinished(desk) == 0, 120, "the delivery of everything")
        finally:
            for one in couriers:
                one.kill()
                one.wait(timeout=30)
    assert len(sent) == KILLS * EACH * 3
    taken = [hit for hit in web.hits if hit.status == 200]
    by_mail = Counter(one.id.strip("<>").partition("@")[0] for one in mail.letters)
    by_hook = Counter(hit.headers["webhook-id"] for hit in taken if hit.path == "/hook")
    by_teams = [hit for hit in taken if hit.path == "/teams"]
    assert set(by_mail) | set(by_hook) <= set(sent)
    assert len(by_mail) == len(by_hook) == KILLS * EACH, "every message, by as many ids"
    assert len({hit.body for hit in by_teams}) == KILLS * EACH
    # a second copy only where a kill fell between the sending and the receipt: at most one for each channel and kill
    for copies in (sum(by_mail.values()), sum(by_hook.values()), len(by_teams)):
        assert copies - KILLS * EACH <= KILLS


def unfinished(desk: Desk) -> int:
    """Deliveries that have not ended."""
    with desk.database.reading() as tx:
        open_ones = sa.select(sa.func.count()).where(deliveries.c.state.in_(OPEN))
        return int(tx.execute(open_ones).scalar() or 0)
