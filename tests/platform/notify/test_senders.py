"""Each sender against a real server: what goes over the wire, what answers mean, and what is never said."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from tests.platform.audit.receivers import make_certificate
from tests.platform.notify.desk import SIGNING, Desk
from tests.platform.notify.receivers import mail_server, web_server

from holdfast.platform.notify.model import ChannelKind, DeliveryState, MessageKind, Outcome, Tls
from holdfast.platform.notify.senders import slack, teams
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database

PASSWORD = "pa55-phrase of the mail server"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    return make_certificate(tmp_path, "mail")


def server_context(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def trusting(database: Database, clock: Any, tmp_path: Path, certificate: tuple[str, str]) -> Desk:
    """A desk that trusts the test's authority."""
    settings = Settings(data=tmp_path, outbound_allow="127.0.0.1", ca_bundle=Path(certificate[0]))
    return Desk(database, settings, clock)


def test_a_letter_says_what_the_message_says(desk: Desk) -> None:
    with mail_server() as mail:
        channel = desk.mail(mail.port, "ada@acme.test", "ben@acme.test")
        desk.send(desk.message("m1", about="alert_1"))
        desk.send(desk.message("m2", about="alert_1", kind=MessageKind.RESOLVED))
        while desk.courier.deliver_due():
            pass
        first, second = mail.letters
        assert (first.sender, first.recipients) == ("holdfast@acme.test", ["ada@acme.test", "ben@acme.test"])
        letter = first.letter
        assert letter["subject"] == "Alert: Error rate of shop: m1"
        assert second.letter["subject"] == "Resolved: Error rate of shop: m2"
        assert letter["to"] == "ada@acme.test, ben@acme.test"
        assert letter["references"] == second.letter["references"] == f"<alert_1.{channel.id}@acme.test>"
        assert letter["auto-submitted"] == "auto-generated"
        text = letter.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
        assert "12 % of <40> calls & more failed." in text and "Failed: 5 <b>&" in text
        assert "/w/acme/calls?system=shop" in text
        html = letter.get_body(("html",)).get_content()  # type: ignore[attr-defined]
        assert "12 % of &lt;40&gt; calls &amp; more failed." in html and "5 &lt;b&gt;&amp;" in html


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
def test_signing_in_over_tls(trusting: Desk, certificate: tuple[str, str], tls: Tls) -> None:
    context = server_context(certificate)
    with mail_server(tls=context, implicit=tls is Tls.TLS, user="ada", password=PASSWORD) as mail:
        trusting.mail(mail.port, tls=tls, user="ada", secret=PASSWORD)
        (sent,) = trusting.send(trusting.message("m1"))
        trusting.courier.deliver_due()
        assert trusting.delivery(sent.id)[0].state is DeliveryState.DELIVERED, trusting.delivery(sent.id)
        assert mail.signed_in == ["ada"] and len(mail.letters) == 1


def test_a_wrong_password_is_said_and_not_shown(trusting: Desk, certificate: tuple[str, str]) -> None:
    with mail_server(tls=server_context(certificate), user="ada", password="another") as mail:
        trusting.mail(mail.port, tls=Tls.STARTTLS, user="ada", secret=PASSWORD)
        (sent,) = trusting.send(trusting.message("m1"))
        trusting.courier.deliver_due()
        stands, receipts = trusting.delivery(sent.id)
        assert stands.state is DeliveryState.FAILED
        assert stands.error == "535 signing in: 5.7.8 wrong user or password"
        assert PASSWORD not in repr((stands, receipts, trusting.kept))
        assert mail.letters == []


def test_a_certificate_that_nobody_vouches_for_gets_no_letter(
    desk: Desk, certificate: tuple[str, str]
) -> None:
    with mail_server(tls=server_context(certificate)) as mail:
        desk.mail(mail.port, tls=Tls.STARTTLS)
        (sent,) = desk.send(desk.message("m1"))
        desk.courier.deliver_due()
        assert "self-signed certificate" in desk.delivery(sent.id)[0].error
        assert mail.letters == []


