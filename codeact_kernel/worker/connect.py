"""Stands in for `ipykernel.connect`: there is no connection file in here.

`%connect_info` and `%qtconsole` show the sentence below.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "connect_qtconsole",
    "get_connection_file",
    "get_connection_info",
    "write_connection_file",
]


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError(
        "The connection file belongs to the kernel outside the sandbox; code inside cannot see it."
    )


connect_qtconsole = _refuse
get_connection_file = _refuse
get_connection_info = _refuse
write_connection_file = _refuse
