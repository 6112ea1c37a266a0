"""How many input tokens a request may be billed at, before it is sent.

A token stands for at least one byte of what it encodes (byte-level BPE; SentencePiece and WordPiece fall back to bytes),
and JSON never writes text in fewer bytes than UTF-8 does. So the bytes of the body bound the tokens of its text, names and
schemas included; on top come the words that a chat template puts around messages and tools. Pictures and recordings
inside are taken out of the bytes and counted by the vendors' formulas (`pictures`).

What the vendor adds from elsewhere (a stored conversation, a file, what a server-side tool finds) has no bound here; the
model's context window, where the caller knows it, bounds any single pass over the input, but not tools that make several.
Nor has service that costs more than the standard rates, which are those that a bound is made of.

Known limit: a tokenizer that normalises by compatibility (NFKC, as XLM-R's for embeddings) can make more of a rare ligature
than it had bytes. What is billed above the bound then is a breach like any other.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from holdfast.gateway.model import Dialect
from holdfast.gateway.rules.pictures import HEAD, picture_tokens, recording_tokens, size_of

PER_REQUEST = 256
"""A template's own opening: gpt-oss writes about 70 tokens of system message, Llama 3.1 about 30, Anthropic some."""
PER_MESSAGE = 16
"""Role and end marks: OpenAI 3 to 4 tokens, Llama 5, others up to 10."""
WITH_TOOLS = 1_024
"""Instructions for tool use: Anthropic publishes 159 to 804 tokens by model, Qwen's template has about 200."""
PER_TOOL = 32
PER_VENDOR_TOOL = 1_024
"""A tool that the vendor defines and the client runs: Anthropic's bash 245, text editor 700, computer 735 tokens."""

_TEXT = frozenset(
    {
        "text", "input_text", "output_text", "refusal", "thinking", "redacted_thinking", "reasoning", "tool_use",
        "function_call", "custom_tool_call", "computer_call", "local_shell_call", "local_shell_call_output",
        "search_result",
    }
)  # fmt: skip
"""Kinds of parts that are wholly in the body: their bytes bound them."""
_NESTS = frozenset(
    {"message", "tool_result", "function_call_output", "custom_tool_call_output", "computer_call_output"}
)
_OWN_TOOLS = frozenset({"function", "custom"})
_CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_", "local_shell", "apply_patch")
_STORED = ("previous_response_id", "conversation", "cachedContent", "cached_content")
"""Fields that stand for input which the vendor keeps; it is read once."""
_FETCHED = ("container", "mcp_servers", "web_search_options")
"""Fields by which the vendor runs tools on its side, and reads the input again with what they find."""
_SERVICE = MappingProxyType(
    {
        "service_tier": frozenset({"auto", "default", "standard", "standard_only", "flex", "batch"}),
        "serviceTier": frozenset({"standard", "flex"}),
        "speed": frozenset({"standard"}),
        "inference_geo": frozenset({"global", "not_available"}),
    }
)
"""Fields by which a request asks for dearer service → what costs no more than the standard rates."""
_UNUSUAL = frozenset((*_STORED, *_FETCHED, *_SERVICE, "context_management", "functions", "prompt", "tools"))
"""Fields that most requests have none of: all that is looked at beside what is said."""


class Input(NamedTuple):
    """What may be read: `tokens` of input, and `predicted` tokens that are billed as output where a prediction fails."""

    tokens: int
    predicted: int = 0


class Unbounded(NamedTuple):
    """No bound can be stated before the request is sent, and why."""

    reason: str


class _Hidden(Exception):
    """Something in the request reaches beyond it."""


class _Unsized(Exception):
    """A part whose size is not known, but that is read once, so that the context window bounds it."""


