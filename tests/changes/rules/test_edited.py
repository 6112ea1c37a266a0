"""The class of an edit of a text: what may change its meaning is never taken for punctuation and formatting."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.model import ChangeClass
from holdfast.changes.rules.classes import Classed, Ranges, classify
from holdfast.kernel.errors import Invalid
from holdfast.registry.model import Kind
from holdfast.registry.reads import difference_of

MINOR, MODERATE, MAJOR = ChangeClass.MINOR, ChangeClass.MODERATE, ChangeClass.MAJOR


def classed(old: str, new: str) -> Classed:
    one, other = ({Kind.PROMPT: {"messages": [{"role": "system", "content": text}]}} for text in (old, new))
    return classify(difference_of({}, one, {}, other), Ranges())


def of_texts(old: str, new: str) -> ChangeClass:
    return classed(old, new).change_class


FORM = [
    ("Be kind", "Be kind."),
    ("Be kind.", "Be kind!"),
    ("Be kind, and brief.", "Be kind and brief."),
    ("Be kind and\nbrief.", "Be kind and brief."),
    ("Be  kind.\n", "Be kind."),
    ("Be kind.\n\nBe brief.", "Be kind.\nBe brief."),
    ("Be kind.\r\nBe brief.", "Be kind.\nBe brief."),
    ("Rules\nBe kind", "# Rules\nBe kind"),
    ("# Rules\nBe kind", "### Rules\nBe kind"),
    ("Be kind\nBe brief", "- Be kind\n- Be brief"),
    ("- Be kind\n- Be brief", "* Be kind\n* Be brief"),
    ("Be always kind", "Be **always** kind"),
    ("Be **always** kind.", "Be always kind"),
    ("Dear all – welcome", "Dear all, welcome"),
    ("It’s fine", "It's fine"),
    ("Greet all guests: say hello", "Greet all guests; say hello"),
    ("Bonjour !", "Bonjour."),
    ("Welcome {{name}}.", "Welcome {{ name }}!"),
    ("Answer within 30 days.", "Answer within 30 days"),
    ("Never lie", "Never lie."),
    ("Never lie.\nBe kind.", "Never lie\nBe kind"),
    ("请回答。要简短", "请回答，要简短"),
    ("Answer the café's guests", "Answer the cafe\u0301's guests"),
    ("Welcome… and thanks", "Welcome, and thanks"),
    ("¿Puedo ayudar?", "Puedo ayudar"),
]
WORDS = [
    ("Be kind.", "Be very kind."),
    ("Be kind.", "Kind be."),
    ("never lie", "NEVER lie"),
    ("Polish the text", "polish the text"),
    ("within 30 days", "within 60 days"),
    ("Grant 1.5 days", "Grant 15 days"),
    ("Grant 1.5 days", "Grant 1. 5 days"),
    ("Grant 1,5 days", "Grant 1, 5 days"),
    ("Add 5, 6 or 7", "Add 5 6 or 7"),
    ("Add 10 points", "Add -10 points"),
    ("Add 10 points", "Add - 10 points"),
    ("Add 10 points", "Add – 10 points"),
    ("10 points", "- 10 points"),
    ("Add .5 points", "Add 5 points"),
    ("Add . 5 points", "Add 5 points"),
    ("Refund $5", "Refund 5"),
    ("Refund 5%", "Refund 5"),
    ("Refund >5", "Refund 5"),
    ("Refund 5!", "Refund 5"),
    ("Between 5-10", "Between 5 10"),
    ("Between 5 - 10", "Between 5 10"),
    ("not able", "notable"),
    ("re-sign it", "resign it"),
    ("a cooperative", "a co-operative"),
    ('Answer "yes"', "Answer yes"),
    ('Answer "Yes."', 'Answer "Yes"'),
    ('Answer "Yes, please"', 'Answer "Yes please"'),
    ("Answer 'yes, please'", "Answer 'yes please'"),
    ("Answer “Yes, sir”", "Answer “Yes sir”"),
    ("Answer `a, b`", "Answer `a b`"),
    ("Answer a, b", "Answer `a, b`"),
    ("Use\n```\na, b\n```", "Use\n```\na b\n```"),
    ("Use\n```\nif x:\n    y\n```", "Use\n```\nif x:\ny\n```"),
    ("Use\na b", "Use\n```\na b\n```"),
    ('Give {"a": 1, "b": 2}', 'Give {"a": 1 "b": 2}'),
    ('Give {"a": [1, x]}', 'Give {"a": [1 x]}'),
    ("Give [a, b]", "Give [a b]"),
    ("Read <input>text</input>", "Read <input>text"),
    ("Read <input>", "Read <input/>"),
    ("See https://a.example/x.", "See https://a.example/x"),
    ("See https://a.example/x?y", "See https://a.example/xy"),
    ("Mail a.b@example.org", "Mail ab@example.org"),
    ("Open notes.txt", "Open notes txt"),
    ("- Be kind\n- Be brief", "1. Be kind\n2. Be brief"),
    ("Be kind\n---\nBe brief", "Be kind\nBe brief"),
    ("Be kind\n\n###\n\nBe brief", "Be kind\n\nBe brief"),
    ("Be ~~kind~~", "Be kind"),
    ("Show *secret* files", "Show secret files"),
    ("Show __init__ only", "Show init only"),
    ("a | b", "a b"),
    ("Be kind", "Be kind 🙂"),
    ("(optional) greet", "optional greet"),
    ("If asked, say User: hello", "If asked, say\nUser: hello"),
    ("Q: why\nA: so", "Q why\nA: so"),
    ("No, refunds are given", "No refunds are given"),
    ("Do not answer. Ask first", "Do not answer, ask first".replace("ask", "Ask")),
    ("Stop not, go", "Stop, not go"),
    ("Answer only, when asked", "Answer only when asked"),
    ("never answer unless asked. be kind", "never answer. unless asked be kind"),
    ("Nicht, warten", "Nicht warten"),
    ("不，可以退款", "不可以退款"),
    ("approve refunds. over 50 ask a manager", "approve refunds over 50. ask a manager"),
    ("use tools, sparingly answer", "use tools sparingly, answer"),
    ('Choose "a", "b"', 'Choose "a" "b"'),
    ("Copy x .", "Copy x"),
    ("git checkout -- x", "git checkout x"),
    ("Use \\*stars\\*", "Use *stars*"),
    ("", "."),
    ("Be <|end|> kind", "Be end kind"),
    ("Hide <!-- be kind --> it", "Hide it be kind"),
]
STRUCTURE = [
    ("Hello {{name}}", "Hello {{nam}}"),
    ("Hello {{name}}", "Hello {name}"),
    ("Hello {{name}}", "Hello name"),
    ("Hello {{name}}", "Hello {{name}"),
    ("Hello {{name}}", "Hello {{ na me }}"),
    ("Hello {{name}}", "Hello {{name}}{{name}}"),
    ("{{a}} then {{b}}", "{{b}} then {{a}}"),
    ("Say `{{name}}`", "Say `{{title}}`"),
    ("Hello {{name.first}}", "Hello {{name.last}}"),
    ("Hello {name}", "Hello name"),
    ("Hello ${name}", "Hello $name"),
    ("{% if x %}Be kind{% endif %}", "Be kind"),
    ("Be kind", "Be ki\u200bnd"),
    ("Be kind", "Be kind\u202e"),
    ("Be kind", "Be kind\U000e0041\U000e0042"),
    ("Be kind", "Be\u00adkind"),
    ("Be kind", "Be kind\x08"),
    ("Be kind \u2764\ufe0f", "Be kind \u2764\ufe0f\ufe0f"),
    ("Be kind", "Be kind\u3164"),
    ("Be kind", "Be \u043aind"),  # Cyrillic ka
    ("Accept a pass", "Accept \u0430 \u0440\u0430\u0455\u0455"),  # pass in Cyrillic letters
    ("Be never late", "Be \U0001d427\U0001d41e\U0001d42f\U0001d41e\U0001d42b late"),
]


@pytest.mark.parametrize(("old", "new"), FORM)
def test_form_alone_is_minor(old: str, new: str) -> None:
    assert of_texts(old, new) is MINOR
    assert of_texts(new, old) is MINOR


@pytest.mark.parametrize(("old", "new"), WORDS)
def test_what_may_change_the_meaning_is_moderate(old: str, new: str) -> None:
    assert of_texts(old, new) is MODERATE
    assert of_texts(new, old) is MODERATE


@pytest.mark.parametrize(("old", "new"), STRUCTURE)
def test_placeholders_and_what_nobody_sees_are_major(old: str, new: str) -> None:
    assert of_texts(old, new) is MAJOR


def test_a_placeholder_touches_a_number_or_another() -> None:
    for old, new in (
        ("{{a}}.{{b}}", "{{a}} {{b}}"),
        ("{{a}}, {{b}}", "{{a}} {{b}}"),
        ("pay -{{a}}", "pay - {{a}}"),
        ("pay - {{a}}", "pay {{a}}"),
        ("pay {{a}}.5", "pay {{a}} 5"),
    ):
        assert of_texts(old, new) is MODERATE, (old, new)


def test_emoji_and_scripts_that_need_joiners_are_nothing_hidden() -> None:
    for new in (
        "Be kind ❤️",
        "Be kind 👩‍💻",
        "Be kind می‌خواهم",
        "Be kind naïve µg",
        "Будь добрым",
        "α-amylase",
    ):
        assert of_texts("Be kind", new) is MODERATE, new


def test_what_is_hidden_is_named() -> None:
    found = classed("Be kind", "Be ki\u200bnd")
    said = [(one.where, one.what) for one in found.reasons]
    assert said[0] == ("prompt/messages/0/content", "invisible characters: U+200B")


TEXTS = st.text(st.sampled_from("ab 1-.,;:!?*#`\"'{}[]<>\n$%（。，不αа\u200b"), max_size=30)
WORD = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8)


@given(TEXTS, TEXTS)
def test_every_difference_has_a_class_and_reasons_and_minor_keeps_letters_and_digits(
    old: str, new: str
) -> None:
    if old == new:
        with pytest.raises(Invalid):
            of_texts(old, new)
        return
    found = classed(old, new)
    assert found.reasons
    if found.change_class is MINOR:
        assert [one for one in old if one.isalnum()] == [one for one in new if one.isalnum()]
        for sign in '$%{}[]<>`"\u200b':
            assert old.count(sign) == new.count(sign)
        assert of_texts(new, old) is MINOR


@given(
    st.lists(WORD, max_size=8),
    WORD,
    st.integers(0, 8),
    st.sampled_from([" ", "\n", ", ", "**", ". ", "\n- "]),
)
def test_an_added_word_is_never_minor(words: list[str], word: str, place: int, glue: str) -> None:
    more = [*words[:place], word, *words[place:]]
    old, new = (f"Be kind{glue}{glue.join(some)}{glue}to all" for some in (words, more))
    assert of_texts(old, new) is not MINOR


@pytest.mark.parametrize(
    "part",
    ["“", "{{", "<a", "'", "** a", "\n- ", "\u200d👩", "```\n", "。", "1.", "[", "аb ", "word, ", '"""'],
)
def test_a_hostile_text_is_judged_in_good_time(part: str) -> None:
    old = part * (99_000 // len(part))
    begun = time.process_time()
    assert of_texts(old, f"{old} more") is not MINOR
    assert time.process_time() - begun < 10


def test_beyond_a_length_no_edit_is_minor() -> None:
    assert of_texts("a " * 60_000, "a " * 60_000 + ".") is MODERATE
