"""Who says yes before code runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.channels.messages import EMPTY, Incoming
from codeact_kernel.kernel.relay.questions import Questions
from codeact_kernel.kernel.run.approvals import Ask, gate_for
from codeact_kernel.trace.values import Approve, Decision, Reject


class Person:
    """Stands in for the publisher: answers each question with the next of `answers`."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.prompts: list[str] = []
        self.questions = Questions(self)  # type: ignore[arg-type]  # all it asks of it is `ask`

    def ask(self, request: Incoming, prompt: str, password: bool) -> str:
        self.prompts.append(prompt)
        content = b'{"value": "%s"}' % self.answers.pop(0).encode()
        answer = request._replace(channel="stdin", type="input_reply", content=content)
        asyncio.get_running_loop().call_soon(self.questions.on_message, answer)
        return str(len(self.prompts))


CLIENT = Incoming("shell", (b"i",), "execute_request", "1", "s", b"{}", EMPTY, EMPTY)


async def decide(
    approve: str, *answers: str, concerns: Sequence[str] = ()
) -> tuple[Decision, Person]:
    """What a person who answers so decides on `x = 1`."""
    person = Person(*answers)
    gate = gate_for(approve, Ask(person.questions, CLIENT, lambda number, code, concerns: None))
    async with asyncio.timeout(5):
        return await gate.decide(1, "c", "x = 1", concerns), person


@pytest.mark.parametrize(
    ("answers", "decision"),
    [
        (("y",), Approve(code="x = 1")),
        (("YES.",), Approve(code="x = 1")),
        (("n",), Reject(reason="The user did not approve this step.")),
        (("no: use y",), Reject(reason="use y")),
        (("what?", "y"), Approve(code="x = 1")),
        (("e", "y = 2", "z = 3", "."), Approve(code="y = 2\nz = 3")),
        (("e", "."), Approve(code="x = 1")),
    ],
)
async def test_what_a_person_says_is_what_happens(
    answers: tuple[str, ...], decision: Decision
) -> None:
    """Yes runs the code to the byte, no carries the reason, edit runs what was typed."""
    assert (await decide("ask", *answers))[0] == decision


async def test_risky_asks_only_when_there_is_a_concern() -> None:
    """Without a concern nobody is asked; with one the question names it."""
    approved, person = await decide("risky")
    assert approved == Approve(code="x = 1")
    assert person.prompts == []
    _, person = await decide("risky", "y", concerns=["It deletes files."])
    assert "It deletes files." in person.prompts[0]


async def test_nobody_there() -> None:
    """`ask` without a client is refused at once; `risky` rejects what it would have asked about."""
    with pytest.raises(UsageError, match="somebody who answers"):
        gate_for("ask", None)
    gate = gate_for("risky", None)
    assert await gate.decide(1, "c", "x", ()) == Approve(code="x")
    assert isinstance(await gate.decide(1, "c", "x", ("It is risky.",)), Reject)


async def test_never_asks_nobody() -> None:
    """`never` approves whatever comes."""
    approved, person = await decide("never", concerns=["It deletes files."])
    assert approved == Approve(code="x = 1")
    assert person.prompts == []
