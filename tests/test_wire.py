"""The frame codec: what goes in comes out, and nothing else does."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeact_kernel import wire
from codeact_kernel.wire import BadFrame, Decoder, Frame, decode, encode, head_of

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
_heads = st.dictionaries(st.text(max_size=8), _json, max_size=5).flatmap(
    lambda head: st.text(max_size=12).map(lambda kind: {**head, "t": kind})
)
_frames = st.tuples(_heads, st.lists(st.binary(max_size=6000), max_size=6))


def raw(head: dict[str, Any], parts: list[bytes]) -> bytes:
    """One frame as bytes."""
    return b"".join(bytes(piece) for piece in encode(head, parts))


def forged(*lengths: int, count: int | None = None, body: bytes = b"") -> bytes:
    """A frame whose numbers are whatever the test wants; the size is right."""
    count = len(lengths) if count is None else count
    rest = struct.pack("!H", count) + b"".join(struct.pack("!I", n) for n in lengths) + body
    return struct.pack("!I", len(rest)) + rest


_ON_A_BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What takes long there says nothing of the code."""


@_ON_A_BUSY_MACHINE
@given(st.lists(_frames, max_size=4), st.data())
def test_frames_survive_any_cutting_of_the_stream(
    frames: list[tuple[dict[str, Any], list[bytes]]], data: st.DataObject
) -> None:
    """However the bytes arrive, the same frames come out in order."""
    stream = b"".join(raw(*frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    found: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found.extend(decoder.feed(stream[start:end]))
    assert found == [Frame(head, tuple(parts)) for head, parts in frames]
    assert decoder.pending == 0


@_ON_A_BUSY_MACHINE
@given(_frames)
def test_a_relay_sees_the_head_and_keeps_the_bytes(
    frame: tuple[dict[str, Any], list[bytes]],
) -> None:
    """split and head_of give the very bytes and the same head as decode."""
    data = raw(*frame)
    (kept,) = Decoder().split(data)
    assert kept == data
    assert head_of(kept) == decode(kept).head == frame[0]
    assert decode(kept).type == frame[0]["t"]


@settings(_ON_A_BUSY_MACHINE, max_examples=10)
@given(st.data())
def test_large_frames_among_small_ones(data: st.DataObject) -> None:
    """What keeps the memory it came in is the same as what is copied, and lets go of what follows."""
    sizes = st.sampled_from([0, 3, 5000, 1_100_000, 2_500_000])
    parts = st.lists(sizes, max_size=3).map(
        lambda many: [bytes([size % 251]) * size for size in many]
    )
    frames = data.draw(st.lists(parts, min_size=1, max_size=4))
    stream = b"".join(raw({"t": "x"}, parts) for parts in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    decoder, relay = Decoder(), Decoder()
    found: list[Frame] = []
    passed: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found.extend(decoder.feed(stream[start:end]))
        passed.extend(bytes(frame) for frame in relay.split(stream[start:end]))
    assert [[bytes(part) for part in frame.parts] for frame in found] == frames
    assert b"".join(passed) == stream
    assert decoder.pending == relay.pending == 0


def test_a_large_frame_whose_lengths_do_not_add_up() -> None:
    """It is refused as a small one is."""
    for lengths in ([9, 2_000_000], [9, 1_999_000], [2_000_009]):
        with pytest.raises(BadFrame):
            list(Decoder().feed(forged(*lengths, body=b'{"t":"x"}' + bytes(1_999_990))))


@_ON_A_BUSY_MACHINE
@given(st.lists(st.lists(st.binary(max_size=6000), max_size=4), max_size=4))
def test_a_part_may_lie_in_pieces(parts: list[list[bytes]]) -> None:
    """It arrives as one."""
    pieces = encode({"t": "x"}, [tuple(part) for part in parts])
    (frame,) = Decoder().feed(b"".join(pieces))
    assert list(frame.parts) == [b"".join(part) for part in parts]


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_noise_is_refused_or_waited_for(noise: bytes) -> None:
    """Arbitrary bytes give frames, patience or BadFrame, never another exception."""
    for read in (decode, head_of):
        with contextlib.suppress(BadFrame):
            read(noise)
    decoder = Decoder(max_frame=1000)
    try:
        for frame in decoder.feed(noise):
            assert isinstance(frame.type, str)
    except BadFrame:
        return
    assert decoder.pending <= len(noise)


@settings(max_examples=300)
@given(_frames, st.data())
def test_a_damaged_frame_is_refused_or_still_a_frame(
    frame: tuple[dict[str, Any], list[bytes]], data: st.DataObject
) -> None:
    """Flipping bytes anywhere never raises anything but BadFrame."""
    damaged = bytearray(raw(*frame))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadFrame):
        for found in Decoder(max_frame=100_000).feed(damaged):
            assert isinstance(found.type, str)


@pytest.mark.parametrize(
    "data",
    [
        forged(2, body=b"{}"),  # no type
        forged(2, body=b"[]"),
        forged(9, body=b'{"t":null'),
        forged(7, body=b'{"t":5}'),
        forged(16, body=b'{"t":"x","a":NaN}'[:16]),
        forged(17, body=b'{"t":"x","a":NaN}'),
        forged(8, body=b'{"t":"\xff"}'[:8]),
        forged(9, body=b'{"t":"x"}more'),  # parts do not add up
        forged(9, 4_000_000_000, body=b'{"t":"x"}'),
        forged(count=0, body=b"xxxx"),
        forged(count=65_535, body=b"xxxx"),
        forged(2000, body=b"[" * 2000),
        forged(wire.MAX_HEAD + 20, body=b'{"t":"x","a":"' + b"y" * (wire.MAX_HEAD + 4) + b'"}'),
        forged(5010, body=b'{"t":"x","n":' + b"9" * 4996 + b"}"),
    ],
)
def test_forged_numbers_and_heads_are_refused(data: bytes) -> None:
    """A frame that lies about its shape, or whose head is not ours, is BadFrame."""
    with pytest.raises(BadFrame):
        list(Decoder().feed(data))


@pytest.mark.parametrize("size", [0, 5, wire.MAX_FRAME + 1, 0xFFFFFFFF])
def test_a_size_over_the_limit_is_refused_before_it_is_read(size: int) -> None:
    """Four bytes are enough to refuse: no memory is spent on what will not be a frame."""
    with pytest.raises(BadFrame):
        Decoder().split(struct.pack("!I", size))


def test_the_sender_hears_of_a_frame_over_the_limits() -> None:
    """Too many parts, too large a head and too large a frame are refused by encode."""
    with pytest.raises(BadFrame):
        encode({"t": "x"}, [b""] * wire.MAX_PARTS)
    with pytest.raises(BadFrame):
        encode({"t": "x" * wire.MAX_HEAD})
    with pytest.raises(BadFrame):
        encode({"t": "x"}, [b"", bytes(wire.MAX_FRAME)])


def test_large_parts_are_not_copied() -> None:
    """A large part is one of the pieces itself, whatever its item type."""
    part = bytearray(1_000_000)
    assert any(piece is part for piece in encode({"t": "x"}, [part, b"end"]))
    numbers: Any = memoryview(bytearray(80_000)).cast("d")
    (frame,) = Decoder().feed(b"".join(bytes(p) for p in encode({"t": "x"}, [numbers])))
    assert len(frame.parts[0]) == 80_000


def test_head_is_plain_json() -> None:
    """What the head says can be read by anything that reads JSON."""
    data = raw({"t": "publish", "parent": "ä"}, [])
    (length,) = struct.unpack_from("!I", data, 6)
    assert json.loads(data[10 : 10 + length]) == {"t": "publish", "parent": "ä"}
