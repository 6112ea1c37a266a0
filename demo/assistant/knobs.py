"""What can be turned while the assistant runs; the demo page's buttons turn these for real."""

from __future__ import annotations

from dataclasses import dataclass

PREAMBLE = (
    "Northwind was founded as a small shipping office and has grown into a company with nine sites. Its "
    "people department answers questions in a friendly, complete and careful manner. Always keep in mind "
    "that employees come from many countries, that rules may differ between sites, that works councils have "
    "agreed to some rules and not to others, and that an answer may be read by a lawyer one day. Never "
    "guess. Prefer plain words to technical ones. Do not mention colleagues by name. Do not promise anything "
    "on behalf of payroll, of the insurance, of the pension fund or of the tax office. When a rule has an "
    "exception, name the rule first and the exception afterwards. When a date is asked for, name the day and "
    "the month. When an amount is asked for, name the currency. When several policies could apply, choose "
    "the one that is nearest to the question. "
)

OTHER_MODEL = "smollm2-135m-instruct-2"


@dataclass(frozen=True)
class Knobs:
    """The assistant's adjustable behaviour for one request.

    preamble      text put before every system prompt
    temperature   0 … 2; None leaves each route's own
    length        factor on each route's limit of output tokens
    delay_s       seconds that each request to the model waits before it leaves
    served_by     the model that answers, whatever the request names; empty: the one that it names
    """

    preamble: str = ""
    temperature: float | None = None
    length: float = 1.0
    delay_s: float = 0.0
    served_by: str = ""
