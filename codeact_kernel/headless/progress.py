"""What a person at a terminal sees of a run: a line per step that stays, and one that is redrawn.

Rule: it reads events and answers nothing. It writes to the stream it is given (stderr) only, leaves
no line of its own behind, and is silent when that stream is no terminal.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from codeact_kernel.headless.plain import clip, one_line
from codeact_kernel.trace.events import (
    CodeStarted,
    Event,
    Noticed,
    ReplyArrived,
    ReplyGrew,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    Waited,
)
from codeact_kernel.trace.values import Outcome, Status, Step, Usage

_ERASE = "\r\x1b[K"
_SPIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS = {None: "·", Status.OK: "✓", Status.NOT_RUN: "–"}
_ENDS = {
    Outcome.ANSWER: "answered",
    Outcome.STEP_LIMIT: "the limit of steps is reached",
    Outcome.BUDGET: "the budget is spent",
    Outcome.STOPPED: "stopped",
    Outcome.FAILED: "failed",
}
_COLOURS = {"✓": "32", "✗": "31", "–": "33", "·": "2"}


class Progress:
    """Draws events. `style`: "off", "dumb" (lines only), "plain" (no colour), "colour"."""

    def __init__(
        self, stream: TextIO, style: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._style = style if stream.isatty() else "off"
        self._clock = clock
        self._began = clock()
        self._usage = Usage()
        self._doing = "starting the kernel"
        self._step = 0
        self._drawn = False
        self._noted: set[str] = set()

    def event(self, event: Event) -> None:
        """Take notice of one event."""
        match event:
            case RunStarted():
                self._step, self._doing = 0, "reading the task"
                self._line(f"{self._paint('▸', '36')} {one_line(event.task, self._width() - 2)}")
            case StepStarted():
                self._step, self._doing = event.number, "asking the model"
            case ReplyGrew():
                self._doing = "writing code" if event.code else "the model thinks"
            case ReplyArrived():
                self._usage += event.reply.usage
            case Waited():
                self._doing = event.sentence
            case CodeStarted():
                self._doing = f"runs {one_line(event.code, 60)}"
            case StepFinished():
                self._doing = "done"
                self._line(self._told(event.step))
            case Noticed():
                self.note(event.sentence)
            case RunFinished():
                self._doing = _ENDS[event.outcome]
                total = f"{self._doing} · {_steps(self._step)} · {money(self._usage)}"
                self._line(f"  {total}{event.seconds:.0f} s")
            case _:
                pass
        self.tick()

    def doing(self, what: str) -> None:
        """What goes on outside of any run."""
        self._step, self._doing = 0, what
        self.tick()

    def note(self, sentence: str) -> None:
        """What the user should know; each sentence once."""
        if sentence not in self._noted:
            self._noted.add(sentence)
            self.say(sentence)

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._line(f"  {one_line(sentence, self._width() - 2)}")

    def tick(self) -> None:
        """Redraw the last line; to be called a few times a second."""
        if self._style in ("off", "dumb"):
            return
        spent = self._clock() - self._began
        spin = _SPIN[int(spent * 8) % len(_SPIN)]
        step = f"step {self._step} · " if self._step else ""
        tail = f" · {money(self._usage)}{spent:.0f} s"
        doing = one_line(self._doing, max(10, self._width() - len(step) - len(tail) - 3))
        self._write(_ERASE + clip(f"{spin} {step}{doing}{tail}", self._width()))
        self._drawn = True

    def close(self) -> None:
        """Leave the terminal as it was found: no half line."""
        if self._drawn:
            self._write(_ERASE)
            self._drawn = False

    def _told(self, step: Step) -> str:
        status = step.observation.status if step.observation else None
        mark = _MARKS.get(status, "✗")
        seconds = step.observation.seconds if step.observation else 0.0
        head = f"  {self._paint(mark, _COLOURS[mark])} {step.number}  "
        tail = f"  {seconds:.1f} s" if seconds else ""
        what = step.thought or step.code or step.answer or "an answer"
        return head + one_line(what, max(10, self._width() - 10 - len(tail))) + tail

    def _line(self, line: str) -> None:
        if self._style != "off":
            self.close()
            self._write(line + "\n")

    def _paint(self, mark: str, colour: str) -> str:
        return f"\x1b[{colour}m{mark}\x1b[0m" if self._style == "colour" else mark

    def _width(self) -> int:
        return max(20, shutil.get_terminal_size().columns - 1)

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "ascii"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def _steps(number: int) -> str:
    return f"{number} step{'' if number == 1 else 's'}"


def money(usage: Usage) -> str:
    """ "3,210 tokens · $0.0041 · ", as far as it is known; "" before the first reply."""
    tokens = f"{usage.total_tokens:,} tokens · " if usage.total_tokens else ""
    cost = f"${usage.cost:.4f} · " if usage.cost is not None else ""
    return tokens + cost
