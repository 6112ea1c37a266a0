"""No field of a request is forgotten: a new version of an SDK that brings one makes this fail."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.translation.said import ANTHROPIC, OLDER, OPENAI, fields
from tests.gateway.translation.test_requests import BOTH_WAYS, TO_ANTHROPIC, TO_OPENAI

from holdfast.gateway.model import Dialect
from holdfast.gateway.translation import Untranslatable, request
from holdfast.gateway.translation.fields import ANTHROPIC as OF_ANTHROPIC
from holdfast.gateway.translation.fields import OPENAI as OF_OPENAI
from holdfast.gateway.translation.fields import Fields

NOT_TYPED = OLDER | {"top_k"}
"""Of the version of Messages before; the installed SDK has them no more, older ones send them."""


@pytest.mark.parametrize(
    ("table", "known"), [(OF_OPENAI, fields(OPENAI)), (OF_ANTHROPIC, fields(ANTHROPIC) | NOT_TYPED)]
)
def test_each_field_of_the_sdk_has_one_fate(table: Fields, known: frozenset[str]) -> None:
    fates = [*table.said, *table.left_out, *table.refused]
    assert sorted(fates) == sorted(known)


@pytest.mark.parametrize(
    ("table", "cases"),
    [
        (OF_OPENAI, [*[one for one, _ in BOTH_WAYS.values()], *[one for one, _ in TO_ANTHROPIC.values()]]),
        (OF_ANTHROPIC, [*[one for _, one in BOTH_WAYS.values()], *[one for one, _ in TO_OPENAI.values()]]),
    ],
)
def test_each_field_that_is_said_or_left_out_has_a_case(table: Fields, cases: list[dict[str, Any]]) -> None:
    used = {name for case in cases for name, value in case.items() if value is not None}
    assert table.said | table.left_out <= used


def told(body: dict[str, Any], source: Dialect) -> object:
    """What the other dialect is told; or which field is refused."""
    try:
        return request(body, source, ANTHROPIC if source is OPENAI else OPENAI)
    except Untranslatable as refusal:
        return refusal.where


@pytest.mark.parametrize(("dialect", "table"), [(OPENAI, OF_OPENAI), (ANTHROPIC, OF_ANTHROPIC)])
def test_each_field_that_is_said_is_heard(dialect: Dialect, table: Fields) -> None:
    """Without the field the other dialect is told something else, in one case at least."""
    one_way = TO_ANTHROPIC if dialect is OPENAI else TO_OPENAI
    cases = [given for given, _ in one_way.values()]
    cases += [openai if dialect is OPENAI else anthropic for openai, anthropic in BOTH_WAYS.values()]

    def heard(name: str) -> bool:
        return any(
            told(case, dialect) != told({key: one for key, one in case.items() if key != name}, dialect)
            for case in cases
            if name in case
        )

    assert {name for name in table.said if not heard(name)} <= {"stream_options"}, "which `Stream` hears"


def test_the_reference_names_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "translation.md").read_text(encoding="utf-8")
    sections = dict(
        zip(re.findall(r"^## (.+)$", page, re.M), re.split(r"^## .+$", page, flags=re.M)[1:], strict=True)
    )
    named = {name: set(re.findall(r"`([a-z_]+)[`.]", text)) for name, text in sections.items()}
    for table in (OF_OPENAI, OF_ANTHROPIC):
        assert table.said <= named["Said"]
        assert table.left_out <= named["Left out"]
        assert table.refused.keys() <= named["Refused"]
