"""Settings › Notifications: channels, a test button, what came of the last messages."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, Unavailable
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.forms import sections, with_error
from holdfast.platform.frame import page
from holdfast.platform.notify import reads
from holdfast.platform.notify.actions import channels as channel_actions
from holdfast.platform.notify.actions import outbox
from holdfast.platform.notify.model import Channel, ChannelConfig, ChannelKind, DeliveryState, Tls
from holdfast.platform.notify.reads import Told
from holdfast.platform.secrets.reads import sealing_key
from holdfast.web.shell import Banner

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/settings/notifications")
Admin = Annotated[Caller, Depends(page_caller(Scope.ADMIN, everywhere=True))]
AdminForm = Annotated[Caller, Depends(form_caller(Scope.ADMIN, everywhere=True))]
Text = Annotated[str, Form(max_length=10_000)]
Given = dict[str, str]

KINDS = {
    ChannelKind.EMAIL: ("E-mail", "mail", "By your mail server (SMTP)."),
    ChannelKind.WEBHOOK: ("Signed webhook", "link", "A POST that your own code can verify."),
    ChannelKind.SLACK: ("Slack", "flow", "An incoming webhook of a Slack app."),
    ChannelKind.TEAMS: ("Microsoft Teams", "users", "A Workflows webhook of a Teams channel."),
}
TONES = {
    DeliveryState.DELIVERED: ("success", "delivered"),
    DeliveryState.FAILED: ("danger", "failed"),
    DeliveryState.WAITING: ("warning", "waits"),
    DeliveryState.SENDING: ("", "being sent"),
    DeliveryState.CANCELLED: ("", "cancelled"),
}
KEPT = "Kept encrypted and never shown. Leave empty to keep it."


@router.get("")
def notifications_page(
    request: Request, by: Admin, add: str = "", channel: str = "", tested: str = ""
) -> Response:
    """The channels; `add` opens the form of a kind, `channel` that of a channel, `tested` shows a test's receipt."""
    kind = ChannelKind(add) if add in set(ChannelKind) else None
    edited = None
    if channel:
        with services(request).database.reading() as tx:
            edited = reads.channel(by.ctx, tx, channel)
    given = _as_form(edited) if edited else {}
    return _page(request, by, edited.kind if edited else kind, edited, given, tested=tested)


def _as_form(one: Channel) -> Given:
    config = one.config
    return {
        "name": one.name,
        "host": config.host,
        "port": str(config.port),
        "tls": config.tls.value,
        "user": config.user,
        "sender": config.sender,
        "recipients": ", ".join(config.recipients),
        "url": config.url,
        "enabled": "yes" if one.enabled else "no",
    }


def _fields(kind: ChannelKind, given: Given, *, known: bool) -> list[dict[str, Any]]:
    """The form of a kind; `known` is a channel that is there, whose secret may stay."""

    def field(name: str, label: str, hint: str = "", default: str = "", **more: Any) -> dict[str, Any]:
        return {"name": name, "label": label, "hint": hint, "value": given.get(name, default), **more}

    fields = [field("name", "Name", "Such as “On call” or “Finance”.", required=True)]
    if kind is ChannelKind.EMAIL:
        tls = [
            (Tls.STARTTLS, "STARTTLS"),
            (Tls.TLS, "TLS from the first byte"),
            (Tls.NONE, "none: in the clear"),
        ]
        fields += [
            field("host", "Mail server", "Such as smtp.example.com.", required=True),
            field("port", "Port", "587 with STARTTLS, 465 with TLS.", "587", required=True),
            field("tls", "Encryption", options=[(one.value, words) for one, words in tls], required=True),
            field("user", "User", "Empty where the server asks for none."),
            _secret("Password", KEPT if known else "Kept encrypted and never shown."),
            field("sender", "From", "An address that the server may send as.", required=True),
            field("recipients", "To", "Addresses, separated by commas.", required=True),
        ]
    elif kind is ChannelKind.WEBHOOK:
        hint = KEPT if known else "Begins with whsec_. Leave empty and one is made for you."
        fields += [
            field("url", "URL", "Where to POST. Private addresses must be allowed.", required=True),
            _secret("Signing secret", hint),
        ]
    else:
        where = "Slack’s" if kind is ChannelKind.SLACK else "the workflow’s"
        hint = KEPT if known else f"Paste {where} webhook URL: it is a secret, and kept as one."
        fields.append(_secret("Webhook URL", hint, required=not known))
    if known:
        choices = [("yes", "on"), ("no", "off: nothing is sent")]
        fields.append(field("enabled", "State", options=choices, required=True))
    return fields


def _secret(label: str, hint: str, required: bool = False) -> dict[str, Any]:
    return {
        "name": "secret",
        "label": label,
        "hint": hint,
        "type": "password",
        "autocomplete": "new-password",
        "required": required,
    }


