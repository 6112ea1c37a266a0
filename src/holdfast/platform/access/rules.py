"""Decisions of access: keys, tokens, what a role or a scope allows, where it reaches, which passwords will do."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from holdfast.kernel.errors import Denied, Invalid, Unauthenticated
from holdfast.platform.access.model import ApiKey, Grant, MappedRole, Reach, Role, Scope

KEY_BYTES = 24  # 192 random bits
TOKEN_BYTES = 32  # of sessions, links and CSRF: 256 random bits
PREFIX_LENGTH = 9
LINK_LIFE = timedelta(hours=24)
ATTEMPT_WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_MEMBER = 10
ATTEMPTS_PER_ADDRESS = 100
MIN_PASSWORD = 12
MAX_PASSWORD = 1024
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,250}")
_COMMON = frozenset(
    {
        "password1234",
        "password12345",
        "password123456",
        "passwordpassword",
        "password1234!",
        "123456789012",
        "1234567890123",
        "12345678901234",
        "0123456789ab",
        "1q2w3e4r5t6y",
        "qwertyuiop12",
        "qwertyuiop123",
        "qwertyuiop[]",
        "qwertyuiopasdf",
        "qwerty123456",
        "administrator",
        "adminadminadmin",
        "letmeinletmein",
        "iloveyou1234",
        "welcome12345",
        "changemeplease",
        "changeme1234",
        "correcthorsebatterystaple",
        "abcdefghijkl",
        "abcdefghijklm",
        "abc123abc123",
        "holdfastholdfast",
    }
)
_RANK = {
    role: rank
    for rank, role in enumerate((Role.VIEWER, Role.AUDITOR, Role.OPERATOR, Role.APPROVER, Role.ADMIN))
}
_PERMISSIONS = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.OPERATE}),
    Role.APPROVER: frozenset({Scope.READ, Scope.OPERATE}),
    Role.AUDITOR: frozenset({Scope.READ}),
    Role.ADMIN: frozenset(Scope) - {Scope.CONTENT},
}


def key_text(random: bytes) -> str:
    """The key as its owner sees it once: `hf_` and lower-case base 32 of at least 16 random bytes."""
    if len(random) < 16:
        raise ValueError("a key needs at least 128 random bits")
    return "hf_" + base64.b32encode(random).decode().rstrip("=").lower()


def token_hash(token: str) -> str:
    """SHA-256 in hex. Enough for tokens of 128 random bits or more; passwords take argon2id instead."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def parse_scopes(text: str) -> frozenset[Scope]:
    """`ingest,read` → scopes. Raises Invalid that lists what there is."""
    try:
        scopes = frozenset(Scope(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise Invalid(f"{error}; scopes are {', '.join(Scope)}", where="scopes") from error
    if not scopes:
        raise Invalid(f"a key needs at least one scope of {', '.join(Scope)}", where="scopes")
    return scopes


def check_key(key: ApiKey | None, needed: Scope, now: datetime) -> ApiKey:
    """The key, when it is valid now and has the scope. `admin` includes every scope but `content`."""
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise Unauthenticated("this API key is not valid: it may be mistyped, revoked or expired")
    if not opens(key, needed):
        raise Denied(f"this API key lacks the scope {needed.value!r}; make one with --scopes {needed.value}")
    return key


def opens(key: ApiKey, needed: Scope) -> bool:
    """Whether the key has the scope. `admin` includes every scope but `content`."""
    return needed in key.scopes or (Scope.ADMIN in key.scopes and needed is not Scope.CONTENT)


def permissions(role: Role) -> frozenset[Scope]:
    """What a role allows where it is granted. No role brings `content`; a grant may."""
    return _PERMISSIONS[role]


def reach(grants: Iterable[Grant]) -> dict[Scope, Reach]:
    """Where each permission holds, from the grants of one member in one workspace. What is covered twice is dropped."""
    places: dict[Scope, set[tuple[str, str]]] = {}
    for grant in grants:
        for scope in permissions(grant.role) | ({Scope.CONTENT} if grant.content else set()):
            places.setdefault(scope, set()).add((grant.system, grant.environment))
    return {scope: Reach(_widest(pairs)) for scope, pairs in places.items()}


def _widest(pairs: set[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(pair for pair in pairs if not Reach(tuple(pairs - {pair})).covers(*pair)))


def strongest(roles: Iterable[MappedRole]) -> list[MappedRole]:
    """One role for each place: the strongest of several, with `content` when any of them brings it."""
    best: dict[tuple[str, str, str], MappedRole] = {}
    for one in roles:
        place = (one.workspace, one.system, one.environment)
        other = best.get(place, one)
        role = max(one.role, other.role, key=_RANK.__getitem__)
        best[place] = MappedRole(
            one.workspace, role, one.system, one.environment, one.content or other.content
        )
    return [best[place] for place in sorted(best)]


def role_map(text: str) -> dict[str, tuple[MappedRole, ...]]:
    """The setting that maps groups to roles, read. Raises Invalid that says what is wrong with it."""
    try:
        found = json.loads(text or "{}")
        return {str(group): tuple(_mapped_role(one) for one in roles) for group, roles in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Invalid(
            'the group map is JSON like {"group": [{"workspace": "acme", "role": "viewer", "content": false}]}; '
            f"roles are {', '.join(Role)}",
            where="HOLDFAST_OIDC_ROLE_MAP",
        ) from error


def _mapped_role(one: Mapping[str, Any]) -> MappedRole:
    content = one.get("content", False)
    if not isinstance(content, bool) or not isinstance(one["workspace"], str):
        raise TypeError("content is true or false, workspace is text")
    system, environment = one.get("system", ""), one.get("environment", "")
    if not isinstance(system, str) or not isinstance(environment, str):
        raise TypeError("system and environment are text")
    return MappedRole(one["workspace"], Role(one["role"]), system, environment, content)


def mapped(groups: Collection[str], roles: Mapping[str, tuple[MappedRole, ...]]) -> list[MappedRole]:
    """The roles that these groups bring; groups that the map does not name bring none."""
    return strongest(role for group in groups for role in roles.get(group, ()))


def normal_email(text: str) -> str:
    """An e-mail address in the one form that is kept. Raises Invalid."""
    email = unicodedata.normalize("NFKC", text).strip().lower()
    if len(email) > 320 or not _EMAIL.fullmatch(email):
        raise Invalid("this is not an e-mail address", where="email")
    return email


def normal_password(text: str) -> str:
    """A password as it is hashed, so that one keyboard's ü is the other's (NFKC, as NIST SP 800-63B advises)."""
    return unicodedata.normalize("NFKC", text)


def check_new_password(text: str, email: str) -> str:
    """The password in the form to hash. Raises Invalid where it is short, common or the member's own address."""
    password = normal_password(text)
    folded = password.casefold()
    if len(password) < MIN_PASSWORD:
        raise Invalid(
            f"a password has at least {MIN_PASSWORD} characters; a few words do well", where="password"
        )
    if len(password) > MAX_PASSWORD:
        raise Invalid(f"a password has at most {MAX_PASSWORD} characters", where="password")
    if folded in _COMMON or len(set(folded)) < 4:
        raise Invalid("this password is among the first that anyone tries; choose another", where="password")
    if folded.strip() in (email, email.partition("@")[0]):
        raise Invalid("your own address is no password; choose another", where="password")
    return password


def network_of(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 of an IPv6 address. Unreadable text stands for itself."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def safe_next(text: str) -> str:
    """Where to go after signing in: a path of this site, else `/`. Never another site, whatever a browser makes of it."""
    if not text.startswith("/") or text.startswith("//") or len(text) > 2000:
        return "/"
    if "\\" in text or any(ord(character) < 33 or ord(character) == 127 for character in text):
        return "/"
    return text


def check_origin(headers: Mapping[str, str], scheme: str, public_url: str) -> None:
    """Raises Denied for a request that changes something and comes from another site's page.

    `headers` are lower-case. Browsers send Sec-Fetch-Site or Origin; a client that sends neither carries no
    stolen cookie and passes here (the token is still asked for where a cookie is used).
    """
    site = headers.get("sec-fetch-site")
    if site in ("same-origin", "none"):
        return
    origin = headers.get("origin")
    if site is None and origin is None:
        return
    own = {f"{scheme}://{headers.get('host', '')}".lower()}
    if public_url:
        parts = urlsplit(public_url)
        own.add(f"{parts.scheme}://{parts.netloc}".lower())
    if site is not None or origin is None or origin.lower() not in own:
        raise Denied("this request came from another site's page")
