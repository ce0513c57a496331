"""What is told of the namespace, and final_answer."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from codeact_kernel.wire import Frame
from tests.worker.client import Worker


def variables(worker: Worker, code: str = "") -> dict[str, dict[str, str]]:
    """The variables after a cell."""
    if code:
        assert worker.run(code, 60).reply["status"] == "ok"
    found = worker.query("surroundings")["variables"]
    assert isinstance(found, dict)
    return found


def answering(worker: Worker, ok: bool = True, value: Any = None) -> list[dict[str, Any]]:
    """Answer every call; the list of what was asked grows."""
    asked: list[dict[str, Any]] = []

    def answer(frame: Frame) -> None:
        if frame.type == "call":
            asked.append({**frame.head, **json.loads(frame.parts[0])})
            head = {"t": "result", "id": frame.head["id"], "ok": ok}
            worker.send(head, [json.dumps(value).encode()])

    worker.on_frame = answer
    return asked


def test_known_types_are_described(worker: Worker) -> None:
    """Type, shape, dtype, size and a short preview of what people work with."""
    found = variables(
        worker,
        "import numpy as np, pandas as pd, datetime, decimal, enum\n"
        "n = 41; x = 1.5; s = 'text'; none = None; b = b'ab'\n"
        "a = np.arange(12).reshape(3, 4)\n"
        "df = pd.DataFrame({'k': range(10), 'v': list('abcdefghij')})\n"
        "col = df.k; when = datetime.date(2024, 1, 2); money = decimal.Decimal('1.10')\n"
        "items = list(range(100)); d = {'a': [1, 2]}; t = (1,); u = {3}\n"
        "class E(enum.Enum):\n    P = 1\n"
        "e = E.P",
    )
    assert found["n"] == {"type": "int", "preview": "41", "mark": found["n"]["mark"]}
    assert (found["x"]["preview"], found["s"]["preview"]) == ("1.5", "'text'")
    assert found["s"]["size"] == "4 characters"
    assert found["none"]["preview"] == "None"
    assert (found["a"]["shape"], found["a"]["dtype"]) == ("(3, 4)", "int64")
    assert found["a"]["preview"].startswith("[0, 1, 2")
    assert found["df"]["type"] == "DataFrame"
    assert found["df"]["shape"] == "(10, 2)"
    assert found["df"]["preview"] == "columns: k, v"
    assert (found["col"]["shape"], found["col"]["dtype"]) == ("(10,)", "int64")
    assert found["items"]["size"] == "100 items"
    assert found["items"]["preview"] == "[0, 1, 2, 3, 4, 5, 6, 7, …]"
    assert found["d"]["preview"] == "{'a': [1, 2]}"
    assert (found["t"]["preview"], found["u"]["preview"]) == ("(1,)", "{3}")
    assert found["when"]["preview"] == "datetime.date(2024, 1, 2)"
    assert found["money"]["preview"] == "Decimal('1.10')"
    assert (found["e"]["preview"], found["E"]["preview"]) == ("E.P", "<class E>")
    assert all(len(facts["preview"]) <= 80 for facts in found.values())
    assert not {"np", "pd", "datetime"} & set(found)


def test_code_of_a_class_is_not_run(worker: Worker) -> None:
    """No method of a user's class is called, whatever it would do."""
    found = variables(
        worker,
        "called = []\n"
        "class Trap(dict):\n"
        "    def __getattribute__(self, name): called.append(name); raise SystemExit\n"
        "    def __repr__(self): called.append('repr'); raise SystemExit\n"
        "    __len__ = __iter__ = __hash__ = __eq__ = __str__ = __bool__ = __repr__\n"
        "class Plain:\n"
        "    def __init__(self): self.rate = 1; self._secret = 2; self.name = 'x'\n"
        "    def __repr__(self): called.append('plain'); return 'x' * 10**9\n"
        "trap = Trap(); plain = Plain(); nested = [trap, {'k': plain}]\n"
        "def f(x=trap, y: plain = 1): pass",
    )
    assert found["trap"]["preview"] == "<Trap object>"
    assert found["plain"]["preview"] == "<Plain object: rate, name>"
    assert found["nested"]["preview"] == "[<Trap object>, {'k': <Plain object: rate, name>}]"
    assert worker.run("called").result == "[]"


