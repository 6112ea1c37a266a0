"""Seeded defects of graders."""

from __future__ import annotations

from house.seeded import Defect

SHELF = "tests/evals/graders/test_shelf.py"
LEAVING = "tests/evals/graders/test_leaving.py"
DEFECTS = (
    Defect(
        "an answer that is cut off is judged as if it were whole",
        "evals/graders/grading.py",
        "        if answer.truncated and self.reads is Reads.WHOLE:",
        "        if False:",
        f"{SHELF}::test_an_answer_that_is_cut_off_is_not_judged_as_a_whole",
    ),
    Defect(
        "without an answer the score is nought",
        "evals/graders/grading.py",
        "        if found.score is None:\n            return unknown(found.reason, found.details, found.cost)",
        "        found = found._replace(score=found.score or 0.0)\n        assert found.score is not None",
        f"{SHELF}::test_without_an_answer_nothing_is_known",
    ),
    Defect(
        "tool calls are paired greedily",
        "evals/graders/tools.py",
        "                if j not in taken or place(taken[j], seen):",
        "                if j not in taken:",
        "tests/evals/graders/test_structures.py::test_a_wider_expectation_leaves_the_narrow_one_its_call",
    ),
    Defect(
        "what code leaves running runs on",
        "evals/graders/python.py",
        "            os.killpg(process.pid, signal.SIGKILL)",
        "            os.kill(process.pid, signal.SIGKILL)",
        f"{LEAVING}::test_what_code_leaves_running_is_ended",
    ),
    Defect(
        "a grade of code is good for whatever the code becomes",
        "evals/graders/python.py",
        'return "none" if source is None else hashlib.sha256(source.read_bytes()).hexdigest()[:12]',
        'return "none" if source is None else hashlib.sha256(b"").hexdigest()[:12]',
        f"{LEAVING}::test_a_change_of_the_code_is_another_edition",
    ),
    Defect(
        "a service may drip its reply for as long as it likes",
        "evals/graders/http.py",
        "            if time.monotonic() > end:",
        "            if False:",
        f"{LEAVING}::test_whatever_a_service_does_is_an_unknown_grade",
    ),
)
