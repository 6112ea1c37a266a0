"""Every error that Holdfast raises on purpose.

    HoldfastError
    ├── NotFound         404  it is not there, or not yours to know of
    ├── Conflict         409  it is there already, or has moved on meanwhile
    ├── Unauthenticated  401  we do not know who you are
    ├── Denied           403  we know who you are, and you may not
    ├── Invalid          422  what you sent cannot be used; says what, where and how to mend it
    ├── TooLarge         413  what you sent is over a stated limit
    ├── Unsupported      415  what you sent is of a type or encoding that is not read here
    ├── WrongMethod      405  the address does not answer to this method
    ├── Exhausted        429  a limit is used up; says when to come back
    └── Unavailable      503  we cannot do it now; says when to try again

The status is mapped to HTTP in one place (`holdfast.web.problems`), as RFC 9457 problem details.
"""

from __future__ import annotations


class HoldfastError(Exception):
    """Base of them all. `detail` is for the person who meets it; it never holds a secret or another's data."""

    status = 500
    title = "Something went wrong in Holdfast"

    def __init__(
        self,
        detail: str,
        *,
        where: str | None = None,
        retry_after: int | None = None,
        errors: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where
        self.retry_after = retry_after
        self.errors = errors  # where several things are wrong: each place, with what is wrong there


class NotFound(HoldfastError):
    status = 404
    title = "Not found"


class Conflict(HoldfastError):
    status = 409
    title = "Conflict"


class Unauthenticated(HoldfastError):
    status = 401
    title = "Not signed in"


class Denied(HoldfastError):
    status = 403
    title = "Not allowed"


class Invalid(HoldfastError):
    status = 422
    title = "Invalid"


class TooLarge(HoldfastError):
    status = 413
    title = "Too large"


class Unsupported(HoldfastError):
    status = 415
    title = "Unsupported type"


class WrongMethod(HoldfastError):
    status = 405
    title = "Wrong method"


class Exhausted(HoldfastError):
    status = 429
    title = "Limit used up"


class Unavailable(HoldfastError):
    status = 503
    title = "Unavailable"