def test_replaced_builtins_do_not_matter(worker: Worker) -> None:
    """A cell that replaces builtins changes nothing in what is told."""
    found = variables(
        worker,
        "import builtins\nitems = [1, 2]\n"
        "builtins.repr = builtins.hash = builtins.id = lambda x: 'forged'",
    )
    assert (found["items"]["size"], found["items"]["preview"]) == ("2 items", "[1, 2]")


@pytest.mark.parametrize(
    ("make", "change"),
    [
        ("v = [1, 2]", "v.append(3)"),
        ("v = [[1], [2]]", "v[1].append(3)"),
        ("v = {'a': 1}", "v['a'] = 2"),
        ("v = 'abc'", "v = 'abd'"),
        ("v = 1000", "v = 1001"),
        ("v = {1, 2}", "v.add(3)"),
        ("import numpy as np; v = np.zeros(1000)", "v[500] = 1"),
        ("import numpy as np; v = np.zeros((1000, 10))[::2]", "v[3, 3] = 1"),
        ("import pandas as pd; v = pd.DataFrame({'a': range(5000)})", "v.loc[2500, 'a'] = 0"),
        ("import pandas as pd; v = pd.DataFrame({'a': list('xyz')})", "v.loc[1, 'a'] = 'q'"),
        ("import pandas as pd; v = pd.DataFrame({'a': [1]})", "v['b'] = 2"),
        ("import pandas as pd; v = pd.DataFrame({'a': [1]})", "v.columns = ['c']"),
        ("class C: pass\nv = C(); v.x = [1]", "v.x.append(2)"),
    ],
)
def test_mark_changes_with_the_value_alone(shared: Worker, make: str, change: str) -> None:
    """The mark is the same when nothing happened, another when the value changed in place."""
    first = variables(shared, make)["v"]["mark"]
    assert variables(shared, "1 + 1")["v"]["mark"] == first
    assert variables(shared, change)["v"]["mark"] != first


def test_surroundings_are_bounded(worker: Worker) -> None:
    """200 variables at most, and no value, however large or deep, takes more than a line."""
    found = variables(
        worker,
        "import numpy as np\n"
        "big = np.zeros(20_000_000)\n"
        "deep = [[[list(range(500)) for _ in range(50)] for _ in range(50)] for _ in range(5)]\n"
        "loop = []; loop.append(loop)\n"
        "text = 'x' * 10_000_000; number = 10 ** 100_000\n"
        "for i in range(300): globals()[f'v{i}'] = i",
    )
    assert len(found) == 200
    worker.run("for i in range(300): del globals()[f'v{i}']")
    found = variables(worker)
    assert max(len(variable["preview"]) for variable in found.values()) <= 80
    assert found["number"]["preview"].startswith("int of ")
    assert found["loop"]["preview"] == "[[[[…]]]]"


def test_functions_of_the_notebook_are_offered(worker: Worker) -> None:
    """Name, signature, docstring and async of functions that cells defined; no others."""
    worker.run(
        "from json import dumps\n"
        "def add(a: int, b: 'list[int] | None' = None, *, c: dict[str, int] = {}) -> float:\n"
        "    '''Adds.\n\n    Carefully.'''\n"
        "async def fetch(url): ...\n"
        "def _hidden(): ..."
    )
    functions = {f["name"]: f for f in worker.query("surroundings")["functions"]}
    assert set(functions) == {"add", "fetch"}
    assert functions["add"]["signature"] == (
        "(a: int, b: list[int] | None = None, *, c: dict[str, int] = {}) -> float"
    )
    assert functions["add"]["doc"] == "Adds.\n\nCarefully."
    assert (functions["fetch"]["async"], functions["add"]["async"]) == (True, False)


def test_names_are_all_that_is_bound(worker: Worker) -> None:
    """names has the user's, IPython's and the builtin ones; variables only the user's."""
    worker.run("mine = 1; _private = 2\n3")
    told = worker.query("surroundings")
    assert {"mine", "_private", "In", "Out", "_", "final_answer", "print"} <= set(told["names"])
    assert set(told["variables"]) == {"mine"}
    assert set(variables(worker, "Out = 5; exit = 6")) == {"mine", "Out", "exit"}


