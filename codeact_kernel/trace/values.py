"""The nouns. Everything here is frozen: a value is made whole and never changes.

Rule: no behaviour beyond what a value can say of itself; nothing here knows a notebook, a model,
a sandbox or a clock. Outputs are nbformat output dicts (plain JSON), because that is what they
are in the file, on the screen and in a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

Output = Mapping[str, Any]
"""One nbformat v4 output: {"output_type": "stream" | "display_data" | "execute_result" | "error", ...}."""


class Outcome(StrEnum):
    """How a run ended. Each keeps its state and can be continued."""

    ANSWER = "answer"
    STEP_LIMIT = "step_limit"
    BUDGET = "budget"
    STOPPED = "stopped"
    FAILED = "failed"


class Status(StrEnum):
    """How a piece of code ended."""

    OK = "ok"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    DIED = "died"
    """The sandbox ended under it (memory limit, crash, kill); its state is lost."""
    NOT_RUN = "not_run"
    """A check or the user refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and money. `cost` is USD, None when the price is not known; `estimated` when counted by us."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        known = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cost=sum(known) if known else None,
            estimated=self.estimated or other.estimated,
        )

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture for a model that sees. `data` is base64 as in a notebook output."""

    mime: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation as the model gets it. `role`: system, user or assistant."""

    role: str
    text: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the user asked, with `{name}` already filled in."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The ordinary ends of a run. None means no limit."""

    steps: int = 20
    budget: float | None = None
    """USD."""
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model sent, to the letter, and what it cost.

    `prompt` is the digest of the messages it answered (trace/digest.py), so that a replay can say
    when it is given another prompt. `model` names who wrote it, also in a replay.
    """

    text: str
    model: str
    prompt: str
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCode:
    """The reply holds code. `thought` is the prose around it."""

    thought: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The reply holds no code: it is the answer."""

    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """The reply could not be read. `problem` is the sentence the model is sent."""

    problem: str


Action = RunCode | Finish | Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Run exactly this code; it differs from the proposal when the user edited it."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Do not run it. `reason` goes to the model."""

    reason: str


Decision = Approve | Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One name in the notebook, as it is shown to the model. `mark` changes when the value does."""

    type: str
    preview: str
    shape: str = ""
    dtype: str = ""
    size: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What a step did to the variables."""

    new: Mapping[str, Variable] = field(default_factory=dict)
    changed: Mapping[str, Variable] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function defined in the notebook, offered to the model."""

    name: str
    signature: str
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What came of the code. `text` is exactly what the model was shown; `original` what it would
    have been shown, when a person changed that."""

    status: Status
    text: str
    original: str | None = None
    outputs: tuple[Output, ...] = ()
    images: tuple[Image, ...] = ()
    variables: Delta = field(default_factory=Delta)
    seconds: float = 0.0
    count: int | None = None
    """The execution count, the n of Out[n]."""

    def edited(self, text: str) -> Observation:
        """As a person wants it to be shown. Changed back it is as if it never had been changed."""
        first = self.text if self.original is None else self.original
        return replace(self, text=text, original=None if text == first else first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn: what the model said (malformed replies first), what ran, what came of it.

    `code` is what ran; `proposed` what the model wrote, when that differs. A step without code
    (an answer in prose, a limit met while asking) has code None and observation None.
    """

    number: int
    cell: str
    replies: tuple[Reply, ...]
    thought: str = ""
    code: str | None = None
    proposed: str | None = None
    observation: Observation | None = None
    answer: str | None = None

    @property
    def usage(self) -> Usage:
        return sum((reply.usage for reply in self.replies), Usage())


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRequest:
    """What code asked of the network in one step; `count` alike requests are one of these.

    `problem` is "" for what was let through, otherwise the sentence that refused it. `address` is
    what was connected to, `path` that of a plain request without its query, `sent` and `received`
    are bytes.
    """

    step: int
    method: str
    host: str
    port: int
    path: str = ""
    address: str = ""
    problem: str = ""
    count: int = 1
    sent: int = 0
    received: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """The state of the notebook was taken back, or forward again: of the steps up to number `taken`
    it holds those in `kept` and no others. `to` says where to, for a reader."""

    taken: int
    kept: tuple[int, ...]
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One `%%agent` request from beginning to end. `outcome` None: it is still going on."""

    id: str
    task: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What shaped it: limits, approve, vision, format, profile, grade. Plain JSON."""
    cell: str = ""
    """Id of the agent cell, "" when the client does not name cells."""
    added: tuple[str, ...] = ()
    """What the user said when continuing it, in order; "" for a continuation without a word."""
    steps: tuple[Step, ...] = ()
    outcome: Outcome | None = None
    answer: str | None = None
    reason: str = ""
    """One sentence for the user when the outcome is not an answer."""
    notices: tuple[str, ...] = ()
    network: tuple[NetworkRequest, ...] = ()
    rewinds: tuple[Rewind, ...] = ()
    seconds: float = 0.0

    @property
    def stale(self) -> frozenset[int]:
        """Numbers of the steps whose effects have been taken back."""
        if not self.rewinds:
            return frozenset()
        last = self.rewinds[-1]
        numbers = {step.number for step in self.steps if step.number <= last.taken}
        return frozenset(numbers.difference(last.kept))

    @property
    def usage(self) -> Usage:
        return sum((step.usage for step in self.steps), Usage())

    @property
    def calls(self) -> int:
        """How often the model was asked and answered."""
        return sum(len(step.replies) for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The runs of one notebook, in order."""

    runs: tuple[Run, ...] = ()
