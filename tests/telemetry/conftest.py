"""A running core for the tests of its doors: one process for all, a fresh workspace for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from running_core import CoreProcess, Workspace


@pytest.fixture(scope="session")
def core(
    tmp_path_factory: pytest.TempPathFactory, new_stores: Callable[[], dict[str, str]]
) -> Iterator[CoreProcess]:
    """A real core process, on either pair of stores. A limit of 16 MiB on bodies, and room for two of them."""
    made = CoreProcess(
        tmp_path_factory.mktemp("core") / "data",
        max_body_bytes=16 << 20,
        queue_bytes=32 << 20,
        min_free_bytes=1,
        **new_stores(),
    )
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def workspace(core: CoreProcess) -> Workspace:
    """A workspace that nothing was sent to yet."""
    return core.workspace()
