"""What a route serves in each state of a change."""

from __future__ import annotations

from holdfast.changes.model import Change, State
from holdfast.changes.rules.policy import ClassPolicy
from holdfast.gateway.model import Shadow, Traffic, Variant

WHOLE = 100


def traffic(change: Change, policy: ClassPolicy, previous: tuple[str, ...] = ()) -> Traffic:
    """The shares of baseline and candidate, and copies. `previous` are releases to be kept ready besides.

    Conversations that began on the baseline stay on it until the change is completed; of a change that is rolled back none
    stays on the candidate.
    """
    state = change.from_state if change.state is State.HELD else change.state
    share = share_of(change, policy)
    base = Variant(
        release=change.baseline, weight=WHOLE - share, keeps=share > 0 and state is not State.COMPLETED
    )
    new = Variant(release=change.candidate, weight=share)
    if state is State.COMPLETED:
        variants: tuple[Variant, ...] = (new,)
    elif share:
        variants = (base, new)
    else:
        variants = (Variant(release=change.baseline, weight=WHOLE),)
    gone = state in (State.HALTED, State.ROLLED_BACK, State.FAILED)
    shadow = None
    if state is State.SHADOW and policy.shadow is not None:
        shadow = Shadow(release=change.candidate, percent=policy.shadow.percent)
    known = (*((change.candidate,) if not gone else ()), *((change.baseline,) if share else ()), *previous)
    stable = change.candidate if state is State.COMPLETED else change.baseline
    serving = {one.release for one in variants}
    return Traffic(
        variants=variants,
        shadow=shadow,
        known=tuple(one for one in dict.fromkeys(known) if one not in serving),
        stable=stable,
        stale_seconds=policy.stale_seconds if share > 0 and state is not State.COMPLETED else 0.0,
    )


def _share(change: Change, state: State | None, policy: ClassPolicy) -> int:
    """Percent of new conversations that the candidate answers."""
    match state:
        case State.COMPARING if policy.ab is not None:
            return policy.ab.split
        case State.RAMPING:
            return policy.stages[change.stage]
        case State.SOAKING | State.COMPLETED:
            return WHOLE
        case _:
            return 0


def share_of(change: Change, policy: ClassPolicy) -> int:
    """Percent of new conversations that its candidate answers now."""
    return _share(change, change.from_state if change.state is State.HELD else change.state, policy)
