"""Checkpoints, rewind, redo and branches through the real kernel, in each kind of sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.conftest import Session, started
from tests.scripted_server import agent, serving, step


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One kernel for the tests of this module; each has names of its own."""
    with started(tmp_path_factory.mktemp("rewind")) as session:
        yield session


def said(session: Session, code: str) -> str:
    """What a verb tells; it has to work."""
    result = session.run(code)
    assert result.reply["status"] == "ok", result.reply.get("evalue")
    return "\n".join(result.displays)


SETUP = """
import random, sqlite3
frame = {'a': [1, 2, 3]}
drawn = (n for n in range(100)); next(drawn)
base = sqlite3.connect(':memory:'); base.execute('create table t(a)'); None
"""
LOOK = "(frame, next(drawn), random.random(), base.execute('select count(*) from t').fetchone())"


@pytest.mark.parametrize("isolation", ["namespaces", "landlock", "none"])
def test_state_goes_back_and_forward_in_every_sandbox(tmp_path: Path, isolation: str) -> None:
    """A rewind takes back what cells did, redo takes the rewind back, both say so; also in the strict profile."""
    strict = {"CODEACT_PROFILE": "strict"} if isolation == "namespaces" else {}
    with started(tmp_path, {"CODEACT_ISOLATION": isolation, **strict}) as session:
        session.run(STRICT_SETUP if strict else SETUP)
        look = STRICT_LOOK if strict else LOOK
        assert "keeps the state" in said(session, "%agent checkpoint before")
        first = session.run(look)
        session.run("del frame; later = 1")
        told = said(session, "%agent rewind before")
        assert "frame" in told
        assert "%agent redo" in told
        again = session.run(look)
        assert again.value == first.value
        assert again.reply["execution_count"] == first.reply["execution_count"]
        assert "later" in said(session, "%agent redo")
        assert session.run("later, 'frame' in globals()").value == "(1, False)"


STRICT_SETUP = """
import random
frame = {'a': [1, 2, 3]}
drawn = (n for n in range(100)); _ = next(drawn)
"""
STRICT_LOOK = "(frame, next(drawn), random.random())"


def test_each_step_can_be_taken_back_and_done_otherwise(kernel: Session) -> None:
    """After a rewind to before a step, `continue` asks the model with the conversation cut back there."""
    replies = (
        step("total = 1"),
        step("total = total * 100"),
        step("final_answer(total)"),
    )
    with serving(*replies) as server:
        kernel.run(agent(server.url))
        tree = said(kernel, "%agent branches")
        numbers = [line.split()[1] for line in tree.splitlines() if "before step 2" in line]
        number = numbers[-1].strip("*")
        told = said(kernel, f"%agent rewind {number}")
        assert "total" in told
        assert kernel.run("total").value == "1"
        kernel.run("%agent continue")
    asked = server.requests[3]["messages"]
    text = json.dumps(asked)
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "user"]
    assert "took the notebook back" in text
    assert "* 100" not in text
    assert "step has the number 4" in text
    assert kernel.run("total").value == "100"


def test_unknown_lost_and_switched_off(kernel: Session, tmp_path: Path) -> None:
    """What cannot be gone to is said in one sentence, and nothing is changed."""
    kernel.run("kept = 1")
    result = kernel.run("%agent rewind nowhere")
    assert result.reply["ename"] == "UsageError"
    assert "no checkpoint 'nowhere'" in result.reply["evalue"]
    with started(tmp_path, {"CODEACT_CHECKPOINTS": "0"}) as off:
        assert "switched off" in off.run("%agent checkpoint").reply["evalue"]


def test_what_cannot_be_restored_is_said_before(kernel: Session) -> None:
    """With a program running a rewind is refused with the reason; forced, it ends the program."""
    said(kernel, "%agent checkpoint calm")
    kernel.run("import subprocess; child = subprocess.Popen(['sleep', '60'])")
    result = kernel.run("%agent rewind calm")
    assert "(sleep)" in result.reply["evalue"]
    assert "--force" in result.reply["evalue"]
    assert kernel.run("child.poll()").of("execute_result") == []
    said(kernel, "%agent rewind calm --force")
    assert kernel.run("'child' in globals()").value == "False"


def test_without_room_for_a_process_there_is_no_checkpoint(kernel: Session) -> None:
    """It is said, and when there is room again checkpoints work as before."""
    kernel.run("import resource; room = resource.getrlimit(resource.RLIMIT_NPROC)")
    kernel.run("resource.setrlimit(resource.RLIMIT_NPROC, (1, room[1]))")
    assert "no room" in kernel.run("%agent checkpoint crowded").reply["evalue"]
    kernel.run("resource.setrlimit(resource.RLIMIT_NPROC, room)")
    said(kernel, "%agent checkpoint roomy")
    kernel.run("del room")
    said(kernel, "%agent rewind roomy")
    assert kernel.run("room[0] == resource.getrlimit(resource.RLIMIT_NPROC)[0]").value == "True"


def test_threads_are_noted_once_and_stop_nothing(kernel: Session) -> None:
    """A run with a live thread has no checkpoints, says so once, and works."""
    kernel.run(
        "import threading; end = threading.Event(); t = threading.Thread(target=end.wait, name='ticker'); t.start()"
    )
    with serving(step("a = 1"), step("b = 2"), step("final_answer(a + b)")) as server:
        result = kernel.run(agent(server.url))
    shown = "\n".join(result.displays)
    assert "**Answer**\n\n3" in shown
    assert shown.count("ticker") == 1
    kernel.run("end.set(); t.join()")


