"""`python -m codeact_kernel.kernel -f CONNECTION_FILE`: the entry of the kernel spec."""

from __future__ import annotations

import os
import sys

from codeact_kernel.kernel.start import main

if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    # Not SystemExit: taking litellm apart module by module costs a second, and a thread that still
    # imports it would be waited for. Everything that has to be ended has been.
    os._exit(code)
