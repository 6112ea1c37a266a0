"""Decisions of notify: by table, and for whatever comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import Invalid
from holdfast.platform.notify import rules
from holdfast.platform.notify.model import (
    ChannelConfig,
    ChannelKind,
    Delivery,
    DeliveryState,
    Outcome,
    Sent,
    Tls,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WAITING = Delivery(
    "dlv_1", "ws", "m", "ch", "", DeliveryState.SENDING, 1, NOW, NOW + rules.GIVE_UP, NOW, "lease_1", NOW
)
EMAIL = ChannelConfig(host="mail.test", sender="a@b.test", recipients=("c@d.test",))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, "delivered") for status in (200, 202, 204)),
        *((status, "refused") for status in (302, 400, 404, 410)),
        *((status, "retry") for status in (408, 425, 429, 500, 503, 599)),
    ],
)
def test_what_a_status_means(status: int, outcome: str) -> None:
    assert rules.verdict_of(status, "", None, NOW).outcome == outcome


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("999999", 3600),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 20 Nov 2020 12:01:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
        ("99999999999999999", None),
    ],
)
def test_a_wish_for_patience(text: str | None, seconds: int | None) -> None:
    assert rules.wish(text, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@given(
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.timedeltas(timedelta(0), timedelta(hours=1)),
)
def test_waits_are_bounded_and_never_undercut_a_wish(
    attempts: int, jitter: float, asked: timedelta | None
) -> None:
    wait = rules.wait_before(attempts, jitter, asked)
    assert rules.FIRST_WAIT / 2 <= wait <= max(rules.LONGEST_WAIT, asked or timedelta(0))
    assert wait >= (asked or timedelta(0))
    assert rules.wait_before(attempts + 1, jitter, asked) >= wait


@given(
    st.sampled_from([Outcome.DELIVERED, Outcome.RETRY, Outcome.REFUSED]),
    st.integers(1, 500),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.floats(0, 1, exclude_max=True),
)
def test_after_an_attempt_nothing_is_held(
    outcome: Outcome, attempts: int, later: timedelta, jitter: float
) -> None:
    now = NOW + later
    stands = rules.after(replace(WAITING, attempts=attempts), Sent(outcome, 500, "why"), now, jitter)
    assert (stands.lease, stands.lease_until) == ("", None)
    assert stands.state is not DeliveryState.SENDING
    assert (stands.finished_at is None) == (stands.state is DeliveryState.WAITING)
    if stands.state is DeliveryState.WAITING:
        assert now < stands.due_at < stands.give_up_at
    if outcome is not Outcome.DELIVERED:
        assert "why" in stands.error


def test_a_letter_taken_for_some_is_tried_for_the_rest() -> None:
    stands = rules.after(WAITING, Sent(Outcome.RETRY, 250, "later", remaining=("b@x.test",)), NOW, 0)
    assert (stands.state, stands.recipients) == (DeliveryState.WAITING, ("b@x.test",))
    again = rules.after(stands, Sent(Outcome.RETRY, None, "away"), NOW, 0)
    assert again.recipients == ("b@x.test",)


@pytest.mark.parametrize(
    ("kind", "config", "secret", "where"),
    [
        (ChannelKind.EMAIL, replace(EMAIL, host="a b"), "", "host"),
        (ChannelKind.EMAIL, replace(EMAIL, host="-x"), "", "host"),
        (ChannelKind.EMAIL, replace(EMAIL, port=0), "", "port"),
        (ChannelKind.EMAIL, replace(EMAIL, user="u", tls=Tls.NONE), "p", "user"),
        (ChannelKind.EMAIL, replace(EMAIL, sender="nobody"), "", "sender"),
        (ChannelKind.EMAIL, replace(EMAIL, sender="a@b.test\r\nBcc: x@y.test"), "", "sender"),
        (ChannelKind.EMAIL, replace(EMAIL, recipients=()), "", "recipients"),
        (ChannelKind.EMAIL, replace(EMAIL, recipients=("Ada <ada@x.test>",)), "", "recipients"),
        (ChannelKind.WEBHOOK, ChannelConfig(url="ftp://x.test"), None, "url"),
        (ChannelKind.WEBHOOK, ChannelConfig(url="https://u:p@x.test/"), None, "url"),
        (ChannelKind.WEBHOOK, ChannelConfig(url="https://x.test/"), "whsec_short", "secret"),
        (ChannelKind.SLACK, ChannelConfig(), "", "secret"),
        (ChannelKind.TEAMS, ChannelConfig(), "https://[::1", "secret"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    kind: ChannelKind, config: ChannelConfig, secret: str | None, where: str
) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check_config(kind, config, secret)
    assert refused.value.where == where


def test_only_what_matters_for_a_kind_is_kept() -> None:
    everything = replace(EMAIL, url="https://x.test/a", shown_host="y.test")
    assert rules.check_config(ChannelKind.EMAIL, everything, "") == EMAIL
    assert rules.check_config(ChannelKind.WEBHOOK, everything, None) == ChannelConfig(url="https://x.test/a")
    kept = rules.check_config(ChannelKind.SLACK, everything, "https://hooks.slack.test/services/T/B/x")
    assert kept == ChannelConfig(shown_host="hooks.slack.test")


@given(st.binary(min_size=24, max_size=64))
def test_signing_secrets_come_back(key: bytes) -> None:
    assert rules.signing_key(rules.new_signing_secret(key)) == key


@given(st.text())
def test_answers_are_kept_on_one_line(text: str) -> None:
    kept = rules.one_line(text)
    assert len(kept) <= rules.MOST_ANSWER and kept.isprintable()


def test_an_answer_that_repeats_the_secret_does_not_show_it() -> None:
    secret = "https://hooks.slack.test/services/T0/B0/abcdef?sig=xyz123"
    said = f"no team at {secret} nor /services/T0/B0/abcdef, sig=xyz123"
    assert "abcdef" not in rules.without_secret(said, secret)
    assert "xyz123" not in rules.without_secret(said, secret)
    assert rules.without_secret("fine", "") == "fine"
