"""Tools: their definitions, which of them may be called, the calls themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from holdfast.gateway.translation.words import call_id, mapping, neutral, only, refuse, sequence, string

_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_TOOL = frozenset(
    {
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        "allowed_callers",
        "defer_loading",
        "eager_input_streaming",
        "input_examples",
    }
)
_TOOL_USE = frozenset({"type", "id", "name", "input", "cache_control", "caller", "toolset_name"})
_DIRECT = "only calls by the model itself can be said"


def definitions_to_anthropic(tools: object) -> list[dict[str, Any]]:
    said = []
    for number, one in enumerate(sequence(tools, "tools")):
        where = f"tools[{number}]"
        tool = mapping(one, where)
        if tool.get("type") != "function":
            refuse(f"{where}.type", "only function tools can be said")
        only(tool, ("type", "function"), where)
        said.append(_definition_to_anthropic(mapping(tool.get("function"), f"{where}.function"), where))
    return said


def _definition_to_anthropic(function: Mapping[str, Any], where: str) -> dict[str, Any]:
    where = f"{where}.function"
    only(function, _FUNCTION, where)
    schema = function.get("parameters")
    schema = {} if schema is None else mapping(schema, f"{where}.parameters")
    if schema.get("type", "object") != "object":
        refuse(f"{where}.parameters.type", "the input of a tool must be an object")
    tool: dict[str, Any] = {"name": string(function.get("name"), f"{where}.name")}
    if function.get("description") is not None:
        tool["description"] = string(function["description"], f"{where}.description")
    tool["input_schema"] = dict(schema) if "type" in schema else {"type": "object", **schema}
    if function.get("strict"):
        tool["strict"] = True
    return tool


def definitions_to_openai(tools: object) -> list[dict[str, Any]]:
    said = []
    for number, one in enumerate(sequence(tools, "tools")):
        where = f"tools[{number}]"
        tool = mapping(one, where)
        neutral(
            tool, "type", where, "a tool that the vendor itself runs exists at that vendor only", "custom"
        )
        only(tool, _TOOL, where)
        neutral(tool, "allowed_callers", where, _DIRECT, ["direct"])
        neutral(tool, "defer_loading", where, "tools are always loaded in the other dialect", False)
        neutral(tool, "input_examples", where, "a function has no place for examples", [])
        function: dict[str, Any] = {"name": string(tool.get("name"), f"{where}.name")}
        if tool.get("description") is not None:
            function["description"] = string(tool["description"], f"{where}.description")
        function["parameters"] = dict(mapping(tool.get("input_schema"), f"{where}.input_schema"))
        if tool.get("strict"):
            function["strict"] = True
        said.append({"type": "function", "function": function})
    return said


def choice_to_anthropic(choice: object, parallel: object, tools: bool) -> dict[str, Any] | None:
    """`tool_choice` and `parallel_tool_calls` in one; None where both are as is usual."""
    said: dict[str, Any]
    if choice is None:
        if parallel is not False or not tools:
            return None
        said = {"type": "auto"}
    elif isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            refuse("tool_choice", "it is none of auto, none, required")
        said = {"type": "any" if choice == "required" else choice}
    else:
        named = mapping(choice, "tool_choice")
        if named.get("type") != "function":
            refuse("tool_choice.type", "only a function can be named")
        only(named, ("type", "function"), "tool_choice")
        function = mapping(named.get("function"), "tool_choice.function")
        only(function, ("name",), "tool_choice.function")
        said = {"type": "tool", "name": string(function.get("name"), "tool_choice.function.name")}
    if parallel is False and said["type"] != "none":
        said["disable_parallel_tool_use"] = True
    return said


def choice_to_openai(choice: object) -> dict[str, Any]:
    """The fields `tool_choice` and, where calls are not to be parallel, `parallel_tool_calls`."""
    given = mapping(choice, "tool_choice")
    only(given, ("type", "name", "disable_parallel_tool_use"), "tool_choice")
    kind = given.get("type")
    said: dict[str, Any]
    if kind in ("auto", "none"):
        said = {"tool_choice": kind}
    elif kind == "any":
        said = {"tool_choice": "required"}
    elif kind == "tool":
        name = string(given.get("name"), "tool_choice.name")
        said = {"tool_choice": {"type": "function", "function": {"name": name}}}
    else:
        refuse("tool_choice.type", "it is none of auto, none, any, tool")
    if given.get("disable_parallel_tool_use"):
        said["parallel_tool_calls"] = False
    return said


def calls_to_blocks(calls: Sequence[Any], where: str, source: str) -> list[dict[str, Any]]:
    """OpenAI's `tool_calls` as `tool_use` blocks. `source` makes an id for a call that came without one."""
    blocks = []
    for number, one in enumerate(calls):
        here = f"{where}[{number}]"
        call = mapping(one, here)
        if call.get("type", "function") != "function":
            refuse(f"{here}.type", "only function calls can be said")
        only(call, ("id", "type", "function", "index"), here)
        function = mapping(call.get("function"), f"{here}.function")
        only(function, ("name", "arguments"), f"{here}.function")
        blocks.append(
            {
                "type": "tool_use",
                "id": call_id(call.get("id") or f"{source}:{number}"),
                "name": string(function.get("name"), f"{here}.function.name"),
                "input": _arguments(function.get("arguments"), f"{here}.function.arguments"),
            }
        )
    return blocks


def _arguments(text: object, where: str) -> dict[str, Any]:
    if text is None or text == "":
        return {}
    try:
        value = msgspec.json.decode(string(text, where))
    except (msgspec.DecodeError, UnicodeEncodeError):
        value = None
    if not isinstance(value, dict):
        refuse(where, "the arguments of a call must be a JSON object")
    return value


def block_to_call(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A `tool_use` block as one of OpenAI's `tool_calls`."""
    only(block, _TOOL_USE, where)
    direct(block, where)
    arguments = mapping(block.get("input"), f"{where}.input")
    return {
        "id": call_id(string(block.get("id"), f"{where}.id")),
        "type": "function",
        "function": {
            "name": string(block.get("name"), f"{where}.name"),
            "arguments": msgspec.json.encode(arguments).decode(),
        },
    }


def direct(block: Mapping[str, Any], where: str) -> None:
    """Refuses a call that something else than the model made, or of a tool of the vendor's own."""
    neutral(block, "caller", where, _DIRECT, {"type": "direct"})
    neutral(block, "toolset_name", where, "a tool that the vendor itself defines exists at that vendor only")
