"""What a step put out, within bounds."""

from __future__ import annotations

from typing import Any

from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.relay.said import Said
from codeact_kernel.kernel.run.recording import BYTES, OUTPUTS, Cap, Recording


def said(kind: str, **value: Any) -> Said:
    """A message of the sandbox."""
    return Said(kind, to_json(value), value)


def display(text: str, display_id: str | None = None) -> Said:
    """A display of plain text."""
    transient = {} if display_id is None else {"display_id": display_id}
    return said("display_data", data={"text/plain": text}, metadata={}, transient=transient)


def texts(recording: Recording) -> list[str]:
    """The outputs in short."""
    return [o["text"] if "text" in o else o["data"]["text/plain"] for o in recording.outputs]


def test_neighbouring_text_is_one_output() -> None:
    """Pieces of the same stream are joined, other streams and displays keep their place."""
    recording = Recording()
    recording.stream("stdout", "a")
    recording.stream("stdout", "b")
    recording.stream("stderr", "c")
    recording.take(display("d"))
    recording.stream("stdout", "e")
    assert texts(recording) == ["ab", "c", "d", "e"]


def test_updates_and_clears_are_done() -> None:
    """An update changes the display with its id, a clear empties, a waiting clear at the next output."""
    recording = Recording()
    recording.take(display("one", "x"))
    recording.take(
        said("update_display_data", data={"text/plain": "two"}, transient={"display_id": "x"})
    )
    assert texts(recording) == ["two"]
    recording.take(said("clear_output", wait=True))
    assert texts(recording) == ["two"]
    recording.stream("stdout", "three")
    assert texts(recording) == ["three"]
    recording.take(said("clear_output", wait=False))
    assert recording.outputs == ()


def test_only_what_a_notebook_knows_is_recorded() -> None:
    """Extra keys from inside do not get into outputs; counts that are no numbers become None."""
    recording = Recording()
    recording.take(said("execute_input", code="1", execution_count="7"))
    recording.take(
        said("execute_result", data={"text/plain": "1"}, metadata=[], execution_count=True, evil=1)
    )
    assert recording.count is None
    assert recording.outputs == (
        {
            "output_type": "execute_result",
            "data": {"text/plain": "1"},
            "metadata": {},
            "execution_count": None,
        },
    )


def test_too_many_outputs_are_counted() -> None:
    """Beyond the limit displays are refused and counted."""
    recording = Recording()
    taken = [recording.take(display(str(n))) for n in range(OUTPUTS + 3)]
    assert taken.count(False) == recording.refused == 3
    assert len(recording.outputs) == OUTPUTS


def test_a_flood_keeps_its_head_and_its_tail() -> None:
    """The first part passes, the last part follows at the end, and what is missing is counted."""
    cap = Cap(head=10, tail=5)
    shown = [cap.take("stdout", text) for text in ("12345678", "90ab", "c" * 100, "wxyz")]
    assert shown == ["12345678", "90", "", ""]
    assert list(cap.rest()) == [
        ("stderr", "\n… 101 characters are left out here …\n"),
        ("stdout", "c"),
        ("stdout", "wxyz"),
    ]
    assert list(cap.rest()) == []


def test_what_fits_is_not_touched() -> None:
    """Text below the limit passes whole, and nothing follows."""
    cap = Cap(head=10, tail=5)
    assert cap.take("stdout", "0123456789") == "0123456789"
    assert list(cap.rest()) == []


def update(size: int, display_id: str) -> Said:
    """An update that says it is `size` bytes, without the test holding them."""
    value = {"data": {"text/plain": "new"}, "transient": {"display_id": display_id}}
    return Said("update_display_data", Sized(size), value)


class Sized(bytes):
    """Bytes that claim a length."""

    def __new__(cls, size: int) -> Sized:
        return super().__new__(cls)

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size


def test_updates_take_room_like_the_outputs_they_replace() -> None:
    """Many small displays cannot be updated to more bytes than outputs may have in all."""
    recording = Recording()
    for number in range(10):
        assert recording.take(display("x", f"d{number}"))
    taken = [recording.take(update(BYTES // 4, f"d{number}")) for number in range(10)]
    assert taken.count(True) == 3
    assert recording.refused == 7
    assert texts(recording).count("new") == 3


def test_an_update_of_displays_with_one_id_counts_for_each() -> None:
    """The saved cell has the bytes once for each of them."""
    recording = Recording()
    for _ in range(4):
        recording.take(display("x", "same"))
    assert not recording.take(update(BYTES // 3, "same"))
    assert recording.take(update(BYTES // 4, "same"))


def test_what_is_replaced_or_cleared_makes_room() -> None:
    """An animation is shown to its end: only the frame that is there counts."""
    recording = Recording()
    frame = Said("display_data", Sized(BYTES // 2 + 1), {"data": {"text/plain": "frame"}})
    for wait in (True, False, True):
        assert recording.take(frame)
        assert recording.take(said("clear_output", wait=wait))
    assert recording.take(display("small", "x"))
    assert all(recording.take(update(BYTES - 1000, "x")) for _ in range(5))
    assert recording.refused == 0


def test_a_display_that_was_cleared_is_not_updated() -> None:
    """Its id leads nowhere, and nothing of it is kept."""
    recording = Recording()
    recording.take(display("one", "x"))
    recording.take(said("clear_output", wait=False))
    recording.take(update(100, "x"))
    assert recording.outputs == ()
