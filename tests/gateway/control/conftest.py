"""A desk for each test, and a house with its doors, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.control.desk import Desk
from tests.platform.access.house import House, make_app, served

from holdfast.gateway import wiring
from holdfast.gateway.reads.states import States
from holdfast.platform.settings import Settings
from holdfast.pricing.reads import Pricer
from holdfast.storage.sql import Database


@pytest.fixture
def desk(database: Database, clock: Any, tmp_path: Path) -> Desk:
    return Desk(database, Settings(data=tmp_path, outbound_allow="127.0.0.1"), clock)


@pytest.fixture
def states(clock: Any) -> States:
    return States(clock)


@pytest.fixture
def house(database: Database, clock: Any, tmp_path: Path, states: States) -> Iterator[House]:
    settings = Settings(data=tmp_path, outbound_allow="127.0.0.1")
    app = make_app(database, settings, clock)
    wiring.install(app, app.state.frame, app.state.services)
    app.state.gateway_states = states
    app.state.gateway_pricer = Pricer()
    with served(app) as url:
        yield House(database, settings, clock, url)