def test_marks_are_those_of_the_variables(worker: Worker) -> None:
    """The query for marks alone gives what surroundings would."""
    told = variables(worker, "a = [1, 2]; b = {'k': a}; c = object(); _hidden = 1")
    assert worker.query("marks") == {name: facts["mark"] for name, facts in told.items()}


def test_values_and_keep(worker: Worker) -> None:
    """values gives texts of what there is; keep binds a text."""
    worker.run("import pandas as pd\ns = 'as it is'; n = 5; df = pd.DataFrame({'a': [1]})")
    found = worker.query("values", {"names": ["s", "n", "df", "missing"]})
    assert found == {"s": "as it is", "n": "5", "df": "   a\n0  1"}
    assert worker.query("keep", {"name": "full", "text": "all of it"}) == {}
    assert worker.run("full").result == "'all of it'"
    for arguments in ({"name": "not a name", "text": ""}, {"name": "x"}, {}):
        with pytest.raises(LookupError):
            worker.query("keep", arguments)
    with pytest.raises(LookupError):
        worker.query("nonsense")


def test_a_query_waits_for_the_cell(worker: Worker) -> None:
    """A query sent while a cell awaits is answered between cells."""
    worker.execute("import asyncio\nawait asyncio.sleep(0.4)\nlate = 1")
    time.sleep(0.1)
    assert "late" in variables(worker)


def test_final_answer_of_a_text_is_not_displayed(worker: Worker) -> None:
    """A str goes over the wire as it is and nothing is shown."""
    asked = answering(worker)
    ran = worker.run("final_answer('42 items')", metadata={"codeact": {"run": "r", "step": 1}})
    assert [(c["name"], c["text"], c["type"]) for c in asked] == [
        ("final_answer", "42 items", "str")
    ]
    assert ran.order == ["status", "execute_input", "call", "reply", "status"]
    assert ran.frames[2].head["parent"] == ran.frames[0].head["parent"]


def test_final_answer_of_an_object_is_displayed(worker: Worker) -> None:
    """Any other object is displayed as usual; its text is the answer, bounded."""
    asked = answering(worker)
    ran = worker.run("import pandas as pd\nfinal_answer(pd.DataFrame({'a': [1]}))", 60)
    assert "text/html" in ran.published("display_data")[0]["data"]
    assert (asked[0]["text"], asked[0]["type"]) == ("   a\n0  1", "DataFrame")
    worker.run("final_answer([['x' * 70] * 10] * 100)")
    assert len(asked[1]["text"]) == 20_000
    worker.run("class Bad:\n    def __repr__(self): raise ValueError\nfinal_answer(Bad())")
    assert asked[2]["text"] == "<Bad object>"


def test_second_final_answer_of_a_step_is_an_error(worker: Worker) -> None:
    """The first answer of a step counts; another step may answer again."""
    asked = answering(worker)
    ran = worker.run("final_answer(1)\nfinal_answer(2)")
    assert ran.reply["ename"] == "RuntimeError"
    assert "already" in ran.reply["evalue"]
    assert worker.run("final_answer(3)").reply["status"] == "ok"
    assert [call["text"] for call in asked] == ["1", "3"]


def test_refused_final_answer_is_an_error_in_the_cell(worker: Worker) -> None:
    """What the outer says is the RuntimeError's text; the step may try again."""
    answering(worker, ok=False, value="No agent is at work in this cell.")
    ran = worker.run("final_answer(1)")
    assert (ran.reply["ename"], ran.reply["evalue"]) == (
        "RuntimeError",
        "No agent is at work in this cell.",
    )
    assert "worker" not in "".join(ran.reply["traceback"])


def test_final_answer_in_a_fork_is_refused(worker: Worker) -> None:
    """A forked child cannot answer for its parent."""
    asked = answering(worker)
    ran = worker.run(
        "import os\npid = os.fork()\n"
        "if pid == 0:\n"
        "    try: final_answer('child')\n"
        "    except RuntimeError as e: print(e, flush=True); os._exit(0)\n"
        "os.waitpid(pid, 0)[1]"
    )
    assert ran.result == "0"
    assert "own process" in ran.stream()
    assert asked == []


def test_final_answer_survives_reset(worker: Worker) -> None:
    """%reset does not take it away."""
    asked = answering(worker)
    worker.run("%reset -f\nfinal_answer('still')")
    assert asked[0]["text"] == "still"
