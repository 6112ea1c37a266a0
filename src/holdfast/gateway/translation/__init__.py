"""One dialect said in another, so that a fallback can cross vendors. What cannot be said is refused by name.

Between OpenAI's Chat Completions and Anthropic's Messages, both ways: requests, answers, streams. Pure functions.
"""

from holdfast.gateway.translation.answers import answer
from holdfast.gateway.translation.requests import request
from holdfast.gateway.translation.streams import Stream, stream
from holdfast.gateway.translation.words import VERSION, Untranslatable

__all__ = ["VERSION", "Stream", "Untranslatable", "answer", "request", "stream"]
