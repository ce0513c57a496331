"""What a user is told of the walls, and where."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from codeact_kernel.kernel.channels.information import kernel_info
from codeact_kernel.kernel.relay.isolation import Isolation
from tests.kernel.boxes import obedient
from tests.kernel.conftest import Front

HOME = "The notebook lies in your home folder, which is not shown to code."


@dataclass
class Report:
    """As much of a report as is read."""

    notes: tuple[str, ...] = ()


@pytest.mark.parametrize(("grade", "words"), [("none", "no sandbox"), ("landlock", "namespaces")])
def test_a_weak_grade_is_said_once_above_a_cell(grade: str, words: str) -> None:
    """And again when another sandbox has another grade."""
    isolation = Isolation()
    assert isolation.before_cell() == ""
    isolation.sandbox_has(grade, Report())
    assert words in isolation.before_cell()
    assert isolation.before_cell() == ""
    isolation.sandbox_has("namespaces", Report())
    assert isolation.before_cell() == ""
    isolation.sandbox_has(grade, Report())
    assert words in isolation.before_cell()


def test_each_run_has_every_sentence_once() -> None:
    """A run that is continued is not told again what its trace has already."""
    isolation = Isolation()
    isolation.sandbox_has("none", Report((HOME, HOME)))
    assert isolation.for_run("a") == [isolation.warning, HOME]
    assert isolation.for_run("a") == []
    assert isolation.for_run("b") == [isolation.warning, HOME]


def test_namespaces_without_notes_need_no_words() -> None:
    """The ordinary case stays quiet, in the banner too."""
    isolation = Isolation("bubblewrap")
    isolation.sandbox_has("namespaces", Report())
    assert isolation.sentences == ()
    assert "\n" not in kernel_info(isolation.sentences)["banner"]


def test_the_banner_says_what_is_certain_before_a_self_test() -> None:
    """A client asks before the sandbox is up."""
    isolation = Isolation("none", (HOME,))
    banner = kernel_info(isolation.sentences)["banner"]
    assert "no sandbox" in banner
    assert HOME in banner


async def test_the_first_cell_shows_it_on_stderr(front: Front) -> None:
    """One line above the cell's own output, in the first cell only."""
    front.box.script = obedient
    front.kernel.relay.isolation.sandbox_has("none", Report())
    first = await front.until_idle(front.client.execute("one"))
    second = await front.until_idle(front.client.execute("two"))
    said = [m["content"] for m in first if m["msg_type"] == "stream"]
    assert [each["name"] for each in said] == ["stderr", "stdout"]
    assert said[0]["text"].count("\n") == 1
    assert [m["content"]["name"] for m in second if m["msg_type"] == "stream"] == ["stdout"]
