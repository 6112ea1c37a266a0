"""Signing in, out, and keeping others out, over real HTTP on both stores."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx2
import pytest
import sqlalchemy as sa
from tests.platform.access.house import PASSWORD, House, csrf_in

from holdfast.kernel.errors import Denied, HoldfastError, NotFound, Unauthenticated
from holdfast.platform.access import actions
from holdfast.platform.access.actions import links, members, sessions
from holdfast.platform.access.model import Role
from holdfast.platform.access.store import members as store
from holdfast.platform.access.store import tables

NEW = "a horse, a staple, a sea"


def first_link(house: House) -> str:
    workspace = house.workspace("acme").id
    with house.database.transaction() as tx:
        link = actions.first_sign_in_link(
            house.ctx(), tx, house.settings, email="ada@acme.example", workspaces=[workspace]
        )
    assert link
    return link


def path_of(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def test_from_the_first_link_to_a_password_and_back_in(house: House) -> None:
    link = first_link(house)
    token = link.partition("token=")[2]
    with house.client() as browser:
        for _ in range(3):  # previews look at it
            page = browser.get(path_of(link))
            assert page.status_code == 200 and "<button" in page.text
            assert "set-cookie" not in page.headers
        entered = browser.post("/sign-in/link", data={"token": token})
        assert entered.status_code == 303 and entered.headers["location"] == "/sign-in/password"
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=lax" in cookie and "secure" not in cookie
        page = browser.get("/sign-in/password")
        done = browser.post("/sign-in/password", data={"csrf_token": csrf_in(page.text), "password": NEW})
        assert done.status_code == 303
        assert browser.get("/").headers["location"] == "/w/acme/today"
    with house.client() as other:
        again = other.post("/sign-in/link", data={"token": token})
        assert again.status_code == 401 and "set-cookie" not in again.headers
        assert other.get(path_of(link)).status_code == 401
        good = other.post(
            "/sign-in", data={"email": "Ada@ACME.example ", "password": NEW, "next": "/w/acme/settings"}
        )
        assert good.status_code == 303 and good.headers["location"] == "/w/acme/settings"
        me = other.get("/api/v1/me").json()
        assert me["email"] == "ada@acme.example" and set(me["permissions"]) >= {"admin", "content", "read"}
    with house.database.transaction() as tx:
        none = actions.first_sign_in_link(
            house.ctx(), tx, house.settings, email="x@acme.example", workspaces=["ws"]
        )
    assert none is None


def test_nothing_secret_is_stored(house: House) -> None:
    token = first_link(house).partition("token=")[2]
    with house.client() as browser:
        browser.post("/sign-in/link", data={"token": token})
        session = browser.cookies["holdfast_session"]
        page = browser.get("/sign-in/password")
        browser.post("/sign-in/password", data={"csrf_token": csrf_in(page.text), "password": NEW})
    with house.database.reading() as tx:
        for table in sa.inspect(house.database.engine).get_table_names():
            for row in tx.execute(sa.text(f'SELECT * FROM "{table}"')):
                said = " ".join(str(part) for part in row)
                assert token not in said and session not in said and NEW not in said


def test_a_fresh_start_gives_a_fresh_link_and_voids_the_one_before(house: House) -> None:
    before, after = first_link(house), first_link(house)
    with house.client() as browser:
        assert browser.get(path_of(before)).status_code == 401
        assert browser.get(path_of(after)).status_code == 200


def test_a_link_dies_after_a_day(house: House) -> None:
    link = first_link(house)
    house.clock.move(hours=24)
    with house.client() as browser:
        assert browser.get(path_of(link)).status_code == 401
        assert browser.post("/sign-in/link", data={"token": link.partition("token=")[2]}).status_code == 401


def test_of_many_who_use_a_link_at_once_one_gets_in(house: House) -> None:
    token = first_link(house).partition("token=")[2]
    found: list[int] = []

    def use() -> None:
        with house.client() as browser:
            found.append(browser.post("/sign-in/link", data={"token": token}).status_code)

    crowd = [threading.Thread(target=use) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert sorted(found) == [303] + [401] * 7


def test_a_lost_password_is_void_once_the_link_is_used(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    old = house.signed_in("ada@acme.example")
    with house.database.transaction() as tx:
        link = links.sign_in_link(house.ctx(), tx, house.settings, "ada@acme.example")
    with house.client() as browser:
        browser.post("/sign-in/link", data={"token": link.partition("token=")[2]})
        assert browser.get("/api/v1/me").status_code == 200
        assert old.get("/api/v1/me").status_code == 401
        answer = browser.post("/sign-in", data={"email": "ada@acme.example", "password": PASSWORD})
        assert answer.status_code == 401
    old.close()


def test_unknown_and_known_members_get_the_same_answer_and_the_log_tells_them_apart(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.VIEWER))
    with house.client() as browser:
        answers = [
            browser.post("/sign-in", data={"email": email, "password": "not the one, I fear"})
            for email in ("ada@acme.example", "eve@acme.example")
        ]
    assert [one.status_code for one in answers] == [401, 401]
    assert answers[0].text.replace("ada@", "eve@") == answers[1].text
    denied = ("member.sign_in", "denied")
    assert denied in [(a, o) for a, _, o in house.audit(house.workspace("acme").id)]
    assert ("member.sign_in", "member:unknown", "denied") in house.audit("instance")


def test_failures_run_into_a_limit_that_passes(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.VIEWER))
    with house.client() as browser:

        def attempt(email: str, password: str) -> httpx2.Response:
            return browser.post("/sign-in", data={"email": email, "password": password})

        for email in ("ada@acme.example", "nobody@acme.example"):
            codes = [attempt(email, f"wrong {n} wrong").status_code for n in range(12)]
            assert codes == [401] * 10 + [429] * 2
        stopped = attempt("ada@acme.example", PASSWORD)
        assert stopped.status_code == 429 and 0 < int(stopped.headers["retry-after"]) <= 901
        house.clock.move(minutes=15, seconds=1)
        assert attempt("ada@acme.example", PASSWORD).status_code == 303


def test_many_at_once_get_no_more_tries(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.VIEWER))
    codes: list[str] = []

    def attempt(number: int) -> None:
        try:
            sessions.sign_in(
                house.database,
                house.settings,
                house.clock(),
                email="ada@acme.example",
                password=f"wrong {number}",
                address="a",
            )
        except HoldfastError as error:
            codes.append(type(error).__name__)

    crowd = [threading.Thread(target=attempt, args=(n,)) for n in range(24)]
    attempt(-1)
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert codes.count("Unauthenticated") == 10 and codes.count("Exhausted") == 15


def test_one_address_cannot_try_everybody(house: House) -> None:
    codes = []
    for number in range(101):
        try:
            with house.database.transaction() as tx:
                sessions.admit(tx, house.clock(), f"m{number}@acme.example", "203.0.113.9")
            codes.append("in")
        except HoldfastError as error:
            codes.append(type(error).__name__)
    assert codes == ["in"] * 100 + ["Exhausted"]


def test_changing_the_password_signs_out_everywhere_else(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.VIEWER))
    here, there = house.signed_in("ada@acme.example"), house.signed_in("ada@acme.example")
    page = here.get("/sign-in/password")
    token = csrf_in(page.text)
    wrong = here.post(
        "/sign-in/password", data={"csrf_token": token, "password": NEW, "current": "not it, sorry"}
    )
    assert wrong.status_code == 422 and there.get("/api/v1/me").status_code == 200
    weak = here.post(
        "/sign-in/password", data={"csrf_token": token, "password": "password1234", "current": PASSWORD}
    )
    assert weak.status_code == 422
    before = here.cookies["holdfast_session"]
    assert (
        here.post(
            "/sign-in/password", data={"csrf_token": token, "password": NEW, "current": PASSWORD}
        ).status_code
        == 303
    )
    assert there.get("/api/v1/me").status_code == 401
    assert here.cookies.get("holdfast_session", domain="127.0.0.1") != before
    here.close()
    there.close()


def test_sessions_end_by_time_by_sign_out_and_by_disabling(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    house.member("bob@acme.example", ("acme", Role.VIEWER))
    ada, bob = house.signed_in("ada@acme.example"), house.signed_in("bob@acme.example")
    with house.database.transaction() as tx:
        members.disable(house.ctx(), tx, "bob@acme.example")
    assert bob.get("/api/v1/me").status_code == 401
    with pytest.raises(Unauthenticated):
        house.signed_in("bob@acme.example")
    assert ada.post("/sign-out").status_code == 303
    assert ada.get("/api/v1/me").status_code == 401
    again = house.signed_in("ada@acme.example")
    house.clock.move(hours=house.settings.session_hours)
    assert again.get("/api/v1/me").status_code == 401
    for one in (ada, bob, again):
        one.close()


def test_pages_send_strangers_to_sign_in_and_back(house: House) -> None:
    house.workspace("acme")
    with house.client() as browser:
        answer = browser.get("/w/acme/settings/keys?a=1", headers={"accept": "text/html"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?next=%2Fw%2Facme%2Fsettings%2Fkeys%3Fa%3D1"
        part = browser.get("/w/acme/settings/keys", headers={"hx-request": "true"})
        assert part.status_code == 401 and part.headers["hx-redirect"].startswith("/sign-in?next=")
        evil = browser.get("/sign-in?next=https://evil.example/")
        assert "evil.example" not in evil.text


def test_local_sign_in_off_is_off(make_house: Callable[..., House]) -> None:
    house = make_house(local_sign_in=False)
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    with pytest.raises(Denied):
        house.signed_in("ada@acme.example")
    with house.database.transaction() as tx, pytest.raises(Denied):
        links.sign_in_link(house.ctx(), tx, house.settings, "ada@acme.example")
    with house.database.transaction() as tx:
        link = actions.first_sign_in_link(
            house.ctx(), tx, house.settings, email="x@acme.example", workspaces=[]
        )
        assert link is None
    with house.client() as browser:
        assert 'type="password"' not in browser.get("/sign-in").text
        assert (
            browser.post("/sign-in", data={"email": "ada@acme.example", "password": PASSWORD}).status_code
            == 403
        )


def test_cookies_are_secure_where_they_can_be(make_house: Callable[..., House]) -> None:
    house = make_house(cookie_secure="always")
    house.member("ada@acme.example", ("acme", Role.VIEWER))
    with house.client() as browser:
        answer = browser.post("/sign-in", data={"email": "ada@acme.example", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-holdfast_session=") and "Secure" in cookie and "Path=/" in cookie
        token = cookie.partition("=")[2].partition(";")[0]
        assert browser.get("/api/v1/me", headers={"cookie": f"holdfast_session={token}"}).status_code == 401
        assert (
            browser.get("/api/v1/me", headers={"cookie": f"__Host-holdfast_session={token}"}).status_code
            == 200
        )


def test_a_link_for_nobody(house: House) -> None:
    with house.database.transaction() as tx, pytest.raises(NotFound):
        links.sign_in_link(house.ctx(), tx, house.settings, "nobody@acme.example")


def test_a_session_survives_only_as_a_hash(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.VIEWER))
    with house.signed_in("ada@acme.example") as browser, house.database.reading() as tx:
        stored = tx.execute(sa.select(tables.sessions.c.id)).scalar_one()
        assert browser.get("/api/v1/me", headers={"cookie": f"holdfast_session={stored}"}).status_code == 401
        assert store.member_by_email(tx, "ada@acme.example") is not None
