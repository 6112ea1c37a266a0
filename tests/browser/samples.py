"""Invented data in the shapes that the templates expect, for looking at pages before and beside the product."""
# ruff: noqa: E501

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from holdfast.web import charts

NOW = datetime(2026, 11, 21, 20, 14, 3, 123000, tzinfo=UTC)
ROUTES = ("leave-balance", "policy-question", "payslip-explain", "onboarding-checklist")
AGENTS = ("hr-assistant", "policy-researcher")
TENANTS = ("northwind", "tamarind-retail", "ostsee-logistik")
MODELS = (("openai", "gpt-5-mini-2026-08-07"), ("anthropic", "claude-haiku-4-6"), ("local", "smollm2-135m"))


def call(number: int, **changes: Any) -> dict[str, Any]:
    """One call as the JSON API gives it; the number decides everything, `changes` override."""
    dice = random.Random(number)
    provider, model = MODELS[dice.choice((0, 0, 1, 1, 1, 2))]
    failed = dice.random() < 0.08
    fresh, cached, out = dice.randint(60, 2600), dice.choice((0, 0, 600, 1900, 5200)), dice.randint(8, 900)
    duration = dice.lognormvariate(7.1, 0.9)
    facts = {
        "id": f"{number:016x}",
        "trace_id": f"{number * 7919:032x}",
        "span_id": f"{number:016x}",
        "started_at": NOW - timedelta(seconds=number * 2.7 + dice.random()),
        "duration_ms": duration,
        "system": "hr-copilot",
        "environment": "production",
        "route": dice.choice(ROUTES),
        "agent": dice.choice(AGENTS),
        "tenant": dice.choice((*TENANTS, None)),
        "user": f"u-{dice.randint(100, 160)}",
        "session": f"s-{dice.randint(1000, 1020)}",
        "release": "hr-copilot@2026.11.2",
        "provider": provider,
        "request_model": model,
        "response_model": model,
        "operation": "chat",
        "status": "error" if failed else "ok",
        "error_class": dice.choice(("rate_limit", "timeout", "model")) if failed else None,
        "error_type": "RateLimitError" if failed else None,
        "streaming": dice.random() < 0.7,
        "ttft_ms": duration * 0.3 if dice.random() < 0.9 else None,
        "input_uncached_tokens": fresh,
        "input_cache_read_tokens": cached,
        "input_cache_write_tokens": 0,
        "output_tokens": None if failed else out,
        "reasoning_tokens": None,
        "cost_amount": None
        if provider == "local"
        else Decimal(fresh * 3 + cached * 0.3 + out * 15) / 4_000_000,
        "cost_currency": "USD",
        "cost_unknown_reason": "No price is known for smollm2-135m." if provider == "local" else None,
        "price_id": None if provider == "local" else f"{provider}/{model}",
        "finish_reasons": ["length"] if dice.random() < 0.05 else ["stop"],
        "refusal": dice.random() < 0.03,
        "sample": number % 17 == 5,
        "total_tokens": fresh + cached + out,
    }
    return {**facts, **changes}