def test_code_can_kill_a_checkpoint_but_not_change_it(kernel: Session) -> None:
    """Another process's memory cannot be opened; one that is killed is reported as gone."""
    said(kernel, "%agent checkpoint target")
    code = """
import os, signal
found = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    if int(pid) not in (os.getpid(), 1):
        for name in ('mem', 'fd/0', 'environ'):
            try: open(f'/proc/{pid}/{name}', 'rb'); found.append((pid, name))
            except OSError: pass
        try:
            parent = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1]
            if int(parent) == os.getppid(): os.kill(int(pid), signal.SIGKILL)
        except OSError: pass
found
"""
    assert kernel.run(code).value == "[]"
    result = kernel.run("%agent rewind target")
    assert result.reply["status"] == "error"
    assert "gone" in result.reply["evalue"] or "ended" in result.reply["evalue"]
    assert kernel.run("6 * 7").value == "42"


def test_branches_show_a_tree(tmp_path: Path) -> None:
    """Two futures of one state stand under it, one set in; where one is is marked."""
    with started(tmp_path) as session:
        assert "no checkpoint yet" in said(session, "%agent branches")
        session.run("path = 'root'")
        said(session, "%agent checkpoint root")
        session.run("path = 'left'")
        said(session, "%agent checkpoint left")
        said(session, "%agent rewind root")
        session.run("path = 'right'")
        said(session, "%agent checkpoint right")
        lines = [line for line in said(session, "%agent branches").splitlines() if "**" in line]
        assert [line.split("**")[1] for line in lines] == [
            "1 root",
            "4 right",
            "2 left",
            "3 the state that was left",
        ]
        assert lines[1].startswith("  - ")
        assert "you are here" in lines[1]
        assert "`path`" in lines[2]


def test_what_steps_have_staged_goes_back_with_the_state(tmp_path: Path) -> None:
    """Files that steps made, changed and deleted are as they were, seen by code and in the list of
    what is staged; those of the user's own cells are not touched."""
    for name in ("data", "other"):
        (tmp_path / f"{name}.txt").write_text("original")
    first = (
        "from pathlib import Path\nfor p in ('new', 'data'): Path(f'{p}.txt').write_text('first')"
    )
    second = (
        "Path('new.txt').write_text('second'); Path('other.txt').unlink(); Path('late.txt').touch()"
    )
    look = "print(*sorted(f'{p.stem}={p.read_text()}' for p in Path('.').glob('*.txt')))"
    with started(tmp_path, {"CODEACT_WORKSPACE_MODE": "cow"}) as session:
        session.run("from pathlib import Path\nPath('own.txt').write_text('mine'); None")
        with serving(step(first), step(second), step("final_answer(1)")) as server:
            session.run(agent(server.url))
        after = session.run(look).text
        told = said(session, "%agent rewind 2")
        assert "late.txt, new.txt, other.txt" in told
        assert session.run(look).text == "data=first new=first other=original own=mine\n"
        assert "late" not in said(session, "%agent files")
        said(session, "%agent redo")
        assert session.run(look).text == after
        said(session, "%agent rewind 1")
        assert session.run(look).text == "data=original other=original own=mine\n"
        assert "Nothing is staged" in said(session, "%agent files")
    assert (tmp_path / "own.txt").read_text() == "mine"
    assert (tmp_path / "data.txt").read_text() == "original"


NAMES = ("a", "b", "c")
values = st.sampled_from(
    ["0", "[1]", "{'k': 1}", "'text'", "range(3)", "Point(1)", "iter([1, 2, 3])"]
)
statements = st.one_of(
    st.builds("{} = {}".format, st.sampled_from(NAMES), values),
    st.builds("globals().pop({!r}, None)".format, st.sampled_from(NAMES)),
    st.builds("{0} = globals().get({1!r})".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("touch(globals().get({!r}))".format, st.sampled_from(NAMES)),
    st.just("a = random.random()"),
    st.just("base.execute('insert into t values(1)'); base.commit()"),
    st.just("1 / 0"),
)
programs = st.lists(statements, min_size=1, max_size=5)
PREPARE = """
import random, sqlite3
class Point:
    def __init__(self, x): self.x = x
    def __repr__(self): return f'Point({self.x})'
def touch(value):
    if isinstance(value, list): value.append(len(value))
    elif isinstance(value, dict): value[len(value)] = 'x'
    elif isinstance(value, Point): value.x += 1
    elif hasattr(value, '__next__'): next(value, None)
def everything():
    import operator
    seen = {n: v for n, v in globals().items() if n in ('a', 'b', 'c')}
    left = {n: operator.length_hint(v) for n, v in seen.items() if hasattr(v, '__next__')}
    same = [(m, n) for m in seen for n in seen if m < n and seen[m] is seen[n]]
    shown = {n: v for n, v in seen.items() if n not in left}
    return (shown, left, same, hash(random.getstate()), base.execute('select count(*) from t').fetchone())
"""


def run_all(session: Session, program: list[str]) -> None:
    """Each statement as a cell of its own; an error is an event like any other."""
    for code in program:
        session.run(code + "; None" if "=" not in code else code, stop_on_error=False)


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=programs, after=programs)
def test_a_rewind_gives_the_state_of_a_run_that_never_went_on(
    kernel: Session, before: list[str], after: list[str]
) -> None:
    """After random programs the whole namespace is that of a reference, and so is all that follows."""
    kernel.run(PREPARE)
    kernel.run(
        "random.seed(7); base = sqlite3.connect(':memory:'); base.execute('create table t(a)'); None"
    )
    kernel.run("for name in 'abc': globals().pop(name, None)")
    run_all(kernel, before)
    reference = kernel.run("everything()").value
    said(kernel, "%agent checkpoint fork")
    run_all(kernel, after)
    future = kernel.run("everything()").value
    said(kernel, "%agent rewind fork")
    assert kernel.run("everything()").value == reference
    run_all(kernel, after)
    assert kernel.run("everything()").value == future
