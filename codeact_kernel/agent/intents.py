"""What code means to do, read from its syntax tree: shell, files, network.

Rule: nobody is stopped by this and anybody can hide from it; it helps a person who reads code
before it runs to see where to look. Names are followed through imports, not through values.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator

_NETWORK = frozenset(
    {"requests", "httpx", "aiohttp", "socket", "ftplib", "smtplib", "telnetlib", "websockets"}
)
_NETWORK_PARTS = ("urllib.request", "http.client", "urllib3")
_DELETES = frozenset(
    {"os.remove", "os.unlink", "os.rmdir", "os.removedirs", "shutil.rmtree", "shutil.move"}
)
_DELETE_METHODS = frozenset({"unlink", "rmdir", "rmtree"})
_WRITE_METHODS = frozenset(
    {
        "write_text",
        "write_bytes",
        "savefig",
        "to_csv",
        "to_excel",
        "to_parquet",
        "to_pickle",
        "to_sql",
    }
)
_WRITES = frozenset(
    {"numpy.save", "numpy.savez", "numpy.savetxt", "os.rename", "os.replace", "os.makedirs"}
)
_SHELL = frozenset({"os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv", "pty.spawn"})
_MAGIC_SHELL = frozenset({"system", "getoutput"})
_MAGICS = frozenset({"sx", "system", "bash", "sh", "script", "pip", "conda", "mamba", "uv"})


def concerns_of(tree: ast.Module) -> tuple[str, ...]:
    """A sentence for each thing somebody who approves should see, in order of lines."""
    found: set[tuple[int, str]] = set()
    for line in shell_lines(tree):
        found.add((line, "runs a shell command or installs a package"))
    for module, line in imported_modules(tree):
        if module.split(".")[0] in _NETWORK or module.startswith(_NETWORK_PARTS):
            found.add((line, f"imports {module}: network access"))
    names = _imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (intent := _intent(node, names)):
            found.add((node.lineno, intent))
        elif isinstance(node, ast.Constant) and _is_address(node.value):
            found.add((node.lineno, f"names the address {node.value!s}"))
    return tuple(f"Line {line} {what}." for line, what in sorted(found))


def imported_modules(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each module that is imported by name, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
        elif isinstance(node, ast.Call) and _dotted(node.func, {}) in (
            "importlib.import_module",
            "__import__",
        ):
            name = node.args[0] if node.args else None
            text = name.value if isinstance(name, ast.Constant) else "a computed name"
            yield str(text), node.lineno


def shell_lines(tree: ast.Module) -> Iterator[int]:
    """The lines that run a shell command, or install something with a magic."""
    names = _imported_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _dotted(node.func, names)
        if called in _SHELL or called.startswith("subprocess.") or _is_shell_magic(node):
            yield node.lineno


def outside_paths(tree: ast.Module, folders: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Absolute paths given to open() that lie in none of the folders, with their line."""
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call) and _dotted(node.func, {}) in ("open", "io.open", "os.open")
        ):
            continue
        named = node.args[0] if node.args else None
        if isinstance(named, ast.Constant) and isinstance(named.value, str):
            path = posixpath.normpath(named.value)
            if path.startswith(("/", "~", "..")) and not _within(path, folders):
                yield named.value, node.lineno


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _intent(call: ast.Call, names: dict[str, str]) -> str:
    called = _dotted(call.func, names)
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if called in _DELETES or method in _DELETE_METHODS:
        return f"deletes or moves files ({called or method})"
    if called in _WRITES or method in _WRITE_METHODS:
        return f"writes files ({called or method})"
    if called in ("open", "io.open") and _opens_for_writing(call):
        return "opens a file for writing"
    return ""


def _opens_for_writing(call: ast.Call) -> bool:
    given = call.args[1] if len(call.args) > 1 else None
    given = given or next((k.value for k in call.keywords if k.arg == "mode"), None)
    if given is None:
        return False
    return not isinstance(given, ast.Constant) or bool(set(str(given.value)) & set("wax+"))


def _is_shell_magic(call: ast.Call) -> bool:
    """IPython's `!cmd`, `!!cmd`, `%pip …`, `%%bash` after the transform."""
    function = call.func
    if not (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Call)
        and _dotted(function.value.func, {}) == "get_ipython"
    ):
        return False
    if function.attr in _MAGIC_SHELL:
        return True
    first = call.args[0] if call.args else None
    return (
        function.attr in ("run_line_magic", "run_cell_magic")
        and isinstance(first, ast.Constant)
        and first.value in _MAGICS
    )


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """What a name means after the imports: {"np": "numpy", "rmtree": "shutil.rmtree"}."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """`a.b.c` as text, its first name followed through the imports; "" when it is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, names)):
        return f"{owner}.{node.attr}"
    return ""


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://", "ftp://", "s3://"))
