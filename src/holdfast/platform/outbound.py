"""Every connection that Holdfast opens to the outside is made here: one CA bundle, proxy and client certificate.

Addresses that users give (webhooks) go through `guarded_client`: the name is resolved once, every address is
judged, and the connection goes to the very address that was judged, so that a name which changes its mind
between the two (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass

import httpx2

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.settings import Settings

TIMEOUT = httpx2.Timeout(10.0, connect=5.0)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_METADATA = (ipaddress.ip_address("168.63.129.16"),)  # Azure's host: a public number that is not public
_COMPATIBLE = ipaddress.ip_network("::/96")  # IPv4-compatible, long given up

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Allowed:
    """What `outbound_allow` lists: names, and networks."""

    hosts: frozenset[str]
    networks: tuple[Network, ...]


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """TLS as every outbound connection does it, for raw sockets too. Raises Invalid where a file cannot be used.

    With `ca_bundle` that bundle alone is trusted, else the system's.
    """
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_bundle) if settings.ca_bundle else None)
    except (OSError, ssl.SSLError) as error:
        raise Invalid("the CA bundle cannot be read as PEM", where="HOLDFAST_CA_BUNDLE") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.client_cert is not None:
        key = str(settings.client_key) if settings.client_key else None
        try:
            context.load_cert_chain(str(settings.client_cert), key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            raise Invalid(
                "the client certificate or its key cannot be used", where="HOLDFAST_CLIENT_CERT"
            ) from error
    return context


def _no_password() -> str:
    return ""  # a key with a passphrase is refused; asking on the terminal would hang a server


def client(settings: Settings, timeout: httpx2.Timeout = TIMEOUT) -> httpx2.Client:
    """A client for addresses that the operator set. Follows no redirect, reads no environment. Close it."""
    return httpx2.Client(
        verify=ssl_context(settings),
        proxy=settings.proxy or None,
        trust_env=False,
        follow_redirects=False,
        timeout=timeout,
    )


def guarded_client(settings: Settings, timeout: httpx2.Timeout = TIMEOUT) -> httpx2.Client:
    """A client for addresses that users give. Requests raise Invalid where the address is not to be reached.

    With a proxy, the proxy is asked for the judged address as well, not for the name.
    """
    inner = httpx2.HTTPTransport(verify=ssl_context(settings), proxy=settings.proxy or None, trust_env=False)
    guarded = _Guarded(inner, allowed(settings.outbound_allow))
    return httpx2.Client(transport=guarded, trust_env=False, follow_redirects=False, timeout=timeout)


def check_url(settings: Settings, url: str) -> None:
    """Judges a URL when it is set, before anything is sent. Raises Invalid, or Unavailable where it does not resolve."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise Invalid("this is not a URL", where="url") from error
    pinned(parsed, allowed(settings.outbound_allow))


def judged_address(settings: Settings, host: str, port: int) -> str:
    """The address to connect to for a host that a user gave, such as a mail server's. Raises Invalid, Unavailable."""
    return _judged(host, port, allowed(settings.outbound_allow), "host")


def host_of(url: str) -> str:
    """The host of a URL, to be named where the rest may be a secret; empty where there is none."""
    try:
        return httpx2.URL(url).host
    except (httpx2.InvalidURL, ValueError):
        return ""


def allowed(text: str) -> Allowed:
    """The setting `outbound_allow`, read: `hooks.internal,10.1.0.0/16`."""
    hosts: set[str] = set()
    networks: list[Network] = []
    for part in (piece.strip().lower() for piece in text.split(",")):
        if not part:
            continue
        try:
            networks.append(ipaddress.ip_network(part))
        except ValueError:
            if "/" in part:
                raise Invalid(
                    f"{part!r} is neither a host nor a network", where="HOLDFAST_OUTBOUND_ALLOW"
                ) from None
            hosts.add(part.rstrip("."))
    return Allowed(frozenset(hosts), tuple(networks))


def pinned(url: httpx2.URL, allow: Allowed) -> str:
    """The address to connect to for a URL that a user gave.

    Raises Invalid for another scheme, credentials in the URL, or a host of which any address is not public;
    Unavailable where the name does not resolve. The message never says what the name resolved to.
    """
    if url.scheme not in ("http", "https") or not url.host:
        raise Invalid("this needs an http or https URL", where="url")
    if url.userinfo:
        raise Invalid("a URL must not hold a user name or password", where="url")
    return _judged(url.host, url.port or (443 if url.scheme == "https" else 80), allow, "url")


def _judged(host: str, port: int, allow: Allowed, where: str) -> str:
    host = host.lower().rstrip(".")
    addresses = resolve(host, port)
    if host not in allow.hosts and not all(reachable(address, allow) for address in addresses):
        raise Invalid(
            "this address is inside a private network; whoever runs Holdfast can allow it (HOLDFAST_OUTBOUND_ALLOW)",
            where=where,
        )
    return str(addresses[0])


def resolve(host: str, port: int) -> list[Address]:
    """Every address of a host, in the system's order. Raises Unavailable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable("this host name does not resolve", retry_after=60) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses:
        raise Unavailable("this host name does not resolve", retry_after=60)
    return addresses


def reachable(address: Address, allow: Allowed) -> bool:
    """Whether a user's URL may lead to this address: public, or in a network that is allowed.

    Public is what IANA's special-purpose registries (RFC 6890) say; an IPv4 address inside an IPv6 one
    (mapped, compatible, NAT64, 6to4) is judged as what it is; Teredo and multicast never pass.
    """
    if any(address in network for network in allow.networks):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return reachable(inner, allow)
        if address.teredo is not None or address in _NAT64_LOCAL or address.is_site_local:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in _METADATA
    )


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class _Guarded(httpx2.BaseTransport):
    """Resolves, judges, then sends to the judged address; TLS and the Host header keep the name."""

    def __init__(self, inner: httpx2.HTTPTransport, allow: Allowed) -> None:
        self._inner = inner
        self._allow = allow

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.host
        address = pinned(request.url, self._allow)
        aimed = httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": name},
        )
        return self._inner.handle_request(aimed)

    def close(self) -> None:
        self._inner.close()
