"""A page of what is in a value: bounded, sliced, and without running code of its class."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.client import Worker


def page(worker: Worker, name: str, row: int = 0, column: int = 0) -> dict[str, Any]:
    """What `look` answers."""
    found = worker.query("look", {"name": name, "row": row, "column": column})
    assert isinstance(found, dict)
    return found


def test_frames_arrays_and_collections_have_pages(shared: Worker) -> None:
    """Index, columns and cells as short texts, from the row and column that were asked for."""
    shared.run(
        "import numpy as np, pandas as pd\n"
        "df = pd.DataFrame({f'c{i}': range(200) for i in range(30)})\n"
        "df.loc[0, 'c0'] = 7; df['c1'] = 'text'; col = df.c2\n"
        "grid = np.arange(24).reshape(2, 3, 4); flat = np.arange(100)\n"
        "items = list(range(80)); d = {'a': [1, 2], 'b': 'x' * 500}\n"
        "dates = pd.date_range('2024-01-01', periods=3)",
        60,
    )
    first = page(shared, "df")
    assert (first["height"], first["width"]) == (200, 30)
    assert (len(first["cells"]), len(first["cells"][0])) == (50, 20)
    assert first["cells"][0][:2] == ["7", "text"]
    assert first["columns"][:2] == ["c0", "c1"]
    last = page(shared, "df", 190, 20)
    assert (len(last["cells"]), last["columns"][-1], last["index"][0]) == (10, "c29", "190")
    assert page(shared, "df", 10_000)["cells"] == []
    assert page(shared, "col", 3)["cells"][0] == ["3"]
    cube = page(shared, "grid")
    assert (cube["height"], cube["width"]) == (6, 4)
    assert cube["index"][4] == "1, 1"
    assert cube["cells"][4] == ["16", "17", "18", "19"]
    assert page(shared, "flat", 50)["cells"][0] == ["50"]
    assert page(shared, "items", 79)["index"] == ["79"]
    mapping = page(shared, "d")
    assert mapping["index"] == ["a", "b"]
    assert mapping["cells"][0] == ["[1, 2]"]
    assert len(mapping["cells"][1][0]) == 100
    assert page(shared, "dates")["cells"][1] == ["2024-01-02 00:00:00"]


def test_what_has_no_inside_says_so(shared: Worker) -> None:
    """A number, a missing name and a class that looks like a list are refused; no code of it runs."""
    shared.run(
        "n = 1\nclass L(list):\n"
        "    def __iter__(self): print('ran'); return iter(())\n"
        "    def __len__(self): print('ran'); return 1\n"
        "mine = L([1])",
        60,
    )
    for name in ("n", "mine", "missing"):
        with pytest.raises(LookupError):
            page(shared, name)
    assert b"ran" not in b"".join(bytes(p) for f in shared.run("1").frames for p in f.parts)


def test_simple_values_can_be_set_and_others_are_left(shared: Worker) -> None:
    """A number becomes a text; a list stays, and nothing becomes a list or appears anew."""
    shared.run("depth = 3; rows = [1]", 60)
    assert shared.query("set", {"name": "depth", "value": "deep"})["preview"] == "'deep'"
    for name, value in (("rows", 1), ("depth", [1]), ("new", 1)):
        with pytest.raises(LookupError):
            shared.query("set", {"name": name, "value": value})
    assert shared.run("assert (depth, rows) == ('deep', [1])").reply["status"] == "ok"
