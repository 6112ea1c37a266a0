"""Which operation a path is, in whose words an upstream is asked, and how it wants its credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from holdfast.gateway.dialects.anthropic import CountTokens, Messages
from holdfast.gateway.dialects.bedrock import Claude
from holdfast.gateway.dialects.gemini import PATH, Gemini
from holdfast.gateway.dialects.openai import Chat, Embeddings
from holdfast.gateway.dialects.responses import Responses
from holdfast.gateway.dialects.speech import Speech
from holdfast.gateway.model import Auth, Dialect, Upstream

SPEECHES: Mapping[str, Speech] = MappingProxyType(
    {
        "/v1/chat/completions": Chat(),
        "/v1/responses": Responses(),
        "/v1/embeddings": Embeddings(),
        "/v1/messages": Messages(),
        "/v1/messages/count_tokens": CountTokens(),
    }
)
CONVERSATIONS: Mapping[Dialect, Speech] = MappingProxyType(
    {
        Dialect.OPENAI: SPEECHES["/v1/chat/completions"],
        Dialect.ANTHROPIC: SPEECHES["/v1/messages"],
        Dialect.BEDROCK: Claude(),
    }
)
"""How an upstream is asked for the next turn of a conversation, whoever asks."""
WORDS: Mapping[Dialect, Dialect] = MappingProxyType({Dialect.BEDROCK: Dialect.ANTHROPIC})
"""Dialects whose bodies are those of another one."""
_GEMINI: Mapping[str, Speech] = MappingProxyType(
    {
        method: Gemini(method)
        for method in (
            "generateContent",
            "streamGenerateContent",
            "countTokens",
            "embedContent",
            "batchEmbedContents",
        )
    }
)
PASSED = (
    "/v1/files",
    "/v1/batches",
    "/v1/audio",
    "/v1/images",
    "/v1/moderations",
    "/v1/completions",
    "/v1/uploads",
    "/v1/vector_stores",
    "/v1/responses",
    "/v1/messages/batches",
)
"""Beginnings of paths that are passed through whole, in their dialect."""
AUTHS: Mapping[Dialect, Auth] = MappingProxyType(
    {
        Dialect.OPENAI: Auth.BEARER,
        Dialect.ANTHROPIC: Auth.X_API_KEY,
        Dialect.GEMINI: Auth.GOOGLE,
        Dialect.BEDROCK: Auth.SIGV4,
    }
)
PROVIDERS: Mapping[Dialect, str] = MappingProxyType(
    {
        Dialect.OPENAI: "openai",
        Dialect.ANTHROPIC: "anthropic",
        Dialect.GEMINI: "gcp.gemini",
        Dialect.BEDROCK: "aws.bedrock",
    }
)

_AWS = re.compile(r"(?:^|\.)(bedrock[a-z-]*)\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$")


def words_of(dialect: Dialect) -> Dialect:
    """In whose words the bodies of a dialect are written."""
    return WORDS.get(dialect, dialect)


def speech_of(path: str) -> Speech | None:
    """The operation that a POST to a path is; None where the gateway reads nothing of it."""
    found = SPEECHES.get(path)
    if found is None and path.startswith("/v1") and ":" in path:
        match = PATH.fullmatch(path)
        if match is not None:
            return _GEMINI.get(match[2])
    return found


def passes(path: str) -> Dialect | None:
    """The dialect of a path that is passed through whole; None where there is no such path."""
    for start in PASSED:
        if path == start or path.startswith(start + "/"):
            return Dialect.ANTHROPIC if start.startswith("/v1/messages") else Dialect.OPENAI
    return None


def dialect_of(path: str) -> Dialect:
    """In whose words an error on a path is said."""
    if path.startswith(("/v1beta", "/v1alpha")) or ":" in path:
        return Dialect.GEMINI
    return Dialect.ANTHROPIC if path.startswith("/v1/messages") else Dialect.OPENAI


def auth_of(upstream: Upstream) -> Auth:
    """How its credential is sent."""
    return upstream.auth or AUTHS[upstream.dialect]


def signed_for(upstream: Upstream) -> tuple[str, str]:
    """AWS's names of the service and region that a request is signed for; the region is empty where nothing names one.

    An address of AWS names both; else it is Bedrock in the upstream's `region`.
    """
    found = _AWS.search(urlsplit(upstream.base_url).hostname or "")
    if found is None:
        return "bedrock", upstream.region
    return "bedrock-mantle" if found[1] == "bedrock-mantle" else "bedrock", found[2]


def provider_of(upstream: Upstream) -> str:
    """`gen_ai.provider.name` of what it serves."""
    return upstream.provider or PROVIDERS[upstream.dialect]
