"""Who gets through which door, and with what: forged requests, other workspaces, borrowed rights."""

from __future__ import annotations

import threading
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from tests.platform.access.house import House, as_caller, csrf_in, make_app

from holdfast.kernel.errors import Conflict, Denied, NotFound
from holdfast.platform.access import guard
from holdfast.platform.access.actions import members
from holdfast.platform.access.model import Role, Scope

SYSTEM = {
    "name": "HR",
    "purpose": "answers",
    "owner": "Ada",
    "sponsor": "Bo",
    "escalation_contact": "cy@acme.example",
}


def routes(house: House) -> list[tuple[str, str]]:
    """Every method and path of these rooms, with invented ids."""
    app = make_app(house.database, house.settings, house.clock)
    found = []
    for route in _api_routes(app.routes):
        path = (
            route.path.replace("{workspace}", "acme")
            .replace("{system:path}", "hr")
            .replace("{environment:path}", "prod")
        )
        for name in ("member", "grant", "key"):
            path = path.replace("{" + name + "}", f"{name}_1")
        found += [(method, path) for method in sorted(route.methods - {"HEAD"})]
    assert len(found) > 35
    return found


def _api_routes(listed: Any) -> list[APIRoute]:
    found = []
    for route in listed:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "original_router"):
            found += _api_routes(route.original_router.routes)
    return found


OPEN = {"/sign-in", "/sign-in/link", "/sign-in/oidc", "/sign-in/oidc/callback"}


def test_no_door_opens_for_a_stranger(house: House) -> None:
    house.workspace("acme")
    with house.client() as browser:
        for method, path in routes(house):
            if path in OPEN:
                continue
            for headers in (
                {},
                {"cookie": "holdfast_session=made-up"},
                {"authorization": "Bearer hf_madeup"},
            ):
                answer = browser.request(method, path, headers=headers)
                wanted = (401,) if path.startswith("/api") else (303,)
                assert answer.status_code in wanted, (method, path, answer.status_code)


def test_every_change_by_cookie_needs_its_token(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN, "", "", True))
    with house.signed_in("ada@acme.example") as browser:
        good = browser.headers.pop("x-csrf-token")
        for method, path in routes(house):
            if method == "GET" or path in OPEN:
                continue
            for headers in (
                {},
                {"x-csrf-token": "x" * 43},
                {"x-csrf-token": good, "sec-fetch-site": "cross-site"},
                {"x-csrf-token": good, "origin": "https://evil.example"},
            ):
                body: dict[str, Any] = {"json": {}} if path.startswith("/api") else {"data": {"csrf": "no"}}
                answer = browser.request(method, path, headers=headers, **body)
                assert answer.status_code == 403, (method, path, headers, answer.text)
        assert browser.get("/api/v1/me").status_code == 200


