"""The guardrails of one side of one call, judging together.

The gateway's own judges come first, on the same text; then each webhook, on what they left; a schema last. Nothing here
ever tells what was found: not in an error, a verdict or the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from holdfast.gateway.guardrails.framing import Event
from holdfast.gateway.guardrails.holding import MOST_HELD, Channel, Found, Held
from holdfast.gateway.guardrails.judging import STRENGTH, Finding, Verdict
from holdfast.gateway.model import Action, GuardrailKind, OnFailure, Side
from holdfast.gateway.proxy import hooks
from holdfast.gateway.proxy.arming import Armed

log = logging.getLogger("holdfast.gateway")

INLINE = 32 << 10
"""Characters up to which a text is judged at once; a longer one in a thread, so that others are served meanwhile."""
STEP = 16
"""Characters by which a text grows between two looks at it."""


class Blocked(Exception):
    """A guardrail lets this not pass. `message` is for the client; it holds nothing of what was found."""

    def __init__(self, name: str, message: str, status: int = 400, error: str = "guardrail_blocked") -> None:
        super().__init__(name)
        self.message = message
        self.status = status
        self.error = error


class _Tally:
    """What one guardrail made of it so far."""

    __slots__ = ("count", "labels", "policy", "seconds", "verdict")

    def __init__(self) -> None:
        self.verdict = "allow"
        self.count = 0
        self.labels: set[str] = set()
        self.seconds = 0.0
        self.policy = ""

    def note(self, verdict: str, label: str = "", count: int = 0) -> None:
        if STRENGTH[verdict] > STRENGTH[self.verdict]:
            self.verdict = verdict
        self.count += count
        if label:
            self.labels.add(label)


class Panel:
    """The guardrails of one side of one call. `blocked` says why nothing more may pass."""

    __slots__ = (
        "_answers",
        "_armed",
        "_ask",
        "_calls_tools",
        "_judged",
        "_said",
        "_schemas",
        "_side",
        "_stages",
        "_tallies",
        "blocked",
    )

    def __init__(self, armed: Sequence[Armed], side: Side, ask: hooks.Asking, *, keep: bool) -> None:
        self._armed = armed
        self._side = side
        self._ask = ask
        self._tallies = [_Tally() for _ in armed]
        self._judged = False
        self._said = 0
        self._answers: dict[int, list[str]] = {}
        self._calls_tools = False
        self.blocked: Blocked | None = None
        numbered = list(enumerate(armed))
        own = [
            number
            for number, one in numbered
            if one.judge is not None and one.guardrail.kind is not GuardrailKind.SCHEMA
        ]
        self._schemas = [number for number, one in numbered if one.guardrail.kind is GuardrailKind.SCHEMA]
        self._stages: list[tuple[Held, list[int], int]] = []
        if own:
            window = max(armed[number].guardrail.window for number in own)
            self._stages.append((Held(window, step=STEP, keep=keep, holds=_holds(armed, own)), own, window))
        for number, one in numbered:
            if one.judge is None:
                held = Held(0, step=one.guardrail.window, keep=keep, holds=_holds(armed, [number]))
                self._stages.append((held, [number], 0))

    async def judge(self, events: list[Event], *, last: bool) -> list[Event]:
        """The events that may go on. After the `last` none is held; where something is blocked, they do not matter."""
        self._judged = True
        for held, owners, window in self._stages:
            for event in events:
                held.push(event)
            if last:
                held.close()
            due = held.due()
            if due and self._armed[owners[0]].judge is None:
                await self._asked(owners[0], due)
            elif due:
                await self._found(owners, due, window)
            events = held.out()
            if self.blocked is not None:
                return events
        if self._schemas:
            self._gather(events)
            if last:
                await self._fit()
        return events

    def verdicts(self) -> list[Verdict]:
        """What each made of it; none where there was nothing to judge yet."""
        if not self._judged:
            return []
        return [
            Verdict(
                one.name,
                one.guardrail.kind.value,
                self._side.value,
                tally.verdict,
                tally.count,
                tuple(sorted(tally.labels)),
                round(tally.seconds * 1000, 3),
                tally.policy,
            )
            for one, tally in zip(self._armed, self._tallies, strict=True)
        ]

    async def _found(self, owners: list[int], channels: list[Channel], window: int) -> None:
        """The gateway's own judges, on texts that are due."""
        found: list[list[Found]] = [[] for _ in channels]
        said = []
        for channel in channels:
            self._said += len(channel.text[channel.judged - channel.base :].encode("utf-8", "replace"))
            said.append(self._said)
        for owner in owners:
            started = time.perf_counter()
            try:
                findings = await self._find(owner, [channel.text for channel in channels], said)
            except TimeoutError:
                self._fail(owner, "timeout")
            except ValueError:
                self._fail(owner, "error")
            else:
                for channel, into, judged in zip(channels, found, findings, strict=True):
                    into += self._placed(owner, channel, judged)
            self._tallies[owner].seconds += time.perf_counter() - started
        for channel, those in zip(channels, found, strict=True):
            for one in channel.settle(those, window):
                self._act(one)
            if channel.held > MOST_HELD:  # something begins and never ends
                self._block(next((one.owner for one in those if one.replacement is not None), owners[0]))

    async def _find(self, owner: int, texts: list[str], said: list[int]) -> list[list[Finding]]:
        """What one judge finds in each text. Raises TimeoutError where that takes too long."""
        one = self._armed[owner]
        assert one.judge is not None
        find = one.judge.find
        if sum(map(len, texts)) <= INLINE:
            return [find(text, so_far) for text, so_far in zip(texts, said, strict=True)]
        async with asyncio.timeout(one.guardrail.timeout_ms / 1000):
            loop = asyncio.get_running_loop()
            return [
                await loop.run_in_executor(None, find, text, so_far)
                for text, so_far in zip(texts, said, strict=True)
            ]

    def _placed(self, owner: int, channel: Channel, findings: list[Finding]) -> list[Found]:
        """Findings in a channel's own places; those that are about everything are acted on."""
        placed = []
        for one in findings:
            if one.start == one.end:
                self._whole(owner, one.label)
                continue
            replacement = None
            if self._armed[owner].guardrail.action is not Action.FLAG:
                number = channel.is_json and channel.text[one.start : one.end].isdecimal()
                replacement = "null" if number else f"[{one.label.upper()}]"
            start, end = channel.base + one.start, channel.base + one.end
            placed.append(Found(start, end, owner, one.label, replacement))
        return placed

    def _whole(self, owner: int, label: str) -> None:
        """A finding about everything: noted once."""
        tally = self._tallies[owner]
        if label not in tally.labels:
            tally.note("flag", label, 1)
            if self._armed[owner].guardrail.action is Action.BLOCK:
                self._block(owner)

    def _act(self, one: Found) -> None:
        action = self._armed[one.owner].guardrail.action
        self._tallies[one.owner].note(action.value, one.label, 1)
        if action is Action.BLOCK:
            self._block(one.owner)

    def _block(self, owner: int) -> None:
        name, guardrail, _ = self._armed[owner]
        self._tallies[owner].note("block")
        what = "request" if self._side is Side.INPUT else "answer"
        said = f"the guardrail {name} does not let this {what} pass"
        if guardrail.message:
            said = f"{guardrail.message} (guardrail {name})"
        self.blocked = self.blocked or Blocked(name, said)

    def _fail(self, owner: int, how: str) -> None:
        one, tally = self._armed[owner], self._tallies[owner]
        tally.note(how)
        tally.policy = (OnFailure.OPEN if one.opens else OnFailure.CLOSED).value
        log.warning("guardrail %s: %s, failed %s", one.name, how, tally.policy)
        if not one.opens:
            said = f"the guardrail {one.name} could not judge this, and nothing passes without it"
            self.blocked = self.blocked or Blocked(one.name, said, 503, "guardrail_failed")

    async def _asked(self, owner: int, channels: list[Channel]) -> None:
        """A webhook, on texts that are due. What it says of texts that went out already cannot be carried out."""
        one, tally = self._armed[owner], self._tallies[owner]
        texts = [channel.fresh for channel in channels]
        started = time.perf_counter()
        answer: hooks.Answer | None = None
        try:
            answer = await self._ask(one, self._side, texts, [channel.before for channel in channels])
        except TimeoutError:
            self._fail(owner, "timeout")
        except hooks.Failed:
            self._fail(owner, "error")
        tally.seconds += time.perf_counter() - started
        replaced = answer.texts if answer is not None and answer.verdict == "redact" else texts
        may = one.guardrail.action is not Action.FLAG
        for channel, text, new in zip(channels, texts, replaced or texts, strict=True):
            found = []
            if text != new:
                start, end, middle = _difference(text, new)
                at = channel.settled
                found.append(Found(at + start, at + end, owner, "text", middle if may else None))
                tally.note("redact" if may else "flag", "", 1)
            channel.settle(found, 0)
        if answer is not None and answer.verdict in ("flag", "block"):
            tally.note("flag", "", 1)
            if answer.verdict == "block" and may:
                self._block(owner)
        if answer is not None:
            tally.labels.update(answer.labels)

    def _gather(self, events: list[Event]) -> None:
        """The very words of each answer, as they go out."""
        for event in events:
            self._calls_tools = self._calls_tools or event.calls_tools
            for slot in event.slots:
                if slot.group is not None:
                    self._answers.setdefault(slot.group, []).append(slot.text)

    async def _fit(self) -> None:
        """Whether each answer is of the form it should be; one that calls a tool is none yet."""
        if self._calls_tools:
            return
        texts = ["".join(pieces) for pieces in self._answers.values()]
        for owner in self._schemas:
            started = time.perf_counter()
            try:
                findings = await self._find(owner, texts, [self._said] * len(texts))
            except (TimeoutError, ValueError) as error:
                self._fail(owner, "timeout" if isinstance(error, TimeoutError) else "error")
            else:
                for one in (one for those in findings for one in those):
                    self._whole(owner, one.label)
            self._tallies[owner].seconds += time.perf_counter() - started


def _holds(armed: Sequence[Armed], numbers: list[int]) -> bool:
    """Whether any of them can change what goes out; what is only flagged need not be held for it."""
    return any(
        armed[number].guardrail.action is not Action.FLAG or not armed[number].opens for number in numbers
    )


def _difference(text: str, new: str) -> tuple[int, int, str]:
    """The part of a text that is another in the new one, and what stands there."""
    start, most = 0, min(len(text), len(new))
    while start < most and text[start] == new[start]:
        start += 1
    back = 0
    while back < most - start and text[-1 - back] == new[-1 - back]:
        back += 1
    return start, len(text) - back, new[start : len(new) - back]
