"""E-mail by SMTP (RFC 5321), with STARTTLS (RFC 3207), TLS from the first byte (RFC 8314), or in the clear.

The Message-ID is stable over attempts, so that a second copy can be known. The name of the server is resolved
once and judged as every address that users give; TLS checks the name.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.kernel.time import iso
from holdfast.platform import outbound
from holdfast.platform.notify import rules
from holdfast.platform.notify.model import ChannelConfig, Message, MessageKind, Outcome, Parcel, Sent, Tls
from holdfast.platform.settings import Settings

SECONDS = 10.0
OWN_NAME = "holdfast.invalid"
_WORDS = {
    MessageKind.FIRING: "Alert",
    MessageKind.RESOLVED: "Resolved",
    MessageKind.CHANGE: "Change",
    MessageKind.TEST: "Test",
}


class EmailSender:
    """Speaks SMTP to the channel's server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, parcel: Parcel) -> Sent:
        """One attempt, over a connection of its own."""
        config = parcel.channel.config
        wanted = parcel.delivery.recipients or config.recipients
        letter = compose(parcel).as_bytes(policy=SMTP)
        try:
            address = outbound.judged_address(self._settings, config.host, config.port)
            session = _Session(config, address, outbound.ssl_context(self._settings))
        except Invalid as error:
            return Sent(Outcome.REFUSED, answer=error.detail)
        except Unavailable as error:
            return Sent(Outcome.RETRY, answer=error.detail)
        except (OSError, smtplib.SMTPException) as error:
            return _failed(error, "connecting")
        try:
            return _speak(session, parcel, wanted, letter)
        finally:
            session.close()


class _Session(smtplib.SMTP):
    """An SMTP session with the address that was judged."""

    def __init__(self, config: ChannelConfig, address: str, context: ssl.SSLContext) -> None:
        self._address = address
        self._config = config
        self.tls_context = context
        super().__init__(config.host, config.port, local_hostname=OWN_NAME, timeout=SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), timeout)
        if self._config.tls is not Tls.TLS:
            return plain
        try:
            return self.tls_context.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise


def _speak(session: _Session, parcel: Parcel, wanted: tuple[str, ...], letter: bytes) -> Sent:
    config, stage = parcel.channel.config, "greeting"
    try:
        session.ehlo_or_helo_if_needed()
        if config.tls is Tls.STARTTLS:
            stage = "STARTTLS"
            session.starttls(context=session.tls_context)
        if config.user:
            stage = "signing in"
            session.login(config.user, parcel.secret)
        stage = "MAIL FROM"
        code, said = session.mail(config.sender)
        if code != 250:
            return _answered(code, said, stage)
        taken, later, never = _recipients(session, wanted)
        if not taken:
            return _nobody(later, never)
        stage = "DATA"
        code, said = session.data(letter)
        if code != 250:
            return _answered(code, said, stage)
    except (OSError, smtplib.SMTPException) as error:
        return _failed(error, stage)
    with suppress(OSError, smtplib.SMTPException):
        session.quit()  # it was taken; how they part does not matter
    answer = rules.one_line(said.decode("utf-8", "replace"))
    if later:
        words = f"taken for {len(taken)}, not yet for {_words(later)}"
        return Sent(Outcome.RETRY, 250, rules.one_line(words), remaining=tuple(one for one, _, _ in later))
    if never:
        answer = rules.one_line(f"{answer}; refused for {_words(never)}")
    return Sent(Outcome.DELIVERED, code, answer)


Refused = list[tuple[str, int, str]]


def _recipients(session: _Session, wanted: tuple[str, ...]) -> tuple[list[str], Refused, Refused]:
    """Who is taken, who may be later (4xx), who never will be (5xx)."""
    taken: list[str] = []
    later: Refused = []
    never: Refused = []
    for recipient in wanted:
        code, said = session.rcpt(recipient)
        if code in (250, 251):
            taken.append(recipient)
        else:
            (later if 400 <= code < 500 else never).append((recipient, code, said.decode("utf-8", "replace")))
    return taken, later, never


def _nobody(later: Refused, never: Refused) -> Sent:
    if later:
        words = rules.one_line(f"refused for now: {_words(later)}")
        return Sent(Outcome.RETRY, later[0][1], words, remaining=tuple(one for one, _, _ in later))
    return Sent(Outcome.REFUSED, never[0][1], rules.one_line(f"refused: {_words(never)}"))


def _words(refused: Refused) -> str:
    return "; ".join(f"{one} ({code} {said})" for one, code, said in refused)


def _answered(code: int, said: bytes, stage: str) -> Sent:
    """A reply that is not yes: RFC 5321 section 4.2.1, 4xx may be tried again, 5xx not."""
    words = rules.one_line(f"{stage}: {said.decode('utf-8', 'replace')}")
    if code == 421 or 400 <= code < 500:
        return Sent(Outcome.RETRY, code, words, timedelta(0))
    return Sent(Outcome.REFUSED if 500 <= code < 600 else Outcome.RETRY, code, words)


def _failed(error: Exception, stage: str) -> Sent:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        what = "STARTTLS" if stage == "STARTTLS" else "a way to sign in that is known here"
        return Sent(Outcome.REFUSED, answer=f"{stage}: the server does not offer {what}")
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return _answered(error.smtp_code, said if isinstance(said, bytes) else str(said).encode(), stage)
    if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
        return Sent(Outcome.REFUSED, answer=rules.one_line(f"{stage}: {error}"))
    if isinstance(error, ssl.SSLCertVerificationError):
        return Sent(Outcome.RETRY, answer=rules.one_line(f"{stage}: {error.verify_message}"))
    said_text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Sent(Outcome.RETRY, answer=rules.one_line(f"{stage}: {said_text}"))


def compose(parcel: Parcel) -> EmailMessage:
    """The letter: plain text with an HTML twin; `References` groups the messages of one alert (RFC 5322 3.6.4)."""
    message, config = parcel.message, parcel.channel.config
    domain = config.sender.rpartition("@")[2]
    letter = EmailMessage()
    letter["Message-ID"] = f"<{parcel.delivery.id}@{domain}>"
    letter["Date"] = format_datetime(message.at)
    letter["From"] = f"Holdfast <{config.sender}>"
    letter["To"] = ", ".join(config.recipients)
    letter["Subject"] = rules.one_line(f"{_WORDS[message.kind]}: {message.title}")
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note answers it
    letter["X-Holdfast-Kind"] = message.kind.value
    letter["X-Holdfast-Severity"] = message.severity.value
    if message.about:
        letter["References"] = f"<{message.about}.{parcel.channel.id}@{domain}>"
    letter.set_content(_text(message))
    letter.add_alternative(_html(message), subtype="html")
    return letter


def _text(message: Message) -> str:
    facts = [f"{label}: {value}" for label, value in message.facts]
    parts = [message.title, message.summary, "\n".join(facts), message.link, _source(message)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(message: Message) -> str:
    rows = "".join(
        f"<tr><th align='left' valign='top'>{escape(label)}</th><td>{escape(value)}</td></tr>"
        for label, value in message.facts
    )
    table = f"<table cellpadding='4'>{rows}</table>" if rows else ""
    link = f"<p><a href='{escape(message.link)}'>Open in Holdfast</a></p>" if message.link else ""
    body = f"<h2>{escape(message.title)}</h2><p>{escape(message.summary)}</p>{table}{link}"
    return f"<!doctype html><html><body>{body}<p><small>{escape(_source(message))}</small></p></body></html>"


def _source(message: Message) -> str:
    return f"Holdfast, workspace {message.workspace_name}, {iso(message.at)[:19]}Z"
