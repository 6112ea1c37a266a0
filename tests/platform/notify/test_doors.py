"""The JSON door of notify on a real socket: who may, what is shown, and what never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.platform.access.house import House, make_app, served
from tests.platform.notify.receivers import mail_server, web_server

from holdfast.platform.access.model import Role, Scope
from holdfast.platform.notify import wiring
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database

SECRET = "a-pass-phrase-that-must-not-show"


@pytest.fixture
def house(database: Database, clock: Any, tmp_path: Path) -> Iterator[House]:
    settings = Settings(data=tmp_path, outbound_allow="127.0.0.1")
    app = make_app(database, settings, clock)
    wiring.install(app, app.state.frame, app.state.services)
    with served(app) as url:
        yield House(database, settings, clock, url)


def email(port: int, **changed: Any) -> dict[str, Any]:
    told = {"kind": "email", "name": "On call", "host": "127.0.0.1", "port": port, "tls": "none"}
    return {**told, "sender": "holdfast@acme.test", "recipients": ["ada@acme.test"], **changed}


def test_a_channel_from_its_making_to_its_end(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin, mail_server() as mail:
        made = admin.post("/api/v1/channels", json=email(mail.port))
        assert made.status_code == 201, made.text
        channel = made.json()["channel"]["id"]
        assert made.json()["signing_secret"] is None
        tested = admin.post(f"/api/v1/channels/{channel}/test").json()
        assert (tested["state"], tested["receipts"][0]["status"]) == ("delivered", 250)
        assert "queued as 4711" in tested["receipts"][0]["answer"]
        mail.replies["MAIL"] = "550 5.7.1 not you"
        failed = admin.post(f"/api/v1/channels/{channel}/test").json()
        assert (failed["state"], failed["error"]) == ("failed", "550 MAIL FROM: 5.7.1 not you")
        (listed,) = admin.get("/api/v1/channels").json()
        assert listed["failure"] == "550 MAIL FROM: 5.7.1 not you" and listed["failing_since"]
        assert [one["state"] for one in admin.get("/api/v1/deliveries").json()] == ["failed", "delivered"]
        changed = email(mail.port, name="Renamed")
        del changed["kind"]
        assert admin.put(f"/api/v1/channels/{channel}", json=changed).json()["name"] == "Renamed"
        assert admin.delete(f"/api/v1/channels/{channel}").status_code == 204
        assert admin.get("/api/v1/channels").json() == []
        assert admin.post(f"/api/v1/channels/{channel}/test").status_code == 404
    actions = [action for action, _, _ in house.audit(house.workspace("acme").id)]
    assert [one for one in actions if one.startswith("channel.")] == [
        "channel.added",
        "channel.tested",
        "channel.tested",
        "channel.changed",
        "channel.removed",
    ]


def test_no_secret_is_shown_again(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin, web_server() as web:
        slack = {"kind": "slack", "name": "Chat", "secret": web.url(f"/services/{SECRET}")}
        hook = {"kind": "webhook", "name": "Hook", "url": web.url("/in")}
        mail = email(web.port, tls="starttls", user="ada", secret=SECRET, name="Mail")
        said = [admin.post("/api/v1/channels", json=one) for one in (slack, hook, mail)]
        assert [one.status_code for one in said] == [201, 201, 201], said[-1].text
        signing = said[1].json()["signing_secret"]
        assert signing.startswith("whsec_")
        for one in said:
            admin.post(f"/api/v1/channels/{one.json()['channel']['id']}/test")
        answers = [said[0], said[2], *(admin.get(f"/api/v1/{path}") for path in ("channels", "deliveries"))]
        text = "\n".join(one.text for one in answers)
        assert SECRET not in text and signing not in text
        assert "127.0.0.1" in text
    with house.database.reading() as tx:
        kept = [
            str(row)
            for table in ("notify_channels", "notify_messages", "notify_receipts", "audit_entries", "secrets")
            for row in tx.execute(sa.text(f"SELECT * FROM {table}"))
        ]
    assert not [row for row in kept if SECRET in row or signing in row]


def test_what_cannot_be_used_names_its_field(house: House) -> None:
    with house.client(house.key("acme", Scope.ADMIN)) as admin:
        for body, where in (
            (email(25, host="10.0.0.1"), "host"),
            (email(25, host="no.such.host.invalid"), "host"),
            (email(10**30), "port"),
            (email(25, user="ada", secret="x"), "user"),
            ({"kind": "webhook", "name": "x", "url": "http://169.254.169.254/latest"}, "url"),
            ({"kind": "webhook", "name": "x", "url": "file:///etc/passwd"}, "url"),
            ({"kind": "slack", "name": "x"}, "secret"),
        ):
            answer = admin.post("/api/v1/channels", json=body)
            assert (answer.status_code, answer.json()["where"]) == (422, where), answer.text
        assert admin.get("/api/v1/channels").json() == []


def test_who_may(house: House) -> None:
    house.member("viewer@acme.test", ("acme", Role.VIEWER))
    house.member("shop@acme.test", ("acme", Role.ADMIN, "shop", ""))
    with house.signed_in("viewer@acme.test") as viewer, house.signed_in("shop@acme.test") as partial:
        assert viewer.get("/api/v1/channels").status_code == 200
        assert viewer.post("/api/v1/channels", json=email(25)).status_code == 403
        assert viewer.get("/w/acme/settings/notifications").status_code == 403
        assert partial.get("/api/v1/channels").status_code == 403
        assert partial.post("/api/v1/channels", json=email(25)).status_code == 403
