"""What a debugger's user asks of the interpreter and not of pydevd: cells, sources, variables.

Rule: an answer is a DAP response, whatever goes wrong. Files are read and written here, inside,
with the rights the notebook's code has; nobody outside opens a path that is named in here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from codeact_kernel.worker import cell_files
from codeact_kernel.worker.debugger import import_pydevd
from codeact_kernel.worker.session import dump

MAX_SOURCE = 4 * 1024 * 1024
"""Bytes of a source file that is shown."""
Arguments = dict[str, Any]
Body = dict[str, Any]


class Inspector:
    """Answers by command. `shell` is the IPython shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._variables: Any = None
        self._answers: dict[str, Callable[[Arguments], Body]] = {
            "dumpCell": self._dump_cell,
            "expectCell": self._expect_cell,
            "source": self._source,
            "inspectVariables": self._inspect,
            "variables": self._children,
            "richInspectVariables": self._rich_inspect,
            "modules": self._modules,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The response to a request. Never raises an Exception."""
        command = str(request.get("command"))
        response = {
            "type": "response",
            "request_seq": request.get("seq", 0),
            "command": command,
            "success": False,
        }
        try:
            body = self._answers[command](request.get("arguments") or {})
        except Exception as error:  # noqa: BLE001  a bad argument, a repr that raises
            return {**response, "message": f"{type(error).__name__}: {error}", "body": {}}
        return json.loads(dump({**response, "success": True, "body": body}))  # type: ignore[no-any-return]

    def _dump_cell(self, arguments: Arguments) -> Body:
        return {"sourcePath": cell_files.write(str(arguments["code"]))}

    def _expect_cell(self, arguments: Arguments) -> Body:
        cell_files.expect(str(arguments["path"]), int(arguments["lines"]))
        return {}

    def _source(self, arguments: Arguments) -> Body:
        path = Path(str(arguments["source"]["path"]))
        if not path.is_file():
            raise FileNotFoundError("the source is not available")
        with path.open("rb") as file:
            return {"content": file.read(MAX_SOURCE).decode("utf-8", "replace")}

    def _inspect(self, arguments: Arguments) -> Body:
        import_pydevd()
        from ipykernel.debugger import VariableExplorer

        if self._variables is not None:
            self._variables.untrack_all()
        self._variables = VariableExplorer()
        self._variables.track()
        return {"variables": self._variables.get_children_variables()}

    def _children(self, arguments: Arguments) -> Body:
        if self._variables is None:
            self._inspect({})
        reference = arguments["variablesReference"]
        return {"variables": self._variables.get_children_variables(reference)}

    def _rich_inspect(self, arguments: Arguments) -> Body:
        name = str(arguments["variableName"])
        return bundle(self._shell, self._shell.user_ns[name])

    def _modules(self, arguments: Arguments) -> Body:
        loaded = list(sys.modules.items())
        start = int(arguments.get("startModule") or 0)
        count = int(arguments.get("moduleCount") or len(loaded))
        found = []
        for number, (name, module) in islice(enumerate(loaded), start, start + count):
            path = getattr(getattr(module, "__spec__", None), "origin", None)
            if isinstance(path, str) and path.endswith(".py"):
                found.append({"id": number, "name": name, "path": path})
        return {"modules": found, "totalModules": len(loaded)}


def bundle(shell: Any, value: object) -> Body:
    """The MIME bundle of a value, as a display of it has it."""
    data, metadata = shell.display_formatter.format(value)
    return {"data": data, "metadata": {key: metadata[key] for key in metadata if key in data}}


class Shown:
    """A value's MIME bundle, whose repr is JSON: what pydevd returns for an expression is a repr."""

    def __init__(self, value: object) -> None:
        from IPython.core.getipython import get_ipython

        self._text = dump(bundle(get_ipython(), value)).decode()

    def __repr__(self) -> str:
        return self._text
