"""A small Holdfast of access and tenancy alone, served on a real socket, and people to knock at it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.ids import new_id
from holdfast.platform.access import actions, rules, wiring
from holdfast.platform.access.actions import members, passwords, sessions
from holdfast.platform.access.model import Caller, Grant, Role, Scope
from holdfast.platform.access.store import members as store
from holdfast.platform.audit import store as audit_store
from holdfast.platform.frame import Frame
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy import reads
from holdfast.platform.tenancy import wiring as tenancy_wiring
from holdfast.platform.tenancy.model import Workspace
from holdfast.storage.sql import Database
from holdfast.web import problems
from holdfast.web.assets import Assets
from holdfast.web.render import Renderer

PASSWORD = "four words make one"
CLI = Actor("cli", "tester", "Tester")


@dataclass
class House:
    """A served Holdfast: make people and workspaces in it, and clients for it."""

    database: Database
    settings: Settings
    clock: Any
    url: str

    def ctx(self, workspace: str = "instance") -> Context:
        return Context(workspace, CLI, self.clock())

    def workspace(self, slug: str) -> Workspace:
        with self.database.transaction() as tx:
            return tenancy.ensure_workspace(self.ctx(), tx, slug)

    def member(
        self,
        email: str,
        *grants: tuple[str, Role] | tuple[str, Role, str, str] | tuple[str, Role, str, str, bool],
    ) -> str:
        """A member with a password and grants (workspace short name, role, system, environment, content)."""
        with self.database.transaction() as tx:
            member = store.member_by_email(tx, email) or members._add(self.ctx(), tx, email, "")
            for slug, role, *rest in grants:
                workspace = tenancy.ensure_workspace(self.ctx(), tx, slug).id
                system, environment, content = (*rest, *("", "", False)[len(rest) :])
                members._grant(
                    self.ctx(workspace),
                    tx,
                    Grant(
                        new_id("grant"),
                        workspace,
                        member.id,
                        role,
                        str(system),
                        str(environment),
                        bool(content),
                    ),
                )
            store.change_member(tx, member.id, password_hash=passwords.hash_password(PASSWORD))
        return member.id

    def key(self, slug: str, *scopes: Scope) -> str:
        workspace = self.workspace(slug).id
        with self.database.transaction() as tx:
            return actions.create_key(self.ctx(workspace), tx, "test", frozenset(scopes))[1]

    def client(self, key: str = "") -> httpx2.Client:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def signed_in(self, email: str) -> httpx2.Client:
        """A browser of this member, with its CSRF token as a header."""
        made = sessions.sign_in(
            self.database, self.settings, self.clock(), email=email, password=PASSWORD, address="test"
        )
        client = self.client()
        client.cookies.set("holdfast_session", made.token)
        client.headers["x-csrf-token"] = made.session.csrf
        return client

    def audit(self, workspace: str) -> list[tuple[str, str, str]]:
        """(action, subject, outcome) of a workspace's log."""
        with self.database.reading() as tx:
            entries = audit_store.entries_from(tx, workspace, 0, 1000)
        said = [(one, json.loads(one.text or "{}")) for one in entries]
        return [(one.action, str(one.subject), str(record["outcome"])) for one, record in said]


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a real socket."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    ready = threading.Event()
    while not server.started:
        ready.wait(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def make_app(database: Database, settings: Settings, clock: Any) -> FastAPI:
    app = FastAPI(openapi_url="/api/openapi.json")
    app.state.services = Services(settings, clock, database, None)  # type: ignore[arg-type]
    app.state.frame = Frame(Renderer({"access": wiring.TEMPLATES}, Assets(), clock))
    problems.install(app)
    wiring.install(app, app.state.frame, app.state.services)
    tenancy_wiring.install(app)
    return app


def csrf_in(html: str) -> str:
    """The token in a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found
    return found[1]


def as_caller(house: House, email: str, slug: str) -> Caller:
    """A member as the guard would make them out."""
    with house.database.reading() as tx:
        member = store.member_by_email(tx, email)
        assert member
        workspace = reads.workspace_by_slug(tx, slug)
        grants = [one for one in store.grants_of_member(tx, member.id) if one.workspace == workspace.id]
    ctx = Context(workspace.id, Actor("member", member.id, email), house.clock())
    return Caller(ctx, workspace, rules.reach(grants), "", email)
