"""A request, in the other dialect. What happens to each top-level field stands in `fields`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import fields, messages, tools
from holdfast.gateway.translation.words import (
    EFFORTS,
    Untranslatable,
    mapping,
    only,
    refuse,
    sequence,
    string,
    within,
)

_OUT_OF_RANGE = "it must be from 0 to 1 in Anthropic's dialect"
_MOST_STOPS = 4
"""OpenAI takes no more."""


def request(body: Mapping[str, Any], source: Dialect, target: Dialect) -> dict[str, Any]:
    """The request in the target's dialect: Chat Completions and Messages, each in the other. `model` is copied.

    Raises Untranslatable, with the field in `where`, for what cannot be said; leaves out nothing but what `fields`
    and `messages` list. Anthropic requires `max_tokens`: without one that is the field. What goes to Anthropic is
    written in the version `words.VERSION`; what streams from OpenAI is asked to state its usage.
    """
    say = _WAYS.get((source, target))
    if say is None:
        raise Untranslatable(f"Requests are not translated from {source} to {target}.")
    return say(body)


def _from_openai(body: Mapping[str, Any]) -> dict[str, Any]:
    fields.OPENAI.check(body)
    said: dict[str, Any] = {"model": body.get("model"), "max_tokens": _limit(body)}
    system, said["messages"] = messages.to_anthropic(body.get("messages"))
    if system:
        said["system"] = system
    if body.get("tools"):
        said["tools"] = tools.definitions_to_anthropic(body["tools"])
    choice = tools.choice_to_anthropic(
        body.get("tool_choice"), body.get("parallel_tool_calls"), "tools" in said
    )
    if choice is not None:
        said["tool_choice"] = choice
    # Newer models take neither field, and 1 is what OpenAI does where it is not given.
    said |= {name: value for name, value in _sampling(body).items() if value != 1}
    if body.get("stop"):
        said["stop_sequences"] = _stops(body["stop"])
    said |= _streaming(body)
    options = mapping(body.get("stream_options") or {}, "stream_options")
    only(options, ("include_usage", "include_obfuscation"), "stream_options")
    for name in ("safety_identifier", "user"):
        if body.get(name) is not None:
            said["metadata"] = {"user_id": string(body[name], name)}
            break
    said |= _tier(body, "default", "standard_only")
    said |= _thinking(body.get("reasoning_effort"))
    format_ = _format_to_anthropic(body.get("response_format"))
    if format_ is not None:
        said["output_config"] = {**said.get("output_config", {}), "format": format_}
    return said


def _from_anthropic(body: Mapping[str, Any]) -> dict[str, Any]:
    fields.ANTHROPIC.check(body)
    said: dict[str, Any] = {"model": body.get("model")}
    said["messages"] = messages.to_openai(body.get("system"), body.get("messages"))
    if body.get("max_tokens") is not None:
        said["max_completion_tokens"] = _tokens(body["max_tokens"], "max_tokens")
    if body.get("tools"):
        said["tools"] = tools.definitions_to_openai(body["tools"])
    if body.get("tool_choice") is not None:
        said |= tools.choice_to_openai(body["tool_choice"])
    said |= _sampling(body)
    stops = sequence(body.get("stop_sequences") or (), "stop_sequences")
    if len(stops) > _MOST_STOPS:
        refuse("stop_sequences", f"the other dialect takes at most {_MOST_STOPS}")
    if stops:
        said["stop"] = [string(one, f"stop_sequences[{number}]") for number, one in enumerate(stops)]
    said |= _streaming(body)
    if said.get("stream"):
        said["stream_options"] = {"include_usage": True}
    about = mapping(body.get("metadata") or {}, "metadata")
    only(about, ("user_id",), "metadata")
    if about.get("user_id") is not None:
        said["user"] = string(about["user_id"], "metadata.user_id")
    said |= _tier(body, "standard_only", "default")
    output = mapping(body.get("output_config") or {}, "output_config")
    only(output, ("effort", "format"), "output_config")
    effort = _effort(mapping(body.get("thinking") or {}, "thinking"), output.get("effort"))
    if effort is not None:
        said["reasoning_effort"] = effort
    if output.get("format") is not None:
        said["response_format"] = _format_to_openai(mapping(output["format"], "output_config.format"))
    return said


def _limit(body: Mapping[str, Any]) -> int:
    limits = {
        name: _tokens(body[name], name)
        for name in ("max_completion_tokens", "max_tokens")
        if body.get(name) is not None
    }
    if not limits:
        refuse("max_tokens", "the other dialect requires one")
    if len(set(limits.values())) > 1:
        refuse("max_tokens", "it is not the same as max_completion_tokens")
    return limits.popitem()[1]


def _tokens(limit: object, where: str) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        refuse(where, "a number of tokens, at least one, belongs here")
    return limit


def _sampling(body: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: within(body[name], 0, 1, name, _OUT_OF_RANGE)
        for name in ("temperature", "top_p")
        if body.get(name) is not None
    }


def _stops(stop: object) -> list[str]:
    given = {"stop": stop}
    if not isinstance(stop, str):
        given = {f"stop[{number}]": one for number, one in enumerate(sequence(stop, "stop"))}
    for where, one in given.items():
        if not string(one, where).strip():
            refuse(where, "a stop sequence needs something else than blanks there")
    return [str(one) for one in given.values()]


def _streaming(body: Mapping[str, Any]) -> dict[str, bool]:
    stream = body.get("stream")
    if stream is None:
        return {}
    if not isinstance(stream, bool):
        refuse("stream", "true or false belongs here")
    return {"stream": stream}


def _tier(body: Mapping[str, Any], plain: str, said: str) -> dict[str, str]:
    """`auto` is usual at both; the other word that both have is that of plain price and speed."""
    tier = body.get("service_tier")
    if tier in (None, "auto"):
        return {}
    if tier != plain:
        refuse("service_tier", f"the other vendor has no tier {tier}")
    return {"service_tier": said}


def _thinking(effort: object) -> dict[str, Any]:
    """`none` is thinking switched off; a level that both have is thinking as the model sees fit, at that level."""
    if effort is None:
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if effort not in EFFORTS:
        refuse("reasoning_effort", f"the other dialect has no level {effort}")
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}


def _effort(thinking: Mapping[str, Any], effort: object) -> str | None:
    """OpenAI's one word for Anthropic's two settings."""
    if effort is not None and effort not in EFFORTS:
        refuse("output_config.effort", f"the other dialect has no level {effort}")
    kind = thinking.get("type")
    if kind == "enabled":
        refuse(
            "thinking.budget_tokens", "the other dialect takes a level of reasoning, not a number of tokens"
        )
    if kind not in (None, "disabled", "adaptive"):
        refuse("thinking.type", f"the other dialect has no word for {kind}")
    only(thinking, ("type", "display"), "thinking")
    if kind == "disabled":
        if effort is not None:
            refuse("output_config.effort", "the other dialect has one level, and thinking is switched off")
        return "none"
    if effort is None:
        return "high" if kind == "adaptive" else None  # high is what Anthropic does where no effort is given
    return str(effort)


def _format_to_anthropic(asked: object) -> dict[str, Any] | None:
    if asked is None:
        return None
    given = mapping(asked, "response_format")
    only(given, ("type", "json_schema"), "response_format")
    kind = given.get("type")
    if kind == "text":
        return None
    if kind != "json_schema":
        refuse("response_format.type", "only json_schema can be said, any JSON at all cannot")
    where = "response_format.json_schema"
    wanted = mapping(given.get("json_schema"), where)
    only(wanted, ("name", "description", "schema", "strict"), where)
    schema = dict(mapping(wanted.get("schema"), f"{where}.schema"))
    told = wanted.get("description")
    if told is not None and schema.setdefault("description", told) != told:
        refuse(f"{where}.description", "the schema has another description, and there is one place for both")
    return {"type": "json_schema", "schema": schema}


def _format_to_openai(asked: Mapping[str, Any]) -> dict[str, Any]:
    where = "output_config.format"
    only(asked, ("type", "schema"), where)
    if asked.get("type") != "json_schema":
        refuse(f"{where}.type", "only json_schema can be said")
    schema = dict(mapping(asked.get("schema"), f"{where}.schema"))
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


_WAYS: Final[Mapping[tuple[Dialect, Dialect], Callable[[Mapping[str, Any]], dict[str, Any]]]] = (
    MappingProxyType(
        {
            (Dialect.OPENAI, Dialect.ANTHROPIC): _from_openai,
            (Dialect.ANTHROPIC, Dialect.OPENAI): _from_anthropic,
        }
    )
)
