"""Credentials of upstreams, resolved when they are needed and again after a while: rotated without a restart."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from holdfast.gateway.model import Upstream, Workspace
from holdfast.gateway.proxy import signing
from holdfast.kernel.errors import NotFound, Unavailable
from holdfast.platform.secrets import master, rules
from holdfast.platform.secrets.model import DataKey, MasterKey, Secret
from holdfast.platform.secrets.references import operator_secret
from holdfast.platform.secrets.workload import SCHEME, Workloads
from holdfast.platform.settings import Settings

SECONDS = 30.0
MACHINE = "workload:aws"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Credentials:
    """What references stand for. Nothing of it is ever printed."""

    __slots__ = ("_known", "_master", "_settings", "_signs", "_workloads")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._master: MasterKey | None = None
        self._signs = False
        self._workloads = Workloads(settings)
        self._known: dict[tuple[str, str], tuple[float, str]] = {}

    async def of(self, workspace: Workspace, upstream: Upstream) -> str:
        """The text of an upstream's credential; empty where it has none. Raises NotFound, Invalid, Unavailable.

        Where it cannot be had anew, the one known last is used. What is signed without a credential is signed as the
        machine.
        """
        signs = signing.signs(upstream)
        reference = upstream.credential or (MACHINE if signs else "")
        if not reference:
            return ""
        if signs:
            await self._loaded(asyncio.get_running_loop())
        return await self.named(workspace, reference)

    async def named(self, workspace: Workspace, reference: str) -> str:
        """The text that a reference stands for. Raises as `of` does."""
        loop = asyncio.get_running_loop()
        if reference.startswith(SCHEME):
            found = self._workloads.fresh(reference)
            if found is None:
                found = await loop.run_in_executor(None, self._workloads.text, reference)
            return found
        key = (workspace.id, reference)
        held = self._known.get(key)
        if held is not None and held[0] > time.monotonic():
            return held[1]
        try:
            text = await loop.run_in_executor(None, self._load, workspace, reference)
        except Unavailable:
            if held is None:
                raise
            text = held[1]
        self._known[key] = (time.monotonic() + SECONDS, text)
        return text

    async def _loaded(self, loop: asyncio.AbstractEventLoop) -> None:
        """What signs is there, not loaded while others wait for the event loop."""
        if not self._signs:
            await loop.run_in_executor(None, signing.load)
            self._signs = True

    def forget(self) -> None:
        """A new snapshot may bring other secrets under the same references."""
        self._known = {key: (0.0, text) for key, (_, text) in self._known.items()}

    def _load(self, workspace: Workspace, reference: str) -> str:
        if not reference.startswith("secret:"):
            return operator_secret(self._settings, reference)
        sealed = workspace.sealed.get(reference)
        if sealed is None:
            raise NotFound("an upstream's credential is a secret that this workspace does not keep")
        if self._master is None or self._master.id != sealed.master:
            self._master = master.load(self._settings)
        when = EPOCH
        data_key = DataKey(sealed.data_key, workspace.id, sealed.master, sealed.wrapped, when)
        kept = Secret(sealed.id, workspace.id, "", sealed.text, when, when)
        return rules.open_sealed(rules.unwrap(self._master, data_key), kept)
