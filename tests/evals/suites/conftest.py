"""A shelf of suites for each test, on both engines."""

from __future__ import annotations

from typing import Any

import pytest
from tests.evals.suites.keeping import Shelf

from holdfast.storage.sql import Database


@pytest.fixture
def shelf(database: Database, clock: Any) -> Shelf:
    return Shelf(database, clock)
