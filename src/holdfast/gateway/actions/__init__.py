"""Verbs of the gateway: its configuration, lifts, keys, and what gateways tell of budgets."""

from __future__ import annotations

from holdfast.gateway.actions.configuration import MAX_NOTE as MAX_NOTE
from holdfast.gateway.actions.configuration import Applied as Applied
from holdfast.gateway.actions.configuration import Check as Check
from holdfast.gateway.actions.configuration import Judged as Judged
from holdfast.gateway.actions.configuration import apply as apply
from holdfast.gateway.actions.configuration import check as check
from holdfast.gateway.actions.configuration import judge as judge
from holdfast.gateway.actions.configuration import keep_secret as keep_secret
from holdfast.gateway.actions.configuration import own_secrets as own_secrets
from holdfast.gateway.actions.configuration import refusal as refusal
from holdfast.gateway.actions.configuration import remove_secret as remove_secret
from holdfast.gateway.actions.configuration import tell_prices as tell_prices
from holdfast.gateway.actions.traffic import Written as Written
from holdfast.gateway.actions.traffic import put_traffic as put_traffic
from holdfast.gateway.actions.traffic import read_release as read_release
from holdfast.gateway.actions.traffic import register_release as register_release