class _Tally:
    """What was found while walking the body: bytes that are no text, tokens that stand for them, and overhead."""

    __slots__ = ("extra", "model", "taken", "vendor")

    def __init__(self, vendor: Dialect, model: str) -> None:
        self.vendor = vendor
        self.model = model
        self.taken = 0
        self.extra = PER_REQUEST

    def picture(self, data: str | None, *, low: bool = False) -> None:
        """One picture: base64 in the body, or elsewhere (None)."""
        size = None
        if data:
            size = size_of(_decoded(data, HEAD))
            self.taken += len(data)
        self.extra += picture_tokens(self.vendor, self.model, size, low=low)

    def recording(self, data: str) -> None:
        self.taken += len(data)
        self.extra += recording_tokens(len(data) * 3 // 4, _decoded(data, 64))


def input_bound(
    body: Mapping[str, Any], size: int, dialect: Dialect, model: str, context_window: int | None = None
) -> Input | Unbounded:
    """The most input tokens that `body` can be billed at when it is sent as `size` bytes of JSON to `model`.

    `dialect` is the protocol of `body`. `context_window` (tokens; None: not known) lowers the bound, and bounds
    documents and files by reference; not what a vendor's own tools or stored conversations add.
    """
    tally = _Tally(dialect, model)
    try:
        if not _UNUSUAL.isdisjoint(body):
            _beyond(body)
            _tools(body.get("tools"), tally)
            _stored(body)
            if body.get("functions"):
                tally.extra += WITH_TOOLS
        _WALKS[dialect](body, tally)
    except _Hidden as hidden:
        return Unbounded(str(hidden))
    except _Unsized as unsized:
        if context_window is None:
            return Unbounded(str(unsized))
        return Input(context_window, _predicted(body))
    tokens = size - tally.taken + tally.extra
    return Input(tokens if context_window is None else min(tokens, context_window), _predicted(body))


def _beyond(body: Mapping[str, Any]) -> None:
    """Raises where a request asks for what is billed otherwise than by its own tokens at the standard rates."""
    for name, usual in _SERVICE.items():
        if body.get(name) and str(body[name]).lower() not in usual:
            raise _Hidden(f"`{name}` asks for what is billed at rates of its own")
    for name in _FETCHED:
        if body.get(name):
            raise _Hidden(f"the vendor runs what `{name}` stands for and adds what it finds")
    if "compact" in str(body.get("context_management") or ""):
        raise _Hidden("compaction reads the conversation once more")


def _stored(body: Mapping[str, Any]) -> None:
    """Raises where a request stands for more input, which the vendor keeps."""
    for name in _STORED:
        if body.get(name):
            raise _Unsized(f"the vendor adds what `{name}` stands for")
    if isinstance(body.get("prompt"), dict):
        raise _Unsized("the vendor adds the prompt that it keeps")


def _predicted(body: Mapping[str, Any]) -> int:
    """OpenAI bills rejected tokens of a `prediction` as output, beside the maximum that was asked for."""
    prediction = body.get("prediction")
    return 0 if not prediction else len(str(prediction).encode(errors="replace"))


def _tools(tools: Any, tally: _Tally) -> None:
    if not isinstance(tools, list) or not tools:
        return
    tally.extra += WITH_TOOLS
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        kind = str(tool.get("type") or "")
        if not kind:
            kind = _untyped(tool, tally)
        if kind in _OWN_TOOLS:
            tally.extra += PER_TOOL
        elif kind.startswith(_CLIENT_TOOLS):
            tally.extra += PER_VENDOR_TOOL
        else:
            raise _Hidden(f"the vendor runs the tool `{kind}` and adds what it finds")


def _untyped(tool: Mapping[str, Any], tally: _Tally) -> str:
    """The kind of a tool that states none: Anthropic's are the client's, Gemini's are named by their key."""
    for name in tool:
        if name in ("functionDeclarations", "function_declarations"):
            declared = tool[name]
            tally.extra += PER_TOOL * (len(declared) if isinstance(declared, list) else 1)
        elif name not in (
            "name",
            "description",
            "input_schema",
            "cache_control",
            "strict",
        ):
            return name
    return "custom"


def _openai(body: Mapping[str, Any], tally: _Tally) -> None:
    """Chat Completions (`messages`), Responses (`input` of items), embeddings and completions (text)."""
    for messages in (body.get("messages"), body.get("input")):
        if isinstance(messages, list):
            _parts(messages, tally)


def _anthropic(body: Mapping[str, Any], tally: _Tally) -> None:
    _parts(body.get("messages"), tally)
    _parts(body.get("system"), tally)


def _parts(parts: Any, tally: _Tally) -> None:
    """Messages, items of the Responses API and content parts: all are lists of objects with a `type` or a `role`."""
    if not isinstance(parts, list):
        return
    for part in parts:
        if not isinstance(part, dict):
            continue  # text, or tokens of an embedding as numbers
        kind = part.get("type")
        if kind is None:
            tally.extra += PER_MESSAGE
            _parts(part.get("content"), tally)
            if isinstance(audio := part.get("audio"), dict) and audio.get("id"):
                raise _Unsized("the vendor adds the audio of an earlier answer")
        elif not isinstance(kind, str):
            raise _Unsized("a part of no known type")
        elif kind in _NESTS:
            tally.extra += PER_MESSAGE
            for name in ("content", "output"):
                inner = part.get(name)
                _parts([inner] if isinstance(inner, dict) else inner, tally)
        elif kind not in _TEXT:
            _medium(kind, part, tally)


def _medium(kind: str, part: Mapping[str, Any], tally: _Tally) -> None:
    """A part that is no text: a picture, a recording, a document, or something not known here."""
    if kind in ("image_url", "input_image", "computer_screenshot"):
        given = part.get("image_url")
        inner: Mapping[str, Any] = given if isinstance(given, dict) else {"url": given}
        detail = inner.get("detail") or part.get("detail")
        url = inner.get("url")
        tally.picture(_inline(url) if isinstance(url, str) else None, low=detail == "low")
    elif kind == "input_audio":
        given = part.get("input_audio")
        data = given.get("data") if isinstance(given, dict) else None
        if not isinstance(data, str):
            raise _Unsized("a recording whose length is not known")
        tally.recording(data)
    elif kind == "image":
        source = part.get("source")
        data = source.get("data") if isinstance(source, dict) else None
        tally.picture(data if isinstance(data, str) else None)
    elif kind == "document" and isinstance(source := part.get("source"), dict):
        if source.get("type") == "content":
            _parts(source.get("content"), tally)
        elif source.get("type") != "text":
            raise _Unsized("a document whose length in tokens is not known")
    else:
        raise _Unsized(f"a part of type `{kind}`, whose length in tokens is not known")


def _gemini(body: Mapping[str, Any], tally: _Tally) -> None:
    contents = body.get("contents")
    for content in contents if isinstance(contents, list) else [contents]:
        parts = content.get("parts") if isinstance(content, dict) else None
        tally.extra += PER_MESSAGE
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                _gemini_part(part, tally)


def _gemini_part(part: Mapping[str, Any], tally: _Tally) -> None:
    inline = part.get("inlineData") or part.get("inline_data")
    stored = part.get("fileData") or part.get("file_data")
    blob = inline or stored
    if not isinstance(blob, dict):
        return
    kind = str(blob.get("mimeType") or blob.get("mime_type") or "")
    data = blob.get("data") if inline else None
    if kind.startswith("image/"):
        tally.picture(data if isinstance(data, str) else None)
    elif kind.startswith("audio/") and isinstance(data, str):
        tally.recording(data)
    elif not (kind == "text/plain" and isinstance(data, str)):
        raise _Unsized(f"a file of type `{kind}`, whose length in tokens is not known")


_WALKS = {
    Dialect.OPENAI: _openai,
    Dialect.ANTHROPIC: _anthropic,
    Dialect.GEMINI: _gemini,
    Dialect.BEDROCK: _anthropic,
}


def _inline(url: str) -> str | None:
    """The base64 of a `data:` URL; None where the picture is elsewhere."""
    return url.partition("base64,")[2] if url.startswith("data:") else None


def _decoded(data: str, most: int) -> bytes:
    """The first `most` bytes of base64 text; empty where it is none."""
    text = data[: (most + 2) // 3 * 4]
    try:
        return b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        return b""
