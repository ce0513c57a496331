"""What our widgets show, as HTML.

Rule: pure. Whatever is not written here is text that a model, a page or a file may have chosen: it
is escaped, shortened, and rid of what would change how it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from codeact_kernel.kernel.inline.highlight import python
from codeact_kernel.trace.text import plain, visible

EDITOR = 24
"""Lines of the editor, at most."""
_COLUMNS = 90
_LINES = 40
_WIDTH = 500
_THOUGHT = 4_000


def progress(task: str, now: str, details: Sequence[str], seconds: float, waits: bool) -> str:
    """The head of a run: its task, what happens now, and what it has used."""
    first = plain(task).strip().partition("\n")[0][:_WIDTH] or "The run goes on"
    used = " · ".join(escape(plain(part)) for part in (elapsed(seconds), *details) if part)
    return (
        f'<div class="codeact-task" title="{escape(first)}">{escape(first)}</div>'
        f'<div class="codeact-now{" codeact-waits" if waits else ""}">{escape(plain(now))} '
        f'<span class="codeact-faint">· {used}</span></div>'
    )


def writing(number: int, thought: str, code: str) -> str:
    """A step while the model writes it; of long code its end."""
    lines = code.split("\n")
    left_out = len(lines) - _LINES
    more = f'<div class="codeact-faint">… {left_out:,} lines above …</div>' if left_out > 0 else ""
    shown = visible("\n".join(line[:_WIDTH] for line in lines[-_LINES:]))
    block = f'{more}<pre class="codeact-code">{python(shown)}</pre>' if code else ""
    return f"<div><b>Step {number}</b></div>{_prose(thought)}{block}"


def question(number: int, thought: str, concerns: Sequence[str], code: str) -> str:
    """What is asked above the code that waits, and whether all of it can be seen at once."""
    found = "".join(f"<li>{escape(visible(concern))}</li>" for concern in concerns)
    listed = f'<ul class="codeact-warns">{found}</ul>' if found else ""
    head = f'<div class="codeact-now codeact-waits"><b>Step {number} waits for your approval.</b></div>'
    lines = f"{code.count(chr(10)) + 1:,} lines, {len(code):,} characters"
    more = f" Scroll to see all of it: {lines}." if height(code) > EDITOR else ""
    hint = f"You can change the code; what the editor holds is what runs.{more}"
    return f'{head}{_prose(thought)}{listed}<div class="codeact-faint">{hint}</div>'


def height(code: str) -> int:
    """About how many lines code takes in the editor, where long ones go on in the next."""
    return sum(1 + len(line) // _COLUMNS for line in code.split("\n"))


def elapsed(seconds: float) -> str:
    """12 s, or 3 min 05 s."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


def _prose(text: str) -> str:
    text = plain(text).strip()
    text = text if len(text) <= _THOUGHT else f"… {text[-_THOUGHT:]}"
    return f'<div class="codeact-thought">{escape(text)}</div>' if text else ""
