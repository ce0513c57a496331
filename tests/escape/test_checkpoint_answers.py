"""What a hostile sandbox answers when it is asked for checkpoints: data, checked, and never a crash."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codeact_kernel.errors import UsageError
from codeact_kernel.kernel.channels.messages import to_json
from codeact_kernel.kernel.rewind import branches
from tests.kernel.test_checkpoints import present, table, take

_numbers = st.integers() | st.just(10**4000) | st.just(-(10**4000)) | st.floats()
_json = st.recursive(
    st.none() | st.booleans() | _numbers | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
_reason = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["threads", "processes", "x"]) | _json,
        "count": _json,
        "names": _json,
    },
)
_taken = st.fixed_dictionaries(
    {"taken": st.just(True) | _json}, optional={"reasons": st.lists(_reason) | _json, "size": _json}
)
_sizes = st.dictionaries(
    st.sampled_from(["1", "2", "٣", "1e3", "-1", ""]) | st.text(max_size=12), _json
)


@settings(max_examples=150, deadline=None)
@given(taken=_taken | _json, sizes=_sizes | _json, lost=_json)
async def test_answers_are_data(taken: Any, sizes: Any, lost: Any) -> None:
    """A checkpoint is made or refused with a sentence; what is shown of the tree is text and JSON."""
    checkpoints, sandbox = table()
    for answer in ({"taken": True}, taken):
        sandbox.answers["checkpoint"] = answer
        with contextlib.suppress(UsageError):
            await take(checkpoints, "named", {"x": "1"}, name="a")
    sandbox.answers["weigh"] = sizes
    await checkpoints.weigh()
    checkpoints.lost(lost)
    for row in checkpoints.table():
        json.loads(to_json(row))
    for draw in (branches.text, branches.markdown):
        text = draw(checkpoints.rows, checkpoints.here)
        assert len(text) < 10_000
        assert "\x1b" not in text


@settings(max_examples=100, deadline=None)
@given(obstacles=_taken | _json)
async def test_so_are_those_before_a_rewind(obstacles: Any) -> None:
    """Whatever it says of the state that is about to be left."""
    checkpoints, sandbox = table()
    row = await take(checkpoints, "named", {}, name="a")
    sandbox.answers["obstacles"] = obstacles
    with contextlib.suppress(UsageError):
        json.loads(to_json([str(each) for each in (await present(checkpoints, row)).obstacles]))
    assert checkpoints.here == row.number
