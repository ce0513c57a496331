"""The conversation: what the model was told and what it said, in order.

Rule: append-only, so that every request is the one before with something added and the provider's
prefix cache keeps working. The exception is `make_room`: at a high-water mark old observations are
replaced by a short stub, many at once, and stay so. A change that saves little is not made, since
it would cost the cache. The notebook keeps the originals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from codeact_kernel.trace.values import Image, Message, Usage

WINDOW = 32_000
"""Tokens, for a model whose window nobody knows."""
KEEP = 5
"""So many of the newest observations are never stubbed at the high-water mark."""
GAIN = 0.1
"""What stubbing must save at least, as a part of the conversation."""
CHARS, IMAGE = 3.5, 1200
"""Characters of a token, tokens of an image: estimates, anchored on what the provider counted."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of what the model is told. `stub` is what may stand for it later, "" when it must stay;
    `step` the number of the step whose observation it is, 0 for anything else."""

    text: str
    images: tuple[Image, ...] = ()
    stub: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class _Turn:
    """One message; the user's are made of `parts`."""

    message: Message
    parts: tuple[_Part, ...] = ()

    @property
    def can_shrink(self) -> bool:
        return any(part.stub for part in self.parts)


@dataclass(slots=True)
class Conversation:
    """Owned by the loop during a run; handed back at its end, so that the run can be continued."""

    system: str
    steps: int = 0
    """Steps taken so far, over all continuations."""
    _turns: list[_Turn] = field(default_factory=list)
    _pending: list[_Part] = field(default_factory=list)
    _counted: int = 0
    """What the provider counted for the first `_covered` turns."""
    _covered: int = 0
    _begins: dict[int, int] = field(default_factory=dict)
    """By step: how many turns there were before it."""

    def begin(self) -> int:
        """A step begins; its number."""
        self._flush()
        self.steps += 1
        self._begins[self.steps] = len(self._turns)
        return self.steps

    def give_up(self) -> None:
        """The step that began last never happened; its number is used again."""
        self._begins.pop(self.steps, None)
        self.steps -= 1

    @property
    def taken(self) -> tuple[int, ...]:
        """The steps that are a part of it."""
        return tuple(self._begins)

    def before(self, step: int | None = None) -> Conversation:
        """A copy as it was before a step began, or as it is. LookupError: it has no such step."""
        if step is None:
            step, end = self.steps + 1, len(self._turns)
        else:
            end = self._begins[step]
        whole = end == len(self._turns)
        return Conversation(
            system=self.system,
            steps=self.steps,
            _turns=self._turns[:end],
            _pending=list(self._pending) if whole else [],
            _counted=self._counted if whole else 0,
            _covered=self._covered if whole else 0,
            _begins={number: turns for number, turns in self._begins.items() if number < step},
        )

    def tell(
        self, text: str, images: tuple[Image, ...] = (), stub: str = "", step: int = 0
    ) -> None:
        """Something for the next user message. What is told before the next question is one message.

        `step`: it is the observation of this step.
        """
        self._pending.append(_Part(text, images, stub, step))

    @property
    def unanswered(self) -> int:
        """The newest step whose observation the model has not answered, 0 for none."""
        last = self._turns[-1].parts if self._turns else ()
        return max((part.step for part in (*last, *self._pending)), default=0)

    def amend(self, text: str) -> None:
        """Tell this in place of the unanswered observation. It is the person's now, so it stays."""
        self._flush()
        step = self.unanswered
        self._turns[-1] = _told(
            replace(part, text=text, stub="") if part.step == step else part
            for part in self._turns[-1].parts
        )

    def hear(self, text: str, usage: Usage) -> None:
        """The reply to `messages()`; an empty one is kept as a dash, since providers refuse empty turns."""
        self._turns.append(_Turn(Message(role="assistant", text=(text.strip() and text) or "-")))
        if usage.total_tokens and not usage.estimated:
            self._counted, self._covered = usage.total_tokens, len(self._turns)

    def messages(self) -> tuple[Message, ...]:
        """What the model is sent now. Roles alternate; the last one is the user's."""
        self._flush()
        return (
            Message(role="system", text=self.system),
            *(turn.message for turn in self._turns),
        )

    def tokens(self) -> int:
        """About how long the conversation is."""
        self._flush()
        later = sum(_estimate(turn.message) for turn in self._turns[self._covered :])
        return later + (self._counted or int(len(self.system) / CHARS))

    def make_room(self, *, keep: int = KEEP) -> bool:
        """Stub all observations but the newest `keep`. False: it would gain too little, nothing is changed."""
        self._flush()
        old = [place for place, turn in enumerate(self._turns) if turn.can_shrink]
        old = old[: len(old) - keep] if keep else old
        stubbed = {place: _stubbed(self._turns[place]) for place in old}
        saved = sum(
            _estimate(self._turns[place].message) - _estimate(turn.message)
            for place, turn in stubbed.items()
        )
        if saved < GAIN * self.tokens():
            return False
        self._turns = [stubbed.get(place, turn) for place, turn in enumerate(self._turns)]
        self._counted = self._covered = 0
        return True

    def _flush(self) -> None:
        if not self._pending:
            return
        parts, self._pending = self._pending, []
        if self._turns and self._turns[-1].message.role == "user":
            parts = [*self._turns.pop().parts, *parts]  # it was never answered
            self._covered = min(self._covered, len(self._turns))
        self._turns.append(_told(parts))


def high_water(window: int | None) -> int:
    """Tokens at which room is made."""
    return int(min(0.6 * (window or WINDOW), 100_000))


def _told(parts: Iterable[_Part]) -> _Turn:
    parts = tuple(parts)
    text = "\n\n".join(part.text for part in parts)
    images = tuple(image for part in parts for image in part.images)
    return _Turn(Message(role="user", text=text, images=images), parts)


def _stubbed(turn: _Turn) -> _Turn:
    """A user's words outlive the stub of the observation they came with."""
    return _told(_Part(part.stub or part.text, step=part.step) for part in turn.parts)


def _estimate(message: Message) -> int:
    return int(len(message.text) / CHARS) + 4 + IMAGE * len(message.images)
