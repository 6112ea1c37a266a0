"""Where and how a request has documents looked up: settings of search tools that a provider runs, and of data sources.

Only what is listed here is taken, because definitions may hold keys, addresses or a person's data. Of a filter, which
often names whom a question is for, nothing is taken at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, Final

KINDS: Final = {
    "file_search": "file_search",
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "web_fetch": "web_fetch",
    "google_search": "google_search",
    "google_search_retrieval": "google_search",
    "azure_ai_search": "azure_ai_search",
    "azure_search": "azure_ai_search",
    "bing_grounding": "bing_grounding",
    "sharepoint_grounding": "sharepoint_grounding",
    "vertex_ai_search": "vertex_ai_search",
    "vertex_rag_store": "vertex_rag_store",
    "knowledge_base": "knowledge_base",
}
"""What tools and data sources call themselves, without the date of a version, and how they are named here."""
SETTINGS: Final = frozenset(
    (
        "allowed_domains",
        "blocked_domains",
        "datastore",
        "datastore_id",
        "dynamic_threshold",
        "engine",
        "file_search_store_names",
        "in_scope",
        "index_name",
        "knowledge_base_id",
        "max_content_tokens",
        "max_num_results",
        "max_results",
        "max_uses",
        "number_of_results",
        "query_type",
        "rag_corpora",
        "rag_corpus",
        "ranker",
        "score_threshold",
        "search_context_size",
        "semantic_configuration",
        "similarity_top_k",
        "strictness",
        "top_k",
        "top_n_documents",
        "vector_distance_threshold",
        "vector_similarity_threshold",
        "vector_store_ids",
    )
)
"""Names of settings, in snake case, wherever in a definition they stand."""
DEEPEST: Final = 4
LONGEST: Final = 200
MOST: Final = 40
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DATED: Final = re.compile(r"[_-]?\d{4}[_-]?\d{2}[_-]?\d{2}$")


def of_tools(definitions: Iterable[Any]) -> dict[str, Any]:
    """Settings of the search tools among those that a request offers: `tool.setting` → a scalar, or a list of them."""
    found: dict[str, Any] = {}
    for definition in definitions:
        if isinstance(definition, Mapping):
            for kind, inner in _searches(definition):
                _put(found, kind, _settings(inner, DEEPEST))
    return found


def of_parameters(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The same of the data sources among a request's parameters, as Azure OpenAI and Bedrock take them."""
    found: dict[str, Any] = {}
    extra = stated.get("extra_body")
    for holder in (stated, extra if isinstance(extra, Mapping) else {}):
        sources = holder.get("data_sources") or holder.get("dataSources")
        if isinstance(sources, list):
            found |= of_tools(sources)
        named = holder.get("knowledgeBaseId") or holder.get("knowledge_base_id")
        if isinstance(named, str) and 0 < len(named) <= LONGEST:
            found["knowledge_base.knowledge_base_id"] = named
        web = holder.get("web_search_options")
        if isinstance(web, Mapping):
            _put(found, "web_search", _settings(web, DEEPEST))
    return found


def sound(settings: Any) -> bool:
    """Whether something is, in its form, what `of_tools` gives."""
    return (
        isinstance(settings, dict)
        and len(settings) <= MOST
        and all(isinstance(name, str) and _named(name) for name in settings)
        and all(_kept(value) is not None for value in settings.values())
    )


def _named(name: str) -> bool:
    kind, _, setting = name.partition(".")
    return kind in KINDS.values() and (setting in SETTINGS or setting == "offered")


def _searches(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The search tools in a definition: it is one by its type or id, or it holds them by name, as Gemini's do."""
    for name in ("type", "id"):
        stated = definition.get(name)
        if isinstance(stated, str) and (kind := KINDS.get(_kind(stated))):
            yield kind, definition
            return
    for name, inner in definition.items():
        if isinstance(inner, Mapping):
            if kind := KINDS.get(_snake(str(name))):
                yield kind, inner
            elif name == "retrieval":
                yield from _searches(inner)


def _kind(stated: str) -> str:
    """`openai.file_search` and `web_search_20250305` without what tells the vendor and the version."""
    return _DATED.sub("", _snake(stated.rpartition(".")[2]))


def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name[:LONGEST]).lower()


def _put(found: dict[str, Any], kind: str, settings: Iterable[tuple[str, Any]]) -> None:
    """Adds a tool with its settings; one without any is told by its being there. What is stated twice is a list."""
    gathered: dict[str, Any] = {}
    for name, value in settings:
        held = gathered.setdefault(name, value)
        if held != value:
            both = [one for each in (held, value) for one in (each if isinstance(each, list) else [each])]
            gathered[name] = sorted(set(both), key=str)[:MOST]
    for name, value in sorted((gathered or {"offered": True}).items()):
        if len(found) < MOST:
            found[f"{kind}.{name}"] = value


def _settings(node: Any, deep: int) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list | tuple):
        for inner in node[:MOST]:
            yield from _settings(inner, deep)
    if not isinstance(node, Mapping) or not deep:
        return
    for name, value in node.items():
        plain = _snake(str(name))
        if plain in SETTINGS and (kept := _kept(value)) is not None:
            yield plain, kept
        elif isinstance(value, Mapping | list | tuple) and plain not in ("filter", "filters"):
            yield from _settings(value, deep - 1)


def _kept(value: Any) -> Any:
    """A scalar, a list of such in order, or what a list of mappings says, as text; None for anything else."""
    if isinstance(value, list | tuple):
        return sorted(value, key=str) if len(value) <= MOST and all(map(_scalar, value)) else None
    return value if _scalar(value) and value != "" else None


def _scalar(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    return isinstance(value, str) and len(value) <= LONGEST
