"""What a request may be billed at for its input, by what is in it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from holdfast.gateway.model import Dialect
from holdfast.gateway.rules.inputs import (
    PER_MESSAGE,
    PER_REQUEST,
    PER_TOOL,
    PER_VENDOR_TOOL,
    WITH_TOOLS,
    Input,
    Unbounded,
    input_bound,
)
from holdfast.gateway.rules.pictures import picture_tokens, recording_tokens, size_of

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other tests."""

OPENAI, ANTHROPIC, GEMINI, BEDROCK = Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.GEMINI, Dialect.BEDROCK


def sent(body: dict[str, Any]) -> int:
    return len(json.dumps(body).encode())


def bounded(
    body: dict[str, Any], dialect: Dialect, model: str = "m", window: int | None = None
) -> Input | Unbounded:
    return input_bound(body, sent(body), dialect, model, window)


def png(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
        + width.to_bytes(4, "big")
        + height.to_bytes(4, "big")
        + bytes(9_000)
    )


def jpeg(width: int, height: int) -> bytes:
    exif = b"\xff\xe1" + (5_000).to_bytes(2, "big") + bytes(4_998)
    frame = b"\xff\xc2\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return b"\xff\xd8" + exif + frame + bytes(20_000)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(800, 600), (800, 600)),
        (jpeg(4000, 3000), (4000, 3000)),
        (b"GIF89a" + (7).to_bytes(2, "little") + (9).to_bytes(2, "little") + bytes(9), (7, 9)),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x03\0" + b"\xff\x01\0", (1024, 512)),
        (b"RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + (99 | 49 << 14).to_bytes(4, "little"), (100, 50)),
        (b"RIFF\0\0\0\0WEBPVP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\x40\x01\xf0\x00", (320, 240)),
        (b"\xff\xd8\xff\xe1\xff\xff", None),
        (b"%PDF-1.7", None),
        (b"", None),
        (png(0, 5), None),
    ],
)
def test_sizes_of_pictures(data: bytes, size: tuple[int, int] | None) -> None:
    assert size_of(data) == size


@UNHURRIED
@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_sizes(data: bytes) -> None:
    for head in (
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xc0",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
    ):
        found = size_of(head + data)
        assert found is None or min(found) > 0


@pytest.mark.parametrize(
    ("dialect", "model", "size", "low", "tokens"),
    [
        # the vendors' own examples
        (OPENAI, "gpt-4o", (1024, 1024), True, 85),
        (OPENAI, "openai/gpt-4o-2024-11-20", None, False, 85 + 8 * 170),
        (OPENAI, "gpt-4o-mini", (512, 512), False, 2833 + 5667),
        (OPENAI, "gpt-4o-mini", None, False, 48_169),
        (OPENAI, "gpt-5-nano", (1024, 1024), False, 2520),  # 1024 patches at 2.46
        (OPENAI, "gpt-5-nano", None, True, 630),
        (ANTHROPIC, "claude-sonnet-4-5", (1000, 1000), False, 1334),
        (ANTHROPIC, "claude-opus-4-7", (200, 200), False, 64),
        (ANTHROPIC, "claude-opus-4-7", (8000, 8000), False, 4784),
        (ANTHROPIC, "claude-opus-4-7", None, False, 4784),
        (GEMINI, "gemini-3-pro", (300, 300), False, 2240),
        (GEMINI, "gemini-2.0-flash", (3072, 3072), False, 16 * 258),
        (OPENAI, "an-azure-deployment", None, False, 48_169),
    ],
)
def test_tokens_of_pictures(
    dialect: Dialect, model: str, size: tuple[int, int] | None, low: bool, tokens: int
) -> None:
    assert picture_tokens(dialect, model, size, low=low) == tokens


MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-5", "o3", "claude-x", "gemini-2.5-pro", "qwen2-vl", "")


@UNHURRIED
@given(
    st.sampled_from(list(Dialect)),
    st.sampled_from(MODELS),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.booleans(),
)
def test_a_picture_of_known_size_never_counts_more_than_an_unknown_one(
    dialect: Dialect, model: str, width: int, height: int, low: bool
) -> None:
    known = picture_tokens(dialect, model, (width, height), low=low)
    assert 0 < known <= picture_tokens(dialect, model, None, low=low)
    assert known <= picture_tokens(dialect, model, (width, height), low=False)


