"""What an answer looks like, and whether two versions' answers look different."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.evals.rules import behaviour, style

WORDS = [
    "leave",
    "days",
    "team",
    "manager",
    "year",
    "rule",
    "form",
    "date",
    "week",
    "office",
    "travel",
    "budget",
    "note",
    "plan",
    "card",
    "room",
]


def measured(text: str) -> dict[str, float]:
    return dict(zip(style.FEATURES, style.features([text])[0], strict=True))


def answers(count: int, seed: int, *, longer: float = 1.0, bold: float = 0.0) -> list[str]:
    rng = np.random.default_rng(seed)
    made = []
    for place in range(count):
        length = int((20 + place % 40) * longer * rng.uniform(0.8, 1.25))
        words = rng.choice(WORDS, length).tolist()
        if rng.random() < bold:
            words[1] = f"**{words[1]}**"
        made.append(" ".join(words) + ".")
    return made


def test_the_features_of_an_answer_by_hand() -> None:
    text = (
        "Sure! I might help.\n\n# Plan\n- **one** thing\n2. see [x](https://a.example)\n```\ncode 42\n```\n"
        "| a | b |\nLet me know?"
    )
    found = measured(text)
    assert {name: found[name] for name in ("list items", "numbered items", "headings", "bold", "code fences")} == {
        "list items": 2, "numbered items": 1, "headings": 1, "bold": 1, "code fences": 2,
    }  # fmt: skip
    assert (found["table rows"], found["question marks"], found["exclamation marks"]) == (1, 1, 1)
    assert (found["ready opening"], found["closing phrase"], found["refusal"], found["valid JSON"]) == (
        1,
        1,
        0,
        0,
    )
    assert found["links"] == 2  # the bracket and the address
    assert found["lines"] == pytest.approx(np.log(10))
    assert found["characters"] == pytest.approx(np.log(1 + len(text)))
    assert found["digits"] == pytest.approx(3 / len(text))


@pytest.mark.parametrize(
    ("text", "feature", "value"),
    [
        ("I'm sorry, but I cannot help with that.", "refusal", 1),
        ("I’m sorry, but I can’t help.", "refusal", 1),
        ("As an AI language model, I have no body.", "refusal", 1),
        ("The form is at the front desk.", "refusal", 0),
        ("Apologies for the wait.", "apology", 1),
        ('{"a": [1, 2]}', "valid JSON", 1),
        ('{"a": [1, 2}', "valid JSON", 0),
        ("3", "valid JSON", 0),
        ("[" * 100_000, "valid JSON", 0),
    ],
)
def test_single_features(text: str, feature: str, value: float) -> None:
    assert measured(text)[feature] == value


@given(st.text(max_size=200))
@settings(max_examples=80, deadline=None)
def test_any_text_has_finite_features(text: str) -> None:
    assert np.isfinite(style.features([text])).all()
    assert style.features([]).shape == (0, len(style.FEATURES))


def test_a_longer_bolder_version_is_named_with_how_much() -> None:
    before, after = answers(60, 1), answers(60, 2, longer=1.4, bold=0.5)
    found = behaviour.compare(before, after, np.random.default_rng(0), again=answers(60, 3))
    assert found.changed and found.p <= 0.01
    named = {change.feature: change for change in found.named}
    assert {"words", "characters", "bold"} <= named.keys()
    assert not {"headings", "refusal", "question marks", "valid JSON"} & named.keys()
    assert named["words"].difference == pytest.approx(np.log(1.4), abs=0.08)
    assert named["words"].floor is not None and named["words"].floor < named["words"].difference
    assert "words: +4" in named["words"].text or "words: +3" in named["words"].text


def test_two_runs_of_one_version_are_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    alarms = [
        behaviour.compare(answers(30, seed), answers(30, 999 + seed), rng, draws=499, alpha=0.05).p <= 0.05
        for seed in range(60)
    ]
    assert sum(alarms) <= 60 * 0.05 + 5


def test_swapped_pairs_seldom_alarm_by_max_t() -> None:
    """The test's own null: either answer of a pair could have come from either side."""
    rng = np.random.default_rng(1)
    difference = style.features(answers(40, 1)) - style.features(answers(40, 2, longer=1.3, bold=0.5))
    alarms = [
        behaviour.max_t(difference * rng.choice([-1.0, 1.0], (40, 1)), rng, 199).min() <= 0.05
        for _ in range(300)
    ]
    assert sum(alarms) <= 300 * 0.05 + 8


def test_more_features_make_each_harder_to_show() -> None:
    rng = np.random.default_rng(2)
    one = rng.normal(0.35, 1, (40, 1))
    many = np.column_stack((one, rng.normal(0, 1, (40, 30))))
    alone = behaviour.max_t(one, rng)[0]
    assert behaviour.max_t(many, rng)[0] > alone
    assert behaviour.max_t(-one, rng)[0] == pytest.approx(alone, abs=0.01)


def test_a_change_within_the_noise_of_two_runs_is_not_called_one() -> None:
    before, after = answers(80, 1), answers(80, 2, longer=1.4)
    calm = behaviour.compare(before, after, np.random.default_rng(0), again=answers(80, 3))
    restless = behaviour.compare(before, after, np.random.default_rng(0), again=answers(80, 3, longer=1.5))
    assert "words" in {change.feature for change in calm.named}
    assert "words" not in {change.feature for change in restless.named}


def test_the_same_text_is_a_feature_of_its_own_beside_its_floor() -> None:
    before = answers(50, 1)
    reworded = [
        text.replace("leave", "lease").replace("team", "tear").replace("note", "nose") for text in before
    ]
    found = behaviour.compare(before, reworded, np.random.default_rng(0), again=list(before))
    assert (found.same_floor, found.same) == (1.0, pytest.approx(0.0, abs=0.1))
    assert found.changed and not found.named
    alike = behaviour.compare(before, list(before), np.random.default_rng(0), again=list(before))
    assert not alike.changed and alike.p == 1.0 and alike.same == 1.0


def test_correctness_can_be_one_of_the_features() -> None:
    before = answers(50, 1)
    right = ([1.0] * 50, [0.0] * 20 + [1.0] * 30)
    found = behaviour.compare(before, list(before), np.random.default_rng(0), also={"right": right})
    assert [change.feature for change in found.named] == ["right"]
    assert found.named[0].text == "right: 1.00 to 0.60 on average"


def test_prompts_without_an_answer_are_left_out_and_told() -> None:
    before: list[str | None] = [*answers(20, 1), None, "x"]
    after: list[str | None] = [*answers(20, 2), "x", None]
    found = behaviour.compare(before, after, np.random.default_rng(0))
    assert (found.prompts, found.missing) == (20, 2)
    nothing = behaviour.compare([None], ["x"], np.random.default_rng(0))
    assert (nothing.changed, nothing.p, nothing.prompts, nothing.missing) == (False, 1.0, 0, 1)
    single = behaviour.compare(["a"], ["b b b b"], np.random.default_rng(0), again=["a"])
    assert not single.changed
    with pytest.raises(ValueError, match="same prompts"):
        behaviour.compare(["a"], ["a", "b"], np.random.default_rng(0))
