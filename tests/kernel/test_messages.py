"""Frames and signatures, without a socket."""

from __future__ import annotations

import json

import pytest

from codeact_kernel.kernel.channels.messages import (
    EMPTY,
    BadMessage,
    Incoming,
    Signer,
    as_object,
    to_json,
    whole_object,
)


def sent(signer: Signer) -> list[bytes]:
    """The frames of a small message."""
    frames = signer.frames(
        [b"ident"], "execute_request", EMPTY, EMPTY, b'{"code":"1"}', [b"buffer"]
    )
    return [bytes(frame) for frame in frames]


def test_what_is_signed_is_read() -> None:
    """Frames built with a key are accepted under the same key, idents and buffers included."""
    message = Signer(b"key").read("shell", sent(Signer(b"key")))
    assert isinstance(message, Incoming)
    assert message.idents == (b"ident",)
    assert message.type == "execute_request"
    assert message.read_content() == {"code": "1"}
    assert message.buffers == (b"buffer",)


@pytest.mark.parametrize("part", [1, 2, 3, 4, 5, 6])
def test_any_changed_byte_is_refused(part: int) -> None:
    """A change in the delimiter, the signature or any of the four parts makes the message void."""
    frames = sent(Signer(b"key"))
    frames[part] = frames[part][:-1] + bytes([frames[part][-1] ^ 1])
    with pytest.raises(BadMessage):
        Signer(b"key").read("shell", frames)


def test_a_message_is_taken_once() -> None:
    """Frames that were recorded and sent again are refused."""
    signer, frames = Signer(b"key"), sent(Signer(b"key"))
    signer.read("shell", frames)
    with pytest.raises(BadMessage, match="before"):
        signer.read("shell", frames)


@pytest.mark.parametrize(
    "frames",
    [[], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"[]", b"{}", b"{}", b"{}"], [b"x"] * 8],
)
def test_odd_frames_are_refused(frames: list[bytes]) -> None:
    """Too few frames, no delimiter, a header that is no object: BadMessage, nothing else."""
    with pytest.raises(BadMessage):
        Signer(b"").read("shell", frames)


@pytest.mark.parametrize(
    "raw", [b"", b"1", b"[]", b'{"a":NaN}', b'{"a":1', b"\xff\xfe{\x00}\x00", b'{"a":' * 100_000]
)
def test_only_strict_json_objects_pass(raw: bytes) -> None:
    """What a browser could not parse, or is not an object, is refused."""
    with pytest.raises(BadMessage):
        as_object(raw)


def test_what_json_cannot_say_is_still_sent() -> None:
    """Infinity, lone surrogates and unknown objects become text, never an exception."""
    value = json.loads(to_json({"a": float("inf"), "b": ["\ud800"], "c": object}))
    assert value["a"] == "inf"
    assert isinstance(value["c"], str)


def test_depth_is_bounded() -> None:
    """JSON nested beyond the limit is refused; wide JSON and brackets in texts are not."""
    for deep in (b"[" * 150 + b"]" * 150, b'{"a":' * 150 + b"1" + b"}" * 150):
        with pytest.raises(BadMessage, match="deep"):
            as_object(b'{"a":' + deep + b"}")
    wide = json.dumps({"a": [[n, [n]] for n in range(1000)], "b": "[" * 5000 + "}"}).encode()
    assert len(as_object(wide)["a"]) == 1000
    assert as_object(b'{"a":' + b"[" * 99 + b"]" * 99 + b"}")


@pytest.mark.parametrize("text", ["x" * 100_000, "[{" * 50_000])
def test_depth_is_counted_in_large_messages_too(text: str) -> None:
    """Few large texts, whatever they hold, are no depth; depth behind one is found."""
    assert as_object(to_json({"text": text}))["text"] == text
    deep = b'{"text":' + to_json(text) + b',"deep":' + b"[" * 150 + b"]" * 150 + b"}"
    with pytest.raises(BadMessage, match="deep"):
        as_object(deep)
    many = to_json({"text": text, "many": [[1]] * 2000})
    assert len(as_object(many)["many"]) == 2000


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": "b"}', "b"),
        (b'{"a": "\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"a": "x\\uD800y"}', "x?y"),
    ],
)
def test_what_is_passed_on_can_be_saved(raw: bytes, value: str) -> None:
    """JSON that spells half a character, which no UTF-8 file can hold, is not passed on as it came."""
    passed_on, read = whole_object(raw)
    assert read == json.loads(passed_on) == {"a": value}
    passed_on.decode().encode()
    json.dumps(read, ensure_ascii=False).encode()
