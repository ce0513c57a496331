"""What the model is shown of what its code did.

Rule: the same outputs give the same text: no times, no addresses, no counts of ours. Nothing is
lost by cutting: the notice says how much there was and which variable has it all. What is shown
here came from inside the sandbox: it is data for the model and never anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from codeact_kernel.agent.prompt import describe
from codeact_kernel.trace.text import without_ansi
from codeact_kernel.trace.values import Delta, Image, Output, Status, Variable

HEAD, TAIL, LINE = 6 * 1024, 4 * 1024, 2000
"""Bytes kept of the beginning and of the end of an output; characters of one line."""
TRACEBACK_LINES, TRACEBACK = 25, 3000
IMAGES, IMAGE_BYTES = 3, 5_000_000
"""So many images per step, each of at most so many characters of base64."""
DELTA_LINES = 20
_ADDRESS = re.compile(r"(?<= at )0x[0-9A-Fa-f]+")
_LIBRARY = re.compile(r"^File .*(?:site-packages|dist-packages|[/\\]lib[/\\]python3)")
_FRAME = re.compile(r"^(?:File |Cell In\[\d+\]|Input In )")
_ARROW = re.compile(r"^-+> ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipped:
    """A text short enough to show. `full` is the whole one when something was cut, else None."""

    text: str
    full: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The parts of an observation; `keep` are texts to bind to variables before it is true."""

    text: str
    images: tuple[Image, ...]
    keep: Mapping[str, str]


def show(
    *,
    number: int,
    status: Status,
    reason: str,
    outputs: Sequence[Output],
    delta: Delta,
    sees: bool,
    notes: Sequence[str] = (),
    of: int,
    count: int | None = None,
) -> Shown:
    """The observation of step `number` of `of`. `reason` and `notes` are sentences of ours.

    `count` is the cell's execution count: the cell is called "This cell" instead, because the count
    depends on what else the person ran.
    """
    keep: dict[str, str] = {}
    parts = [f"[step {number}/{of}: {_STATUS.get(status, status)}]"]
    errors = _stream(outputs, "stderr")
    if reason and reason not in errors:
        parts.append(reason)
    for name, text in (
        ("stdout", _stream(outputs, "stdout")),
        ("stderr", errors),
    ):
        if text.strip():
            parts.append(f"{name}:\n{_clipped(text, f'_{name}_{number}', keep)}")
    for place, text in enumerate(_results(outputs)):
        name = f"_result_{number}" + (f"_{place + 1}" if place else "")
        parts.append(f"result:\n{_clipped(text, name, keep)}")
    for output in outputs:
        if output.get("output_type") == "error":
            parts.append(short_traceback(output).replace(f"Cell In[{count}]", "This cell"))
    images, about = _images(outputs, sees)
    parts += [line for line in (about, *delta_lines(delta), *notes) if line]
    return Shown(text=_ADDRESS.sub("0x…", "\n".join(parts)), images=images, keep=keep)


_STATUS = {Status.NOT_RUN: "not run", Status.TIMEOUT: "time limit", Status.DIED: "sandbox ended"}


def stub(number: int) -> str:
    """What stands for an old observation when room is needed."""
    return f"[step {number}: output removed to save room; the variables it made still exist]"


def difference(before: Mapping[str, Variable], after: Mapping[str, Variable]) -> Delta:
    """What happened to the variables, without the marks that told it: those are addresses."""
    return Delta(
        new={name: _lasting(each) for name, each in after.items() if name not in before},
        changed={
            name: _lasting(each)
            for name, each in after.items()
            if name in before and before[name].mark != each.mark
        },
        deleted=tuple(sorted(name for name in before if name not in after)),
    )


def _lasting(variable: Variable) -> Variable:
    """A variable without what differs between two runs of the same code."""
    return replace(variable, mark="", preview=_ADDRESS.sub("0x…", variable.preview))


def delta_lines(delta: Delta) -> list[str]:
    """One line for each variable that is new or changed, one for the deleted ones."""
    lines = [f"new: {name}: {describe(delta.new[name])}" for name in sorted(delta.new)]
    lines += [f"changed: {name}: {describe(delta.changed[name])}" for name in sorted(delta.changed)]
    if len(lines) > DELTA_LINES:
        lines[DELTA_LINES:] = [f"and {len(lines) - DELTA_LINES} more new or changed variables"]
    if delta.deleted:
        lines.append(f"deleted: {', '.join(delta.deleted)}")
    return lines


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


