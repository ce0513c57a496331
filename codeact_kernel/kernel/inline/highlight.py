"""Python as HTML with colours, also when it is only half written.

Rule: every character of the code is escaped; only the class names here are HTML. The colours are
those of the front end's own editor (style.py).
"""

from __future__ import annotations

import builtins
import functools
import keyword
import re
from html import escape

_WORDS = "|".join(sorted(keyword.kwlist))
_NAMES = "|".join(sorted(name for name in dir(builtins) if name[0].islower()))
_PREFIX = r"(?:\b[rbfuRBFU]{1,2})?"
_TOKEN = rf"""
      (?P<comment>\#[^\n]*)
    | (?P<string>{_PREFIX}(?:
          \"\"\"(?:\\.|.)*?(?:\"\"\"|\Z)
        | \'\'\'(?:\\.|.)*?(?:\'\'\'|\Z)
        | \"(?:\\.|[^\"\\\n])*\"?
        | \'(?:\\.|[^\'\\\n])*\'?))
    | (?P<number>\b\d[\w.]*)
    | (?P<keyword>\b(?:{_WORDS})\b)
    | (?P<builtin>(?<!\.)\b(?:{_NAMES})\b(?=\())
    | (?P<meta>^[ \t]*[%!@][\w.]*)
"""


def python(code: str) -> str:
    """HTML that shows exactly this code."""
    parts: list[str] = []
    end = 0
    for match in _tokens().finditer(code):
        parts += (escape(code[end : match.start()]), _span(match))
        end = match.end()
    return "".join((*parts, escape(code[end:])))


@functools.cache
def _tokens() -> re.Pattern[str]:
    """Compiled when the first model writes: it takes as long as many imports."""
    return re.compile(_TOKEN, re.VERBOSE | re.DOTALL | re.MULTILINE)


def _span(match: re.Match[str]) -> str:
    return f'<span class="codeact-{match.lastgroup}">{escape(match.group())}</span>'
