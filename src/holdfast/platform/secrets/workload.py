"""Credentials that come from the machine's own identity at its cloud, so that no secret is stored anywhere.

    workload:aws     a key pair, by botocore's chain: variables, shared files, web identity, container, instance
    workload:azure   a token for Azure's AI services: a federated token, an App Service's identity, else the machine's
    workload:gcp     a token for Google Cloud: the service account of the machine

Only the operator may write them. They are kept until shortly before they expire and never printed. Addresses of metadata
are link-local: they are asked here alone, by a client of their own that goes nowhere else, directly and without a proxy.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import msgspec

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform import outbound
from holdfast.platform.settings import Settings, environment_variable

log = logging.getLogger("holdfast.secrets")

SCHEME = "workload:"
EARLY = 300.0
"""Seconds before its end from which on a token is asked for anew; of one that lives shortly, half its life."""
AGAIN = 10.0
"""Seconds after which it is asked again where a new token was not to be had and the old one still holds."""
ASKED = 60.0
"""Seconds for which a key pair of AWS is taken as it is; botocore itself knows when it ends."""
RESOURCE = "https://cognitiveservices.azure.com"
METADATA = httpx2.Timeout(5.0, connect=2.0)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class _Kept(NamedTuple):
    text: str
    until: float
    """When it is asked for anew."""
    ends: float


class Workloads:
    """What `workload:` references stand for. Thread-safe. `clock` gives Unix seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._aws: Any = None

    def fresh(self, reference: str) -> str | None:
        """What is kept and needs not be asked for anew; None where it does."""
        kept = self._kept.get(reference)
        return kept.text if kept is not None and self._clock() < kept.until else None

    def text(self, reference: str) -> str:
        """The credential: a bearer token, or a key pair as JSON. Raises Invalid, Unavailable; neither repeats it."""
        with self._lock:
            found = self.fresh(reference)
            if found is not None:
                return found
            kept = self._kept.get(reference)
            try:
                made = self._ask(reference)
            except Unavailable as error:
                if kept is None or self._clock() >= kept.ends:
                    raise
                log.warning("%s; the one before still holds", error.detail)
                made = kept._replace(until=self._clock() + AGAIN)
            self._kept[reference] = made
            return made.text

    def _ask(self, reference: str) -> _Kept:
        kind = reference.removeprefix(SCHEME)
        if kind == "aws":
            return self._key_pair()
        if kind not in ("azure", "gcp"):
            raise Invalid(
                "a machine's identity is workload:aws, workload:azure or workload:gcp", where=reference
            )
        said = self._azure() if kind == "azure" else self._gcp()
        now = self._clock()
        token = said.get("access_token")
        try:
            life = float(said["expires_in"]) if "expires_in" in said else float(said["expires_on"]) - now
        except (KeyError, TypeError, ValueError):
            life = 0.0
        if not isinstance(token, str) or not token or life <= 0:
            raise Unavailable("the machine's identity was given no token that holds", where=reference)
        return _Kept(token, now + max(life - EARLY, life / 2), now + life)

    def _key_pair(self) -> _Kept:
        """By botocore, which asks for temporary keys anew before they end."""
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        for name in ("botocore", "urllib3"):
            logging.getLogger(name).setLevel(logging.WARNING)  # in detail they print what they were given
        try:
            if self._aws is None or not hasattr(
                self._aws, "refresh_needed"
            ):  # what does not end may be replaced
                self._aws = Session().get_credentials()
            found = self._aws.get_frozen_credentials() if self._aws is not None else None
        except BotoCoreError as error:
            self._aws = None
            raise Unavailable(
                f"AWS gives this machine no key ({type(error).__name__})", where="workload:aws"
            ) from None
        if found is None:
            raise Unavailable(
                "this machine has no identity at AWS: no variables, shared file, web identity, container or instance role",
                where="workload:aws",
            )
        pair = {
            "AccessKeyId": found.access_key,
            "SecretAccessKey": found.secret_key,
            "SessionToken": found.token or "",
        }
        now = self._clock()
        return _Kept(msgspec.json.encode(pair).decode(), now + ASKED, now + ASKED)

    def _azure(self) -> dict[str, Any]:
        where = "workload:azure"
        client, tenant, file = map(
            _variable, ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE")
        )
        if client and tenant and file:
            authority = _variable("AZURE_AUTHORITY_HOST") or "https://login.microsoftonline.com"
            form = {
                "client_id": client,
                "scope": f"{RESOURCE}/.default",
                "grant_type": "client_credentials",
                "client_assertion_type": _ASSERTION,
                "client_assertion": _read(Path(file), where),
            }
            url = f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
            with outbound.client(self._settings) as http:
                return _said(where, lambda: http.post(url, data=form))
        asked = {"resource": RESOURCE, **({"client_id": client} if client else {})}
        endpoint, secret = _variable("IDENTITY_ENDPOINT"), _variable("IDENTITY_HEADER")
        if endpoint and secret:
            headers = {"x-identity-header": secret}
            return _metadata(where, endpoint, {"api-version": "2019-08-01", **asked}, headers)
        host = _variable("AZURE_POD_IDENTITY_AUTHORITY_HOST") or "http://169.254.169.254"
        url = f"{host.rstrip('/')}/metadata/identity/oauth2/token"
        return _metadata(where, url, {"api-version": "2018-02-01", **asked}, {"metadata": "true"})

    def _gcp(self) -> dict[str, Any]:
        host = _variable("GCE_METADATA_HOST") or "metadata.google.internal"
        url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
        return _metadata("workload:gcp", url, {}, {"metadata-flavor": "Google"})


def _variable(name: str) -> str:
    return environment_variable(name) or ""


def _read(path: Path, where: str) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise Unavailable("the federated token of this machine cannot be read", where=where) from None


def _metadata(where: str, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
    """One request to the machine's own metadata: its address is fixed by the cloud or the operator, never by a user."""
    with httpx2.Client(trust_env=False, follow_redirects=False, timeout=METADATA) as http:
        return _said(where, lambda: http.get(url, params=query, headers=headers))


def _said(where: str, ask: Callable[[], httpx2.Response]) -> dict[str, Any]:
    try:
        answer = ask()
    except (httpx2.HTTPError, httpx2.InvalidURL):
        raise Unavailable("what gives this machine its identity does not answer", where=where) from None
    if answer.status_code != 200:
        raise Unavailable(f"what gives this machine its identity answered {answer.status_code}", where=where)
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Unavailable("what gives this machine its identity answered no JSON object", where=where)
    return said
