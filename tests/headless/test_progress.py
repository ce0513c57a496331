"""What a person at a terminal sees while a run goes on."""

from __future__ import annotations

import io

import pytest

from codeact_kernel.headless.progress import Progress, money
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
from codeact_kernel.trace.values import Observation, Outcome, Reply, Status, Step, Usage


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is."""
        return True


def reply(cost: float | None = None) -> Reply:
    usage = Usage(input_tokens=1000, output_tokens=210, cost=cost)
    return Reply(text="", model="m", prompt="", usage=usage)


def step(status: Status = Status.OK, thought: str = "Load the data.") -> Step:
    observation = Observation(status=status, text="", seconds=0.25)
    return Step(number=1, cell="c", replies=(), thought=thought, code="x", observation=observation)


RUN: tuple[Event, ...] = (
    RunStarted(id="r", task="Count the bikes", model="m"),
    StepStarted(run="r", number=1, cell="c"),
    ReplyGrew(run="r", number=1, thought="Load", code="x"),
    ReplyArrived(run="r", number=1, reply=reply(cost=0.0123)),
    CodeStarted(run="r", number=1, cell="c", code="df = load()"),
    StepFinished(run="r", step=step()),
    RunFinished(run="r", outcome=Outcome.ANSWER, answer="42", seconds=3.0),
)


def drawn(style: str, *events: Event) -> str:
    stream = Terminal()
    progress = Progress(stream, style, clock=lambda: 0.0)
    for event in events:
        progress.event(event)
    progress.close()
    return stream.getvalue()


def test_a_pipe_hears_nothing() -> None:
    """Where nobody looks on, nothing is written."""
    stream = io.StringIO()
    progress = Progress(stream, "colour")
    for event in RUN:
        progress.event(event)
    progress.say("said")
    progress.close()
    assert stream.getvalue() == ""


def test_step_tokens_and_cost_are_shown_live() -> None:
    """The live line has the step, what goes on, tokens and cost; finished steps stay above it."""
    text = drawn("plain", *RUN)
    assert "step 1 · runs df = load() · 1,210 tokens · $0.0123" in text
    assert "✓ 1  Load the data.  0.2 s\n" in text
    assert "▸ Count the bikes\n" in text
    assert "answered · 1 step · 1,210 tokens · $0.0123 · 3 s\n" in text


def test_the_terminal_is_left_as_it_was_found() -> None:
    """The last thing written erases the live line, and the cursor stands at its beginning."""
    assert drawn("colour", *RUN).endswith("\r\x1b[K")


def test_a_dumb_terminal_gets_lines_only() -> None:
    """No carriage return, no escape sequence, no colour."""
    text = drawn("dumb", *RUN)
    assert "✓ 1  Load the data." in text
    assert "\r" not in text
    assert "\x1b" not in text


def test_no_color_means_no_colour() -> None:
    """In plain style the only sequence is the one that erases the line."""
    assert "\x1b" not in drawn("plain", *RUN).replace("\r\x1b[K", "")
    assert "\x1b[32m" in drawn("colour", *RUN)


@pytest.mark.parametrize(
    "event",
    [
        StepFinished(run="r", step=step(thought="\x1b]0;owned\x07\x1b[2J\x9b1mx")),
        CodeStarted(run="r", number=1, cell="c", code="\x1b[2J\nimport os"),
        Waited(run="r", number=1, sentence="\x1b[2Jwait"),
        Noticed(run="r", sentence="\x1b[2Jnote"),
        RunStarted(id="r", task="\x1b[2Jtask", model="m"),
    ],
)
def test_foreign_text_cannot_steer_the_terminal(event: Event) -> None:
    """Nothing a model or a program wrote reaches the terminal as a sequence."""
    text = drawn("plain", event).replace("\r\x1b[K", "")
    assert "\x1b" not in text
    assert "\x9b" not in text


@pytest.mark.parametrize(
    ("status", "mark"),
    [(Status.OK, "✓"), (Status.ERROR, "✗"), (Status.TIMEOUT, "✗"), (Status.NOT_RUN, "–")],
)
def test_how_a_step_went_is_seen(status: Status, mark: str) -> None:
    """A step that failed is told from one that went well and one that was not run."""
    assert f"{mark} 1" in drawn("plain", StepFinished(run="r", step=step(status)))


def test_a_stream_without_our_characters_gets_others() -> None:
    """An ASCII terminal is no reason to fail."""
    stream = Terminal()
    stream.encoding = "ascii"
    Progress(stream, "plain").event(RUN[0])
    assert "? Count the bikes" in stream.getvalue()


def test_money_is_said_as_far_as_it_is_known() -> None:
    """No tokens, nothing; no price, tokens alone."""
    assert money(Usage()) == ""
    assert money(Usage(input_tokens=5)) == "5 tokens · "
    assert money(Usage(input_tokens=5, cost=0.5)) == "5 tokens · $0.5000 · "


def test_a_note_is_said_once() -> None:
    """The kernel says it at the start, and the trace of each run has it again."""
    terminal = Terminal()
    progress = Progress(terminal, "dumb")
    progress.note("There is no sandbox.")
    progress.event(Noticed(run="r", sentence="There is no sandbox."))
    assert terminal.getvalue().count("no sandbox") == 1
