"""Answers with an entity tag, so that who has one already is told that nothing changed."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from fastapi import Request, Response

AGE = 5
"""Seconds for which an answer may be used unasked: a rollback is in effect within them."""


def tagged(request: Request, body: Any) -> Response:
    """The body as JSON with its ETag and Cache-Control; 304 without it where If-None-Match names it."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": f"private, max-age={AGE}", "vary": "authorization, cookie"}
    asked = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in asked or "*" in asked:
        return Response(None, 304, headers)
    return Response(content, 200, headers, media_type="application/json")
