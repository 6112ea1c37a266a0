"""Passwords: argon2id, and the same work for a member that does not exist."""

from __future__ import annotations

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from holdfast.platform.access import rules

# Nobody's: of a random password that was thrown away. Checked where there is no hash, so that time tells nothing.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$/FviFzEESLj9xhtZKqvwww$rX/SXioSLyK9wQhT6EWmhXIb2XTIBU+5Tbz7/YQalZo"


def hasher() -> PasswordHasher:
    """argon2id with 19 MiB, 2 passes, 1 lane: the OWASP Password Storage Cheat Sheet's first choice."""
    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=Type.ID)


def hash_password(password: str) -> str:
    """The hash to keep of a password that `rules.check_new_password` has passed."""
    return hasher().hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one. None (no member, or none set) takes the same time and never matches."""
    given = rules.normal_password(password)
    too_long = len(given) > rules.MAX_PASSWORD
    try:
        found = hasher().verify(password_hash or NOBODY, "" if too_long else given)
    except (VerificationError, InvalidHashError):
        return False
    return found and password_hash is not None and not too_long


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than today's."""
    return hasher().check_needs_rehash(password_hash)
