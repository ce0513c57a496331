"""A front end that shows widgets, in the style of ipywidgets' manager, over a real client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from codeact_kernel.kernel.inline.models import MIME
from tests.kernel.conftest import Front


class WidgetFront:
    """Executes cells as a notebook does. `makes`: widgets are made of what the kernel opens."""

    def __init__(self, front: Front, makes: bool = True) -> None:
        self.front = front
        self.makes = makes
        self.models: dict[str, dict[str, Any]] = {}
        self.displays: dict[str, dict[str, Any]] = {}
        """The data of each display by its display id, as it is now, the others by number."""
        self.heard: list[dict[str, Any]] = []

    def execute(self, code: str, stdin: bool = True) -> str:
        """Execute a cell; the request's id."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": stdin}
        return self._send("execute_request", content, {"cellId": "agent"})

    def update(self, widget: str, **state: Any) -> str:
        """What a person changes in a widget."""
        self.models[widget].update(state)
        data = {"method": "update", "state": state, "buffer_paths": []}
        return self._send("comm_msg", {"comm_id": widget, "data": data})

    def click(self, description: str) -> None:
        """Press a plain button."""
        data = {"method": "custom", "content": {"event": "click"}}
        self._send("comm_msg", {"comm_id": self.find("Button", description), "data": data})

    def press(self, description: str) -> None:
        """Press a button that is tied to another widget."""
        source = self.find("ToggleButton", description)
        for state in list(self.models.values()):
            if state.get("source") == [f"IPY_MODEL_{source}", "value"]:
                target, mark = state["target"]
                self.update(target.removeprefix("IPY_MODEL_"), **{mark: True})

    def edit(self, code: str) -> None:
        """Change the code that waits."""
        self.update(self.find("Textarea"), value=code)

    def find(self, kind: str, description: str = "") -> str:
        """The id of the open widget of this kind."""
        (found,) = [
            widget
            for widget, state in self.models.items()
            if state["_model_name"] == f"{kind}Model"
            and state.get("description", "") == description
        ]
        return found

    def _send(self, kind: str, content: dict[str, Any], metadata: Any = None) -> str:
        message = self.front.client.session.msg(kind, content, metadata=metadata)
        self.front.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    async def until(self, seen: Callable[[], object]) -> None:
        """Take messages until `seen()` holds."""
        async with asyncio.timeout(10):
            while not seen():
                self._take(await self.front.client.get_iopub_msg())

    async def asked(self) -> None:
        """Until a form waits."""
        await self.until(self._asks)

    async def decided(self) -> None:
        """Until the form is gone."""
        await self.until(lambda: not self._asks())

    def _asks(self) -> bool:
        return any(
            "codeact-asks" in state.get("_dom_classes", ()) for state in self.models.values()
        )

    async def over(self, msg_id: str) -> list[dict[str, Any]]:
        """Everything under a request, up to its idle."""

        def mine() -> list[dict[str, Any]]:
            return [m for m in self.heard if m["parent_header"].get("msg_id") == msg_id]

        await self.until(lambda: any(m["content"].get("execution_state") == "idle" for m in mine()))
        return mine()

    @property
    def panels(self) -> int:
        """How many displays are widgets now."""
        return sum(MIME in data for data in self.displays.values())

    @property
    def text(self) -> str:
        """What the displays say as Markdown."""
        return "\n\n".join(str(data.get("text/markdown")) for data in self.displays.values())

    def _take(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        content = message["content"]
        match message["msg_type"]:
            case "comm_open":
                assert message["metadata"]["version"].startswith("2.")
                self._make(content["comm_id"], content["data"]["state"])
            case "comm_msg" if content["comm_id"] in self.models:
                self.models[content["comm_id"]].update(content["data"]["state"])
            case "comm_close":
                self.models.pop(content["comm_id"], None)
            case "display_data" | "update_display_data":
                name = content["transient"].get("display_id", str(len(self.displays)))
                self.displays[name] = content["data"]
            case _:
                pass

    def _make(self, widget: str, state: dict[str, Any]) -> None:
        if not self.makes:
            return
        self.models[widget] = state
        if state["_model_name"] == "DirectionalLinkModel":
            source, name = state["source"]
            target, mark = state["target"]
            value = self.models[source.removeprefix("IPY_MODEL_")][name]
            self.update(target.removeprefix("IPY_MODEL_"), **{mark: value})
