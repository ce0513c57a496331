"""What a person sees of a run on a terminal, where text can move the cursor."""

from __future__ import annotations

import json
from typing import Any

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.inline.text import TextView
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.kernel.run.approvals import Ask
from codeact_kernel.kernel.run.recording import OUTPUTS
from codeact_kernel.kernel.run.stages import AgentOutput, OwnRequests
from codeact_kernel.kernel.run.views import say
from codeact_kernel.trace.layout import Layout

HIDES = "x = 1  # ok\x1b[1A\x1b[2K\nprint('\u202eevil\u2066')  # \u200b"


class Ear:
    """A publisher that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.text = ""

    def say(self, kind: str, header: bytes, content: dict[str, Any]) -> None:
        self.said.append((kind, content))

    def publish(self, kind: str, parent: bytes, content: bytes, *more: object) -> None:
        self.said.append((kind, json.loads(content)))

    def stream(self, parent: bytes, name: str, text: str) -> None:
        self.text += text

    @property
    def plain(self) -> str:
        """All a console prints."""
        return "\n".join(content["data"]["text/plain"] for _, content in self.said) + self.text


def display(text: str, **transient: str) -> Said:
    """A display of the sandbox."""
    value = {"data": {"text/plain": text}, "metadata": {}, "transient": transient}
    return Said("display_data", to_json(value), value)


def test_code_to_approve_shows_what_would_hide_a_part_of_it() -> None:
    """Escapes, changes of direction and what has no width are seen as escapes, in text and Markdown."""
    ear = Ear()
    steps = OwnRequests(lambda msg_id: b"{}")
    view = TextView(ear, b"{}", steps, None, Layout().run)  # type: ignore[arg-type]  # the methods it uses
    view.propose(1, HIDES, ())
    ((_, content),) = ear.said
    for shown in content["data"].values():
        assert "\\x1b[1A\\x1b[2K" in shown
        assert "\\u202eevil\\u2066" in shown
        assert "\\u200b" in shown
        assert not {"\x1b", "\u202e", "\u2066", "\u200b"} & set(shown)


def test_foreign_words_move_no_cursor() -> None:
    """A sentence with a provider's words, a step's text, error and display are free of escapes."""
    ear = Ear()
    say(ear, b"{}", "The model said \x1b]0;title\x07no")  # type: ignore[arg-type]
    stage = AgentOutput(ear, b"{}")  # type: ignore[arg-type]
    stage.stream("stdout", "10%\r20%\r\n\x1b[1A\x1b[2Kgone")
    stage.publish(display("a\x1b[2Jb"))
    error = {"ename": "E", "evalue": "", "traceback": ["\x1b[31mred\x1b[0m", "\x1b[5Aup"]}
    stage.publish(Said("error", to_json(error), error))
    assert "\x1b" not in ear.plain
    assert "10%\r20%\ngone" in ear.text
    assert "red\nup\n" in ear.text


async def test_a_question_is_made_of_text_alone() -> None:
    """What the checks quote of the code cannot redraw the prompt."""
    asked: list[str] = []

    class Questions:
        """Answers yes."""

        async def ask(self, client: object, prompt: str) -> str:
            asked.append(prompt)
            return "y"

    ask = Ask(Questions(), None, lambda *_: None)  # type: ignore[arg-type]
    await ask.decide(1, "c", "x", ["It calls \x1b[2Kopen."])
    assert asked == ["It calls \\x1b[2Kopen.\nRun step 1? [y]es, [n]o and why, [e]dit: "]


def test_an_animation_is_drawn_in_one_place() -> None:
    """The agent cell is never cleared; frames are drawn over the frame before them."""
    ear = Ear()
    stage = AgentOutput(ear, b"{}")  # type: ignore[arg-type]
    clear = Said("clear_output", to_json({"wait": True}), {"wait": True})
    for number in range(3):
        stage.publish(display(f"frame {number}"))
        stage.publish(clear)
    kinds = [kind for kind, _ in ear.said]
    assert kinds == ["display_data", "update_display_data", "update_display_data"]
    assert len({content["transient"]["display_id"] for _, content in ear.said}) == 1


def test_displays_with_ids_of_their_own_have_an_end() -> None:
    """Cleared or not, code cannot pile up displays in the agent cell."""
    ear = Ear()
    stage = AgentOutput(ear, b"{}")  # type: ignore[arg-type]
    clear = Said("clear_output", to_json({}), {})
    for number in range(OUTPUTS + 50):
        stage.publish(display("x", display_id=f"d{number}"))
        stage.publish(clear)
    assert [kind for kind, _ in ear.said].count("display_data") == OUTPUTS + 1
