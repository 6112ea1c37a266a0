"""Shards of their own for the scenarios: they kill one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from shards import Shards, pair_of, running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    """Two shards of each module's own: one of them is killed."""
    yield from running(tmp_path_factory.mktemp("shards"), 2)


@pytest.fixture(scope="module")
def new_shared_stores(cluster: Shards, new_sql_url: Callable[[], str]) -> Callable[[], dict[str, str]]:
    return lambda: pair_of(cluster, new_sql_url())
