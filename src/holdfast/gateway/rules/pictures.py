"""How many input tokens a picture or a recording may be billed at: the vendors' published formulas, from above.

Sources (vendors' guides, read in November 2026): OpenAI "Images and vision", Anthropic "Vision", Gemini "Media
resolution" and "Audio understanding". Every vendor shrinks a picture before it counts, so the count of the picture as
sent, and the maximum per picture, both bound what is billed; the smaller of the two is taken.
"""

from __future__ import annotations

from math import ceil
from types import MappingProxyType

from holdfast.gateway.model import Dialect

HEAD = 65_536
"""Bytes of a picture that `size_of` wants to see; a JPEG may carry that much before it says its size."""

_TILES = MappingProxyType(
    {
        "gpt-4o-mini": (2833, 5667),
        "gpt-4o": (85, 170),
        "chatgpt-4o": (85, 170),
        "gpt-4.5": (85, 170),
        "o1": (75, 150),
        "o3": (75, 150),
        "computer-use-preview": (65, 129),
    }
)
"""Model prefix → tokens of a picture, tokens of each tile of 512 x 512 (OpenAI), longest prefix first."""

_MOST_TILES = 8
"""Shrunk into 2048 x 2048 and then to a short side of 768, a picture has at most 4 x 2 tiles of 512."""
_PATCHES = 10_000
"""The most patches of 32 x 32 that an OpenAI model keeps of one picture (`detail: original`)."""
_DEAREST_PATCH = 2.46
"""The highest multiplier that OpenAI publishes for tokens per patch (nano models)."""
_ANTHROPIC_MOST = 4_784
"""92 x 52 patches of 28 x 28: the most of models with high-resolution vision; others keep 1568."""
_GEMINI_TILE = 258
_GEMINI_TILES = 24
"""Gemini 2 shrinks into 3072 x 3072 and cuts tiles of 256 to 768: at most 12 x 2 of a narrow picture, 4 x 4 of others."""
_GEMINI_MOST = 2_240
"""Gemini 3 and 4, `media_resolution: ultra high`."""
_OPEN_LEAST = 2_048
"""Open models enlarge small pictures: Llama 3.2 counts at least one tile of 1601, InternVL two of 256."""
_OPEN_MOST = 24_600
"""10,000 patches at 2.46, also above Qwen-VL's 16,384 and Llama's 6404. A model that is not known may be an Azure
deployment of any OpenAI model, so it is bounded by the dearest of those too."""

_TOKENS_PER_SECOND = 32
"""Gemini; OpenAI counts 10."""
_LEAST_BYTES_PER_SECOND = 750
"""6 kbit/s, the lowest rate of Opus; MP3 and AAC have 8 kbit/s and more."""


def picture_tokens(dialect: Dialect, model: str, size: tuple[int, int] | None, *, low: bool = False) -> int:
    """The most tokens that one picture of `size` (width, height in pixels; None: not known) can be billed at.

    `low` is OpenAI's `detail: low`. `model` is the upstream's name of it.
    """
    model = model.rpartition("/")[2].removeprefix("ft:")
    if dialect in (Dialect.ANTHROPIC, Dialect.BEDROCK) or "claude" in model:
        if size is None:
            return _ANTHROPIC_MOST
        return min(_ANTHROPIC_MOST, max(ceil(size[0] * size[1] / 750), _grid(size, 28)))
    if dialect is Dialect.GEMINI or model.startswith("gemini"):
        tiles = _GEMINI_TILES if size is None else min(_GEMINI_TILES, _grid(size, _crop(size)))
        return max(_GEMINI_MOST, tiles * _GEMINI_TILE)
    tiles = _MOST_TILES if size is None else min(_MOST_TILES, _grid(size, 512))
    for prefix, (picture, tile) in _TILES.items():
        if model.startswith(prefix):
            return picture if low else picture + tile * tiles
    if model.startswith(("gpt-", "o4-")):
        patches = _PATCHES if size is None else min(_PATCHES, _grid(size, 32))
        patches = min(patches, 256) if low else patches  # `low` is shown at 512 x 512
        return max(ceil(patches * _DEAREST_PATCH), 70 + 140 * (1 if low else tiles))
    picture, tile = _TILES["gpt-4o-mini"]
    patches = _OPEN_MOST if size is None else min(_OPEN_MOST, _grid(size, 14) + size[1] // 14 + 2)
    return max(_OPEN_LEAST, patches, picture + tile * tiles)


def _crop(size: tuple[int, int]) -> int:
    """The side of a tile, as Gemini 2 cuts a picture: two thirds of the short side, from 256 to 768."""
    return min(768, max(256, int(min(size) / 1.5)))


def recording_tokens(size: int, head: bytes = b"") -> int:
    """The most input tokens of a recording of `size` bytes that begins with `head`.

    A plain WAV says how many bytes make a second; anything else is taken to be as dense as the lowest bit rate.
    """
    dense = _LEAST_BYTES_PER_SECOND
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and head[20:22] in (b"\x01\x00", b"\x03\x00"):
        channels = int.from_bytes(head[22:24], "little")
        rate = int.from_bytes(head[24:28], "little")
        bits = int.from_bytes(head[34:36], "little")
        if 1 <= channels <= 8 and 1_000 <= rate <= 192_000:
            dense = max(dense, channels * rate * bits // 8)
    return ceil(size / dense + 1) * _TOKENS_PER_SECOND


def _grid(size: tuple[int, int], side: int) -> int:
    return -(-size[0] // side) * -(-size[1] // side)


def size_of(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from the first bytes of a PNG, GIF, JPEG or WebP; None where they do not say."""
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR":
        found = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    elif head[:6] in (b"GIF87a", b"GIF89a"):
        found = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    elif head[:2] == b"\xff\xd8":
        found = _jpeg(head)
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        found = _webp(head)
    else:
        return None
    return found if found[0] > 0 and found[1] > 0 else None


def _jpeg(head: bytes) -> tuple[int, int]:
    """From the first start-of-frame segment (ISO/IEC 10918-1, B.2.2); (0, 0) where it is not in `head`."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(head[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return 0, 0


def _webp(head: bytes) -> tuple[int, int]:
    """From the first chunk of a WebP (RFC 9649: VP8, VP8L, VP8X)."""
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(head) >= 30:
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return 0, 0
