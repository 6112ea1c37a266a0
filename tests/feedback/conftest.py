"""An inbox for each test, on both engines; a real core for those that speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.feedback.given import Inbox

from holdfast.storage.sql import Database
from running_core import CoreProcess, Workspace


@pytest.fixture
def inbox(database: Database, clock: Any) -> Inbox:
    return Inbox(database, clock)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    made = CoreProcess(tmp_path_factory.mktemp("feedback") / "data", min_free_bytes=1)
    yield made.start()
    made.stop()


@pytest.fixture
def workspace(core: CoreProcess) -> Workspace:
    return core.workspace(scopes="ingest,read,content,operate,admin")
