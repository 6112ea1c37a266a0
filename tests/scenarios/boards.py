"""Dashboards in the two workspaces of the neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scenarios.neighbours import World


def keep_boards(world: World, marks: Mapping[str, str]) -> None:
    """Each of these members keeps a dashboard that names a system by a mark."""
    for name, mark in marks.items():
        credential = world.credentials[name]
        place = world.places[credential.place]
        panel = {
            "id": f"panel-{place.mark}",
            "title": f"panel {mark} {place.mark}",
            "measures": ["calls"],
            "filters": {"system": [f"other-{mark}"]},
        }
        place.ids["panel"], place.values["dashboard"] = f"panel-{place.mark}", f"board-{place.mark}"
        client, _ = world.client(credential)
        with client:
            put = client.put(
                f"/api/v1/dashboards/board-{place.mark}",
                params={"workspace": place.slug},
                json={"name": f"board {mark} {place.mark}", "panels": [panel]},
            )
        assert put.status_code == 200, put.text
