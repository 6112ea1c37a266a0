"""A configuration's text: YAML (of which JSON is a part), read so that nothing in it is lost or grows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from holdfast.kernel.errors import Invalid

MAX_BYTES = 1 << 20


class _Loader(yaml.SafeLoader):
    """Plain data alone; a name that comes twice is an error, and so is an alias, by which a few lines become millions."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not read here", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, "this name comes twice in one mapping", key.start_mark
                    )
                seen.add(key.value)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def parse(text: bytes) -> Any:
    """What the text says, `{}` where it is empty. Raises Invalid with the line, and above 1 MiB."""
    if len(text) > MAX_BYTES:
        raise Invalid(f"a configuration has at most {MAX_BYTES >> 20} MiB", where="document")
    try:
        found = yaml.load(text.decode("utf-8-sig"), _Loader)  # noqa: S506  # a SafeLoader with two rules more
    except UnicodeDecodeError:
        raise Invalid("a configuration is UTF-8 text", where="document") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise Invalid(f"{line}{_said(error)}", where="document") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid(f"this is not YAML: {type(error).__name__}", where="document") from None
    return {} if found is None else found


def _said(error: yaml.MarkedYAMLError) -> str:
    """The parser's sentence. Those of its constructors may repeat what is written there, so only ours are passed on."""
    if isinstance(error, yaml.constructor.ConstructorError):
        if error.problem == "found unhashable key":
            return "a name is text; and a text that begins with { or [ stands in quotes"
        known = ("aliases", "this name")
        return str(error.problem) if str(error.problem).startswith(known) else "this is no plain value"
    return str(error.problem or "this is not YAML")