def clip(text: str, name: str) -> Clipped:
    """The text as far as it is shown; `name` is the variable that will hold all of it."""
    lines = text.split("\n")
    clamped = "\n".join(_clamp(line) for line in lines)
    data = clamped.encode("utf-8", "replace")
    if clamped == text and len(data) <= HEAD + TAIL:
        return Clipped(text=text)
    size = len(text.encode("utf-8", "replace"))
    notice = (
        f"[cut: {size} bytes, {len(lines)} lines in all; the variable {name} has the whole text]"
    )
    if len(data) <= HEAD + TAIL:
        return Clipped(text=f"{clamped}\n{notice}", full=text)
    head = data[:HEAD].decode("utf-8", "ignore").rpartition("\n")[0] or data[:HEAD].decode(
        "utf-8", "ignore"
    )
    tail = data[-TAIL:].decode("utf-8", "ignore")
    tail = tail.partition("\n")[2] or tail
    return Clipped(text=f"{head}\n{notice}\n{tail}", full=text)


def _clipped(text: str, name: str, keep: dict[str, str]) -> str:
    clipped = clip(text.rstrip("\n"), name)
    if clipped.full is not None:
        keep[name] = clipped.full
    return clipped.text


def _clamp(line: str) -> str:
    if len(line) <= LINE:
        return line
    return f"{line[: LINE * 3 // 4]} …[{len(line)} characters]… {line[-LINE // 4 :]}"


def _stream(outputs: Sequence[Output], name: str) -> str:
    """One stream's text as a terminal leaves it: no colours, progress bars as last drawn."""
    pieces = [
        str(output.get("text", ""))
        for output in outputs
        if output.get("output_type") == "stream" and output.get("name") == name
    ]
    text = without_ansi("".join(pieces)).replace("\r\n", "\n")
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _results(outputs: Sequence[Output]) -> list[str]:
    """text/plain of results and displays; a figure's is said by the line about images."""
    return [
        without_ansi(data["text/plain"])
        for output in outputs
        if (data := _data(output))
        and isinstance(data.get("text/plain"), str)
        and not any(mime.startswith("image/") for mime in data)
    ]


def short_traceback(output: Output) -> str:
    """The notebook's own frames, each as its place and its line, then the error; the last lines
    when it is long."""
    entries = [without_ansi(str(entry)).strip("\n") for entry in output.get("traceback") or ()]
    kept = [_frame(entry) for entry in entries if _is_ours(entry)]
    if not any(entry.strip() for entry in kept):
        kept = [f"{output.get('ename', 'Error')}: {output.get('evalue', '')}"]
    lines = [_clamp(line) for line in "\n".join(kept).split("\n")]
    if len(lines) > TRACEBACK_LINES:
        lines = ["[…]", *lines[-TRACEBACK_LINES:]]
    text = "\n".join(lines)
    return text if len(text) <= TRACEBACK else f"[…] {text[-TRACEBACK:]}"


def _is_ours(entry: str) -> bool:
    """Whether a piece of a traceback says something of the notebook's code or of the error."""
    heading = not entry.strip("- ") or "Traceback (most recent call last)" in entry
    return not heading and not _LIBRARY.match(entry)


def _frame(entry: str) -> str:
    """A frame without the lines around the one that failed."""
    first, *rest = entry.split("\n")
    failed = [line for line in rest if _ARROW.match(line)]
    return "\n".join([first, *failed]) if _FRAME.match(first) and failed else entry


# ── images ───────────────────────────────────────────────────────────────────────────────────────


def _images(outputs: Sequence[Output], sees: bool) -> tuple[tuple[Image, ...], str]:
    """The images the model gets, and the line about those."""
    found = [image for output in outputs if (image := _image(output))]
    if not found:
        return (), ""
    count = "1 image was" if len(found) == 1 else f"{len(found)} images were"
    if not sees:
        return (), f"{count} shown to the person (you cannot see images)."
    small = tuple(image for image in found if len(image.data) <= IMAGE_BYTES)[:IMAGES]
    rest = f"; you see the first {len(small)}" if len(small) < len(found) else ""
    return small, f"{count} displayed{rest}."


def _image(output: Output) -> Image | None:
    data = _data(output)
    for mime in ("image/png", "image/jpeg"):
        if isinstance(data.get(mime), str):
            return Image(mime=mime, data=data[mime])
    return None


def _data(output: Output) -> Mapping[str, str]:
    data = output.get("data")
    return data if isinstance(data, Mapping) else {}