def _page(
    request: Request,
    by: Caller,
    kind: ChannelKind | None,
    edited: Channel | None,
    given: Given,
    error: HoldfastError | None = None,
    revealed: str = "",
    tested: str = "",
) -> Response:
    base = f"/w/{by.workspace.slug}/settings/notifications"
    with services(request).database.reading() as tx:
        found = reads.channels(by.ctx, tx)
        failing = reads.failing(by.ctx, tx)
        told = reads.deliveries(by.ctx, tx, limit=25)
    form = None
    if kind is not None:
        if error is not None and error.where == "url" and reads.needs_secret(kind):
            error.where = "secret"  # there the URL is the secret
        form = {
            "title": f"{'Change' if edited else 'Add'}: {KINDS[kind][0]}",
            "action": f"{base}/{edited.id}" if edited else base,
            "submit": "Save the channel" if edited else "Add the channel",
            "hidden": kind.value,
            "fields": with_error(_fields(kind, given, known=edited is not None), error),
        }
    answer = page(
        request,
        by,
        "notify/notifications.html",
        banners=tuple(failure_banner(one, base) for one in failing),
        sections=sections(request, by, "notifications"),
        timeless=True,
        base_here=base,
        channels=[_row(one) for one in found],
        kinds=[
            {"kind": one.value, "label": words, "icon": icon, "note": note, "href": f"{base}?add={one.value}"}
            for one, (words, icon, note) in KINDS.items()
        ],
        form=form,
        revealed=revealed,
        tested=next((_told(one) for one in told if one.delivery.id == tested), None),
        told=[_told(one) for one in told],
    )
    if error is not None:
        answer.status_code = error.status
    return answer


def failure_banner(channel: Channel, base: str) -> Banner:
    """What every page with alerts says while a channel fails."""
    text = f"Messages to “{channel.name}” do not arrive: {channel.failure}"
    return Banner("danger", text, base, "Look at it")


def _row(one: Channel) -> dict[str, Any]:
    words, icon, _ = KINDS[one.kind]
    return {"channel": one, "kind": words, "icon": icon}


def _told(one: Told) -> dict[str, Any]:
    tone, words = TONES[one.delivery.state]
    return {"told": one, "tone": tone, "state": words}


@router.post("")
def add_channel(
    request: Request,
    by: AdminForm,
    kind: Text = "",
    name: Text = "",
    host: Text = "",
    port: Text = "587",
    tls: Text = "starttls",
    user: Text = "",
    sender: Text = "",
    recipients: Text = "",
    url: Text = "",
    secret: Text = "",
) -> Response:
    """Takes the form of a new channel; shows the signing secret that was made, once."""
    if kind not in set(ChannelKind):
        raise Invalid("there is no such kind of channel", where="kind")
    chosen = ChannelKind(kind)
    given = _given(name, host, port, tls, user, sender, recipients, url)
    found = services(request)
    try:
        config = _config(given)
        channel_actions.check_target(found.settings, chosen, config, secret)
        master = sealing_key(found.settings)
        with found.database.transaction() as tx:
            _, made = channel_actions.add_channel(
                by.ctx, tx, master, name=name, kind=chosen, config=config, secret=secret
            )
    except (Invalid, Conflict, Unavailable) as error:
        return _page(request, by, chosen, None, given, error)
    if made:
        return _page(request, by, None, None, {}, revealed=made)
    return _back(by)


@router.post("/{channel}")
def change_channel(
    request: Request,
    by: AdminForm,
    channel: str,
    name: Text = "",
    host: Text = "",
    port: Text = "587",
    tls: Text = "starttls",
    user: Text = "",
    sender: Text = "",
    recipients: Text = "",
    url: Text = "",
    secret: Text = "",
    enabled: Text = "yes",
) -> Response:
    """Takes the form of a channel that is there."""
    found = services(request)
    with found.database.reading() as tx:
        before = reads.channel(by.ctx, tx, channel)
    given = _given(name, host, port, tls, user, sender, recipients, url) | {"enabled": enabled}
    try:
        config = _config(given)
        channel_actions.check_target(found.settings, before.kind, config, secret or None)
        master = sealing_key(found.settings)
        with found.database.transaction() as tx:
            channel_actions.change_channel(
                by.ctx,
                tx,
                master,
                channel,
                name=name,
                config=config,
                secret=secret or None,
                enabled=enabled != "no",
            )
    except (Invalid, Conflict, Unavailable) as error:
        return _page(request, by, before.kind, before, given, error)
    return _back(by)


@router.post("/{channel}/test")
def test_channel(request: Request, by: AdminForm, channel: str) -> Response:
    """Sends a real test message and shows what came of it."""
    delivery = outbox.test(by.ctx, request.app.state.post, channel, by.workspace.slug)
    return _back(by, f"?tested={quote(delivery.id)}")


@router.post("/{channel}/remove")
def remove_channel(request: Request, by: AdminForm, channel: str) -> Response:
    """Forgets a channel."""
    with services(request).database.transaction() as tx:
        channel_actions.remove_channel(by.ctx, tx, channel)
    return _back(by)


def _given(
    name: str, host: str, port: str, tls: str, user: str, sender: str, recipients: str, url: str
) -> Given:
    return {
        "name": name,
        "host": host,
        "port": port,
        "tls": tls,
        "user": user,
        "sender": sender,
        "recipients": recipients,
        "url": url,
    }


def _config(given: Given) -> ChannelConfig:
    if given["tls"] not in set(Tls):
        raise Invalid("there is no such encryption", where="tls")
    try:
        port = int(given["port"])
    except ValueError:
        raise Invalid("a port is a number from 1 to 65535", where="port") from None
    to = tuple(part.strip() for part in given["recipients"].replace("\n", ",").split(",") if part.strip())
    return ChannelConfig(
        given["host"], port, Tls(given["tls"]), given["user"], given["sender"], to, given["url"]
    )


def _back(by: Caller, query: str = "") -> Response:
    return RedirectResponse(f"/w/{by.workspace.slug}/settings/notifications{query}", 303)
