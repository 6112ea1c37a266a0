"""Invented systems in the shapes of Today, the portfolio and the system page, with everything that can stand there."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from browser.samples import NOW
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.pages import system as system_pages
from holdfast.telemetry.reads.standing import Course
from holdfast.telemetry.rules import instrumentation
from holdfast.web.charts import Mark
from holdfast.web.links import Here
from holdfast.web.render import unknown

START = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
FIRST_STEPS = {
    "endpoint": "http://127.0.0.1:8400",
    "may_make_key": True,
    "keys_href": "/w/acme/settings/keys",
}


def _cells(off: int) -> list[dict[str, Any]]:
    texts = (("1,284", "+12 % · −3 %"), ("$4.82", "+80 % · +75 %"), ("12 %", "0.4 % · 0.3 %"))
    texts += (("2.86 s", "949 ms · 960 ms"), ("0.0 %", ""), ("1.8 %", "0.0 % · 0.0 %"))
    made = [
        {"text": text, "note": note, "title": "The day before: so much.", "tone": ""} for text, note in texts
    ]
    made[off]["tone"] = "warning"
    return made


def today(*, quiet: bool) -> dict[str, Any]:
    """Today's context; `quiet`: nothing is off, nothing waits."""
    findings = [
        {
            "tone": "danger",
            "system": "night-batch",
            "href": "/w/acme/systems/night-batch",
            "says": "silent since 2026-11-21 15:56 UTC",
            "note": "In the last 4 h it would usually have made 24 calls.",
        },
        {
            "tone": "warning",
            "system": "claims-triage",
            "href": "/w/acme/systems/claims-triage",
            "says": "error rate 12 %",
            "note": "Its week: 0.3 % in the middle, 0.0 % to 1.3 % would be usual.",
        },
    ]
    rows = [
        {
            "system": name,
            "href": f"/w/acme/systems/{name}",
            "hours": [40 + 9 * (hour % 7) for hour in range(24)],
            "cells": _cells(number % 4),
            "hour": {"text": "52", "note": "0.0 % failed"},
            "silent": number == 0,
        }
        for number, name in enumerate(("night-batch", "claims-triage", "", "a-system-with-quite-a-long-name"))
    ]
    line = '<li><span class="badge danger">firing</span><p><a href="/w/acme/alerts">Error rate of claims-triage</a></p></li>'
    change = '<li><span class="badge sample">new</span><p><a href="/w/acme/calls">hr-copilot: prompt changed</a></p></li>'
    return {
        "ever": True,
        "start": START,
        "findings": [] if quiet else findings,
        "compared": 3,
        "not_compared": ["newcomer"],
        "least": (4, 30),
        "rows": rows,
        "more": 0 if quiet else 12,
        "unknowns": [
            {"label": "without a known cost", "n": 45, "share": 0.018, "href": "/w/acme/calls"},
            {"label": "without tokens", "n": 0, "share": 0.0, "href": ""},
            {"label": "without a route", "n": None, "share": None, "href": ""},
        ],
        "waiting": [] if quiet else [Markup(line)],
        "changes": [] if quiet else [Markup(change)],
        **FIRST_STEPS,
    }


def portfolio() -> dict[str, Any]:
    """The portfolio's context."""
    rows = [
        {
            "system": slug,
            "name": name,
            "purpose": "Answers questions about HR policies" if name else "",
            "owner": owner,
            "escalation": "oncall@acme.example",
            "owner_href": "/w/acme/settings/systems",
            "href": f"/w/acme/systems/{slug}",
            "environments": ["production", "staging"] if slug else [],
            "series": [hour % 9 for hour in range(32)] if slug else [],
            "cells": [
                {"text": text} for text in ("1,284", "$4.82", "2.86 s", "12 %", unknown(short=True), "0.0 %")
            ],
            "unpriced": 0,
            "last_call": NOW - timedelta(minutes=4) if slug else None,
            "last_precision": "to the minute",
        }
        for slug, name, owner in (
            ("hr-copilot", "HR copilot", "Olivia Example"),
            ("claims-triage", "", ""),
            ("", "", ""),
        )
    ]
    return {
        "ever": True,
        "rows": rows,
        "more": 3,
        "default_sort": "-calls",
        "exports": "/api/v1/metrics/query",
        **FIRST_STEPS,
    }


def _course() -> Course:
    steps = []
    for number in range(96):
        calls = 40 + number % 11 * 6
        errors = number % 5 if number > 70 else 0
        steps.append(
            None
            if 30 < number < 36
            else {
                "calls": calls,
                "errors": errors,
                "error_rate": errors / calls,
                "latency_p50": 700.0,
                "latency_p95": 1800 + 700 * math.sin(number / 9),
                "cost": {"USD": Decimal(calls) / 500} if number % 17 else {},
                "refusal_rate": None if number < 12 else 0.01,
                "unpriced": 0,
            }
        )
    whole = {**(steps[0] or {}), "calls": 5210, "unpriced": 12, "cost": {"USD": Decimal("9.41")}}
    route = {**whole, "input_tokens": 1_204_000, "output_tokens": None}
    starts = [NOW - timedelta(seconds=900 * (96 - number)) for number in range(96)]
    return Course(whole, starts, 900, list(steps), [("leave-balance", route), ("", route)], 2)


def system(tab: str, *, quiet: bool) -> dict[str, Any]:
    """The system page's context; `quiet`: no calls."""
    calls = Here("/w/acme/calls", (("system", "hr-copilot"),))
    marks = [
        Mark(
            NOW - timedelta(hours=18), "Prompt changed", "/w/acme/calls", "1,204 → 5,310 input tokens a call"
        ),
        Mark(NOW - timedelta(hours=5), "Model gpt-5-mini → gpt-5-nano"),
    ]
    course = _course()
    covered = {fact.name: 40 * (number % 3) for number, fact in enumerate(instrumentation.FACTS)}
    of = {fact.name: 80 if number % 5 else 0 for number, fact in enumerate(instrumentation.FACTS)}
    checks = instrumentation.checklist(covered, of)
    within = TimeRange(NOW - timedelta(hours=24), NOW)
    return {
        "system": "hr-copilot",
        "registered": None,
        "tabs": [
            {
                "label": label,
                "href": f"/w/acme/systems/hr-copilot?tab={key}",
                "current": key == tab,
                "count": None,
            }
            for key, label in system_pages.TABS.items()
        ],
        "settings_href": "/w/acme/settings/systems",
        "calls_href": str(calls),
        "any": not quiet,
        "board": system_pages.board(course, within, marks, calls),
        "marks": list(enumerate(marks, 1)),
        "marks_failed": True,
        "routes": [system_pages.route_row(calls, name, values) for name, values in course.routes],
        "more_routes": course.more_routes,
        "more": [],
        "start": within.start,
        "end": within.end,
        "counted": 80,
        "checks": checks,
        "done": sum(one.state == "done" for one in checks),
        "unknown_facts": 1,
    }
