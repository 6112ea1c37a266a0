"""Reading another tool's suite or data set into the written form, for review. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.evals.imports.drafts import ANSWER_GRADERS, Converted, Wishes, convert
from holdfast.evals.imports.shelf import FORMATS
from holdfast.evals.rules.cases import CASE
from holdfast.evals.rules.located import Fault
from holdfast.evals.rules.writing import text_of
from holdfast.evals.rules.written import MAX_BYTES, NAME
from holdfast.kernel.errors import Invalid

COLUMNS = (*CASE, "expected")


def imported(
    form: str,
    file: str,
    text: bytes,
    *,
    name: str = "",
    grader: str = "normalised",
    columns: Mapping[str, str],
) -> tuple[Converted, bytes]:
    """What converts, also as the text of a file to review and apply, and what does not.

    `grader`: by which answers are held against given ones. `columns`: our field (or `segment.NAME`) → their column.
    The text is empty where nothing converts. Raises Invalid.
    """
    if form not in FORMATS:
        raise Invalid(f"there is no format {form[:60]!r}; there are {', '.join(FORMATS)}", where="format")
    if grader not in ANSWER_GRADERS:
        raise Invalid(f"answers are held against given ones by {', '.join(ANSWER_GRADERS)}", where="grader")
    if name and not NAME.fullmatch(name):
        raise Invalid("a suite's name is small letters, digits and . _ -, 100 at most", where="name")
    for one in columns:
        if one not in COLUMNS and not one.startswith("segment."):
            raise Invalid(
                f"there is no field {one[:60]!r}; there are {', '.join(COLUMNS)}, segment.NAME",
                where="columns",
            )
    if len(text) > MAX_BYTES:
        raise Invalid(f"a file has at most {MAX_BYTES >> 20} MiB; part it", where="file")
    found = convert(FORMATS[form], file, text, Wishes(grader, dict(columns)), name)
    if found.suite is None:
        return found, b""
    head = f"from {file}, format {form}; look through it, then: holdfast suites apply FILE"
    return found, text_of(found.suite, head)


def told(left: Fault) -> str:
    """What did not convert, on one line."""
    return f"{left.at}: {left.what}"
