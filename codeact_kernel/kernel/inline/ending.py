"""The end of a run in its agent cell: the answer or the reason, and unseen with it the whole run.

Rule: one fresh display. A kernel cannot write into a cell's metadata, but every notebook keeps that of an
output; so what a reader or a replay needs is saved where no front end of ours is. An update of a
display would not do: VS Code keeps the metadata an output had first.
"""

from __future__ import annotations

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.channels.publisher import Publisher
from codeact_kernel.kernel.run.views import display, say
from codeact_kernel.trace import inline
from codeact_kernel.trace.key import KEY
from codeact_kernel.trace.markdown import harmless_markdown
from codeact_kernel.trace.values import Outcome, Run

LARGEST = 16 * 1024 * 1024
"""Bytes of a run that one message may carry."""
_TOO_LARGE = (
    "This run was not put into the notebook, since its record takes {size:,.0f} MB. It is in the "
    "kernel's journal, but the notebook cannot replay it."
)


def say_end(publisher: Publisher, agent: bytes, run: Run) -> None:
    """How the run ended, as the last output of the cell whose request has the header `agent`."""
    kept = inline.metadata(run)
    size = len(to_json(kept))
    if size > LARGEST:
        say(publisher, agent, _TOO_LARGE.format(size=size / 1024 / 1024))
    metadata = {KEY: kept} if size <= LARGEST else {}
    display(publisher, agent, *_words(run), metadata)


def _words(run: Run) -> tuple[str, str]:
    """Text for a console and Markdown for a notebook."""
    if run.outcome is not Outcome.ANSWER:
        return run.reason, harmless_markdown(f"> {run.reason}")
    answer = run.answer or "(empty answer)"
    return f"Answer\n\n{answer}", f"**Answer**\n\n{harmless_markdown(answer)}"
