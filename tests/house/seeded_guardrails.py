"""Seeded defects of guardrails."""

from __future__ import annotations

from house.seeded import Defect

DOOR = "tests/gateway/test_guardrails_at_the_door.py"
DEFECTS = (
    Defect(
        "a stream is held back by nothing",
        "gateway/guardrails/holding.py",
        "cut = self.length if self.closed else self._cut(self.length - window)",
        "cut = self.length",
        "tests/gateway/guardrails/test_streams.py::test_letter_by_letter_nothing_of_a_secret_leaves",
    ),
    Defect(
        "a webhook that fails lets everything pass",
        "gateway/proxy/panel.py",
        "        if not one.opens:\n            said",
        "        if False:\n            said",
        "tests/gateway/test_guardrail_webhooks.py::test_a_webhook_that_fails_is_handled_by_policy",
    ),
    Defect(
        "what is redacted on its way up is recorded as it came",
        "gateway/proxy/guarding.py",
        "    if record.request and (changed or said_anew):",
        "    if record.request and not (changed or said_anew):",
        f"{DOOR}::test_what_is_found_in_a_request_does_not_go_up",
    ),
    Defect(
        "a copy of a request is judged by less than its original",
        "gateway/proxy/shadowing.py",
        "    both = tuple(dict.fromkeys((*of.release.guardrails, *where.release.guardrails)))",
        "    both = where.release.guardrails",
        f"{DOOR}::test_a_copy_goes_nowhere_by_less_than_its_original",
    ),
)
