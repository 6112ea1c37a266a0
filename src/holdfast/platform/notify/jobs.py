"""What the clock drives: sending what is due, several channels at a time."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from holdfast.kernel.errors import HoldfastError
from holdfast.platform.notify.actions import outbox
from holdfast.platform.notify.actions.outbox import Claimed, Post
from holdfast.platform.notify.model import Delivery, DeliveryState

log = logging.getLogger("holdfast.notify")
AT_ONCE = 8
LONGEST_TURN = timedelta(seconds=30)
FORGET_EVERY = timedelta(hours=1)


class Courier:
    """Claims what is due and sends it, one message at a time for each channel: a slow one holds up no other.

    Several processes may run one each; whatever one of them leaves behind is taken up when its lease has run out.
    """

    def __init__(self, post: Post, jitter: Callable[[], float] = random.random) -> None:
        self._post = post
        self._jitter = jitter
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notify")
        self._running: dict[Future[Delivery | None], str] = {}
        self._forgot_at: datetime | None = None

    def deliver_due(self) -> int:
        """Sends until nothing is due, at most for about half a minute; returns how many attempts ended."""
        ended = 0
        until = self._post.clock() + LONGEST_TURN
        while True:
            for claimed in self._claim() if self._post.clock() < until else ():
                self._running[self._pool.submit(self._attempt, claimed)] = claimed.channel.id
            if not self._running:
                self._forget()
                return ended
            done, _ = wait(self._running, timeout=0.5, return_when=FIRST_COMPLETED)
            for one in done:
                del self._running[one]
            ended += len(done)

    def _claim(self) -> list[Claimed]:
        free = AT_ONCE - len(self._running)
        if free <= 0:
            return []
        now = self._post.clock()
        with self._post.database.reading() as tx:  # most turns find nothing and need no writer
            if not outbox.anything_due(tx, now):
                return []
        with self._post.database.transaction() as tx:
            return outbox.claim(tx, now, free, set(self._running.values()))

    def _attempt(self, claimed: Claimed) -> Delivery | None:
        try:
            stands = outbox.attempt(self._post, claimed, self._jitter())
        except HoldfastError as error:
            log.warning("what came of delivery %s was not kept: %s", claimed.delivery.id, error.detail)
            return None
        except Exception:  # the edge of a thread: its lease runs out, and it is tried again
            log.exception("delivery %s failed; it is tried again", claimed.delivery.id)
            return None
        if stands.state is DeliveryState.FAILED:
            log.warning("delivery %s to channel %s failed: %s", stands.id, stands.channel, stands.error)
        return stands

    def _forget(self) -> None:
        now = self._post.clock()
        if self._forgot_at is not None and now < self._forgot_at + FORGET_EVERY:
            return
        self._forgot_at = now
        with self._post.database.transaction() as tx:
            outbox.forget_old(tx, now)

    def close(self) -> None:
        """Waits for what is being sent."""
        self._pool.shutdown()
