"""Which answer belongs to which question."""

from __future__ import annotations

from codeact_kernel.kernel.channels.messages import EMPTY, Incoming, to_json
from codeact_kernel.kernel.relay.questions import Questions

CLIENT = Incoming("shell", (b"i",), "execute_request", "1", "s", b"{}", EMPTY, EMPTY)


class Asked:
    """Stands in for the publisher: numbers the questions."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.questions = Questions(self)  # type: ignore[arg-type]  # all it asks of it is `ask`
        self.taken: list[tuple[str, str]] = []

    def ask(self, request: Incoming, prompt: str, password: bool) -> str:
        self.prompts.append(prompt)
        return f"q{len(self.prompts)}"

    def open(self, prompt: str) -> None:
        """Ask something for an owner of that name."""
        self.questions.open(
            CLIENT, prompt, False, lambda text: self.taken.append((prompt, text)), prompt
        )

    def answer(self, text: str, parent: str = "", content: bytes = b"") -> None:
        """A client's answer; `parent` is the question it says it answers."""
        self.questions.on_message(
            CLIENT._replace(
                channel="stdin",
                type="input_reply",
                content=content or to_json({"value": text}),
                parent=to_json({"msg_id": parent} if parent else {}),
            )
        )


def test_a_late_answer_to_a_closed_question_answers_nothing() -> None:
    """The "y" for a step's input() does not approve the next step; the right answer then does."""
    asked = Asked()
    asked.open("code asks")
    asked.questions.close("code asks")
    asked.open("Run step 2?")
    asked.answer("y", parent="q1")
    assert asked.taken == []
    asked.answer("n", parent="q2")
    assert asked.taken == [("Run step 2?", "n")]


def test_a_client_that_does_not_say_what_it_answers_is_asked_again() -> None:
    """Its first answer after a closed question may be the late one, so it counts for nothing."""
    asked = Asked()
    asked.open("code asks")
    asked.open("Run step 2?")
    asked.answer("y")
    assert (asked.taken, asked.prompts[1:]) == ([], ["Run step 2?"] * 2)
    asked.answer("n")
    assert asked.taken == [("Run step 2?", "n")]
    asked.open("Run step 3?")
    asked.answer("y")
    assert asked.taken[1:] == [("Run step 3?", "y")]


def test_an_answer_that_is_no_message_changes_nothing() -> None:
    """Broken content is dropped without an error, and the question stays open."""
    asked = Asked()
    asked.open("?")
    asked.answer("", content=b"[")
    asked.answer("x")
    assert asked.taken == [("?", "x")]