def test_a_wav_says_how_long_it_is() -> None:
    head = (
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0"
        + (16_000).to_bytes(4, "little")
        + (32_000).to_bytes(4, "little")
    )
    head += b"\x02\0\x10\0"
    assert recording_tokens(320_000, head) == 11 * 32
    assert recording_tokens(7_500) == 11 * 32
    assert recording_tokens(7_500, head.replace(b"\x01\0\x01\0", b"\x31\0\x01\0")) == 11 * 32  # GSM inside


def test_text_is_bounded_by_the_bytes_of_the_body() -> None:
    body = {
        "model": "m",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "ü" * 99}],
    }
    assert bounded(body, OPENAI) == Input(sent(body) + PER_REQUEST + 2 * PER_MESSAGE)
    assert bounded(body, ANTHROPIC) == Input(sent(body) + PER_REQUEST + 2 * PER_MESSAGE)
    assert bounded(body, OPENAI, window=128) == Input(128)


def test_tools_of_the_client_add_their_overhead() -> None:
    body = {"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]}
    assert bounded(body, OPENAI) == Input(sent(body) + PER_REQUEST + WITH_TOOLS + PER_TOOL)
    body = {
        "messages": [],
        "tools": [{"name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}],
    }
    expected = Input(sent(body) + PER_REQUEST + WITH_TOOLS + PER_TOOL + PER_VENDOR_TOOL)
    assert bounded(body, ANTHROPIC) == expected
    body = {"contents": [], "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]}
    assert bounded(body, GEMINI) == Input(sent(body) + PER_REQUEST + WITH_TOOLS + 3 * PER_TOOL)


PNG = b64encode(png(1000, 1000)).decode()
IN_BODY: list[tuple[Dialect, dict[str, Any]]] = [
    (
        OPENAI,
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]}]},
    ),
    (
        OPENAI,
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]}]},
    ),
    (
        ANTHROPIC,
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": PNG}}]}]},
    ),
    (
        ANTHROPIC,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "content": [{"type": "image", "source": {"data": PNG}}]}],
                }
            ]
        },
    ),
    (GEMINI, {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]}]}),
    (BEDROCK, {"messages": [{"role": "user", "content": [{"type": "image", "source": {"data": PNG}}]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "body"), IN_BODY)
def test_a_picture_in_the_body_counts_by_its_pixels_not_by_its_bytes(
    dialect: Dialect, body: dict[str, Any]
) -> None:
    found = bounded(body, dialect, "claude-opus-4-7")
    assert isinstance(found, Input)
    rest = sent(body) - len(PNG)
    most = 2240 if dialect is GEMINI else 1334
    assert (
        rest + PER_REQUEST + PER_MESSAGE + 1334 <= found.tokens <= rest + PER_REQUEST + 2 * PER_MESSAGE + most
    )


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        (OPENAI, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
        (OPENAI, {"type": "input_image", "file_id": "file_1"}),
        (ANTHROPIC, {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}),
    ],
)
def test_a_picture_elsewhere_counts_as_the_largest(dialect: Dialect, part: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": [part]}]}
    expected = sent(body) + PER_REQUEST + PER_MESSAGE + picture_tokens(dialect, "gpt-5", None)
    assert bounded(body, dialect, "gpt-5") == Input(expected)


def message(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (OPENAI, message({"type": "file", "file": {"file_id": "file_1"}})),
        (OPENAI, message({"type": "input_file", "file_url": "https://example.com/a.pdf"})),
        (OPENAI, message({"type": "of_tomorrow"})),
        (OPENAI, {"input": [{"type": "item_reference", "id": "i"}]}),
        (OPENAI, {"input": "hi", "previous_response_id": "r"}),
        (OPENAI, {"input": "hi", "prompt": {"id": "p"}}),
        (OPENAI, {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}),
        (ANTHROPIC, message({"type": "document", "source": {"type": "base64", "data": "JVBERi0x"}})),
        (ANTHROPIC, message({"type": "document", "source": {"type": "file", "file_id": "f"}})),
        (GEMINI, {"contents": [{"parts": [{"fileData": {"mimeType": "video/mp4", "fileUri": "f"}}]}]}),
        (GEMINI, {"contents": [], "cachedContent": "c"}),
        (BEDROCK, message({"type": "document", "source": {"type": "base64", "data": "JVBERi0x"}})),
    ],
)
def test_what_is_read_once_is_bounded_by_the_context_window_alone(
    dialect: Dialect, body: dict[str, Any]
) -> None:
    assert isinstance(bounded(body, dialect), Unbounded)
    assert bounded(body, dialect, window=200_000) == Input(200_000)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (OPENAI, {"input": "hi", "tools": [{"type": "web_search"}]}),
        (OPENAI, {"messages": [], "web_search_options": {"search_context_size": "low"}}),
        (ANTHROPIC, {"messages": [], "tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        (ANTHROPIC, {"messages": [], "mcp_servers": [{"url": "https://example.com"}]}),
        (ANTHROPIC, {"messages": [], "context_management": {"edits": [{"type": "compact_20260112"}]}}),
        (GEMINI, {"contents": [], "tools": [{"googleSearch": {}}]}),
        (GEMINI, {"contents": [], "tools": [{"functionDeclarations": [], "urlContext": {}}]}),
        (BEDROCK, {"messages": [], "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    ],
)
def test_tools_of_the_vendor_have_no_bound(dialect: Dialect, body: dict[str, Any]) -> None:
    found = bounded(body, dialect, window=200_000)
    assert isinstance(found, Unbounded)
    assert found.reason


@pytest.mark.parametrize(
    ("dialect", "field", "bounded_too"),
    [
        (OPENAI, {"service_tier": "priority"}, False),
        (OPENAI, {"service_tier": "flex"}, True),
        (OPENAI, {"service_tier": "auto"}, True),
        (OPENAI, {"service_tier": None}, True),
        (ANTHROPIC, {"speed": "fast"}, False),
        (ANTHROPIC, {"inference_geo": "us"}, False),
        (ANTHROPIC, {"service_tier": "standard_only", "speed": "standard"}, True),
    ],
)
def test_service_that_costs_more_has_no_bound(
    dialect: Dialect, field: dict[str, Any], bounded_too: bool
) -> None:
    found = bounded({"messages": [], **field}, dialect, window=200_000)
    assert isinstance(found, Input) is bounded_too


def test_plain_text_by_another_name_is_text() -> None:
    assert isinstance(bounded({"prompt": "once upon"}, OPENAI), Input)
    assert isinstance(bounded({"input": [[1, 2, 3]]}, OPENAI), Input)
    assert isinstance(
        bounded(message({"type": "document", "source": {"type": "text", "data": "x"}}), ANTHROPIC), Input
    )
    predicted = bounded({"messages": [], "prediction": {"type": "content", "content": "x" * 50}}, OPENAI)
    assert isinstance(predicted, Input) and predicted.predicted > 50


JSON = st.recursive(
    st.sampled_from((None, True, 7, -1, "", "base64", "data:image/png;base64,iVBORw0KGgo=", "é")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(("type", "role", "content", "messages", "input", "tools", "source", "data", "parts", "contents",
                         "image_url", "url", "inlineData", "text", "image", "document", "system", "output")),
        inner | st.sampled_from(("image_url", "image", "input_audio", "tool_result", "document", "function")), max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@UNHURRIED
@given(
    st.dictionaries(st.sampled_from(("messages", "input", "contents", "tools", "system")), JSON),
    st.sampled_from(list(Dialect)),
)
def test_no_shape_of_a_body_breaks_the_bound(body: dict[str, Any], dialect: Dialect) -> None:
    found = bounded(body, dialect, "gpt-4o")
    assert isinstance(found, Unbounded) or found.tokens > 0


@UNHURRIED
@given(st.text(max_size=300))
def test_a_byte_level_tokenizer_never_makes_more_tokens_than_bytes(text: str) -> None:
    from tokenizers import models, pre_tokenizers

    alphabet = {one: i for i, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))  # no merge: the most tokens there can be
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    body = {"messages": [{"role": "user", "content": text}]}
    found = bounded(body, OPENAI)
    assert isinstance(found, Input)
    assert len(tokenizer.encode(text).ids) + PER_MESSAGE <= found.tokens
    compact = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    again = input_bound(body, compact, OPENAI, "m")
    assert isinstance(again, Input) and len(tokenizer.encode(text).ids) <= again.tokens
