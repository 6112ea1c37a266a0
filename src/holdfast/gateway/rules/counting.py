"""Tokens counted here where the provider's own count never came: a stream that was cut, a client that left.

An estimate, and to be labelled so: three bytes of text for a token, which errs to the dear side for English (about
four), is near the truth for code, and low for some scripts. It never goes above the bound that was reserved, so that an
estimate never looks like a breach. Output that was generated but never arrived (reasoning that is hidden, what the
upstream wrote after the connection broke) is not seen; `unseen` adds what is known to be possible.
"""

from __future__ import annotations

from holdfast.pricing.model import Usage

BYTES_PER_TOKEN = 3


def estimate(
    *,
    input_bytes: int,
    output_bytes: int,
    tokens_in: int,
    tokens_out: int,
    unseen: int = 0,
    input_tokens: int | None = None,
) -> Usage:
    """Usage of a call whose provider did not say.

    `input_bytes` and `output_bytes` are UTF-8 bytes of the text that was sent and that arrived; `tokens_in` and
    `tokens_out` are the reserved bound; `unseen` tokens of output are added; `input_tokens` is the provider's count of the
    input where it did come (Anthropic says it first).
    """
    read = _tokens(input_bytes) if input_tokens is None else input_tokens
    return Usage(
        input_uncached=read if input_tokens is not None else min(read, tokens_in),
        output=min(_tokens(output_bytes) + unseen, tokens_out),
    )


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)
