"""A stream into syslog: RFC 5424 messages over TLS (RFC 5425), each framed by its length in octets.

Syslog has no acknowledgement of its own. So every batch has its own connection, and counts as delivered once
the receiver has answered our end of the TLS session with its own (RFC 5425 section 4.4 asks that of it). A
connection that merely closes proves nothing: one that refused our certificate does so too. It is sent again.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Sequence
from errno import ECONNABORTED

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.kernel.time import iso
from holdfast.platform.audit.model import Checkpoint, Item, StreamConfig
from holdfast.platform.audit.rules.exports import as_line
from holdfast.platform.audit.rules.records import readable

AUDIT_FACILITY = 13
INFORMATIONAL, WARNING = 6, 4
MAX_MESSAGE = 8192
"""Octets. RFC 5425 section 4.3.1: a receiver should take this much, and need not take more."""

_CHUNK = 16 * 1024
_NOT_PRINTABLE = re.compile(r"[^!-~]")


class SyslogStream:
    """Sends to `config.host:config.port`, checked against `config.ca` or the system's list."""

    def __init__(self, config: StreamConfig) -> None:
        if not config.host:
            raise Invalid("a syslog stream needs a host", where="audit streams")
        self.name = config.name
        self._config = config
        self._sender = socket.gethostname()

    def send(self, items: Sequence[Item]) -> None:
        """Sends the batch over one connection and waits until the receiver has read it."""
        host, port, timeout = str(self._config.host), self._config.port, self._config.timeout
        frames = b"".join(frame(message(item, self._sender)) for item in items)
        try:
            context = tls_context(self._config)
            with socket.create_connection((host, port), timeout=timeout) as plain:
                _exchange(plain, context, host, frames)
        except (OSError, ssl.SSLError) as error:
            said = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
            raise Unavailable(f"the audit stream {self.name} cannot reach {host}:{port}: {said}") from error


def tls_context(config: StreamConfig) -> ssl.SSLContext:
    """TLS 1.2 or later, the peer's certificate and name checked; ours is shown where there is one."""
    context = ssl.create_default_context(cafile=config.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.cert:
        context.load_cert_chain(config.cert, config.key)
    return context


def frame(message: bytes) -> bytes:
    """Octet counting: RFC 5425 section 4.3, the same as RFC 6587 section 3.4.1."""
    return str(len(message)).encode() + b" " + message


def message(item: Item, host: str) -> bytes:
    """One RFC 5424 message: facility 13 (log audit), the action as MSGID, the JSON line as MSG.

    Where that is over MAX_MESSAGE octets, MSG has only the commitment and `"shortened":true`.
    """
    severity, action = INFORMATIONAL, "audit.checkpoint"
    if not isinstance(item, Checkpoint):
        action = item.action
        record = readable(item)
        severity = INFORMATIONAL if record is None or record.outcome == "ok" else WARNING
    priority, sender, kind = AUDIT_FACILITY * 8 + severity, _name(host, 255), _name(action, 32)
    head = f"<{priority}>1 {iso(item.at)} {sender} holdfast - {kind} - "
    whole = (head + as_line(item)).encode()
    if len(whole) <= MAX_MESSAGE or isinstance(item, Checkpoint):
        return whole
    place = f'"workspace":"{_name(item.workspace, 64)}","index":{item.index},"leaf":"{item.leaf_hash.hex()}"'
    return (head + f'{{"kind":"entry",{place},"shortened":true}}').encode()


def _name(text: str, length: int) -> str:
    return _NOT_PRINTABLE.sub("_", text)[:length] or "-"


def _exchange(plain: socket.socket, context: ssl.SSLContext, host: str, data: bytes) -> None:
    """One TLS session: handshake, the data, our goodbye, and the other side's. Raises OSError without that.

    Done over memory because a Python TLS socket takes a bare close for a goodbye.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    _drive(plain, incoming, outgoing, tls.do_handshake)
    rest = memoryview(data)
    while rest:
        rest = rest[tls.write(rest) :]
    _drive(plain, incoming, outgoing, tls.unwrap)


def _drive(
    plain: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, step: Callable[[], object]
) -> None:
    while True:
        try:
            step()
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            received = plain.recv(_CHUNK)
            if not received:
                raise ConnectionAbortedError(ECONNABORTED, "closed without a TLS goodbye") from None
            incoming.write(received)
        else:
            plain.sendall(outgoing.read())
            return
