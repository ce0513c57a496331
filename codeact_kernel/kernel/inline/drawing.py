"""What our widgets show, as HTML.

Rule: pure. Whatever is not written here is text that a model, a page or a file may have chosen: it
is escaped, shortened, and rid of what would change how it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from codeact_kernel.kernel.inline.highlight import python
from codeact_kernel.trace.text import plain, visible

_LINES = 40
_WIDTH = 500
_THOUGHT = 4_000


def progress(task: str, now: str, details: Sequence[str], seconds: float, waits: bool) -> str:
    """The head of a run: its task, what happens now, and what it has used."""
    first = plain(task).strip().partition("\n")[0][:_WIDTH] or "The run goes on"
    used = " · ".join(escape(plain(part)) for part in (elapsed(seconds), *details) if part)
    return (
        f'<div class="ca-task" title="{escape(first)}">{escape(first)}</div>'
        f'<div class="ca-now{" ca-waits" if waits else ""}">{escape(plain(now))} '
        f'<span class="ca-faint">· {used}</span></div>'
    )


def writing(number: int, thought: str, code: str) -> str:
    """A step while the model writes it; of long code its end."""
    lines = visible(code).split("\n")
    left_out = len(lines) - _LINES
    more = f'<div class="ca-faint">… {left_out:,} lines above …</div>' if left_out > 0 else ""
    shown = "\n".join(line[:_WIDTH] for line in lines[-_LINES:])
    block = f'{more}<pre class="ca-code">{python(shown)}</pre>' if code else ""
    return f"<div><b>Step {number}</b></div>{_prose(thought)}{block}"


def question(number: int, thought: str, concerns: Sequence[str]) -> str:
    """What is asked above the code that waits."""
    found = "".join(f"<li>{escape(visible(concern))}</li>" for concern in concerns)
    listed = f'<ul class="ca-warns">{found}</ul>' if found else ""
    head = f'<div class="ca-now ca-waits"><b>Step {number} waits for your approval.</b></div>'
    hint = '<div class="ca-faint">You can change the code; what you see here is what runs.</div>'
    return f"{head}{_prose(thought)}{listed}{hint}"


def elapsed(seconds: float) -> str:
    """12 s, or 3 min 05 s."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


def _prose(text: str) -> str:
    text = plain(text).strip()
    text = text if len(text) <= _THOUGHT else f"… {text[-_THOUGHT:]}"
    return f'<div class="ca-thought">{escape(text)}</div>' if text else ""
