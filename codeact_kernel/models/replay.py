"""A model that says again what a saved trace says a model said. No network, no litellm.

Rule: replies come in the recorded order, to the letter, with the recorded usage and the name of
the model that wrote them. That the notebook now asks something else than it did then is said once
for each run, and never hidden: the recorded replies may not fit any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from codeact_kernel.agent.ports import Chunk, Finished
from codeact_kernel.agent.prompt import task_lines
from codeact_kernel.errors import ReplayEnded
from codeact_kernel.trace.digest import digest
from codeact_kernel.trace.values import Message, Reply, Run, Step, Trace

PIECE = 24
"""Characters in a chunk."""


@dataclass(slots=True)
class _Tape:
    """One recorded run and how far it has been played."""

    run: Run
    place: int = 0
    said: bool = False
    """Whether it was said that the prompt differs."""

    def next(self) -> tuple[Step, Reply] | None:
        """The next reply and its step, None at the end."""
        replies = [(step, reply) for step in self.run.steps for reply in step.replies]
        return replies[self.place] if self.place < len(replies) else None

    def expects(self, messages: Sequence[Message]) -> bool:
        """Whether this is what the next reply was an answer to."""
        found = self.next()
        return found is not None and self.place > 0 and found[1].prompt == digest(messages)


class ReplayModel:
    """Plays the runs of a trace, for each new conversation the one with its task, otherwise the
    next that was not played. A Model (agent/ports.py)."""

    def __init__(
        self, trace: Trace, *, name: str, window: int | None = None, sees: bool | None = None
    ) -> None:
        self._runs = trace.runs
        self._played: set[str] = set()
        self._tape: _Tape | None = None
        self._name, self._window = name, window
        self._sees = _saw(trace) if sees is None else sees

    async def prepare(self) -> None:
        """Nothing is needed."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def sees(self) -> bool:
        return self._sees

    @property
    def window(self) -> int | None:
        return self._window

    async def stream(self, messages: Sequence[Message]) -> AsyncIterator[Chunk | Finished]:
        """The next recorded reply in small chunks. Raises ReplayEnded."""
        tape = self._tape_for(messages)
        found = tape.next()
        if found is None:
            raise ReplayEnded(
                f"The recording {self._name} has no further reply for this task. "
                "The recorded run went another way or was stopped here; choose a live model to go on."
            )
        step, reply = found
        for start in range(0, len(reply.text), PIECE):
            yield Chunk(text=reply.text[start : start + PIECE])
            await asyncio.sleep(0)
        tape.place += 1  # only now: a question that is taken back is asked again
        notice = self._notice(tape, step.number, reply, messages)
        seen = step.observation
        yield Finished(usage=reply.usage, model=reply.model, notice=notice, recorded=seen)

    def _tape_for(self, messages: Sequence[Message]) -> _Tape:
        """The tape that goes on, or another one when a conversation begins.

        One that was taken back to its beginning begins and goes on.
        """
        begins = not any(message.role == "assistant" for message in messages)
        if self._tape is None or (begins and not self._tape.expects(messages)):
            self._tape = _Tape(self._choose(messages))
        return self._tape

    def _choose(self, messages: Sequence[Message]) -> Run:
        """The first run with this task that was not played, one that was, the next of any task."""
        asked = next((message.text for message in messages if message.role == "user"), "")
        fits = [run for run in self._runs if asked.startswith(task_lines(run.task))]
        unused = [run for run in self._runs if run.id not in self._played]
        found = next((run for run in fits if run in unused), None) or next(
            iter(fits + unused), None
        )
        if found is None:
            raise ReplayEnded(
                f"The recording {self._name} has no run with this task, and all others were played. "
                "Restart the kernel to play it from the beginning, or choose a live model."
            )
        self._played.add(found.id)
        return found

    def _notice(self, tape: _Tape, number: int, reply: Reply, messages: Sequence[Message]) -> str:
        if tape.said or reply.prompt == digest(messages):
            return ""
        tape.said = True
        return (
            f"From step {number} on the model is asked something else than when this run was "
            "recorded, so the recorded replies may not fit any more."
        )


def _saw(trace: Trace) -> bool:
    """Whether the recorded model was shown an image."""
    steps = (step for run in trace.runs for step in run.steps)
    return any(step.observation.images for step in steps if step.observation is not None)
