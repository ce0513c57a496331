"""Whatever frames come from inside, what goes on to a client is checked, and ours."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codeact_kernel.wire import Frame, encode
from tests.escape.frames import CELL, STEP, Bench

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_kinds = st.sampled_from(["publish", "stream", "reply", "ask", "call", "dap", "status", "x"])
_types = st.sampled_from(
    [
        "execute_reply",
        "shutdown_reply",
        "status",
        "stream",
        "display_data",
        "execute_result",
        "error",
        "clear_output",
        "update_display_data",
        "comm_open",
        "comm_msg",
        "comm_close",
        "execute_input",
        "input_request",
    ]
)
_parents = st.sampled_from([CELL, STEP, "", "other"]) | _json
_words = st.sampled_from(["stdout", "stderr", "final_answer", "ok", "busy", "idle", "ours"])
_head = st.fixed_dictionaries(
    {"t": _kinds},
    optional={
        "type": _types | _json,
        "parent": _parents,
        "name": _words | _json,
        "id": _words | _json,
    },
)
_content = st.fixed_dictionaries(
    {},
    optional={
        "data": st.dictionaries(
            st.sampled_from(["text/plain", "text/html", "image/svg+xml", "x"]), _json, max_size=3
        )
        | _json,
        "metadata": _json,
        "transient": _json,
        "execution_state": _words | _json,
        "status": _words | _json,
        "ename": _words | _json,
        "evalue": _words | _json,
        "traceback": st.lists(_json, max_size=3) | _json,
        "comm_id": _words | _json,
        "target_name": st.just("codeact") | _words | _json,
        "text": _words | _json,
        "code": _words | _json,
        "payload": _json,
        "execution_count": _json,
    },
)
_part = _content.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30)
_frame = st.tuples(_head, st.lists(_part, max_size=4))


@settings(max_examples=250, deadline=None)
@given(st.lists(_frame, max_size=6))
def test_no_frame_gets_a_client_what_is_not_ours(
    frames: list[tuple[dict[str, Any], list[bytes]]],
) -> None:
    """Only known kinds, strict JSON, our headers, one reply to each request, no question asked."""
    bench = Bench()
    for head, parts in frames:
        bench.take(Frame(head, (b"{}", *parts)))
        bench.take(Frame(head, tuple(parts)))


@settings(max_examples=150, deadline=None)
@given(st.lists(_frame, max_size=3), st.data())
def test_no_bytes_do_either(
    frames: list[tuple[dict[str, Any], list[bytes]]], data: st.DataObject
) -> None:
    """The same for a stream of frames in which bytes were flipped."""
    stream = bytearray(
        b"".join(bytes(piece) for head, parts in frames for piece in encode(head, parts))
    )
    for _ in range(data.draw(st.integers(0, 4))):
        if stream:
            stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    Bench().feed(bytes(stream))
