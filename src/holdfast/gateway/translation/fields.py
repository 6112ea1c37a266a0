"""Each field of a request is said, refused by name, or left out for a reason that stands here.

Left out without a word, because neither the answer nor the bill depends on it:

| OpenAI's field | why |
|---|---|
| `metadata` | labels for the vendor's own pages; Holdfast keeps them on the call |
| `prompt_cache_key`, `prompt_cache_options`, `prompt_cache_retention`, `prompt_cache_breakpoint` of a part | hints to \
that vendor's cache: at the other vendor nothing is bought with them |
| `stream_options.include_usage` | obeyed by `Stream`, the other dialect always states usage |
| `stream_options.include_obfuscation` | padding on that vendor's wire |
| `user` beside `safety_identifier` | the older word for the same person |
| `response_format.json_schema.name`, `.strict` | a label; the other dialect always holds to the schema |

| Anthropic's field | why |
|---|---|
| `cache_control` at the top, of a block, of a tool | as above: a hint to that vendor's cache |
| `tools[].eager_input_streaming` | in what pieces arguments arrive, not what they are |
| `thinking.display` | how reasoning is shown: it never crosses, see `messages` |

And the reasoning of earlier turns (see `messages`). A field that asks for what happens anyway (null, `n: 1`,
`logprobs: false`, …) says nothing and is left out too; `temperature` and `top_p` of 1 likewise where Anthropic is asked,
since newer models there take no such field at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from holdfast.gateway.translation.words import refuse

_UNKNOWN = "there is no such thing in the other dialect"
_PENALTY = "there are no penalties in the other dialect"
_PROBABLE = "the other dialect states no probabilities"
_FUNCTIONS = "it is out of use; tools and tool_choice can be said"


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to each top-level field of one dialect's requests."""

    said: frozenset[str]
    left_out: frozenset[str]
    refused: Mapping[str, tuple[str, tuple[object, ...]]]
    """Field → why it is refused, and the values that ask for nothing."""

    def check(self, body: Mapping[str, Any]) -> None:
        """Refuses what is refused by name, and whatever is not listed. null says nothing."""
        for name, value in body.items():
            if value is None or name in self.said or name in self.left_out:
                continue
            why, harmless = self.refused.get(name, (_UNKNOWN, ()))
            if value not in harmless:
                refuse(name, why)


OPENAI: Final = Fields(
    said=frozenset(
        {
            "model",
            "messages",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
            "stop",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "reasoning_effort",
            "response_format",
            "service_tier",
            "user",
            "safety_identifier",
        }
    ),
    left_out=frozenset({"metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"}),
    refused=MappingProxyType(
        {
            "audio": ("there is no audio in the other dialect", ()),
            "frequency_penalty": (_PENALTY, (0,)),
            "function_call": (_FUNCTIONS, ()),
            "functions": (_FUNCTIONS, ([],)),
            "logit_bias": ("tokens cannot be weighted in the other dialect", ({},)),
            "logprobs": (_PROBABLE, (False,)),
            "modalities": ("only text can be answered in the other dialect", (["text"],)),
            "moderation": ("that vendor's moderation is not there at the other", ()),
            "n": ("the other dialect gives one answer", (1,)),
            "prediction": ("the other dialect takes no prediction", ()),
            "presence_penalty": (_PENALTY, (0,)),
            "seed": ("the other dialect takes no seed", ()),
            "store": ("the other vendor keeps no completions to fetch later", (False,)),
            "top_logprobs": (_PROBABLE, (0,)),
            "verbosity": ("the other dialect has no such setting", ("medium",)),
            "web_search_options": ("a search by that vendor is not there at the other", ()),
        }
    ),
)

ANTHROPIC: Final = Fields(
    said=frozenset(
        {
            "model",
            "messages",
            "system",
            "max_tokens",
            "temperature",
            "top_p",
            "stop_sequences",
            "stream",
            "tools",
            "tool_choice",
            "thinking",
            "output_config",
            "service_tier",
            "metadata",
        }
    ),
    left_out=frozenset({"cache_control"}),
    refused=MappingProxyType(
        {
            "container": ("a container at that vendor is not there at the other", ()),
            "diagnostics": ("the other vendor diagnoses no cache", ()),
            "inference_geo": ("where the other vendor computes cannot be asked for", ()),
            "speed": ("the other dialect has no such setting", ("standard",)),
            "top_k": ("the other dialect has no such setting", ()),
            "user_profile_id": ("a profile at that vendor is not there at the other", ()),
            "workspace_id": ("a workspace at that vendor is not there at the other", ()),
        }
    ),
)