def test_a_form_carries_its_token_in_a_field(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser:
        del browser.headers["x-csrf-token"]
        page = browser.get("/w/acme/settings")
        form = {"csrf_token": csrf_in(page.text), "name": "Acme & Söhne", "zone": "Europe/Berlin"}
        assert browser.post("/w/acme/settings", data=form).status_code == 303
        page = browser.get("/w/acme/settings")
        assert "Acme &amp; Söhne" in page.text
        bad = browser.post("/w/acme/settings", data=form | {"zone": "Mars/Base"})
        assert bad.status_code == 422 and "time zone" in bad.text


def test_another_workspace_is_not_found_rather_than_forbidden(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    house.member("bob@birch.example", ("birch", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser:
        there = browser.get("/api/v1/members?workspace=birch")
        nowhere = browser.get("/api/v1/members?workspace=nowhere")
        assert there.status_code == nowhere.status_code == 404
        assert there.json() == nowhere.json()
        assert browser.get("/w/birch/settings").status_code == 404
        assert browser.patch("/api/v1/workspaces/birch", json={"name": "Mine"}).status_code == 404
        assert [one["slug"] for one in browser.get("/api/v1/workspaces").json()] == ["acme"]
    with house.client(house.key("acme", Scope.ADMIN)) as tool:
        assert tool.get("/api/v1/members?workspace=birch").status_code == 404
        assert tool.get("/w/birch/settings/members").status_code == 404
        assert tool.get("/api/v1/members?workspace=acme").status_code == 200


def test_ids_of_another_workspace_do_nothing(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    bob = house.member("bob@birch.example", ("birch", Role.ADMIN))
    carol = house.member("carol@birch.example", ("birch", Role.VIEWER))
    with house.client(house.key("birch", Scope.ADMIN)) as theirs:
        key = theirs.get("/api/v1/keys").json()[0]["id"]
        grants = {one["id"]: one["grants"] for one in theirs.get("/api/v1/members").json()}
    with house.signed_in("ada@acme.example") as browser:
        tries = [
            ("DELETE", f"/api/v1/keys/{key}"),
            ("DELETE", f"/api/v1/members/{carol}"),
            ("POST", f"/api/v1/members/{bob}/link"),
            ("DELETE", f"/api/v1/grants/{grants[carol][0]['id']}"),
            ("POST", f"/w/acme/settings/keys/{key}/revoke"),
            ("POST", f"/w/acme/settings/members/{carol}/remove"),
            ("POST", f"/w/acme/settings/members/{carol}/link"),
        ]
        for method, path in tries:
            assert browser.request(method, path).status_code == 404, path
        put = browser.put(f"/api/v1/members/{carol}/grants", json={"role": "admin"})
        assert put.status_code == 404
        seen = browser.get("/api/v1/members").text + browser.get("/api/v1/keys").text
        assert "birch" not in seen and bob not in seen and key not in seen
    with house.client(house.key("birch", Scope.ADMIN)) as theirs:
        assert {one["id"]: one["grants"] for one in theirs.get("/api/v1/members").json()} == grants
        assert theirs.get("/api/v1/keys").json()[0]["revoked_at"] is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.AUDITOR])
def test_only_admins_administer(house: House, role: Role) -> None:
    house.member("vic@acme.example", ("acme", role, "", "", True))
    with house.signed_in("vic@acme.example") as browser:
        for method, path in routes(house):
            if path.startswith("/w/") or (path.startswith("/api") and method != "GET"):
                body = {"data": {}} if path.startswith("/w/") else {"json": {}}
                answer = browser.request(method, path, **(body if method != "GET" else {}))  # type: ignore[arg-type]
                assert answer.status_code in (403, 422), (method, path, answer.status_code)
        assert browser.get("/api/v1/systems").status_code == 200
        assert browser.get("/api/v1/keys").status_code == 403


def test_an_admin_of_one_system_stays_in_it(house: House) -> None:
    house.member("root@acme.example", ("acme", Role.ADMIN))
    house.member("sam@acme.example", ("acme", Role.ADMIN, "hr", ""))
    house.member("eve@acme.example", ("acme", Role.VIEWER, "claims", ""))
    with house.signed_in("sam@acme.example") as browser:
        assert browser.put("/api/v1/systems/hr", json=SYSTEM).status_code == 200
        assert browser.put("/api/v1/systems/claims", json=SYSTEM).status_code == 403
        assert browser.put("/api/v1/data-policies?system=hr", json={"capture": "off"}).status_code == 200
        assert browser.put("/api/v1/data-policies", json={"capture": "on"}).status_code == 403
        assert browser.post("/api/v1/keys", json={"name": "k", "scopes": ["read"]}).status_code == 403
        assert browser.get("/w/acme/settings/keys").status_code == 403
        invite = {"email": "new@acme.example", "role": "admin"}
        assert browser.post("/api/v1/members", json=invite).status_code == 403
        assert browser.post("/api/v1/members", json=invite | {"system": "hr"}).status_code == 201
        assert (
            browser.post("/api/v1/members", json=invite | {"system": "hr", "content": True}).status_code
            == 403
        )


def test_nobody_gives_away_content_that_they_may_not_read(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    reader = house.member("rita@acme.example", ("acme", Role.VIEWER, "", "", True))
    with house.signed_in("ada@acme.example") as browser:
        mine = browser.get("/api/v1/me").json()["id"]
        assert (
            browser.put(f"/api/v1/members/{mine}/grants", json={"role": "admin", "content": True}).status_code
            == 403
        )
        assert browser.post("/api/v1/keys", json={"name": "k", "scopes": ["content"]}).status_code == 403
        invite = {"email": "z@acme.example", "role": "viewer", "content": True}
        assert browser.post("/api/v1/members", json=invite).status_code == 403
        assert (
            browser.post(f"/api/v1/members/{reader}/link").status_code == 403
        )  # being rita would do as well
    with house.client(house.key("acme", Scope.ADMIN)) as tool:
        assert tool.post("/api/v1/keys", json={"name": "k", "scopes": ["content"]}).status_code == 403
        assert tool.get("/api/v1/me").json()["permissions"].keys() == {
            "admin",
            "read",
            "operate",
            "ingest",
            "gateway",
        }


def test_inviting_a_known_member_gives_no_way_to_be_them(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    bob = house.member("bob@birch.example", ("birch", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser:
        made = browser.post("/api/v1/members", json={"email": "bob@birch.example", "role": "viewer"})
        assert made.status_code == 201 and made.json()["link"] is None
        assert {one["role"] for one in made.json()["member"]["grants"]} == {"viewer"}
        assert browser.post(f"/api/v1/members/{bob}/link").status_code == 403
        assert browser.delete(f"/api/v1/members/{bob}").status_code == 204
    with house.signed_in("bob@birch.example") as still:
        assert still.get("/api/v1/me?workspace=birch").status_code == 200


def test_a_new_member_comes_in_by_the_link_and_a_removed_one_is_out(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser, house.client() as theirs:
        made = browser.post("/api/v1/members", json={"email": "New@acme.example", "role": "operator"}).json()
        theirs.post("/sign-in/link", data={"token": made["link"].partition("token=")[2]})
        me = theirs.get("/api/v1/me").json()
        assert me["email"] == "new@acme.example" and set(me["permissions"]) == {"read", "operate"}
        assert browser.delete(f"/api/v1/members/{made['member']['id']}").status_code == 204
        assert theirs.get("/api/v1/me").status_code == 401
        assert browser.delete(f"/api/v1/members/{made['member']['id']}").status_code == 404


def test_the_last_admin_stays(house: House) -> None:
    ada = house.member("ada@acme.example", ("acme", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser:
        grant = browser.get("/api/v1/members").json()[0]["grants"][0]["id"]
        for answer in (
            browser.delete(f"/api/v1/members/{ada}"),
            browser.delete(f"/api/v1/grants/{grant}"),
            browser.put(f"/api/v1/members/{ada}/grants", json={"role": "viewer"}),
            browser.post("/api/v1/members", json={"email": "ada@acme.example", "role": "viewer"}),
            browser.post(f"/w/acme/settings/members/{ada}/remove"),
        ):
            assert answer.status_code == 409
        with house.database.transaction() as tx, pytest.raises(Conflict):
            members.disable(house.ctx(), tx, "ada@acme.example")
        house.member("bob@acme.example", ("acme", Role.ADMIN))
        assert browser.delete(f"/api/v1/members/{ada}").status_code == 204


def test_two_admins_who_remove_each_other_at_once_leave_one(house: House) -> None:
    ids = {name: house.member(f"{name}@acme.example", ("acme", Role.ADMIN)) for name in ("ada", "bob")}
    both = threading.Barrier(2)
    results: list[str] = []

    def remove(actor: str, other: str) -> None:
        by = as_caller(house, f"{actor}@acme.example", "acme")
        both.wait()
        try:
            with house.database.transaction() as tx:
                members.remove_member(by, tx, ids[other])
            results.append("removed")
        except (Conflict, NotFound) as error:
            results.append(type(error).__name__)

    pair = [threading.Thread(target=remove, args=names) for names in (("ada", "bob"), ("bob", "ada"))]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert sorted(results) == ["Conflict", "removed"]


def test_a_key_is_shown_once_and_works_until_revoked(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser:
        made = browser.post("/api/v1/keys", json={"name": "ci", "scopes": ["read", "ingest"]})
        assert made.status_code == 201
        text, key = made.json()["text"], made.json()["key"]
        assert text.startswith("hf_") and text not in browser.get("/api/v1/keys").text
        page = browser.post("/w/acme/settings/keys", data={"name": "x", "scopes": "ingest,gateway"})
        assert page.status_code == 200 and "hf_" in page.text and page.headers["cache-control"] == "no-store"
        with house.client(text) as tool:
            assert tool.get("/api/v1/systems").status_code == 200
            assert tool.get("/api/v1/keys").status_code == 403
            assert browser.delete(f"/api/v1/keys/{key['id']}").status_code == 204
            assert tool.get("/api/v1/systems").status_code == 401
        assert browser.delete(f"/api/v1/keys/{key['id']}").status_code == 404
        naive = {"name": "x", "scopes": ["read"], "expires_at": "2030-01-01T00:00:00"}
        assert browser.post("/api/v1/keys", json=naive).status_code == 422


def test_the_settings_pages_show_and_take(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser:
        for section in ("", "/systems", "/environments", "/members", "/keys", "/content"):
            page = browser.get(f"/w/acme/settings{section}")
            assert page.status_code == 200, page.text
            assert "default-src 'none'" in page.headers["content-security-policy"]
        form = SYSTEM | {"slug": "hr", "risk_tier": "high", "regions": "eu-1, eu-2"}
        missing = browser.post("/w/acme/settings/systems", data=form | {"sponsor": " "})
        assert missing.status_code == 422 and "sponsor" in missing.text
        assert browser.post("/w/acme/settings/systems", data=form).status_code == 303
        assert browser.get("/api/v1/systems").json()[0]["regions"] == ["eu-1", "eu-2"]
        assert "eu-1, eu-2" in browser.get("/w/acme/settings/systems?system=hr").text
        assert browser.post("/w/acme/settings/environments", data={"slug": "prod"}).status_code == 303
        policy = {
            "capture": "sampled",
            "sample_percent": "12.5",
            "redact_kinds": "email",
            "content_days": "7",
            "span_days": "9",
            "call_days": "10",
        }
        assert browser.post("/w/acme/settings/content", data=policy).status_code == 303
        assert browser.get("/api/v1/data-policies").json()[0]["sample_rate"] == 0.125
        bad = browser.post("/w/acme/settings/content", data=policy | {"content_days": "soon"})
        assert bad.status_code == 422 and "not a number" in bad.text
        script = "<script>alert(1)</script>"
        invited = browser.post(
            "/w/acme/settings/members", data={"email": "n@acme.example", "name": script, "role": "viewer"}
        )
        assert (
            invited.status_code == 200
            and "/sign-in/link?token=" in invited.text
            and script not in invited.text
        )


def test_a_workspace_gets_an_admin_with_it(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN, "", "", True))
    with house.signed_in("ada@acme.example") as browser:
        made = browser.post(
            "/api/v1/workspaces", json={"slug": "birch", "name": "Birch", "zone": "Europe/Oslo"}
        )
        assert made.status_code == 201
        assert browser.post("/api/v1/workspaces?workspace=acme", json={"slug": "birch"}).status_code == 409
        me = browser.get("/api/v1/me?workspace=birch").json()
        assert {"admin", "content"} <= set(me["permissions"])
        assert browser.get("/api/v1/me").status_code == 422  # two now: which?
    with house.client(house.key("acme", Scope.ADMIN)) as tool:
        assert tool.post("/api/v1/workspaces", json={"slug": "cedar"}).status_code == 201
        assert [one["slug"] for one in tool.get("/api/v1/workspaces").json()] == ["acme"]
    with house.client(house.key("dune", Scope.ADMIN)) as orphan:
        assert orphan.post("/api/v1/workspaces", json={"slug": "elm"}).status_code == 409
        assert orphan.get("/w/elm/settings").status_code == 404


def test_every_operation_documents_its_problems(house: House) -> None:
    with house.client() as anyone:
        paths = anyone.get("/api/openapi.json").json()["paths"]
    assert len(paths) >= 12 and not [path for path in paths if not path.startswith("/api/v1/")]
    for path, operations in paths.items():
        for operation in operations.values():
            assert "application/problem+json" in operation["responses"]["401"]["content"], path
            assert operation.get("description"), path


def test_reach_decides_by_place_whatever_the_door_forgot(house: House) -> None:
    house.member("sam@acme.example", ("acme", Role.ADMIN, "hr", "prod"))
    by = as_caller(house, "sam@acme.example", "acme")
    assert by.may(Scope.ADMIN) and not by.reach[Scope.ADMIN].everywhere
    with pytest.raises(Denied):
        guard._holds(by, Scope.ADMIN, everywhere=True)
    with house.database.transaction() as tx, pytest.raises(Denied):
        members.remove_member(by, tx, by.ctx.actor.id)


def test_a_hostile_header_is_an_error_not_a_fault(house: House) -> None:
    house.workspace("acme")
    with house.client() as browser:
        for headers in (
            [(b"authorization", b"Bearer \xff\xfe")],
            [(b"cookie", b"holdfast_session=\xff\xfe; x")],
            [(b"x-holdfast-key", b"\xc3\x28")],
        ):
            answer = browser.send(httpx2.Request("GET", f"{house.url}/api/v1/me", headers=headers))
            assert answer.status_code == 401
        token = browser.post(
            "/sign-in/link", data={"token": "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")}
        )
        assert token.status_code == 401
        nul = browser.post("/sign-in", data={"email": "a\x00@acme.example", "password": "\x00" * 20})
        assert nul.status_code == 401
        assert browser.get("/w/%00/settings").status_code in (303, 404, 422)


def test_what_cannot_be_stored_is_refused_rather_than_a_fault(house: House) -> None:
    house.member("ada@acme.example", ("acme", Role.ADMIN))
    with house.signed_in("ada@acme.example") as browser:
        nul = "a\x00b"
        answers = [
            browser.post("/api/v1/members", json={"email": "n@acme.example", "name": nul, "role": "viewer"}),
            browser.post("/api/v1/keys", json={"name": nul, "scopes": ["read"]}),
            browser.put("/api/v1/systems/hr%00", json=SYSTEM),
            browser.get("/api/v1/me?workspace=%00"),
            browser.delete("/api/v1/grants/%00"),
            browser.post("/w/acme/settings/environments", data={"slug": nul}),
        ]
    assert all(one.status_code < 500 for one in answers), [one.status_code for one in answers]
