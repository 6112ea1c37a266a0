"""Links that keep their place."""

from __future__ import annotations

from holdfast.web.links import Here
from holdfast.web.shell import carried, parameter_selector, time_choice

HERE = Here.of("/w/acme/calls", "system=a&model=x&model=y&range=7d&cursor=abc&empty=")


def test_a_facet_toggles_itself_and_drops_the_cursor() -> None:
    assert str(HERE.toggle("model", "z")) == "/w/acme/calls?system=a&model=x&model=y&range=7d&model=z"
    assert str(HERE.toggle("model", "x")) == "/w/acme/calls?system=a&model=y&range=7d"


def test_setting_replaces_all_of_a_name_and_none_removes() -> None:
    assert str(HERE.set(model="q")) == "/w/acme/calls?system=a&range=7d&model=q"
    assert str(HERE.set({"range": None, "from": "2026-11-20T08:00:00Z"})).endswith(
        "from=2026-11-20T08%3A00%3A00Z"
    )
    assert "cursor=next" in str(HERE.set(cursor="next")) and "abc" not in str(HERE.set(cursor="next"))


def test_values_are_quoted() -> None:
    assert str(Here("/x").set(q='a&b="<')) == "/x?q=a%26b%3D%22%3C"


def test_forms_repeat_what_they_do_not_send() -> None:
    assert HERE.hidden("range", "from", "to") == (("system", "a"), ("model", "x"), ("model", "y"))


def test_the_time_menu_knows_presets_and_custom_ranges() -> None:
    preset = time_choice(HERE, "2026-11-14T00:00:00Z", "2026-11-21T00:00:00Z")
    assert preset.label == "Last 7 days" and [o.note for o in preset.options if o.current] == ["7d"]
    custom = time_choice(
        Here.of("/x", "from=2026-11-20T08:00:00Z"), "2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z"
    )
    assert custom.label == "11-20 08:00 – 11-20 09:00" and not any(
        option.current for option in custom.options
    )
    assert "from" not in custom.options[0].href


def test_a_selector_narrows_and_widens() -> None:
    menu = parameter_selector(HERE, "system", "System", (("a", "A"), ("b", "B")), "All systems")
    assert menu.value == "A"
    assert menu.options[0].href == "/w/acme/calls?model=x&model=y&range=7d"


def test_the_rail_carries_the_scope_and_nothing_else() -> None:
    assert (
        carried("/w/acme/settings", HERE, ("system", "environment")) == "/w/acme/settings?system=a&range=7d"
    )
    assert carried("/x", Here("/y"), ("system",)) == "/x"
