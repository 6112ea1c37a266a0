"""The small Holdfast of `house.py` as fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.platform.access.house import House, make_app, served

from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database


@pytest.fixture
def make_house(database: Database, clock: Any, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Makes a served Holdfast with other settings."""
    with ExitStack() as stack:

        def make(**changed: Any) -> House:
            settings = Settings(data=tmp_path, **changed)
            url = stack.enter_context(served(make_app(database, settings, clock)))
            return House(database, settings, clock, url)

        yield make


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()
