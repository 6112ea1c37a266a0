"""Languages: told in a sentence, abstained from where a text is short, mixed or of another language."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.text.languages import LANGUAGES, detect, prose

DECLARED: dict[str, list[str]] = json.loads(
    (Path(__file__).parent / "declared.json").read_text(encoding="utf-8")
)
"""The first sentences of articles 1 and 26 of the Universal Declaration of Human Rights (United Nations, 1948)."""
OTHERS = (
    "Alla manneskjur eru fødd fræls og jøvn til virðingar og mannarættindi.",  # Faroese
    "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima.",  # Croatian
    "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis.",  # Lithuanian
    "Kõik inimesed sünnivad vabadena ja võrdsetena oma väärikuselt ja õigustelt.",  # Estonian
    "Gizon-emakume guztiak aske jaiotzen dira, duintasun eta eskubide berberak dituztela.",  # Basque
    "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.",  # Swahili
)


def test_every_language_has_its_sentences() -> None:
    assert set(DECLARED) == LANGUAGES


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([(language, " ".join(texts)) for language, texts in DECLARED.items()], 0.9),
        ([(language, text) for language, texts in DECLARED.items() for text in texts], 0.8),
    ],
)
def test_a_language_is_told_or_abstained_from_and_never_mistaken(
    texts: list[tuple[str, str]], told: float
) -> None:
    found = [(language, detect(text)) for language, text in texts]
    assert [(language, said) for language, said in found if said not in (language, None)] == []
    assert sum(said is not None for _, said in found) / len(found) >= told


def test_another_language_is_not_taken_for_one_that_is_known() -> None:
    assert [detect(text) for text in OTHERS] == [None] * len(OTHERS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OK",
        "42 % of 3.5",
        "Berlin Paris London Madrid Rome Lisbon",
        "x = foo(bar); return baz[0]",
        "hello world " + DECLARED["ru"][1][:30],
        "e é a o 1",
    ],
)
def test_what_is_short_or_mixed_is_abstained_from(text: str) -> None:
    assert detect(text) is None


def test_code_and_addresses_do_not_count() -> None:
    german = DECLARED["de"][1]
    code = "```python\n" + "for the word in the list if it is in the set and not in that: \n" * 20 + "```"
    assert detect(f"{german}\n{code}\nhttps://example.org/the/of/and/to") == "de"
    assert prose("a `b` c") == "a   c"


def test_terms_of_another_script_do_not_hide_a_language() -> None:
    assert detect("请使用 Kubernetes 和 Docker 来部署这个应用程序，然后检查日志文件。") == "zh"
    assert detect("このAPIはJSONを返します。認証にはトークンが必要です。") == "ja"


@given(st.text(max_size=300))
def test_any_text_is_told_or_abstained_from(text: str) -> None:
    assert detect(text) in {None, *LANGUAGES}
