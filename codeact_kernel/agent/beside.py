"""Work on a text that may take long: off the event loop, when the text is long.

Rule: only pure functions of their arguments go here; one that is no longer waited for ends by
itself, since all of them are bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

LONG = 5_000
"""Characters: a shorter text takes less time than handing it to a thread is worth."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


async def beside(size: int, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The function's value; `size` is the length of the text it reads."""
    if size <= LONG:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
