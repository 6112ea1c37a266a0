"""Detectors find what has the form and the checksum, leave the rest alone, and are never slow."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import Invalid
from holdfast.text.detectors import KINDS, clean, find, redact
from holdfast.text.numbers import luhn

# Put together at run time, so that no scanner takes this file for a leak.
OPENAI = "sk-" + "proj-" + "a8Kd03jfLs92mQpZx7Rt" * 2
ANTHROPIC = "sk-" + "ant-api03-" + "Zk39dk_s02Lq-Pw91mXs" * 3
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
GITHUB_FINE = "github_" + "pat_" + "11ABCDEFG0aBcDeFgHiJkL_mnop"
SLACK = "xox" + "b-123456789012-abcdefGHIJKL"
GOOGLE = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NSJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r"
HOLDFAST = "hf_" + "0123456789abcdefghjkmnpqrstvwxyz"
BEARER = "9f86d081884c7d659a2feaa0c55ad015"
PEM = "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEow\nIBAAKCAQEA\n-----END " + "RSA PRIVATE KEY-----"


def found(text: str, kinds: tuple[str, ...] = KINDS, region: str | None = None) -> list[tuple[str, str]]:
    return [(item.kind, text[item.start : item.end]) for item in find(text, kinds, region)]


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "o'brien+tag@mail.example.co.uk",
        "jörg@bücher.example",
        "a@b-c.de",
        "_x@example.org",
    ],
)
def test_email(address: str) -> None:
    for text in (address, f"Write to <{address}>, soon.", f"mailto:{address}?subject=x", f"({address})."):
        assert found(text) == [("email", address)]


@pytest.mark.parametrize(
    "text", ["@ada", "a @ b.com", "user@localhost", "@dataclass\ndef f", "x@.com", "price @ 3.50"]
)
def test_not_an_email(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("number", ["+49 30 901820", "+1 (415) 555-2671", "+44 20 7946 0958", "+33142685300"])
def test_international_phone(number: str) -> None:
    for text in (number, f"Call {number}.", f"tel:{number}, please"):
        assert found(text) == [("phone", number)]


def test_local_phone_needs_its_region() -> None:
    text = "Rufen Sie 030 901820 an oder (0151) 23456789."
    assert found(text) == []
    assert found(text, region="DE") == [("phone", "030 901820"), ("phone", "(0151) 23456789")]
    assert found("0049 30 901820") == [("phone", "0049 30 901820")]
    assert found("415-555-2671", region="US") == [("phone", "415-555-2671")]


def test_two_phones_in_a_row() -> None:
    assert len(found("415 555 2671 415 555 2672", region="US")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 08:15:30.123456",
        "20.11.2026 08:15",
        "192.168.100.200",
        "order 4155552671X",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "3.14159265358979",
        "1763712345.678901",
        "+12",
    ],
)
@pytest.mark.parametrize("region", [None, "US", "DE"])
def test_not_a_phone(text: str, region: str | None) -> None:
    assert found(text, region=region) == []


@pytest.mark.parametrize(
    "iban",
    [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "NO9386011117947",
        "mt84malt011000012345mtlcast001s",
    ],
)
def test_iban(iban: str) -> None:
    for text in (iban, f"IBAN: {iban}.", f"pay {iban} and then go"):
        assert found(text) == [("iban", iban)]


@pytest.mark.parametrize(
    "text",
    ["DE89370400440532013001", "DE8937040044053201300", "ZZ89370400440532013000", "XDE89370400440532013000"],
)
def test_not_an_iban(text: str) -> None:
    assert found(text, ("iban",)) == []


@pytest.mark.parametrize(
    "card",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "3782 822463 10005",
        "2223003122003222",
        "6011111111111117",
        "30569309025904",
        "4222222222222",
    ],
)
def test_card(card: str) -> None:
    for text in (card, f"card: {card}, exp 12/29", f"12 {card} 07"):
        assert found(text, ("card",)) == [("card", card)], text


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # Luhn
        "9999999999999995",  # no such prefix
        "id_4111111111111111",
        "41111111111111110000000",  # a longer number
        "1763700000000000000",  # nanoseconds
    ],
)
def test_not_a_card(text: str) -> None:
    assert found(text, ("card",)) == []


@pytest.mark.parametrize(
    "key",
    [OPENAI, ANTHROPIC, AWS, GITHUB, GITHUB_FINE, SLACK, GOOGLE, JWT, HOLDFAST],
    ids=["openai", "anthropic", "aws", "github", "github-fine", "slack", "google", "jwt", "holdfast"],
)
def test_key(key: str) -> None:
    for text in (key, f'api_key="{key}"', f"use {key}, please", f"https://x.example/?k={key}&a=1"):
        assert found(text, ("key",)) == [("key", key)]


def test_bearer_takes_the_token_alone() -> None:
    assert found(f"Authorization: Bearer {BEARER}") == [("key", BEARER)]
    assert found("the bearer of responsibilities") == []
    assert found("Bearer YOUR_TOKEN_GOES_HERE") == []


def test_private_key_block() -> None:
    assert found(f"before {PEM} after") == [("key", PEM)]
    cut = PEM[:50]
    assert found(f"before {cut}") == [("key", cut)], "a block that was cut off is taken to the end"


def test_password_in_a_url() -> None:
    assert redact("postgresql://app:hunter2@db.example/x")[0] == "postgresql://app:[KEY]@db.example/x"


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn-and-other-hyphenated-words-that-are-long",
        "risk-assessment-of-a-very-long-name",
        "hf_short",
        "d41d8cd98f00b204e9800998ecf8427e",
        "eyJhbGciOiJIUzI1NiJ9.not.a-token",
    ],
)
def test_not_a_key(text: str) -> None:
    assert found(text) == []


def test_redact_counts_and_keeps_the_rest() -> None:
    text = f"Ada <ada@example.com>, card 4111 1111 1111 1111, bob@example.com, {OPENAI}."
    redacted, counts = redact(text)
    assert redacted == "Ada <[EMAIL]>, card [CARD], [EMAIL], [KEY]."
    assert counts == {"email": 2, "card": 1, "key": 1}
    assert redact(redacted) == (redacted, {})
    assert redact("nothing here") == ("nothing here", {})


def test_only_the_kinds_that_are_asked_for() -> None:
    text = "ada@example.com 4111111111111111"
    assert redact(text, ("card",)) == ("ada@example.com [CARD]", {"card": 1})
    assert redact(text, ()) == (text, {})
    with pytest.raises(Invalid):
        find(text, ("passport",))


def test_overlaps_become_one() -> None:
    findings = find("x a@b.com@c.com y")
    assert all(one.end <= other.start for one, other in pairwise(findings))
    assert redact("x a@b.com@c.com y")[0].count("com") <= 1
    assert found("4111111111111111@example.com") == [("email", "4111111111111111@example.com")]


SENSITIVE = ["ada@example.com", "4111 1111 1111 1111", "+49 30 901820", "DE89370400440532013000", OPENAI]
EDGES = [
    "Bearer ",
    BEARER,
    "@",
    "://u:",
    "-----BEGIN PRIVATE KEY-----",
    " ",
    "1",
    "x",
    ".",
    "-",
    "[EMAIL]",
    "é",
]
PIECES = st.sampled_from(SENSITIVE + EDGES)


@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from([None, "US", "DE"]))
def test_redaction_is_idempotent_and_leaves_nothing(text: str, region: str | None) -> None:
    redacted, _ = redact(text, region=region)
    assert find(redacted, region=region) == []
    assert redact(redacted, region=region) == (redacted, {})


@given(
    st.lists(st.lists(PIECES, max_size=4).map("".join) | st.text(max_size=60), max_size=4),
    st.sampled_from([None, "US", "DE"]),
)
def test_what_is_called_clean_holds_nothing(texts: list[str], region: str | None) -> None:
    if clean("\n".join(texts)):
        assert [find(text, KINDS, region) for text in texts] == [[]] * len(texts)


@pytest.mark.parametrize(
    "text", [*SENSITIVE, AWS, GITHUB, GITHUB_FINE, SLACK, GOOGLE, JWT, HOLDFAST, PEM, f"Bearer {BEARER}"]
)
def test_nothing_sensitive_is_called_clean(text: str) -> None:
    assert not clean(f"please keep {text} to yourself")


def test_prose_is_clean() -> None:
    assert clean("The policy of 2026 says: 30 days of paid leave, to be asked for in writing.")


@given(st.text(max_size=300))
def test_any_text_is_survived(text: str) -> None:
    findings = find(text, region="US")
    assert all(0 <= item.start < item.end <= len(text) for item in findings)
    assert redact(text + "\ud800")[0]


@given(st.integers(1, 10**15), st.integers(0, 14))
def test_luhn_catches_every_single_wrong_digit(number: int, position: int) -> None:
    stem = f"{number:015}"
    whole = next(stem + str(check) for check in range(10) if luhn(stem + str(check)))
    wrong = str((int(whole[position]) + 1) % 10)
    assert not luhn(whole[:position] + wrong + whole[position + 1 :])


HOSTILE = {
    "at": "@" * 100_000,
    "a@": "a@" * 50_000,
    "domain": "a@" + "a." * 50_000,
    "digits": "1" * 100_000,
    "spaced digits": "4 " * 50_000,
    "card groups": "4111 " * 20_000,
    "jwt": "eyJ" * 33_000,
    "jwt dots": "eyJaaaaaaaaaa." * 7_000,
    "sk": "sk-" * 33_000,
    "iban": "DE12 " * 20_000,
    "pem": "-----BEGIN PRIVATE KEY" * 4_500,
    "begin": "-----BEGIN " * 9_000 + "PRIVATE KEY",
    "bearer": "Bearer " * 14_000 + "a1" * 20_000,
    "url": "://a:" * 20_000 + "@",
    "dates": "2026-11-20 " * 9_000,
    "parentheses": "(" * 100_000,
    "dashes": "1-" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_in_good_time(name: str) -> None:
    begun = time.process_time()
    find(HOSTILE[name], region="US")
    assert time.process_time() - begun < 5.0, "100 kB; far more than it takes, far less than a blow-up"
