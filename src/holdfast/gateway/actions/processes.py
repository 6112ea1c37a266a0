"""What gateway processes say of themselves, kept so that every process of the core, and a command without one, knows it."""

from __future__ import annotations

from datetime import timedelta

from holdfast.gateway import store
from holdfast.platform.services import Services

FORGOTTEN = timedelta(days=7)


def note_process(services: Services, id: str, epoch: int, admin: str) -> None:
    """Keeps which epoch a gateway process serves now, and where it takes what is pushed. Raises Unavailable."""
    now = services.clock()
    with services.database.transaction() as tx:
        store.put_process(tx, id, epoch, admin, now)
        store.forget_processes(tx, now - FORGOTTEN)