def test_a_server_without_starttls_gets_nothing_in_the_clear(desk: Desk) -> None:
    with mail_server() as mail:
        desk.mail(mail.port, tls=Tls.STARTTLS)
        (sent,) = desk.send(desk.message("m1"))
        desk.courier.deliver_due()
        stands = desk.delivery(sent.id)[0]
        assert (stands.state, mail.letters) == (DeliveryState.FAILED, [])
        assert stands.error == "STARTTLS: the server does not offer STARTTLS"


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ({"MAIL": "451 4.7.1 later"}, Outcome.RETRY),
        ({"MAIL": "550 5.1.8 unknown sender"}, Outcome.REFUSED),
        ({"DATA.": "452 4.3.1 full"}, Outcome.RETRY),
        ({"DATA.": "554 5.7.1 spam"}, Outcome.REFUSED),
        ({"DATA": "451 4.3.0 later"}, Outcome.RETRY),
        ({"ada@acme.test": "550 5.1.1 nobody"}, Outcome.REFUSED),
        ({"ada@acme.test": "450 4.2.1 greylisted"}, Outcome.RETRY),
    ],
)
def test_what_a_mail_server_refuses(desk: Desk, replies: dict[str, str], outcome: Outcome) -> None:
    with mail_server(replies=replies) as mail:
        desk.mail(mail.port)
        (sent,) = desk.send(desk.message("m1"))
        desk.courier.deliver_due()
        (receipt,) = desk.delivery(sent.id)[1]
        assert receipt.outcome is outcome, receipt
        reply = next(iter(replies.values()))
        assert receipt.answer and reply[4:] in receipt.answer
        assert mail.letters == []


def test_each_recipient_gets_it_once(desk: Desk) -> None:
    with mail_server(replies={"ben@acme.test": "450 4.2.1 greylisted", "cy@acme.test": "550 nobody"}) as mail:
        desk.mail(mail.port, "ada@acme.test", "ben@acme.test", "cy@acme.test")
        (sent,) = desk.send(desk.message("m1"))
        desk.courier.deliver_due()
        assert desk.delivery(sent.id)[0].recipients == ("ben@acme.test",)
        del mail.replies["ben@acme.test"]
        desk.clock.move(minutes=1)
        desk.courier.deliver_due()
        assert [one.recipients for one in mail.letters] == [["ada@acme.test"], ["ben@acme.test"]]
        assert len({one.id for one in mail.letters}) == 1
        assert desk.delivery(sent.id)[0].state is DeliveryState.DELIVERED


def test_a_line_that_breaks_after_the_letter_is_sent_again_under_its_id(desk: Desk) -> None:
    with mail_server(hang_up_after_data=True) as mail:
        desk.mail(mail.port)
        desk.send(desk.message("m1"))
        desk.courier.deliver_due()
        mail.hang_up_after_data = False
        desk.clock.move(minutes=1)
        desk.courier.deliver_due()
        assert len(mail.letters) == 2
        assert len({one.id for one in mail.letters}) == 1


def test_a_webhook_can_be_verified(desk: Desk) -> None:
    """By the scheme of Standard Webhooks, computed here anew."""
    with web_server() as web:
        desk.hook(web.url())
        (sent,) = desk.send(desk.message("m1", about="alert_1"))
        desk.courier.deliver_due()
        (hit,) = web.hits
        assert hit.headers["webhook-id"] == sent.id
        assert hit.headers["webhook-timestamp"] == str(int(desk.clock().timestamp()))
        key = base64.b64decode(SIGNING.removeprefix("whsec_"))
        signed = f"{sent.id}.{hit.headers['webhook-timestamp']}.".encode() + hit.body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert hit.headers["webhook-signature"] == f"v1,{expected}"
        told = json.loads(hit.body)
        assert (told["type"], told["timestamp"]) == ("alert.firing", "2026-11-20T12:00:00.000000Z")
        data = told["data"]
        assert (data["message"], data["alert"], data["severity"]) == ("m1", "alert_1", "critical")
        assert data["facts"] == [{"label": "Calls", "value": "40"}, {"label": "Failed", "value": "5 <b>&"}]
        assert data["link"].endswith("/w/acme/calls?system=shop")


