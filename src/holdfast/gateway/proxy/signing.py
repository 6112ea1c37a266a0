"""AWS's Signature Version 4 on a request whose headers are final: the signature is made by botocore."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.dialects.shelf import auth_of, signed_for
from holdfast.gateway.model import Auth, Upstream
from holdfast.kernel.errors import Unavailable

SIGNED = ("host", "content-type")
"""Headers that are signed beside AWS's own: what a proxy on the way does not touch."""


class AwsKey(msgspec.Struct, frozen=True):
    """A key pair of AWS, with the token of a session where it is a temporary one."""

    AccessKeyId: str
    SecretAccessKey: str
    Token: str = msgspec.field(default="", name="SessionToken")


def aws_key(text: str) -> AwsKey:
    """A credential's text: `ACCESS_KEY:SECRET`, `ACCESS_KEY:SECRET:SESSION`, or JSON as AWS's own tools print it.

    Raises Unavailable, which does not repeat it.
    """
    try:
        if text.lstrip().startswith("{"):
            read: Any = msgspec.json.decode(text)
            return msgspec.convert(read.get("Credentials", read), AwsKey)
        found = text.strip().split(":", 2)
    except msgspec.DecodeError:
        found = []
    if len(found) < 2 or not all(found):
        raise Unavailable(
            "an upstream's credential cannot sign: write it like ACCESS_KEY:SECRET, ACCESS_KEY:SECRET:SESSION, or"
            " as JSON with AccessKeyId, SecretAccessKey and SessionToken"
        )
    return AwsKey(*found)


def load() -> None:
    """Loads what signs: half a second, for those alone who need it, and not while others wait for the event loop."""
    importlib.import_module("botocore.auth")


def signs(upstream: Upstream) -> bool:
    """Whether requests to it are signed."""
    return auth_of(upstream) is Auth.SIGV4


def signed(
    upstream: Upstream, method: str, path: str, headers: Mapping[str, str], body: bytes, credential: str
) -> dict[str, str]:
    """The headers with which the request goes: those given, without AWS's own of the client, and the signature.

    `path` stands under the base URL, escaped as it goes out. Raises Unavailable for a credential that is none.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    key = aws_key(credential)
    made = {
        name: value
        for name, value in headers.items()
        if name in upstream.headers or not name.startswith("x-amz")
    }
    names = [name for name in made if name.lower() in SIGNED or name.lower().startswith("x-amz-")]
    kept = {name: made.pop(name) for name in names}
    request = AWSRequest(method, upstream.base_url.rstrip("/") + path, headers=kept, data=body)
    service, region = signed_for(upstream)
    SigV4Auth(Credentials(key.AccessKeyId, key.SecretAccessKey, key.Token or None), service, region).add_auth(
        request
    )
    return {**made, **{name.lower(): value for name, value in request.headers.items()}}
