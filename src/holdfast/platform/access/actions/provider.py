"""What an OpenID Connect provider says: discovery, the exchange of the code, the id token and its checks.

OpenID Connect Core 1.0 (3.1.3), Discovery 1.0, RFC 9207 (issuer in the answer). Nothing here touches the store.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from holdfast.kernel.errors import Invalid, NotFound, Unauthenticated, Unavailable
from holdfast.platform import outbound
from holdfast.platform.access import rules
from holdfast.platform.secrets import reads as secret_reads
from holdfast.platform.settings import Settings

CALLBACK_PATH = "/sign-in/oidc/callback"
LEEWAY = 60  # seconds that the provider's clock may differ
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
REFUSED = "signing in through your identity provider did not work; begin again"


@dataclass(frozen=True, slots=True)
class Provider:
    """What discovery says."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    userinfo: str
    posts_secret: bool
    names_itself: bool  # RFC 9207: the answer carries `iss`


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says it is. `email` is None where the provider has not verified it."""

    subject: str
    email: str | None
    name: str
    groups: tuple[str, ...]


def discover(settings: Settings, http: httpx2.Client) -> Provider:
    """The provider's addresses. Raises NotFound where none is set, Unavailable where it answers nonsense."""
    if not settings.oidc_issuer:
        raise NotFound("sign-in through an identity provider is not set up")
    issuer = settings.oidc_issuer
    found = _json(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != issuer:
        raise Unavailable("the identity provider calls itself by another name than HOLDFAST_OIDC_ISSUER")
    addresses = {}
    for field in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        text = str(found.get(field) or "")
        if not text and field != "userinfo_endpoint":
            raise Unavailable(f"the identity provider does not say its {field}")
        if text and urlsplit(text).scheme not in ("https", urlsplit(issuer).scheme):
            raise Unavailable(f"the identity provider's {field} is not as safe as the provider itself")
        addresses[field] = text
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        issuer=issuer,
        authorization=addresses["authorization_endpoint"],
        token=addresses["token_endpoint"],
        jwks=addresses["jwks_uri"],
        userinfo=addresses["userinfo_endpoint"],
        posts_secret="client_secret_basic" not in methods,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


def identify(settings: Settings, now: datetime, kept: Mapping[str, Any], answer: Mapping[str, str]) -> Person:
    """Who answers, from what the browser brought back (`answer`) and what was kept for it (state, nonce, verifier).

    Raises Unauthenticated with `where` naming what failed, Unavailable.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), str(kept["state"]).encode()):
        raise Unauthenticated(REFUSED, where="state")
    if "error" in answer or not answer.get("code"):
        said = answer.get("error", "")
        raise Unauthenticated(REFUSED, where=said if re.fullmatch("[a-z_]{1,60}", said) else "error")
    with outbound.client(settings) as http:
        provider = discover(settings, http)
        named = answer.get("iss")
        if (named is None and provider.names_itself) or named not in (None, provider.issuer):
            raise Unauthenticated(REFUSED, where="iss")
        tokens = _exchange(settings, http, provider, answer["code"], str(kept["verifier"]))
        claims = check_id_token(
            tokens.get("id_token"),
            _json(http, provider.jwks),
            issuer=provider.issuer,
            client_id=settings.oidc_client_id,
            nonce=str(kept["nonce"]),
            now=now,
            access_token=str(tokens.get("access_token") or ""),
        )
        groups = _groups(claims, settings.oidc_groups_claim)
        if groups is None and provider.userinfo and tokens.get("access_token"):
            more = _json(http, provider.userinfo, str(tokens["access_token"]))
            if more.get("sub") != claims["sub"]:
                raise Unauthenticated(REFUSED, where="userinfo")
            groups = _groups(more, settings.oidc_groups_claim)
            claims = {**more, **claims}
    return _person(provider.issuer, claims, groups or ())


def _exchange(
    settings: Settings, http: httpx2.Client, provider: Provider, code: str, verifier: str
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.base_url + CALLBACK_PATH,
        "code_verifier": verifier,
    }
    secret = secret_reads.operator_secret(settings, settings.oidc_client_secret.get_secret_value())
    headers = {"accept": "application/json"}
    if secret and not provider.posts_secret:
        pair = f"{quote(settings.oidc_client_id, safe='')}:{quote(secret, safe='')}"  # RFC 6749, 2.3.1
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form["client_id"] = settings.oidc_client_id
        if secret:
            form["client_secret"] = secret
    try:
        answer = http.post(provider.token, data=form, headers=headers)
        found = answer.json()
    except (httpx2.HTTPError, ValueError):
        raise Unavailable("the identity provider does not answer", retry_after=10) from None
    if answer.status_code != 200 or not isinstance(found, dict):
        raise Unauthenticated(REFUSED, where="token_endpoint")
    return found


def check_id_token(
    token: object,
    jwks: Mapping[str, Any],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    now: datetime,
    access_token: str = "",
) -> dict[str, Any]:
    """The claims of an id token, when all of OpenID Connect Core 3.1.3.7 holds. Raises Unauthenticated.

    Only asymmetric algorithms of the list count, whatever the token says of itself; `where` names what failed.
    """
    if not isinstance(token, str) or len(token) > 100_000:
        raise Unauthenticated(REFUSED, where="id_token")
    try:
        keys = KeySet.import_key_set(dict(jwks))  # type: ignore[arg-type]
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    except (JoseError, ValueError, KeyError, TypeError):
        raise Unauthenticated(REFUSED, where="signature") from None
    claims = decoded.claims
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    seconds = now.timestamp()
    checks = {
        "iss": claims.get("iss") == issuer,
        "aud": client_id in audiences,
        "azp": claims.get("azp", client_id) == client_id and (len(audiences) == 1 or "azp" in claims),
        "exp": _number(claims.get("exp"), 0) > seconds - LEEWAY,
        "iat": 0 < _number(claims.get("iat"), 0) <= seconds + LEEWAY,
        "nbf": _number(claims.get("nbf", 0), seconds * 2) <= seconds + LEEWAY,
        "nonce": hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()),
        "sub": isinstance(claims.get("sub"), str) and 0 < len(claims["sub"]) <= 255,
        "at_hash": "at_hash" not in claims or _at_hash(claims["at_hash"], access_token, decoded.header),
    }
    for name, holds in checks.items():
        if not holds:
            raise Unauthenticated(REFUSED, where=name)
    return dict(claims)


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _at_hash(claimed: object, access_token: str, header: Mapping[str, Any]) -> bool:
    made = create_half_hash(access_token, header["alg"])  # type: ignore[no-untyped-call]
    return made is not None and hmac.compare_digest(str(claimed).encode(), made)


def _groups(claims: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    found: Any = claims.get(name)
    if found is None and "." in name:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if found is None:
        return None
    listed = found if isinstance(found, list) else [found]
    return tuple(one for one in listed if isinstance(one, str))


def _person(issuer: str, claims: Mapping[str, Any], groups: tuple[str, ...]) -> Person:
    email: str | None = None
    if claims.get("email_verified") is True:
        try:
            email = rules.normal_email(str(claims.get("email", "")))
        except Invalid:
            email = None
    name = str(claims.get("name") or claims.get("preferred_username") or "")[:200]
    subject = f"{issuer}|{claims['sub']}"
    return Person(subject[:200] + hashlib.sha256(subject.encode()).hexdigest(), email, name, groups)


def _json(http: httpx2.Client, url: str, token: str = "") -> dict[str, Any]:
    headers = {"accept": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    try:
        answer = http.get(url, headers=headers)
        found = answer.json() if answer.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        raise Unavailable("the identity provider does not answer", retry_after=10) from None
    if not isinstance(found, dict):
        raise Unavailable("the identity provider answers with something else than it should", retry_after=60)
    return found
