"""Seeded defects of feedback."""

from __future__ import annotations

from house.seeded import Defect

KEPT = "tests/feedback/test_kept.py"
LINKS = "tests/feedback/test_links.py"
DEFECTS = (
    Defect(
        "what was sent again under another word is taken for the same",
        "feedback/actions/items.py",
        "        if known == told or known == store.GONE:",
        "        if known is not None:",
        f"{KEPT}::test_another_word_under_a_known_id_is_refused_and_nothing_of_it_kept[sqlite]",
    ),
    Defect(
        "an expired link holds",
        "feedback/rules/links.py",
        "    if expires_at <= now:",
        "    if expires_at <= now - LONGEST:",
        f"{LINKS}::test_a_link_says_what_was_signed_until_it_expires",
    ),
    Defect(
        "a signature is good for any call",
        "feedback/rules/links.py",
        "hmac.compare_digest(_mac(key, said), _bytes(mac))",
        "_bytes(mac)",
        f"{LINKS}::test_a_token_is_not_for_another_call",
    ),
    Defect(
        "behaviour counts among what people said",
        "feedback/reads/rates.py",
        "one for one in wanted.sources if one in SAID) or SAID",
        "one for one in wanted.sources)",
        "tests/feedback/test_inbox.py::test_behaviour_and_copies_do_not_count_in_rates[sqlite]",
    ),
    Defect(
        "an improvement closes without a rate of feedback",
        "feedback/rules/improving.py",
        "    if measurement.feedback is None:",
        "    if measurement.feedback is None and measurement.suite is not None:",
        "tests/feedback/test_improvements.py::"
        "test_a_measurement_without_feedback_or_without_a_finished_run_does_not_close[sqlite]",
    ),
)
