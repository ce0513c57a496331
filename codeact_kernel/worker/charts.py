"""How charts leave the sandbox: as data, which the front end draws with a library of its own.

Rule: only defaults are set; whoever chooses a renderer gets it. The usual ones of these libraries are
pages with script, which is taken out on its way to a browser.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

_ALTAIR = ("altair.vegalite.v5.api", "altair.vegalite.v6.api")
_MIME = re.compile(r"application/vnd\.vegalite\.v\d+[.+]json")
_DRAWN = "application/vnd.vegalite.v5+json"
"""JupyterLab draws no later one, and later specifications under this name."""


def prepare(shell: Any) -> None:
    """Choose renderers for the charts of this shell. Imports nothing."""
    os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype")
    bundles = shell.display_formatter.mimebundle_formatter
    for module in _ALTAIR:
        bundles.for_type_by_name(module, "TopLevelMixin", _altair)


def _altair(chart: Any) -> Any:
    """Altair's own bundle, of its data when nobody chose a renderer."""
    renderers = sys.modules["altair"].renderers
    if renderers.active != "default":
        return chart._repr_mimebundle_()
    with renderers.enable("mimetype"):
        made = chart._repr_mimebundle_()
    data, metadata = made if isinstance(made, tuple) else (made or {}, {})
    named = {_DRAWN if _MIME.fullmatch(mime) else mime: value for mime, value in data.items()}
    if _DRAWN in named:
        named["text/plain"] = repr(chart)
    return named, metadata
