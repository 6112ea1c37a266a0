"""A desk for each test, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.gateway.control.desk import Desk

from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database


@pytest.fixture
def desk(database: Database, clock: Any, tmp_path: Path) -> Desk:
    return Desk(database, Settings(data=tmp_path, outbound_allow="127.0.0.1"), clock)
