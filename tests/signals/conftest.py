"""A workspace to evaluate rules in, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.platform.notify.desk import Desk
from tests.signals.made import Post

from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database


@pytest.fixture
def post(database: Database, clock: Any, tmp_path: Path) -> Post:
    return Post(Desk(database, Settings(data=tmp_path, outbound_allow="127.0.0.1"), clock))