def facets() -> list[dict[str, Any]]:
    """Facets with counts."""
    lists = {
        "system": ("System", ("hr-copilot", 18234), ("claims-triage", 2210)),
        "environment": ("Environment", ("production", 17210), ("staging", 3234)),
        "route": ("Route", *[(route, 9000 // (n + 1)) for n, route in enumerate(ROUTES)]),
        "agent": ("Agent", *[(agent, 12000 // (n + 1)) for n, agent in enumerate(AGENTS)]),
        "tenant": (
            "Tenant",
            *[(tenant, 8000 // (n + 1)) for n, tenant in enumerate(TENANTS)],
            ("unknown", 1240),
        ),
        "model": ("Model", *[(model, 10000 // (n + 1)) for n, (_, model) in enumerate(MODELS)]),
        "operation": ("Operation", ("chat", 19980), ("embeddings", 464)),
        "status": ("Status", ("ok", 18990), ("error", 1454)),
        "error_class": ("Error class", ("rate_limit", 903), ("timeout", 410), ("model", 141)),
        "finish_reason": ("Finish reason", ("stop", 17800), ("length", 901), ("tool_calls", 1210)),
        "refusal": ("Refusal", ("yes", 512), ("no", 19932)),
        "sample": ("Sample data", ("yes", 1202), ("no", 19242)),
    }
    return [
        {
            "name": name,
            "label": label,
            "open": index in (2, 4, 5, 7),
            "values": [{"value": value, "label": value, "count": count} for value, count in values],
        }
        for index, (name, (label, *values)) in enumerate(lists.items())
    ]


def summary() -> dict[str, Any]:
    """Figures and bars over 24 hours."""
    dice = random.Random(4)
    buckets = []
    for n in range(96):
        total = round(120 + 90 * (1 - abs(n - 52) / 52) + dice.random() * 60)
        part = dice.choice((0, 0, 0, 1, 4)) if n not in (70, 71, 72) else total // 3
        at = NOW - timedelta(minutes=15 * (96 - n))
        buckets.append(
            {
                "total": total,
                "part": part,
                "label": f"{at:%H:%M}: {total} calls, {part} failed",
                "href": f"?from={n}",
            }
        )
    wave = [dice.random() * 20 + 60 + 30 * (n % 12 > 8) for n in range(48)]
    gap: list[float | None] = [*wave[:20], None, None, *wave[22:]]
    return {
        "calls": 20444,
        "errors": 1454,
        "p50_ms": 842.0,
        "p95_ms": 6120.0,
        "input_tokens": 48_203_111,
        "output_tokens": 6_120_443,
        "cache_share": 0.413,
        "cost": Decimal("118.4021"),
        "currency": "USD",
        "unpriced": 1240,
        "partial": False,
        "buckets": buckets,
        "first": "20 Nov 20:14",
        "last": "now",
        "past": {
            "calls": wave,
            "errors": [1, 2, 0, 1, 0, 3, 22, 19, 2, 1],
            "p95_ms": gap,
            "tokens": wave,
            "cost": wave[::-1],
            "cache_share": wave,
        },
    }


MS = 1_000_000
SPANS: tuple[tuple[str, str, str, str, str, int, int, bool], ...] = (
    ("a1", "", "POST /ask", "workflow", "hr-copilot", 0, 4310, True),
    ("a2", "a1", "invoke_agent hr-assistant", "agent", "", 12, 4290, True),
    ("a3", "a2", "embeddings minilm", "embeddings", "12 texts", 20, 96, False),
    ("a4", "a2", "retrieve policies", "retrieval", "5 documents", 98, 141, False),
    ("a5", "a2", "rerank policies", "rerank", "", 142, 230, False),
    ("a6", "a2", "chat claude-haiku-4-6", "inference", "tool_use", 236, 1490, False),
    ("a7", "a2", "execute_tool leave_balance", "tool", "", 1496, 1731, False),
    ("a8", "a7", "GET /employees/u-117/leave", "other", "200", 1502, 1725, False),
    ("a9", "a2", "chat claude-haiku-4-6", "inference", "attempt 1: 529", 1740, 2110, True),
    ("aa", "a2", "chat claude-haiku-4-6", "inference", "end_turn", 2360, 4280, False),
    ("ab", "zz", "log usage", "other", "", 4282, 4309, False),
)


def trace() -> dict[str, Any]:
    """One trace's header."""
    return {
        "id": "5b8efff798038103d269b633813fc60c",
        "started_at": NOW - timedelta(seconds=41),
        "duration_ms": 4310.0,
        "system": "hr-copilot",
        "environment": "production",
        "route": "policy-question",
        "agent": "hr-assistant",
        "tenant": "northwind",
        "user": None,
        "session": "s-1013",
        "release": "hr-copilot@2026.11.2",
        "error": True,
        "sample": False,
        "spans": 11,
        "calls": 5,
        "session_href": "?session=s-1013",
        "calls_href": "/w/acme/calls",
        "tokens": {
            "input_uncached": 412,
            "input_cache_read": 3120,
            "input_cache_write": 640,
            "output": 318,
            "reasoning": 96,
        },
        "cost": Decimal("0.004871"),
        "currency": "USD",
        "unpriced": 1,
        "prices": [
            {
                "id": "anthropic/claude-haiku-4-6",
                "effective_from": datetime(2026, 8, 1, tzinfo=UTC),
                "source": "genai-prices",
            }
        ],
        "quality": [
            {"what": "usage.part_exceeds_whole", "where": "span a6: reasoning tokens exceed output tokens"}
        ],
    }


def rows() -> list[dict[str, Any]]:
    """The waterfall."""
    places = {
        row.id: row for row in charts.waterfall(charts.Bar(s[0], s[1], s[5] * MS, s[6] * MS) for s in SPANS)
    }
    found = {s[0]: s for s in SPANS}
    return [
        {
            "place": place,
            "name": found[i][2],
            "kind": found[i][3],
            "note": found[i][4],
            "failed": found[i][7],
            "is_call": found[i][3] in ("inference", "embeddings", "rerank"),
            "duration_ms": float(found[i][6] - found[i][5]),
        }
        for i, place in places.items()
    ]


def content(state: str = "captured") -> dict[str, Any]:
    """What was said in one call."""
    details = {
        "captured": "The policy of hr-copilot takes these out before content is stored.",
        "denied": "Reading what people wrote is a permission of its own; yours does not include it. Every opening is recorded.",
        "off": "Content capture is off for hr-copilot in production since 3 November 2026.",
        "expired": "Content of hr-copilot is kept for 30 days; the facts of the call stay.",
        "erased": "It was erased on 12 November 2026 on request of the person concerned.",
        "sampled_out": "One call in ten keeps its content here.",
    }
    return {
        "state": state,
        "detail": details[state],
        "redacted": [{"kind": "e-mail", "count": 2}, {"kind": "IBAN", "count": 1}]
        if state == "captured"
        else [],
        "grant_href": "/w/acme/settings/members" if state == "denied" else "",
        "query": None,
        "tool_arguments": None,
        "tool_result": None,
        "system_instructions": [
            {
                "type": "text",
                "content": "You answer questions about HR policies. Say where an answer stands. If it stands nowhere, say so.",
            }
        ],
        "input_messages": [
            {
                "role": "user",
                "parts": [
                    {
                        "type": "text",
                        "content": "I'm [e-mail removed]. How many days of leave can I take over into next year,\nand until when?",
                    }
                ],
            },
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "I need the balance first."},
                    {
                        "type": "tool_call",
                        "id": "call_7",
                        "name": "leave_balance",
                        "arguments": {"employee": "u-117", "year": 2026},
                    },
                ],
            },
            {
                "role": "tool",
                "parts": [
                    {
                        "type": "tool_call_response",
                        "id": "call_7",
                        "response": {"days_left": 7.5, "carry_over_limit": 5},
                    }
                ],
            },
        ],
        "output_messages": [
            {
                "role": "assistant",
                "finish_reason": "stop",
                "parts": [
                    {
                        "type": "text",
                        "content": "You have 7.5 days left and can take 5 of them over. They must be used by 31 March 2027 (Leave policy, section 4.2). The other 2.5 days lapse on 31 December.",
                    }
                ],
            }
        ],
        "tool_definitions": [
            {
                "name": "leave_balance",
                "description": "Days of leave of one employee",
                "parameters": {"type": "object"},
            }
        ],
        "documents": [
            {
                "id": "leave-policy#4.2",
                "score": 0.871,
                "content": "Up to five days may be taken over into the following year. They lapse on 31 March.",
                "metadata": {},
            },
            {
                "id": "leave-policy#4.1",
                "score": 0.704,
                "content": "Leave is to be taken in the calendar year in which it is granted.",
                "metadata": {},
            },
            {
                "id": "works-agreement#9",
                "score": None,
                "content": "Exceptions are agreed in writing.",
                "metadata": {},
            },
        ],
    }


def span(state: str = "captured", known_price: bool = True) -> dict[str, Any]:
    """The chosen span."""
    amounts = {
        "input, uncached": (412, "0.000412"),
        "input, cache read": (3120, "0.000312"),
        "input, cache write": (640, "0.0008"),
        "output": (318, "0.00159"),
    }
    usage = [
        {
            "bucket": name,
            "within": False,
            "tokens": n,
            "amount": Decimal(amount) if known_price else None,
            "each": "$1.00 / M",
        }
        for name, (n, amount) in amounts.items()
    ]
    usage.insert(
        3, {"bucket": "written for 5 minutes", "within": True, "tokens": 640, "amount": None, "each": ""}
    )
    usage.append({"bucket": "reasoning", "within": True, "tokens": 96, "amount": None, "each": ""})
    return {
        "id": "aa",
        "name": "chat claude-haiku-4-6",
        "kind": "inference",
        "status": "ok",
        "status_message": "",
        "started_at": NOW,
        "duration_ms": 1920.0,
        "scope": "opentelemetry.instrumentation.anthropic 0.61",
        "service": "hr-copilot",
        "call": call(12, status="ok", error_class=None, response_model="claude-haiku-4-6", ttft_ms=311.0),
        "content": content(state),
        "usage": usage,
        "charge": {
            "amount": Decimal("0.003114") if known_price else None,
            "currency": "USD",
            "price_id": "anthropic/claude-haiku-4-6",
            "effective_from": datetime(2026, 8, 1, tzinfo=UTC),
            "source": "genai-prices",
            "unknown_reason": None
            if known_price
            else "No price is known for claude-haiku-4-6 from this provider.",
        },
        "facts": [
            {"field": "operation", "value": "chat", "source": "gen_ai.operation.name", "derived": ""},
            {
                "field": "response_model",
                "value": "claude-haiku-4-6",
                "source": "gen_ai.response.model",
                "derived": "",
            },
            {"field": "usage.output", "value": 318, "source": "gen_ai.usage.output_tokens", "derived": ""},
            {"field": "ttft_ms", "value": 311.0, "source": None, "derived": "first token event − start"},
        ],
        "attributes": [
            {"group": "span", "name": name, "value": value}
            for name, value in {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "claude-haiku-4-6",
                "gen_ai.usage.input_tokens": 4172,
                "gen_ai.response.finish_reasons": ["end_turn"],
                "server.address": "api.anthropic.com",
            }.items()
        ]
        + [{"group": "resource", "name": "service.name", "value": "hr-copilot"}],
        "events": [
            {"name": "gen_ai.first_token", "at": NOW, "offset_ms": 311.0, "attributes": {"gen_ai.index": 0}}
        ],
        "merged": [
            {"id": "aa", "scope": "opentelemetry.instrumentation.anthropic"},
            {"id": "ac", "scope": "holdfast.gateway"},
        ],
    }


def odd_content() -> dict[str, Any]:
    """Content as no convention has it: what senders really write when they err."""
    return {
        **content(),
        "system_instructions": ["plain text"],
        "input_messages": [
            "a bare text",
            {"role": None, "parts": "not a list"},
            {"parts": [None, 7, {"type": None}, {"type": "blob", "mime_type": "image/png"}]},
            {"role": "<script>alert(1)</script>", "parts": {"type": "text", "content": "<b>bold</b>"}},
        ],
        "output_messages": [
            {"role": "assistant", "finish_reason": 3, "parts": [{"type": "text", "content": "x" * 50_000}]}
        ],
        "documents": ["bare", {"score": "high"}, {"id": 5, "content": {"a": 1}}],
    }
