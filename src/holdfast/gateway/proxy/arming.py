"""Guardrails made ready to judge: once for each configuration, never for a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.gateway.guardrails.judging import Judge
from holdfast.gateway.guardrails.shelf import judge_of
from holdfast.gateway.model import Action, Guardrail, GuardrailKind, OnFailure, Workspace
from holdfast.kernel.errors import Invalid, Unavailable


class Armed(NamedTuple):
    """A guardrail ready to judge; a webhook has no judge here."""

    name: str
    guardrail: Guardrail
    judge: Judge | None

    @property
    def opens(self) -> bool:
        """Whether what it could not judge passes."""
        policy = self.guardrail.on_failure
        return self.guardrail.action is Action.FLAG if policy is None else policy is OnFailure.OPEN


class Guards:
    """Guardrails made ready once, and again when the configuration says something else."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Armed] = {}

    def of(self, workspace: Workspace, names: Sequence[str]) -> list[Armed]:
        """Those of these names. Raises Unavailable where one cannot be used: nothing passes unjudged."""
        found = []
        for name in names:
            guardrail = workspace.configuration.guardrails.get(name)
            if guardrail is None:
                raise Unavailable(f"the guardrail {name} is not there; nothing passes without it")
            known = self._known.get((workspace.id, name))
            if known is None or known.guardrail is not guardrail:
                hook = guardrail.kind is GuardrailKind.WEBHOOK
                try:
                    known = Armed(name, guardrail, None if hook else judge_of(guardrail))
                except Invalid:
                    raise Unavailable(
                        f"the guardrail {name} cannot be used by this gateway; nothing passes without it"
                    ) from None
                self._known[(workspace.id, name)] = known
            found.append(known)
        return found
