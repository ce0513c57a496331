"""Every error a person may meet, in one tree.

Rule: the text of an exception here is what the user reads, so it is one or two plain sentences:
what happened, what it means, what to do. Each border (provider, sandbox, wire, file, command line)
translates what it catches into this tree; nothing foreign travels further inward.

    CodeActError
    ├── UsageError             the user's input is wrong: exit code 2
    ├── SettingsError          a configuration file or variable is wrong: exit code 2
    ├── NotebookError          the file is not a notebook we can read or write: exit code 2
    ├── ModelError             the provider's side
    │   ├── MissingKey         no credentials for this provider
    │   ├── UnknownModel       the provider does not know the name
    │   ├── Unreachable        refused, no route, no answer in time
    │   ├── Refused            the provider said no (status); retryable when the status says so
    │   ├── ContextOverflow    the conversation does not fit the model
    │   ├── StreamCut          the reply broke off after its first bytes
    │   └── ReplayEnded        the recording has no further reply
    └── SandboxError           the sandbox's side
        ├── SandboxRefused     the isolation asked for cannot be had here; nothing was run
        ├── SandboxDied        it ended while something was waiting for it
        └── WireError          what came over the wire is not a frame; the sandbox is given up

Code that fails in a cell, limits and stops are values (trace/values.py), never exceptions.
"""


class CodeActError(Exception):
    """Base of everything here; `str(error)` is the sentence the user reads."""


class UsageError(CodeActError):
    """The user's input is wrong."""


class SettingsError(CodeActError):
    """A configuration file or environment variable is wrong."""


class NotebookError(CodeActError):
    """A file is not a notebook that can be read or written."""


class ModelError(CodeActError):
    """The provider did not give a reply.

    `retryable` says whether asking again may help, `retry_after` how many seconds the provider
    asked us to wait (None: it did not say).
    """

    def __init__(
        self, sentence: str, *, retryable: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.retryable = retryable
        self.retry_after = retry_after


class MissingKey(ModelError):
    """No credentials for this provider."""


class UnknownModel(ModelError):
    """The provider, or litellm, does not know this model."""


class Unreachable(ModelError):
    """Nobody answered at the provider's address."""


class Refused(ModelError):
    """The provider answered with an error status."""

    def __init__(
        self,
        sentence: str,
        *,
        status: int,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence, retryable=retryable, retry_after=retry_after)
        self.status = status


class ContextOverflow(ModelError):
    """The conversation is longer than the model can read."""


class StreamCut(ModelError):
    """The reply broke off after its first bytes had arrived."""


class ReplayEnded(ModelError):
    """The recording holds no further reply for this task."""


class SandboxError(CodeActError):
    """The sandbox's side."""


class SandboxRefused(SandboxError):
    """The isolation asked for cannot be had on this machine; nothing was run."""


class SandboxDied(SandboxError):
    """The sandbox ended while something was waiting for it."""


class WireError(SandboxError):
    """Bytes on the wire are not a frame. The stream cannot be trusted any further."""
