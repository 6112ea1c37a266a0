"""A bench for each test, on both engines."""

from __future__ import annotations

from typing import Any

import pytest
from tests.evals.review.queueing import Bench

from holdfast.storage.sql import Database


@pytest.fixture
def bench(database: Database, clock: Any) -> Bench:
    return Bench(database, clock)
