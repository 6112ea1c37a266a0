"""Decisions of access, as tables."""

from __future__ import annotations

import itertools

import pytest

from holdfast.kernel.errors import Denied, Invalid
from holdfast.platform.access import rules
from holdfast.platform.access.actions import passwords
from holdfast.platform.access.model import Grant, MappedRole, Role, Scope


def grant(role: Role, system: str = "", environment: str = "", content: bool = False) -> Grant:
    return Grant("g", "ws", "m", role, system, environment, content)


@pytest.mark.parametrize(
    ("role", "held"),
    [
        (Role.VIEWER, {"read"}),
        (Role.OPERATOR, {"read", "operate"}),
        (Role.APPROVER, {"read", "operate"}),
        (Role.AUDITOR, {"read"}),
        (Role.ADMIN, {"read", "operate", "ingest", "gateway", "admin"}),
    ],
)
def test_a_role_allows_just_this(role: Role, held: set[str]) -> None:
    assert rules.permissions(role) == held


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ([], {}),
        ([grant(Role.VIEWER)], {"read": (("", ""),)}),
        ([grant(Role.VIEWER, "hr")], {"read": (("hr", ""),)}),
        ([grant(Role.VIEWER, "hr", "prod")], {"read": (("hr", "prod"),)}),
        ([grant(Role.VIEWER), grant(Role.OPERATOR, "hr")], {"read": (("", ""),), "operate": (("hr", ""),)}),
        ([grant(Role.VIEWER, "hr"), grant(Role.VIEWER, "hr", "prod")], {"read": (("hr", ""),)}),
        ([grant(Role.VIEWER, "hr"), grant(Role.VIEWER, "", "prod")], {"read": (("", "prod"), ("hr", ""))}),
        ([grant(Role.AUDITOR, "hr", "", True)], {"read": (("hr", ""),), "content": (("hr", ""),)}),
        (
            [grant(Role.VIEWER), grant(Role.AUDITOR, "hr", "prod", True)],
            {"read": (("", ""),), "content": (("hr", "prod"),)},
        ),
    ],
)
def test_reach_is_the_union_of_grants(grants: list[Grant], expected: dict[str, object]) -> None:
    assert {scope.value: found.pairs for scope, found in rules.reach(grants).items()} == expected


def test_reach_covers_a_place_exactly_when_some_grant_does() -> None:
    names = ("", "a", "b")
    places = list(itertools.product(names, names))
    for first, second in itertools.product(places, places):
        found = rules.reach([grant(Role.VIEWER, *first), grant(Role.VIEWER, *second)])[Scope.READ]
        for system, environment in itertools.product(("a", "b", "c"), ("a", "b", "c")):
            wanted = any(s in ("", system) and e in ("", environment) for s, e in (first, second))
            assert found.covers(system, environment) is wanted


@pytest.mark.parametrize(
    "bad",
    [
        "short",
        "elevenchars",
        "password1234",
        "PASSWORD1234",
        "aaaaaaaaaaaaaa",
        "long.name@acme.example",
        "x" * 1025,
    ],
)
def test_weak_passwords_are_refused(bad: str) -> None:
    with pytest.raises(Invalid):
        rules.check_new_password(bad, "long.name@acme.example")


def test_a_member_without_password_never_matches_and_takes_the_same_costs() -> None:
    import argon2

    assert argon2.extract_parameters(passwords.NOBODY) == argon2.extract_parameters(
        passwords.hash_password("four words make one")
    )
    assert not passwords.matches(None, "")
    assert not passwords.matches(None, "anything at all")
    made = passwords.hash_password(rules.normal_password("fu\u0308nf gute Worte"))
    assert passwords.matches(made, "f\u00fcnf gute Worte")
    assert not passwords.matches(made, "f\u00fcnf gute Wort")


@pytest.mark.parametrize(
    "evil",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\evil",
        "/a\nb",
        "/\t/evil.example",
        "",
        "javascript:x",
        "/%0a\r",
    ],
)
def test_next_never_leaves_the_site(evil: str) -> None:
    assert rules.safe_next(evil) == "/"


def test_next_keeps_a_path_of_ours() -> None:
    assert rules.safe_next("/w/acme/calls?range=1h&q=a%20b") == "/w/acme/calls?range=1h&q=a%20b"


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://h:1"}, False),
        ({"origin": "http://h:1", "host": "h:1"}, True),
        ({"origin": "https://h:1", "host": "h:1"}, False),
        ({"origin": "null", "host": "h:1"}, False),
        ({"origin": "http://h:1.evil.example", "host": "h:1"}, False),
        ({"origin": "https://ops.example", "host": "10.0.0.1:8400"}, True),
        ({"origin": "https://ops.example.evil", "host": "10.0.0.1:8400"}, False),
    ],
)
def test_origin(headers: dict[str, str], passes: bool) -> None:
    if passes:
        rules.check_origin(headers, "http", "https://ops.example/holdfast")
    else:
        with pytest.raises(Denied):
            rules.check_origin(headers, "http", "https://ops.example/holdfast")


def test_groups_bring_the_strongest_role_for_each_place() -> None:
    table = rules.role_map(
        '{"a": [{"workspace": "x", "role": "viewer", "content": true}], "b": [{"workspace": "x", "role": "admin"}],'
        ' "c": [{"workspace": "x", "role": "operator", "system": "hr"}]}'
    )
    assert rules.mapped(("nobody",), table) == []
    assert rules.mapped(("a", "b", "c", "nobody"), table) == [
        MappedRole("x", Role.ADMIN, content=True),
        MappedRole("x", Role.OPERATOR, "hr"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[]",
        '{"a": 1}',
        '{"a": [{"role": "viewer"}]}',
        '{"a": [{"workspace": "x", "role": "boss"}]}',
        '{"a": [{"workspace": "x", "role": "viewer", "content": "yes"}]}',
    ],
)
def test_a_wrong_group_map_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        rules.role_map(text)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("test", "test"),
    ],
)
def test_an_ipv6_sender_is_its_network(address: str, network: str) -> None:
    assert rules.network_of(address) == network
