"""Who may review, which reviews count, and when that of an emergency is due."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.changes.model import Change, Decision, Person, Review
from holdfast.changes.rules.policy import ClassPolicy
from holdfast.kernel.errors import Denied, Invalid

EXTERNAL = "external"
"""The role of a system outside that decides, such as a change board's: no person has it."""
WORKING_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """Of the reviews: how many are needed, whose count, and why one rejected; `discounted` says why others do not."""

    needed: int
    approved: tuple[Review, ...]
    rejected: Review | None
    discounted: tuple[tuple[Review, str], ...]
    external: Review | None = None  # what the system outside decided, where the policy asks one

    @property
    def enough(self) -> bool:
        """Whether it may go on, as far as reviewers are asked."""
        return self.rejected is None and len(self.approved) >= self.needed


def check_ticket(policy: ClassPolicy, ticket: str) -> None:
    """Raises Invalid where the policy asks for another ticket."""
    if policy.ticket and re.fullmatch(policy.ticket, ticket) is None:
        what = f"the ticket is {ticket}" if ticket else "there is no ticket"
        raise Invalid(f"{what}; by the policy, it has to match {policy.ticket}", where="ticket")


def check_reviewer(change: Change, policy: ClassPolicy, person: Person, authors: Collection[str]) -> None:
    """Raises Denied, saying why: reviewers are known people, of a role that the policy names, and wrote nothing of it.

    `authors` are ids of persons, as the audit log has them besides the change itself.
    """
    if not person.id:
        raise Denied("a review is by somebody: sign in, or send a key that a member made")
    if person.id in {change.author.id, *change.editors, *authors}:
        raise Denied("who wrote any of a change does not review it; another person has to")
    if not person.roles & set(policy.roles):
        raise Denied(f"by the policy, reviewers of this class are: {' or '.join(policy.roles)}")


def standing(
    change: Change,
    policy: ClassPolicy,
    reviews: Iterable[Review],
    authors: Collection[str],
    logged: Collection[str],
) -> Standing:
    """Which reviews count. `logged` are the ids of those that the audit log vouches for, as they stand.

    One of each person, the last; of the present content alone. Where nobody knows who wrote the change, it takes one
    reviewer more: its author could be one of them.
    """
    last: dict[str, Review] = {}
    discounted: list[tuple[Review, str]] = []
    external: Review | None = None
    wrote = {change.author.id, *change.editors, *authors} - {""}
    for one in reviews:
        if one.id not in logged:
            discounted.append((one, "the audit log has no such review"))
        elif one.content != change.content:
            discounted.append((one, "the change was edited since"))
        elif EXTERNAL in one.person.roles:
            if one.person.id == policy.external:
                external = one
            else:
                discounted.append((one, "the policy names another system outside, or none"))
        elif not one.person.id or one.person.id in wrote:
            discounted.append((one, "who wrote any of a change does not review it"))
        elif not one.person.roles & set(policy.roles):
            discounted.append((one, "the policy names other roles"))
        else:
            last[one.person.id] = one
    counted = sorted(last.values(), key=lambda one: one.at)
    decided = [*counted, external] if external is not None else counted
    needed = policy.reviewers + (1 if policy.reviewers and not change.author.id else 0)
    return Standing(
        needed=needed,
        approved=tuple(one for one in counted if one.decision is Decision.APPROVED),
        rejected=next((one for one in decided if one.decision is Decision.REJECTED), None),
        discounted=tuple(discounted),
        external=external,
    )


def review_due(policy: ClassPolicy, now: datetime) -> datetime:
    """When the review of an emergency is due: so many hours on, else at the same time of the next working day (UTC)."""
    if policy.review_hours is not None:
        return now + timedelta(hours=policy.review_hours)
    due = now + WORKING_DAY
    while due.weekday() > 4:
        due += WORKING_DAY
    return due
