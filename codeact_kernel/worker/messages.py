"""Requests as ipykernel wants them, errors as Jupyter wants them, log records as frames."""

from __future__ import annotations

import json
import logging
from typing import Any

from codeact_kernel.wire import Frame
from codeact_kernel.worker.link import Link


def message(frame: Frame) -> dict[str, Any]:
    """The request as ipykernel wants it. Raises ValueError when a part is not a JSON object."""
    header, metadata, content = (json.loads(part) for part in frame.parts[:3])
    if not all(isinstance(part, dict) for part in (header, metadata, content)):
        raise ValueError("a request's header, metadata or content is not an object")
    header["msg_id"] = str(frame.head["id"])
    header["msg_type"] = str(frame.head["type"])
    return {
        "header": header,
        "msg_id": header["msg_id"],
        "msg_type": header["msg_type"],
        "parent_header": {},
        "metadata": metadata,
        "content": content,
        "buffers": [memoryview(part) for part in frame.parts[3:]],
    }


def error(name: str, text: str, **more: Any) -> dict[str, Any]:
    """The content of a reply that says what went wrong."""
    return {"status": "error", "ename": name, "evalue": text, "traceback": [], **more}


class LogHandler(logging.Handler):
    """Log records as `log` frames, for the outer kernel's log file."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record).encode(errors="backslashreplace")[:10_000]
        self._link.send({"t": "log", "level": record.levelname.lower()}, [text])
