"""A vendor whose answers depend on what is asked and of which model, and suites to ask it."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.vendor import Vendor

TOPICS = ("Returns", "Delivery", "Payment", "Warranty")
DAYS = 30


def question(number: int) -> str:
    return f"{TOPICS[number % 4]} question {number}: within how many days may I write to you?"


def right(number: int) -> str:
    return (
        f"Thank you for asking about {TOPICS[number % 4].lower()}. You may write to us within {DAYS + number} days "
        "after the day on which you received your order, and we answer on the next working day."
    )


def wrong(number: int) -> str:
    return (
        f"Sure! About {TOPICS[number % 4].lower()}: you may write to us within {DAYS + number - 7} days, generally.\n\n"
        "- Keep your receipt\n- Write to the address on it\n\nLet me know if I can help with anything else!"
    )


class Helpdesk(Vendor):
    """Model m is right but for every ninth question; model late is wrong on every third, too, and chattier."""

    def _answer(self, path: str, body: dict[str, Any], how: str) -> dict[str, Any]:
        made = super()._answer(path, body, how)
        text = json.dumps(body.get("messages", ""))
        number = next((int(word.rstrip(":")) for word in text.split() if word.rstrip(":").isdigit()), 0)
        late = body.get("model") == "late"
        bad = number % 9 == 8 or (late and number % 3 == 1)
        said = wrong(number) if bad else right(number)
        if late and not bad:
            said = f"Sure! {said}\n\nLet me know if there is anything else!"
        made["choices"][0]["message"]["content"] = said
        return made


def cases(count: int) -> list[dict[str, Any]]:
    """Cases of four topics and two languages; the first two critical, the fifth a holdout."""
    return [
        {
            "id": f"{TOPICS[number % 4].lower()}-{number:02}",
            "messages": [
                {"role": "system", "content": "You answer for a shop. Name the number of days."},
                {"role": "user", "content": question(number)},
            ],
            "expect": [
                {"contains": f"{DAYS + number} days"},
                {"grader": "contains", "none": ["generally"], "name": "no hedging"},
            ],
            "segments": {"topic": TOPICS[number % 4].lower(), "language": "en" if number % 5 else "de"},
            "criticality": "critical" if number < 2 else "normal",
            **({"holdout": True} if number == 4 else {}),
        }
        for number in range(count)
    ]