def test_the_published_example_of_a_signature() -> None:
    """The example of the Standard Webhooks specification's reference libraries."""
    from holdfast.platform.notify.rules import signing_key
    from holdfast.platform.notify.senders.webhook import signature

    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.TEAMS])
def test_an_address_that_is_a_secret_is_never_said(desk: Desk, kind: ChannelKind) -> None:
    with web_server() as web:
        address = web.url("/services/T0/B0/veryverysecret")
        channel = desk.channel(kind, "chat", address)
        web.answers.append((404, f"no_team at {address}", {}))
        (sent,) = desk.send(desk.message("m1"))
        desk.courier.deliver_due()
        assert web.hits[0].path == "/services/T0/B0/veryverysecret"
        stands, receipts = desk.delivery(sent.id)
        assert stands.error == "404 no_team at …"
        assert "veryverysecret" not in repr((channel, stands, receipts, desk.kept(channel)))
        desk.send(desk.message("m2"))
        desk.courier.deliver_due()
        assert json.loads(web.hits[1].body)


def test_slack_takes_it(desk: Desk) -> None:
    """The limits of Block Kit, and its three characters."""
    long = desk.message("m1", title="t" * 400, summary="<s> & " * 2000, facts=(("a<", "b" * 5000),) * 25)
    made = slack.payload(long)
    header, summary, *rest = made["blocks"]
    assert len(header["text"]["text"]) <= 150 and header["text"]["type"] == "plain_text"
    assert len(summary["text"]["text"]) <= 3000
    assert "<s>" not in summary["text"]["text"] and "&lt;s&gt; &amp;" in summary["text"]["text"]
    sections = [one for one in rest if one["type"] == "section"]
    assert [len(one["fields"]) for one in sections] == [10, 10, 5]
    assert all(len(one["text"]) <= 2000 for section in sections for one in section["fields"])
    assert len(made["blocks"]) <= 50
    button = next(one for one in rest if one["type"] == "actions")["elements"][0]
    assert button["url"] == long.link
    assert slack.payload(desk.message("m2", link="", facts=()))["text"].startswith("🔴")


def test_teams_takes_it(desk: Desk) -> None:
    made = teams.payload(desk.message("m1", title="a_b*c", facts=(("Calls", "[x](http://evil.test)"),)))
    (attachment,) = made["attachments"]
    assert made["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["text"] == "a\\_b\\*c"
    assert card["body"][2] == {
        "type": "FactSet",
        "facts": [{"title": "Calls", "value": "\\[x\\]\\(http://evil.test\\)"}],
    }
    assert card["actions"][0]["url"].startswith("http://127.0.0.1:8400/")
    huge = desk.message("m2", summary="x" * 100_000, facts=(("f", "*" * 9000),) * 100)
    assert len(json.dumps(teams.payload(huge)).encode()) < 28_000


@pytest.mark.parametrize("kind", ["mail", "hook"])
def test_private_addresses_are_not_reached(database: Database, clock: Any, tmp_path: Path, kind: str) -> None:
    desk = Desk(database, Settings(data=tmp_path), clock)
    with web_server() as web, mail_server() as mail:
        made = desk.mail(mail.port) if kind == "mail" else desk.hook(web.url())
        (sent,) = desk.send(desk.message("m1"), made)
        desk.courier.deliver_due()
        stands = desk.delivery(sent.id)[0]
        assert stands.state is DeliveryState.FAILED and "private network" in stands.error
        assert (web.hits, mail.letters) == ([], [])
