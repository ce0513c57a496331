"""What models really send, and how: one `codeact run` of a notebook in which every cell asks another model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.commands import ANSWER, done, finished, role, text_of, write
from tests.scripted_server import Reply, several

HTML = "html = '<b><code>x</code></b>'\nprint(html)"
FORMS = {
    "two blocks": (
        "First.\n\n```python\nprint(1)\n```\n\nThen.\n\n```python\nprint(2)\n```",
        "print(1)\n\nprint(2)",
        "1\n2\n",
    ),
    "JSON": ('{"thought": "I print.", "code": "print(\\"json\\")"}', 'print("json")', "json\n"),
    "an unclosed fence": ("I print.\n\n```python\nprint(1)", "print(1)", "1\n"),
    "an unclosed tag": ("I print.\n\n<execute>\nprint(1)\n", "print(1)", "1\n"),
    "HTML with a tag in a string": (f"<code>\n{HTML}\n</code>", HTML, "<b><code>x</code></b>\n"),
}
PROSE, BUSY, CUT = "prose", "busy", "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of asking one model."""

    header: Any
    steps: list[Any]
    requests: int


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    """By what the model does."""
    replies: dict[str, tuple[str | Reply, ...]] = {
        **{name: (reply, ANSWER) for name, (reply, _, _) in FORMS.items()},
        PROSE: ("It is forty-two.",),
        BUSY: (Reply(text=ANSWER, refusals=(429,)),),
        CUT: (Reply(text=ANSWER, cuts=1),),
    }
    models = {name: f"model-{number}" for number, name in enumerate(replies)}
    folder = tmp_path_factory.mktemp("replies")
    cells = [f"%%agent --model openai/{model}\nTask." for model in models.values()]
    path = write(folder / "a.ipynb", *cells)
    with several({models[name]: said for name, said in replies.items()}) as server:
        process = finished("run", path, "--api-base", server.url)
    ran = done(process, folder / "a.run.ipynb")
    assert (ran.code, ran.stderr) == (0, "")
    requests = Counter(body["model"] for body in server.requests)
    headers = [cell.metadata.codeact.run for cell in ran.notebook.cells if role(cell) == "agent"]
    return {
        name: Asked(
            header=header,
            steps=[step for step in ran.steps if step.metadata.codeact.run == header.id],
            requests=requests[model],
        )
        for (name, model), header in zip(models.items(), headers, strict=True)
    }


@pytest.mark.parametrize("form", FORMS)
def test_replies_in_other_forms_are_understood(asked: dict[str, Asked], form: str) -> None:
    """What was meant is what runs."""
    _, source, printed = FORMS[form]
    first = asked[form].steps[0]
    assert (first.source, text_of(first)) == (source, printed)
    assert asked[form].header.answer == "forty-two"


def test_a_reply_without_code_is_the_answer(asked: dict[str, Asked]) -> None:
    """Prose alone ends the run as an answer."""
    header = asked[PROSE].header
    assert (header.outcome, header.answer) == ("answer", "It is forty-two.")
    assert asked[PROSE].steps == []


def test_too_many_requests_are_tried_again(asked: dict[str, Asked]) -> None:
    """A 429 costs a moment, not the run."""
    assert asked[BUSY].requests == 2
    assert asked[BUSY].header.answer == "forty-two"


def test_a_stream_that_is_cut_is_asked_again(asked: dict[str, Asked]) -> None:
    """Half a reply is never run."""
    assert asked[CUT].requests == 2
    assert asked[CUT].header.answer == "forty-two"
    assert len(asked[CUT].steps) == 1
