"""Signing in through a real OpenID Connect provider on a real socket, honest and not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.platform.access.house import House

from holdfast.platform.access.actions import members
from holdfast.platform.access.model import Role

CLIENT, SECRET = "holdfast", "client secret: with/odd chars"
MAP = {
    "ops": [{"workspace": "acme", "role": "operator"}],
    "leads": [
        {"workspace": "acme", "role": "admin", "content": True},
        {"workspace": "birch", "role": "viewer"},
    ],
    "ghosts": [{"workspace": "nowhere", "role": "admin"}],
}


@dataclass
class Idp:
    """The provider: what it claims and how it signs can be changed by a test."""

    clock: Any
    key: RSAKey
    port: int = 0
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    sign: Callable[[Idp, dict[str, Any]], str] | None = None
    discovery: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "authorization_response_iss_parameter_supported": True,
            **self.discovery,
        }

    def authorize(self, asked: dict[str, str]) -> str:
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        asked = self.codes.pop(form["code"], None)
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
            .decode()
            .rstrip("=")
        )
        basic = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        name, _, secret = basic.partition(":")
        if asked is None or asked["code_challenge"] != challenge or asked["code_challenge_method"] != "S256":
            self.refused.append("pkce")
            return None
        if (unquote(name), unquote(secret)) != (CLIENT, SECRET) or form["redirect_uri"] != asked[
            "redirect_uri"
        ]:
            self.refused.append("client")
            return None
        now = int(self.clock().timestamp())
        at_hash = base64.urlsafe_b64encode(hashlib.sha256(b"at").digest()[:16]).decode().rstrip("=")
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "u1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "at_hash": at_hash,
            "email": "Ada@acme.example",
            "email_verified": True,
            "name": "Ada",
            "groups": ["ops"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = (self.sign or rs256)(self, claims)
        return {"access_token": "at", "token_type": "Bearer", "id_token": signed}


def rs256(idp: Idp, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, idp.key)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        idp: Idp = self.server.idp  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        if parts.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.send_response(302)
            self.send_header("location", idp.authorize(asked))
            self.end_headers()
            return
        bodies = {
            "/.well-known/openid-configuration": idp.metadata(),
            "/jwks": {"keys": [idp.key.as_dict(private=False)]},
            "/userinfo": idp.userinfo,
        }
        self._json(200, bodies[parts.path])

    def do_POST(self) -> None:
        idp: Idp = self.server.idp  # type: ignore[attr-defined]
        raw = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(raw).items()}
        found = idp.token(form, self.headers.get("authorization", ""))
        self._json(200 if found else 400, found or {"error": "invalid_grant"})

    def _json(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def idp_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "k1"})


@pytest.fixture
def idp(clock: Any, idp_key: RSAKey) -> Iterator[Idp]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Idp(clock, idp_key, port=server.server_port)
    server.idp = made  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(make_house: Callable[..., House], idp: Idp) -> House:
    house = make_house(
        oidc_issuer=idp.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_role_map=json.dumps(MAP),
        public_url="http://holdfast.example",
    )
    house.workspace("acme")
    house.workspace("birch")
    return house


def go(house: House, browser: httpx2.Client, **changed: str) -> httpx2.Response:
    """Through the provider and back; `changed` replaces parts of the answer."""
    started = browser.get("/sign-in/oidc?next=/w/acme/calls")
    assert started.status_code == 303
    with httpx2.Client(trust_env=False) as elsewhere:
        back = urlsplit(elsewhere.get(started.headers["location"]).headers["location"])
    assert back.netloc == "holdfast.example"
    answer = {name: values[0] for name, values in parse_qs(back.query).items()}
    for name, value in changed.items():
        answer.pop(name, None)
        if value:
            answer[name] = value
    return browser.get(f"{back.path}?{urlencode(answer)}")


def me(browser: httpx2.Client, slug: str = "acme") -> Any:
    return browser.get(f"/api/v1/me?workspace={slug}").json()


def test_a_person_comes_in_with_the_roles_of_the_groups(home: House, idp: Idp) -> None:
    with home.client() as browser:
        done = go(home, browser)
        assert done.status_code == 303 and done.headers["location"] == "/w/acme/calls", done.text
        assert set(me(browser)["permissions"]) == {"read", "operate"}
        assert me(browser)["email"] == "ada@acme.example"
        assert browser.get("/api/v1/me?workspace=birch").status_code == 404
        idp.claims = {"groups": ["leads", "unheard of", "ghosts"]}
        assert go(home, browser).status_code == 303
        assert {"admin", "content"} <= set(me(browser)["permissions"])
        assert set(me(browser, "birch")["permissions"]) == {"read"}
        idp.claims = {"groups": ["unheard of"]}
        assert go(home, browser).status_code == 403
        assert browser.get("/api/v1/me?workspace=acme").status_code in (401, 404)
    said = [action for action, _, _ in home.audit(home.workspace("acme").id)]
    assert said.count("grants.mapped") == 3 and said.count("member.signed_in") == 2


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"exp": "9999999999"},
        {"iat": 9_999_999_999},
        {"iat": None},
        {"nbf": 9_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"at_hash": "bm90IGl0"},
    ],
)
def test_a_token_that_is_not_as_it_must_be(home: House, idp: Idp, claims: dict[str, Any]) -> None:
    idp.claims = claims
    with home.client() as browser:
        answer = go(home, browser)
        assert answer.status_code == 401 and "holdfast_session" not in browser.cookies
        for value in claims.values():
            assert len(str(value)) < 5 or str(value) not in answer.text
    assert ("member.sign_in", "member:unknown", "denied") in home.audit("instance")


def unsigned(_: Idp, claims: dict[str, Any]) -> str:
    parts = [{"alg": "none"}, claims]
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."
    )


def with_public_key_as_secret(idp: Idp, claims: dict[str, Any]) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    made = hmac.digest(idp.key.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


def with_another_key(_: Idp, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, RSAKey.generate_key(2048))


def with_own_key_in_header(_: Idp, claims: dict[str, Any]) -> str:
    own = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "jwk": own.as_dict(private=False)}, claims, own)


def tampered(idp: Idp, claims: dict[str, Any]) -> str:
    head, _, signature = rs256(idp, claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims, "groups": ["leads"]}).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize(
    "sign", [unsigned, with_public_key_as_secret, with_another_key, with_own_key_in_header, tampered]
)
@pytest.mark.filterwarnings("ignore")
def test_a_token_that_the_provider_did_not_sign(
    home: House, idp: Idp, sign: Callable[[Idp, dict[str, Any]], str]
) -> None:
    idp.sign = sign
    with home.client() as browser:
        assert go(home, browser).status_code == 401
        assert browser.get("/api/v1/me?workspace=acme").status_code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "another"},
        {"state": ""},
        {"iss": "http://evil.example"},
        {"iss": ""},
        {"code": "stolen"},
        {"code": ""},
        {"error": "access_denied"},
    ],
)
def test_an_answer_that_is_not_ours(home: House, changed: dict[str, str]) -> None:
    with home.client() as browser:
        assert go(home, browser, **changed).status_code == 401
        assert browser.get("/api/v1/me?workspace=acme").status_code == 401


def test_an_answer_in_another_browser_or_too_late_is_refused(home: House, clock: Any) -> None:
    with home.client() as victim, home.client() as attacker:
        started = attacker.get("/sign-in/oidc")
        with httpx2.Client(trust_env=False) as elsewhere:
            back = urlsplit(elsewhere.get(started.headers["location"]).headers["location"])
        assert victim.get(f"{back.path}?{back.query}").status_code == 401
        forged = {"cookie": "holdfast_oidc=" + base64.urlsafe_b64encode(b"x" * 80).decode()}
        assert victim.get(f"{back.path}?{back.query}", headers=forged).status_code == 401
        clock.move(minutes=11)
        assert attacker.get(f"{back.path}?{back.query}").status_code == 401


def test_an_address_counts_only_when_verified(home: House, idp: Idp) -> None:
    ada = home.member("ada@acme.example", ("acme", Role.ADMIN, "", "", True))
    for claims in ({"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}):
        idp.claims = claims | {"sub": f"mallory {claims['email_verified']}"}
        with home.client() as browser:
            assert go(home, browser).status_code == 303
            found = me(browser)
            assert (
                found["id"] != ada
                and found["email"].endswith("@127.0.0.1")
                and "admin" not in found["permissions"]
            )
    idp.claims = {}
    with home.client() as browser:
        assert go(home, browser).status_code == 303
        found = me(browser)
        assert found["id"] == ada and "admin" in found["permissions"]  # what was granted by hand stays
    idp.claims = {"sub": "somebody else"}
    with home.client() as browser:
        assert go(home, browser).status_code == 403


def test_a_disabled_member_stays_out_whatever_the_groups_say(home: House, idp: Idp) -> None:
    with home.client() as browser:
        assert go(home, browser).status_code == 303
        with home.database.transaction() as tx:
            members.disable(home.ctx(), tx, "ada@acme.example")
        assert browser.get("/api/v1/me?workspace=acme").status_code == 401
        assert go(home, browser).status_code == 403


def test_groups_from_userinfo_when_the_token_has_none(home: House, idp: Idp) -> None:
    idp.claims = {"groups": None}
    idp.userinfo = {"sub": "u1", "groups": ["leads"]}
    with home.client() as browser:
        assert go(home, browser).status_code == 303
        assert "admin" in me(browser)["permissions"]
        idp.userinfo = {"sub": "another", "groups": ["leads"]}
        assert go(home, browser).status_code == 401


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "http://127.0.0.1:1"},
        {"token_endpoint": ""},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": "ftp://x/"},
    ],
)
def test_a_provider_that_says_nonsense_is_unavailable(
    home: House, idp: Idp, discovery: dict[str, Any]
) -> None:
    idp.discovery = discovery
    with home.client() as browser:
        assert browser.get("/sign-in/oidc").status_code == 503


def test_without_a_provider_there_is_none(house: House) -> None:
    with house.client() as browser:
        assert browser.get("/sign-in/oidc").status_code == 404
        assert browser.get("/sign-in/oidc/callback?code=x&state=y").status_code == 401
