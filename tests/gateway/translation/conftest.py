from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.translation.desk import Desk, open_desk


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with open_desk() as desk:
        yield desk
