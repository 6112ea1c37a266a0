"""Verbs of access, by topic; the ones that other rooms and the command line use are named here."""

from holdfast.platform.access.actions.keys import create_key, revoke_key
from holdfast.platform.access.actions.links import first_sign_in_link, sign_in_link
from holdfast.platform.access.actions.members import make_admin

__all__ = ["create_key", "first_sign_in_link", "make_admin", "revoke_key", "sign_in_link"]
