"""What each data-quality code means, in one sentence for whoever sees it on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "usage.not_a_count": "A token count was negative or no whole number, so it was not used.",
    "usage.part_exceeds_whole": "A part of the tokens was larger than the whole, so what contradicts is unknown.",
    "usage.negative": "A token count was negative, so what it belongs to is unknown.",
    "usage.absurd": "A token count was larger than any call can hold, so what it belongs to is unknown.",
    "usage.parts_do_not_add_up": "The parts of the tokens do not add up to their whole.",
    "usage.parts_do_not_sum": "The stated parts of the input do not add up to it; the parts were kept.",
    "usage.whole_missing": "A part of the tokens was stated without the whole, which is unknown.",
    "usage.cache_outside_input": "The total shows that input leaves out the cache here, so it was read that way.",
    "usage.reasoning_outside_output": "The total shows that output leaves out reasoning, which was added to it.",
    "usage.total_exceeds_parts": "The total has tokens beyond input and output; they were counted as output.",
    "usage.total_below_parts": "The total is smaller than input and output together; the parts were kept.",
    "cost.not_an_amount": "The reported cost was negative or no number, so it was not used.",
    "time.not_a_duration": "The reported time to the first token was negative or no number.",
    "attribute.unreadable": "An attribute held a value that its name does not allow, so it was not used.",
    "parameters.malformed_json": "The request parameters were no valid JSON, so they are unknown.",
    "content.malformed_json": "Captured content was no valid JSON and was kept as plain text.",
    "call.unfit": "A value of this call could not be stored, so its facts are unknown; its spans are stored.",
    "merge.usage_disagrees": "Two records of this call state different tokens; the fuller one was used.",
}


def sentence(code: str) -> str:
    """The explanation of a code; a code of an older or newer release explains itself by its name."""
    return SENTENCES.get(code, code)
