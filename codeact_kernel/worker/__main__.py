"""`python -m codeact_kernel.worker FD CONFIG`: become the supervisor on the stream FD."""

from __future__ import annotations

import sys

from codeact_kernel.worker import start

if __name__ == "__main__":
    start.main(sys.argv, globals().get("late"))
