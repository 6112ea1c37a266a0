"""Verbs of notify: channels, and the outbox."""

from __future__ import annotations

from holdfast.platform.notify.actions.outbox import send as send
